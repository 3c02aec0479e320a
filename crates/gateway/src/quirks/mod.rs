//! What single programs need that other peers of their draft do not: a table of
//! data ([`table`]), and here which of its rows are applied to a connection.
//!
//! Most of what old programs need harms nobody and is done for everybody; the
//! table tells it all the same. What must be told apart is a [`Quirk`]: who it
//! is for is found in the request's head, by the families of the census.

mod table;

use std::cell::OnceCell;

use draftgate_census::Family;
use draftgate_core::{Draft, Strictness};

use crate::config::{Quirk, QuirkFor, Quirks};

pub use table::quirks_table;

/// Whose head it is, found out when it is first asked for: most openings are in
/// drafts that have no quirk on their route.
pub(crate) struct Told<'a> {
    quirks: &'a Quirks,
    head: &'a [u8],
    family: OnceCell<Family>,
}

impl<'a> Told<'a> {
    /// Whoever sent `head`, on a route with these `quirks`.
    pub(crate) fn new(quirks: &'a Quirks, head: &'a [u8]) -> Self {
        Self {
            quirks,
            head,
            family: OnceCell::new(),
        }
    }

    /// Whether `quirk` is applied to this client in `draft`.
    pub(crate) fn has(&self, quirk: Quirk, draft: Draft) -> bool {
        let family = || self.family.get_or_init(|| Family::of(self.head));
        quirk.is_of(draft)
            && match self.quirks.of(quirk) {
                QuirkFor::Nobody => false,
                QuirkFor::All => true,
                QuirkFor::Recognised => table::known(quirk, family()),
                QuirkFor::Families(names) => names.contains(&family().name),
            }
    }

    /// All that is applied in `draft`, where `short_key` is known already.
    pub(crate) fn applied(&self, draft: Draft, short_key: bool) -> Applied {
        let on = |quirk: &Quirk| match quirk {
            Quirk::ShortKey => short_key,
            quirk => self.has(*quirk, draft),
        };
        let quirks = Quirk::ALL.into_iter().filter(on);
        Applied(quirks.fold(0, |all, quirk| all | bit(quirk)))
    }
}

/// The quirks that are applied to one connection.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Applied(u8);

const fn bit(quirk: Quirk) -> u8 {
    1 << quirk as u8
}

impl Applied {
    pub(crate) fn has(self, quirk: Quirk) -> bool {
        self.0 & bit(quirk) != 0
    }

    pub(crate) fn all(self) -> impl Iterator<Item = Quirk> {
        Quirk::ALL.into_iter().filter(move |quirk| self.has(*quirk))
    }

    /// Their names for the log; `None` without any.
    pub(crate) fn names(self) -> Option<String> {
        let names: Vec<_> = self.all().map(Quirk::name).collect();
        (!names.is_empty()).then(|| names.join(", "))
    }

    /// What the codec lets pass for them beside what the route does.
    pub(crate) fn loosen(self, strictness: Strictness) -> Strictness {
        Strictness {
            unmasked: self.has(Quirk::Unmasked),
            short_key: self.has(Quirk::ShortKey),
            connection_mask: self.has(Quirk::MaskOfConnection),
            ..strictness
        }
    }

    /// `url` as this client compares it with its own.
    pub(crate) fn location(self, url: &str) -> &str {
        match url.split_once('?') {
            Some((without, _)) if self.has(Quirk::LocationWithoutQuery) => without,
            _ => url,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const METER: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: meter/2\r\n\r\n";

    #[test]
    fn a_quirk_is_applied_to_whom_it_is_for_in_its_drafts_alone() {
        let quirk = Quirk::Unmasked;
        let mut quirks = Quirks::default();
        let on = |quirks: &Quirks, draft| Told::new(quirks, METER).has(quirk, draft);
        assert!(!on(&quirks, Draft::Hybi13), "off unless it is said");
        *quirks.of_mut(quirk) = QuirkFor::Families(vec!["agent meter".into()]);
        assert!(on(&quirks, Draft::Hybi13));
        assert!(!on(&quirks, Draft::Hybi06), "no bit says who masks");
        *quirks.of_mut(quirk) = QuirkFor::Families(vec!["agent".into()]);
        assert!(!on(&quirks, Draft::Hybi13));
    }

    #[test]
    fn what_is_applied_is_named_and_loosens_nothing_else() {
        let none = Applied::default();
        assert_eq!(
            (none.names(), none.location("ws://a/?b")),
            (None, "ws://a/?b")
        );
        assert_eq!(none.loosen(Strictness::STRICT), Strictness::STRICT);
        let all = Quirk::ALL
            .into_iter()
            .fold(0, |all, quirk| all | bit(quirk));
        let names = Quirk::ALL.map(Quirk::name).join(", ");
        assert_eq!(Applied(all).names(), Some(names));
        assert_eq!(Applied(all).location("ws://a/b?c?d"), "ws://a/b");
        let loose = Applied(all).loosen(Strictness::STRICT);
        assert!(
            loose.unmasked
                && loose.short_key
                && loose.connection_mask
                && !loose.hybi_08
                && !loose.lenient
        );
    }
}
