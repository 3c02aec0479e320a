//! The recipes of docs/proxying.md, files and command lines as they stand there
//! but for addresses: each with a program in front and one behind for which it
//! was written.

use std::fs;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use draftgate_core::Draft;
use serde_json::json;

use crate::child::Child;
use crate::clients::expected_answers;
use crate::gateway::{Gateway, draftgate};
use crate::peers::{self, Meeting};
use crate::proxy::{block_of, documents};
use crate::servers::started;
use crate::websockify::{BINARY, Target, meets, wanted};

/// The recipe's file, and its command line if it has one, each with `changes`.
fn gateways(recipe: &str, changes: &[(&str, &str)], line: bool) -> Vec<Gateway> {
    let changed = |mut text: String| {
        for (written, ours) in changes {
            text = text.replace(written, ours);
        }
        text
    };
    let text = block_of("proxying.md", recipe);
    assert!(
        changes.iter().all(|(written, _)| text.contains(written)),
        "{recipe} lacks one of {changes:?}"
    );
    let name = format!("recipe-{}", recipe.replace([' ', '\''], "-"));
    let mut gateways = vec![Gateway::with(&name, &changed(text))];
    if line {
        let text = block_of("proxying.md", &format!("{recipe} in one line"));
        gateways.push(Gateway::command_line(&changed(text)));
    }
    gateways
}

fn server(peer: &str, arguments: &[&str]) -> (Child, String) {
    let any = peers::servers().find(|it| it.peer.name == peer).unwrap();
    started(peer, any.command().args(arguments))
}

/// A client that says something on request, and is there.
fn visitor(client: &Meeting, url: &str, says: &str, expects: &str) -> Child {
    let mut command = client.command();
    command.arg(url).args(["--draft", client.draft.name()]);
    command.args(["--say", says, "--expect", expects]);
    let mut child = Child::start(&client.name(), &mut command);
    child.event("open");
    child
}

fn leaves(mut child: Child) {
    child.say("bye");
    child.event("close");
    child.end_well();
}

fn octets() -> Vec<u8> {
    (0..=255).collect()
}

/// websocket-ruby in front, in each of its drafts; ws behind, which has only today's.
#[test]
fn foreign_recipe_for_a_modern_back_end() {
    let (mut server, host) = server("ws", &[]);
    // websocket-ruby's pages are those of this machine.
    let changes = [("127.0.0.1:9000", &*host), ("https://example.com", "any")];
    let base64 = BASE64_STANDARD.encode(octets());
    for mut gateway in gateways("a modern back end", &changes, true) {
        let ruby = peers::clients().filter(|it| it.peer.name == "websocket_ruby");
        for client in ruby {
            let url = gateway.url("/any/path?x=1");
            let mut child = visitor(&client, &url, "", &base64);
            assert_eq!(server.event("open")["draft"], "hybi-13");
            if !client.capabilities().binary {
                server.say("binary");
                assert_eq!(child.event("message")["length"], json!(base64.len()));
            }
            leaves(child);
            server.event("close");
            let line = gateway.access_line();
            assert_eq!(line["draft"], client.draft.name(), "{line}");
        }
    }
}

/// Today's ws in front; ws of 2014 behind, held to hixie-76.
#[test]
fn foreign_recipe_for_a_legacy_only_server() {
    let (mut server, host) = server("ws_of_2014", &["--only", "hixie-76"]);
    let changes = [("192.0.2.7:8000", &*host)];
    let client = peers::client("ws", "hybi_13");
    for mut gateway in gateways("a legacy-only server", &changes, true) {
        let mut command = client.command();
        command.args([&gateway.url("/values"), "--at-once", "100"]);
        let mut child = Child::start("ws", &mut command);
        assert_eq!(server.event("open")["draft"], "hixie-76");
        child.event("open");
        let at_once: Vec<String> = (1..=100).map(|number| number.to_string()).collect();
        let able = peers::capabilities(Draft::Hixie76);
        for answer in expected_answers(able, usize::MAX, &at_once) {
            assert_eq!(child.event("message"), answer);
        }
        assert_eq!(child.event("close")["code"], 1000);
        child.end_well();
        server.event("close");
        assert_eq!(gateway.access_line()["upstream_draft"], "hixie-76");
    }
}

