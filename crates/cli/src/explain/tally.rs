//! What is counted of one side while its units are printed, which are not kept:
//! there may be millions.

use std::fmt::Display;

use draftgate_core::Role;
use draftgate_wire::dissect::{Unit, What};

/// The counts of one side.
#[derive(Debug, Default)]
pub(super) struct Tally {
    octets: usize,
    frames: usize,
    faults: usize,
    unknown: bool,
    /// Whether the last unit is.
    cut_off: bool,
}

impl Tally {
    /// Counts `unit`.
    pub(super) fn add(&mut self, unit: &Unit) {
        self.octets += unit.octets.len();
        self.count(unit);
    }

    /// Counts what it is, and what it carries.
    fn count(&mut self, unit: &Unit) {
        self.frames += usize::from(unit.what == What::Frame);
        self.faults += usize::from(unit.fault.is_some());
        self.unknown |= unit.what == What::Unknown && unit.within.is_empty();
        self.cut_off = unit.cut_off;
        for inner in &unit.within {
            self.count(inner);
        }
    }

    /// How many there are from `side`, and whether anything breaks the draft.
    pub(super) fn summary(&self, side: Role) -> String {
        let verdict = match self.faults {
            0 if self.cut_off => "nothing is wrong up to where it is cut off".to_owned(),
            0 if self.unknown => "nothing is wrong in what is known of them".to_owned(),
            0 => "nothing is wrong".to_owned(),
            count => plural(count, "fault"),
        };
        format!(
            "{} from the {side}, {}: {verdict}.",
            plural(self.octets, "octet"),
            plural(self.frames, "frame")
        )
    }
}

fn plural(count: usize, of: impl Display) -> String {
    match count {
        1 => format!("1 {of}"),
        _ => format!("{count} {of}s"),
    }
}
