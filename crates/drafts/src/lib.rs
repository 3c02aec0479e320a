//! The one table of all drafts: which are spoken, and which one a request is in.
//!
//! This is the only crate that knows the crates of the drafts. It decides
//! nothing about origins, routes or subprotocols: that is the front end's.
//!
//! ```
//! use draftgate_core::Draft;
//! use draftgate_drafts::{Detection, detect};
//!
//! let (request, ()) = http::Request::get("/chat")
//!     .header("Upgrade", "websocket")
//!     .header("Connection", "keep-alive, Upgrade")
//!     .header("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
//!     .header("Sec-WebSocket-Version", "13")
//!     .body(())?
//!     .into_parts();
//! assert_eq!(detect(&request, Detection::default()), Ok(Draft::Hybi13));
//! # Ok::<(), http::Error>(())
//! ```

pub mod compression;
mod detect;
pub mod dissect;
pub mod loopback;
mod random;
pub mod recorded;
mod table;

use draftgate_core::{Closing, Draft, Traits};
use draftgate_wire::{
    Dialect, Masked,
    dissect::Frames,
    opening::{
        Accepted, Acceptor, Ask, Challenged, LengthFrames, Offer, Offerer, Refusal, RefusalKind,
        Terms, only_field,
    },
};
pub use draftgate_wire::{FixedKeys, KeySource, opening};
use http::{HeaderMap, header, request::Parts};

pub use detect::{Detection, detect};
pub use random::RandomKeys;
pub use table::{answer_refusal_table, capability_table, refusal_table};

/// The server's half of every draft that is spoken, oldest first.
pub static ACCEPTORS: [&dyn Acceptor; 12] = [
    draftgate_hixie75::ACCEPTOR,
    draftgate_hixie76::ACCEPTOR,
    &draftgate_hybi06::CHALLENGED[0],
    &draftgate_hybi06::CHALLENGED[1],
    &draftgate_hybi06::CHALLENGED[2],
    draftgate_hello00::ACCEPTOR,
    &draftgate_hybi06::VERSIONED[0],
    &draftgate_hybi06::VERSIONED[1],
    &draftgate_hybi06::VERSIONED[2],
    draftgate_hybi07::ACCEPTORS[0],
    draftgate_hybi07::ACCEPTORS[1],
    draftgate_hybi13::ACCEPTOR,
];

/// The client's half of every draft that is spoken, oldest first.
pub static OFFERERS: [&dyn Offerer; 12] = [
    draftgate_hixie75::OFFERER,
    draftgate_hixie76::OFFERER,
    &draftgate_hybi06::CHALLENGED[0],
    &draftgate_hybi06::CHALLENGED[1],
    &draftgate_hybi06::CHALLENGED[2],
    draftgate_hello00::OFFERER,
    &draftgate_hybi06::VERSIONED[0],
    &draftgate_hybi06::VERSIONED[1],
    &draftgate_hybi06::VERSIONED[2],
    draftgate_hybi07::OFFERERS[0],
    draftgate_hybi07::OFFERERS[1],
    draftgate_hybi13::OFFERER,
];

/// Heads that clients of two drafts may send: the draft that the head announces,
/// and the other one, whose first octet is another. hixie-76 and hybi-01 ask
/// alike; programs that announce hybi-02 or -03 may frame as hixie-76.
static UNDECIDED: [Challenged; 4] = [
    Challenged {
        other: Some(&draftgate_hybi06::CHALLENGED[0]),
        ..draftgate_hixie76::OPENING
    },
    undecided(draftgate_hybi06::CHALLENGED[0]),
    undecided(draftgate_hybi06::CHALLENGED[1]),
    undecided(draftgate_hybi06::CHALLENGED[2]),
];

const fn undecided(announced: Challenged) -> Challenged {
    Challenged {
        other: Some(&draftgate_hixie76::OPENING),
        ..announced
    }
}

/// The draft to answer in, where `enabled` ones are spoken and a request announces
/// `draft`: another one if that is not enabled and asks with the same head.
pub fn among(enabled: &[Draft], draft: Draft) -> Draft {
    let announced = |one: &&Challenged| one.dialect.draft == draft;
    let other = UNDECIDED.iter().find(announced).and_then(|one| one.other);
    match other.map(|other| other.dialect.draft) {
        Some(other) if !enabled.contains(&draft) && enabled.contains(&other) => other,
        _ => draft,
    }
}

/// Whether a client of `draft` may send a request that announces `announced`:
/// hybi-01 asks as hixie-76, and the text of hybi-03 says 2 as that of -02 does.
pub fn may_announce(draft: Draft, announced: Draft) -> bool {
    let late = UNDECIDED.iter().any(|one| {
        let other = one.other.map(|other| other.dialect.draft);
        one.dialect.draft == announced && other == Some(draft)
    });
    late || draft == announced || (draft, announced) == (Draft::Hybi03, Draft::Hybi02)
}

