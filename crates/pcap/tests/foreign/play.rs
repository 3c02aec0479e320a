//! Plays exchanges between two sockets of this machine, step by step, so that
//! the order of both sides is the one that was written down.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use draftgate_core::Role;
use draftgate_vectors::{Action, Vector};
use socket2::SockRef;

/// A guard against hanging, not a measure.
const GUARD: Duration = Duration::from_secs(60);

/// Both ends of one connection.
pub(crate) struct Play {
    client: TcpStream,
    server: TcpStream,
}

impl Play {
    pub(crate) fn new(listener: &TcpListener) -> Self {
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        for end in [&client, &server] {
            end.set_nodelay(true).unwrap();
            end.set_read_timeout(Some(GUARD)).unwrap();
            end.set_write_timeout(Some(GUARD)).unwrap();
        }
        Self { client, server }
    }

    pub(crate) fn client_address(&self) -> SocketAddr {
        self.client.local_addr().unwrap()
    }

    /// Sends what `from` sent, and has the other end read it.
    pub(crate) fn send(&mut self, from: Role, octets: &[u8]) {
        let (writer, reader) = match from {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        };
        // In parts, so that no socket's buffer is too small for both.
        for part in octets.chunks(16 * 1024) {
            writer.write_all(part).unwrap();
            let mut read = vec![0; part.len()];
            reader.read_exact(&mut read).unwrap();
            assert_eq!(read, part);
        }
    }

    /// The octets of all steps of `vector` from the `first` one on.
    pub(crate) fn steps(&mut self, vector: &Vector, first: usize) {
        for step in vector.steps.iter().skip(first) {
            if let Action::Send(content) = &step.action {
                self.send(step.from, &content.octets);
            }
        }
    }

    /// Ends both halves, `first` the first.
    pub(crate) fn end(mut self, first: Role) {
        let (one, other) = match first {
            Role::Client => (&mut self.client, &mut self.server),
            Role::Server => (&mut self.server, &mut self.client),
        };
        one.shutdown(Shutdown::Write).unwrap();
        assert_eq!(other.read(&mut [0]).unwrap(), 0);
        other.shutdown(Shutdown::Write).unwrap();
        assert_eq!(one.read(&mut [0]).unwrap(), 0);
    }

    /// The client resets the connection.
    pub(crate) fn reset(self) {
        SockRef::from(&self.client)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(self.client);
    }
}
