//! Something that was found: of which kind, in which drafts, by what.
//!
//! A cause that was shown by a second attempt is told apart from one that only
//! fits what was seen: the reader is never given a guess as a fact.

use std::borrow::Cow;

use draftgate_core::Draft;

use crate::FindingKind;

/// Something that was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Which.
    pub kind: FindingKind,
    /// The drafts it is about, oldest first; none if it is about all of them.
    pub drafts: Vec<Draft>,
    /// What was seen, octets quoted.
    pub seen: String,
    /// Whether the cause was shown by what was seen, and is not only likely.
    pub shown: bool,
    /// What to do, where there is more to say than the kind's own words.
    pub fix: Option<String>,
}

impl Finding {
    /// A finding about `drafts`, by what was `seen`.
    pub(crate) fn new(kind: FindingKind, drafts: &[Draft], seen: impl Into<String>) -> Self {
        Self {
            kind,
            drafts: drafts.to_vec(),
            seen: harmless(&seen.into()),
            shown: kind.is_shown(),
            fix: None,
        }
    }

    /// The same, with what to do in this case.
    pub(crate) fn with_fix(self, fix: impl Into<String>) -> Self {
        Self {
            fix: Some(fix.into()),
            ..self
        }
    }

    /// The same; another attempt has shown the cause.
    pub(crate) fn shown(self) -> Self {
        Self {
            shown: true,
            ..self
        }
    }

    /// The same, where the cause only fits.
    pub(crate) fn likely(self) -> Self {
        Self {
            shown: false,
            ..self
        }
    }

    /// What to do.
    pub fn fix(&self) -> Cow<'_, str> {
        match &self.fix {
            Some(fix) => fix.into(),
            None => self.kind.fix().into(),
        }
    }
}

/// `text` as one line in which nothing steers a terminal: much of it is a
/// stranger's.
fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push(' '),
            c if c.is_control() => shown.extend(c.escape_default()),
            c => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_seen_is_one_line_that_steers_no_terminal() {
        let seen = "a\nb\u{1b}[2J\u{9b}2J";
        let finding = Finding::new(FindingKind::StatusOther, &[], seen);
        assert_eq!(finding.seen, "a b\\u{1b}[2J\\u{9b}2J");
    }
}