/// The value of `Sec-WebSocket-Draft` in a request of `draft`, if it has one.
pub(crate) fn number(draft: Draft) -> Option<&'static str> {
    let announced = |one: &&Challenged| one.dialect.draft == draft;
    UNDECIDED.iter().find(announced)?.number
}

/// The draft of a client whose request announces `draft`, and whose first octet
/// behind the opening is `first`.
pub fn decided(draft: Draft, first: u8) -> Draft {
    let undecided = UNDECIDED.iter().find(|one| one.dialect.draft == draft);
    undecided.map_or(draft, |one| one.decided(first))
}

/// Every draft that is spoken, oldest first.
pub fn spoken() -> impl Iterator<Item = Draft> {
    ACCEPTORS.iter().map(|acceptor| acceptor.draft())
}

/// Those of them that a request announces, oldest first: all but hybi-01, which asks
/// as hixie-76 and is told from it by the first octet behind the opening.
pub fn announced() -> impl Iterator<Item = Draft> {
    spoken().filter(|draft| *draft != UNANNOUNCED)
}

/// The draft that no request announces.
pub const UNANNOUNCED: Draft = Draft::Hybi01;

/// The rules of every draft that is spoken, oldest first.
pub fn dialects() -> impl Iterator<Item = &'static Dialect> {
    let (challenged, versioned) = draftgate_hybi06::DIALECTS.split_at(3);
    [
        &draftgate_hixie75::DIALECTS[..],
        &draftgate_hixie76::DIALECTS,
        challenged,
        &draftgate_hello00::DIALECTS,
        versioned,
        &draftgate_hybi07::DIALECTS,
        &draftgate_hybi13::DIALECTS,
    ]
    .into_iter()
    .flatten()
}

/// What is particular about every draft that is spoken, oldest first.
pub fn traits() -> impl Iterator<Item = Traits> {
    let with = LengthFrames {
        send: true,
        accept: false,
    };
    ACCEPTORS
        .iter()
        .zip(dialects())
        .map(move |(acceptor, dialect)| Traits {
            draft: dialect.draft,
            capabilities: acceptor.capabilities(LengthFrames::default()),
            with_length_frames: acceptor.capabilities(with),
            bad_utf8: dialect.bad_utf8,
        })
}

/// The draft whose opening has no key of any kind: it proves nothing, and an
/// `Origin` alone tells it from a port scanner.
pub const WITHOUT_KEYS: Draft = Draft::Hixie75;

/// The draft whose sides prove by frames of their own that they have read each
/// other's nonce.
pub const WITH_HELLO: Draft = Draft::Hello00;

/// The draft that travelled as Version 8 under all of its numbers up to 12.
pub const VERSION_ALIASED: Draft = Draft::Hybi08;

/// The draft whose texts are the first to demand the shortest form of lengths.
pub const STRICTEST: Draft = Draft::Hybi13;

/// The draft that is spoken over a stream of HTTP/2 (RFC 8441).
pub const OVER_HTTP_2: Draft = Draft::Hybi13;

/// Whether clients of `draft` mask what they send: hybi-04 on. hello-00 stands
/// before it, in time, too.
pub fn is_masked(draft: Draft) -> bool {
    draft >= Draft::Hybi04
}

/// Whether a frame of `draft` says of itself that it is masked: hybi-07 on.
pub fn has_mask_bit(draft: Draft) -> bool {
    draft >= Draft::Hybi07
}

/// Whether both sides of `draft` send a HELLO in front of all other frames, as
/// those of hello-00 do.
pub fn has_hello(draft: Draft) -> bool {
    acceptor(draft).is_ok_and(|acceptor| acceptor.octets_of_hello() != [0; 2])
}

/// Whether clients of `draft` mask with a nonce that the server draws anew for each
/// connection: what was recorded of one is noise on another.
pub fn masks_with_nonce(draft: Draft) -> bool {
    let frames = acceptor(draft).map(|acceptor| acceptor.frames());
    matches!(frames, Ok(Frames::Hybi(layout)) if layout.masked == Masked::Derived)
}

/// Whether what a client of `draft` sends is right for one connection alone, because
/// the server draws a nonce for each.
pub fn hangs_on_nonce(draft: Draft) -> bool {
    masks_with_nonce(draft) || has_hello(draft)
}

/// Whether `draft` is spoken and has ping.
pub fn has_ping(draft: Draft) -> bool {
    traits().any(|traits| traits.draft == draft && traits.capabilities.ping)
}

/// Whether clients of `draft` report an error for each frame of a type that
/// they do not know: those that close by a marker, which is one more such frame
/// to the draft before.
pub fn reports_unknown_frames(draft: Draft) -> bool {
    traits().any(|t| t.draft == draft && t.capabilities.closing == Closing::Marker)
}

