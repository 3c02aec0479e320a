//! Other people's clients in front of a proxy route, other people's servers
//! behind it: which of them meet is chosen so that each client and each server
//! is there in each of its drafts, and so that each draft that somebody speaks
//! in front meets each one behind. What both ends hear is compared with what
//! was said, and with what `translate` makes of a close on its way.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::thread;

use draftgate_core::{Capabilities, Closing, Draft};
use draftgate_testkit::documents::holds;
use serde_json::{Value, json};

use crate::child::Child;
use crate::clients::expected_answers;
use crate::expected;
use crate::gateway::Gateway;
use crate::peers::{self, Meeting};
use crate::servers::{PING, STRIPPED, started};

/// How many texts a client says before it hears one of them again.
const AT_ONCE: usize = 100;

/// Somebody in front of the proxy and somebody behind it.
#[derive(Clone, Copy)]
struct Pair {
    client: Meeting,
    server: Meeting,
}

/// Who meets whom.
fn pairs() -> Vec<Pair> {
    let failures = expected::failures();
    let clients: Vec<Meeting> = peers::clients()
        .filter(|it| failures.client(it.peer.name, it.draft.name()).is_none())
        .collect();
    let servers: Vec<Meeting> = peers::servers()
        .filter(|it| failures.server(it.peer.name, it.draft.name()).is_none())
        .collect();
    let mut pairs: Vec<Pair> = Vec::new();
    let is = |one: &Meeting, other: &Meeting| {
        one.peer.name == other.peer.name && one.draft == other.draft
    };
    let front =
        |pairs: &[Pair], one: &Meeting| pairs.iter().filter(|it| is(&it.client, one)).count();
    let behind =
        |pairs: &[Pair], one: &Meeting| pairs.iter().filter(|it| is(&it.server, one)).count();
    // Every two drafts, by those who have met the fewest.
    for inner in draftgate_drafts::announced() {
        for outer in draftgate_drafts::announced() {
            let client = clients.iter().filter(|it| it.draft == inner);
            let server = servers.iter().filter(|it| it.draft == outer);
            let client = client.min_by_key(|it| front(&pairs, it));
            let server = server.min_by_key(|it| behind(&pairs, it));
            if let (Some(&client), Some(&server)) = (client, server) {
                pairs.push(Pair { client, server });
            }
        }
    }
    // Those who have not met anybody yet.
    for &server in &servers {
        if behind(&pairs, &server) == 0 {
            let client = clients.iter().min_by_key(|it| front(&pairs, it));
            let &client = client.unwrap();
            pairs.push(Pair { client, server });
        }
    }
    for &client in &clients {
        if front(&pairs, &client) == 0 {
            let server = servers.iter().min_by_key(|it| behind(&pairs, it));
            let &server = server.unwrap();
            pairs.push(Pair { client, server });
        }
    }
    pairs
}

#[test]
fn foreign_clients_converse_with_foreign_servers_through_the_proxy() {
    let mut by_server: BTreeMap<&str, Vec<Pair>> = BTreeMap::new();
    for pair in pairs() {
        let name = pair.server.peer.name;
        by_server.entry(name).or_default().push(pair);
    }
    // Some servers take one connection after the other; the servers do not
    // know of each other.
    thread::scope(|scope| {
        for (name, pairs) in &by_server {
            scope.spawn(move || at_one_server(name, pairs));
        }
    });
}

/// All that `pairs`, whose server is one and the same program, have to say.
fn at_one_server(name: &str, pairs: &[Pair]) {
    let (mut server, host) = started(name, &mut pairs[0].server.command());
    let mut gateway = Gateway::with(&format!("proxied-{name}"), &configuration(name, &host));
    for pair in pairs {
        the_client_closes(pair, &mut server, &mut gateway);
        the_server_closes(pair, &mut server, &mut gateway);
        the_client_vanishes(pair, &mut server, &mut gateway);
    }
    the_server_vanishes(&pairs[0], server, &mut gateway);
}

/// Servers that take `X-Forwarded-Proto` for TLS, whatever it says.
const PROTO_IS_TLS: [&str; 2] = ["protocol_websocket", "protocol_websocket_with_a_space"];

/// A route to the server `peer` for each draft, named like it.
fn configuration(peer: &str, host: &str) -> String {
    let remove = match PROTO_IS_TLS.contains(&peer) {
        true => "upstream-remove = \"X-Forwarded-Proto\"\n",
        false => "",
    };
    let mut text = "drafts = \"all\"\norigins = [\"any\"]\n\n\
        [[listeners]]\naddress = \"127.0.0.1:0\"\n"
        .to_owned();
    for draft in draftgate_drafts::announced() {
        let name = draft.name();
        write!(
            text,
            "\n[[routes]]\npath = \"/{name}\"\nservice = \"proxy\"\n\
            upstream = \"ws://{host}/echo\"\nupstream-drafts = \"{name}\"\n{remove}"
        )
        .unwrap();
    }
    text
}

