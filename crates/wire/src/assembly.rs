//! A message on its way in: fragments joined, counted and checked as they come.

use std::mem;

use bytes::{Bytes, BytesMut};
use draftgate_core::{BadUtf8, COPIED, Limits, Message, Rule, Text, Violation};

use crate::{
    Utf8,
    utf8::{is_utf8, repair},
};

/// Runs are gathered in pieces of this many octets, grown as they fill.
const GATHERED: usize = 32 << 10;

/// A run of so many octets nearly fills the buffer that the driver reads into,
/// and becomes a piece as it is: nothing of a long frame is copied before it is
/// joined.
const WHOLE: usize = 60 << 10;

/// That buffer: one read, and the front of a frame before it.
const BUFFER: usize = (64 << 10) + 128;

/// What may be kept alive beside such pieces: 16 MiB in whole reads have as
/// much. A peer whose octets come in shorter ones has the later runs copied.
const SLACK: usize = 32 << 10;

/// How much longer a text may become by its repair: a bad octet is one, U+FFFD
/// is three. Sixteen thousand bad octets are a text in another encoding, say; a
/// message of nothing else would cost four times what was sent.
pub(crate) const GROWTH: u64 = 32 << 10;

/// The fragments of one message so far: gathered in pieces and joined once, at
/// the end. One buffer that doubles would hold three times what was received
/// while it grows; runs kept as they came would keep whole read buffers alive,
/// with octets in them that are kept elsewhere, too.
#[derive(Debug)]
pub(crate) struct Assembly {
    binary: bool,
    /// Those before the one that is filling.
    pieces: Vec<Bytes>,
    /// The piece that is filling.
    gathered: Vec<u8>,
    /// The last run, if it is large: a frame that came in one read after its
    /// header is handed on without a copy, and a longer one ends in this.
    held: Option<BytesMut>,
    /// What is left of [`SLACK`].
    slack: usize,
    len: u64,
    fragments: u32,
    utf8: Utf8,
}

/// A finished message, and how many U+FFFD were put in.
pub(crate) type Finished = (Message, u64);

impl Assembly {
    pub(crate) fn new(binary: bool) -> Self {
        Self {
            binary,
            pieces: Vec::new(),
            gathered: Vec::new(),
            held: None,
            slack: SLACK,
            len: 0,
            fragments: 0,
            utf8: Utf8::default(),
        }
    }

    /// A further fragment, of `length` octets if that is known in front: refused
    /// before its octets are there.
    pub(crate) fn fragment(
        &mut self,
        length: Option<u64>,
        limits: &Limits,
    ) -> Result<(), Violation> {
        // Where a frame is cut must not matter, and one that comes whole is not counted.
        if self.fragments >= limits.fragments.max(1) {
            return Err(Rule::TooManyFragments.into());
        }
        self.fragments += 1;
        self.fits(length.unwrap_or(0), limits)
    }

    /// More octets of the current fragment.
    pub(crate) fn push(
        &mut self,
        run: BytesMut,
        bad_utf8: BadUtf8,
        limits: &Limits,
    ) -> Result<(), Violation> {
        self.fits(run.len() as u64, limits)?;
        if !self.binary && bad_utf8 == BadUtf8::Fail && self.utf8.push(&run).is_err() {
            return Err(Rule::NotUtf8.into());
        }
        self.len += run.len() as u64;
        self.detach();
        if run.len() > COPIED {
            self.held = Some(run);
        } else {
            self.gather(&run);
        }
        Ok(())
    }

    /// Keeps no buffer of somebody else's alive any more for the little that
    /// lies in it.
    pub(crate) fn detach(&mut self) {
        let Some(run) = self.held.take() else { return };
        let beside = BUFFER.saturating_sub(run.len());
        match self.slack.checked_sub(beside) {
            Some(left) if run.len() >= WHOLE => {
                self.slack = left;
                if !self.gathered.is_empty() {
                    self.pieces.push(mem::take(&mut self.gathered).into());
                }
                self.pieces.push(run.freeze());
            }
            _ => self.gather(&run),
        }
    }

    /// Grows by doubling up to exactly one piece, so that full pieces hold no slack.
    fn gather(&mut self, mut run: &[u8]) {
        while !run.is_empty() {
            let (now, later) = run.split_at(run.len().min(GATHERED - self.gathered.len()));
            let wanted = self.gathered.len() + now.len();
            if wanted > self.gathered.capacity() {
                let doubled = (2 * self.gathered.capacity()).clamp(wanted, GATHERED);
                self.gathered.reserve_exact(doubled - self.gathered.len());
            }
            self.gathered.extend_from_slice(now);
            if self.gathered.len() == GATHERED {
                self.pieces.push(mem::take(&mut self.gathered).into());
            }
            run = later;
        }
    }

