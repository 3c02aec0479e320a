//! On which channels somebody may subscribe or publish, and how much he may
//! say: for a route, for a token, for a claim.
//!
//! A pattern has one special character, `*`, which stands for any characters,
//! also none, dots included: names of channels have no levels here. A library
//! of globs would bring classes and alternatives that no name can need, and an
//! engine for them.

use std::{fmt, str::FromStr};

use draftgate_core::Limits;
use toml::de::DeValue;

use super::{
    file, lists,
    reader::{Said, Table, Value, Wrong},
    shown::Shown,
    values::{OrUnlimited, Size, word},
};

/// On which channels something is allowed.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Allowed {
    /// On every channel.
    #[default]
    All,
    /// On none.
    None,
    /// On those that one of the patterns matches.
    Matching(Vec<ChannelPattern>),
}

impl Allowed {
    /// Whether it is allowed on `channel`.
    pub fn covers(&self, channel: &str) -> bool {
        match self {
            Self::All => true,
            Self::None => false,
            Self::Matching(patterns) => patterns.iter().any(|pattern| pattern.matches(channel)),
        }
    }

    /// What a list of patterns, or one word, says.
    ///
    /// # Errors
    /// One of them is none.
    pub fn of<'p>(patterns: impl IntoIterator<Item = &'p str>) -> Result<Self, NotAChannelPattern> {
        let patterns: Result<Vec<_>, _> = patterns.into_iter().map(str::parse).collect();
        Ok(match patterns? {
            patterns if patterns.is_empty() => Self::None,
            patterns => Self::Matching(patterns),
        })
    }
}

/// A pattern of names of channels, such as `news.*`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ChannelPattern(Box<str>);

/// A text is no [`ChannelPattern`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no pattern of channels: it has 1 to 255 of the characters A-Z a-z 0-9 . _ ~ - and `*`"
)]
pub struct NotAChannelPattern(pub String);

impl ChannelPattern {
    /// Whether the pattern matches the whole of `channel`. Takes at most the
    /// product of both lengths, whatever they are.
    pub fn matches(&self, channel: &str) -> bool {
        let (pattern, name) = (self.0.as_bytes(), channel.as_bytes());
        let (mut at, mut read) = (0, 0);
        // Where the last `*` stands, and how much of the name it has taken.
        let mut star = None;
        while read < name.len() {
            match pattern.get(at) {
                Some(b'*') => {
                    star = Some((at, read));
                    at += 1;
                }
                Some(octet) if *octet == name[read] => (at, read) = (at + 1, read + 1),
                _ => match &mut star {
                    Some((place, taken)) => {
                        *taken += 1;
                        (at, read) = (*place + 1, *taken);
                    }
                    None => return false,
                },
            }
        }
        pattern[at..].iter().all(|octet| *octet == b'*')
    }
}

impl FromStr for ChannelPattern {
    type Err = NotAChannelPattern;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let plain = |octet: u8| octet.is_ascii_alphanumeric() || b"._~-*".contains(&octet);
        match (1..=255).contains(&text.len()) && text.bytes().all(plain) {
            true => Ok(Self(text.into())),
            false => Err(NotAChannelPattern(text.chars().take(64).collect())),
        }
    }
}

impl fmt::Display for ChannelPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

/// How many messages one connection may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// Messages a second, over time.
    pub per_second: u32,
    /// Messages at once.
    pub burst: u32,
    /// What becomes of those beyond that.
    pub excess: Excess,
}

/// What becomes of messages that come faster than a [`Rate`] allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Excess {
    /// They wait unread, so that the peer feels it.
    #[default]
    Wait,
    /// They are dropped and counted.
    Drop,
    /// The connection is closed.
    Close,
}

/// What is said of a [`Rate`], at the top, at a route, with a token.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct RateSaid {
    /// `Some(None)`: any number.
    pub per_second: Option<Option<u32>>,
    /// See [`Rate::burst`]; as many as a second has, unless said.
    pub burst: Option<u32>,
    /// See [`Rate::excess`].
    pub excess: Option<Excess>,
}

impl RateSaid {
    /// Where nothing is said anywhere.
    pub const UNLIMITED: Self = Self {
        per_second: Some(None),
        burst: None,
        excess: Some(Excess::Wait),
    };