/// Texts of all kinds, octets, a ping, a hundred texts at once, and a close
/// that goes through to the server, whose answer comes back.
fn the_client_closes(pair: &Pair, server: &mut Child, gateway: &mut Gateway) {
    let name = pair.name();
    let (able, beyond) = (pair.client.capabilities(), pair.server.capabilities());
    let able = Capabilities {
        binary: able.binary && beyond.binary,
        ..able
    };
    let up_to = pair.client.up_to().min(pair.server.up_to());
    let mut arguments = vec!["--at-once".to_owned(), AT_ONCE.to_string()];
    arguments.extend(able.binary.then(|| "--binary".to_owned()));
    arguments.extend(able.ping.then(|| "--ping".to_owned()));
    if up_to < usize::MAX {
        arguments.extend(["--up-to".to_owned(), up_to.to_string()]);
    }
    let mut client = pair.open(&arguments, server, gateway);
    let at_once: Vec<String> = (1..=AT_ONCE).map(|number| number.to_string()).collect();
    let expected = expected_answers(able, up_to, &at_once);
    for answer in &expected {
        let event = client.event(answer["event"].as_str().unwrap());
        assert_eq!(&event, answer, "{name}");
    }
    let closed = client.event("close");
    client.end_well();
    let heard = server.event("close");
    let line = gateway.access_line();
    let said = said(&pair.client);
    is_told(&pair.client, &closed, Some(1000), &name);
    is_told(&pair.server, &heard, said, &name);
    assert_eq!(line["code"], json!(said), "{name}: {line}");
    assert_eq!(line["why"], "peer-closed", "{name}: {line}");
    let messages = expected.iter().filter(|answer| answer["event"] != "pong");
    let messages = json!(messages.count());
    let counted = (&line["messages_in"], &line["messages_out"]);
    assert_eq!(counted, (&messages, &messages), "{name}: {line}");
    assert_eq!(line["draft"], pair.client.draft.name(), "{name}: {line}");
    assert_eq!(line["dropped"], 0, "{name}: {line}");
}

/// A text, a ping of the server's, which the gateway answers, and a close that
/// comes through to the client.
fn the_server_closes(pair: &Pair, server: &mut Child, gateway: &mut Gateway) {
    let name = pair.name();
    const SAID: &str = "Grüße, Привет, 𝄞";
    let arguments = ["--say", SAID, "--expect", SAID].map(str::to_owned);
    let mut client = pair.open(&arguments, server, gateway);
    client.say("go");
    assert_eq!(client.event("message")["text"], SAID, "{name}");
    if pair.server.capabilities().ping {
        server.say("ping");
        assert_eq!(server.event("pong")["text"], PING, "{name}");
    }
    server.say("close");
    let left = client.event("left");
    client.end_well();
    let heard = server.event("close");
    let line = gateway.access_line();
    let failures = expected::failures();
    let (peer, draft) = (pair.server.peer.name, pair.server.draft.name());
    let (told, meant, why) = match failures.close(peer, draft) {
        Some(_) => (Some(1001), Some(1006), "upstream-lost"),
        None => (said(&pair.server), said(&pair.server), "upstream-closed"),
    };
    is_told(&pair.client, &left, told, &name);
    assert_eq!(heard["event"], "close", "{name}");
    assert_eq!(line["code"], json!(meant), "{name}: {line}");
    let end = (&line["by"], &line["why"]);
    assert_eq!(end, (&json!("upstream"), &json!(why)), "{name}: {line}");
}

/// The client is killed: the server hears that it went away.
fn the_client_vanishes(pair: &Pair, server: &mut Child, gateway: &mut Gateway) {
    let name = pair.name();
    let client = pair.open(&["--say", ""].map(str::to_owned), server, gateway);
    drop(client);
    let heard = server.event("close");
    // In hixie-75 that is how everybody leaves.
    let left = pair.client.capabilities().closing == Closing::Absent;
    is_told(&pair.server, &heard, (!left).then_some(1001), &name);
    let line = gateway.access_line();
    assert_eq!(line["by"], "peer", "{name}: {line}");
}

