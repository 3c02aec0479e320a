//! One large message, read and written an octet at a time: what a peer can make a
//! server do that wants it to work. In this process and not over a socket, since a
//! socket hands over more at once as soon as the reader is slow, and then measures
//! the writer. The driver, the codec and an echo are the real ones.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use draftgate_bench::ends::{frame, pair};
use draftgate_conn::{Conn, Handler, Peer, Settings, Start};
use draftgate_core::{Draft, Message, Outgoing};
use draftgate_drafts::RandomKeys;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::runtime::Builder;

/// Nanoseconds an octet of a message of `size` octets that is echoed in `draft`.
pub(crate) fn per_octet(draft: Draft, size: usize) -> f64 {
    let (mut client, server) = pair(draft, &mut RandomKeys);
    let octets = frame(&mut *client, Message::from("a".repeat(size)));
    let mut socket = Single {
        octets,
        at: 0,
        written: 0,
    };
    let runtime = Builder::new_current_thread().enable_time().build();
    let runtime = runtime.expect("a runtime without sockets needs nothing");
    let began = Instant::now();
    runtime.block_on(Conn::new(&mut socket, Start::new(server), Settings::server()).run(&mut Echo));
    let took = began.elapsed();
    assert!(socket.written >= size, "the message came back");
    took.as_secs_f64() * 1e9 / size as f64
}

struct Echo;

impl Handler for Echo {
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        let _ = peer.send(Outgoing::Message(message));
    }
}

/// A socket that gives and takes one octet at a time, and is always ready.
struct Single {
    octets: Bytes,
    at: usize,
    written: usize,
}

impl AsyncRead for Single {
    fn poll_read(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let Some(octet) = self.octets.get(self.at) {
            into.put_slice(&[*octet]);
            self.at += 1;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Single {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        let count = octets.len().min(1);
        self.written += count;
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use draftgate_drafts::spoken;

    use super::*;

    #[test]
    fn a_message_comes_back_octet_by_octet_in_every_draft() {
        for draft in spoken() {
            assert!(per_octet(draft, 300) > 0.0, "{draft}");
        }
    }
}
