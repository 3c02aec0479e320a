//! Secrets in heads: found by the names of their fields, wherever a head may
//! stand, whole or cut off; and taken out of the octets themselves.

use std::ops::Range;

use draftgate_wire::dissect::Kind;

/// What stands in the place of a secret.
pub const REDACTED: &str = "redacted";

/// What is taken out of a recording.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Secrets {
    /// Take nothing out.
    pub keep: bool,
    /// More names, in any letter case: of fields of a head, and of parameters
    /// in a URL of one.
    pub more: Vec<String>,
}

/// A secret in some octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Found {
    /// Its value.
    pub(crate) range: Range<usize>,
    /// The field or parameter.
    pub(crate) name: String,
    /// Whether it goes to the end of its line.
    pub(crate) is_field: bool,
}

impl Secrets {
    /// The secrets in `octets`, which are a head or may hold some; in order.
    pub(crate) fn find(&self, octets: &[u8]) -> Vec<Found> {
        self.find_within(None, octets)
    }

    /// `head` with [`REDACTED`] in the place of every secret.
    #[must_use]
    pub fn redacted(&self, head: &[u8]) -> Vec<u8> {
        let mut told = Vec::with_capacity(head.len());
        let mut from = 0;
        for Found { range, .. } in self.find(head) {
            told.extend_from_slice(&head[from..range.start]);
            told.extend_from_slice(REDACTED.as_bytes());
            from = range.end;
        }
        told.extend_from_slice(&head[from..]);
        told
    }

    /// The same, where `octets` begin in the value of a secret field.
    pub(crate) fn find_within(&self, field: Option<String>, octets: &[u8]) -> Vec<Found> {
        let mut found = Vec::new();
        if self.keep {
            return found;
        }
        let mut at = 0;
        if let Some(name) = field {
            at = field_end(octets, 0);
            let value = octets[..at].trim_ascii_end();
            if !value.is_empty() {
                found.push(Found {
                    range: 0..value.len(),
                    name,
                    is_field: true,
                });
            }
        }
        while at < octets.len() {
            let mut end = line_end(octets, at);
            let line = &octets[at..end];
            let colon = line.iter().position(|octet| *octet == b':');
            let name = colon.map(|colon| line[..colon].trim_ascii());
            match (colon, name.filter(|name| self.is_secret(name))) {
                (Some(colon), Some(name)) => {
                    end = field_end(octets, at);
                    let behind = at + colon + 1;
                    let value = &octets[behind..end];
                    let start = behind + (value.len() - value.trim_ascii_start().len());
                    let stop = behind + value.trim_ascii_end().len();
                    if start < stop {
                        found.push(Found {
                            range: start..stop,
                            name: String::from_utf8_lossy(name).into_owned(),
                            is_field: true,
                        });
                    }
                }
                _ => self.parameters(octets, at..end, &mut found),
            }
            at = end;
        }
        found
    }

    /// The secret field in whose value `octets` end.
    pub(crate) fn unfinished(&self, octets: &[u8]) -> Option<String> {
        if self.keep || octets.ends_with(b"\n") {
            return None;
        }
        let mut lines = octets.split_inclusive(|octet| *octet == b'\n').rev();
        let goes_on = |line: &&[u8]| !line.starts_with(b" ") && !line.starts_with(b"\t");
        let line = lines.find(goes_on)?;
        let name = line.split(|octet| *octet == b':').next()?.trim_ascii();
        let is_field = name.len() < line.len() && line.contains(&b':');
        (is_field && self.is_secret(name)).then(|| String::from_utf8_lossy(name).into_owned())
    }

    fn is_secret(&self, name: &[u8]) -> bool {
        let is = |known: &String| known.as_bytes().eq_ignore_ascii_case(name);
        Kind::of_head_field(name) == Kind::Secret || self.more.iter().any(is)
    }

    /// The values of parameters in the URLs of a line.
    fn parameters(&self, octets: &[u8], line: Range<usize>, found: &mut Vec<Found>) {
        let mut at = line.start;
        while at < line.end {
            let rest = &octets[at..line.end];
            let begin = at > line.start && matches!(octets[at - 1], b'?' | b'&' | b';');
            let named = self.more.iter().find(|name| {
                let (name, after) = (name.as_bytes(), rest.get(name.len()));
                begin && after == Some(&b'=') && rest[..name.len()].eq_ignore_ascii_case(name)
            });
            let Some(name) = named else {
                at += 1;
                continue;
            };
            let start = at + name.len() + 1;
            let value = &octets[start..line.end];
            let over = |octet: &u8| b"&;# \t\r\n\"'<>".contains(octet);
            let length = value.iter().position(over).unwrap_or(value.len());
            if length > 0 {
                found.push(Found {
                    range: start..start + length,
                    name: name.clone(),
                    is_field: false,
                });
            }
            at = start + length;
        }
    }
}

/// Behind the field that begins, or goes on, at `from`: a line that begins with
/// white space goes on with the one before.
fn field_end(octets: &[u8], from: usize) -> usize {
    let mut end = line_end(octets, from);
    while matches!(octets.get(end), Some(b' ' | b'\t')) {
        end = line_end(octets, end);
    }
    end
}

/// Behind the line feed of the line that begins at `from`.
fn line_end(octets: &[u8], from: usize) -> usize {
    let feed = octets[from..].iter().position(|octet| *octet == b'\n');
    feed.map_or(octets.len(), |at| from + at + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(octets: &[u8], more: &[&str]) -> Vec<String> {
        let secrets = Secrets {
            keep: false,
            more: more.iter().map(|&name| name.to_owned()).collect(),
        };
        let found = secrets.find(octets);
        let values = found.iter().map(|it| &octets[it.range.clone()]);
        values
            .map(|v| String::from_utf8_lossy(v).into_owned())
            .collect()
    }

    #[test]
    fn secrets_are_found_in_any_letter_case_folded_and_cut_off() {
        let head = b"GET / HTTP/1.1\r\nCOOKIE:a=1; b=2 \r\nauthorization : Basic\r\n x\r\n\ty\r\nHost: h\r\nset-cookie: c";
        assert_eq!(found(head, &[]), ["a=1; b=2", "Basic\r\n x\r\n\ty", "c"]);
        assert_eq!(found(b"Cookie: a\nX: b\n\n", &[]), ["a"]);
        assert_eq!(found(b"Cookie:\r\n\r\n", &[]), [""; 0]);
    }

    #[test]
    fn more_names_are_fields_and_parameters() {
        let head = b"GET /a?x=1&Token=s3cret&y HTTP/1.1\r\nReferer: http://h/?token=t#f\r\nToken: u\r\nno-token: v\r\n";
        assert_eq!(found(head, &["token"]), ["s3cret", "t", "u"]);
        assert_eq!(found(head, &[]), [""; 0]);
    }

    #[test]
    fn a_head_is_told_without_its_secrets() {
        let head = b"GET /?token=t&a=b HTTP/1.1\r\nCookie: a=1\r\nHost: h\r\n\r\n";
        let secrets = Secrets {
            keep: false,
            more: vec!["token".to_owned()],
        };
        let told = String::from_utf8(secrets.redacted(head)).unwrap();
        assert_eq!(
            told,
            "GET /?token=redacted&a=b HTTP/1.1\r\nCookie: redacted\r\nHost: h\r\n\r\n"
        );
    }

    #[test]
    fn nothing_is_found_where_secrets_are_kept() {
        let secrets = Secrets {
            keep: true,
            more: Vec::new(),
        };
        assert_eq!(secrets.find(b"Cookie: a\r\n"), []);
    }
}
