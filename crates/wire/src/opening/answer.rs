//! A server's answer as a client reads it: the head's octets, and no more.

use bytes::{Bytes, BytesMut};

use super::{Refusal, RefusalKind};

/// Longest head of an answer, in octets; the same limit as for requests.
pub const MAX_HEAD: usize = 16 * 1024;

/// Most fields of an answer; the same limit as for requests.
const MAX_FIELDS: usize = 100;

/// A server's head, as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The head's octets, empty line included.
    pub head: Bytes,
    /// The status code.
    pub status: u16,
    /// Names and values in their order.
    pub fields: Vec<(String, Vec<u8>)>,
}

impl Answer {
    /// Takes a head from the front of `input`; `None` until it is whole.
    ///
    /// # Errors
    /// It is too long, or no HTTP head.
    pub fn read(input: &mut BytesMut) -> Result<Option<Self>, Refusal> {
        let searched = &input[..input.len().min(MAX_HEAD)];
        let Some(end) = memchr::memmem::find(searched, b"\r\n\r\n") else {
            if input.len() >= MAX_HEAD {
                return Err(RefusalKind::AnswerTooLong.into());
            }
            return Ok(None);
        };
        let head = input.split_to(end + 4).freeze();
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        let malformed = |why: String| Refusal::with(RefusalKind::AnswerMalformed, why);
        match response.parse(&head) {
            Ok(httparse::Status::Complete(end)) if end == head.len() => {}
            // Bare line feeds end it sooner, empty lines in front put it off.
            Ok(_) => return Err(malformed("its lines do not end in CR LF".into())),
            Err(e) => return Err(malformed(e.to_string())),
        }
        let status = response.code.unwrap_or(0);
        let fields = response
            .headers
            .iter()
            .map(|field| (field.name.to_owned(), field.value.to_vec()))
            .collect();
        Ok(Some(Self {
            head,
            status,
            fields,
        }))
    }

    /// The status line, without its end.
    pub fn status_line(&self) -> String {
        let end = memchr::memchr(b'\r', &self.head).unwrap_or(self.head.len());
        String::from_utf8_lossy(&self.head[..end]).into_owned()
    }

    /// # Errors
    /// [`RefusalKind::AnswerStatus`] with the status line, unless it is 101.
    pub fn switched(&self) -> Result<(), Refusal> {
        if self.status == 101 {
            return Ok(());
        }
        let mut detail = self.status_line();
        if let Some((_, versions)) = self.named("sec-websocket-version").next() {
            detail += &format!("; it speaks versions {}", String::from_utf8_lossy(versions));
        }
        Err(Refusal::with(RefusalKind::AnswerStatus, detail))
    }

    /// The fields called `name`, in any letter case.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        self.fields
            .iter()
            .filter(move |(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(n, v)| (n.as_str(), v.as_slice()))
    }

    /// The value of the field `name` if it stands at most once.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerField`] if it is repeated.
    pub fn at_most_one<'a>(&'a self, name: &'a str) -> Result<Option<&'a [u8]>, Refusal> {
        let mut values = self.named(name).map(|(_, value)| value);
        let first = values.next();
        if values.next().is_some() {
            let detail = format!("{name} stands more than once");
            return Err(Refusal::with(RefusalKind::AnswerField, detail));
        }
        Ok(first)
    }

    /// The value of the field `name`, which must stand exactly once.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerField`] if it is missing or repeated.
    pub fn exactly_one<'a>(&'a self, name: &'a str) -> Result<&'a [u8], Refusal> {
        self.at_most_one(name)?
            .ok_or_else(|| Refusal::with(RefusalKind::AnswerField, format!("{name} is missing")))
    }

    /// Checks that the field `name` stands once and is `wanted`.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerField`], or `otherwise` with both values.
    pub fn must_equal(
        &self,
        name: &str,
        wanted: &str,
        otherwise: RefusalKind,
    ) -> Result<(), Refusal> {
        let value = self.exactly_one(name)?;
        if value == wanted.as_bytes() {
            return Ok(());
        }
        let found = String::from_utf8_lossy(value);
        Err(Refusal::with(
            otherwise,
            format!("{name} is `{found}`, not `{wanted}`"),
        ))
    }

