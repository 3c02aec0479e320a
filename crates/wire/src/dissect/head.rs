//! A head, line by line: the start line, each field, the empty line. It names
//! no fault: whoever reads the head as HTTP does.

use std::ops::Range;

use bytes::Bytes;
use draftgate_core::{Draft, Role};

use super::{
    Field, Kind, Unit, What,
    values::{Fields, hex, printed, quoted},
};

/// Most lines that are fields of their own: more than any reader of heads takes.
/// A field has a hundred times the room of a line of two octets.
const MOST_LINES: usize = 1024;

impl Unit {
    /// The request or answer at the front of `octets`, to its empty line. Lines
    /// may end in a bare line feed: that it may not stand there is judged
    /// elsewhere. Of more than 1,024 lines those that are left are one field.
    pub fn head(draft: Draft, from: Role, octets: &Bytes) -> Self {
        let (what, start_line) = match from {
            Role::Client => (What::Request, "request line"),
            Role::Server => (What::Answer, "status line"),
        };
        let mut fields = Fields::default();
        let (mut lines, mut size, mut ended) = (0, 0, false);
        while !ended && size < octets.len() {
            let rest = &octets[size..];
            let mut end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            let line = &rest[..end];
            let text = line.trim_ascii_end();
            let bits = 8 * end as u64;
            if size == 0 {
                fields.put(start_line, Kind::StartLine, bits, printed(text));
            } else if line == b"\r\n" || line == b"\n" {
                fields.put("empty line", Kind::End, bits, "");
                ended = true;
            } else if lines == MOST_LINES {
                end = empty_line(rest);
                let value = quoted(&rest[..end]);
                fields.put("further lines", Kind::HeadField, 8 * end as u64, value);
            } else {
                let (name, value) = parted(line);
                let kind = Kind::of_head_field(name);
                let value = printed(&line[value]);
                fields.put(&printed(name), kind, bits, value);
            }
            (lines, size) = (lines + 1, size + end);
        }
        Self {
            cut_off: !ended,
            ..Self::of(what, draft, from, octets.slice(..size), fields)
        }
    }

    /// All of `octets` as one field.
    pub fn whole(
        (what, kind): (What, Kind),
        draft: Draft,
        from: Role,
        octets: Bytes,
        name: &str,
    ) -> Self {
        let mut fields = Fields::default();
        fields.put(name, kind, 8 * octets.len() as u64, hex(&octets));
        Self::of(what, draft, from, octets, fields)
    }

    fn of(what: What, draft: Draft, from: Role, octets: Bytes, fields: Fields) -> Self {
        Self {
            what,
            draft,
            from,
            offset: 0,
            octets,
            fields: fields.done(),
            mask: Bytes::new(),
            payload: Bytes::new(),
            decoded: None,
            within: Vec::new(),
            cut_off: false,
            fault: None,
            tolerated: Vec::new(),
            repaired: false,
            discarded: false,
        }
    }

    /// Where in [`Unit::octets`] the value of `field` stands: of a line of a
    /// head what follows its name and colon, without the spaces around it; of
    /// anything else all octets that it touches.
    pub fn place_of_value(&self, field: &Field) -> Range<usize> {
        let begin = (field.start_bit / 8) as usize;
        let octets = self.octets_of(field);
        let within = match (self.what, field.kind) {
            (What::Request | What::Answer, Kind::StartLine | Kind::End) => {
                0..octets.trim_ascii_end().len()
            }
            (What::Request | What::Answer, _) => parted(octets).1,
            _ => 0..octets.len(),
        };
        begin + within.start..begin + within.end
    }

    /// The octets of the value of `field`, as they are on the wire.
    pub fn value_octets(&self, field: &Field) -> &[u8] {
        self.octets
            .get(self.place_of_value(field))
            .unwrap_or_default()
    }

    /// The field of a head called `name`, in any letter case; the first one.
    pub fn head_field(&self, name: &str) -> Option<&Field> {
        self.fields
            .iter()
            .find(|field| field.name.eq_ignore_ascii_case(name))
    }
}

/// Where in `lines` the first empty one begins; their length if there is none.
fn empty_line(lines: &[u8]) -> usize {
    let ends = [&b"\n\r\n"[..], b"\n\n"].map(|end| memchr::memmem::find(lines, end));
    let first = ends.into_iter().flatten().min();
    first.map_or(lines.len(), |at| at + 1)
}

