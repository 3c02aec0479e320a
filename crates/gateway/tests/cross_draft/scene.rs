//! One case on its way: what is declared of it, and the octets that it comes
//! to.

use draftgate_core::{Draft, Rendering, Traits};
use draftgate_gateway::config::BinaryPolicy;
use draftgate_translate::table::{Arrival, Case, Change, Declared, Reply, declared};

use crate::octets;

/// The route that discards `80` frames, and the one that takes them.
pub(crate) const PLAIN: &str = "/bus/";
const TAKEN: &str = "/taken/";

pub(crate) fn route(case: Case) -> &'static str {
    match case {
        Case::LengthFrameAccepted => TAKEN,
        _ => PLAIN,
    }
}

/// A case on its way: what is declared of it.
pub(crate) struct Scene {
    pub(crate) case: Case,
    pub(crate) reply: Reply,
    pub(crate) notices: u64,
    /// For each receiver, with words for whoever reads a failure.
    pub(crate) cells: Vec<(Arrival, String)>,
    pub(crate) witnessed: (Arrival, String),
    /// What the sender says behind it, if it still can.
    pub(crate) mark: Option<String>,
    pub(crate) what: String,
}

impl Scene {
    pub(crate) fn new(
        case: Case,
        policy: BinaryPolicy,
        from: &Traits,
        receivers: impl Iterator<Item = Traits>,
        witness: &Traits,
    ) -> Self {
        let words = format!("{case:?} from {}, {policy}", from.draft);
        let Declared { reply, notices, .. } = declared(case, from, from, policy);
        let cell = |to: &Traits| {
            let cell = declared(case, from, to, policy);
            // What the sender is told is the same whoever listens.
            assert_eq!((&cell.reply, cell.notices), (&reply, notices), "{words}");
            (cell.arrival, format!("{words}, to {}", to.draft))
        };
        let said = octets::of_client(case, from.draft).is_some();
        assert_eq!(said, reply != Reply::Unsayable, "{words}");
        let goes_on = matches!(reply, Reply::Nothing | Reply::Pong);
        Self {
            case,
            cells: receivers.map(|to| cell(&to)).collect(),
            witnessed: cell(witness),
            mark: goes_on.then(|| format!("behind {case:?}")),
            what: format!("{words}, back to the sender"),
            reply,
            notices,
        }
    }

    pub(crate) fn published(&self) -> bool {
        self.witnessed.0 != Arrival::Nothing
    }
}

/// The octets of a message that was changed like that.
pub(crate) fn message(case: Case, change: Change, to: Draft) -> Vec<u8> {
    let payload = octets::payload(case);
    let binary = matches!(
        case,
        Case::Binary
            | Case::BinaryUtf8
            | Case::EmptyBinary
            | Case::LongBinary
            | Case::HugeBinary
            | Case::BinaryInFragments
            | Case::LengthFrameAccepted
    );
    match change.rendering {
        Rendering::Base64 => octets::text_to(&octets::base64(payload), to),
        Rendering::Hex => octets::text_to(&octets::hex(payload), to),
        Rendering::Utf8 => octets::text_to(payload, to),
        Rendering::AsIs if binary => octets::binary_to(payload, to),
        Rendering::AsIs if change.repaired => octets::text_to(octets::REPAIRED.as_bytes(), to),
        Rendering::AsIs => octets::text_to(payload, to),
        other => panic!("{other:?} is not among these cells"),
    }
}
