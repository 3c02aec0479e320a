//! The opening handshake of hybi-04 to RFC 6455: `Sec-WebSocket-Version`, a key
//! and its proof (RFC 6455 §4).
//!
//! One implementation for all of them, since between them the texts changed
//! three values of it: the version, the name of the origin's field, and whether
//! the answer has a nonce of its own, which hybi-04 masks with.

use std::sync::Arc;

use bytes::BytesMut;
use draftgate_core::{Capabilities, Codec, Draft, Limits, Strictness};
use http::{HeaderValue, header, request::Parts};

use super::{
    Accepted, Acceptor, Answer, AnswerChecks, Ask, Asked, ConnectProtocol, Connected, Head, Judge,
    Keyed, LengthFrames, Offer, Offerer, Pending, Refusal, RefusalKind, Resume, Terms, only_field,
};
use crate::{
    Agreed, Derived, Dialect, Extended, Hybi, KeySource, Layout, Machine, Masked, Masking,
    Offering, dissect::Frames,
};

/// Both halves of the opening of one such draft.
#[derive(Debug, Clone, Copy)]
pub struct Versioned {
    /// The draft's rules; the draft has a [`version`](Draft::version).
    pub dialect: &'static Dialect,
    /// Its frames.
    pub layout: &'static Layout,
    /// The field in which a client names its origin: `Sec-WebSocket-Origin`
    /// from hybi-04 to -10, `Origin` from -11 on. A server reads both.
    pub origin_field: &'static str,
    /// The rules of the first texts, where those of one version differ among
    /// themselves: for [`Strictness::hybi_08`], in Version 8.
    pub earlier: Option<Rules>,
    /// The rules for [`Strictness::lenient`], in Version 13.
    pub lenient: Option<Rules>,
}

/// What a draft demands of its peers, above its frames and of them.
#[derive(Debug, Clone, Copy)]
pub struct Rules {
    /// Above the frames.
    pub dialect: &'static Dialect,
    /// Of the frames.
    pub layout: &'static Layout,
}

impl Versioned {
    fn has_nonce(&self) -> bool {
        self.layout.masked == Masked::Derived
    }

    fn codec(
        &self,
        masking: Masking,
        limits: Limits,
        agreed: Option<&dyn Agreed>,
    ) -> Box<dyn Codec> {
        let rules = self.rules(limits.strictness);
        let framing = Hybi::new(rules.layout, masking);
        let codec: Box<dyn Codec> = match agreed.and_then(Agreed::extension) {
            None => Box::new(Machine::new(rules.dialect, framing, limits)),
            Some(extension) => {
                let framing = Extended::new(framing, extension);
                Box::new(Machine::new(rules.dialect, framing, limits))
            }
        };
        match agreed {
            None => codec,
            Some(agreed) => agreed.carry(codec),
        }
    }

    fn rules(&self, strictness: Strictness) -> Rules {
        let own = Rules {
            dialect: self.dialect,
            layout: self.layout,
        };
        let earlier = self.earlier.filter(|_| strictness.hybi_08);
        let lenient = self.lenient.filter(|_| strictness.lenient);
        earlier.or(lenient).unwrap_or(own)
    }
}

impl Acceptor for Versioned {
    fn draft(&self) -> Draft {
        self.dialect.draft
    }

    fn frames(&self) -> Frames {
        Frames::Hybi(self.layout)
    }

    fn judged(&self, strictness: Strictness) -> Option<(Frames, &'static Dialect)> {
        let rules = self.rules(strictness);
        Some((Frames::Hybi(rules.layout), rules.dialect))
    }

    fn drawn(&self, answered: &[u8]) -> Option<Vec<u8>> {
        let answer = Answer::read(&mut BytesMut::from(answered)).ok()??;
        let (_, nonce) = answer.named("sec-websocket-nonce").next()?;
        let nonce = str::from_utf8(nonce).ok()?;
        Some(Keyed::from_key(nonce)?.octets())
    }

    fn capabilities(&self, _: LengthFrames) -> Capabilities {
        self.codec(Masking::incoming(), Limits::default(), None)
            .capabilities()
    }

