//! A client's request: written from an [`Ask`](super::Ask), and read back from
//! its octets, so that a recorded request is checked by the same code as our own.

use bytes::{BufMut, Bytes, BytesMut};
use http::HeaderName;

use super::{Refusal, RefusalKind};

/// Most fields of a request; the limit that servers set as well.
const MAX_FIELDS: usize = 100;

/// A request as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asked {
    /// Path and query.
    pub resource: String,
    /// Names and values in their order.
    pub fields: Vec<(String, String)>,
    /// What follows the empty line: hixie-76's key3.
    pub body: Bytes,
}

impl Asked {
    /// Writes a request; `fields` in their order, names in their letter case.
    ///
    /// # Errors
    /// [`RefusalKind::AskUnspeakable`] if something in it would break out of
    /// its line.
    pub fn write<'a>(
        resource: &str,
        fields: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<BytesMut, Refusal> {
        let visible = |o: &u8| (0x21..0x7f).contains(o);
        if !resource.starts_with('/') || !resource.as_bytes().iter().all(visible) {
            let detail = "the path must begin with / and be percent-encoded";
            return Err(Refusal::with(RefusalKind::AskUnspeakable, detail));
        }
        let mut request = BytesMut::with_capacity(256);
        request.put_slice(format!("GET {resource} HTTP/1.1\r\n").as_bytes());
        for (name, value) in fields {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                let detail = format!("`{}` is no name of a field", name.escape_debug());
                return Err(Refusal::with(RefusalKind::AskUnspeakable, detail));
            }
            if value.iter().any(|o| *o < 0x20 && *o != b'\t' || *o == 0x7f) {
                let detail = format!("{name} holds a control character");
                return Err(Refusal::with(RefusalKind::AskUnspeakable, detail));
            }
            request.put_slice(name.as_bytes());
            request.put_slice(b": ");
            request.put_slice(value);
            request.put_slice(b"\r\n");
        }
        request.put_slice(b"\r\n");
        Ok(request)
    }

    /// Reads a request back.
    ///
    /// # Errors
    /// [`RefusalKind::AskUnspeakable`] if it is no whole HTTP request.
    pub fn read(octets: &[u8]) -> Result<Self, Refusal> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let no_request = |why: String| Refusal::with(RefusalKind::AskUnspeakable, why);
        let end = match request.parse(octets) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) => {
                return Err(no_request("the request's head is not whole".into()));
            }
            Err(e) => return Err(no_request(e.to_string())),
        };
        let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
        Ok(Self {
            resource: request.path.unwrap_or_default().to_owned(),
            fields: request
                .headers
                .iter()
                .map(|f| (f.name.to_owned(), text(f.value)))
                .collect(),
            body: Bytes::copy_from_slice(&octets[end..]),
        })
    }

    /// The first field called `name`, in any letter case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }

    /// The field called `name`.
    ///
    /// # Errors
    /// [`RefusalKind::AskUnspeakable`] if it is missing.
    pub fn must(&self, name: &str) -> Result<&str, Refusal> {
        self.field(name)
            .ok_or_else(|| Refusal::with(RefusalKind::AskUnspeakable, format!("{name} is missing")))
    }

    /// The URL as hixie's Location fields repeat it: host lower-cased, the
    /// scheme's default port left out (hixie-76 §4.1 step 9).
    ///
    /// # Errors
    /// There is no `Host`.
    pub fn url(&self, secure: bool) -> Result<String, Refusal> {
        Ok(self.url_of(secure, self.must("host")?))
    }

    /// The URLs that a server may take the request to have been sent to, by its
    /// `X-Forwarded-Proto` and `X-Forwarded-Host`, of which servers read one,
    /// the other, or both. Browsers send neither: then there are none.
    ///
    /// # Errors
    /// There is no `Host`.
    pub fn forwarded_urls(&self, secure: bool) -> Result<Vec<String>, Refusal> {
        let own = (secure, self.must("host")?);
        let proto = self.field("x-forwarded-proto");
        let proto = proto.map_or(secure, |proto| matches!(proto, "https" | "wss"));
        let host = self.field("x-forwarded-host").unwrap_or(own.1);
        let forwarded = [(proto, host), (secure, host), (proto, own.1)];
        let others = forwarded.iter().filter(|url| **url != own);
        Ok(others
            .map(|(secure, host)| self.url_of(*secure, host))
            .collect())
    }

    fn url_of(&self, secure: bool, host: &str) -> String {
        let host = host.to_ascii_lowercase();
        let (scheme, default) = if secure {
            ("wss", ":443")
        } else {
            ("ws", ":80")
        };
        let host = host.strip_suffix(default).unwrap_or(&host);
        format!("{scheme}://{host}{}", self.resource)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_back() {
        let fields = [("Host", &b"Example.com:80"[..]), ("Key", b"a  b")];
        let mut octets = Asked::write("/a?b", fields).unwrap();
        octets.extend_from_slice(b"12345678");
        let asked = Asked::read(&octets).unwrap();
        assert_eq!(asked.field("key"), Some("a  b"));
        assert_eq!(asked.url(false).unwrap(), "ws://example.com/a?b");
        assert_eq!(asked.url(true).unwrap(), "wss://example.com:80/a?b");
        assert_eq!(&asked.body[..], b"12345678");
    }

    #[test]
    fn a_request_may_have_been_sent_to_what_it_forwards() {
        let urls = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, value)| (*name, value.as_bytes()));
            let all = [("Host", &b"inner:9000"[..])].into_iter().chain(fields);
            let asked = Asked::read(&Asked::write("/a?b", all).unwrap()).unwrap();
            asked.forwarded_urls(false).unwrap()
        };
        assert_eq!(urls(&[]), [""; 0]);
        assert_eq!(urls(&[("X-Forwarded-Proto", "http")]), [""; 0]);
        let host = ("X-Forwarded-Host", "Example.com:443");
        let proto = ("x-forwarded-proto", "https");
        assert_eq!(urls(&[host])[0], "ws://example.com:443/a?b");
        assert_eq!(urls(&[proto])[0], "wss://inner:9000/a?b");
        let both = [
            "wss://example.com/a?b",
            "ws://example.com:443/a?b",
            "wss://inner:9000/a?b",
        ];
        assert_eq!(urls(&[host, proto]), both);
    }

    #[test]
    fn nothing_breaks_out_of_its_line() {
        for (resource, value) in [
            ("/ HTTP/1.1\r\nA: b", "x"),
            ("a", "x"),
            ("/", "x\r\nA: b"),
            ("/", "\x7f"),
        ] {
            let error = Asked::write(resource, [("N", value.as_bytes())]).unwrap_err();
            assert_eq!(error.kind, RefusalKind::AskUnspeakable);
        }
        for name in ["A: b\r\nC", "A b", "A:", ""] {
            let error = Asked::write("/", [(name, &b"x"[..])]).unwrap_err();
            assert_eq!(error.kind, RefusalKind::AskUnspeakable, "{name}");
        }
    }

    #[test]
    fn half_a_request_is_refused() {
        assert!(Asked::read(b"GET / HTTP/1.1\r\nHost: a\r\n").is_err());
    }
}
