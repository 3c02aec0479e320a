//! What a server of each draft with headed frames does about a client that
//! breaks a rule: found out by breaking it, not by reading the tables that
//! the codecs themselves go by.

use std::fmt::Write;

use draftgate_core::{Draft, Event, Limits, Notice, Role, Strictness};
use draftgate_drafts::traits;
use draftgate_testkit::codecs::hear;

use crate::common::{frames::from_peer, pair};

/// A client of the draft, whose frames are written down as those of RFC 6455.
struct Client {
    draft: Draft,
}

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const PING: u8 = 0x89;
const CLOSE: u8 = 0x88;

impl Client {
    /// A frame with this first octet and these octets of length.
    fn frame(&self, first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
        let unmasked = [&[first], length, payload].concat();
        from_peer(self.draft, Role::Server, &unmasked)
    }

    fn short(&self, first: u8, payload: &[u8]) -> Vec<u8> {
        self.frame(first, &[payload.len() as u8], payload)
    }
}

/// A rule, and the octets of a client that breaks it.
type Breach = (&'static str, fn(&Client) -> Option<Vec<u8>>);

const LIMITS: Limits = Limits {
    frame: 1000,
    message: 1000,
    fragments: 10,
    strictness: Strictness::STRICT,
};

const BREACHES: [Breach; 13] = [
    ("text that is not UTF-8", |c| Some(c.short(TEXT, b"a\xff"))),
    ("a frame that is not masked", |c| {
        (c.draft >= Draft::Hybi07).then(|| vec![TEXT, 1, b'a'])
    }),
    ("a reserved bit", |c| Some(c.short(TEXT | 0x40, b"a"))),
    ("an undefined opcode", |c| Some(c.short(0x87, b"a"))),
    ("a length in more octets than needed", |c| {
        Some(c.frame(TEXT, &[126, 0, 1], b"a"))
    }),
    ("a length of 2^63 octets", |c| {
        Some(c.frame(TEXT, &[127, 0x80, 0, 0, 0, 0, 0, 0, 0], b""))
    }),
    ("a ping of 126 octets", |c| {
        Some(c.frame(PING, &[126, 0, 126], &[b'a'; 126]))
    }),
    ("a ping in fragments", |c| Some(c.short(PING & 0x7f, b"a"))),
    ("a continuation of nothing", |c| Some(c.short(0x80, b"a"))),
    ("a message inside a message", |c| {
        Some([c.short(TEXT & 0x7f, b"a"), c.short(BINARY, b"b")].concat())
    }),
    ("a close with a body of one octet", |c| {
        Some(c.short(CLOSE, b"\x03"))
    }),
    ("a close with code 741", |c| {
        Some(c.short(CLOSE, &741_u16.to_be_bytes()))
    }),
    ("a frame above the limit", |c| {
        Some(c.frame(BINARY, &[126, 0x10, 0], b""))
    }),
];

/// A Markdown table.
pub(crate) fn table() -> String {
    let headed = traits().filter(|it| it.capabilities.fragments);
    let clients: Vec<Client> = headed.map(|it| Client { draft: it.draft }).collect();
    let mut table = String::from("| a client sends |");
    for client in &clients {
        write!(table, " to {} |", client.draft).unwrap();
    }
    table.push_str("\n| --- |");
    table.push_str(&" --- |".repeat(clients.len()));
    table.push('\n');
    for (name, breach) in BREACHES {
        write!(table, "| {name} |").unwrap();
        for client in &clients {
            let cell = breach(client).map_or_else(|| "–".into(), |octets| done(client, &octets));
            write!(table, " {cell} |").unwrap();
        }
        table.push('\n');
    }
    table
}

/// What a server does about `octets`, in a few words.
fn done(client: &Client, octets: &[u8]) -> String {
    let (_, mut server) = pair(client.draft, LIMITS);
    let heard = hear(&mut *server, [octets]);
    if let Some(violation) = heard.violation {
        let code = violation.rule.close_code(client.draft);
        return code.map_or_else(|| "fails".into(), |code| format!("fails, {code}"));
    }
    let mut done = "taken";
    for event in &heard.events {
        match event {
            Event::Notice(Notice::Repaired { .. }) => done = "becomes U+FFFD",
            Event::Notice(Notice::Tolerated { .. }) => done = "taken, noted",
            _ => {}
        }
    }
    done.into()
}
