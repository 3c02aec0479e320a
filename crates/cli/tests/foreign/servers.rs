//! Other people's echo servers. `draftgate connect` sends them lines, which come
//! back; they ping it and send it octets where the draft can; and it ends as
//! the draft ends. Then our client role says itself what the command cannot. A
//! server on `expected-failures.toml` must be refused instead, with the code
//! written there.

use std::process::Command;

use bytes::Bytes;
use draftgate_core::{Close, Closing, Event, Message, Outgoing};
use draftgate_drafts::opening::RefusalKind;
use serde_json::{Value, json};

use crate::child::{Child, Ended};
use crate::clients::SUBPROTOCOL;
use crate::expected;
use crate::gateway::draftgate;
use crate::ours::Ours;
use crate::peers::{self, Meeting};

pub(crate) const PING: &str = "still there?";

/// How often a server may be met that had read our key wrongly: one in twenty
/// does so by chance, five of them in a row hardly.
pub(crate) const STRIPPED: usize = 5;

/// Both conversations in `draft` with the server `peer`.
pub(crate) fn converses(peer: &str, draft: &str) {
    let meeting = peers::server(peer, draft);
    let (mut server, host) = start(&meeting);
    if let Some(refused) = expected::failures().server(peer, meeting.draft.name()) {
        is_refused(connect(&meeting, &host), &meeting, &refused.code);
        return;
    }
    the_command_converses(&meeting, &mut server, &host);
    the_command_is_closed(&meeting, &mut server, &host);
    the_codec_converses(&meeting, &mut server, &host);
    server.end_stdin();
    server.end_well();
}

/// Starts the server of `meeting`; where it listens.
pub(crate) fn start(meeting: &Meeting) -> (Child, String) {
    let mut command = meeting.command();
    if meeting.agrees() {
        command.args(["--subprotocol", SUBPROTOCOL]);
    }
    started(&meeting.name(), &mut command)
}

/// A server that listens, and where.
pub(crate) fn started(name: &str, command: &mut Command) -> (Child, String) {
    let mut server = Child::start(&format!("the server {name}"), command);
    let line = server.line();
    match line.strip_prefix("PORT ") {
        Some(port) => (server, format!("127.0.0.1:{port}")),
        None => server.fail("its first line is not its port"),
    }
}

fn connect(meeting: &Meeting, host: &str) -> Child {
    let draft = meeting.draft.name();
    let mut command = draftgate("connect");
    command.args(["--verbose", "--draft", draft, &format!("ws://{host}/echo")]);
    if meeting.agrees() {
        command.args(["--subprotocol", SUBPROTOCOL]);
    }
    Child::start(&format!("draftgate connect in {draft}"), &mut command)
}

fn the_command_converses(meeting: &Meeting, server: &mut Child, host: &str) {
    let name = meeting.name();
    let (mut client, open) = connect_once_understood(meeting, server, host);
    assert_eq!(open["draft"], meeting.draft.name());
    for text in texts(meeting) {
        client.say(&text);
        assert!(client.line() == text, "the echo of {name} differs");
    }
    if meeting.capabilities().ping {
        server.say("ping");
        assert_eq!(server.event("pong")["text"], PING, "{name}");
    }
    if meeting.capabilities().binary {
        server.say("binary");
        let hex: String = octets()
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect();
        assert_eq!(
            client.line(),
            format!("<binary, 256 octets: {hex}>"),
            "{name}"
        );
    }
    let at_once = ["one", "two", "three"];
    at_once.iter().for_each(|text| client.say(text));
    let back = at_once.map(|_| client.line());
    assert_eq!(back, at_once, "{name}");
    client.end_stdin();

    let ended = client.end();
    assert_eq!(ended.code, Some(0), "{name}: {}", ended.stderr);
    if meeting.agrees() {
        assert_eq!(open["subprotocol"], SUBPROTOCOL, "{name}");
        let told = format!(", subprotocol {SUBPROTOCOL}");
        assert!(ended.stderr.contains(&told), "{name}: {}", ended.stderr);
    }
    hears_close(meeting, server, 1000);
}

