//! A TCP server behind `tcp://`, as noVNC and its like reach one, beside Debian's
//! websockify in front of the same server: the same client hears the same
//! octets and is closed in the same way. websockify knows hybi and `binary`;
//! for `base64` and hixie, which it has given up, the octets are compared with
//! what the server said. And websockify as the upstream of a proxy route.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use draftgate_core::{Closing, Draft, Event, Message};

use crate::gateway::Gateway;
use crate::octets::{Client, Octets};
use crate::proxy::Proxy;

pub(crate) const BINARY: &str = "binary";
const BASE64: &str = "base64";

/// What ends the server's connection.
const QUIT: &[u8] = b"QUIT";

/// Far beyond everything that is waited for.
const PATIENCE: Duration = Duration::from_secs(60);

/// What the server says first: all octets.
fn greeting() -> Vec<u8> {
    [b"RFB 003.008\n".to_vec(), (0..=255).collect()].concat()
}

/// A TCP server that greets, then says all it hears again, and ends on request.
pub(crate) struct Target {
    pub(crate) address: String,
    /// A connection's end was heard: what had come on it.
    ended: Receiver<Vec<u8>>,
}

impl Target {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (sender, ended) = channel();
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let sender = sender.clone();
                thread::spawn(move || serve(client, &sender));
            }
        });
        Self { address, ended }
    }
}

fn serve(mut client: TcpStream, ended: &Sender<Vec<u8>>) {
    client.write_all(&greeting()).unwrap();
    let (mut heard, mut octets) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = client.read(&mut octets) {
        heard.extend_from_slice(&octets[..count]);
        if heard.ends_with(QUIT) {
            return;
        }
        if client.write_all(&octets[..count]).is_err() {
            break;
        }
    }
    // The test may be over.
    let _ = ended.send(heard);
}

/// What a client met.
#[derive(Debug, PartialEq)]
pub(crate) struct Met {
    subprotocol: Option<String>,
    /// Whether all messages were binary.
    binary: bool,
    octets: Vec<u8>,
    /// The code of the close, where the draft has codes.
    code: Option<u16>,
}

/// What a client says that asks for `asks`: octets of every value, and 70,000.
fn said() -> [Vec<u8>; 2] {
    [(0..=255).collect(), vec![b'x'; 70_000]]
}

fn open(address: &str, draft: Draft, asks: &[&str]) -> Client {
    let (octets, _) = Octets::connect(address);
    Client::open_asking(octets, false, address, draft, "/websockify", asks)
        .unwrap_or_else(|why| panic!("{draft} asking for {asks:?}: {why}"))
}

/// Talks to the server at the other end and is closed by it.
pub(crate) fn meets(address: &str, draft: Draft, asks: &[&str], base64: bool) -> Met {
    let mut client = open(address, draft, asks);
    let mut met = Met {
        subprotocol: client.subprotocol.clone(),
        binary: true,
        octets: Vec::new(),
        code: None,
    };
    met.hear(&mut client, greeting().len());
    for octets in said() {
        let length = octets.len();
        say(&mut client, octets, base64);
        met.hear(&mut client, length);
    }
    say(&mut client, QUIT.to_vec(), base64);
    match client.event() {
        Some(Event::Close(close)) => met.code = close.map(|close| close.code),
        None => {}
        other => panic!("{draft}: {other:?} in place of a close"),
    }
    met
}

fn say(client: &mut Client, octets: Vec<u8>, base64: bool) {
    match base64 {
        true => client.send(Message::from(BASE64_STANDARD.encode(octets).as_str())),
        false => client.send(Message::Binary(octets.into())),
    }
}

impl Met {
    /// Hears so many octets more, in however many messages.
    fn hear(&mut self, client: &mut Client, count: usize) {
        let wanted = self.octets.len() + count;
        while self.octets.len() < wanted {
            match client.message() {
                Message::Binary(octets) => self.octets.extend_from_slice(&octets),
                Message::Text(text) => {
                    self.binary = false;
                    let text = text.to_string();
                    self.octets.extend(BASE64_STANDARD.decode(text).unwrap());
                }
            }
        }
        assert_eq!(self.octets.len(), wanted);
    }
}

