//! How a value that was read is shown again: as a file writes it, or masked.
//!
//! Each type that can be read can be shown ([`Value::show`]), so that whatever
//! a table is asked for appears in the effective configuration. JSON's types
//! stand in for those of TOML: a configuration has no dates and no fractions.
//! What nobody showed is taken as it was written, and masked by its name.
//!
//! [`Value::show`]: super::reader::Value::show

use std::{fmt, ops::Range, time::Duration};

pub(super) use draftgate_upstream::MASK;
use draftgate_upstream::{masked, secrets};
use serde_json::Value as Json;
use toml::de::DeValue;

use super::{
    units::{Lasting, Octets},
    values::integer,
};

/// What a key holds.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Shown {
    /// This, as a file may write it.
    Is(Json),
    /// This follows from other keys; written out it might mean something else.
    Follows(Json),
    /// A secret.
    Secret,
    /// Nothing, and that is how it is.
    Unset,
    /// The key has no meaning where it stands.
    Meaningless,
}

impl Shown {
    /// A word, an address, a pattern: whatever a file writes as a string.
    pub(super) fn text(text: impl fmt::Display) -> Self {
        Self::Is(Json::String(text.to_string()))
    }

    pub(super) fn list<T: fmt::Display>(items: impl IntoIterator<Item = T>) -> Self {
        let item = |item: T| Json::String(item.to_string());
        Self::Is(items.into_iter().map(item).collect())
    }

    /// The empty list.
    pub(super) fn nothing() -> Self {
        Self::list::<&str>([])
    }

    pub(super) fn lasting(duration: Duration) -> Self {
        const HOUR: u64 = 3600;
        match (duration.as_secs(), duration.subsec_nanos()) {
            (secs, 0) if secs >= HOUR && secs.is_multiple_of(HOUR) => {
                Self::text(format_args!("{}h", secs / HOUR))
            }
            _ => Self::text(Lasting(duration)),
        }
    }

    pub(super) fn octets(octets: u64) -> Self {
        Self::text(Octets(octets))
    }

    /// Whether something of it is not shown.
    pub(super) fn is_masked(&self) -> bool {
        match self {
            Self::Secret => true,
            Self::Is(value) | Self::Follows(value) => value.to_string().contains(MASK),
            Self::Unset | Self::Meaningless => false,
        }
    }

    /// What a file or a variable says for `key`, as it is written there.
    pub(super) fn written(key: &str, value: &DeValue<'_>) -> Self {
        // `{ file = "…" }` says where the secret is, and not which.
        let only_named = value.get("file").is_some();
        match names_a_secret(key) && !only_named {
            true => Self::Secret,
            false => Self::Is(json(value)),
        }
    }
}

fn json(value: &DeValue<'_>) -> Json {
    match value {
        DeValue::String(text) if is_url(text) => Json::String(masked(text)),
        DeValue::String(text) => Json::String(text.clone().into_owned()),
        DeValue::Boolean(is) => Json::Bool(*is),
        DeValue::Integer(_) => integer(value)
            .and_then(|number| i64::try_from(number).ok())
            .map_or(Json::Null, Json::from),
        DeValue::Float(number) => Json::String(number.to_string()),
        DeValue::Datetime(time) => Json::String(time.to_string()),
        DeValue::Array(items) => items.iter().map(|item| json(item.get_ref())).collect(),
        DeValue::Table(entries) => {
            let entry = |(name, value): (&toml::Spanned<_>, &toml::Spanned<DeValue<'_>>)| {
                let name: &std::borrow::Cow<'_, str> = name.get_ref();
                let held = match names_a_secret(name) && value.get_ref().is_str() {
                    true => Json::String(MASK.to_owned()),
                    false => json(value.get_ref()),
                };
                (name.clone().into_owned(), held)
            };
            Json::Object(entries.iter().map(entry).collect())
        }
    }
}

/// Whether a key, or a field of a request, holds what nobody else may see. Files
/// are named, not shown.
fn names_a_secret(name: &str) -> bool {
    const WORDS: [&str; 8] = [
        "token",
        "secret",
        "password",
        "passphrase",
        "credential",
        "authorization",
        "cookie",
        "api-key",
    ];
    let name = name.to_ascii_lowercase();
    !name.ends_with("file") && WORDS.iter().any(|word| name.contains(word))
}

/// Whether a text is a URL, or nearly so: `plc:8080/?token=…` lacks its scheme.
fn is_url(text: &str) -> bool {
    text.contains("://") || text.starts_with("unix:") || has_query(text.as_bytes())
}

/// Whether there is a `?` before a name and a `=`.
fn has_query(text: &[u8]) -> bool {
    let mut texts = text.split(|octet| *octet == b'?').skip(1);
    texts.any(|query| {
        let named = |octet: &u8| !octet.is_ascii_alphanumeric() && !b"-_.~%[]".contains(octet);
        let end = query.iter().position(named);
        end.is_some_and(|end| end > 0 && query[end] == b'=')
    })
}

/// The text of a file, whatever is wrong with it, with a `*` for each octet of
/// its secrets: reports of mistakes show lines of it, in logs too.
pub(super) fn without_secrets(text: &str) -> String {
    let mut shown = text.as_bytes().to_vec();
    for line in lines(text) {
        let octets = &text.as_bytes()[line.clone()];
        for (at, octet) in octets.iter().enumerate() {
            let (before, behind) = (&text[line.start..], line.start + at + 1);
            if *octet == b'=' && says_a_secret(&before[..at]) {
                mask_quoted(&mut shown, behind..line.end);
            }
        }
    }
    String::from_utf8(shown).map_or_else(|_| String::new(), |text| without_urls_secrets(&text))
}