    fn join(self) -> Bytes {
        match self.held {
            Some(run) if run.len() as u64 == self.len => return run.freeze(),
            None if self.pieces.is_empty() => return self.gathered.into(),
            _ => {}
        }
        let mut whole = BytesMut::with_capacity(self.len as usize);
        for piece in self.pieces {
            whole.extend_from_slice(&piece);
        }
        whole.extend_from_slice(&self.gathered);
        whole.extend_from_slice(&self.held.unwrap_or_default());
        whole.freeze()
    }

    pub(crate) fn finish(self, bad_utf8: BadUtf8, limits: &Limits) -> Result<Finished, Violation> {
        if self.binary {
            return Ok((Message::Binary(self.join()), 0));
        }
        match bad_utf8 {
            BadUtf8::Fail if self.utf8.is_whole() => {
                Ok((Message::Text(Text::from_validated(self.join())), 0))
            }
            BadUtf8::Fail => Err(Rule::NotUtf8.into()),
            BadUtf8::Repair => repaired(self.join(), limits),
        }
    }

    fn fits(&self, more: u64, limits: &Limits) -> Result<(), Violation> {
        if self.len + more > limits.message {
            return Err(Rule::MessageTooBig.into());
        }
        Ok(())
    }
}

/// A message that came whole in one frame: one pass and no copy.
pub(crate) fn unfragmented(
    payload: Bytes,
    binary: bool,
    bad_utf8: BadUtf8,
    limits: &Limits,
) -> Result<Finished, Violation> {
    if payload.len() as u64 > limits.message {
        return Err(Rule::MessageTooBig.into());
    }
    if binary {
        return Ok((Message::Binary(payload), 0));
    }
    match bad_utf8 {
        BadUtf8::Fail if !is_utf8(&payload) => Err(Rule::NotUtf8.into()),
        BadUtf8::Fail => Ok((Message::Text(Text::from_validated(payload)), 0)),
        BadUtf8::Repair => repaired(payload, limits),
    }
}

fn repaired(payload: Bytes, limits: &Limits) -> Result<Finished, Violation> {
    if is_utf8(&payload) {
        return Ok((Message::Text(Text::from_validated(payload)), 0));
    }
    let most = payload.len() as u64 + GROWTH;
    match repair(&payload, most.min(limits.message)) {
        Some((text, replacements)) => Ok((Message::Text(Text::from_validated(text)), replacements)),
        None if most > limits.message => Err(Rule::MessageTooBig.into()),
        None => Err(Rule::NotUtf8.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_long_and_short_are_joined_in_their_order() {
        let (limits, mut octets) = (Limits::default(), (0..=u8::MAX).cycle());
        for settled in [false, true] {
            let mut assembly = Assembly::new(true);
            let mut whole = Vec::new();
            for size in [
                10,
                WHOLE,
                5000,
                WHOLE + 1,
                100,
                40_000,
                3000,
                WHOLE,
                WHOLE,
                1,
            ] {
                let run: Vec<u8> = octets.by_ref().take(size).collect();
                whole.extend_from_slice(&run);
                let run = BytesMut::from(&run[..]);
                assembly.push(run, BadUtf8::Fail, &limits).unwrap();
                if settled {
                    assembly.detach();
                }
            }
            let (message, _) = assembly.finish(BadUtf8::Fail, &limits).unwrap();
            assert_eq!(message.payload(), &whole);
        }
    }

    #[test]
    fn runs_in_whole_reads_are_never_copied_and_shorter_ones_at_last() {
        let limits = Limits::default();
        for (size, copied) in [(64 << 10, 0), (WHOLE, 200 - SLACK / (BUFFER - WHOLE))] {
            let mut assembly = Assembly::new(true);
            let mut copies = 0;
            for _ in 0..200 {
                let mut buffer = BytesMut::zeroed(BUFFER);
                let run = buffer.split_to(size);
                assembly.push(run, BadUtf8::Fail, &limits).unwrap();
                assembly.detach();
                buffer.clear();
                copies += usize::from(buffer.try_reclaim(BUFFER));
            }
            assert_eq!(copies, copied, "runs of {size} octets");
        }
    }

    #[test]
    fn a_run_that_nearly_fills_its_buffer_is_not_copied_until_the_end() {
        let limits = Limits::default();
        let mut assembly = Assembly::new(true);
        for (size, copied) in [(WHOLE - 1, true), (WHOLE, false)] {
            let mut buffer = BytesMut::zeroed(64 << 10);
            let run = buffer.split_to(size);
            assembly.push(run, BadUtf8::Fail, &limits).unwrap();
            assembly.detach();
            buffer.clear();
            // Room for all of it again only if nobody else has a part of it.
            assert_eq!(buffer.try_reclaim(64 << 10), copied);
        }
    }
}
