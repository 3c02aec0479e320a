//! Which side masks, and by what: always the client (RFC 6455 §5.1), with four
//! octets that it draws for every frame. In hybi-04 these are only half of it:
//! they are hashed with what both opening heads said (hybi-04 §5.2).

use draftgate_core::Role;
use sha1::{Digest, Sha1};

use crate::{KeySource, Layout, Masked, hybi::KEY, mask};

const GUID: &str = "61AC5F19-FBBA-4540-B96F-6561F1AB40A8";

/// Octets after which a derived key repeats.
pub(crate) const PERIOD: usize = 20;

/// Which side we are, and what we mask with. A box, for servers are many and
/// nearly all of them have none.
#[derive(Debug)]
pub struct Masking(Option<Box<Secrets>>);

#[derive(Debug, Default)]
struct Secrets {
    /// A client's.
    keys: Option<Box<dyn KeySource>>,
    derived: Option<Derived>,
}

impl Masking {
    /// We are the server: what comes is masked, what goes is not.
    pub fn incoming() -> Self {
        Self(None)
    }

    /// We are the client, who takes a fresh key from `keys` for every frame.
    pub fn outgoing(keys: Box<dyn KeySource>) -> Self {
        Self(Some(Box::new(Secrets {
            keys: Some(keys),
            derived: None,
        })))
    }

    /// The same, where the layout is [`Masked::Derived`].
    #[must_use]
    pub fn derived(mut self, derived: Derived) -> Self {
        self.0.get_or_insert_default().derived = Some(derived);
        self
    }

    /// Which side we are.
    pub fn role(&self) -> Role {
        match self.is_outgoing() {
            true => Role::Client,
            false => Role::Server,
        }
    }

    pub(crate) fn connection(&self) -> Option<[u8; PERIOD]> {
        self.0.as_ref()?.derived.map(|derived| derived.connection)
    }

    pub(crate) fn is_outgoing(&self) -> bool {
        matches!(&self.0, Some(secrets) if secrets.keys.is_some())
    }

    /// A fresh key for a frame that goes; `None` of a server.
    pub(crate) fn fresh(&mut self) -> Option<[u8; KEY]> {
        let mut key = [0; KEY];
        self.0.as_mut()?.keys.as_mut()?.fill(&mut key);
        Some(key)
    }

    /// What a frame is masked with behind the four octets `key`.
    pub(crate) fn of_frame(&self, layout: &Layout, key: [u8; KEY]) -> FrameKey {
        let derived = || self.0.as_ref()?.derived.as_ref();
        match layout.masked {
            Masked::Derived => derived().copied().unwrap_or_default().of_frame(key),
            _ => FrameKey::Short(key),
        }
    }
}

/// The key of a connection of hybi-04, from which that of each frame is made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Derived {
    connection: [u8; PERIOD],
    /// It is used as it stands.
    undivided: bool,
}

impl Derived {
    /// Of the texts of `Sec-WebSocket-Key` and `Sec-WebSocket-Nonce`.
    pub fn new(key: &str, nonce: &str) -> Self {
        let hash = Sha1::new()
            .chain_update(key)
            .chain_update(nonce)
            .chain_update(GUID);
        Self::of_connection(hash.finalize().into())
    }

    /// As a codec tells it.
    pub fn of_connection(connection: [u8; PERIOD]) -> Self {
        Self {
            connection,
            undivided: false,
        }
    }

    /// The same for all frames, whatever stands in front of them: as the
    /// libwebsockets of May 2011 has it, which makes a key for each and does not use it.
    #[must_use]
    pub fn undivided(self) -> Self {
        Self {
            undivided: true,
            ..self
        }
    }

    /// What covers the whole frame behind `key`.
    pub(crate) fn of_frame(&self, key: [u8; KEY]) -> FrameKey {
        if self.undivided {
            return FrameKey::Long(self.connection);
        }
        let hash = Sha1::new().chain_update(key).chain_update(self.connection);
        FrameKey::Long(hash.finalize().into())
    }
}

