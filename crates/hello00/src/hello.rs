//! HELLO, the frame that proves: each side hashes both nonces, its peer's first.
//!
//! A frame with FIN and opcode F: the server's carries its nonce and 16 octets of
//! MD5, the client's the 16 octets alone.

use bytes::{Buf, BytesMut};
use draftgate_core::{Outbox, Rule, Violation};
use draftgate_wire::Proof;
use md5::{Digest, Md5};

/// Octets of a nonce.
pub(crate) const NONCE: usize = 8;

/// Octets of a digest.
const DIGEST: usize = 16;

/// The first octet: FIN, and the opcode F.
const FIRST: u8 = 0x8f;

/// Octets of the client's HELLO, its header included.
pub(crate) const CLIENTS: usize = 2 + DIGEST;

/// Octets of the server's HELLO, its header included.
pub(crate) const SERVERS: usize = 2 + NONCE + DIGEST;

/// Both nonces, the client's first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Nonces {
    pub(crate) client: [u8; NONCE],
    pub(crate) server: [u8; NONCE],
}

impl Nonces {
    fn of_client(self) -> [u8; DIGEST] {
        digest(self.server, self.client)
    }

    fn of_server(self) -> [u8; DIGEST] {
        digest(self.client, self.server)
    }
}

/// MD5 over a nonce, the word and the other nonce.
fn digest(first: [u8; NONCE], second: [u8; NONCE]) -> [u8; DIGEST] {
    let hash = Md5::new().chain_update(first).chain_update("WebSocket");
    hash.chain_update(second).finalize().into()
}

/// A frame of `octets` at the front of `input`; `None` until it is whole. Each
/// octet of its header is judged as it comes.
fn frame<const OCTETS: usize>(input: &[u8]) -> Result<Option<&[u8; OCTETS]>, Violation> {
    let header = [FIRST, (OCTETS - 2) as u8];
    if input.iter().zip(header).any(|(octet, due)| *octet != due) {
        return Err(Rule::HelloInvalid.into());
    }
    Ok(input.first_chunk())
}

/// A server's proof: its HELLO goes with its head, the client's is awaited.
#[derive(Debug)]
pub(crate) struct Server(pub(crate) Nonces);

impl Proof for Server {
    fn start(&mut self, out: &mut Outbox) {
        out.put(&[FIRST, (SERVERS - 2) as u8]);
        out.put(&self.0.server);
        out.put(&self.0.of_server());
    }

    fn receive(&mut self, input: &mut BytesMut, _: &mut Outbox) -> Result<bool, Violation> {
        let Some(frame) = frame::<CLIENTS>(input)? else {
            return Ok(false);
        };
        if frame[2..] != self.0.of_client() {
            return Err(Rule::HelloInvalid.into());
        }
        input.advance(CLIENTS);
        Ok(true)
    }
}

/// A client's, which has read the server's HELLO and may speak at once.
#[derive(Debug)]
pub(crate) struct Client(Nonces);

impl Client {
    /// Takes the server's HELLO, made for the nonce `client`, from the front of
    /// `input`; `None` until it is whole.
    ///
    /// # Errors
    /// It is none, or proves nothing.
    pub(crate) fn answering(
        client: [u8; NONCE],
        input: &mut BytesMut,
    ) -> Result<Option<Self>, Violation> {
        let Some(frame) = frame::<SERVERS>(input)? else {
            return Ok(None);
        };
        let (nonce, digest) = frame[2..].split_at(NONCE);
        let mut nonces = Nonces {
            client,
            server: [0; NONCE],
        };
        nonces.server.copy_from_slice(nonce);
        if digest != nonces.of_server() {
            return Err(Rule::HelloInvalid.into());
        }
        input.advance(SERVERS);
        Ok(Some(Self(nonces)))
    }
}

impl Proof for Client {
    fn start(&mut self, out: &mut Outbox) {
        out.put(&[FIRST, DIGEST as u8]);
        out.put(&self.0.of_client());
    }

    fn receive(&mut self, _: &mut BytesMut, _: &mut Outbox) -> Result<bool, Violation> {
        Ok(true)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]
mod tests {
    use super::*;

    const NONCES: Nonces = Nonces {
        client: [0xa2, 0x3f, 0x2b, 0xca, 0x45, 0x2d, 0xde, 0x01],
        server: [0x15, 0xf0, 0xd2, 0x27, 0x8b, 0xcd, 0x45, 0x7f],
    };

    const SERVERS_HELLO: &[u8] = b"\x8f\x18\x15\xf0\xd2\x27\x8b\xcd\x45\x7f\xee\x7e\xbe\x0c\x36\
        \x9c\xbf\x25\x5a\x44\x51\xfc\x58\xd7\xcc\x4f";

    const CLIENTS_HELLO: &[u8] =
        b"\x8f\x10\x33\x12\x20\x35\xd1\x12\x58\xfd\x7c\x76\x43\x14\x58\x0e\x53\x9c";

    /// The client of Resin, whose nonce is always zero.
    const RESINS_HELLO: &[u8] =
        b"\x8f\x10\x02\xf7\xb1\xbd\xb3\x0b\x37\x5b\x53\x96\x50\xe4\x92\x9c\xe0\xbe";

    #[test]
    fn the_worked_examples_octet_for_octet() {
        let mut out = Outbox::new();
        Server(NONCES).start(&mut out);
        assert_eq!(&out.take_all()[..], SERVERS_HELLO);
        for (client, hello) in [(NONCES.client, CLIENTS_HELLO), ([0; NONCE], RESINS_HELLO)] {
            let nonces = Nonces { client, ..NONCES };
            let mut input = BytesMut::from(&[hello, b"\x84"].concat()[..]);
            assert_eq!(Server(nonces).receive(&mut input, &mut out), Ok(true));
            assert_eq!(&input[..], b"\x84");
        }
        let mut input = BytesMut::from(SERVERS_HELLO);
        let client = Client::answering(NONCES.client, &mut input);
        client.unwrap().unwrap().start(&mut out);
        assert!(input.is_empty());
        assert_eq!(&out.take_all()[..], CLIENTS_HELLO);
    }

    #[test]
    fn the_first_wrong_octet_of_a_header_is_enough_and_any_of_a_digest() {
        let as_server = |input: &mut BytesMut| {
            let mut out = Outbox::new();
            Server(NONCES).receive(input, &mut out)
        };
        let as_client =
            |input: &mut BytesMut| Ok(Client::answering(NONCES.client, input)?.is_some());
        type Reads<'a> = &'a dyn Fn(&mut BytesMut) -> Result<bool, Violation>;
        for (reads, hello) in [
            (&as_server as Reads<'_>, CLIENTS_HELLO),
            (&as_client, SERVERS_HELLO),
        ] {
            for at in 0..hello.len() {
                let mut wrong = hello.to_vec();
                wrong[at] ^= 1;
                // Another nonce has another digest.
                for end in 0..=wrong.len() {
                    let done = reads(&mut BytesMut::from(&wrong[..end]));
                    let told = end == wrong.len() || at < 2 && end > at;
                    let want = if told {
                        Err(Rule::HelloInvalid.into())
                    } else {
                        Ok(false)
                    };
                    assert_eq!(done, want, "{at} of {end}");
                }
            }
        }
    }
}
