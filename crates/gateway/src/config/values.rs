//! How each type of value is read: numbers, quantities, words, addresses.

use std::{net::SocketAddr, time::Duration};

use toml::de::DeValue;

use super::{
    AnswerChecks, ClientAuth, Heartbeat, LogFormat, LogLevel, NotAPattern, Overflow, PathPattern,
    PublicUrl, Service, TlsProfile,
    problem::{listed, nearest},
    reader::{Value, Wrong},
    shown::Shown,
    units,
};
use draftgate_translate::BinaryPolicy;

/// A duration that may be nothing.
pub(super) struct Pause(pub(super) Duration);

/// `None` is `"off"`.
pub(super) struct OrOff(pub(super) Option<Duration>);

/// `None` is `"unlimited"`.
pub(super) struct OrUnlimited(pub(super) Option<u32>);

/// A count, at least one, of what is held in memory.
pub(super) struct Many(pub(super) usize);

/// A size in octets, at least one.
pub(super) struct Size(pub(super) u64);

/// What is written in its own way and held as a common type.
macro_rules! held_as {
    ($($written:ident($held:ty))*) => {$(
        impl From<$held> for $written {
            fn from(held: $held) -> Self {
                Self(held)
            }
        }

        impl From<$written> for $held {
            fn from(written: $written) -> Self {
                written.0
            }
        }
    )*};
}

held_as! {
    Pause(Duration)
    OrOff(Option<Duration>)
    OrUnlimited(Option<u32>)
    Many(usize)
    Size(u64)
}

impl Value for bool {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        value
            .as_bool()
            .ok_or_else(|| Wrong::must_be("`true` or `false`", value))
    }

    fn show(&self) -> Shown {
        Shown::Is((*self).into())
    }
}

impl Value for String {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        text(value, "a string").map(str::to_owned)
    }

    fn show(&self) -> Shown {
        Shown::text(self)
    }
}

/// A count: at least one.
impl Value for u32 {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let counted = integer(value).ok_or_else(|| Wrong::must_be("a whole number", value))?;
        match Self::try_from(counted) {
            Ok(count) if count > 0 => Ok(count),
            _ => Err(Wrong::new(format!("must be from 1 to {}", Self::MAX))),
        }
    }

    fn show(&self) -> Shown {
        Shown::Is((*self).into())
    }
}

impl Value for Many {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        u32::read(value).map(|count| Self(count as usize))
    }

    fn show(&self) -> Shown {
        Shown::Is(self.0.into())
    }
}

impl Value for OrUnlimited {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::Integer(_) => u32::read(value).map(|count| Self(Some(count))),
            DeValue::String(word) if word == "unlimited" => Ok(Self(None)),
            _ => Err(Wrong::must_be("a whole number or \"unlimited\"", value)),
        }
    }

    fn show(&self) -> Shown {
        self.0
            .map_or_else(|| Shown::text("unlimited"), |count| count.show())
    }
}

impl Value for Size {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let octets = match value {
            DeValue::String(words) => {
                units::size(words).map_err(|e| Wrong::new(format!("is no size: {e}")))?
            }
            _ => integer(value)
                .ok_or_else(|| Wrong::must_be("a size such as 65536 or \"16MiB\"", value))
                .and_then(|octets| {
                    u64::try_from(octets).map_err(|_| Wrong::new("must be at least 1 octet"))
                })?,
        };
        match octets {
            0 => Err(Wrong::new("must be at least 1 octet")),
            octets if octets > 1 << 40 => Err(Wrong::new("is no size: it is at most 1024GiB")),
            octets => Ok(Self(octets)),
        }
    }

    fn show(&self) -> Shown {
        Shown::octets(self.0)
    }
}

impl Value for Pause {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(words) => units::duration(words)
                .map(Self)
                .map_err(|e| Wrong::new(format!("is no duration: {e}"))),
            DeValue::Integer(_) => Err(Wrong::must_be(
                "a duration such as \"5s\" or \"500ms\"",
                value,
            )
            .help("the unit has to be written, in a string")),
            _ => Err(Wrong::must_be(
                "a duration such as \"5s\" or \"500ms\"",
                value,
            )),
        }
    }

    fn show(&self) -> Shown {
        Shown::lasting(self.0)
    }
}

/// Longer than nothing.
impl Value for Duration {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match Pause::read(value)?.0 {
            Self::ZERO => Err(Wrong::new("must be longer than nothing")),
            duration => Ok(duration),
        }
    }

    fn show(&self) -> Shown {
        Shown::lasting(*self)
    }
}

impl Value for OrOff {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value.as_str() {
            Some("off") => Ok(Self(None)),
            _ => match Duration::read(value) {
                Ok(duration) => Ok(Self(Some(duration))),
                Err(wrong) if wrong.help.is_none() => {
                    Err(wrong.help("what never happens is \"off\""))
                }
                Err(wrong) => Err(wrong),
            },
        }
    }

    fn show(&self) -> Shown {
        self.0.map_or_else(|| Shown::text("off"), Shown::lasting)
    }
}

