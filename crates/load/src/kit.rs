//! Everything that is sent, made before the first of it is: a ring of messages
//! for each sender, and their frames as each draft's client sends them and as
//! its server would send them back.
//!
//! The frames come from the drafts' own codecs, each with a masking key of its
//! own where the draft has them. Encoding in the loop would make the generator
//! as slow as a server.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Message, Outbox, Outgoing};
use draftgate_drafts::{
    RandomKeys, loopback,
    opening::{Ask, LengthFrames, Offer, Terms, parts},
};

use crate::{LoadError, Target, limits};

/// A ring holds about so many octets at most, that it may stay in a cache.
const RING: usize = 1 << 20;

/// What a connection speaks: a draft, or TCP without anything around the octets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Speech {
    /// One of the drafts.
    Draft(Draft),
    /// No opening, and no frames: the octets of the newest draft's frames are
    /// sent, and as many are awaited.
    Raw,
}

impl Speech {
    /// As it is written on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Draft(draft) => draft.name(),
            Self::Raw => "raw",
        }
    }

    /// The draft whose frames are sent.
    pub(crate) fn framing(self) -> Draft {
        match self {
            Self::Draft(draft) => draft,
            Self::Raw => newest(),
        }
    }
}

fn newest() -> Draft {
    draftgate_drafts::spoken().last().unwrap_or(Draft::Hybi13)
}

/// The messages of one sender, in the order in which they are sent, again and
/// again.
pub(crate) type Ring = Arc<[Message]>;

/// Octets that a message needs to name its sender.
pub(crate) const NAMED: usize = "000.000 ".len();

/// The ring of sender number `sender`: at least `window` messages of `payload`
/// octets if that is not too much. Each begins with its sender and its place,
/// as far as there is room, so that none is taken for another.
pub(crate) fn ring(sender: usize, payload: usize, window: usize, binary: bool) -> Ring {
    let most = (RING / payload.max(1)).clamp(2, 256);
    let count = window.clamp(2, most);
    let letters = b"abcdefghijklmnopqrstuvwxyz";
    let message = |place: usize| {
        let mut octets: Vec<u8> = (place..place + payload)
            .map(|at| letters[at % letters.len()])
            .collect();
        let begin = format!("{place:03}.{sender:03} ");
        let fits = begin.len().min(payload);
        octets[..fits].copy_from_slice(&begin.as_bytes()[..fits]);
        match binary {
            true => Message::Binary(octets.into()),
            false => Message::from(String::from_utf8(octets).unwrap_or_default()),
        }
    };
    (0..count).map(message).collect()
}

/// The frames of a ring, one behind the other, all of one length.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) octets: Box<[u8]>,
    /// Octets of each frame, with its header.
    pub(crate) each: usize,
}

impl Run {
    /// `ring` as `end` sends it.
    pub(crate) fn new(end: &mut dyn Codec, ring: &Ring) -> Result<Self, LoadError> {
        let mut out = Outbox::new();
        for message in &**ring {
            let sent = end.send(Outgoing::Message(message.clone()), &mut out);
            sent.map_err(|_| LoadError::NoBinary(end.draft()))?;
        }
        let octets: Box<[u8]> = (&out.take_all()[..]).into();
        let each = octets.len() / ring.len();
        Ok(Self { octets, each })
    }
}

/// What connections that speak alike send and expect.
#[derive(Debug)]
pub(crate) struct Kit {
    pub(crate) speech: Speech,
    /// What the sender of each ring sends.
    pub(crate) sent: Vec<Arc<Run>>,
    /// What comes for each ring.
    pub(crate) expected: Vec<Arc<Run>>,
    pub(crate) rings: Arc<[Ring]>,
}

impl Kit {
    /// Of `rings`, one for each sender.
    ///
    /// # Errors
    /// The draft cannot say such messages, or cannot ask for the target.
    pub(crate) fn new(
        speech: Speech,
        rings: Arc<[Ring]>,
        target: &Target,
    ) -> Result<Arc<Self>, LoadError> {
        let (mut client, mut server) = pair(speech.framing(), target)?;
        let runs = |end: &mut dyn Codec| -> Result<Vec<_>, LoadError> {
            rings
                .iter()
                .map(|r| Run::new(end, r).map(Arc::new))
                .collect()
        };
        let sent = runs(&mut *client)?;
        let expected = match speech {
            Speech::Draft(_) => runs(&mut *server)?,
            Speech::Raw => sent.clone(),
        };
        Ok(Arc::new(Self {
            speech,
            sent,
            expected,
            rings,
        }))
    }

