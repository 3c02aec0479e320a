//! `upstream-drafts` with other people's servers: a proxy route finds the draft
//! that a server speaks, says so in the log, and takes it at once from then on.
//! A relay in between counts the connections of TCP that this takes.

use std::io;
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::thread;

use crate::child::Child;
use crate::gateway::{Gateway, draftgate};
use crate::peers;
use crate::servers::started;

/// A server, what it is told, the drafts of the route, and what comes of it.
struct Case {
    server: &'static str,
    /// The one draft that it is held to.
    only: Option<&'static str>,
    drafts: &'static str,
    /// The draft that is found, and the connections that it took.
    found: (&'static str, usize),
}

const CASES: [Case; 10] = [
    // Today's draft is the first that is tried.
    case("ws", None, "\"auto\"", ("hybi-13", 1)),
    case("ws_of_2014", None, "\"auto\"", ("hybi-13", 1)),
    case("netty", None, "\"auto\"", ("hybi-13", 1)),
    // The server says no more than that it is not this one: down by one.
    case("ws_of_2014", Some("hybi-08"), "\"auto\"", ("hybi-08", 2)),
    case(
        "ws_of_2014",
        None,
        "[\"hybi-07\", \"hixie-76\"]",
        ("hixie-76", 2),
    ),
    // The server lists what it speaks: straight there.
    case("netty", Some("hybi-07"), "\"auto\"", ("hybi-07", 2)),
    case(
        "ws",
        None,
        "[\"hybi-06\", \"hybi-07\", \"hybi-08\", \"hybi-13\"]",
        ("hybi-13", 2),
    ),
    case(
        "worlize",
        None,
        "[\"hybi-06\", \"hybi-08\", \"hybi-13\"]",
        ("hybi-13", 2),
    ),
    // A server of hixie alone is found where a list names that.
    case(
        "ws_of_2014",
        Some("hixie-76"),
        "[\"13\", \"8\", \"7\", \"hixie-76\", \"hixie-75\"]",
        ("hixie-76", 4),
    ),
    case(
        "eventlet",
        None,
        "[\"hixie-75\", \"hixie-76\"]",
        ("hixie-75", 1),
    ),
];

const fn case(
    server: &'static str,
    only: Option<&'static str>,
    drafts: &'static str,
    found: (&'static str, usize),
) -> Case {
    Case {
        server,
        only,
        drafts,
        found,
    }
}

#[test]
fn foreign_servers_are_met_in_their_drafts_and_remembered() {
    thread::scope(|scope| {
        for (number, case) in CASES.iter().enumerate() {
            scope.spawn(move || is_found_and_remembered(number, case));
        }
    });
}

fn is_found_and_remembered(number: usize, case: &Case) {
    let name = format!("{} for {}", case.server, case.drafts);
    let (mut server, host) = started(&name, &mut command(case.server, case.only));
    let relay = Relay::to(host);
    let mut gateway = gateway(&format!("ladder-{number}"), &relay, case.drafts);
    let (draft, connections) = case.found;

    speaks(&gateway, &mut server, draft, &name);
    assert_eq!(relay.connections(), connections, "{name}");
    let told = loop {
        let line = gateway.line();
        if line["message"] == "upstream speaks this draft" {
            break line;
        }
    };
    assert_eq!(told["draft"], draft, "{told}");
    let url = format!("ws://{}", relay.address);
    assert_eq!(told["upstream"], url, "{told}");

    for again in 1..=2 {
        speaks(&gateway, &mut server, draft, &name);
        assert_eq!(relay.connections(), connections + again, "{name}");
    }
    server.end_stdin();
}

/// Says something to the server through the proxy and hears it again.
fn speaks(gateway: &Gateway, server: &mut Child, draft: &str, name: &str) {
    let mut client = Child::start(name, draftgate("connect").arg(gateway.url("/echo")));
    client.say("Grüße ✓ 𝄞");
    assert_eq!(client.line(), "Grüße ✓ 𝄞", "{name}");
    client.end_stdin();
    client.end_well();
    assert_eq!(server.event("open")["draft"], draft, "{name}");
    server.event("close");
}

#[test]
fn foreign_server_of_hixie_alone_is_not_found_unless_it_is_named() {
    let mut command = command("ws_of_2014", Some("hixie-76"));
    let (_server, host) = started("ws of 2014 in hixie-76", &mut command);
    let relay = Relay::to(host);
    let mut gateway = gateway("ladder-hixie", &relay, "\"auto\"");
    let mut client = Child::start("connect", draftgate("connect").arg(gateway.url("/echo")));
    let ended = client.end();
    assert_ne!(ended.code, Some(0));
    // The server's own refusal is the client's.
    assert!(ended.stderr.contains("400 Bad Request"), "{}", ended.stderr);
    assert_eq!(gateway.refusal_line()["code"], "upstream-answered");
    let versions = draftgate_drafts::announced().filter(|draft| draft.version().is_some());
    assert_eq!(relay.connections(), versions.count());
}

fn command(server: &str, only: Option<&str>) -> Command {
    let any = peers::servers().find(|it| it.peer.name == server).unwrap();
    let mut command = any.command();
    command.args(only.iter().flat_map(|draft| ["--only", draft]));
    command
}

fn gateway(name: &str, relay: &Relay, drafts: &str) -> Gateway {
    let text = format!(
        "drafts = \"all\"\n\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\n\
        [[routes]]\npath = \"/echo\"\nservice = \"proxy\"\n\
        upstream = \"ws://{}\"\nupstream-drafts = {drafts}\n",
        relay.address
    );
    Gateway::with(name, &text)
}

/// Passes every octet on, and counts.
pub(crate) struct Relay {
    pub(crate) address: String,
    connections: Arc<AtomicUsize>,
}

impl Relay {
    pub(crate) fn to(host: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap().to_string(),
            connections: Arc::default(),
        };
        let connections = Arc::clone(&relay.connections);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                connections.fetch_add(1, SeqCst);
                let server = TcpStream::connect(&host).unwrap();
                let back = (server.try_clone().unwrap(), client.try_clone().unwrap());
                thread::spawn(move || pass_on(back.0, back.1));
                thread::spawn(move || pass_on(client, server));
            }
        });
        relay
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

/// An error is an end as well.
fn pass_on(mut from: TcpStream, mut to: TcpStream) {
    let _ = io::copy(&mut from, &mut to);
    let _ = to.shutdown(Shutdown::Write);
}