impl Value for SocketAddr {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        text(value, "an address and a port")?.parse().map_err(|_| {
            Wrong::new("is no address").help(
                "write an IP address and a port: \"127.0.0.1:8080\", \"[::1]:8080\"; \"0.0.0.0:8080\" is every IPv4 address of the machine, port 0 any free port",
            )
        })
    }

    fn show(&self) -> Shown {
        Shown::text(self)
    }
}

impl Value for PublicUrl {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        text(value, "a URL")?
            .parse()
            .map_err(|e: super::NotAPublicUrl| Wrong::new("is no public URL").help(e.to_string()))
    }

    fn show(&self) -> Shown {
        Shown::text(self)
    }
}

impl Value for PathPattern {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        text(value, "a path such as \"/bus/{channel}\"")?
            .parse()
            .map_err(|e: NotAPattern| Wrong::new(format!("is no path: {e}")))
    }

    fn show(&self) -> Shown {
        Shown::text(self)
    }
}

impl Value for Heartbeat {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        const WHAT: &str = "\"off\", \"empty-text\", \"unknown-frame\" or { text = \"…\" }";
        match value {
            DeValue::Table(table) => {
                match (table.len(), table.get("text").map(|text| text.get_ref())) {
                    (1, Some(DeValue::String(words))) => Ok(Self::Text(words.clone().into_owned())),
                    _ => Err(Wrong::new(format!("must be {WHAT}"))
                        .help("the table has one key, `text`, and its value is a string")),
                }
            }
            DeValue::String(_) => word(
                value,
                &[
                    ("off", Self::Off),
                    ("empty-text", Self::EmptyText),
                    ("unknown-frame", Self::UnknownFrame),
                ],
            )
            .map_err(|wrong| match wrong.help {
                None => wrong.help("a text of your own is `{ text = \"…\" }`"),
                Some(_) => wrong,
            }),
            _ => Err(Wrong::must_be(WHAT, value)),
        }
    }

    fn show(&self) -> Shown {
        match self {
            Self::Off => Shown::text("off"),
            Self::EmptyText => Shown::text("empty-text"),
            Self::UnknownFrame => Shown::text("unknown-frame"),
            Self::Text(text) => Shown::Is(serde_json::json!({ "text": text })),
        }
    }
}

impl Value for BinaryPolicy {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        word(value, &Self::ALL.map(|policy| (policy.name(), policy)))
    }

    fn show(&self) -> Shown {
        Shown::text(self.name())
    }
}

/// Types that are one word of a few.
macro_rules! words {
    ($($type:ident { $($word:literal => $variant:ident),* })*) => {$(
        impl Value for $type {
            fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
                word(value, &[$(($word, Self::$variant)),*])
            }

            fn show(&self) -> Shown {
                $(if matches!(self, Self::$variant) {
                    return Shown::text($word);
                })*
                Shown::Unset
            }
        }
    )*};
}

words! {
    AnswerChecks { "strict" => Strict, "lenient" => Lenient }
    ClientAuth { "off" => Off, "optional" => Optional, "required" => Required }
    TlsProfile { "modern" => Modern, "legacy-1.0" => Legacy10 }
    Service { "bus" => Bus, "clock" => Clock, "echo" => Echo, "proxy" => Proxy }
    Overflow { "close" => Close, "drop-newest" => DropNewest, "drop-oldest" => DropOldest }
    LogFormat { "auto" => Auto, "human" => Human, "json" => Json }
    LogLevel { "error" => Error, "warn" => Warn, "info" => Info, "debug" => Debug, "trace" => Trace }
}

pub(super) fn word<T: Clone>(value: &DeValue<'_>, known: &[(&str, T)]) -> Result<T, Wrong> {
    let names = || known.iter().map(|(name, _)| *name);
    let quoted = || listed(names().map(|name| format!("\"{name}\"")), "or").replace('`', "");
    let written = text(value, &quoted())?;
    if let Some((_, meant)) = known.iter().find(|(name, _)| *name == written) {
        return Ok(meant.clone());
    }
    let wrong = Wrong::new(format!("must be {}, not \"{written}\"", quoted()));
    Err(match nearest(written, names()) {
        Some(meant) => wrong.help(format!("did you mean \"{meant}\"?")),
        None => wrong,
    })
}

pub(super) fn text<'v>(value: &'v DeValue<'_>, what: &str) -> Result<&'v str, Wrong> {
    value.as_str().ok_or_else(|| Wrong::must_be(what, value))
}

pub(super) fn integer(value: &DeValue<'_>) -> Option<i128> {
    let integer = value.as_integer()?;
    i128::from_str_radix(integer.as_str(), integer.radix()).ok()
}