    /// This, and what `under` says where this says nothing.
    #[must_use]
    pub fn over(self, under: Self) -> Self {
        Self {
            per_second: self.per_second.or(under.per_second),
            burst: self.burst.or(under.burst),
            excess: self.excess.or(under.excess),
        }
    }

    /// The rate, if there is to be one.
    pub fn rate(&self) -> Option<Rate> {
        let per_second = self.per_second.flatten()?;
        Some(Rate {
            per_second,
            burst: self.burst.unwrap_or(per_second),
            excess: self.excess.unwrap_or_default(),
        })
    }
}

/// What somebody was granted besides coming in; what is not said here, the
/// route says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    /// Where he may subscribe.
    pub subscribe: Option<Allowed>,
    /// Where he may publish.
    pub publish: Option<Allowed>,
    /// How large a message may be, in octets, if that is less than the route allows.
    pub message: Option<u64>,
    /// How many messages he may send.
    pub rate: RateSaid,
}

impl Grant {
    /// `limits`, with messages no larger than this allows.
    pub(crate) fn limits(&self, limits: Limits) -> Limits {
        let message = self
            .message
            .map_or(limits.message, |it| it.min(limits.message));
        Limits { message, ..limits }
    }

    /// Reads the keys of a grant in `table`.
    pub(super) fn read(table: &mut Table<'_>) -> Self {
        let rate = RateSaid {
            per_second: table.value("message-rate").map(|OrUnlimited(it)| it),
            burst: file::count(table, "message-burst", MOST_AT_ONCE),
            excess: table.value("message-excess"),
        };
        Self {
            subscribe: table.value("subscribe"),
            publish: table.value("publish"),
            message: table.value("message").map(|Size(octets)| octets),
            rate,
        }
    }
}

/// The keys of a rate in `table`, which stand above what is `said` so far.
pub(super) fn rate_of(table: &mut Table<'_>, said: &mut RateSaid) {
    let mut per_second = said.per_second.flatten();
    table.set_as::<OrUnlimited, _>("message-rate", &mut per_second);
    let burst = file::count(table, "message-burst", MOST_AT_ONCE);
    let mut excess = said.excess.unwrap_or_default();
    table.set("message-excess", &mut excess);
    *said = RateSaid {
        per_second: Some(per_second),
        burst: burst.or(said.burst),
        excess: Some(excess),
    };
}

/// More at once would be no rate.
const MOST_AT_ONCE: u32 = 1_000_000;

impl Value for Excess {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        word(
            value,
            &[
                ("wait", Self::Wait),
                ("drop", Self::Drop),
                ("close", Self::Close),
            ],
        )
    }

    fn show(&self) -> Shown {
        Shown::text(match self {
            Self::Wait => "wait",
            Self::Drop => "drop",
            Self::Close => "close",
        })
    }
}

impl Value for Allowed {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let DeValue::Array(elements) = value else {
            let word = word(value, &[("all", Self::All), ("none", Self::None)]);
            return word.map_err(|wrong| match wrong.help {
                None => wrong.help("some channels are a list of patterns: [\"news.*\"]"),
                Some(_) => wrong,
            });
        };
        let mut patterns = Vec::new();
        for element in elements.iter() {
            match element.get_ref() {
                DeValue::String(text) => patterns.push(text.as_ref()),
                other => return Err(Wrong::must_be("a list of patterns", other)),
            }
        }
        Self::of(patterns).map_err(|not| {
            Wrong::new(format!("has `{}`, which is no pattern of channels", not.0))
                .help("a pattern is 1 to 255 octets of A–Z, a–z, 0–9, `.`, `_`, `~`, `-` and `*`, which stands for any of them")
        })
    }

    fn show(&self) -> Shown {
        match self {
            Self::All => Shown::text("all"),
            Self::None => Shown::text("none"),
            Self::Matching(patterns) => Shown::list(patterns),
        }
    }
}

