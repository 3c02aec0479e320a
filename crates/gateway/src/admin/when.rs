//! Moments as answers tell them: RFC 3339, in UTC, to the millisecond.

use std::time::SystemTime;

use time::OffsetDateTime;

/// `2026-11-21T20:48:34.123Z`.
pub(super) fn moment(at: SystemTime) -> String {
    let at = OffsetDateTime::from(at);
    let (date, time) = (at.date(), at.time());
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        date.year(),
        u8::from(date.month()),
        date.day(),
        time.hour(),
        time.minute(),
        time.second(),
        time.millisecond()
    )
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;

    #[test]
    fn moments_are_in_utc_to_the_millisecond() {
        let at = UNIX_EPOCH + Duration::from_millis(951_782_399_007);
        assert_eq!(moment(at), "2000-02-28T23:59:59.007Z");
    }
}
