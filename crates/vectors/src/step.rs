//! One `[[step]]` of a file: exactly one thing that one side did.

use std::time::Duration;

use crate::{
    Action, Content, Gap, Step,
    contents::{Found, Read},
    format::RawStep,
};

/// Checks what serde cannot, and fetches the file named with `read`.
pub(crate) fn step(raw: RawStep, read: &mut Read<'_>) -> Found<Step> {
    let placeholder = raw.placeholder.map(|name| name.parse()).transpose()?;
    if placeholder.is_some() && raw.file.is_none() {
        return Err("`as` says what a `file` is; elsewhere write `${name=…}`".to_owned());
    }
    let mut actions = Vec::new();
    if let Some(text) = raw.text {
        actions.push(Action::Send(Content::from_text(&text)?));
    }
    if let Some(hex) = raw.hex {
        actions.push(Action::Send(Content::from_hex(&hex)?));
    }
    if let Some(name) = raw.file {
        let octets = read(&name)?;
        actions.push(Action::Send(Content::from_file(name, octets, placeholder)));
    }
    match raw.eof {
        Some(true) => actions.push(Action::Eof),
        Some(false) => return Err("`eof = false` says nothing; leave it out".to_owned()),
        None => {}
    }
    actions.extend(raw.close.map(Action::Close));
    if let Some(time) = raw.timeout {
        actions.push(Action::Timeout(duration(&time)?));
    }
    actions.extend(raw.gap.map(|gap| {
        Action::Gap(Gap {
            octets: gap.octets,
            reason: gap.reason,
        })
    }));
    let mut actions = actions.into_iter();
    let (Some(action), None) = (actions.next(), actions.next()) else {
        return Err(
            "a step does exactly one thing: give it one of `text`, `hex`, `file`, `eof`, `close`, `timeout` and `gap`"
                .to_owned(),
        );
    };
    Ok(Step {
        from: raw.from.into(),
        pause: raw.pause.as_deref().map(duration).transpose()?,
        note: raw.note,
        action,
    })
}

/// A time: a whole number and `us`, `ms` or `s`.
pub(crate) fn duration(text: &str) -> Found<Duration> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    // More digits would be more than a lifetime, and overflow.
    let number = number.parse().ok().filter(|_| (1..=12).contains(&digits));
    let time = number.and_then(|number| match unit {
        "us" => Some(Duration::from_micros(number)),
        "ms" => Some(Duration::from_millis(number)),
        "s" => Some(Duration::from_secs(number)),
        _ => None,
    });
    time.ok_or_else(|| format!("`{text}` is no time; write it as `120ms`, `5s` or `800us`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit() {
        assert_eq!(duration("120ms"), Ok(Duration::from_millis(120)));
        assert_eq!(duration("5s"), Ok(Duration::from_secs(5)));
        assert_eq!(duration("800us"), Ok(Duration::from_micros(800)));
        for wrong in ["", "5", "ms", "5 s", "-5s", "5m", "99999999999999999999s"] {
            assert!(
                duration(wrong).unwrap_err().contains("is no time"),
                "{wrong}"
            );
        }
    }
}
