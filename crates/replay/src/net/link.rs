//! One connection with a program under test: everything that it says is heard
//! while something is waited for or sent, so that neither end ever waits for
//! the other to read.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout_at},
};

/// Octets that are read at once.
const CHUNK: usize = 64 << 10;

/// Octets that are heard in one exchange: messages of the largest size that is
/// taken come several times. Who says more is not listened to any longer.
const MOST: usize = 64 << 20;

/// The same of events: a frame of two octets is one, and each is remembered.
const MOST_EVENTS: usize = 70_000;

/// What listens at this end.
pub(super) trait Ear {
    /// Takes what came.
    fn hear(&mut self, octets: &[u8]);

    /// What is to be sent because of it.
    fn says(&mut self) -> Bytes;

    /// How many events there were so far.
    fn heard(&self) -> usize;
}

/// A connection and what listens to it.
#[derive(Debug)]
pub(super) struct Link<E> {
    stream: TcpStream,
    pub(super) ear: E,
    /// Everything that came.
    pub(super) seen: BytesMut,
    /// Whether the other end has ended the connection.
    pub(super) ended: bool,
    /// Whether it said more than is listened to; it counts as ended then.
    pub(super) flooded: bool,
    /// Whether it takes nothing more.
    deaf: bool,
    patience: Duration,
}

impl<E: Ear> Link<E> {
    pub(super) fn new(stream: TcpStream, ear: E, patience: Duration) -> Self {
        // Each write is to be a segment of its own, as far as TCP lets it.
        let _ = stream.set_nodelay(true);
        Self {
            stream,
            ear,
            seen: BytesMut::new(),
            ended: false,
            flooded: false,
            deaf: false,
            patience,
        }
    }

    /// Sends `pieces`, each in a write of its own. That the other end takes no
    /// more is no error: what it said tells why.
    pub(super) async fn send(&mut self, pieces: &[&[u8]]) {
        let deadline = Instant::now() + self.patience;
        for piece in pieces {
            let mut rest = *piece;
            while !rest.is_empty() && !self.deaf {
                match timeout_at(deadline, self.write(rest)).await {
                    Ok(Ok(sent)) => rest = &rest[sent..],
                    Ok(Err(_)) | Err(_) => self.deaf = true,
                }
            }
        }
    }

    /// Writes some of `octets`, or reads what stands in the way of that.
    async fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let (mut read, mut write) = self.stream.split();
        tokio::select! {
            sent = write.write(octets) => return sent,
            came = read.read_buf(&mut chunk), if !self.ended => {
                self.took(came, &chunk);
            }
        }
        Ok(0)
    }

    fn took(&mut self, came: io::Result<usize>, chunk: &[u8]) {
        match came {
            Ok(0) | Err(_) => self.ended = true,
            Ok(_) => {
                self.seen.extend_from_slice(chunk);
                self.ear.hear(chunk);
                self.flooded = self.seen.len() > MOST || self.ear.heard() > MOST_EVENTS;
                self.ended |= self.flooded;
            }
        }
    }

    /// Listens until `done`, the end of the connection or the end of patience;
    /// whether it is done.
    pub(super) async fn until(&mut self, done: impl Fn(&E) -> bool) -> bool {
        self.until_within(self.patience, done).await
    }

    /// The same with another patience.
    pub(super) async fn until_within(&mut self, time: Duration, done: impl Fn(&E) -> bool) -> bool {
        let deadline = Instant::now() + time;
        while !done(&self.ear) {
            // Who always has something to read would never let it time out.
            if self.ended || Instant::now() >= deadline {
                return false;
            }
            let mut chunk = BytesMut::with_capacity(CHUNK);
            let came = timeout_at(deadline, self.stream.read_buf(&mut chunk)).await;
            let Ok(came) = came else { return false };
            self.took(came, &chunk);
            let says = self.ear.says();
            if !says.is_empty() {
                self.send(&[&says]).await;
            }
        }
        true
    }

    /// Listens until the other end has ended the connection; whether it has.
    /// One that never stops to talk has not.
    pub(super) async fn ends(&mut self) -> bool {
        self.ends_within(self.patience).await
    }

    /// The same with another patience.
    pub(super) async fn ends_within(&mut self, time: Duration) -> bool {
        self.until_within(time, |_| false).await;
        self.ended && !self.flooded
    }

    /// What there is instead of something that did not come.
    pub(super) fn left(&self) -> &'static str {
        match (self.flooded, self.ended) {
            (true, _) => "so much that nobody asked for that it was not listened to any longer",
            (_, true) => "the end of the connection",
            (..) => "nothing in time",
        }
    }

    /// Ends our half of the connection.
    pub(super) async fn end(&mut self) {
        // An error says that the other end was faster.
        let _ = self.stream.shutdown().await;
        self.deaf = true;
    }

    /// Breaks the connection off with a RST.
    pub(super) fn reset(self) {
        let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }
}
