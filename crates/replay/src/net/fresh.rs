//! What is fresh in each run: keys, masks, and the place that a request names.
//! Everything else of a step is sent as it was recorded.

use draftgate_drafts::{
    KeySource,
    opening::{Keyed, challenge::make_key, parts},
    recorded::answer,
};
use draftgate_vectors::{Content, Placeholder};
use draftgate_wire::mask;

/// Makes steps fresh, one after the other: a mask holds from one to the next.
#[derive(Debug)]
pub(super) struct Fresh<'a> {
    keys: &'a mut dyn KeySource,
    /// The mask that was recorded, and the one that is sent.
    masks: ([u8; 4], [u8; 4]),
    /// How many octets have gone under it.
    phase: usize,
}

impl<'a> Fresh<'a> {
    pub(super) fn new(keys: &'a mut dyn KeySource) -> Self {
        Self {
            keys,
            masks: ([0; 4], [0; 4]),
            phase: 0,
        }
    }

    /// The octets of `content` with new keys and masks.
    pub(super) fn octets(&mut self, content: &Content) -> Vec<u8> {
        let mut fresh = Vec::with_capacity(content.octets.len());
        let mut at = 0;
        for slot in &content.slots {
            fresh.extend_from_slice(&content.octets[at..slot.range.start]);
            let recorded = &content.octets[slot.range.clone()];
            fresh.extend_from_slice(&self.slot(slot.placeholder, recorded));
            at = slot.range.end;
        }
        fresh.extend_from_slice(&content.octets[at..]);
        fresh
    }

    fn slot(&mut self, placeholder: Placeholder, recorded: &[u8]) -> Vec<u8> {
        match placeholder {
            Placeholder::Key => Keyed::fresh(self.keys).key().as_bytes().to_vec(),
            Placeholder::Key1 | Placeholder::Key2 => make_key(self.keys).0.into_bytes(),
            Placeholder::Key3 => {
                let mut key3 = vec![0; recorded.len()];
                self.keys.fill(&mut key3);
                key3
            }
            Placeholder::Mask => {
                let Ok(old) = recorded.try_into() else {
                    return recorded.to_vec();
                };
                let mut new = [0; 4];
                self.keys.fill(&mut new);
                (self.masks, self.phase) = ((old, new), 0);
                new.to_vec()
            }
            Placeholder::Masked => {
                let mut octets = recorded.to_vec();
                mask(&mut octets, self.masks.0, self.phase);
                mask(&mut octets, self.masks.1, self.phase);
                self.phase += octets.len();
                octets
            }
            _ => recorded.to_vec(),
        }
    }
}

/// What a request is told to name instead of what it named when it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place<'a> {
    pub(super) host: &'a str,
    pub(super) resource: &'a str,
    pub(super) origin: Option<&'a str>,
}

impl Place<'_> {
    /// `request` with this target, `Host` and origin. A request that is refused
    /// for one of them stays as it is, for that is what it is there for.
    pub(super) fn put_in(&self, request: &[u8]) -> Vec<u8> {
        let moved = self.moved(request).unwrap_or_else(|| request.to_vec());
        match verdict(&moved) == verdict(request) {
            true => moved,
            false => request.to_vec(),
        }
    }

    fn moved(&self, request: &[u8]) -> Option<Vec<u8>> {
        let head = memchr::memmem::find(request, b"\r\n\r\n")?;
        let (head, rest) = request.split_at(head);
        let mut lines = head.split_inclusive(|octet| *octet == b'\n');
        let mut moved = self.request_line(lines.next()?);
        for line in lines {
            let value = match line.split(|octet| *octet == b':').next()? {
                name if name.eq_ignore_ascii_case(b"Host") => Some(self.host),
                name if name.eq_ignore_ascii_case(b"Origin") => self.origin,
                name if name.eq_ignore_ascii_case(b"Sec-WebSocket-Origin") => self.origin,
                _ => None,
            };
            moved.extend(value.map_or_else(|| line.to_vec(), |value| field(line, value)));
        }
        moved.extend_from_slice(rest);
        Some(moved)
    }

    fn request_line(&self, line: &[u8]) -> Vec<u8> {
        let words: Vec<&[u8]> = line.split(|octet| *octet == b' ').collect();
        match words[..] {
            [method, target, version] if target.starts_with(b"/") => {
                [method, self.resource.as_bytes(), version].join(&b' ')
            }
            _ => line.to_vec(),
        }
    }
}

/// `line` with another value; its name and the spaces behind it stay.
fn field(line: &[u8], value: &str) -> Vec<u8> {
    let colon = line.iter().take_while(|octet| **octet != b':').count();
    let behind = line[colon..].iter().skip(1);
    let spaces = behind.take_while(|octet| **octet == b' ').count();
    let end: &[u8] = match line {
        [.., b'\r', b'\n'] => b"\r\n",
        [.., b'\n'] => b"\n",
        _ => b"",
    };
    let begin = (colon + 1 + spaces).min(line.len());
    [&line[..begin], value.as_bytes(), end].concat()
}

/// What a server makes of a request: its draft, or the code of its refusal.
fn verdict(request: &[u8]) -> Result<draftgate_core::Draft, &'static str> {
    match parts(request) {
        Ok(Some((parts, _))) => answer(&parts)
            .map(|(draft, _)| draft)
            .map_err(|refusal| refusal.code()),
        Ok(None) => Err("partial"),
        Err(_) => Err("malformed"),
    }
}

#[cfg(test)]
mod tests {
    use draftgate_drafts::FixedKeys;

    use super::*;

    const REQUEST: &[u8] = b"GET /old?x=1 HTTP/1.1\r\nhost:  a:1\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nOrigin: http://a\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nrest";

    #[test]
    fn a_request_is_moved_and_keeps_its_shape() {
        let place = Place {
            host: "b:2",
            resource: "/new",
            origin: Some("http://b"),
        };
        let moved = String::from_utf8(place.put_in(REQUEST)).unwrap();
        let old = String::from_utf8(REQUEST.to_vec()).unwrap();
        let wanted = old.replace("/old?x=1", "/new");
        let wanted = wanted
            .replace("host:  a:1", "host:  b:2")
            .replace("http://a", "http://b");
        assert_eq!(moved, wanted);
    }

    #[test]
    fn a_request_that_is_refused_for_its_target_stays() {
        let place = Place {
            host: "b",
            resource: "/new",
            origin: None,
        };
        let bad = b"GET /a\x01b HTTP/1.1\r\nHost: a\r\n\r\n";
        assert_eq!(place.put_in(bad), bad);
    }

    #[test]
    fn what_was_masked_is_masked_anew_and_says_the_same() {
        let vector = "81 85 37 fa 21 3d 7f 9f 4d 51 58";
        let octets = draftgate_testkit::codecs::hex(vector);
        let mut content = Content::exact(octets);
        content.slots = vec![
            draftgate_vectors::Slot {
                range: 2..6,
                placeholder: Placeholder::Mask,
            },
            draftgate_vectors::Slot {
                range: 6..11,
                placeholder: Placeholder::Masked,
            },
        ];
        let mut keys = FixedKeys::new([1, 2, 3, 4]);
        let mut fresh = Fresh::new(&mut keys).octets(&content);
        assert_eq!(fresh[2..6], [1, 2, 3, 4]);
        mask(&mut fresh[6..], [1, 2, 3, 4], 0);
        assert_eq!(&fresh[6..], b"Hello");
    }
}
