//! The Autobahn cases of hybi-13 that need no extension, by the PyPI package
//! kosoku, against the gateway's `/echo` and against the codec's client role.
//! None may fail, and those that are not strictly "OK" are exactly the ones
//! listed in `expected-failures.toml`, two at most in either role.

use std::collections::BTreeMap;

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
    judge("server", Child::start("Autobahn", &mut command));
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
    judge("client", autobahn);
}

/// Reads the verdict of all cases, and holds it to the list.
fn judge(role: &str, mut autobahn: Child) {
    let verdict: Value = serde_json::from_str(&autobahn.line()).unwrap();
    autobahn.end_well();
    eprintln!("Autobahn on the {role}: {}", verdict["count"]);

    assert_eq!(verdict["failed"], serde_json::json!({}));
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
    assert!(not_ok.len() <= MOST_NON_STRICT);
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
