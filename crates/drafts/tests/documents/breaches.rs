//! What a server of each draft with headed frames does about a client that
//! breaks a rule: found out by breaking it, not by reading the tables that
//! the codecs themselves go by.

use std::fmt::Write;

use draftgate_core::{Draft, Event, Limits, Notice, Outbox, Outgoing, Strictness};
use draftgate_drafts::traits;
use draftgate_testkit::codecs::hear;

use crate::common::pair_with;

/// How a client of the draft lays out its frames, masked with zeros.
struct Client {
    draft: Draft,
    /// The key stands in front, and no bit announces it.
    key_in_front: bool,
    text: u8,
    binary: u8,
    ping: u8,
    close: u8,
}

impl Client {
    /// Learnt from what the draft's own codecs write.
    fn of(draft: Draft) -> Self {
        let number = |what| {
            let (_, mut server) = pair_with(draft, Limits::default(), &[0]);
            let mut out = Outbox::new();
            server.send(what, &mut out).unwrap();
            out.take_all()[0]
        };
        let (mut client, _) = pair_with(draft, Limits::default(), &[0]);
        let mut out = Outbox::new();
        let hello = Outgoing::Message("Hello".into());
        client.send(hello.clone(), &mut out).unwrap();
        let text = number(hello);
        Self {
            draft,
            key_in_front: out.take_all()[4] == text,
            text,
            binary: number(Outgoing::Message(draftgate_core::Message::Binary(
                Default::default(),
            ))),
            ping: number(Outgoing::Ping(Default::default())),
            close: number(Outgoing::Close(None)),
        }
    }

    /// A frame with this first octet and these octets of length.
    fn frame(&self, first: u8, length: &[u8], payload: &[u8]) -> Vec<u8> {
        if self.key_in_front {
            return [&[0, 0, 0, 0, first], length, payload].concat();
        }
        let (short, long) = (length[0] | 0x80, &length[1..]);
        [&[first, short], long, &[0; 4], payload].concat()
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
    ("text that is not UTF-8", |c| {
        Some(c.short(c.text, b"a\xff"))
    }),
    ("a frame that is not masked", |c| {
        (!c.key_in_front).then(|| vec![c.text, 1, b'a'])
    }),
    ("a reserved bit", |c| Some(c.short(c.text | 0x40, b"a"))),
    ("an undefined opcode", |c| Some(c.short(0x87, b"a"))),
    ("a length in more octets than needed", |c| {
        Some(c.frame(c.text, &[126, 0, 1], b"a"))
    }),
    ("a length of 2^63 octets", |c| {
        Some(c.frame(c.text, &[127, 0x80, 0, 0, 0, 0, 0, 0, 0], b""))
    }),
    ("a ping of 126 octets", |c| {
        Some(c.frame(c.ping, &[126, 0, 126], &[b'a'; 126]))
    }),
    ("a ping in fragments", |c| {
        Some(c.short(c.ping & 0x7f, b"a"))
    }),
    ("a continuation of nothing", |c| Some(c.short(0x80, b"a"))),
    ("a message inside a message", |c| {
        Some([c.short(c.text & 0x7f, b"a"), c.short(c.binary, b"b")].concat())
    }),
    ("a close with a body of one octet", |c| {
        Some(c.short(c.close, b"\x03"))
    }),
    ("a close with code 741", |c| {
        Some(c.short(c.close, &741_u16.to_be_bytes()))
    }),
    ("a frame above the limit", |c| {
        Some(c.frame(c.binary, &[126, 0x10, 0], b""))
    }),
];

/// A Markdown table.
pub(crate) fn table() -> String {
    let headed = traits().filter(|it| it.capabilities.fragments);
    let clients: Vec<Client> = headed.map(|it| Client::of(it.draft)).collect();
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
    let (_, mut server) = pair_with(client.draft, LIMITS, &[0]);
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
