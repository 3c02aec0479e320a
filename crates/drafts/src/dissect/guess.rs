//! In which drafts octets can be read that do not say of which they are.

use bytes::Bytes;
use draftgate_core::{Draft, Limits, Role};
use draftgate_wire::{
    FixedKeys,
    dissect::{Unit, What},
    opening::{self, Accepted, Ask, Head, LengthFrames, Offer, Refusal, RefusalKind, Terms},
};

use super::{Side, hello::Reader, units};
use crate::{accept, offer};

/// How well octets read in a draft, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fit {
    /// Whole frames that the draft defines, as it wants them.
    Whole,
    /// The same, but for the end of the last one.
    CutOff,
    /// Nothing breaks the draft, but something is let pass, repaired or
    /// discarded.
    Odd,
    /// They break the draft.
    Broken,
}

/// Octets read as a draft's, from one side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reading {
    /// The draft.
    pub draft: Draft,
    /// The side.
    pub from: Role,
    /// How well that went.
    pub fit: Fit,
}

/// `octets` as each of `drafts` reads them, oldest first, from each of `sides`; the
/// best first, and among equals the newest. Where the opening is not there, it
/// agreed on `extensions`; a draft that knows none of them reads them not.
pub fn readings(
    drafts: &[Draft],
    sides: &[Role],
    extensions: Option<&str>,
    octets: &Bytes,
) -> Vec<Reading> {
    let pairs = drafts.iter().rev();
    let pairs = pairs.flat_map(|draft| sides.iter().map(|from| (*draft, *from)));
    let mut readings: Vec<Reading> = pairs
        .map(|(draft, from)| Reading {
            draft,
            from,
            fit: match units(draft, from, extensions, octets.clone()) {
                Some(units) => fit(draft, units),
                None => Fit::Broken,
            },
        })
        .collect();
    readings.sort_by_key(|reading| reading.fit);
    readings
}

fn fit(draft: Draft, units: Side) -> Fit {
    let mut worst = Fit::Whole;
    for unit in units {
        worst = worst.max(match unit.what {
            _ if unit.fault.is_some() => Fit::Broken,
            What::Answer if !answers(draft, &unit) => Fit::Broken,
            What::Unknown => Fit::Odd,
            _ if unit.discarded || unit.repaired || !unit.tolerated.is_empty() => Fit::Odd,
            _ if unit.cut_off => Fit::CutOff,
            _ => Fit::Whole,
        });
        if worst == Fit::Broken {
            break;
        }
    }
    worst
}

/// Whether an answer has every field that an answer of `draft` has.
fn answers(draft: Draft, unit: &Unit) -> bool {
    let wanted = wanted(draft).map_or_else(|_| Vec::new(), |head| head.fields);
    unit.cut_off
        || wanted
            .iter()
            .all(|(name, _)| unit.head_field(name).is_some())
}

/// The end of our own that reads the HELLO of `from`.
pub(super) fn reader(draft: Draft, from: Role) -> Option<Reader> {
    let (offered, accepted) = opened(draft).ok()?;
    match from {
        Role::Client => Some(Reader::server(accepted.codec)),
        Role::Server => Reader::client(offered.pending, &accepted.head.to_bytes()),
    }
}

/// What our own server answers our own client.
fn wanted(draft: Draft) -> Result<Head, Refusal> {
    Ok(opened(draft)?.1.head)
}

/// The request of our own client, and what our own server makes of it.
fn opened(draft: Draft) -> Result<(Offer, Accepted), Refusal> {
    let (mut keys, limits) = (FixedKeys::new([7]), Limits::default());
    let ask = Ask {
        secure: false,
        host: "localhost",
        resource: "/",
        origin: Some("http://localhost"),
        subprotocols: &[],
        fields: &[],
        limits,
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let offered = offer(draft, &ask, &mut keys)?;
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://localhost/",
        limits,
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let Ok(Some((parts, _))) = opening::parts(&offered.request) else {
        return Err(RefusalKind::AskUnspeakable.into());
    };
    let accepted = accept(draft, &parts, &terms, &mut keys)?;
    Ok((offered, accepted))
}