/// The server is killed: the client hears that it went away.
fn the_server_vanishes(pair: &Pair, mut server: Child, gateway: &mut Gateway) {
    let name = pair.name();
    let arguments = ["--say", ""].map(str::to_owned);
    let mut client = pair.open(&arguments, &mut server, gateway);
    drop(server);
    let left = client.event("left");
    client.end_well();
    // As above.
    let told = pair.server.capabilities().closing != Closing::Absent;
    is_told(&pair.client, &left, told.then_some(1001), &name);
    assert_eq!(gateway.access_line()["by"], "upstream", "{name}");
}

/// The code that stands for the close of `one`, which has said 1000 if its draft
/// has codes.
fn said(one: &Meeting) -> Option<u16> {
    (one.capabilities().closing != Closing::Absent).then_some(1000)
}

/// What `one` says that it has heard is `code`, if its draft has codes.
fn is_told(one: &Meeting, event: &Value, code: Option<u16>, name: &str) {
    if one.capabilities().closing != Closing::Coded {
        return;
    }
    // Where there is none, some libraries tell the code that says so, Netty -1.
    let told = event["code"]
        .as_i64()
        .filter(|code| ![1005, -1].contains(code));
    assert_eq!(
        told,
        code.map(i64::from),
        "{name}: {} heard {event}",
        one.name()
    );
}

impl Pair {
    fn name(&self) -> String {
        format!("{} before {}", self.client.name(), self.server.name())
    }

    /// The client, with whom the server has a connection in the draft it
    /// should. Again if the server says that it read our key wrongly, which the
    /// client must have been told.
    fn open(&self, arguments: &[String], server: &mut Child, gateway: &mut Gateway) -> Child {
        let (name, draft) = (self.name(), self.client.draft.name());
        for _ in 0..STRIPPED {
            let mut command = self.client.command();
            let url = gateway.url(&format!("/{}", self.server.draft.name()));
            command.arg(url).args(["--draft", draft]).args(arguments);
            let mut client = Child::start(&name, &mut command);
            let met = server.any_event();
            if met["event"] == "stripped" {
                assert_eq!(gateway.refusal_line()["code"], "upstream-unreachable");
                client.event("error");
                assert_eq!(client.end().code, Some(1), "{name}");
                continue;
            }
            let wanted = (json!("open"), json!(self.server.draft.name()));
            assert_eq!(
                (met["event"].clone(), met["draft"].clone()),
                wanted,
                "{name}: {met}"
            );
            assert_eq!(client.event("open")["draft"], draft, "{name}");
            return client;
        }
        server.fail("it read key3 wrongly too often for chance")
    }
}

/// The table of docs/clients.md.
fn document() -> String {
    let spoken: Vec<Draft> = draftgate_drafts::announced().collect();
    let pairs = pairs();
    let mut table = String::from("| client in | server in | who |\n| --- | --- | --- |\n");
    for (inner, outer) in spoken
        .iter()
        .flat_map(|inner| spoken.iter().map(move |it| (inner, it)))
    {
        let of = |pair: &&Pair| pair.client.draft == *inner && pair.server.draft == *outer;
        let who = pairs.iter().filter(of);
        let who = who.map(|it| format!("{} → {}", it.client.program(), it.server.program()));
        let who: Vec<String> = who.collect();
        if !who.is_empty() {
            let (inner, outer, who) = (inner.name(), outer.name(), who.join("; "));
            writeln!(table, "| {inner} | {outer} | {who} |").unwrap();
        }
    }
    table
}

#[test]
fn the_pairs_stand_in_the_page_on_clients() {
    holds("docs/clients.md", "proxied", &document());
}

#[test]
fn everybody_meets_somebody_and_every_two_drafts_meet() {
    let pairs = pairs();
    let failures = expected::failures();
    for client in peers::clients() {
        let (peer, draft) = (client.peer.name, client.draft);
        let met = pairs
            .iter()
            .any(|it| it.client.peer.name == peer && it.client.draft == draft);
        let refused = failures.client(peer, draft.name()).is_some();
        assert_eq!(met, !refused, "{}", client.name());
    }
    for server in peers::servers() {
        let (peer, draft) = (server.peer.name, server.draft);
        let met = pairs
            .iter()
            .any(|it| it.server.peer.name == peer && it.server.draft == draft);
        let refused = failures.server(peer, draft.name()).is_some();
        assert_eq!(met, !refused, "{}", server.name());
    }
    for inner in draftgate_drafts::announced() {
        for outer in draftgate_drafts::announced() {
            let met = pairs
                .iter()
                .any(|it| it.client.draft == inner && it.server.draft == outer);
            assert_eq!(
                met,
                !peers::WITHOUT_CLIENT.contains(&inner) && !peers::WITHOUT_SERVER.contains(&outer),
                "{inner} before {outer}"
            );
        }
    }
}
