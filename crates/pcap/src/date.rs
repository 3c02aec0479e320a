//! From a date, which is all that an exchange says of when it was recorded, to
//! the seconds since 1970 that a capture wants. A calendar library for that
//! would be the largest dependency here.

use std::time::Duration;

const DAY: u64 = 24 * 60 * 60;

/// The midnight with which `YYYY-MM-DD` begins; `None` for anything else, and
/// for what lies before 1970.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut parts = text.splitn(3, '-');
    let mut part = |digits: usize| {
        let part = parts.next()?;
        let plain = part.len() == digits && part.bytes().all(|octet| octet.is_ascii_digit());
        plain.then(|| part.parse::<u64>().ok())?
    };
    let (year, month, day) = (part(4)?, part(2)?, part(2)?);
    let known = year >= 1970 && (1..=12).contains(&month);
    if !known || day == 0 || day > length(year, month) {
        return None;
    }
    let years: u64 = (1970..year).map(|year| 365 + u64::from(leaps(year))).sum();
    let months: u64 = (1..month).map(|month| length(year, month)).sum();
    Some(Duration::from_secs((years + months + day - 1) * DAY))
}

fn leaps(year: u64) -> bool {
    year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400)
}

fn length(year: u64, month: u64) -> u64 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 => 28 + u64::from(leaps(year)),
        _ => 31,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_counts_them() {
        for (date, seconds) in [
            ("1970-01-01", 0),
            ("2000-02-29", 951_782_400),
            ("2012-01-27", 1_327_622_400),
            ("2100-03-01", 4_107_542_400),
        ] {
            assert_eq!(parse(date), Some(Duration::from_secs(seconds)), "{date}");
            assert_eq!(
                draftgate_record::date(Duration::from_secs(seconds + DAY - 1)),
                date
            );
        }
    }

    #[test]
    fn what_is_no_day_is_none() {
        for text in [
            "2010-2011",
            "2011",
            "2011-02-29",
            "1969-12-31",
            "2011-13-01",
            "2011-1-1",
            "+011-01-01",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
