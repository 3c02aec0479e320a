//! The opening handshake as a value: what a server answers, what a client
//! asks, and the checks of both sides.
//!
//! Heads are written by us and not by an HTTP library, because the old drafts
//! compare octets: order and letter case of fields, the reason phrase
//! (hixie-75 §3.1 compares the first 85 octets literally).

mod answer;
mod asked;
pub mod challenge;
mod challenged;
mod checks;
mod extended;
mod head;
pub mod keyed;
mod refusal;
mod request;
mod versioned;

use std::{fmt::Debug, sync::Arc};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Capabilities, Codec, Draft, Limits, Strictness};
use http::{HeaderValue, request::Parts};

pub use answer::{Answer, MAX_HEAD};
pub use asked::Asked;
pub use challenge::Challenge;
pub use challenged::Challenged;
pub use checks::{AnswerChecks, Judge};
pub use extended::ConnectProtocol;
pub use head::Head;
pub use keyed::Keyed;
pub use refusal::{Refusal, RefusalKind};
pub use request::{HeadMalformed, echoed_origin, only_field, origin, parts, subprotocols, tokens};
pub use versioned::{Rules, Versioned};

use crate::{Agreed, Dialect, KeySource, Offering, dissect::Frames};

/// What the front end has decided before a draft answers.
#[derive(Debug, Clone)]
pub struct Terms<'a> {
    /// The one subprotocol chosen among those the client asked for.
    pub subprotocol: Option<&'a str>,
    /// The URL as the client knows it, for the Location field of hixie-75 and
    /// -76: public scheme, `Host`, request target with its query.
    pub public_url: &'a str,
    /// How much the peer may send.
    pub limits: Limits,
    /// What hixie's length-prefixed frames are taken for.
    pub length_frames: LengthFrames,
    /// The extension chosen among those the client offered.
    pub extension: Option<&'a dyn Agreed>,
}

/// hixie-75 and -76 define frames of type `80`–`FF` with a length, and tell
/// the receiver to discard them. Some programs use `80` for binary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LengthFrames {
    /// Send binary messages as `80` frames instead of refusing them.
    pub send: bool,
    /// Deliver the peer's `80` frames as binary messages instead of discarding them.
    pub accept: bool,
}

/// A server's half of a draft's opening handshake.
pub trait Acceptor: Debug + Sync {
    /// The draft.
    fn draft(&self) -> Draft;

    /// What a client of this draft can be told on a route with these
    /// `length_frames`.
    fn capabilities(&self, length_frames: LengthFrames) -> Capabilities;

    /// How this draft lays out its frames, for who explains them.
    fn frames(&self) -> Frames;

    /// Frames and rules by which a peer is judged under `strictness`; `None`
    /// where that changes nothing.
    fn judged(&self, strictness: Strictness) -> Option<(Frames, &'static Dialect)> {
        let _ = strictness;
        None
    }

    /// Octets that belong to the request although they follow its empty line
    /// (key3 of hixie-76); some clients announce them with `Content-Length`.
    fn octets_after_head(&self) -> usize {
        0
    }

    /// Octets that belong to the answer although they follow its empty line
    /// (the challenge's answer of hixie-76, the HELLO of hello-00).
    fn octets_after_answer(&self) -> usize {
        0
    }

    /// Octets of the HELLO frames that both sides send in front of all others, the
    /// client's first (hello-00).
    fn octets_of_hello(&self) -> [usize; 2] {
        [0; 2]
    }

    /// What the server drew from its keys when it gave a recorded answer: the nonce
    /// of hybi-04 or hello-00. `None` if that does not show.
    fn drawn(&self, _answered: &[u8]) -> Option<Vec<u8>> {
        None
    }

    /// Checks the request as the draft demands and answers it. Write the head
    /// first, then drive the codec with every octet that follows the request's
    /// empty line.
    ///
    /// # Errors
    /// Why the request is not a proper opening of this draft.
    fn accept(
        &self,
        request: &Parts,
        terms: &Terms<'_>,
        keys: &mut dyn KeySource,
    ) -> Result<Accepted, Refusal>;
}

/// A request that was accepted.
#[derive(Debug)]
pub struct Accepted {
    /// The answer's head.
    pub head: Head,
    /// What speaks from there on.
    pub codec: Box<dyn Codec>,
}

