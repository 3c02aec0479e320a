//! A message on its way in: fragments joined, counted and checked as they come.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Limits, Message, Rule, Text, Violation};

use crate::{
    BadUtf8, Utf8,
    utf8::{is_utf8, repair},
};

/// The fragments of one message so far.
#[derive(Debug)]
pub(crate) struct Assembly {
    binary: bool,
    payload: BytesMut,
    fragments: u32,
    utf8: Utf8,
}

/// A finished message, and how many U+FFFD were put in.
pub(crate) type Finished = (Message, u64);

impl Assembly {
    pub(crate) fn new(binary: bool) -> Self {
        Self {
            binary,
            payload: BytesMut::new(),
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
        self.fragments += 1;
        if self.fragments > limits.fragments {
            return Err(Rule::TooManyFragments.into());
        }
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
        if self.payload.is_empty() {
            self.payload = run;
        } else {
            self.payload.extend_from_slice(&run);
        }
        Ok(())
    }

    pub(crate) fn finish(self, bad_utf8: BadUtf8, limits: &Limits) -> Result<Finished, Violation> {
        let payload = self.payload.freeze();
        if self.binary {
            return Ok((Message::Binary(payload), 0));
        }
        match bad_utf8 {
            BadUtf8::Fail if self.utf8.is_whole() => {
                Ok((Message::Text(Text::from_validated(payload)), 0))
            }
            BadUtf8::Fail => Err(Rule::NotUtf8.into()),
            BadUtf8::Repair => repaired(payload, limits),
        }
    }

    fn fits(&self, more: u64, limits: &Limits) -> Result<(), Violation> {
        if self.payload.len() as u64 + more > limits.message {
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
    // U+FFFD is three octets, so garbage grows: the limit is for the result.
    let (text, replacements) = repair(&payload, limits.message).ok_or(Rule::MessageTooBig)?;
    Ok((Message::Text(Text::from_validated(text)), replacements))
}
