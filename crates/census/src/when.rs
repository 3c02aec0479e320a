//! Times as the census has them: whole seconds since 1970, days of UTC, and
//! how people read them.

use std::{fmt, str::FromStr};

use time::{OffsetDateTime, UtcDateTime};

/// Seconds since 1970, without leap seconds.
pub type Seconds = u64;

pub(crate) const DAY: Seconds = 86_400;

/// 2026-01-01: a clock that says less was never set, as in a device without a
/// battery before the network is there.
pub(crate) const NO_CLOCK: Seconds = 1_767_225_600;

/// The day of UTC, counted from 1970-01-01.
pub(crate) fn day(at: Seconds) -> u32 {
    u32::try_from(at / DAY).unwrap_or(u32::MAX)
}

/// A number of days that one looks back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window {
    days: u32,
}

/// How far back days are told apart.
pub(crate) const LONGEST: u32 = 90;

impl Window {
    /// The longest window.
    pub const DAYS_90: Self = Self { days: LONGEST };
    /// What is told of a draft that may be switched off.
    pub const ALL: [Self; 4] = [
        Self { days: 1 },
        Self { days: 7 },
        Self { days: 30 },
        Self::DAYS_90,
    ];

    /// How many days.
    pub fn days(self) -> u32 {
        self.days
    }

    /// Its first day if it ends with the day of `now`.
    pub(crate) fn first(self, now: Seconds) -> u32 {
        day(now).saturating_sub(self.days - 1)
    }

    /// Its length in seconds.
    pub(crate) fn seconds(self) -> Seconds {
        Seconds::from(self.days) * DAY
    }
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.days {
            1 => f.write_str("1 day"),
            days => write!(f, "{days} days"),
        }
    }
}

impl FromStr for Window {
    type Err = NotAWindow;

    fn from_str(text: &str) -> Result<Self, NotAWindow> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        match days {
            Some(days @ 1..=LONGEST) => Ok(Self { days }),
            _ => Err(NotAWindow),
        }
    }
}

/// A text that is no window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a number of days from 1 to {LONGEST}, such as `30d`: days further back are not told apart"
)]
pub struct NotAWindow;

/// The date of UTC: `2026-11-03`.
pub(crate) fn date(at: Seconds) -> String {
    let at = i64::try_from(at).ok();
    let date = at.and_then(|at| UtcDateTime::from_unix_timestamp(at).ok());
    date.map_or_else(|| "?".to_owned(), |date| date.date().to_string())
}

/// Date and time of UTC, for files: `2026-11-03T12:00:00Z`.
pub(crate) fn stamp(at: Seconds) -> String {
    let at = i64::try_from(at).ok();
    let date = at.and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    let (date, time) = match date {
        Some(date) => (date.date(), date.time()),
        None => return at.unwrap_or_default().to_string(),
    };
    let (hour, minute, second) = time.as_hms();
    format!("{date}T{hour:02}:{minute:02}:{second:02}Z")
}

/// How long ago something was: `2 hours ago`, and from some weeks on its date.
pub(crate) fn ago(at: Seconds, now: Seconds) -> String {
    let passed = now.saturating_sub(at);
    let many = |count: Seconds, unit: &str| match count {
        1 => format!("1 {unit} ago"),
        count => format!("{count} {unit}s ago"),
    };
    match passed {
        0..60 => "just now".to_owned(),
        60..3_600 => many(passed / 60, "minute"),
        3_600..DAY => many(passed / 3_600, "hour"),
        _ if passed < 21 * DAY => many(passed / DAY, "day"),
        _ => format!("on {}", date(at)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_as_people_do() {
        let now = 1_793_620_800;
        for (passed, told) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_300, "2 hours ago"),
            (DAY, "1 day ago"),
            (20 * DAY, "20 days ago"),
            (21 * DAY, "on 2026-10-12"),
        ] {
            assert_eq!(ago(now - passed, now), told);
        }
        assert_eq!(stamp(now), "2026-11-02T12:00:00Z");
        assert_eq!(date(u64::MAX), "?");
    }

    #[test]
    fn a_window_is_a_number_of_days() {
        assert_eq!("90d".parse(), Ok(Window::DAYS_90));
        for wrong in ["", "d", "0d", "91d", "90", "-1d", "1h", "1 d"] {
            assert_eq!(wrong.parse::<Window>(), Err(NotAWindow), "{wrong}");
        }
        assert_eq!(Window::DAYS_90.first(DAY * 100), 11);
    }
}
