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

/// A value of a query that is longer than this may be a secret: tokens have 16
/// characters or more, a page's name mostly less.
const LONGEST_VALUE: usize = 15;

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
            match () {
                () if at == 0 => request(line, &mut shown),
                () if !is_field(line) => {
                    shown.extend_from_slice(REDACTED.as_bytes());
                    shown.extend_from_slice(line_end(line));
                }
                () if is_subprotocols(line) => subprotocols(line, &mut shown),
                () => nameless(line, &mut shown),
            }
        }
        shown.into()
    }
}

/// Whether a line is one that nobody can take for anything else: what has no
/// colon, or a CR within, may hide a field from whoever looks for it by name.
fn is_field(line: &[u8]) -> bool {
    let text = &line[..line.len() - line_end(line).len()];
    text.is_empty() || (text.contains(&b':') && !text.contains(&b'\r'))
}

fn line_end(line: &[u8]) -> &[u8] {
    let ends = line.iter().rev();
    let ends = ends
        .take_while(|octet| matches!(octet, b'\r' | b'\n'))
        .count();
    &line[line.len() - ends..]
}

/// A line without the name and password that may stand before a host.
fn nameless(line: &[u8], shown: &mut Vec<u8>) {
    let is_host = line.len() > 5 && line[..5].eq_ignore_ascii_case(b"host:");
    match line.iter().rposition(|octet| *octet == b'@') {
        Some(at) if is_host => {
            shown.extend_from_slice(b"Host: ");
            shown.extend_from_slice(REDACTED.as_bytes());
            shown.extend_from_slice(&line[at..]);
        }
        _ => shown.extend_from_slice(line),
    }
}

/// The line of a request. Where its query is no such thing (a space, a `#`, a
/// name that is percent-encoded), all of it may be a secret.
fn request(line: &[u8], shown: &mut Vec<u8>) {
    let end = line.len() - line_end(line).len();
    let version = memchr::memmem::rfind(&line[..end], b" HTTP/").unwrap_or(end);
    let (target, rest) = line.split_at(version);
    let mut target = target.to_vec();
    if let Some(scheme) = memchr::memmem::find(&target, b"://") {
        let host = scheme + 3;
        let over = target[host..]
            .iter()
            .position(|octet| b"/?#".contains(octet));
        let over = over.map_or(target.len(), |at| host + at);
        if let Some(at) = target[host..over].iter().rposition(|octet| *octet == b'@') {
            target.splice(host..host + at, REDACTED.bytes());
        }
    }
    let query = target.iter().position(|octet| b"?#".contains(octet));
    let (before, query) = target.split_at(query.unwrap_or(target.len()));
    let odd = query.iter().skip(1).any(|octet| b" #?\r".contains(octet)) || query.starts_with(b"#");
    let encoded = query.split(|octet| b"?&;".contains(octet)).any(|pair| {
        let name = pair.split(|octet| *octet == b'=').next().unwrap_or(pair);
        name.contains(&b'%')
    });
    shown.extend_from_slice(before);
    match odd || encoded {
        true => {
            shown.push(query[0]);
            shown.extend_from_slice(REDACTED.as_bytes());
        }
        false => values(query, shown),
    }
    shown.extend_from_slice(rest);
}

/// A query, which has no long values then.
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
            "GET / HTTP/1.1\nhost:a\n\n",
            "",
        ] {
            assert_eq!(shown(head), head);
        }
    }

    #[test]
    fn what_is_no_head_hides_nothing() {
        for (head, told) in [
            (
                "GET /?t=SECRET SECRET HTTP/1.1\r\n",
                "GET /?redacted HTTP/1.1\r\n",
            ),
            (
                "GET /?%74=SECRET HTTP/1.1\r\n",
                "GET /?redacted HTTP/1.1\r\n",
            ),
            ("GET /#t=SECRET HTTP/1.1\r\n", "GET /#redacted HTTP/1.1\r\n"),
            (
                "GET http://user:SECRET@h/a HTTP/1.1\r\nHost: user:SECRET@h\r\n",
                "GET http://redacted@h/a HTTP/1.1\r\nHost: redacted@h\r\n",
            ),
            (
                "GET / HTTP/1.1\r\nA: b\rCookie: SECRET\r\nCookie SECRET\r\nHost: a\r\n",
                "GET / HTTP/1.1\r\nredacted\r\nredacted\r\nHost: a\r\n",
            ),
        ] {
            assert_eq!(shown(head), told);
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