/// A list of names of fields; `what` may not stand among them for a reason.
pub(super) fn field_names(
    table: &Table<'_>,
    key: &'static str,
    said: &Said<'_>,
) -> Vec<http::HeaderName> {
    let read = |item: &Said<'_>| match item.value.as_str() {
        Some(text) => field_name(text),
        None => Err(Wrong::must_be("a list of names of fields", item.value)),
    };
    let names = lists::each(table, key, said, "a list of names of fields", read);
    names.into_iter().map(|(name, _)| name).collect()
}

/// The name of a field that may be handed on.
pub(super) fn field_name(text: &str) -> Result<http::HeaderName, Wrong> {
    super::upstream::name(text).map_err(|_| {
        Wrong::new(format!(
            "has \"{text}\", which is no field that can be handed on"
        ))
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        pattern.parse::<ChannelPattern>().unwrap().matches(name)
    }

    #[test]
    fn a_star_stands_for_any_characters_dots_included() {
        for (pattern, yes, no) in [
            ("news", &["news"][..], &["new", "news.a", "xnews", ""][..]),
            (
                "news.*",
                &["news.", "news.a", "news.a.b"],
                &["news", "xnews.a"],
            ),
            ("*", &["a", "a.b", "*"], &[]),
            ("*.*", &[".", "a.b.c"], &["a"]),
            ("a*b*c", &["abc", "aXbXbXc", "abcc"], &["ab", "acb", "abcX"]),
            ("**a", &["a", "ba"], &["ab"]),
        ] {
            for name in yes {
                assert!(matches(pattern, name), "{pattern} {name}");
            }
            for name in no {
                assert!(!matches(pattern, name), "{pattern} {name}");
            }
        }
    }

    #[test]
    fn what_could_be_no_channel_is_no_pattern() {
        for text in ["", "a/b", "a b", "é", "a?", "[a]", &"x".repeat(256)] {
            assert!(text.parse::<ChannelPattern>().is_err(), "{text}");
        }
    }

    #[test]
    fn an_empty_list_allows_nothing() {
        assert_eq!(Allowed::of([]), Ok(Allowed::None));
        assert!(!Allowed::None.covers("a") && Allowed::All.covers("a"));
        assert!(Allowed::of(["b", "a*"]).unwrap().covers("aa"));
    }

    #[test]
    fn who_says_less_has_what_stands_under_it() {
        let route = RateSaid {
            per_second: Some(Some(10)),
            burst: Some(20),
            excess: Some(Excess::Drop),
        };
        let own = RateSaid {
            per_second: Some(Some(5)),
            ..RateSaid::default()
        };
        let rate = own.over(route).rate().unwrap();
        assert_eq!(
            (rate.per_second, rate.burst, rate.excess),
            (5, 20, Excess::Drop)
        );
        let free = RateSaid {
            per_second: Some(None),
            ..RateSaid::default()
        };
        assert_eq!(free.over(route).rate(), None);
        assert_eq!(RateSaid::default().rate(), None);
        assert_eq!(own.rate().map(|rate| rate.burst), Some(5));
    }

    /// By the definition, and slowly.
    fn defined(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern, name) {
            ([], name) => name.is_empty(),
            ([b'*', rest @ ..], name) => (0..=name.len()).any(|at| defined(rest, &name[at..])),
            ([first, rest @ ..], [octet, name @ ..]) => first == octet && defined(rest, name),
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_what_its_definition_says(pattern in "[ab.*]{1,8}", name in "[ab.]{0,10}") {
            prop_assert_eq!(
                matches(&pattern, &name),
                defined(pattern.as_bytes(), name.as_bytes())
            );
        }

        #[test]
        fn a_pattern_made_of_a_name_matches_it(name in "[a-z.]{1,20}", cuts in prop::collection::vec((0usize..20, 0usize..20), 0..4)) {
            let mut pattern = name.clone();
            for (from, to) in cuts {
                let (from, to) = (from.min(pattern.len()), to.min(pattern.len()));
                pattern.replace_range(from.min(to)..from.max(to), "*");
            }
            prop_assert!(matches(&pattern, &name), "{} {}", pattern, name);
        }

        #[test]
        fn many_stars_take_no_long_time(stars in 1usize..120) {
            let pattern = "a*".repeat(stars) + "b";
            prop_assert!(!matches(&pattern[pattern.len().saturating_sub(255)..], &"a".repeat(255)));
        }
    }
}
