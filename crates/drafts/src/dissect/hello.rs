//! HELLO, the frame that each side of hello-00 sends in front of all others. What
//! is wrong with one is found out by the codec that was to read it.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Outbox, Role, Rule, Violation};
use draftgate_wire::{
    FixedKeys,
    dissect::{Fault, Field, Kind, Unit, What, hex},
    opening::{self, Answer, Pending},
};

use super::guess;
use crate::{acceptor, recorded};

/// Octets of its header: the opcode and the length.
const HEADER: usize = 2;

/// Octets of the digest, which ends it.
const DIGEST: usize = 16;

/// What its reader says of a HELLO.
#[derive(Debug)]
enum Verdict {
    /// It proves what it must.
    Right,
    /// What is wrong, and the octet of the HELLO that shows it.
    Wrong(usize, Broken),
    /// Octets are missing, of the HELLO or of what it is made from.
    Unknown,
}

/// What a reader has against a HELLO.
#[derive(Debug)]
struct Broken {
    code: &'static str,
    sentence: String,
}

/// The octets that the HELLO of `from` has in `draft`, to a client that sent
/// `client`: none for one that says so by leaving the nonce out, as Resin's may.
pub(super) fn octets(draft: Draft, from: Role, client: &[u8]) -> usize {
    let sizes = acceptor(draft).map_or([0; 2], |acceptor| acceptor.octets_of_hello());
    let without = opening::parts(client)
        .ok()
        .flatten()
        .is_some_and(|(parts, _)| !parts.headers.contains_key("sec-websocket-nonce"));
    match from {
        _ if without => 0,
        Role::Client => sizes[0],
        Role::Server => sizes[1],
    }
}

/// The HELLO of `from`, of which `octets` are there and should be `size`, on the
/// connection of which `client` and `server` are both sides.
pub(super) fn unit(
    (draft, from): (Draft, Role),
    octets: Bytes,
    size: usize,
    (client, server): (&Bytes, &Bytes),
) -> Unit {
    let verdict = verdict((draft, from), &octets, (client, server));
    let mut unit = Unit::whole((What::Hello, Kind::Unknown), draft, from, octets, "HELLO");
    unit.fields = fields(&unit.octets, size);
    unit.cut_off = unit.octets.len() < size;
    match verdict {
        Verdict::Right => {
            if let Some(digest) = unit.fields.last_mut() {
                digest.noting("right for both nonces");
            }
        }
        Verdict::Wrong(octet, broken) => {
            // In a header the octet, of what follows all of the digest.
            let octet = if octet < HEADER { octet } else { size - DIGEST };
            unit.fault = Some(Fault {
                at_bit: 8 * octet as u64,
                code: broken.code,
                sentence: broken.sentence,
                section: Some(Rule::HelloInvalid.section(draft)),
            });
        }
        Verdict::Unknown => {}
    }
    unit
}

/// Whether `hello` is one by its header: what follows another frame in its place
/// cannot be told.
pub(super) fn is_one(hello: &Unit) -> bool {
    let in_header = |fault: &Fault| fault.at_bit < 8 * HEADER as u64;
    !hello.fault.as_ref().is_some_and(in_header)
}

fn fields(octets: &[u8], size: usize) -> Vec<Field> {
    let mut fields = Vec::new();
    let mut bit = 0;
    let mut put = |name: &str, kind, bits: usize, value: String| {
        fields.push(Field {
            name: name.to_owned(),
            kind,
            start_bit: bit,
            len_bits: bits as u64,
            value,
            note: None,
        });
        bit += bits as u64;
    };
    let flag = |octet: u8, at: usize| u8::from(octet << at & 0x80 != 0).to_string();
    if let Some(&first) = octets.first() {
        put("FIN", Kind::Flag, 1, flag(first, 0));
        for (at, name) in ["RSV1", "RSV2", "RSV3"].into_iter().enumerate() {
            put(name, Kind::Reserved, 1, flag(first, at + 1));
        }
        let name = if first & 0xf == 0xf { " (HELLO)" } else { "" };
        let number = format!("{:x}{name}", first & 0xf);
        put("opcode", Kind::Opcode, 4, number);
    }
    if let Some(&second) = octets.get(1) {
        put("RSV4", Kind::Reserved, 1, flag(second, 0));
        let length = (second & 0x7f).to_string();
        put("payload length", Kind::Length, 7, length);
    }
    let body = octets.get(HEADER..).unwrap_or_default();
    let (nonce, digest) = body.split_at(body.len().min(size - HEADER - DIGEST));
    for (name, kind, part) in [("nonce", Kind::Key, nonce), ("digest", Kind::Proof, digest)] {
        if !part.is_empty() {
            put(name, kind, 8 * part.len(), hex(part));
        }
    }
    fields
}

