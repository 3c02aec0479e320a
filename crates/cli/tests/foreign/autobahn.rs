//! The Autobahn cases of hybi-13 that need no extension, by the PyPI package
//! kosoku, against the gateway's `/echo` and against the codec's client role;
//! and against `/echo` in hybi-08, whose frames are the same. Those that are not
//! strictly "OK" are exactly the ones listed in `expected-failures.toml`: two at
//! most in hybi-13, and three in hybi-08 where it is another draft.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener};
use std::thread;

use bytes::BytesMut;
use draftgate_conn::{Closed, Conn, Handler, Peer, Settings, Start};
use draftgate_core::{Draft, Message, Outgoing};
use draftgate_drafts::opening::Offer;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::child::Child;
use crate::expected;
use crate::gateway::Gateway;
use crate::ours;
use crate::programs::python;

/// Framing, pings, reserved bits, opcodes, fragmentation, UTF-8, closing, and
/// fragments of large messages. 9 measures speed; 12 and 13 are compression.
const CASES: &str = "1.*,2.*,3.*,4.*,5.*,6.*,7.*,10.*";

/// How many there are. A glob that has come to match nothing would pass too.
const COUNT: usize = 247;

const MOST_NON_STRICT: usize = 2;

#[test]
fn foreign_autobahn_judges_the_server() {
    let gateway = Gateway::start();
    let mut command = python("autobahn.py");
    command.arg(gateway.url("/echo")).args(["--cases", CASES]);
    judge("server", 0, Child::start("Autobahn", &mut command));
}

/// Its frames are those of hybi-13: only the number in the request differs.
#[test]
fn foreign_autobahn_judges_the_server_of_hybi_08() {
    let mut gateway = Gateway::start();
    let host = saying_8(gateway.host().to_owned());
    let mut command = python("autobahn.py");
    command
        .arg(format!("ws://{host}/echo"))
        .args(["--cases", CASES]);
    judge(
        "server of hybi-08",
        3,
        Child::start("Autobahn", &mut command),
    );
    assert_eq!(gateway.access_line()["draft"], "hybi-08");
}

#[tokio::test]
async fn foreign_autobahn_judges_the_client() {
    let mut command = python("autobahn.py");
    command.args(["--serve", "--cases", CASES]);
    let mut autobahn = Child::start("Autobahn", &mut command);
    let line = autobahn.line();
    let host = format!("127.0.0.1:{}", line.strip_prefix("PORT ").unwrap());

    let count = Client::ask(&host, "/getCaseCount").await.text;
    let count: usize = count.expect("a message with the number").parse().unwrap();
    for case in 1..=count {
        let resource = format!("/runCase?case={case}&agent=draftgate");
        Client::ask(&host, &resource).await;
    }
    Client::ask(&host, "/updateReports?agent=draftgate").await;
    judge("client", 0, autobahn);
}

/// Reads the verdict of all cases, and holds it to the list, by which `failing`
/// cases fail.
fn judge(role: &str, failing: usize, mut autobahn: Child) {
    let verdict: Value = serde_json::from_str(&autobahn.line()).unwrap();
    autobahn.end();
    eprintln!("Autobahn on the {role}: {}", verdict["count"]);

    assert_eq!(verdict["failed"].as_object().unwrap().len(), failing);
    let cases = verdict["cases"].as_object().unwrap();
    assert_eq!(cases.len(), COUNT);
    let not_ok: BTreeMap<String, String> = cases
        .iter()
        .flat_map(|(case, verdict)| {
            let said = |what: &str| (case.clone(), verdict[what].as_str().unwrap().to_owned());
            [said("behavior"), said("close")]
        })
        .filter(|(_, said)| !matches!(said.as_str(), "OK" | "INFORMATIONAL"))
        .collect();
    assert_eq!(not_ok, expected::failures().autobahn(role));
    assert!(not_ok.len() <= failing + MOST_NON_STRICT);
}

/// The address of a relay to `host` that makes version 13 of each request an 8.
fn saying_8(host: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let server = std::net::TcpStream::connect(&host).unwrap();
            let ends = (client.try_clone().unwrap(), server.try_clone().unwrap());
            thread::spawn(move || relay(ends.1, ends.0, |_| {}));
            thread::spawn(move || relay(client, server, say_8));
        }
    });
    address
}

/// Passes octets on until an end, the first ones after a `change`.
fn relay(mut from: std::net::TcpStream, mut to: std::net::TcpStream, change: fn(&mut Vec<u8>)) {
    let mut first = vec![0; 4096];
    // An error is an end as well: the verdict tells.
    if let Ok(count) = from.read(&mut first) {
        first.truncate(count);
        change(&mut first);
        let _ = to
            .write_all(&first)
            .and_then(|()| io::copy(&mut from, &mut to));
    }
    let _ = to.shutdown(Shutdown::Write);
}

fn say_8(head: &mut Vec<u8>) {
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";
    let text = str::from_utf8(head).unwrap();
    assert!(
        text.contains(VERSION) && text.ends_with("\r\n\r\n"),
        "{text}"
    );
    *head = text
        .replace(VERSION, "Sec-WebSocket-Version: 8\r\n")
        .into_bytes();
}

/// What Autobahn asks of a client: every message goes back as it came.
#[derive(Default)]
struct Client {
    /// The last text that came.
    text: Option<String>,
}

impl Client {
    /// Opens `resource` and echoes until the connection ends, however that is:
    /// Autobahn judges it.
    async fn ask(host: &str, resource: &str) -> Self {
        let (stream, start) = open(host, resource).await;
        let mut client = Self::default();
        let _: Closed = Conn::new(stream, start, Settings::client())
            .run(&mut client)
            .await;
        client
    }
}

impl Handler for Client {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        if let Message::Text(text) = &message {
            self.text = Some(text.to_string());
        }
        // An error says that the connection is closing.
        let _ = peer.send(Outgoing::Message(message));
    }
}

async fn open(host: &str, resource: &str) -> (TcpStream, Start) {
    let Offer {
        request,
        mut pending,
    } = ours::offer(Draft::Hybi13, host, resource, &[]);
    let mut stream = TcpStream::connect(host).await.unwrap();
    stream.write_all(&request).await.unwrap();
    let mut received = BytesMut::new();
    let connected = loop {
        assert_ne!(
            stream.read_buf(&mut received).await.unwrap(),
            0,
            "no whole answer"
        );
        if let Some(connected) = pending.answer(&mut received).unwrap() {
            break connected;
        }
    };
    let start = Start {
        received,
        ..Start::new(connected.codec)
    };
    (stream, start)
}
