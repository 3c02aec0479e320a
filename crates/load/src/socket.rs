//! One connection's socket: it never waits, and is TCP alone or TCP with TLS
//! around it.

use std::{
    io::{self, IoSlice, Read, Write},
    net::IpAddr,
    time::Duration,
};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, SockAddr, Type};
use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::{Target, secure::Secure};

/// A socket.
pub(crate) enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
    #[cfg(feature = "legacy-tls")]
    Old(Box<openssl::ssl::SslStream<TcpStream>>),
}

/// How a socket is opened.
#[derive(Clone, Copy, Default)]
pub(crate) struct Manner {
    /// The address to come from.
    pub(crate) source: Option<IpAddr>,
    /// It ends with a reset, so that its port is free at once.
    pub(crate) resets: bool,
}

impl Socket {
    /// Begins to connect; the first write that succeeds says that it has.
    ///
    /// # Errors
    /// The system refuses at once.
    pub(crate) fn open(target: &Target, secure: &Secure, manner: Manner) -> io::Result<Self> {
        let domain = Domain::for_address(target.address);
        let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        if manner.resets {
            socket.set_linger(Some(Duration::ZERO))?;
        } else {
            // What is written is all there is to say: nothing waits for more.
            socket.set_tcp_nodelay(true)?;
        }
        if let Some(source) = manner.source {
            socket.bind(&SockAddr::from(std::net::SocketAddr::new(source, 0)))?;
        }
        match socket.connect(&target.address.into()) {
            Err(error) if !is_under_way(&error) => Err(error),
            _ => secure.around(TcpStream::from_std(socket.into())),
        }
    }

    /// What the poll is told of.
    pub(crate) fn tcp(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(tcp) => tcp,
            Self::Tls(stream) => &mut stream.sock,
            #[cfg(feature = "legacy-tls")]
            Self::Old(stream) => stream.get_mut(),
        }
    }

    /// Whether a read that did not fill its buffer has read all there is, and a
    /// write that was cut short would fail if it were repeated.
    pub(crate) fn is_plain(&self) -> bool {
        matches!(self, Self::Plain(_))
    }

    /// Writes what TLS itself has to say.
    ///
    /// # Errors
    /// TCP's.
    pub(crate) fn go_on(&mut self) -> io::Result<()> {
        let Self::Tls(stream) = self else {
            return Ok(());
        };
        while stream.conn.wants_write() {
            stream.conn.write_tls(&mut stream.sock)?;
        }
        Ok(())
    }
}

/// `EINPROGRESS`, or its like elsewhere.
fn is_under_way(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock || {
        #[cfg(unix)]
        {
            error.raw_os_error() == Some(EINPROGRESS)
        }
        #[cfg(not(unix))]
        {
            false
        }
    }
}

#[cfg(target_os = "linux")]
const EINPROGRESS: i32 = 115;
#[cfg(all(unix, not(target_os = "linux")))]
const EINPROGRESS: i32 = 36;

impl Read for Socket {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.read(into),
            Self::Tls(stream) => stream.read(into),
            #[cfg(feature = "legacy-tls")]
            Self::Old(stream) => stream.read(into),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write(octets),
            Self::Tls(stream) => stream.write(octets),
            #[cfg(feature = "legacy-tls")]
            Self::Old(stream) => stream.write(octets),
        }
    }

    fn write_vectored(&mut self, octets: &[IoSlice<'_>]) -> io::Result<usize> {
        match self {
            Self::Plain(tcp) => tcp.write_vectored(octets),
            Self::Tls(stream) => stream.write_vectored(octets),
            #[cfg(feature = "legacy-tls")]
            Self::Old(stream) => stream.write(octets.first().map_or(&[][..], |first| first)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(_) => Ok(()),
            Self::Tls(stream) => stream.flush(),
            #[cfg(feature = "legacy-tls")]
            Self::Old(stream) => stream.flush(),
        }
    }
}
