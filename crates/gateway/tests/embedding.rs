//! The example of docs/embedding.md, spoken to in every draft.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

#[path = "../examples/quotes.rs"]
#[allow(dead_code, unreachable_pub, reason = "it is a program of its own")]
mod quotes;

use std::sync::Arc;

use common::{Client, announced, config};
use draftgate_gateway::{
    Gateway,
    service::{Message, Service},
};

#[tokio::test]
async fn the_example_serves_every_draft() {
    let own = |_: &_| Some(Arc::new(quotes::Quotes) as Arc<dyn Service>);
    let running = Gateway::bind_with(config(), own).unwrap();
    for draft in announced() {
        let mut client = Client::open(running.addrs()[0], draft, "/echo").await;
        assert_eq!(
            client.message().await,
            Message::from("ACME 12.50"),
            "{draft}"
        );
        client.send("umbrella").await;
        // The next price may come between.
        let mut said = client.message().await;
        while said == Message::from("ACME 12.50") {
            said = client.message().await;
        }
        assert_eq!(said, Message::from("UMBRELLA 7.25"), "{draft}");
    }
    running.shutdown().await;
}
