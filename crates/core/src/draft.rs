//! The drafts that shipped, by the names people write.
//!
//! One variant per *wire version*: drafts that cannot be told apart on the
//! wire (hybi-08 to -12, hybi-13 to RFC 6455) are one variant, and their names
//! are aliases. A variant says that the draft is known by name, not that it is
//! spoken; the table of what is spoken is `draftgate-drafts`.

use std::{fmt, str::FromStr};

/// One wire version of the WebSocket protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Draft {
    /// draft-hixie-thewebsocketprotocol-75, February 2010.
    Hixie75,
    /// draft-hixie-thewebsocketprotocol-76 = draft-ietf-hybi-…-00, May 2010.
    Hixie76,
    /// draft-ietf-hybi-thewebsocketprotocol-01, August 2010.
    Hybi01,
    /// draft-ietf-hybi-thewebsocketprotocol-02, September 2010.
    Hybi02,
    /// draft-ietf-hybi-thewebsocketprotocol-03, October 2010.
    Hybi03,
    /// draft-montenegro-hybi-upgrade-hello-handshake-00, November 2010.
    Hello00,
    /// draft-ietf-hybi-thewebsocketprotocol-04 (Version 4), January 2011.
    Hybi04,
    /// draft-ietf-hybi-thewebsocketprotocol-05 (Version 5), February 2011.
    Hybi05,
    /// draft-ietf-hybi-thewebsocketprotocol-06 (Version 6), February 2011.
    Hybi06,
    /// draft-ietf-hybi-thewebsocketprotocol-07 (Version 7), April 2011.
    Hybi07,
    /// draft-ietf-hybi-thewebsocketprotocol-08 to -12 (Version 8), June 2011.
    Hybi08,
    /// draft-ietf-hybi-thewebsocketprotocol-13 to -17 and RFC 6455 (Version 13).
    Hybi13,
}

/// Draft, canonical name, alias for tables, value of `Sec-WebSocket-Version`,
/// every other accepted name.
type Row = (
    Draft,
    &'static str,
    Option<&'static str>,
    Option<u8>,
    &'static [&'static str],
);

const TABLE: [Row; 12] = [
    (Draft::Hixie75, "hixie-75", None, None, &["75", "hixie75"]),
    (
        Draft::Hixie76,
        "hixie-76",
        Some("hybi-00"),
        None,
        &["76", "00", "hixie76", "hybi00"],
    ),
    (Draft::Hybi01, "hybi-01", None, None, &["01", "1", "hybi01"]),
    (Draft::Hybi02, "hybi-02", None, None, &["02", "2", "hybi02"]),
    (Draft::Hybi03, "hybi-03", None, None, &["03", "3", "hybi03"]),
    (
        Draft::Hello00,
        "hello-00",
        Some("montenegro-00"),
        None,
        &["hello00", "m00", "montenegro-upgrade-hello-00"],
    ),
    (
        Draft::Hybi04,
        "hybi-04",
        None,
        Some(4),
        &["04", "4", "hybi04"],
    ),
    (
        Draft::Hybi05,
        "hybi-05",
        None,
        Some(5),
        &["05", "5", "hybi05"],
    ),
    (
        Draft::Hybi06,
        "hybi-06",
        None,
        Some(6),
        &["06", "6", "hybi06"],
    ),
    (
        Draft::Hybi07,
        "hybi-07",
        None,
        Some(7),
        &["07", "7", "hybi07"],
    ),
    (
        Draft::Hybi08,
        "hybi-08",
        Some("hybi-12"),
        Some(8),
        &[
            "08", "8", "hybi08", "09", "9", "10", "11", "12", "hybi-09", "hybi-10", "hybi-11",
        ],
    ),
    (
        Draft::Hybi13,
        "hybi-13",
        Some("RFC 6455"),
        Some(13),
        &[
            "13", "hybi13", "rfc6455", "rfc-6455", "6455", "14", "15", "16", "17", "hybi-14",
            "hybi-15", "hybi-16", "hybi-17",
        ],
    ),
];

impl Draft {
    /// Every draft known by name, oldest first.
    pub const ALL: [Self; TABLE.len()] = {
        let mut all = [Self::Hixie75; TABLE.len()];
        let mut i = 0;
        while i < TABLE.len() {
            all[i] = TABLE[i].0;
            i += 1;
        }
        all
    };

    fn row(self) -> &'static Row {
        // The table lists the variants in declaration order; a test holds it to that.
        &TABLE[self as usize]
    }

    /// The canonical name: `hixie-76`, `hybi-13`.
    pub fn name(self) -> &'static str {
        self.row().1
    }

    /// The other name worth printing in a table: `hybi-00` for hixie-76.
    pub fn alias(self) -> Option<&'static str> {
        self.row().2
    }

    /// The name as tables print it: `hixie-76 = hybi-00`, or the bare name.
    pub fn with_alias(self) -> String {
        match self.alias() {
            Some(alias) => format!("{} = {alias}", self.name()),
            None => self.name().to_owned(),
        }
    }

    /// The value of `Sec-WebSocket-Version` that names this draft; `None` for
    /// the drafts before hybi-04, which have no such header.
    pub fn version(self) -> Option<u8> {
        self.row().3
    }
}

impl fmt::Display for Draft {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Draft {
    type Err = UnknownDraft;

    fn from_str(name: &str) -> Result<Self, UnknownDraft> {
        let wanted = name.trim().to_ascii_lowercase();
        TABLE
            .iter()
            .find(|(_, canonical, alias, _, others)| {
                wanted == *canonical
                    || alias.is_some_and(|a| wanted == a.to_ascii_lowercase())
                    || others.contains(&wanted.as_str())
            })
            .map(|row| row.0)
            .ok_or_else(|| UnknownDraft(name.to_owned()))
    }
}

/// A name that names no draft.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no draft of the WebSocket protocol; write for example `hixie-75`, `hixie-76` (or `hybi-00`), `hybi-07`, `hybi-13` (or `rfc6455`)"
)]
pub struct UnknownDraft(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_lists_the_variants_in_their_order() {
        for (i, draft) in Draft::ALL.into_iter().enumerate() {
            assert_eq!(draft as usize, i);
            assert_eq!(draft.row().0, draft);
        }
    }

    #[test]
    fn every_name_leads_back_to_its_draft_and_to_no_other() {
        let mut seen = std::collections::HashMap::new();
        for (draft, canonical, alias, _, others) in TABLE {
            for name in others.iter().copied().chain([canonical]).chain(alias) {
                assert_eq!(name.parse(), Ok(draft), "{name}");
                assert_eq!(name.to_ascii_uppercase().parse(), Ok(draft), "{name}");
                assert_eq!(seen.insert(name, draft), None, "{name} stands twice");
            }
        }
    }

    #[test]
    fn the_two_names_of_hybi_00_are_printed_together() {
        assert_eq!(Draft::Hixie76.with_alias(), "hixie-76 = hybi-00");
        assert_eq!(Draft::Hybi13.with_alias(), "hybi-13 = RFC 6455");
        assert_eq!(Draft::Hixie75.with_alias(), "hixie-75");
    }

    #[test]
    fn an_unknown_name_is_refused_with_examples() {
        let error = "hixie-77".parse::<Draft>().unwrap_err();
        assert!(
            error.to_string().contains("`hixie-77` is no draft"),
            "{error}"
        );
    }
}