/// What a client wants to open.
#[derive(Debug, Clone)]
pub struct Ask<'a> {
    /// Whether the connection is under TLS (`wss`).
    pub secure: bool,
    /// The host as it stands in `Host`, with `:port` unless it is the default.
    pub host: &'a str,
    /// Path and query.
    pub resource: &'a str,
    /// The origin to claim; the drafts before hybi-04 demand one.
    pub origin: Option<&'a str>,
    /// Subprotocols in order of preference; hixie can ask for one only.
    pub subprotocols: &'a [&'a str],
    /// More fields, written as given after the draft's own (`Cookie` …).
    pub fields: &'a [(&'a str, HeaderValue)],
    /// How much the server may send.
    pub limits: Limits,
    /// What hixie's length-prefixed frames are taken for.
    pub length_frames: LengthFrames,
    /// The extensions to offer.
    pub extensions: Option<Arc<dyn Offering>>,
}

impl Ask<'_> {
    /// The subprotocol, for a draft that can ask for one at most.
    ///
    /// # Errors
    /// [`RefusalKind::AskUnspeakable`] if there are more.
    pub fn only_subprotocol(&self, draft: Draft) -> Result<Option<&str>, Refusal> {
        match self.subprotocols {
            [] => Ok(None),
            [one] => Ok(Some(one)),
            _ => {
                let detail = format!("{draft} asks for one subprotocol at most");
                Err(Refusal::with(RefusalKind::AskUnspeakable, detail))
            }
        }
    }

    /// What [`Offerer::resume`] needs besides the request.
    pub fn resume(&self) -> Resume {
        Resume {
            secure: self.secure,
            limits: self.limits,
            length_frames: self.length_frames,
            extensions: self.extensions.clone(),
        }
    }
}

/// A client's half of a draft's opening handshake.
pub trait Offerer: Debug + Sync {
    /// The draft.
    fn draft(&self) -> Draft;

    /// Writes the request.
    ///
    /// # Errors
    /// The draft cannot ask for that (a second subprotocol in hixie, a line
    /// break in a field).
    fn offer(&self, ask: &Ask<'_>, keys: &mut dyn KeySource) -> Result<Offer, Refusal>;

    /// What waits for the answer to `request`, which was sent before: by
    /// [`offer`](Self::offer), or in a recorded exchange.
    ///
    /// # Errors
    /// The request is not one of this draft.
    fn resume(
        &self,
        request: &[u8],
        terms: Resume,
        keys: &mut dyn KeySource,
    ) -> Result<Box<dyn Pending>, Refusal>;
}

/// What a request does not say of itself.
#[derive(Debug, Clone)]
pub struct Resume {
    /// Whether the connection is under TLS (`wss`).
    pub secure: bool,
    /// How much the server may send.
    pub limits: Limits,
    /// What hixie's length-prefixed frames are taken for.
    pub length_frames: LengthFrames,
    /// What judges the extensions that the server agrees to, among those that the
    /// request offers; none is agreed on if there is nobody to judge.
    pub extensions: Option<Arc<dyn Offering>>,
}

/// A request and what waits for its answer.
#[derive(Debug)]
pub struct Offer {
    /// The octets to send.
    pub request: Bytes,
    /// What checks the answer.
    pub pending: Box<dyn Pending>,
}

impl Offer {
    /// `request`, which `offerer` wrote for `ask`, read back by
    /// [`Offerer::resume`], so that both are judged by the same code.
    ///
    /// # Errors
    /// Those of [`Offerer::resume`].
    pub fn new(
        offerer: &dyn Offerer,
        request: BytesMut,
        ask: &Ask<'_>,
        keys: &mut dyn KeySource,
    ) -> Result<Self, Refusal> {
        Ok(Self {
            pending: offerer.resume(&request, ask.resume(), keys)?,
            request: request.freeze(),
        })
    }
}

/// A client that waits for the answer to its request.
pub trait Pending: Debug + Send {
    /// How strictly to judge, to be said before the answer comes; strictly if
    /// nothing is said.
    fn judge(&mut self, checks: AnswerChecks);

    /// Takes the octets of the answer from the front of `input`, and only
    /// those; `None` until it is whole. What is left belongs to the codec.
    ///
    /// # Errors
    /// The answer is not what the draft demands.
    fn answer(&mut self, input: &mut BytesMut) -> Result<Option<Connected>, Refusal>;
}

/// An answer that was accepted.
#[derive(Debug)]
pub struct Connected {
    /// The subprotocol the server chose.
    pub subprotocol: Option<String>,
    /// The answer's head as it came, for `--show-handshake` and the like.
    pub head: Bytes,
    /// What speaks from there on.
    pub codec: Box<dyn Codec>,
    /// What [`AnswerChecks::Lenient`] let pass, in the order found.
    pub forgiven: Vec<Refusal>,
}
