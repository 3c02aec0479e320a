//! What one side sends behind the opening, dissected while the connection goes on.

use bytes::BytesMut;
use draftgate_wire::{
    Agreed, Unpack,
    dissect::{Stream, Unit},
};

/// The frames of one side as they come, as they are behind compression that was
/// agreed on: with `deflate-stream` offsets count what it holds.
#[derive(Debug)]
pub struct Live {
    frames: Stream,
    unpack: Option<Box<dyn Unpack>>,
    /// Whether what came is not what was agreed on, so that nothing can be told.
    broken: bool,
}

impl Live {
    /// A side that has sent nothing, as its peer reads it by what was `agreed` on;
    /// `frames` is that side's, without octets.
    pub fn new(frames: Stream, agreed: Option<&dyn Agreed>) -> Self {
        Self {
            frames: frames.extended(agreed.and_then(Agreed::extension)),
            unpack: agreed.and_then(Agreed::unpacker),
            broken: false,
        }
    }

    /// The side said `octets`.
    pub fn feed(&mut self, octets: &[u8]) {
        let Some(unpack) = &mut self.unpack else {
            return self.frames.feed(octets);
        };
        let mut input = BytesMut::from(octets);
        while !self.broken {
            match unpack.unpack(&mut input) {
                Ok(Some(run)) => self.frames.feed(&run),
                Ok(None) => break,
                Err(_) => self.broken = true,
            }
        }
    }

    /// The next frame that is there as a whole.
    pub fn next_whole(&mut self) -> Option<Unit> {
        self.frames.next_whole()
    }
}

impl Iterator for Live {
    type Item = Unit;

    fn next(&mut self) -> Option<Unit> {
        self.frames.next()
    }
}