fn gateway(name: &str, upstream: &str, more: &str) -> Gateway {
    let text = format!(
        "drafts = \"all\"\norigins = [\"any\"]\n\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\n\
        [[routes]]\npath = \"/websockify\"\nservice = \"proxy\"\nupstream = \"{upstream}\"\n{more}\n"
    );
    Gateway::with(name, &text)
}

fn able(draft: Draft) -> draftgate_core::Capabilities {
    crate::peers::capabilities(draft)
}

/// What a client must meet that asks for `asks`.
pub(crate) fn wanted(draft: Draft, asks: &str, base64: bool) -> Met {
    Met {
        subprotocol: Some(asks.to_owned()),
        binary: !base64,
        octets: [greeting(), said().concat()].concat(),
        code: (able(draft).closing == Closing::Coded).then_some(1000),
    }
}

#[test]
fn foreign_websockify_and_a_tcp_upstream_are_the_same_to_a_client() {
    let target = Target::start();
    let websockify = Proxy::websockify(&target.address);
    let gateway = gateway("tcp", &format!("tcp://{}", target.address), "");
    let all = [greeting(), said().concat()].concat();
    let mut same = 0;
    for draft in draftgate_drafts::announced() {
        let coded = able(draft).closing == Closing::Coded;
        for asks in [&[BINARY][..], &[BINARY, BASE64], &[BASE64], &[]] {
            if draft < Draft::Hybi04 && asks.len() > 1 {
                continue; // until then a client asks for one
            }
            // Where a draft has no binary there is base64, asked for or not.
            let base64 = asks == [BASE64] || !able(draft).binary;
            let ours = meets(gateway.host(), draft, asks, base64);
            let wanted = Met {
                subprotocol: asks.first().map(|&first| first.to_owned()),
                binary: !base64,
                octets: all.clone(),
                code: coded.then_some(1000),
            };
            assert!(
                ours == wanted,
                "{draft} {asks:?}: {:?} {:?}",
                ours.subprotocol,
                ours.code
            );
            // It speaks the drafts from hybi-07 on.
            if draft >= Draft::Hybi07 && asks != [BASE64] {
                let theirs = meets(&websockify.address, draft, asks, base64);
                assert!(
                    ours == theirs,
                    "{draft} {asks:?}: {:?} {:?}",
                    theirs.subprotocol,
                    theirs.code
                );
                same += 1;
            }
        }
    }
    assert!(same > 0);
}

#[test]
fn foreign_websockify_and_a_tcp_upstream_tell_the_server_of_the_clients_end() {
    let target = Target::start();
    let websockify = Proxy::websockify(&target.address);
    let gateway = gateway("tcp-end", &format!("tcp://{}", target.address), "");
    for draft in draftgate_drafts::announced() {
        let theirs = (draft >= Draft::Hybi07).then_some(&*websockify.address);
        for address in [Some(gateway.host()), theirs].into_iter().flatten() {
            let mut client = open(address, draft, &[]);
            say(&mut client, b"bye".to_vec(), !able(draft).binary);
            if address != gateway.host() {
                // It loses what a close comes with.
                let mut heard = 0;
                while heard < greeting().len() + 3 {
                    heard += client.message().payload().len();
                }
            }
            client.close(None);
            if able(draft).closing != Closing::Absent {
                // What the server says until it hears of it comes before.
                while let Some(Event::Message(_)) = client.event() {}
            }
            drop(client);
            let ended = target.ended.recv_timeout(PATIENCE).unwrap();
            assert_eq!(ended, b"bye", "{draft} {address}");
        }
    }
}

/// Clients of every draft, those with base64 too, reach what websockify serves.
#[test]
fn foreign_websockify_is_an_upstream() {
    let target = Target::start();
    let websockify = Proxy::websockify(&target.address);
    let upstream = format!("ws://{}", websockify.address);
    let more = "subprotocols = [\"base64\", \"binary\"]\nbinary = \"base64\"";
    let gateway = gateway("websockify", &upstream, more);
    for draft in draftgate_drafts::announced() {
        for asks in [BINARY, BASE64] {
            let base64 = asks == BASE64;
            if !base64 && !able(draft).binary {
                continue;
            }
            let met = meets(gateway.host(), draft, &[asks], base64);
            assert!(
                met == wanted(draft, asks, base64),
                "{draft} {asks}: {:?} {:?}",
                met.subprotocol,
                met.code
            );
        }
    }
}