    fn accept(
        &self,
        request: &Parts,
        terms: &Terms<'_>,
        keys: &mut dyn KeySource,
    ) -> Result<Accepted, Refusal> {
        let (mut head, keyed) = proved(request, terms.limits.strictness)?;
        let mut masking = Masking::incoming();
        if let Some(keyed) = keyed.filter(|_| self.has_nonce()) {
            let nonce = Keyed::fresh(keys);
            head.push_text("Sec-WebSocket-Nonce", nonce.key())?;
            let derived = Derived::new(keyed.key(), nonce.key());
            masking = masking.derived(match terms.limits.strictness.connection_mask {
                true => derived.undivided(),
                false => derived,
            });
        }
        if let Some(subprotocol) = terms.subprotocol {
            head.push_text("Sec-WebSocket-Protocol", subprotocol)?;
        }
        if let Some(extension) = terms.extension {
            head.push_text("Sec-WebSocket-Extensions", &extension.field())?;
        }
        Ok(Accepted {
            head,
            codec: self.codec(masking, terms.limits, terms.extension),
        })
    }
}

/// An answer's head with what proves that the request was read, and the key that
/// it proves it for, where there is one.
fn proved(request: &Parts, strictness: Strictness) -> Result<(Head, Option<Keyed>), Refusal> {
    if ConnectProtocol::of(request).is_some() {
        return Ok((Head::new(200, "OK"), None));
    }
    let key = only_field(
        &request.headers,
        &header::SEC_WEBSOCKET_KEY,
        RefusalKind::KeyInvalid,
    )?;
    let read = match strictness.short_key {
        true => Keyed::from_short_key,
        false => Keyed::from_key,
    };
    let keyed = key.to_str().ok().and_then(read);
    let keyed = keyed.ok_or(RefusalKind::KeyInvalid)?;
    let mut head = Head::new(101, "Switching Protocols");
    // Single tokens: WebKit's client fails on lists here.
    head.push("Upgrade", HeaderValue::from_static("websocket"));
    head.push("Connection", HeaderValue::from_static("Upgrade"));
    head.push_text("Sec-WebSocket-Accept", &keyed.accept())?;
    Ok((head, Some(keyed)))
}

impl Offerer for Versioned {
    fn draft(&self) -> Draft {
        self.dialect.draft
    }

    fn offer(&self, ask: &Ask<'_>, keys: &mut dyn KeySource) -> Result<Offer, Refusal> {
        let version = self
            .dialect
            .draft
            .version()
            .ok_or(RefusalKind::AskUnspeakable)?;
        let version = version.to_string();
        let keyed = Keyed::fresh(keys);
        let subprotocols = ask.subprotocols.join(", ");
        let mut fields: Vec<(&str, &[u8])> = vec![
            ("Host", ask.host.as_bytes()),
            ("Upgrade", b"websocket"),
            ("Connection", b"Upgrade"),
            ("Sec-WebSocket-Key", keyed.key().as_bytes()),
            ("Sec-WebSocket-Version", version.as_bytes()),
        ];
        if let Some(origin) = ask.origin {
            fields.push((self.origin_field, origin.as_bytes()));
        }
        if !subprotocols.is_empty() {
            fields.push(("Sec-WebSocket-Protocol", subprotocols.as_bytes()));
        }
        let extensions = ask.extensions.as_ref();
        let extensions = extensions.and_then(|it| it.field(self.dialect.draft));
        if let Some(extensions) = &extensions {
            fields.push(("Sec-WebSocket-Extensions", extensions.as_bytes()));
        }
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
        let keyed = Keyed::from_key(asked.must("sec-websocket-key")?);
        Ok(Box::new(Waiting {
            opening: *self,
            keyed: keyed.ok_or(RefusalKind::AskUnspeakable)?,
            subprotocols: asked
                .fields
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol"))
                .flat_map(|(_, list)| list.split(','))
                .map(|name| name.trim().to_owned())
                .collect(),
            offered: asked
                .fields
                .iter()
                .filter(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-extensions"))
                .map(|(_, list)| list.as_str())
                .collect::<Vec<_>>()
                .join(", "),
            extensions: terms.extensions,
            limits: terms.limits,
            masking: Some(Masking::outgoing(keys.fork())),
            judge: Judge::default(),
        }))
    }
}

/// A client that waits for the answer.
#[derive(Debug)]
struct Waiting {
    opening: Versioned,
    keyed: Keyed,
    subprotocols: Vec<String>,
    /// The extensions as the request offers them.
    offered: String,
    /// Who judges what the server makes of them.
    extensions: Option<Arc<dyn Offering>>,
    limits: Limits,
    /// How the client speaks once the answer is accepted.
    masking: Option<Masking>,
    judge: Judge,
}

impl Waiting {
    /// §1.3 of RFC 6455. The example that went round with hybi-04 hashes the
    /// octets of key and GUID where every program hashed their texts: for that
    /// draft either will do.
    fn accept(&self, answer: &Answer) -> Result<(), Refusal> {
        let kind = RefusalKind::AnswerAccept;
        let equals = |accept: &str| answer.must_equal("sec-websocket-accept", accept, kind);
        let done = equals(&self.keyed.accept());
        match self.opening.has_nonce() && equals(&self.keyed.accept_of_octets()).is_ok() {
            true => Ok(()),
            false => done,
        }
    }