    /// Whether octets can only be counted: several write to one stream without
    /// any frames to tell them apart.
    pub(crate) fn only_counts(&self) -> bool {
        self.speech == Speech::Raw && self.rings.len() > 1
    }
}

/// A request to `target` in `draft`.
///
/// # Errors
/// The draft cannot ask for it.
pub(crate) fn offer(draft: Draft, target: &Target) -> Result<Offer, LoadError> {
    let url = &target.url;
    let origin = url.origin(draft);
    let ask = Ask {
        secure: url.secure,
        host: &url.host,
        resource: &url.resource,
        origin: origin.as_deref(),
        subprotocols: &[],
        fields: &[],
        limits: limits(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    draftgate_drafts::offer(draft, &ask, &mut RandomKeys).map_err(LoadError::Unspeakable)
}

/// The client's end, and the server's.
type Ends = (Box<dyn Codec>, Box<dyn Codec>);

/// Both ends of an open connection in `draft`, by an opening in memory.
fn pair(draft: Draft, target: &Target) -> Result<Ends, LoadError> {
    let offered = offer(draft, target)?;
    let unspeakable = |why: String| {
        LoadError::Usage(format!(
            "an opening in {draft} cannot be made of that: {why}"
        ))
    };
    let request = parts(&offered.request).map_err(|error| unspeakable(error.to_string()))?;
    let (request, head) = request.ok_or_else(|| unspeakable("it has no end".into()))?;
    let terms = Terms {
        subprotocol: None,
        public_url: &target.url.to_string(),
        limits: limits(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = draftgate_drafts::accept(draft, &request, &terms, &mut RandomKeys);
    let accepted = accepted.map_err(LoadError::Unspeakable)?;
    let open = loopback::connect(offered, head, accepted).map_err(LoadError::Unspeakable)?;
    Ok((open.client, open.server))
}

/// Starts `end` and gives it what follows the head; what it says to that.
pub(crate) fn opened(end: &mut dyn Codec, behind: &mut BytesMut) -> Bytes {
    let mut out = Outbox::new();
    end.start(&mut out);
    while let Ok(Some(event)) = end.receive(behind, &mut out) {
        if event == Event::Opened {
            break;
        }
    }
    out.take_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target::find("ws://127.0.0.1:9/x?y".parse().unwrap(), false).unwrap()
    }

    #[test]
    fn every_draft_has_frames_of_one_length_and_keys_of_their_own() {
        for draft in draftgate_drafts::spoken() {
            for payload in [0, 1, 16, 125, 126, 1024, 65_536] {
                let rings: Arc<[Ring]> = [ring(0, payload, 8, false)].into();
                let kit = Kit::new(Speech::Draft(draft), Arc::clone(&rings), &target()).unwrap();
                for run in [&kit.sent[0], &kit.expected[0]] {
                    assert_eq!(run.octets.len(), run.each * rings[0].len(), "{draft}");
                    assert!(run.each > payload, "{draft}");
                }
                let masked = draftgate_drafts::is_masked(draft);
                let frames: std::collections::HashSet<_> =
                    kit.sent[0].octets.chunks(kit.sent[0].each).collect();
                assert!(
                    !masked || frames.len() == rings[0].len(),
                    "{draft}, {payload}"
                );
            }
        }
    }

    #[test]
    fn messages_say_whose_they_are_and_in_which_place() {
        let messages = ring(7, 16, 300, false);
        assert_eq!(messages.len(), 256);
        assert_eq!(&messages[3].payload()[..8], b"003.007 ");
        let all: std::collections::HashSet<_> = messages.iter().map(|m| m.payload()).collect();
        assert_eq!(all.len(), 256);
        assert_eq!(ring(0, 16 << 20, 64, true).len(), 2);
        assert!(ring(0, 3, 4, false).iter().all(|m| m.len() == 3));
    }

    #[test]
    fn drafts_without_binary_refuse_it() {
        for traits in draftgate_drafts::traits() {
            let rings: Arc<[Ring]> = [ring(0, 16, 4, true)].into();
            let kit = Kit::new(Speech::Draft(traits.draft), rings, &target());
            assert_eq!(kit.is_ok(), traits.capabilities.binary, "{}", traits.draft);
        }
    }
}
