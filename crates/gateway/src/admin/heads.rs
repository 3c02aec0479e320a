//! Heads of requests as operators may see them: short, and without secrets.
//!
//! The rules are those of recordings, with the names that tokens go by in
//! URLs; and because tokens go by any name, long values of a query and long
//! subprotocols, which carry them where a browser can set no field, are taken
//! out, too. `Sec-WebSocket-Key` and its like are no secrets, and what is
//! wrong with them is what is looked for.

use draftgate_record::{REDACTED, Secrets};

use crate::config::Record;

/// As much of a head is kept.
pub(crate) const KEPT: usize = 4096;

/// A value of a query that is longer than this may be a secret: an id of a
/// session has 22 characters or more, a page's name less.
const LONGEST_VALUE: usize = 16;

/// A subprotocol that is longer than this may be one.
const LONGEST_SUBPROTOCOL: usize = 48;

/// How secrets are called in URLs.
const NAMES: [&str; 16] = [
    "access_token",
    "api_key",
    "apikey",
    "auth",
    "authorization",
    "code",
    "jwt",
    "key",
    "passwd",
    "password",
    "secret",
    "session",
    "sid",
    "sig",
    "signature",
    "token",
];

/// Hides what is secret in heads.
#[derive(Debug)]
pub(crate) struct Heads(Secrets);

impl Heads {
    /// As `record` has it, which knows what is secret here, and without `tokens`,
    /// the fields and parameters that let clients in.
    pub(crate) fn new(record: &Record, tokens: &[String]) -> Self {
        let names = NAMES.iter().map(|&name| name.to_owned());
        let names = names.chain(tokens.iter().cloned());
        Self(Secrets {
            keep: false,
            more: names.chain(record.redact.iter().cloned()).collect(),
        })
    }

    /// What may be shown of `head`.
    pub(crate) fn shown(&self, head: &[u8]) -> Box<[u8]> {
        // Cut first, and a secret that is cut is still found.
        let cut = &head[..head.len().min(KEPT)];
        let told = self.0.redacted(cut);
        let mut shown = Vec::with_capacity(told.len());
        for (at, line) in told.split_inclusive(|octet| *octet == b'\n').enumerate() {
            match at == 0 || is_subprotocols(line) {
                true if at == 0 => values(line, &mut shown),
                true => subprotocols(line, &mut shown),
                false => shown.extend_from_slice(line),
            }
        }
        shown.into()
    }
}

/// The line of a request, whose query has no long values then.
fn values(line: &[u8], shown: &mut Vec<u8>) {
    let ends = |octet: &u8| b"?&;# \r\n".contains(octet);
    let mut in_query = false;
    for part in line.split_inclusive(ends) {
        let (text, end) = match part.last().filter(|octet| ends(octet)) {
            Some(_) => part.split_at(part.len() - 1),
            None => (part, &b""[..]),
        };
        let equals = text.iter().position(|octet| *octet == b'=');
        let value = equals.map_or(0, |at| at + 1);
        match in_query && text.len() - value > LONGEST_VALUE {
            true => {
                shown.extend_from_slice(&text[..value]);
                shown.extend_from_slice(REDACTED.as_bytes());
            }
            false => shown.extend_from_slice(text),
        }
        shown.extend_from_slice(end);
        match end {
            b"?" => in_query = true,
            b" " => in_query = false,
            _ => {}
        }
    }
}

fn is_subprotocols(line: &[u8]) -> bool {
    let name = line.split(|octet| *octet == b':').next().unwrap_or(line);
    let name = name.trim_ascii();
    name.eq_ignore_ascii_case(b"sec-websocket-protocol")
        || name.eq_ignore_ascii_case(b"websocket-protocol")
}

/// A field of subprotocols, of which none is long then.
fn subprotocols(line: &[u8], shown: &mut Vec<u8>) {
    let ends = |octet: &u8| b":, \t\r\n".contains(octet);
    for part in line.split_inclusive(ends) {
        let text = part.len() - part.iter().rev().take_while(|octet| ends(octet)).count();
        match text > LONGEST_SUBPROTOCOL {
            true => shown.extend_from_slice(REDACTED.as_bytes()),
            false => shown.extend_from_slice(&part[..text]),
        }
        shown.extend_from_slice(&part[text..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(head: &str) -> String {
        let heads = Heads::new(&Record::default(), &["pass-phrase".to_owned()]);
        String::from_utf8(heads.shown(head.as_bytes()).into_vec()).unwrap()
    }

    #[test]
    fn what_lets_in_is_hidden_by_the_name_that_a_route_gives_it() {
        assert_eq!(
            shown("GET /tv?pass-phrase=ab&a=b HTTP/1.1\r\nPass-Phrase: ab\r\n\r\n"),
            "GET /tv?pass-phrase=redacted&a=b HTTP/1.1\r\nPass-Phrase: redacted\r\n\r\n"
        );
    }

    #[test]
    fn secrets_are_hidden_wherever_clients_put_them() {
        let long = "x".repeat(60);
        let head = format!(
            "GET /tv?token=abc&room=7&t=0123456789abcdefg HTTP/1.1\r\nHost: a\r\nCookie: a=1\r\n\
             Authorization: Basic YTpi\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: chat, {long}\r\n\r\n"
        );
        assert_eq!(
            shown(&head),
            "GET /tv?token=redacted&room=7&t=redacted HTTP/1.1\r\nHost: a\r\nCookie: redacted\r\n\
             Authorization: redacted\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             Sec-WebSocket-Protocol: chat, redacted\r\n\r\n"
        );
    }

    #[test]
    fn what_has_no_secret_stays_as_it_came() {
        for head in [
            "GET /a/very/long/path/that/is/no/query HTTP/1.1\r\nUpgrade: WebSocket\r\n\r\n",
            "\u{16}\u{3}\u{1}\u{2}\u{0}",
            "GET / HTTP/1.1\nhost:a\n\nkey3key3",
            "",
        ] {
            assert_eq!(shown(head), head);
        }
    }

    #[test]
    fn a_head_is_cut_and_a_secret_in_the_cut_is_hidden() {
        let cookie = "c".repeat(2 * KEPT);
        let head = format!("GET / HTTP/1.1\r\nCookie: {cookie}\r\n\r\n");
        assert_eq!(shown(&head), "GET / HTTP/1.1\r\nCookie: redacted");
        let many = format!("GET / HTTP/1.1\r\n{}", "A: b\r\n".repeat(KEPT));
        assert_eq!(shown(&many).len(), KEPT);
    }
}