/// The name in a line of a head, and where its value stands; a line without a
/// colon is all name.
fn parted(line: &[u8]) -> (&[u8], Range<usize>) {
    let end = line.trim_ascii_end().len();
    let Some(colon) = memchr::memchr(b':', &line[..end]) else {
        return (&line[..end], end..end);
    };
    let behind = &line[colon + 1..end];
    let begin = end - behind.trim_ascii_start().len();
    (&line[..colon], begin..end)
}

impl Kind {
    /// What kind the field `name` of a head is, in any letter case.
    pub fn of_head_field(name: &[u8]) -> Self {
        const KINDS: [(&str, Kind); 19] = [
            ("sec-websocket-key", Kind::Key),
            ("sec-websocket-key1", Kind::Key),
            ("sec-websocket-key2", Kind::Key),
            ("sec-websocket-nonce", Kind::Key),
            ("sec-websocket-accept", Kind::Proof),
            ("date", Kind::Date),
            ("expires", Kind::Date),
            ("last-modified", Kind::Date),
            ("cookie", Kind::Secret),
            ("cookie2", Kind::Secret),
            ("set-cookie", Kind::Secret),
            ("set-cookie2", Kind::Secret),
            ("authorization", Kind::Secret),
            ("proxy-authorization", Kind::Secret),
            ("authentication-info", Kind::Secret),
            ("proxy-authentication-info", Kind::Secret),
            ("x-api-key", Kind::Secret),
            ("x-auth-token", Kind::Secret),
            ("x-csrf-token", Kind::Secret),
        ];
        let known = KINDS
            .iter()
            .find(|(known, _)| name.eq_ignore_ascii_case(known.as_bytes()));
        known.map_or(Self::HeadField, |(_, kind)| *kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(octets: &'static [u8]) -> Unit {
        Unit::head(Draft::Hixie75, Role::Client, &Bytes::from_static(octets))
    }

    #[test]
    fn a_head_is_its_lines() {
        let unit = head(b"GET / HTTP/1.1\r\nHost:  a \r\nCOOKIE:b=c\r\n\r\n\x00Hi\xff");
        let named: Vec<_> = unit
            .fields
            .iter()
            .map(|f| (&*f.name, f.kind, unit.value_octets(f)))
            .collect();
        assert_eq!(
            named,
            [
                ("request line", Kind::StartLine, &b"GET / HTTP/1.1"[..]),
                ("Host", Kind::HeadField, b"a"),
                ("COOKIE", Kind::Secret, b"b=c"),
                ("empty line", Kind::End, b""),
            ]
        );
        assert!(!unit.cut_off);
        assert_eq!(unit.octets.len(), 41);
        assert_eq!(unit.head_field("host").unwrap().value, "a");
    }

    #[test]
    fn a_head_without_its_empty_line_is_cut_off() {
        for octets in [
            &b"GET / HTTP/1.1\r\nHost: a\r\n"[..],
            b"GET",
            b"GET /\r\nHost",
            b"",
        ] {
            let unit = head(octets);
            assert!(unit.cut_off);
            assert_eq!(unit.octets, octets);
        }
    }

    #[test]
    fn odd_lines_are_lines_all_the_same() {
        let unit = head(b"x\n: y\nno colon \r\n a: b\r\n\n");
        let values: Vec<_> = unit.fields.iter().map(|f| unit.value_octets(f)).collect();
        assert_eq!(values, [&b"x"[..], b"y", b"", b"b", b""]);
        assert_eq!(unit.fields[2].name, "no colon");
    }

    #[test]
    fn lines_beyond_a_bound_are_one_field() {
        for end in [&b"\r\n"[..], b"\n", b""] {
            let octets = [b"GET\n", &b"a\n".repeat(100_000)[..], end, b"more"].concat();
            let unit = Unit::head(Draft::Hixie75, Role::Client, &octets.clone().into());
            let last = unit.fields.last().unwrap();
            let size = octets.len() - if end.is_empty() { 0 } else { 4 };
            assert_eq!((unit.octets.len(), unit.cut_off), (size, end.is_empty()));
            assert_eq!(last.start_bit + last.len_bits, 8 * size as u64);
            let folded = &unit.fields[MOST_LINES];
            assert_eq!(folded.name, "further lines");
            assert!(folded.value.len() < 1000 && unit.fields.len() <= MOST_LINES + 2);
        }
    }
}