/// The server closes, with 1000 and "bye" where the draft can.
fn the_command_is_closed(meeting: &Meeting, server: &mut Child, host: &str) {
    let (mut client, _) = connect_once_understood(meeting, server, host);
    client.say("Hello");
    assert_eq!(client.line(), "Hello");
    server.say("close");
    let Ended { code, stderr } = client.end();
    let draft = meeting.draft.name();
    if let Some(close) = expected::failures().close(meeting.peer.name, draft) {
        assert_eq!(code, Some(76), "{} closes well: {stderr}", meeting.name());
        let told = format!("closed by the peer, code {}", close.code);
        assert!(stderr.contains(&told), "{}: {stderr}", meeting.name());
        server.event("close");
        return;
    }
    assert_eq!(code, Some(0), "{}: {stderr}", meeting.name());
    if meeting.capabilities().closing == Closing::Coded {
        let told = "closed by the peer, code 1000 (bye)";
        assert!(stderr.contains(told), "{}: {stderr}", meeting.name());
    }
    hears_close(meeting, server, 1000);
}

/// Connects again if the server says that it read our key wrongly, which the
/// client must have noticed.
fn connect_once_understood(meeting: &Meeting, server: &mut Child, host: &str) -> (Child, Value) {
    for _ in 0..STRIPPED {
        let client = connect(meeting, host);
        let event = server.any_event();
        if event["event"] != "stripped" {
            return (client, event);
        }
        is_refused(client, meeting, "answer-challenge");
    }
    server.fail("it read key3 wrongly too often for chance")
}

/// The same with the codec alone.
fn open_once_understood(meeting: &Meeting, server: &mut Child, host: &str) -> Ours {
    for _ in 0..STRIPPED {
        let opened = Ours::open(meeting.draft, host, None);
        let event = server.any_event();
        let name = meeting.name();
        match opened {
            Ok(ours) => {
                assert_eq!(event["event"], "open", "{name}");
                return ours;
            }
            Err(refusal) => {
                assert_eq!(event["event"], "stripped", "{name}: {refusal}");
                assert_eq!(refusal.kind, RefusalKind::AnswerChallenge, "{name}");
            }
        }
    }
    server.fail("it read key3 wrongly too often for chance")
}

fn is_refused(mut client: Child, meeting: &Meeting, code: &str) {
    client.end_stdin();
    let Ended { code: exit, stderr } = client.end();
    assert_ne!(
        exit,
        Some(0),
        "{} is not refused, as expected",
        meeting.name()
    );
    let code = format!("[{code}]");
    assert!(stderr.contains(&code), "{code} was expected: {stderr}");
}

fn the_codec_converses(meeting: &Meeting, server: &mut Child, host: &str) {
    let able = meeting.capabilities();
    if !able.binary {
        return; // nothing to say that the command has not said
    }
    let mut ours = open_once_understood(meeting, server, host);
    let long = Bytes::from(octets().repeat(300));
    for octets in [Bytes::from(octets()), Bytes::new(), long] {
        let message = Message::Binary(octets);
        ours.say(Outgoing::Message(message.clone()));
        assert!(ours.hear() == Event::Message(message), "{}", meeting.name());
    }
    if able.ping {
        ours.say(Outgoing::Ping(PING.into()));
        assert_eq!(ours.hear(), Event::Pong(PING.into()), "{}", meeting.name());
    }
    let coded = meeting.capabilities().closing == Closing::Coded;
    let words = coded.then(|| Close::new(Close::GOING_AWAY, "bye"));
    ours.say(Outgoing::Close(words));
    let event = ours.hear();
    assert!(
        matches!(event, Event::Close(_)),
        "{}: {event:?}",
        meeting.name()
    );
    ours.end();
    hears_close(meeting, server, Close::GOING_AWAY);
}

fn hears_close(meeting: &Meeting, server: &mut Child, code: u16) {
    let close = server.event("close");
    if meeting.capabilities().closing == Closing::Coded {
        assert_eq!(
            close["code"],
            json!(code),
            "{} heard another code",
            meeting.name()
        );
    }
}

fn texts(meeting: &Meeting) -> Vec<String> {
    let long = "b".repeat(70_000);
    let texts = ["Hello", "", "Grüße ✓ 𝄞", &"a".repeat(200), &long].map(str::to_owned);
    let read = |text: &String| text.len() <= meeting.up_to();
    texts.into_iter().filter(read).collect()
}

fn octets() -> Vec<u8> {
    (0..=255).collect()
}