/// The versions to list in `Sec-WebSocket-Version` when only `enabled` drafts
/// are spoken, newest first; empty if none of them has a version.
pub fn versions(enabled: &[Draft]) -> String {
    let mut versions: Vec<u8> = enabled.iter().filter_map(|d| d.version()).collect();
    versions.sort_unstable_by(|a, b| b.cmp(a));
    let names: Vec<String> = versions.iter().map(u8::to_string).collect();
    names.join(", ")
}

/// Answers a request in `draft`, as [`detect()`] found it.
///
/// # Errors
/// The draft is not built, there is not exactly one `Host`, or the draft's own
/// reason.
pub fn accept(
    draft: Draft,
    request: &Parts,
    terms: &Terms<'_>,
    keys: &mut dyn KeySource,
) -> Result<Accepted, Refusal> {
    only_field(&request.headers, &header::HOST, RefusalKind::HostMissing)?;
    acceptor(draft)?.accept(request, terms, keys)
}

/// The same on a port where `enabled` drafts are spoken, for a client whose first
/// octet may show that it speaks another of them than its head announces:
/// [`Codec::draft`](draftgate_core::Codec::draft) tells.
///
/// # Errors
/// Those of [`accept`].
pub fn accept_any_of(
    enabled: &[Draft],
    draft: Draft,
    request: &Parts,
    terms: &Terms<'_>,
    keys: &mut dyn KeySource,
) -> Result<Accepted, Refusal> {
    let may_be = |one: &&Challenged| {
        let other = one.other.map(|other| other.dialect.draft);
        one.dialect.draft == draft && other.is_some_and(|other| enabled.contains(&other))
    };
    match UNDECIDED.iter().find(may_be) {
        Some(undecided) => {
            only_field(&request.headers, &header::HOST, RefusalKind::HostMissing)?;
            undecided.accept(request, terms, keys)
        }
        None => accept(draft, request, terms, keys),
    }
}

/// The server's half of `draft`.
///
/// # Errors
/// The draft is not built.
pub fn acceptor(draft: Draft) -> Result<&'static dyn Acceptor, Refusal> {
    ACCEPTORS
        .iter()
        .find(|acceptor| acceptor.draft() == draft)
        .copied()
        .ok_or_else(|| not_built(draft))
}

/// The subprotocols that a request in `draft` asks for: one name before
/// hybi-04, a list from there on.
pub fn subprotocols(draft: Draft, fields: &HeaderMap) -> Vec<&str> {
    opening::subprotocols(fields, asks_for_one_subprotocol(draft))
}

/// Whether a client of `draft` must name an origin, browser or not: the drafts
/// before hybi-04 compare it in the answer.
pub fn demands_origin(draft: Draft) -> bool {
    draft < Draft::Hybi04
}

/// Whether a client of `draft` can ask for one subprotocol only, as those before
/// hybi-04 do.
pub fn asks_for_one_subprotocol(draft: Draft) -> bool {
    draft < Draft::Hybi04
}

/// Writes a request in `draft`.
///
/// # Errors
/// The draft is not built, or it cannot ask for that.
pub fn offer(draft: Draft, ask: &Ask<'_>, keys: &mut dyn KeySource) -> Result<Offer, Refusal> {
    offerer(draft)?.offer(ask, keys)
}

/// The client's half of `draft`.
///
/// # Errors
/// The draft is not built.
pub fn offerer(draft: Draft) -> Result<&'static dyn Offerer, Refusal> {
    OFFERERS
        .iter()
        .find(|offerer| offerer.draft() == draft)
        .copied()
        .ok_or_else(|| not_built(draft))
}

/// Why `draft` cannot be spoken although it has a name.
pub fn not_built(draft: Draft) -> Refusal {
    let spoken: Vec<String> = spoken().map(Draft::with_alias).collect();
    Refusal::with(
        RefusalKind::DraftNotBuilt,
        format!("{}; spoken are {}", draft.with_alias(), spoken.join(", ")),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_and_the_dialects_are_the_same_drafts_in_order() {
        let spoken: Vec<_> = spoken().collect();
        assert!(spoken.is_sorted());
        assert_eq!(
            spoken,
            OFFERERS.iter().map(|o| o.draft()).collect::<Vec<_>>()
        );
        assert_eq!(spoken, dialects().map(|d| d.draft).collect::<Vec<_>>());
    }

    #[test]
    fn versions_are_listed_newest_first() {
        assert_eq!(
            versions(&[Draft::Hixie76, Draft::Hybi08, Draft::Hybi13]),
            "13, 8"
        );
        assert_eq!(versions(&[Draft::Hixie75]), "");
    }
}