/// The server says who is there, and when: nobody before the one before has left.
#[test]
fn foreign_recipe_for_one_slot() {
    let (mut server, host) = server("eventlet", &[]);
    let changes = [("192.0.2.7", &*host)];
    let client = peers::client("netty", "hybi_13");
    for gateway in gateways("one slot", &changes, true) {
        let url = gateway.url("/plc");
        let first = visitor(&client, &url, "a", "a");
        assert_eq!(server.event("open")["draft"], "hybi-08");
        let mut second = Child::start("connect", draftgate("connect").arg(&url));
        leaves(first);
        server.event("close");
        server.event("open");
        second.say("Hello");
        assert_eq!(second.line(), "Hello");
        second.end_stdin();
        second.end_well();
        server.event("close");
    }
    let at_once = [
        changes[0],
        ("upstream-wait = \"3s\"", "upstream-wait = \"0s\""),
    ];
    let gateway = gateways("one slot", &at_once, false).remove(0);
    let url = gateway.url("/plc");
    let first = visitor(&client, &url, "a", "a");
    let ended = Child::start("connect", draftgate("connect").arg(&url)).end();
    assert!(ended.stderr.contains("503"), "{}", ended.stderr);
    assert!(ended.stderr.contains("upstream-busy"), "{}", ended.stderr);
    leaves(first);
}

/// One connection to eventlet; a client of hixie-76 and one of today read it.
#[test]
fn foreign_recipe_for_one_slot_and_many_readers() {
    let (mut server, host) = server("eventlet", &[]);
    let changes = [("192.0.2.7", &*host)];
    let gateway = gateways("one slot for many", &changes, false).remove(0);
    assert_eq!(server.event("open")["draft"], "hybi-08");
    let url = gateway.url("/plc");
    let base64 = BASE64_STANDARD.encode(octets());
    let mut old = visitor(
        &peers::client("websocket_ruby", "hixie_76"),
        &url,
        "",
        &base64,
    );
    let mut command = draftgate("connect");
    let mut new = Child::start("connect", command.args(["--verbose", &url]));
    while !new.line_of_stderr().contains("connected to ") {}
    server.say("binary");
    assert_eq!(old.event("message")["length"], json!(base64.len()));
    let hex: String = octets()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    assert!(new.line().contains(&hex));
    leaves(old);
}

#[test]
fn foreign_recipe_for_websockifys_place() {
    let target = Target::start();
    let changes = [
        ("127.0.0.1:5900", &*target.address),
        ("https://vnc.example.com", "loopback"),
    ];
    for gateway in gateways("websockify's place", &changes, true) {
        for draft in draftgate_drafts::announced() {
            let base64 = !peers::capabilities(draft).binary;
            let asks = if base64 { "base64" } else { BINARY };
            let met = meets(gateway.host(), draft, &[asks], base64);
            assert!(met == wanted(draft, asks, base64), "{draft}");
        }
    }
}

/// The table at the end: what the client is refused with, and what helps.
#[test]
fn foreign_old_servers_behind_a_proxy_need_what_the_page_says() {
    const LENIENT: &str = "upstream-answer-checks = \"lenient\"";
    let (_perl, perl) = server("protocol_websocket", &[]);
    let perl = format!("ws://{perl}");
    for (number, (draft, code, remedy)) in [
        (
            "hixie-76",
            "answer-location",
            "upstream-remove = [\"X-Forwarded-Proto\"]",
        ),
        ("hixie-75", "answer-status-line", LENIENT),
    ]
    .into_iter()
    .enumerate()
    {
        let page = fs::read_to_string(documents().join("proxying.md")).unwrap();
        let row = page
            .lines()
            .find(|line| line.starts_with(&format!("| `{code}`")));
        assert!(row.is_some(), "{code}");
        let gateway = |more: &str| {
            let text = format!(
                "drafts = \"all\"\n\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\n[[routes]]\n\
                path = \"/echo\"\nservice = \"proxy\"\nupstream = \"{perl}\"\n\
                upstream-drafts = \"{draft}\"\n{more}\n"
            );
            Gateway::with(&format!("old-{number}"), &text)
        };
        let mut strict = gateway("");
        let url = strict.url("/echo");
        let ended = Child::start("connect", draftgate("connect").arg(&url)).end();
        assert!(ended.stderr.contains("502"), "{}", ended.stderr);
        let line = strict.refusal_line();
        let detail = line["detail"].as_str().unwrap();
        assert!(detail.contains(&format!("[{code}]")), "{line}");
        drop(strict);

        let mut helped = gateway(remedy);
        let url = helped.url("/echo");
        let mut client = Child::start("connect", draftgate("connect").arg(&url));
        client.say("Hello");
        assert_eq!(client.line(), "Hello");
        client.end_stdin();
        client.end_well();
        if remedy == LENIENT {
            while helped.line()["code"] != code {}
        }
    }
}
