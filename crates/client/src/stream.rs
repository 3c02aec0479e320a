//! What a connection runs over: TCP or a Unix socket, or TLS over that, or over
//! TLS to a proxy, or a stream of HTTP/2 over any of these.
//!
//! An enum, not a box of a trait: the common case is a plain socket, whose
//! vectored writes go straight through.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, Waker},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};
use tokio_rustls::{client::TlsStream, rustls::ProtocolVersion};

use crate::unix::UnixStream;

/// The octets of one connection.
#[derive(Debug)]
pub struct Stream {
    io: Io,
    ending: Option<Arc<Mutex<Ending>>>,
}

#[derive(Debug)]
enum Io {
    Plain(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<Stream>>),
    Http2(Box<Within>),
}

/// A stream of HTTP/2.
#[derive(Debug)]
struct Within {
    stream: draftgate_conn::Stream,
    /// The version of TLS around its connection.
    tls: Option<&'static str>,
}

impl Stream {
    pub(crate) fn plain(tcp: TcpStream) -> Self {
        Self {
            io: Io::Plain(tcp),
            ending: None,
        }
    }

    pub(crate) fn unix(unix: UnixStream) -> Self {
        Self {
            io: Io::Unix(unix),
            ending: None,
        }
    }

    pub(crate) fn tls(tls: TlsStream<Self>) -> Self {
        Self {
            io: Io::Tls(Box::new(tls)),
            ending: None,
        }
    }

    /// `stream`, whose connection is driven elsewhere, under `tls`.
    pub(crate) fn http2(stream: draftgate_conn::Stream, tls: Option<&'static str>) -> Self {
        Self {
            io: Io::Http2(Box::new(Within { stream, tls })),
            ending: None,
        }
    }

    /// What was agreed on to be spoken within TLS.
    pub(crate) fn application_protocol(&self) -> Option<&[u8]> {
        match &self.io {
            Io::Tls(tls) => tls.get_ref().1.alpn_protocol(),
            _ => None,
        }
    }

    /// The TCP socket below everything else; `None` over a Unix socket, and over
    /// HTTP/2, whose connection has it.
    pub fn tcp(&self) -> Option<&TcpStream> {
        match &self.io {
            Io::Plain(tcp) => Some(tcp),
            Io::Unix(_) | Io::Http2(_) => None,
            Io::Tls(tls) => tls.get_ref().0.tcp(),
        }
    }

    /// Whether the server is spoken to under TLS.
    pub fn is_secure(&self) -> bool {
        self.tls_version().is_some()
    }

    /// The version of TLS under which the server is spoken to; `None` without TLS.
    pub fn tls_version(&self) -> Option<&'static str> {
        let tls = match &self.io {
            Io::Tls(tls) => tls,
            Io::Http2(within) => return within.tls,
            Io::Plain(_) | Io::Unix(_) => return None,
        };
        Some(match tls.get_ref().1.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLS 1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLS 1.2",
            _ => "TLS",
        })
    }

    /// A handle by which our half can be ended while whoever has the stream
    /// still reads from it.
    pub fn half_close(&mut self) -> HalfClose {
        HalfClose(Arc::clone(self.ending.get_or_insert_default()))
    }

    /// Ends our half if that was asked for; else says whom to wake for it.
    fn end_half(&mut self, cx: &mut Context<'_>) {
        let Some(ending) = &self.ending else {
            return;
        };
        let mut state = ending.lock().unwrap_or_else(PoisonError::into_inner);
        match *state {
            Ending::Asked => {}
            Ending::Ended => return,
            _ => return *state = Ending::Reader(cx.waker().clone()),
        }
        drop(state);
        // An error says that the connection is gone: reading will tell.
        if Pin::new(&mut self.io).poll_shutdown(cx).is_ready()
            && let Some(ending) = &self.ending
        {
            *ending.lock().unwrap_or_else(PoisonError::into_inner) = Ending::Ended;
        }
    }
}

/// Ends our half of a [`Stream`]: TCP's FIN, under TLS its `close_notify` first.
#[derive(Debug)]
pub struct HalfClose(Arc<Mutex<Ending>>);

#[derive(Debug, Default)]
enum Ending {
    #[default]
    Open,
    /// Open, and this task reads.
    Reader(Waker),
    Asked,
    Ended,
}

impl HalfClose {
    /// Ends our half at the next read, which this wakes. What has been written
    /// goes out before; nothing more may be written.
    pub fn end(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match std::mem::replace(&mut *state, Ending::Asked) {
            Ending::Reader(waker) => waker.wake(),
            Ending::Ended => *state = Ending::Ended,
            Ending::Open | Ending::Asked => {}
        }
    }
}

impl AsyncRead for Io {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_read(cx, buf),
            Self::Unix(unix) => Pin::new(unix).poll_read(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_read(cx, buf),
            Self::Http2(within) => Pin::new(&mut within.stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Io {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write(cx, buf),
            Self::Unix(unix) => Pin::new(unix).poll_write(cx, buf),
            Self::Tls(tls) => Pin::new(tls).poll_write(cx, buf),
            Self::Http2(within) => Pin::new(&mut within.stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_write_vectored(cx, bufs),
            Self::Unix(unix) => Pin::new(unix).poll_write_vectored(cx, bufs),
            Self::Tls(tls) => Pin::new(tls).poll_write_vectored(cx, bufs),
            Self::Http2(within) => Pin::new(&mut within.stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(tcp) => tcp.is_write_vectored(),
            Self::Unix(unix) => unix.is_write_vectored(),
            Self::Tls(tls) => tls.is_write_vectored(),
            Self::Http2(within) => within.stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_flush(cx),
            Self::Unix(unix) => Pin::new(unix).poll_flush(cx),
            Self::Tls(tls) => Pin::new(tls).poll_flush(cx),
            Self::Http2(within) => Pin::new(&mut within.stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(tcp) => Pin::new(tcp).poll_shutdown(cx),
            Self::Unix(unix) => Pin::new(unix).poll_shutdown(cx),
            Self::Tls(tls) => Pin::new(tls).poll_shutdown(cx),
            Self::Http2(within) => Pin::new(&mut within.stream).poll_shutdown(cx),
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.end_half(cx);
        Pin::new(&mut self.io).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
        time::timeout,
    };

    use super::*;

    #[tokio::test]
    async fn our_half_ends_while_the_other_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = TcpStream::connect(listener.local_addr().unwrap()).await;
        let mut stream = Stream::plain(tcp.unwrap());
        let (mut server, _) = listener.accept().await.unwrap();
        let half = stream.half_close();
        let reading = tokio::spawn(async move {
            stream.write_all(b"before").await.unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).await.unwrap();
            all
        });
        let mut first = [0; 6];
        server.read_exact(&mut first).await.unwrap();
        half.end();
        half.end();
        // Only a hang reaches this.
        let patience = std::time::Duration::from_secs(30);
        let ended = timeout(patience, server.read(&mut [0])).await;
        assert_eq!(ended.expect("our half ends").unwrap(), 0);
        server.write_all(b"after").await.unwrap();
        drop(server);
        assert_eq!(reading.await.unwrap(), b"after");
    }
}