/// The same for the secrets of URLs alone, wherever they stand.
pub(super) fn without_urls_secrets(text: &str) -> String {
    let mut shown = text.as_bytes().to_vec();
    let mut start = 0;
    // A URL goes on to the end of what is quoted: it may hold a space by mistake.
    for piece in text.split_inclusive(['"', '\'', '`', '\r', '\n']) {
        if is_url(piece) {
            let url = piece.trim_end_matches(['"', '\'', '`', '\r', '\n']);
            for secret in secrets(url) {
                shown[start + secret.start..start + secret.end].fill(b'*');
            }
        }
        start += piece.len();
    }
    String::from_utf8(shown).unwrap_or_default()
}

fn lines(text: &str) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    text.split_inclusive('\n').map(move |line| {
        let range = start..start + line.len();
        start = range.end;
        range
    })
}

/// Whether what stands before `=` ends in a name of a secret, or nearly so.
fn says_a_secret(before: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    let trimmed = before.trim_end_matches([' ', '\t', '"', '\'']);
    let name = trimmed.rsplit(|c| !is_name(c)).next().unwrap_or_default();
    let nearly = ["token", "secret", "password"];
    let like = |word: &str| {
        name.len().abs_diff(word.len()) <= 1 && strsim::damerau_levenshtein(name, word) <= 1
    };
    names_a_secret(name) || nearly.into_iter().any(like)
}

/// Masks the string that comes next, up to its end or that of the line.
fn mask_quoted(shown: &mut [u8], line: Range<usize>) {
    let octets = &mut shown[line];
    let value = octets.iter().position(|octet| !octet.is_ascii_whitespace());
    let Some(begin) = value.filter(|at| matches!(octets[*at], b'"' | b'\'')) else {
        return;
    };
    let quote = octets[begin];
    let mut escaped = false;
    for octet in &mut octets[begin + 1..] {
        if (*octet == quote && !escaped) || matches!(octet, b'\r' | b'\n') {
            return;
        }
        escaped = *octet == b'\\' && quote == b'"' && !escaped;
        *octet = b'*';
    }
}

/// A variable's value without what nobody else may see.
pub(super) fn without_secret(name: &str, value: &str) -> String {
    match names_a_secret(&name.replace('_', "-")) {
        true => "*".repeat(value.chars().count()),
        false => without_secrets(value),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_shows_lines_without_their_secrets() {
        for (line, shown) in [
            ("token = \"a\\\"b#=\"\n", "token = \"******\"\n"),
            ("x.tokn='äb' # c", "x.tokn='***' # c"),
            (
                "http = { token = \"ab\", a = \"b\" }",
                "http = { token = \"**\", a = \"b\" }",
            ),
            ("\"secret\" =\t\"ab", "\"secret\" =\t\"**"),
            ("token = { file = \"a\" }", "token = { file = \"a\" }"),
            ("token-file = \"a\"", "token-file = \"a\""),
            (
                "up = [\"ws://a:b@c/d:e@f\", 1]",
                "up = [\"ws://a:*@c/d:e@f\", 1]",
            ),
            (
                "up = \"ws://c:1/\"\r\ntoken = ''",
                "up = \"ws://c:1/\"\r\ntoken = ''",
            ),
            ("= = 'a'", "= = 'a'"),
            (
                "url = \"http://a:1/c?key=K&L\" # b",
                "url = \"http://a:1/c?key=*&*\" # b",
            ),
            ("up = \"plc/?key=K L\"", "up = \"plc/?key=***\""),
            ("up = 'unix:/a:/b?c'", "up = 'unix:/a:/b?*'"),
            ("# does it? a = b", "# does it? a = b"),
        ] {
            assert_eq!(without_secrets(line), shown, "{line}");
        }
        assert_eq!(without_secret("DRAFTGATE_HTTP__TOKEN", "abc"), "***");
        assert_eq!(without_secret("DRAFTGATE_HTTP__TOKEN_FILE", "abc"), "abc");
        let value = "[\"ws://a/?k=v\"]";
        let shown = without_secret("DRAFTGATE_ROUTES__0__UPSTREAM", value);
        assert_eq!(shown, "[\"ws://a/?k=*\"]");
    }

    #[test]
    fn what_is_not_shown_by_its_type_is_masked_by_its_name() {
        for (key, text, shown) in [
            ("auth-token", "\"a\"", Shown::Secret),
            ("token-file", "\"a\"", Shown::text("a")),
            ("secret", "\"a\"", Shown::Secret),
            (
                "secret",
                "{ file = \"a\" }",
                Shown::Is(serde_json::json!({"file": "a"})),
            ),
            (
                "upstream-add",
                "{ Authorization = \"a\", X-Site = \"b\" }",
                Shown::Is(serde_json::json!({"Authorization": MASK, "X-Site": "b"})),
            ),
            (
                "upstream",
                "[\"ws://me:p@a/?key=K\", \"unix:/a:/b?c=d\"]",
                Shown::Is(serde_json::json!([
                    "ws://me:***@a/?key=***",
                    "unix:/a:/b?c=***"
                ])),
            ),
            (
                "ports",
                "[80, \"81-82\"]",
                Shown::Is(serde_json::json!([80, "81-82"])),
            ),
        ] {
            let value = DeValue::parse(text).unwrap();
            assert_eq!(Shown::written(key, value.get_ref()), shown, "{key}");
        }
    }

    #[test]
    fn durations_are_written_in_the_unit_people_take() {
        for (secs, shown) in [(120, "120s"), (3600, "1h"), (7200, "2h"), (90_000, "25h")] {
            assert_eq!(
                Shown::lasting(Duration::from_secs(secs)),
                Shown::text(shown)
            );
        }
        assert_eq!(
            Shown::lasting(Duration::from_millis(50)),
            Shown::text("50ms")
        );
    }
}
