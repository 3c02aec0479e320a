//! Durations and sizes as people write them: `"5s"`, `"16MiB"`.
//!
//! One number and one unit. Crates for durations also take `1h 30min 2s` and
//! months; a configuration wants one way to write a thing.

use std::{fmt, time::Duration};

/// The longest duration that is taken: a year. What is meant to last for ever
/// is `"off"`, and sums with a clock's time stay far from overflow.
pub const LONGEST: Duration = Duration::from_secs(365 * 24 * 60 * 60);

const DURATIONS: [(&str, u64); 5] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
];

const SIZES: [(&str, u64); 4] = [
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];

/// A text that is no duration or no size; says what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAQuantity {
    /// There is a number, but no unit.
    #[error("the unit is missing: write {0}")]
    NoUnit(String),
    /// The unit is not known.
    #[error("`{unit}` is no unit here: write one of {known}{hint}")]
    Unit {
        /// What was written.
        unit: String,
        /// What may be written.
        known: String,
        /// What was probably meant.
        hint: String,
    },
    /// There is no number before the unit.
    #[error("it begins with a whole number: write {0}")]
    NoNumber(&'static str),
    /// It is more than is taken.
    #[error("it is at most {0}")]
    TooMuch(&'static str),
}

/// A duration: a whole number and `ms`, `s`, `m`, `h` or `d`.
///
/// # Errors
///
/// [`NotAQuantity`] says what to write; durations above [`LONGEST`] are refused.
pub fn duration(text: &str) -> Result<Duration, NotAQuantity> {
    const AT_MOST: NotAQuantity =
        NotAQuantity::TooMuch("365d; what never happens is \"off\", where that is possible");
    let millis = quantity(text, &DURATIONS, "for example `5s` or `500ms`", AT_MOST)?;
    match Duration::from_millis(millis) {
        duration if duration <= LONGEST => Ok(duration),
        _ => Err(AT_MOST),
    }
}

/// A size in octets: a whole number and `B`, `KiB`, `MiB` or `GiB`.
///
/// # Errors
///
/// [`NotAQuantity`] says what to write.
pub fn size(text: &str) -> Result<u64, NotAQuantity> {
    const AT_MOST: NotAQuantity = NotAQuantity::TooMuch("1024GiB");
    match quantity(text, &SIZES, "for example `16MiB` or `65536B`", AT_MOST)? {
        octets if octets <= 1 << 40 => Ok(octets),
        _ => Err(AT_MOST),
    }
}

fn quantity(
    text: &str,
    units: &[(&str, u64)],
    example: &'static str,
    too_much: NotAQuantity,
) -> Result<u64, NotAQuantity> {
    let text = text.trim();
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start();
    if number.is_empty() {
        return Err(NotAQuantity::NoNumber(example));
    }
    if unit.is_empty() {
        let all: Vec<String> = units
            .iter()
            .map(|(unit, _)| format!("`{number}{unit}`"))
            .collect();
        return Err(NotAQuantity::NoUnit(all.join(", ")));
    }
    let Some((_, factor)) = units.iter().find(|(name, _)| *name == unit) else {
        let meant = units.iter().find(|(name, _)| {
            let loose = unit.to_ascii_lowercase();
            let name = name.to_ascii_lowercase();
            loose.trim_end_matches('s') == name
                || loose == name.replace('i', "")
                || format!("{loose}b") == name
                || format!("{loose}ib") == name
                || loose.starts_with(&format!("{name}ec"))
                || (name == "m" && loose.starts_with("min"))
        });
        return Err(NotAQuantity::Unit {
            unit: unit.to_owned(),
            known: units
                .iter()
                .map(|(u, _)| format!("`{u}`"))
                .collect::<Vec<_>>()
                .join(", "),
            hint: meant.map_or_else(String::new, |(name, _)| {
                format!("; did you mean `{number}{name}`?")
            }),
        });
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(*factor))
        .ok_or(too_much)
}

/// A duration as a configuration writes it.
pub(super) struct Lasting(pub(super) Duration);

impl fmt::Display for Lasting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match u64::try_from(self.0.as_millis()) {
            Ok(millis) if millis.is_multiple_of(1_000) => write!(f, "{}s", millis / 1_000),
            Ok(millis) => write!(f, "{millis}ms"),
            Err(_) => write!(f, "{}s", self.0.as_secs()),
        }
    }
}

/// A size as a configuration writes it.
pub(super) struct Octets(pub(super) u64);

impl fmt::Display for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, factor) = SIZES
            .iter()
            .rev()
            .find(|(_, factor)| self.0 >= *factor && self.0.is_multiple_of(*factor))
            .unwrap_or(&SIZES[0]);
        write!(f, "{}{unit}", self.0 / factor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_are_a_number_and_a_unit() {
        for (text, millis) in [
            ("5s", 5_000),
            ("500ms", 500),
            ("2m", 120_000),
            ("1 h", 3_600_000),
            ("365d", 31_536_000_000),
            ("0s", 0),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for (text, octets) in [
            ("16MiB", 16 << 20),
            ("1 KiB", 1_024),
            ("7B", 7),
            ("1024GiB", 1 << 40),
        ] {
            assert_eq!(size(text), Ok(octets), "{text}");
        }
    }

    #[test]
    fn what_is_no_quantity_is_told_what_to_write() {
        for (text, said) in [
            (
                "5",
                "the unit is missing: write `5ms`, `5s`, `5m`, `5h`, `5d`",
            ),
            (
                "s",
                "it begins with a whole number: write for example `5s` or `500ms`",
            ),
            (
                "-5s",
                "it begins with a whole number: write for example `5s` or `500ms`",
            ),
            (
                "",
                "it begins with a whole number: write for example `5s` or `500ms`",
            ),
            (
                "1.5s",
                "`.5s` is no unit here: write one of `ms`, `s`, `m`, `h`, `d`",
            ),
            (
                "5 sec",
                "`sec` is no unit here: write one of `ms`, `s`, `m`, `h`, `d`; did you mean `5s`?",
            ),
            (
                "2min",
                "`min` is no unit here: write one of `ms`, `s`, `m`, `h`, `d`; did you mean `2m`?",
            ),
            (
                "366d",
                "it is at most 365d; what never happens is \"off\", where that is possible",
            ),
            (
                "99999999999999999999s",
                "it is at most 365d; what never happens is \"off\", where that is possible",
            ),
        ] {
            assert_eq!(duration(text).unwrap_err().to_string(), said, "{text}");
        }
        for (text, said) in [
            (
                "16MB",
                "`MB` is no unit here: write one of `B`, `KiB`, `MiB`, `GiB`; did you mean `16MiB`?",
            ),
            (
                "16k",
                "`k` is no unit here: write one of `B`, `KiB`, `MiB`, `GiB`; did you mean `16KiB`?",
            ),
            ("1025GiB", "it is at most 1024GiB"),
        ] {
            assert_eq!(size(text).unwrap_err().to_string(), said, "{text}");
        }
    }

    #[test]
    fn quantities_are_printed_as_they_are_written() {
        for text in ["5s", "500ms", "0s"] {
            assert_eq!(Lasting(duration(text).unwrap()).to_string(), text);
        }
        for text in ["16MiB", "1KiB", "1025B", "0B"] {
            assert_eq!(Octets(size(text).unwrap()).to_string(), text);
        }
    }
}
