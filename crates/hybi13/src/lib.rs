//! draft-ietf-hybi-thewebsocketprotocol-13 to -17 and RFC 6455 (Version 13).
//!
//! No extension is negotiated here, so every reserved bit is a violation.
//!
//! ```
//! use draftgate_core::{Codec, Draft};
//! use draftgate_wire::opening::Acceptor;
//!
//! assert_eq!(draftgate_hybi13::ACCEPTOR.draft(), Draft::Hybi13);
//! ```

use bytes::BytesMut;
use draftgate_core::{Capabilities, Closing, Codec, Draft, Limits};
use draftgate_wire::{
    BadUtf8, Dialect, Hybi, KeySource, Machine, Masking,
    opening::{
        Accepted, Acceptor, Answer, Ask, Asked, Connected, Head, Keyed, Offer, Offerer, Pending,
        Refusal, RefusalKind, Resume, Terms, only_field,
    },
};
use http::{HeaderValue, request::Parts};

/// The rows of this crate in the table of drafts.
pub static DIALECTS: [Dialect; 1] = [Dialect {
    draft: Draft::Hybi13,
    closing: Closing::Coded,
    bad_utf8: BadUtf8::Fail,
}];

/// The server's half.
pub static ACCEPTOR: &dyn Acceptor = &Hybi13;

/// The client's half.
pub static OFFERER: &dyn Offerer = &Hybi13;

#[derive(Debug)]
struct Hybi13;

fn codec(masking: Masking, limits: Limits) -> Box<dyn Codec> {
    Box::new(Machine::new(&DIALECTS[0], Hybi::new(masking), limits))
}

impl Acceptor for Hybi13 {
    fn draft(&self) -> Draft {
        Draft::Hybi13
    }

    fn capabilities(&self) -> Capabilities {
        codec(Masking::Incoming, Limits::default()).capabilities()
    }

    fn accept(
        &self,
        request: &Parts,
        terms: &Terms<'_>,
        _: &mut dyn KeySource,
    ) -> Result<Accepted, Refusal> {
        let key = only_field(
            &request.headers,
            "sec-websocket-key",
            RefusalKind::KeyInvalid,
        )?;
        let keyed = key.to_str().ok().and_then(Keyed::from_key);
        let keyed = keyed.ok_or(RefusalKind::KeyInvalid)?;
        let mut head = Head::new(101, "Switching Protocols");
        // Single tokens: WebKit's client fails on lists here.
        head.push("Upgrade", HeaderValue::from_static("websocket"));
        head.push("Connection", HeaderValue::from_static("Upgrade"));
        head.push_text("Sec-WebSocket-Accept", &keyed.accept())?;
        if let Some(subprotocol) = terms.subprotocol {
            head.push_text("Sec-WebSocket-Protocol", subprotocol)?;
        }
        Ok(Accepted {
            head,
            codec: codec(Masking::Incoming, terms.limits),
        })
    }
}

impl Offerer for Hybi13 {
    fn draft(&self) -> Draft {
        Draft::Hybi13
    }

    fn offer(&self, ask: &Ask<'_>, keys: &mut dyn KeySource) -> Result<Offer, Refusal> {
        let keyed = Keyed::fresh(keys);
        let subprotocols = ask.subprotocols.join(", ");
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("Host", ask.host.as_bytes()),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Key", keyed.key().as_bytes()),
            ("Sec-WebSocket-Version", b"13"),
        ];
        if let Some(origin) = ask.origin {
            fields.push(("Origin", origin.as_bytes()));
        }
        if !subprotocols.is_empty() {
            fields.push(("Sec-WebSocket-Protocol", subprotocols.as_bytes()));
        }
        fields.extend(ask.fields.iter().map(|(n, v)| (*n, v.as_bytes())));
        let request = Asked::write(ask.resource, fields)?.freeze();
        Ok(Offer {
            pending: self.resume(&request, ask.resume(), keys)?,
            request,
        })
    }

    fn resume(
        &self,
        request: &[u8],
        terms: Resume,
        keys: &mut dyn KeySource,
    ) -> Result<Box<dyn Pending>, Refusal> {
        let asked = Asked::read(request)?;
        let keyed = Keyed::from_key(asked.must("sec-websocket-key")?);
        Ok(Box::new(Waiting {
            accept: keyed.ok_or(RefusalKind::AskUnspeakable)?.accept(),
            subprotocols: asked
                .fields
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
                .flat_map(|(_, list)| list.split(','))
                .map(|name| name.trim().to_owned())
                .collect(),
            limits: terms.limits,
            masking_keys: Some(keys.fork()),
        }))
    }
}

/// A client that waits for the answer.
#[derive(Debug)]
struct Waiting {
    accept: String,
    subprotocols: Vec<String>,
    limits: Limits,
    masking_keys: Option<Box<dyn KeySource>>,
}

impl Waiting {
    /// RFC 6455 §4.1, "client MUST validate the server's response".
    fn check(&self, answer: &Answer) -> Result<Option<String>, Refusal> {
        answer.switched()?;
        let upgrade = answer.exactly_one("upgrade")?;
        if !upgrade.eq_ignore_ascii_case(b"websocket") {
            return Err(RefusalKind::AnswerUpgrade.into());
        }
        let upgrades = answer.named("connection").any(|(_, value)| {
            value
                .split(|o| *o == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"upgrade"))
        });
        if !upgrades {
            return Err(RefusalKind::AnswerConnection.into());
        }
        let accept = RefusalKind::AnswerAccept;
        answer.must_equal("sec-websocket-accept", &self.accept, accept)?;
        // libwebsockets writes an empty line when it accepts none.
        let mut extensions = answer.named("sec-websocket-extensions");
        if let Some((_, value)) = extensions.find(|(_, value)| !value.is_empty()) {
            let detail = String::from_utf8_lossy(value).into_owned();
            return Err(Refusal::with(RefusalKind::AnswerExtension, detail));
        }
        answer.subprotocol("sec-websocket-protocol", &self.subprotocols)
    }
}

impl Pending for Waiting {
    fn answer(&mut self, input: &mut BytesMut) -> Result<Option<Connected>, Refusal> {
        let Some(answer) = Answer::read(input)? else {
            return Ok(None);
        };
        let subprotocol = self.check(&answer)?;
        let Some(keys) = self.masking_keys.take() else {
            return Ok(None);
        };
        Ok(Some(Connected {
            subprotocol,
            head: answer.head,
            codec: codec(Masking::Outgoing(keys), self.limits),
        }))
    }
}
