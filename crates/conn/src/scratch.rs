//! The buffers of a thread, which its connections are lent in turn: what is
//! small is read, answered and written without memory of the connection's own.
//! A buffer for each would be 64 KiB for every idle one, or a look at the
//! socket's readiness first, which only a bare socket has.

use std::{cell::Cell, mem, ops::Range, ptr};

use bytes::{BufMut, BytesMut, buf::Limit};

use crate::lent::Spares;

/// Octets taken by one read.
const CHUNK: usize = 64 << 10;

/// The front of a frame up to this long is copied in front of its rest: the
/// header of a frame, or most of a control frame. A longer one is not, because
/// it might be copied again for each octet that comes.
const IN_FRONT: usize = 128;

/// A buffer for writing that became larger is not kept.
const KEPT: usize = 256 << 10;

thread_local! {
    static SCRATCH: Cell<Option<(BytesMut, Vec<u8>, Spares)>> = const { Cell::new(None) };
}

/// The thread's buffers, given back when dropped.
#[derive(Debug)]
pub(crate) struct Scratch {
    /// For reading.
    buffer: BytesMut,
    /// For writing.
    pub(crate) out: Vec<u8>,
    /// Besides.
    pub(crate) spares: Spares,
    /// Where the octets begin that are read next.
    front: usize,
    place: Range<*const u8>,
}

impl Scratch {
    /// Taken out and put back, so that a transport which itself drives a
    /// connection meanwhile finds none and makes its own.
    pub(crate) fn take() -> Self {
        let (buffer, out, spares) = SCRATCH.take().unwrap_or_default();
        Self {
            buffer,
            out,
            spares,
            front: 0,
            place: ptr::null()..ptr::null(),
        }
    }

    /// Makes room for one read, behind `rest` if that is short.
    pub(crate) fn begin(&mut self, rest: &[u8]) {
        self.buffer.clear();
        // The same memory, unless somebody keeps a part of it.
        self.buffer.reserve(IN_FRONT + CHUNK);
        self.front = if rest.len() <= IN_FRONT {
            rest.len()
        } else {
            0
        };
        self.buffer.extend_from_slice(&rest[..self.front]);
    }

    /// Where the next read goes.
    pub(crate) fn room(&mut self) -> Limit<&mut BytesMut> {
        (&mut self.buffer).limit(CHUNK)
    }

    /// Hands over all that was read, as the `input` that a codec reads from,
    /// whose rest lies in front of it. Whether that was done without a copy.
    pub(crate) fn lend(&mut self, input: &mut BytesMut) -> bool {
        if self.front < input.len() {
            input.extend_from_slice(&self.buffer);
            return false;
        }
        self.place = self.buffer.as_ptr_range();
        mem::swap(input, &mut self.buffer);
        true
    }

    /// Takes back what was lent as `input`, which then has its own memory.
    /// Where it lay.
    pub(crate) fn take_back(&mut self, input: &mut BytesMut) -> Range<*const u8> {
        let rest = match input.is_empty() {
            true => BytesMut::new(),
            false => BytesMut::from(&input[..]),
        };
        self.buffer = mem::replace(input, rest);
        self.place.clone()
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let (buffer, mut out) = (mem::take(&mut self.buffer), mem::take(&mut self.out));
        let spares = mem::take(&mut self.spares);
        if out.capacity() > KEPT {
            out = Vec::new();
        }
        SCRATCH.set(Some((buffer, out, spares)));
    }
}
