//! The opening handshake: an HTTP upgrade with a nonce, and HELLO on both sides.

use bytes::BytesMut;
use draftgate_core::{Capabilities, Codec, Draft, Limits};
use draftgate_wire::{
    Hybi, KeySource, Machine, Masking,
    dissect::Frames,
    opening::{
        Accepted, Acceptor, Answer, AnswerChecks, Ask, Asked, Connected, Head, Judge, LengthFrames,
        Offer, Offerer, Pending, Refusal, RefusalKind, Resume, Terms, echoed_origin, only_field,
    },
};
use http::{HeaderName, HeaderValue, request::Parts};

use crate::{
    DIALECTS, LAYOUT,
    hello::{CLIENTS, Client, NONCE, Nonces, SERVERS, Server},
};

static FIELD: HeaderName = HeaderName::from_static("sec-websocket-nonce");

/// The nonce of the server that Microsoft's test client was written for: its HELLO
/// is a constant, and is right for no other.
const PROTOTYPES: [u8; NONCE] = [0x15, 0xf0, 0xd2, 0x27, 0x8b, 0xcd, 0x45, 0x7f];

/// The subprotocol by which Resin's client switches the proof off: then there is no
/// nonce, and neither side sends a HELLO.
const UNPROVED: &str = "unmasked";

#[derive(Debug)]
pub(crate) struct Upgrade;

/// The octets that 16 hexadecimal digits stand for.
fn nonce(digits: &[u8]) -> Result<[u8; NONCE], Refusal> {
    let is_whole = digits.len() == 2 * NONCE && digits.iter().all(u8::is_ascii_hexdigit);
    let digits = str::from_utf8(digits).ok().filter(|_| is_whole);
    let number = digits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
    Ok(number.ok_or(RefusalKind::NonceInvalid)?.to_be_bytes())
}

fn machine(masking: Masking, limits: Limits) -> Machine<Hybi> {
    Machine::new(&DIALECTS[0], Hybi::new(&LAYOUT, masking), limits)
}

impl Acceptor for Upgrade {
    fn draft(&self) -> Draft {
        Draft::Hello00
    }

    fn frames(&self) -> Frames {
        Frames::Hybi(&LAYOUT)
    }

    fn capabilities(&self, _: LengthFrames) -> Capabilities {
        machine(Masking::incoming(), Limits::default()).capabilities()
    }

    fn octets_after_answer(&self) -> usize {
        SERVERS
    }

    fn octets_of_hello(&self) -> [usize; 2] {
        [CLIENTS, SERVERS]
    }

    fn drawn(&self, answered: &[u8]) -> Option<Vec<u8>> {
        let mut behind = BytesMut::from(answered);
        let whole = matches!(Answer::read(&mut behind), Ok(Some(_)));
        let nonce = behind.get(2..2 + NONCE).filter(|_| whole);
        Some(nonce.unwrap_or(&PROTOTYPES).to_vec())
    }

    fn accept(
        &self,
        request: &Parts,
        terms: &Terms<'_>,
        keys: &mut dyn KeySource,
    ) -> Result<Accepted, Refusal> {
        let fields = &request.headers;
        let client = only_field(fields, &FIELD, RefusalKind::NonceInvalid)?;
        let mut nonces = Nonces {
            client: nonce(client.as_bytes())?,
            server: [0; NONCE],
        };
        keys.fill(&mut nonces.server);
        // What no reader of the time misses: the reason of hixie-75, which Resin
        // sends, and the fields of hixie-76.
        let mut head = Head::new(101, "Web Socket Protocol Handshake");
        head.push("Upgrade", HeaderValue::from_static("WebSocket"));
        head.push("Connection", HeaderValue::from_static("Upgrade"));
        head.push("Sec-WebSocket-Origin", echoed_origin(fields));
        head.push_text("Sec-WebSocket-Location", terms.public_url)?;
        if let Some(subprotocol) = terms.subprotocol {
            head.push_text("Sec-WebSocket-Protocol", subprotocol)?;
        }
        let machine = machine(Masking::incoming(), terms.limits);
        Ok(Accepted {
            head,
            codec: Box::new(machine.after(Server(nonces))),
        })
    }
}