/// What is repeated over a frame, or over its payload.
#[derive(Debug, Clone, Copy)]
pub(crate) enum FrameKey {
    Short([u8; KEY]),
    Long([u8; PERIOD]),
}

impl FrameKey {
    /// XORs `octets`, before which `phase` octets went under the same key.
    #[inline]
    pub(crate) fn mask(&self, octets: &mut [u8], phase: usize) {
        match self {
            Self::Short(key) => mask(octets, *key, phase),
            Self::Long(key) => {
                let mut turned = *key;
                turned.rotate_left(phase % PERIOD);
                for run in octets.chunks_mut(PERIOD) {
                    for (octet, key) in run.iter_mut().zip(turned) {
                        *octet ^= key;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::{Bytes, BytesMut};
    use draftgate_core::{Limits, Outbox};
    use proptest::prelude::*;

    use super::*;
    use crate::{FixedKeys, Frame, Framing, Hybi, Opcode, Part, layout::tests::DERIVED};

    fn derived() -> Derived {
        Derived::new("dGhlIHNhbXBsZSBub25jZQ==", "H+cNj5elaybfGIQv1esl2w==")
    }

    fn written(key: [u8; KEY], payload: &Bytes) -> BytesMut {
        let keys = Box::new(FixedKeys::new(key));
        let mut client = Hybi::new(&DERIVED, Masking::outgoing(keys).derived(derived()));
        let mut out = Outbox::new();
        client.write(Opcode::Text, payload, &mut out);
        BytesMut::from(&out.take_all()[..])
    }

    #[test]
    fn the_worked_examples_of_hybi_04() {
        assert_eq!(
            derived().connection,
            *b"\x63\x22\xa2\xad\xc0\x2b\xc4\x33\xe3\x89\x6d\x34\x41\x0b\x74\xbb\x77\x39\xf9\x60"
        );
        for (key, wire) in [
            (
                [0x37, 0xfa, 0x21, 0x3d],
                &b"\x37\xfa\x21\x3d\xb4\x65\x52\x35\x03\xbe\x58"[..],
            ),
            ([0, 0, 1, 0], b"\0\0\x01\0\xb1\x83\x45\xea\x92\x6d\x3c"),
        ] {
            assert_eq!(written(key, &Bytes::from_static(b"Hello")), wire);
        }
    }

    #[test]
    fn every_length_and_every_cut_is_read_as_it_was_written() {
        for length in [0, 1, 19, 20, 21, 125, 126, 1_000] {
            let payload = Bytes::from("abcdefghij".repeat(100).into_bytes()).slice(..length);
            let wire = written([1, 2, 3, 4], &payload);
            for cut in 0..=wire.len() {
                let mut server = Hybi::new(&DERIVED, Masking::incoming().derived(derived()));
                let mut read = Vec::new();
                let mut input = BytesMut::from(&wire[..cut]);
                let mut rest = Some(&wire[cut..]);
                loop {
                    match server.read(&mut input, &Limits::default()).unwrap() {
                        Some(Part::Whole(Frame { payload, .. }) | Part::Data(payload)) => {
                            read.extend_from_slice(&payload);
                        }
                        Some(_) => {}
                        None => match rest.take() {
                            Some(rest) => input.extend_from_slice(rest),
                            None => break,
                        },
                    }
                }
                assert_eq!(read, payload, "{length}, cut at {cut}");
            }
        }
    }

    proptest! {
        #[test]
        fn any_phase_goes_on_where_the_octets_before_it_ended(
            plain in prop::collection::vec(any::<u8>(), 0..100),
            key: [u8; PERIOD],
            cut in 0..100_usize,
        ) {
            let key = FrameKey::Long(key);
            let mut whole = plain.clone();
            key.mask(&mut whole, 0);
            let mut parts = plain.clone();
            let (front, back) = parts.split_at_mut(cut.min(plain.len()));
            key.mask(front, 0);
            key.mask(back, front.len());
            prop_assert_eq!(&parts, &whole);
            key.mask(&mut whole, 0);
            prop_assert_eq!(whole, plain);
        }
    }
}
