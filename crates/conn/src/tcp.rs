//! A plain TCP stream whose writing end can be lent: see `queue/loan.rs`.
//!
//! tokio's owned halves and not a shared `TcpStream`: their polls are the
//! stream's own, and a half has one owner, so that nobody writes who does not
//! hold it. A second descriptor of the same socket would halve how many
//! connections a process may have. It is split when it is first lent, for two
//! halves have memory of their own, and most connections lend nothing.

use std::{
    io::{self, IoSlice},
    mem,
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
};

/// A plain TCP stream, as [`Conn::over_tcp`](crate::Conn::over_tcp) drives it.
#[derive(Debug)]
pub struct Tcp(Ends);

#[derive(Debug)]
enum Ends {
    Whole(TcpStream),
    Split {
        read: OwnedReadHalf,
        write: Half,
    },
    /// Never, but while it is split.
    Gone,
}

/// The end of a [`Tcp`] that is written to; empty while it is lent.
#[derive(Debug, Default)]
pub struct Half(Option<OwnedWriteHalf>);

impl From<TcpStream> for Tcp {
    fn from(stream: TcpStream) -> Self {
        Self(Ends::Whole(stream))
    }
}

impl Tcp {
    /// The end that is written to, apart from the other from now on.
    pub fn half(&mut self) -> Option<&mut Half> {
        if matches!(self.0, Ends::Whole(_))
            && let Ends::Whole(stream) = mem::replace(&mut self.0, Ends::Gone)
        {
            let (read, write) = stream.into_split();
            let write = Half(Some(write));
            self.0 = Ends::Split { read, write };
        }
        match &mut self.0 {
            Ends::Split { write, .. } => Some(write),
            Ends::Whole(_) | Ends::Gone => None,
        }
    }

    /// Our own end's address.
    ///
    /// # Errors
    /// The system does not say.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        match &self.0 {
            Ends::Whole(stream) => stream.local_addr(),
            Ends::Split { read, .. } => read.local_addr(),
            Ends::Gone => Err(lent()),
        }
    }
}

impl Half {
    /// Writes what the socket takes now.
    pub(crate) fn try_write(&self, octets: &[u8]) -> io::Result<usize> {
        match &self.0 {
            Some(half) => half.try_write(octets),
            None => Err(lent()),
        }
    }

    fn poll<T>(
        &mut self,
        call: impl FnOnce(Pin<&mut OwnedWriteHalf>) -> Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        match &mut self.0 {
            Some(half) => call(Pin::new(half)),
            None => Poll::Ready(Err(lent())),
        }
    }
}

impl Drop for Half {
    fn drop(&mut self) {
        // The stream is closed with its other half; that says all there is to say.
        if let Some(half) = self.0.take() {
            half.forget();
        }
    }
}

/// The driver takes its half back before it writes.
fn lent() -> io::Error {
    io::Error::new(io::ErrorKind::NotConnected, "the writing end is lent")
}

impl AsyncRead for Tcp {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Ends::Whole(stream) => Pin::new(stream).poll_read(cx, buf),
            Ends::Split { read, .. } => Pin::new(read).poll_read(cx, buf),
            Ends::Gone => Poll::Ready(Err(lent())),
        }
    }
}

impl AsyncWrite for Tcp {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Ends::Whole(stream) => Pin::new(stream).poll_write(cx, octets),
            Ends::Split { write, .. } => write.poll(|half| half.poll_write(cx, octets)),
            Ends::Gone => Poll::Ready(Err(lent())),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut self.0 {
            Ends::Whole(stream) => Pin::new(stream).poll_write_vectored(cx, parts),
            Ends::Split { write, .. } => write.poll(|half| half.poll_write_vectored(cx, parts)),
            Ends::Gone => Poll::Ready(Err(lent())),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Nothing is kept back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.0 {
            Ends::Whole(stream) => Pin::new(stream).poll_shutdown(cx),
            Ends::Split { write, .. } => write.poll(|half| half.poll_shutdown(cx)),
            Ends::Gone => Poll::Ready(Err(lent())),
        }
    }
}