    /// What hybi-04 masks with: of the request's key and the answer's nonce.
    fn masking(&mut self, answer: &Answer) -> Result<Option<Masking>, Refusal> {
        let masking = self.masking.take();
        if !self.opening.has_nonce() {
            return Ok(masking);
        }
        let nonce = answer.exactly_one("sec-websocket-nonce")?;
        let nonce = std::str::from_utf8(nonce).ok().and_then(Keyed::from_key);
        let nonce = nonce.ok_or_else(|| {
            let detail = "sec-websocket-nonce is not the base64 of 16 octets";
            Refusal::with(RefusalKind::AnswerField, detail)
        })?;
        let derived = Derived::new(self.keyed.key(), nonce.key());
        Ok(masking.map(|masking| masking.derived(derived)))
    }

    /// RFC 6455 §4.1, "client MUST validate the server's response".
    fn check(&mut self, answer: &Answer) -> Result<Option<String>, Refusal> {
        answer.switched()?;
        self.judge.forgive(answer.upgrade_is_websocket())?;
        let connection = RefusalKind::AnswerConnection;
        self.judge
            .forgive(answer.must_list("connection", "upgrade", connection))?;
        self.accept(answer)?;
        let chosen = answer.subprotocol("sec-websocket-protocol", &self.subprotocols);
        // A server that always names its only one; nothing was agreed on.
        if self.subprotocols.is_empty() {
            self.judge.forgive(chosen.map(drop))?;
            return Ok(None);
        }
        chosen
    }

    /// RFC 6455 §9.1: what the server uses must have been offered.
    fn agreed(&mut self, answer: &Answer) -> Result<Option<Box<dyn Agreed>>, Refusal> {
        // libwebsockets writes an empty line when it accepts none.
        let answered: Vec<_> = answer
            .named("sec-websocket-extensions")
            .map(|(_, value)| String::from_utf8_lossy(value))
            .filter(|value| !value.is_empty())
            .collect();
        if answered.is_empty() {
            return Ok(None);
        }
        let answered = answered.join(", ");
        match &self.extensions {
            Some(extensions) => extensions
                .agreed(&self.offered, &answered, &mut self.judge)
                .map(Some),
            None => Err(Refusal::with(RefusalKind::AnswerExtension, answered)),
        }
    }
}

impl Pending for Waiting {
    fn judge(&mut self, checks: AnswerChecks) {
        self.judge.checks = checks;
    }

    fn answer(&mut self, input: &mut BytesMut) -> Result<Option<Connected>, Refusal> {
        let Some(answer) = Answer::read(input)? else {
            return Ok(None);
        };
        let subprotocol = self.check(&answer)?;
        let agreed = self.agreed(&answer)?;
        let Some(masking) = self.masking(&answer)? else {
            return Ok(None);
        };
        Ok(Some(Connected {
            subprotocol,
            head: answer.head,
            codec: self.opening.codec(masking, self.limits, agreed.as_deref()),
            forgiven: std::mem::take(&mut self.judge.forgiven),
        }))
    }
}
