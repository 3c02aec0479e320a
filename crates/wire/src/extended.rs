//! Frames whose payloads an [`Extension`] encodes.
//!
//! A framing around [`Hybi`]: connections without an extension have nothing of
//! it. What is decoded goes on in chunks, as parts of a frame whose length nobody
//! knows in front, so that the machine counts it against its limits while it
//! appears, and no more than one chunk is ever made beyond them.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Limits, Outbox, Passed, Role, Violation, WireClass};

use crate::{Extension, Frame, Framing, Header, Hybi, Opcode, Part, Rest};

/// [`Hybi`] with an extension.
#[derive(Debug)]
pub struct Extended {
    framing: Hybi,
    extension: Box<dyn Extension>,
    /// The data frame that is being decoded.
    decoding: Option<Decoding>,
}

#[derive(Debug)]
struct Decoding {
    fin: bool,
    /// What was decoded before the machine was told that a frame begins.
    ready: Option<BytesMut>,
    /// What is still to be decoded.
    input: BytesMut,
    /// Whether the frame's payload ends with it.
    ended: bool,
}

impl Decoding {
    fn rest(&self) -> Rest {
        match (self.ended, self.fin) {
            (false, _) => Rest::Within,
            (true, false) => Rest::Frame,
            (true, true) => Rest::Message,
        }
    }
}

impl Extended {
    /// Frames of `framing`, whose reserved bits are the extension's to judge.
    pub fn new(framing: Hybi, extension: Box<dyn Extension>) -> Self {
        Self {
            framing: framing.extended(extension.bits()),
            extension,
            decoding: None,
        }
    }

    /// The next part of the frame that is being decoded; `None` if it needs more.
    fn decoded(&mut self) -> Result<Option<Part>, Violation> {
        let Some(decoding) = &mut self.decoding else {
            return Ok(None);
        };
        if let Some(run) = decoding.ready.take() {
            return Ok(Some(Part::Data(run)));
        }
        let rest = decoding.rest();
        if let Some(run) = self.extension.decode(&mut decoding.input, rest)? {
            return Ok(Some(Part::Data(run)));
        }
        if !decoding.ended {
            return Ok(None);
        }
        self.decoding = None;
        Ok(Some(Part::End))
    }

    fn begin(&mut self, header: Header) -> Result<Part, Violation> {
        let bits = header.reserved & self.extension.bits();
        if !self.extension.begin(header.opcode, bits)? {
            return Ok(Part::Begin(header));
        }
        self.decoding = Some(Decoding {
            fin: header.fin,
            ready: None,
            input: BytesMut::new(),
            ended: false,
        });
        Ok(Part::Begin(Header {
            length: None,
            ..header
        }))
    }

    /// A data frame that lay in the input whole: it is handed on whole if it
    /// decodes to one chunk.
    fn whole(&mut self, frame: Frame) -> Result<Part, Violation> {
        let bits = frame.reserved & self.extension.bits();
        if !self.extension.begin(frame.opcode, bits)? {
            return Ok(Part::Whole(frame));
        }
        let mut decoding = Decoding {
            fin: frame.fin,
            ready: None,
            input: frame.payload,
            ended: true,
        };
        let rest = decoding.rest();
        let first = self.extension.decode(&mut decoding.input, rest)?;
        let second = match first {
            Some(_) => self.extension.decode(&mut decoding.input, rest)?,
            None => None,
        };
        let Some(second) = second else {
            return Ok(Part::Whole(Frame {
                payload: first.unwrap_or_default(),
                ..frame
            }));
        };
        let mut ready = first.unwrap_or_default();
        ready.unsplit(second);
        decoding.ready = Some(ready);
        self.decoding = Some(decoding);
        Ok(Part::Begin(Header {
            opcode: frame.opcode,
            fin: frame.fin,
            reserved: frame.reserved,
            length: None,
        }))
    }
}

impl Framing for Extended {
    fn read(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation> {
        loop {
            if let Some(part) = self.decoded()? {
                return Ok(Some(part));
            }
            let part = self.framing.read(input, limits)?;
            match (&mut self.decoding, part) {
                (Some(decoding), Some(Part::Data(run))) => decoding.input = run,
                (Some(decoding), Some(Part::End)) => decoding.ended = true,
                (None, Some(Part::Begin(header))) => return self.begin(header).map(Some),
                (None, Some(Part::Whole(frame))) if !frame.opcode.is_control() => {
                    return self.whole(frame).map(Some);
                }
                (_, part) => return Ok(part),
            }
        }
    }

    fn pass<'i>(&self, input: &'i mut [u8], most: usize) -> Option<Passed<'i>> {
        match self.decoding {
            // A frame with one of its bits set is none that passes.
            None => self.framing.pass(input, most),
            Some(_) => None,
        }
    }

    fn write(&mut self, opcode: Opcode, payload: &Bytes, out: &mut Outbox) {
        match self.encoded(opcode, payload) {
            Some((encoded, bits)) => self.framing.write_reserved(opcode, bits, &encoded, out),
            None => self.framing.write(opcode, payload, out),
        }
    }

    fn write_copied(&mut self, opcode: Opcode, payload: &[u8], out: &mut Outbox) {
        match self.encoded(opcode, payload) {
            Some((encoded, bits)) => self.framing.write_reserved(opcode, bits, &encoded, out),
            None => self.framing.write_copied(opcode, payload, out),
        }
    }

    fn binary(&self) -> bool {
        self.framing.binary()
    }

    fn fragments(&self) -> bool {
        self.framing.fragments()
    }

    fn control(&self) -> Option<usize> {
        self.framing.control()
    }

    fn filler(&self) -> Option<&'static [u8]> {
        self.framing.filler()
    }

    fn role(&self) -> Option<Role> {
        self.framing.role()
    }

    fn connection_mask(&self) -> Option<[u8; 20]> {
        self.framing.connection_mask()
    }

    fn class(&self) -> Option<WireClass> {
        self.extension.class(self.framing.class()?)
    }
}

impl Extended {
    fn encoded(&mut self, opcode: Opcode, payload: &[u8]) -> Option<(Bytes, u8)> {
        match opcode.is_control() {
            true => None,
            false => self.extension.encode(payload),
        }
    }
}
