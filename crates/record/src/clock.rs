//! Dates in UTC, as files are called and dated. Two formats do not need a
//! library of calendars.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The day, as `2026-11-21` in UTC, that is `since` after 1970 began.
pub fn date(since: Duration) -> String {
    Moment::since(since).date()
}

/// A moment in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    year: u64,
    month: u64,
    day: u64,
    /// In the day.
    micros: u64,
}

impl Moment {
    pub(crate) fn now() -> Self {
        Self::of(SystemTime::now())
    }

    fn of(time: SystemTime) -> Self {
        // A clock before 1970 is wrong; it costs the date and nothing else.
        Self::since(time.duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn since(since: Duration) -> Self {
        const A_DAY: u64 = 86_400_000_000;
        let micros = u64::try_from(since.as_micros()).unwrap_or(0);
        // Years from March on, so that the odd day is the last one.
        let days = micros / A_DAY + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let month = (5 * of_year + 2) / 153;
        let (next, month_of_12) = if month < 10 {
            (0, month + 3)
        } else {
            (1, month - 9)
        };
        Self {
            year: year + era * 400 + next,
            month: month_of_12,
            day: of_year - (153 * month + 2) / 5 + 1,
            micros: micros % A_DAY,
        }
    }

    /// `2026-11-21`.
    pub(crate) fn date(&self) -> String {
        let Self {
            year, month, day, ..
        } = self;
        format!("{year:04}-{month:02}-{day:02}")
    }

    /// `2026-11-21T09-05-00.000123Z`: sorts by time, and is a file's name on
    /// every system.
    pub(crate) fn stamp(&self) -> String {
        let seconds = self.micros / 1_000_000;
        let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
        let (seconds, micros) = (seconds % 60, self.micros % 1_000_000);
        let date = self.date();
        format!("{date}T{hours:02}-{minutes:02}-{seconds:02}.{micros:06}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_those_of_the_calendar() {
        for (seconds, stamp) in [
            (0, "1970-01-01T00-00-00.000001Z"),
            (951_782_399, "2000-02-28T23-59-59.000001Z"),
            (951_782_400, "2000-02-29T00-00-00.000001Z"),
            (951_868_800, "2000-03-01T00-00-00.000001Z"),
            (1_323_561_600, "2011-12-11T00-00-00.000001Z"),
            (1_798_761_599, "2026-12-31T23-59-59.000001Z"),
            (4_107_542_400, "2100-03-01T00-00-00.000001Z"),
        ] {
            let time = UNIX_EPOCH + Duration::from_secs(seconds) + Duration::from_micros(1);
            assert_eq!(Moment::of(time).stamp(), stamp);
        }
    }
}
