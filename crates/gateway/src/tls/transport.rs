//! What a client's connection runs over: TCP, TLS by one of two libraries, or a
//! stream of HTTP/2 within either.
//!
//! An enum and not a box of a trait: the common case is a plain socket, for
//! which each call costs one comparison.

use std::{
    io::{self, IoSlice},
    net::SocketAddr,
    pin::Pin,
    task::{Context, Poll},
};

use draftgate_conn::{Stream, Tcp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::server::TlsStream;

use super::replayed::Replayed;

/// A client's octets.
#[derive(Debug)]
pub(crate) enum Transport {
    Plain(Tcp),
    /// In boxes: a plain connection has no room for them.
    Modern(Box<TlsStream<Replayed>>),
    #[cfg(feature = "legacy-tls")]
    Legacy(Box<super::legacy::OpenSsl>),
    Stream(Box<Stream>),
}

impl Transport {
    /// Our own end of the socket below.
    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        match self {
            Self::Plain(tcp) => tcp.local_addr(),
            Self::Modern(tls) => tls.get_ref().0.tcp.local_addr(),
            #[cfg(feature = "legacy-tls")]
            Self::Legacy(tls) => tls.replayed().tcp.local_addr(),
            // Its connection knows.
            Self::Stream(_) => Err(io::ErrorKind::Unsupported.into()),
        }
    }
}

/// The same call, whatever it is.
macro_rules! each {
    ($self:expr, $io:ident => $call:expr) => {
        match &mut *$self {
            Transport::Plain($io) => $call,
            Transport::Modern(tls) => {
                let $io = &mut **tls;
                $call
            }
            #[cfg(feature = "legacy-tls")]
            Transport::Legacy(tls) => {
                let $io = &mut **tls;
                $call
            }
            Transport::Stream(stream) => {
                let $io = &mut **stream;
                $call
            }
        }
    };
}

impl AsyncRead for Transport {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match each!(self, io => Pin::new(io).poll_read(cx, buf)) {
            // TCP ended without a word of TLS. WebSocket has an end of its own,
            // and a request says how long it is: nobody can cut either unseen.
            Poll::Ready(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Poll::Ready(Ok(()))
            }
            other => other,
        }
    }
}

impl AsyncWrite for Transport {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write(cx, octets))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(self, io => Pin::new(io).poll_write_vectored(cx, parts))
    }

    fn is_write_vectored(&self) -> bool {
        // The sockets are, and so is what both libraries do with it.
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(self, io => Pin::new(io).poll_shutdown(cx))
    }
}
