//! The head of a request or an answer as it stands in a recording: letter case,
//! order and inner spaces kept, for the drafts before hybi-04 compare them. No
//! HTTP library's map is used because it has lost all three.

use bytes::Bytes;

/// Where a head ends.
const END: &[u8] = b"\r\n\r\n";

/// First line and fields of a recorded request or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    octets: Bytes,
    first_line: String,
    fields: Vec<(String, String)>,
}

impl Head {
    /// The head at the front of `stream`; `None` if its empty line is not there.
    pub(crate) fn of(stream: &Bytes) -> Option<Self> {
        let end = stream.windows(END.len()).position(|w| w == END)? + END.len();
        let octets = stream.slice(..end);
        let text = String::from_utf8_lossy(&octets);
        let mut lines = text.split("\r\n");
        let first_line = lines.next().unwrap_or_default().to_owned();
        let fields = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
            .collect();
        Some(Self {
            octets,
            first_line,
            fields,
        })
    }

    /// The octets, through the empty line.
    pub fn octets(&self) -> &Bytes {
        &self.octets
    }

    /// The request line or the status line, without its line end.
    pub fn first_line(&self) -> &str {
        &self.first_line
    }

    /// The second word of the request line; `None` in a line without one. Of
    /// an answer it is the status code.
    pub fn target(&self) -> Option<&str> {
        self.first_line.split(' ').nth(1)
    }

    /// Names and values in their order; spaces around a value are dropped.
    pub fn fields(&self) -> &[(String, String)] {
        &self.fields
    }

    /// The value of the first field `name`, in any letter case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields
            .iter()
            .find(|(n, _)| n.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REQUEST: &[u8] = b"GET /a?b HTTP/1.1\r\nHost:  h \r\nKey1: 1  2\r\n\r\n12345678";

    #[test]
    fn order_case_and_inner_spaces_are_kept() {
        let head = Head::of(&Bytes::from_static(REQUEST)).unwrap();
        assert_eq!(head.first_line(), "GET /a?b HTTP/1.1");
        assert_eq!(head.target(), Some("/a?b"));
        assert_eq!(head.fields()[1], ("Key1".into(), "1  2".into()));
        assert_eq!(head.field("HOST"), Some("h"));
        assert_eq!(head.field("Origin"), None);
        assert_eq!(head.octets().len(), REQUEST.len() - 8);
    }

    #[test]
    fn a_head_without_its_empty_line_is_none() {
        assert_eq!(Head::of(&Bytes::from_static(b"GET / HTTP/1.1\r\n")), None);
        assert_eq!(Head::of(&Bytes::new()), None);
    }
}
