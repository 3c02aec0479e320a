//! What is on its way to one peer: one growing buffer for everything small,
//! with shared payloads spliced between.
//!
//! Small things are copied together because one long write beats many short
//! ones; large payloads are not, because the same octets go to many peers.

use std::{collections::VecDeque, io::IoSlice};

use bytes::{Buf, Bytes, BytesMut};

/// Payloads up to this many octets are copied into the buffer; a copy of 2 KiB
/// costs less than a segment of its own in the write.
pub const COPIED: usize = 2048;

/// Buffers larger than this are given back when they run empty.
const KEPT: usize = 4096;

/// Octets to be written, in order. Implements [`Buf`], with
/// [`chunks_vectored`](Buf::chunks_vectored) for one `writev`.
#[derive(Debug, Default)]
pub struct Outbox {
    segments: VecDeque<Bytes>,
    tail: BytesMut,
    len: usize,
}

impl Outbox {
    /// An empty outbox, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// Octets waiting.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Appends a copy of `octets`.
    pub fn put(&mut self, octets: &[u8]) {
        self.tail.extend_from_slice(octets);
        self.len += octets.len();
    }

    /// Appends `payload`: a copy of it if it is small, else a reference.
    pub fn put_shared(&mut self, payload: &Bytes) {
        if payload.len() <= COPIED {
            return self.put(payload);
        }
        self.seal();
        self.segments.push_back(payload.clone());
        self.len += payload.len();
    }

    /// Appends a copy of `octets`, each XORed with its masking key octet by
    /// `mask`; saves the masked side a second pass over its own buffer.
    pub fn put_with(&mut self, octets: &[u8], mask: impl FnOnce(&mut [u8])) {
        let from = self.tail.len();
        self.tail.extend_from_slice(octets);
        mask(&mut self.tail[from..]);
        self.len += octets.len();
    }

    /// Takes everything as one run of octets; without a copy if it lies in one piece.
    pub fn take_all(&mut self) -> Bytes {
        if self.segments.is_empty() {
            self.len = 0;
            return self.tail.split().freeze();
        }
        self.copy_to_bytes(self.len)
    }

    fn seal(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push_back(self.tail.split().freeze());
        }
    }

    fn shrink(&mut self) {
        if self.len == 0 && self.tail.capacity() > KEPT {
            self.tail = BytesMut::new();
        }
        if self.len == 0 && self.segments.capacity() > 64 {
            self.segments = VecDeque::new();
        }
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        self.segments.front().map_or(&self.tail[..], |s| &s[..])
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let all = self.segments.iter().map(|s| &s[..]).chain([&self.tail[..]]);
        let mut filled = 0;
        for (slot, chunk) in dst.iter_mut().zip(all.filter(|c| !c.is_empty())) {
            *slot = IoSlice::new(chunk);
            filled += 1;
        }
        filled
    }

    fn advance(&mut self, mut count: usize) {
        assert!(count <= self.len, "advanced past the end of the outbox");
        self.len -= count;
        while let Some(front) = self.segments.front_mut() {
            if count < front.len() {
                front.advance(count);
                return;
            }
            count -= front.len();
            self.segments.pop_front();
        }
        self.tail.advance(count);
        self.shrink();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_things_lie_together_and_large_ones_are_shared() {
        let large = Bytes::from(vec![7; COPIED + 1]);
        let mut out = Outbox::new();
        out.put(b"ab");
        out.put_shared(&Bytes::from_static(b"cd"));
        out.put_shared(&large);
        out.put(b"ef");
        let mut slices = [IoSlice::new(&[]); 8];
        assert_eq!(out.chunks_vectored(&mut slices), 3);
        assert_eq!((&slices[0][..], &slices[2][..]), (&b"abcd"[..], &b"ef"[..]));
        assert_eq!(slices[1].as_ptr(), large.as_ptr());
        assert_eq!(out.len(), 4 + large.len() + 2);
    }

    #[test]
    fn advancing_by_any_steps_gives_the_same_octets() {
        let fill = |out: &mut Outbox| {
            out.put(b"head");
            out.put_shared(&Bytes::from(vec![1; COPIED * 2]));
            out.put_with(b"tail", |t| t[0] = b'T');
        };
        let mut whole = Outbox::new();
        fill(&mut whole);
        let want = whole.take_all();
        assert!(whole.is_empty());
        for step in [1, 3, 4, 5, 2048, 5000] {
            let mut out = Outbox::new();
            fill(&mut out);
            let mut got = Vec::new();
            while out.has_remaining() {
                let n = step.min(out.chunk().len());
                got.extend_from_slice(&out.chunk()[..n]);
                out.advance(n);
            }
            assert_eq!(got, want, "step {step}");
        }
    }

    #[test]
    fn a_large_buffer_is_given_back_when_it_runs_empty() {
        let mut out = Outbox::new();
        out.put(&vec![0; 100_000]);
        out.advance(100_000);
        assert!(out.tail.capacity() <= KEPT);
    }
}
