//! What is on its way to one peer: one growing buffer for everything small,
//! with shared payloads spliced between.
//!
//! Small things are copied together because one long write beats many short
//! ones; large payloads are not, because the same octets go to many peers.

use std::{collections::VecDeque, io::IoSlice, mem, ops::Range};

use bytes::{Buf, Bytes};

/// Payloads up to this many octets are copied into the buffer; a copy of 2 KiB
/// costs less than a segment of its own in the write.
pub const COPIED: usize = 2048;

/// Buffers larger than this are given back when they run empty.
const KEPT: usize = 4096;

/// What is spliced between two shared payloads is copied out of the buffer up
/// to this many octets, so that the buffer can go on.
const SPLICED: usize = 64;

/// Octets to be written, in order. Implements [`Buf`], with
/// [`chunks_vectored`](Buf::chunks_vectored) for one `writev`.
#[derive(Debug, Default)]
pub struct Outbox {
    segments: VecDeque<Bytes>,
    /// A `Vec`: a `BytesMut` grows and appends at several times the cost.
    tail: Vec<u8>,
    /// Octets of the tail that left.
    left: usize,
    /// The tail is somebody else's buffer.
    lent: bool,
    len: usize,
}

impl Outbox {
    /// An empty outbox, which holds no memory.
    pub const fn new() -> Self {
        Self {
            segments: VecDeque::new(),
            tail: Vec::new(),
            left: 0,
            lent: false,
            len: 0,
        }
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
    #[inline]
    pub fn put(&mut self, octets: &[u8]) {
        self.put_all([octets]);
    }

    /// Appends a copy of each of `parts`, for which room is made once.
    #[inline]
    pub fn put_all<const N: usize>(&mut self, parts: [&[u8]; N]) {
        let more = parts.iter().map(|part| part.len()).sum();
        self.make_room(more);
        for part in parts {
            self.tail.extend_from_slice(part);
        }
        self.len += more;
    }

    /// Appends `header`, a copy of `payload` and `trailer`: short ones of a known
    /// length cost a store each.
    #[inline]
    pub fn put_framed<const H: usize, const T: usize>(
        &mut self,
        header: [u8; H],
        payload: &[u8],
        trailer: [u8; T],
    ) {
        let more = H + payload.len() + T;
        self.make_room(more);
        self.tail.extend_from_slice(&header);
        self.tail.extend_from_slice(payload);
        self.tail.extend_from_slice(&trailer);
        self.len += more;
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

    /// Appends a copy of each of `parts`, the last one XORed with its masking
    /// key octet by `mask`; saves the masked side a second pass over its own
    /// buffer.
    #[inline]
    pub fn put_with<const N: usize>(&mut self, parts: [&[u8]; N], mask: impl FnOnce(&mut [u8])) {
        self.put_all(parts);
        let masked = parts.last().map_or(0, |part| part.len());
        let from = self.tail.len() - masked;
        mask(&mut self.tail[from..]);
    }

    /// Takes everything as one run of octets; without a copy if it lies in one piece.
    pub fn take_all(&mut self) -> Bytes {
        if self.segments.is_empty() {
            self.len = 0;
            return self.take_tail();
        }
        self.copy_to_bytes(self.len)
    }

    /// Writes into `buffer` until [`take_back`](Self::take_back), if nothing
    /// waits now: whoever drives many connections needs no buffer for each.
    pub fn lend(&mut self, buffer: &mut Vec<u8>) {
        if self.is_empty() && !self.lent {
            self.tail = mem::take(buffer);
            self.lent = true;
        }
    }

    /// Gives back what was lent. What waits lies in memory of its own then, and
    /// where nothing does, the outbox holds none.
    pub fn take_back(&mut self, buffer: &mut Vec<u8>) {
        if !mem::take(&mut self.lent) {
            if self.is_empty() {
                (self.tail, self.segments) = (Vec::new(), VecDeque::new());
            }
            return;
        }
        let waits = &self.tail[self.left..];
        let rest = match waits.is_empty() {
            true => Vec::new(),
            false => waits.to_vec(),
        };
        *buffer = mem::replace(&mut self.tail, rest);
        buffer.clear();
        self.left = 0;
        if self.segments.is_empty() {
            self.segments = VecDeque::new();
        }
    }

    /// Copies every payload that lies in `place`, so that nothing there is kept
    /// alive by what waits here.
    pub fn detach(&mut self, place: &Range<*const u8>) {
        let inside = |segment: &&mut Bytes| place.contains(&segment.as_ptr());
        for segment in self.segments.iter_mut().filter(inside) {
            *segment = Bytes::copy_from_slice(segment);
        }
    }

    fn make_room(&mut self, more: usize) {
        if more > self.tail.capacity() - self.tail.len() {
            self.grow(more);
        }
    }

    /// What left makes room first, if it is as much as what stays: so each octet
    /// is moved once at most for each that leaves.
    #[cold]
    fn grow(&mut self, more: usize) {
        if self.left > 0 && self.left >= self.tail.len() - self.left {
            self.tail.drain(..self.left);
            self.left = 0;
        }
        self.tail.reserve(more);
    }

    fn seal(&mut self) {
        let waits = &self.tail[self.left..];
        if waits.is_empty() {
            return;
        }
        let segment = if waits.len() <= SPLICED || self.lent {
            let copied = Bytes::copy_from_slice(waits);
            self.tail.clear();
            self.left = 0;
            copied
        } else {
            self.take_tail()
        };
        self.segments.push_back(segment);
    }

    fn take_tail(&mut self) -> Bytes {
        let mut taken = Bytes::from(mem::take(&mut self.tail));
        taken.advance(mem::take(&mut self.left));
        taken
    }

    fn shrink(&mut self) {
        if self.tail.capacity() > KEPT && !self.lent {
            self.tail = Vec::new();
        }
        if self.segments.capacity() > 64 {
            self.segments = VecDeque::new();
        }
    }
}

impl Buf for Outbox {
    fn remaining(&self) -> usize {
        self.len
    }

    fn chunk(&self) -> &[u8] {
        match self.segments.front() {
            Some(segment) => segment,
            None => &self.tail[self.left..],
        }
    }

    fn chunks_vectored<'a>(&'a self, dst: &mut [IoSlice<'a>]) -> usize {
        let tail = &self.tail[self.left..];
        let all = self.segments.iter().map(|s| &s[..]).chain([tail]);
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
        self.left += count;
        if self.len == 0 {
            self.tail.clear();
            self.left = 0;
            self.shrink();
        }
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
            out.put_with([b"<", b"tail"], |t| t[0] = b'T');
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
    fn what_waits_is_not_left_in_a_buffer_that_was_lent() {
        let mut buffer = Vec::with_capacity(100_000);
        let place = buffer.as_ptr();
        let mut out = Outbox::new();
        out.lend(&mut buffer);
        out.put(&[1; 5000]);
        out.put_shared(&Bytes::from(vec![2; COPIED + 1]));
        out.put(&[3; 5000]);
        assert_eq!(buffer.capacity(), 0);
        out.advance(10);
        out.take_back(&mut buffer);
        assert_eq!((buffer.as_ptr(), buffer.len()), (place, 0));
        // Another is not taken while something waits.
        out.lend(&mut buffer);
        assert_eq!(buffer.as_ptr(), place);
        let want = [&[1; 4990][..], &[2; COPIED + 1], &[3; 5000]].concat();
        assert!(out.tail.capacity() <= 2 * out.tail.len());
        assert_eq!(out.take_all(), want);
    }

    #[test]
    fn an_outbox_with_nothing_to_write_holds_no_memory() {
        let mut buffer = Vec::new();
        let mut out = Outbox::new();
        out.lend(&mut buffer);
        out.put(&[1; 10_000]);
        out.put_shared(&Bytes::from(vec![2; COPIED + 1]));
        out.advance(out.len());
        out.take_back(&mut buffer);
        assert!(buffer.capacity() >= 10_000);
        assert_eq!((out.tail.capacity(), out.segments.capacity()), (0, 0));
    }

    #[test]
    fn a_payload_is_copied_from_where_it_may_not_stay() {
        let (lent, own) = (Bytes::from(vec![1; 5000]), Bytes::from(vec![2; 5000]));
        let mut out = Outbox::new();
        out.put_shared(&lent);
        out.put_shared(&own);
        out.detach(&lent.as_ptr_range());
        assert!(lent.is_unique());
        assert!(!own.is_unique());
        assert_eq!(out.take_all(), [&lent[..], &own].concat());
    }

    #[test]
    fn a_large_buffer_is_given_back_when_it_runs_empty() {
        let mut out = Outbox::new();
        out.put(&vec![0; 100_000]);
        out.advance(100_000);
        assert!(out.tail.capacity() <= KEPT);
    }
}
