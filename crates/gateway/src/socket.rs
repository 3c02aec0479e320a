//! A client's connection, with a tape beside it where connections are recorded.
//!
//! Without one a read or a write costs one look at a pointer that is null. With
//! one, what was read and written is copied; cutting it into an exchange and
//! writing that happens on the recorder's own thread.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll, ready},
};

use draftgate_conn::Half;
use draftgate_core::Role;
use draftgate_record::{Recorder, Tape};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::{peer::Peer, tls::Transport};

/// The socket of a client.
#[derive(Debug)]
pub(crate) struct Socket {
    io: Transport,
    /// On the heap, so that a connection that is not recorded has only a pointer.
    taping: Option<Box<Taping>>,
}

/// What is recorded of a connection; its end is recorded when it is dropped.
#[derive(Debug)]
struct Taping {
    tape: Option<Tape>,
    client_ended: bool,
    server_ended: bool,
}

impl Socket {
    /// `io` of `peer`, of which `ahead` was already read; recorded, if there
    /// is a recorder and it has a tape: what is said inside TLS, that is.
    pub(crate) fn new(
        io: Transport,
        recorder: Option<&Recorder>,
        ahead: &[u8],
        peer: &Peer,
    ) -> Self {
        let taping = recorder.and_then(Recorder::tape).map(|mut tape| {
            tape.octets(Role::Client, ahead);
            Box::new(Taping {
                tape: Some(tape),
                client_ended: false,
                server_ended: false,
            })
        });
        let mut socket = Self { io, taping };
        socket.note(peer);
        socket
    }

    /// Our own end; `listener` where the system does not say.
    pub(crate) fn local(&self, listener: SocketAddr) -> SocketAddr {
        self.io.local_addr().unwrap_or(listener)
    }

    /// Whether there is no TLS of ours.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self.io, Transport::Plain(_))
    }

    /// The end that may be lent: not where what is written must pass through here.
    pub(crate) fn half(self: Pin<&mut Self>) -> Option<&mut Half> {
        match self.get_mut() {
            Self {
                io: Transport::Plain(tcp),
                taping: None,
            } => tcp.half(),
            _ => None,
        }
    }

    /// Notes who the client is.
    pub(crate) fn note(&mut self, peer: &Peer) {
        let Some(tape) = self.taping.as_mut().and_then(|taping| taping.tape.as_mut()) else {
            return;
        };
        tape.note(&match peer.via {
            Some(via) => format!("The client was {peer}, as the proxy {via} said."),
            None => format!("The client was {peer}."),
        });
    }
}

impl From<TcpStream> for Socket {
    /// A connection that is not recorded.
    fn from(tcp: TcpStream) -> Self {
        Self {
            io: Transport::Plain(tcp.into()),
            taping: None,
        }
    }
}

impl Taping {
    fn read(&mut self, outcome: &io::Result<()>, octets: &[u8]) {
        let Some(tape) = &mut self.tape else { return };
        match outcome {
            Ok(()) if octets.is_empty() && !self.client_ended => {
                self.client_ended = true;
                tape.eof(Role::Client);
            }
            Ok(()) => tape.octets(Role::Client, octets),
            Err(_) => self.failed(),
        }
    }

    fn wrote<'a>(
        &mut self,
        outcome: &io::Result<usize>,
        octets: impl IntoIterator<Item = &'a [u8]>,
    ) {
        let Some(tape) = &mut self.tape else { return };
        let Ok(mut left) = *outcome else {
            return self.failed();
        };
        for part in octets {
            let taken = left.min(part.len());
            tape.octets(Role::Server, &part[..taken]);
            left -= taken;
        }
    }

    /// The connection is gone, by the client's doing.
    fn failed(&mut self) {
        if let Some(mut tape) = self.tape.take() {
            tape.reset(Role::Client);
            tape.end();
        }
    }

    fn shut_down(&mut self) {
        if let Some(tape) = self.tape.as_mut().filter(|_| !self.server_ended) {
            self.server_ended = true;
            tape.eof(Role::Server);
        }
    }
}

impl Drop for Taping {
    fn drop(&mut self) {
        // TCP ends with the socket, if not before.
        self.shut_down();
        if let Some(tape) = self.tape.take() {
            tape.end();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(taping) = &mut this.taping else {
            return Pin::new(&mut this.io).poll_read(cx, buf);
        };
        let before = buf.filled().len();
        let room = buf.remaining();
        let outcome = ready!(Pin::new(&mut this.io).poll_read(cx, buf));
        // Nothing fits into no room; that is no end.
        if room > 0 || outcome.is_err() {
            taping.read(&outcome, &buf.filled()[before..]);
        }
        Poll::Ready(outcome)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.io).poll_write(cx, octets));
        if let Some(taping) = &mut self.taping {
            taping.wrote(&outcome, [octets]);
        }
        Poll::Ready(outcome)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let outcome = ready!(Pin::new(&mut self.io).poll_write_vectored(cx, parts));
        if let Some(taping) = &mut self.taping {
            taping.wrote(&outcome, parts.iter().map(|part| &**part));
        }
        Poll::Ready(outcome)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.io).poll_shutdown(cx));
        if let Some(taping) = self.taping.as_mut().filter(|_| outcome.is_ok()) {
            taping.shut_down();
        }
        Poll::Ready(outcome)
    }
}
