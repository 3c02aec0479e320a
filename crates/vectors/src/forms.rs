//! The forms that a text of a file may have to have, each as a regular
//! expression for the JSON Schema and as a check with a sentence for people.
//! The expressions are written in what ECMA 262 and Python share, the checks by
//! hand: a crate of regular expressions would say that a form is missed, not
//! what to write instead.

use crate::{Content, Placeholder, hex};

/// A form of text.
#[derive(Debug)]
pub(crate) struct Form {
    /// What the form is called in the page on the format.
    pub(crate) name: &'static str,
    /// The whole text, as a regular expression.
    pub(crate) pattern: fn() -> String,
    /// What is wrong with a text, and what to write.
    pub(crate) fault: fn(&str) -> Option<String>,
}

/// Any text but none.
pub(crate) static TEXT: Form = Form {
    name: "text, not empty",
    pattern: || r"\S".to_owned(),
    fault: |text| {
        text.trim_matches([' ', '\t', '\r', '\n'])
            .is_empty()
            .then(|| "is empty; say something or leave the key out".to_owned())
    },
};

/// Words and hyphens.
pub(crate) static WORD: Form = Form {
    name: "lower-case letters and digits, parted by single hyphens",
    pattern: || "^[a-z0-9]+(-[a-z0-9]+)*$".to_owned(),
    fault: |text| {
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|o| o.is_ascii_lowercase() || o.is_ascii_digit())
        };
        (!text.split('-').all(part)).then(|| {
            format!(
                "`{text}` is no word; write lower-case letters and digits, parted by single hyphens"
            )
        })
    },
};

/// A day, month or year, or from one to another, and what is to be said of it.
pub(crate) static DATE: Form = Form {
    name: "a date",
    pattern: || {
        let date = r"[0-9]{4}(-[0-9]{2}(-[0-9]{2})?)?";
        format!("^(about )?{date}( to {date})?(, .+)?$")
    },
    fault: |text| {
        let digits =
            |text: &str, many| text.len() == many && text.bytes().all(|o| o.is_ascii_digit());
        let date = |text: &str| {
            let mut parts = text.split('-');
            parts.next().is_some_and(|year| digits(year, 4))
                && parts.clone().count() <= 2
                && parts.all(|part| digits(part, 2))
        };
        let dates = text.strip_prefix("about ").unwrap_or(text);
        let (dates, said) = dates.split_once(", ").unwrap_or((dates, "nothing"));
        let good = match dates.split_once(" to ") {
            Some((from, to)) => date(from) && date(to),
            None => date(dates),
        } && !said.is_empty()
            && !said.contains(['\n', '\r']);
        (!good).then(|| {
            format!("`{text}` is no date; write `2012-01-27`, `2012-01`, `2012`, `2010 to 2011` or `about 2012-01, by a time stamp`")
        })
    },
};

/// A time that passed.
pub(crate) static DURATION: Form = Form {
    name: "a time: a whole number and `us`, `ms` or `s`",
    pattern: || "^[0-9]{1,12}(us|ms|s)$".to_owned(),
    fault: |text| crate::step::duration(text).err(),
};

/// SHA-256.
pub(crate) static SHA256: Form = Form {
    name: "64 lower-case hexadecimal digits",
    pattern: || "^[0-9a-f]{64}$".to_owned(),
    fault: |text| {
        let lower = |o: u8| o.is_ascii_digit() || (b'a'..=b'f').contains(&o);
        (text.len() != 64 || !text.bytes().all(lower)).then(|| {
            format!("`{text}` is no SHA-256; write its 64 hexadecimal digits in lower case")
        })
    },
};

/// A file beside the vector.
pub(crate) static FILE: Form = Form {
    name: "the name of a file beside this one",
    pattern: || r"^(?!\.\.?$)[^/\\]+$".to_owned(),
    fault: |text| {
        let outside = text.is_empty() || text == "." || text == ".." || text.contains(['/', '\\']);
        outside.then(|| format!("`{text}` is not a file beside the vector; name it without a path"))
    },
};

/// Octets in hexadecimal.
pub(crate) static HEX: Form = Form {
    name: "octets in hexadecimal, white space anywhere",
    pattern: || format!("^{SPACE}({OCTET})*$"),
    fault: |text| hex::octets(text).err(),
};

/// 16 octets in hexadecimal.
pub(crate) static HEX16: Form = Form {
    name: "16 octets in hexadecimal",
    pattern: || format!("^{SPACE}({OCTET}){{16}}$"),
    fault: |text| match hex::octets(text) {
        Err(fault) => Some(fault),
        Ok(octets) => (octets.len() != 16)
            .then(|| format!("`md5` has {} octets, an MD5 has 16", octets.len())),
    },
};

/// Octets in hexadecimal, with placeholders.
pub(crate) static STEP_HEX: Form = Form {
    name: "octets in hexadecimal with placeholders, at least one",
    pattern: || {
        let slot = format!(r"\$\{{({})={SPACE}({OCTET})*\}}{SPACE}", names());
        format!("^{SPACE}({OCTET}|{slot})+$")
    },
    fault: |text| match Content::from_hex(text) {
        Err(fault) => Some(fault),
        Ok(_) => text
            .trim()
            .is_empty()
            .then(|| "no octets; leave the step out".to_owned()),
    },
};

/// Text with placeholders.
pub(crate) static STEP_TEXT: Form = Form {
    name: "text with placeholders, not empty",
    pattern: || {
        let literal = r"\$\$|\$\}|\$(?![${}])";
        let slot = format!(r"\$\{{({})=([^$}}]|{literal})*\}}", names());
        format!("^([^$]|{literal}|{slot})+$")
    },
    fault: |text| match Content::from_text(text) {
        Err(fault) => Some(fault),
        Ok(_) => text
            .is_empty()
            .then(|| "no octets; leave the step out".to_owned()),
    },
};

const SPACE: &str = r"[ \t\r\n]*";
const OCTET: &str = r"[0-9A-Fa-f][ \t\r\n]*[0-9A-Fa-f][ \t\r\n]*";

/// The names of all placeholders, one or another.
fn names() -> String {
    let names: Vec<_> = Placeholder::ALL.iter().map(|p| p.name()).collect();
    names.join("|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_as_the_archive_writes_them() {
        for good in [
            "2012",
            "2012-02",
            "2012-02-13",
            "2010 to 2011",
            "about 2011-08-20, by a time stamp in the cookie",
        ] {
            assert_eq!((DATE.fault)(good), None, "{good}");
        }
        for wrong in [
            "",
            "12",
            "2012-2",
            "February 2012",
            "2012-02-13-01",
            "2012,",
            "2012 to",
        ] {
            assert!((DATE.fault)(wrong).is_some(), "{wrong}");
        }
    }

    #[test]
    fn words_are_parted_by_single_hyphens() {
        for good in ["a", "hybi-06", "close-code"] {
            assert_eq!((WORD.fault)(good), None, "{good}");
        }
        for wrong in ["", "-", "a-", "a--b", "Close", "a b", "ä"] {
            assert!((WORD.fault)(wrong).is_some(), "{wrong}");
        }
    }
}
