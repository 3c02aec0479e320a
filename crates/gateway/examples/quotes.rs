//! A service of one's own: a price each second, and the price of whatever the
//! client names at once. The same code serves a browser of 2010 and one of today.

#![allow(clippy::print_stdout, reason = "this is a program")]

use std::{sync::Arc, time::Duration};

use draftgate_gateway::{
    Gateway,
    config::{Config, Route},
    service::{Accept, Answer, Handler, Message, Opening, Outgoing, Peer, Service},
};

/// Quotes prices.
#[derive(Debug)]
pub struct Quotes;

impl Service for Quotes {
    fn open<'a>(&'a self, _: &'a Opening<'a>) -> Answer<'a> {
        Box::pin(async { Ok(Accept::new(Self)) })
    }
}

impl Handler for Quotes {
    fn opened(&mut self, peer: &mut Peer<'_>) {
        let sender = peer.sender();
        tokio::spawn(async move {
            while sender.send(Message::from("ACME 12.50")).is_ok() {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        let name = String::from_utf8_lossy(message.payload()).to_uppercase();
        let _ = peer.send(Outgoing::Message(format!("{name} 7.25").into()));
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let own = |_: &Route| Some(Arc::new(Quotes) as Arc<dyn Service>);
    let running = Gateway::bind_with(Config::default(), own)?;
    println!("ws://{}/echo", running.addrs()[0]);
    tokio::signal::ctrl_c().await?;
    running.drain().await;
    Ok(())
}
