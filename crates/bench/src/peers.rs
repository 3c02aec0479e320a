//! Other libraries, where they do the same as we do: what they let the public
//! call. tungstenite keeps its masking to itself, so there whole connections
//! are compared, without a socket.

use std::io::{self, Read, Write};

use bytes::Bytes;
use fastwebsockets::{Frame, OpCode, Payload};
use tungstenite::{Message, WebSocket, protocol::Role};

/// A socket that takes everything at once and says `octets` again and again.
#[derive(Debug)]
pub struct Endless {
    octets: Bytes,
    at: usize,
    /// How many octets were written.
    written: usize,
}

impl Read for Endless {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let octets = &self.octets[self.at..];
        let count = octets.len().min(into.len());
        into[..count].copy_from_slice(&octets[..count]);
        self.at = (self.at + count) % self.octets.len();
        Ok(count)
    }
}

impl Write for Endless {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.written += octets.len();
        Ok(octets.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A connection of tungstenite's.
#[derive(Debug)]
pub struct Tungstenite(WebSocket<Endless>);

impl Tungstenite {
    /// A client, which masks.
    pub fn client() -> Self {
        Self::new(Bytes::new(), Role::Client)
    }

    /// A server that hears `octets`, whole frames of a client's, without end.
    pub fn server(octets: &Bytes) -> Self {
        Self::new(octets.clone(), Role::Server)
    }

    fn new(octets: Bytes, role: Role) -> Self {
        let socket = Endless {
            octets,
            at: 0,
            written: 0,
        };
        Self(WebSocket::from_raw_socket(socket, role, None))
    }

    /// Writes `payload` as one frame; how many octets that is.
    ///
    /// # Panics
    /// If it refuses.
    pub fn encode(&mut self, payload: &Bytes) -> usize {
        let before = self.0.get_ref().written;
        let message = Message::Binary(payload.clone());
        self.0.send(message).expect("the socket takes everything");
        self.0.get_ref().written - before
    }

    /// The next message's length.
    ///
    /// # Panics
    /// If the octets are no client's.
    pub fn decode(&mut self) -> usize {
        self.0.read().expect("whole frames").len()
    }
}

/// Writes `payload` as one masked frame of fastwebsockets' into `buffer`; how
/// many octets that is.
pub fn fastwebsockets_encode(payload: &[u8], buffer: &mut Vec<u8>) -> usize {
    let mut frame = Frame::new(true, OpCode::Binary, None, Payload::Borrowed(payload));
    frame.mask();
    frame.write(buffer).len()
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;
    use draftgate_core::{Draft, Outbox};
    use draftgate_drafts::RandomKeys;

    use super::*;
    use crate::{
        ends::{decode, encode, frame, pair},
        payload::{SIZES, ascii},
    };

    #[test]
    fn all_of_them_write_frames_of_one_length() {
        let (mut client, _) = pair(Draft::Hybi13, &mut RandomKeys);
        let mut tungstenite = Tungstenite::client();
        for size in SIZES {
            let payload = Bytes::from(ascii(size));
            let ours = draftgate_core::Message::Binary(payload.clone());
            let ours = encode(&mut *client, &ours, &mut Outbox::new());
            assert_eq!(tungstenite.encode(&payload), ours, "{size}");
            let mut buffer = Vec::new();
            assert_eq!(fastwebsockets_encode(&payload, &mut buffer), ours, "{size}");
            // What it wrote is a frame that we read.
            let (_, mut server) = pair(Draft::Hybi13, &mut RandomKeys);
            let octets = &buffer[..ours];
            let mut out = Outbox::new();
            let message = decode(&mut *server, octets, &mut BytesMut::new(), &mut out);
            assert_eq!(message.payload(), &payload);
        }
    }

    #[test]
    fn tungstenite_reads_our_frames_again_and_again() {
        let (mut client, _) = pair(Draft::Hybi13, &mut RandomKeys);
        for size in SIZES {
            let octets = frame(&mut *client, ascii(size).into());
            let mut server = Tungstenite::server(&octets);
            assert_eq!([(); 3].map(|()| server.decode()), [size.0; 3]);
        }
    }
}
