//! Where in a head a refusal shows, and where the draft says so.

use draftgate_core::Draft;
use draftgate_wire::{
    dissect::{Fault, Field, Kind, Unit, printed},
    opening::{self, Refusal, RefusalKind},
};

use super::Refused;

/// `refusal` at its place in the head `unit`.
pub(super) fn fault(unit: &Unit, refusal: &Refusal) -> Fault {
    let names = names(refusal.kind).iter();
    let detail = refusal.detail.as_deref().unwrap_or_default();
    let detail = detail.to_ascii_lowercase();
    // Of several the one that the refusal speaks of.
    let meant = names.clone().filter(|name| detail.contains(**name));
    let named = meant.chain(names).find_map(|name| unit.head_field(name));
    Fault {
        at_bit: named.map_or(0, |field| 8 * unit.place_of_value(field).start as u64),
        code: refusal.code(),
        sentence: sentence(refusal),
        section: section(refusal.kind, unit.draft),
    }
}

/// What `refusal` says; what it quotes of the peer's does nothing to a terminal.
pub(super) fn sentence(refusal: &Refusal) -> String {
    printed(refusal.to_string().as_bytes())
}

/// A head that is no HTTP, at the line at which an HTTP library stops; what is
/// wrong with all of it shows at the first one.
pub(super) fn malformed(unit: &Unit, refused: &Refused) -> Fault {
    let reads = |field: &Field| {
        let end = (field.start_bit + field.len_bits) / 8;
        opening::parts(&unit.octets[..end as usize]).is_ok()
    };
    let read = unit.fields.partition_point(reads);
    let wrong = unit.fields.get(read).filter(|it| it.kind != Kind::End);
    Fault {
        at_bit: wrong.map_or(0, |field| field.start_bit),
        code: refused.code,
        sentence: refused.sentence.clone(),
        section: None,
    }
}

/// The fields that a refusal is about; the start line if there is none.
fn names(kind: RefusalKind) -> &'static [&'static str] {
    match kind {
        RefusalKind::AnswerAccept => &["sec-websocket-accept"],
        RefusalKind::AnswerConnection | RefusalKind::UpgradeMissing => &["connection"],
        RefusalKind::AnswerExtension => &["sec-websocket-extensions"],
        RefusalKind::AnswerLocation => &["sec-websocket-location", "websocket-location"],
        RefusalKind::AnswerOrigin => &["sec-websocket-origin", "websocket-origin"],
        RefusalKind::AnswerSubprotocol => &["sec-websocket-protocol", "websocket-protocol"],
        RefusalKind::AnswerUpgrade => &["upgrade"],
        RefusalKind::ChallengeDraftUnknown | RefusalKind::DraftAlone => &["sec-websocket-draft"],
        RefusalKind::ChallengeKeyInvalid | RefusalKind::ChallengeKeyMissing => {
            &["sec-websocket-key1", "sec-websocket-key2"]
        }
        RefusalKind::HostMissing => &["host"],
        RefusalKind::KeyInvalid | RefusalKind::VersionMissing => &["sec-websocket-key"],
        RefusalKind::KeyStripped => &["sec-websocket-extensions", "sec-websocket-origin"],
        RefusalKind::NonceInvalid => &["sec-websocket-nonce"],
        RefusalKind::OriginAmbiguous => &["sec-websocket-origin"],
        RefusalKind::VersionMalformed | RefusalKind::VersionUnsupported => {
            &["sec-websocket-version"]
        }
        _ => &[],
    }
}

/// Where `draft` says what an opening must hold; `None` where its text is not
/// known, and for what is a rule of ours. A request that is refused by its
/// version or its key is in no draft yet; the newest text has rules for them.
fn section(kind: RefusalKind, draft: Draft) -> Option<&'static str> {
    let clients = kind.status() == 0;
    match (kind, draft) {
        (RefusalKind::AskUnspeakable | RefusalKind::NotWebSocket, _) => None,
        (RefusalKind::ChallengeKeyInvalid, _) => Some("hixie-76 §5.2"),
        (
            RefusalKind::ChallengeKeyMissing
            | RefusalKind::ChallengeDraftUnknown
            | RefusalKind::DraftAlone
            | RefusalKind::NonceInvalid
            | RefusalKind::OriginMissing
            | RefusalKind::KeyStripped
            | RefusalKind::OriginAmbiguous,
            _,
        ) => None,
        (_, Draft::Hixie75) if clients => Some("hixie-75 §3.1"),
        (_, Draft::Hixie76) if clients => Some("hixie-76 §4.1"),
        (_, Draft::Hybi13) if clients => Some("RFC 6455 §4.1"),
        (RefusalKind::VersionUnsupported, Draft::Hybi13) => Some("RFC 6455 §4.4"),
        (_, Draft::Hybi13) => Some("RFC 6455 §4.2.1"),
        _ => None,
    }
}
