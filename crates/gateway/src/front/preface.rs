//! The first octets of HTTP/2, which no HTTP/1.1 has.

use bytes::BytesMut;
use tokio::{io::AsyncReadExt, time::timeout};

use super::{Said, Visit};
use crate::{Refused, http2, socket::Socket, tls::Transport};

/// As much is read at a time until the preface is whole, or something else.
const CHUNK: usize = 2048;

impl Visit {
    /// Whether HTTP/2 is served here. A recording has no form for it.
    pub(super) fn speaks_http2(&self) -> bool {
        self.listener.http2 && self.inner.recorder().is_none()
    }

    /// Reads on behind `ahead` until it begins with the whole preface, or does not;
    /// `None` if there is nothing to serve.
    pub(super) async fn preface(
        &self,
        mut io: Transport,
        mut ahead: BytesMut,
    ) -> Option<(Transport, BytesMut)> {
        let read = async {
            while http2::begins(&ahead) && ahead.len() < http2::PREFACE.len() {
                ahead.reserve(CHUNK);
                if !matches!(io.read_buf(&mut ahead).await, Ok(1..)) {
                    return None;
                }
            }
            Some(())
        };
        let read = tokio::select! {
            biased;
            read = timeout(self.listener.timeouts.head, read) => read,
            () = self.inner.stop.cancelled() => return None,
        };
        match read {
            Ok(read) => read.map(|()| (io, ahead)),
            Err(_) => {
                let socket = Socket::new(io, None, &[], &self.peer);
                let (refused, said) = (Refused::head_timeout(), Said::Head(&ahead));
                self.refuse(socket, ahead.len(), &refused, said).await;
                None
            }
        }
    }
}
