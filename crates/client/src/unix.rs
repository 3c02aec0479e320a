//! Unix sockets where the system has them. Elsewhere a type of the same name that
//! nobody can have one of, so that whoever matches on what a connection runs over
//! need not ask for which system it is compiled.

#[cfg(unix)]
pub(crate) use tokio::net::UnixStream;

#[cfg(not(unix))]
pub(crate) use self::nowhere::UnixStream;

#[cfg(not(unix))]
mod nowhere {
    use std::{
        io::{self, IoSlice},
        path::Path,
        pin::Pin,
        task::{Context, Poll},
    };

    use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

    /// A Unix socket, of which there are none.
    #[derive(Debug)]
    pub(crate) enum UnixStream {}

    impl UnixStream {
        /// Fails.
        ///
        /// # Errors
        /// Always: it says that this system has no Unix sockets.
        pub(crate) async fn connect(_path: &Path) -> io::Result<Self> {
            Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "draftgate has Unix sockets on Linux and macOS only; use TCP",
            ))
        }
    }

    impl AsyncRead for UnixStream {
        fn poll_read(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &mut ReadBuf<'_>,
        ) -> Poll<io::Result<()>> {
            match *self.get_mut() {}
        }
    }

    impl AsyncWrite for UnixStream {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[u8],
        ) -> Poll<io::Result<usize>> {
            match *self.get_mut() {}
        }

        fn poll_write_vectored(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            _: &[IoSlice<'_>],
        ) -> Poll<io::Result<usize>> {
            match *self.get_mut() {}
        }

        fn is_write_vectored(&self) -> bool {
            match *self {}
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match *self.get_mut() {}
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            match *self.get_mut() {}
        }
    }
}
