//! From messages to compressed payloads.

use bytes::Bytes;
use flate2::{Compress, FlushCompress};

use crate::{
    inflater::TAIL,
    scratch::{self, CHUNK},
    settings::SMALLEST,
};

/// The writing half.
#[derive(Debug)]
pub(crate) struct Deflater {
    pub(crate) level: u8,
    pub(crate) window: u8,
    pub(crate) least: u32,
    pub(crate) takeover: bool,
    /// What refers to earlier messages; `None` before the first.
    deflate: Option<Box<Compress>>,
}

impl Deflater {
    pub(crate) fn new(level: u8, window: u8, least: u32, takeover: bool) -> Self {
        Self {
            level: level.clamp(1, 9),
            window,
            least,
            takeover,
            deflate: None,
        }
    }

    /// Whether it ever compresses. A window of 8 bits is beyond zlib; to send
    /// messages as they are is every sender's right.
    pub(crate) fn works(&self) -> bool {
        self.window >= SMALLEST
    }

    /// `payload` compressed, without the tail; `None` if it is sent as it is. That
    /// depends on its length alone: what does not become smaller grows by a few
    /// octets, and there are peers that are not prepared for both.
    pub(crate) fn encode(&mut self, payload: &[u8]) -> Option<Bytes> {
        if payload.is_empty() || payload.len() < self.least as usize || !self.works() {
            return None;
        }
        let kind = (self.level, self.window);
        let own = self.deflate.take();
        let mut deflate = own.unwrap_or_else(|| Box::new(scratch::deflater(kind)));
        // After a failure it is not used again: a new one refers to nothing,
        // which every inflater follows.
        let mut encoded = flushed(&mut deflate, payload)?;
        if !encoded.ends_with(&TAIL) {
            return None;
        }
        encoded.truncate(encoded.len() - TAIL.len());
        if self.takeover {
            // The peer's window must go through all that ours went through.
            self.deflate = Some(deflate);
            return Some(encoded.into());
        }
        scratch::keep_deflater(kind, *deflate);
        Some(encoded.into())
    }
}

/// What `deflate` makes of `octets`, flushed to a whole octet.
pub(crate) fn flushed(deflate: &mut Compress, mut octets: &[u8]) -> Option<Vec<u8>> {
    scratch::with_buffer(|buffer| {
        let mut encoded = Vec::new();
        loop {
            let before = (deflate.total_in(), deflate.total_out());
            deflate.compress(octets, buffer, FlushCompress::Sync).ok()?;
            let used = (deflate.total_in() - before.0) as usize;
            let made = (deflate.total_out() - before.1) as usize;
            octets = &octets[used..];
            encoded.extend_from_slice(&buffer[..made]);
            if octets.is_empty() && made < CHUNK {
                return Some(encoded);
            }
            if used == 0 && made == 0 {
                return None;
            }
        }
    })
}
