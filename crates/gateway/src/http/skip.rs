//! Where the body of a request ends in the octets that were read, so that the
//! head which follows it can be kept as it came (see [`crate::tap`]).
//!
//! It decides nothing: hyper reads the body by itself and is the one that
//! refuses. If the two disagreed, the head of a later request on the same
//! connection would be kept wrong, and nothing else.

use http::{HeaderMap, HeaderValue, header};

/// What of a body is still to be passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Skip {
    #[default]
    Nothing,
    /// So many octets.
    Octets(u64),
    /// Chunks (RFC 9112 §7.1).
    Chunks(Chunk),
}

/// Where in a chunked body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// In the digits of a size.
    Size(u64),
    /// Behind the digits, before LF.
    Extension(u64),
    /// In the data.
    Data(u64),
    /// Behind the data, before LF.
    End,
    /// In a trailer's line; whether something stood in it.
    Trailer(bool),
}

impl Skip {
    /// The body of a request with `fields`.
    pub(crate) fn body(fields: &HeaderMap) -> Self {
        if fields.contains_key(header::TRANSFER_ENCODING) {
            return Self::Chunks(Chunk::Size(0));
        }
        let length = fields.get(header::CONTENT_LENGTH);
        let length = length.and_then(|value: &HeaderValue| value.to_str().ok()?.parse().ok());
        match length {
            None | Some(0) => Self::Nothing,
            Some(length) => Self::Octets(length),
        }
    }

    /// How many of `octets`, which come next, belong to the body.
    pub(crate) fn pass(&mut self, octets: &[u8]) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Octets(left) => {
                let passed = octets
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                *left -= passed as u64;
                if *left == 0 {
                    *self = Self::Nothing;
                }
                passed
            }
            Self::Chunks(chunk) => {
                let mut at = 0;
                while let Some(octet) = octets.get(at) {
                    match chunk.next(*octet, octets.len() - at) {
                        Some((passed, next)) => {
                            at += passed;
                            *chunk = next;
                        }
                        None => {
                            *self = Self::Nothing;
                            return at + 1;
                        }
                    }
                }
                at
            }
        }
    }
}

impl Chunk {
    /// Takes `octet`, or of `there` octets as many as are data; `None` behind
    /// the last of the body.
    fn next(self, octet: u8, there: usize) -> Option<(usize, Self)> {
        let next = match (self, octet) {
            (Self::Size(0) | Self::Extension(0), b'\n') => Self::Trailer(false),
            (Self::Size(size) | Self::Extension(size), b'\n') => Self::Data(size),
            (Self::Size(size), digit) if digit.is_ascii_hexdigit() => {
                let value = (digit as char).to_digit(16).unwrap_or(0);
                Self::Size(size.saturating_mul(16).saturating_add(value.into()))
            }
            (Self::Size(size) | Self::Extension(size), _) => Self::Extension(size),
            (Self::Data(left), _) => {
                let passed = there.min(usize::try_from(left).unwrap_or(usize::MAX));
                let left = left - passed as u64;
                let next = if left == 0 {
                    Self::End
                } else {
                    Self::Data(left)
                };
                return Some((passed, next));
            }
            (Self::End, b'\n') => Self::Size(0),
            (Self::End, _) => Self::End,
            (Self::Trailer(false), b'\n') => return None,
            (Self::Trailer(true), b'\n') => Self::Trailer(false),
            (Self::Trailer(begun), b'\r') => Self::Trailer(begun),
            (Self::Trailer(_), _) => Self::Trailer(true),
        };
        Some((1, next))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(name: &'static str, value: &'static str) -> HeaderMap {
        let mut fields = HeaderMap::new();
        fields.insert(name, HeaderValue::from_static(value));
        fields
    }

    #[test]
    fn a_body_is_passed_over_wherever_it_is_cut() {
        for (fields, body) in [
            (HeaderMap::new(), ""),
            (fields("content-length", "0"), ""),
            (fields("content-length", "5"), "Hello"),
            (fields("transfer-encoding", "chunked"), "0\r\n\r\n"),
            (
                fields("transfer-encoding", "chunked"),
                "5\r\nHello\r\n0\r\n\r\n",
            ),
            (
                fields("transfer-encoding", "chunked"),
                "1;a=b\r\n\n\r\n00a;x\r\n0123\r\n\r\n89\r\n0\r\nA: b\r\nC: d\r\n\r\n",
            ),
        ] {
            let next = "GET / HTTP/1.1\r\n\r\n";
            let octets = format!("{body}{next}");
            for cut in 0..=octets.len() {
                let mut skip = Skip::body(&fields);
                let mut rest = String::new();
                for part in [&octets[..cut], &octets[cut..]] {
                    let passed = skip.pass(part.as_bytes());
                    rest.push_str(&part[passed..]);
                }
                assert_eq!(rest, next, "{body:?} at {cut}");
            }
        }
    }

    #[test]
    fn octets_of_no_sense_do_no_harm() {
        for octets in [
            &b"fffffffffffffffffffffff\r\nx"[..],
            b"\n\n\n",
            b"\xff\xff",
            b"-1\r\n",
        ] {
            let mut skip = Skip::Chunks(Chunk::Size(0));
            assert!(skip.pass(octets) <= octets.len());
        }
    }
}