fn verdict(
    (draft, from): (Draft, Role),
    octets: &[u8],
    (client, server): (&Bytes, &Bytes),
) -> Verdict {
    // Without the heads the header can be judged all the same.
    let (reader, known) = match reader((draft, from), client, server) {
        Some((reader, known)) => (Some(reader), known),
        None => (guess::reader(draft, from), false),
    };
    let Some(mut reader) = reader else {
        return Verdict::Unknown;
    };
    for (at, octet) in octets.iter().enumerate() {
        match reader.take(*octet) {
            Ok(false) => {}
            Ok(true) => return Verdict::Right,
            Err(broken) if known || at < HEADER => return Verdict::Wrong(at, broken),
            Err(_) => return Verdict::Unknown,
        }
    }
    Verdict::Unknown
}

/// The end that reads the HELLO of `from`, made from the heads of both sides, and
/// whether all is known that it is to be made from.
fn reader((draft, from): (Draft, Role), client: &Bytes, server: &Bytes) -> Option<(Reader, bool)> {
    let mut answer = BytesMut::from(&server[..]);
    let whole = matches!(Answer::read(&mut answer), Ok(Some(_)));
    match from {
        Role::Client => {
            let (parts, _) = opening::parts(client).ok()??;
            let accepted = recorded::answer_in(draft, &parts, server).ok()?;
            let size = octets(draft, Role::Server, client);
            let known = whole && answer.len() >= size;
            Some((Reader::server(accepted.codec), known))
        }
        Role::Server => {
            let keys = &mut FixedKeys::new([0]);
            let pending = recorded::resume(draft, client, keys).ok()?;
            let head = server.len() - answer.len();
            Some((Reader::client(pending, server.get(..head)?)?, true))
        }
    }
}

/// The end that a HELLO is read by.
#[derive(Debug)]
pub(super) struct Reader {
    end: End,
    input: BytesMut,
}

#[derive(Debug)]
enum End {
    Server(Box<dyn Codec>),
    Client(Box<dyn Pending>),
}

impl Reader {
    /// A server that has answered.
    pub(super) fn server(mut codec: Box<dyn Codec>) -> Self {
        codec.start(&mut Outbox::new());
        Self {
            end: End::Server(codec),
            input: BytesMut::new(),
        }
    }

    /// A client that has read the `head` of its answer; `None` if it refuses that.
    pub(super) fn client(mut pending: Box<dyn Pending>, head: &[u8]) -> Option<Self> {
        let waits = pending.answer(&mut BytesMut::from(head)).ok()?.is_none();
        waits.then(|| Self {
            end: End::Client(pending),
            input: BytesMut::new(),
        })
    }

    /// Takes one more octet; whether that was the last one.
    fn take(&mut self, octet: u8) -> Result<bool, Broken> {
        self.input.extend_from_slice(&[octet]);
        match &mut self.end {
            End::Server(codec) => match codec.receive(&mut self.input, &mut Outbox::new()) {
                Ok(event) => Ok(event == Some(Event::Opened)),
                Err(Violation { rule }) => Err(Broken {
                    code: rule.code(),
                    sentence: rule.to_string(),
                }),
            },
            End::Client(pending) => match pending.answer(&mut self.input) {
                Ok(connected) => Ok(connected.is_some()),
                Err(refusal) => Err(Broken {
                    code: refusal.code(),
                    sentence: refusal.to_string(),
                }),
            },
        }
    }
}