impl Offerer for Upgrade {
    fn draft(&self) -> Draft {
        Draft::Hello00
    }

    fn offer(&self, ask: &Ask<'_>, keys: &mut dyn KeySource) -> Result<Offer, Refusal> {
        let mut nonce = [0; NONCE];
        keys.fill(&mut nonce);
        let nonce = format!("{:016X}", u64::from_be_bytes(nonce));
        // The order of Microsoft's prototype.
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("Host", ask.host.as_bytes()),
            ("Upgrade", b"WebSocket"),
            ("Connection", b"Upgrade"),
            ("Origin", ask.origin.unwrap_or("null").as_bytes()),
        ];
        if let Some(one) = ask.only_subprotocol(Draft::Hello00)? {
            fields.push(("Sec-WebSocket-Protocol", one.as_bytes()));
        }
        fields.push(("Sec-WebSocket-Draft", b"3"));
        fields.push(("Sec-WebSocket-Nonce", nonce.as_bytes()));
        fields.extend(ask.fields.iter().map(|(n, v)| (*n, v.as_bytes())));
        Offer::new(self, Asked::write(ask.resource, fields)?, ask, keys)
    }

    fn resume(
        &self,
        request: &[u8],
        terms: Resume,
        keys: &mut dyn KeySource,
    ) -> Result<Box<dyn Pending>, Refusal> {
        let asked = Asked::read(request)?;
        let subprotocol = asked.field("sec-websocket-protocol").map(str::to_owned);
        let nonce = match asked.field("sec-websocket-nonce") {
            None if subprotocol.as_deref() == Some(UNPROVED) => None,
            _ => Some(nonce(asked.must("sec-websocket-nonce")?.as_bytes())?),
        };
        let machine = machine(Masking::outgoing(keys.fork()), terms.limits);
        Ok(Box::new(Waiting {
            subprotocol,
            nonce,
            head: None,
            machine: Some(machine),
            judge: Judge::default(),
        }))
    }
}

/// A client that waits for the answer's head, then for the server's HELLO.
#[derive(Debug)]
struct Waiting {
    subprotocol: Option<String>,
    /// What the server must have read; `None` if it has nothing to prove.
    nonce: Option<[u8; NONCE]>,
    head: Option<Answer>,
    /// What speaks once the answer is accepted.
    machine: Option<Machine<Hybi>>,
    judge: Judge,
}

impl Waiting {
    fn check(&mut self, answer: &Answer) -> Result<(), Refusal> {
        answer.switched()?;
        // Both stand in all answers that are known; a Location and an Origin, by
        // either of two names, are compared by nobody who is.
        let connection = answer.must_list("connection", "upgrade", RefusalKind::AnswerConnection);
        self.judge.forgive(answer.upgrade_is_websocket())?;
        self.judge.forgive(connection)?;
        if let Some(asked) = self.subprotocol.take() {
            self.subprotocol = answer.subprotocol("sec-websocket-protocol", &[asked])?;
        }
        Ok(())
    }
}

impl Pending for Waiting {
    fn judge(&mut self, checks: AnswerChecks) {
        self.judge.checks = checks;
    }

    fn answer(&mut self, input: &mut BytesMut) -> Result<Option<Connected>, Refusal> {
        let answer = match self.head.take() {
            Some(answer) => answer,
            None => match Answer::read(input)? {
                Some(answer) => {
                    self.check(&answer)?;
                    answer
                }
                None => return Ok(None),
            },
        };
        let proof = match self.nonce {
            None => None,
            Some(nonce) => match Client::answering(nonce, input) {
                Ok(None) => {
                    self.head = Some(answer);
                    return Ok(None);
                }
                Ok(proof) => proof,
                Err(_) => return Err(RefusalKind::AnswerHello.into()),
            },
        };
        let Some(machine) = self.machine.take() else {
            return Ok(None);
        };
        let codec: Box<dyn Codec> = match proof {
            None => Box::new(machine),
            Some(proof) => Box::new(machine.after(proof)),
        };
        Ok(Some(Connected {
            subprotocol: self.subprotocol.take(),
            head: answer.head,
            codec,
            forgiven: std::mem::take(&mut self.judge.forgiven),
        }))
    }
}