    /// The values of the field `name` as hixie's own clients read them: one
    /// space after the colon is skipped, every other octet counts
    /// (hixie-75 §3.1, hixie-76 §4.1).
    pub fn written<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        let mut rest = self.head.as_ref();
        let lines = std::iter::from_fn(move || {
            let end = memchr::memmem::find(rest, b"\r\n")?;
            let line = &rest[..end];
            rest = &rest[end + 2..];
            Some(line)
        });
        lines.skip(1).filter_map(move |line| {
            let colon = memchr::memchr(b':', line)?;
            let value = &line[colon + 1..];
            let named = line[..colon].eq_ignore_ascii_case(name.as_bytes());
            named.then(|| value.strip_prefix(b" ").unwrap_or(value))
        })
    }

    /// Checks that the field `name` stands once and is [`written`](Self::written)
    /// as `wanted`.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerField`], or `otherwise` with both values.
    pub fn must_be_written(
        &self,
        name: &str,
        wanted: &str,
        otherwise: RefusalKind,
    ) -> Result<(), Refusal> {
        self.must_be_one_of(name, wanted, &[], otherwise)
    }

    /// The same, where each of `others` is as good as `wanted`.
    ///
    /// # Errors
    /// As [`must_be_written`](Self::must_be_written).
    pub fn must_be_one_of(
        &self,
        name: &str,
        wanted: &str,
        others: &[String],
        otherwise: RefusalKind,
    ) -> Result<(), Refusal> {
        self.exactly_one(name)?;
        let found = self.written(name).next().unwrap_or_default();
        if found == wanted.as_bytes() || others.iter().any(|it| found == it.as_bytes()) {
            return Ok(());
        }
        let found = String::from_utf8_lossy(found);
        let detail = format!("{name} is `{found}`, not `{wanted}`");
        Err(Refusal::with(otherwise, detail))
    }

    /// Checks that `Upgrade` names WebSocket and nothing else, and stands once.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerField`] or [`RefusalKind::AnswerUpgrade`].
    pub fn upgrade_is_websocket(&self) -> Result<(), Refusal> {
        let value = self.exactly_one("upgrade")?;
        if value.eq_ignore_ascii_case(b"websocket") {
            return Ok(());
        }
        let detail = format!("Upgrade is `{}`", String::from_utf8_lossy(value));
        Err(Refusal::with(RefusalKind::AnswerUpgrade, detail))
    }

    /// Checks that the field `name` has `token` in its list or lists, in any
    /// letter case.
    ///
    /// # Errors
    /// `otherwise`, with what it has.
    pub fn must_list(
        &self,
        name: &str,
        token: &str,
        otherwise: RefusalKind,
    ) -> Result<(), Refusal> {
        let values: Vec<&[u8]> = self.named(name).map(|(_, value)| value).collect();
        let listed = |value: &&[u8]| {
            let mut tokens = value.split(|o| *o == b',');
            tokens.any(|found| found.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
        };
        if values.iter().any(listed) {
            return Ok(());
        }
        let detail = match values.is_empty() {
            true => format!("{name} is missing"),
            false => {
                let found = values.join(&b", "[..]);
                format!("{name} is `{}`", String::from_utf8_lossy(&found))
            }
        };
        Err(Refusal::with(otherwise, detail))
    }

    /// The server's choice among the subprotocols `asked`.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerSubprotocol`] if it was not asked for.
    pub fn subprotocol(&self, name: &str, asked: &[String]) -> Result<Option<String>, Refusal> {
        let Some(value) = self.at_most_one(name)? else {
            return Ok(None);
        };
        let chosen = String::from_utf8_lossy(value).into_owned();
        if asked.contains(&chosen) {
            return Ok(Some(chosen));
        }
        Err(Refusal::with(
            RefusalKind::AnswerSubprotocol,
            format!("it chose `{chosen}`"),
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_head_is_taken_at_any_cut() {
        let octets = b"HTTP/1.1 101 Ok\r\nA: 1\r\na: 2\r\n\r\n\x00Hi\xff";
        for cut in 0..octets.len() {
            let mut input = BytesMut::from(&octets[..cut]);
            let early = Answer::read(&mut input).unwrap();
            input.extend_from_slice(&octets[cut..]);
            let answer = early.or_else(|| Answer::read(&mut input).unwrap()).unwrap();
            assert_eq!((&input[..], answer.status), (&b"\x00Hi\xff"[..], 101));
            assert!(answer.at_most_one("a").is_err());
            assert!(answer.exactly_one("b").is_err());
            assert_eq!(answer.status_line(), "HTTP/1.1 101 Ok");
        }
    }

    #[test]
    fn every_octet_of_a_written_value_counts_but_one_space() {
        let octets = b"HTTP/1.1 101 Ok\r\nA:1\r\nB: 1\r\nC:  1\r\nD: 1 \r\n\r\n";
        let answer = Answer::read(&mut BytesMut::from(&octets[..])).unwrap();
        let answer = answer.unwrap();
        for (name, good) in [("a", true), ("B", true), ("c", false), ("d", false)] {
            let kind = RefusalKind::AnswerOrigin;
            let found = answer.must_be_written(name, "1", kind);
            assert_eq!(found.is_ok(), good, "{name}");
            assert!(answer.must_equal(name, "1", kind).is_ok(), "{name}");
        }
    }

    #[test]
    fn a_token_is_found_in_any_list() {
        let octets = b"HTTP/1.1 101 Ok\r\nA: x\r\nA: keep-alive, UPGRADE\r\nB: upgraded\r\n\r\n";
        let answer = Answer::read(&mut BytesMut::from(&octets[..])).unwrap();
        let answer = answer.unwrap();
        let kind = RefusalKind::AnswerConnection;
        assert!(answer.must_list("a", "upgrade", kind).is_ok());
        for (name, said) in [("B", "B is `upgraded`"), ("C", "C is missing")] {
            let refusal = answer.must_list(name, "upgrade", kind).unwrap_err();
            assert!(refusal.to_string().contains(said), "{refusal}");
        }
    }

    #[test]
    fn an_endless_head_is_refused() {
        let mut input = BytesMut::from(&[b'a'; MAX_HEAD][..]);
        let refusal = Answer::read(&mut input).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::AnswerTooLong);
    }

    #[test]
    fn a_head_that_ends_elsewhere_than_at_its_empty_line_is_refused() {
        for octets in [
            &b"HTTP/1.1 101 Ok\nA: 1\n\n\x00Hi\xff\r\n\r\n"[..],
            b"\r\n\r\nHTTP/1.1 101 Ok\r\n\r\n",
        ] {
            let refusal = Answer::read(&mut BytesMut::from(octets)).unwrap_err();
            assert_eq!(refusal.kind, RefusalKind::AnswerMalformed, "{octets:02x?}");
        }
    }

    #[test]
    fn a_refusal_tells_the_status_line_and_the_versions() {
        let mut input = BytesMut::from(
            &b"HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13, 8\r\n\r\n"[..],
        );
        let answer = Answer::read(&mut input).unwrap().unwrap();
        let refusal = answer.switched().unwrap_err().to_string();
        assert!(
            refusal.contains("426 Upgrade Required; it speaks versions 13, 8"),
            "{refusal}"
        );
    }
}
