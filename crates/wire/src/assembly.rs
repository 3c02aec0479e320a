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
    /// Full ones.
    pieces: Vec<Vec<u8>>,
    /// The piece that is filling.
    gathered: Vec<u8>,
    /// The last run, if it is large: a frame that came in one read after its
    /// header is handed on without a copy, and a longer one ends in this.
    held: Option<BytesMut>,
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
        if let Some(before) = self.held.take() {
            self.gather(&before);
        }
        if run.len() > COPIED {
            self.held = Some(run);
        } else {
            self.gather(&run);
        }
        Ok(())
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
                self.pieces.push(mem::take(&mut self.gathered));
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
