//! The framing of hixie-75 and -76: text between `00` and `FF`, and frames
//! with a length that receivers discard (hixie-76 §5.3).
//!
//! `FF` never stands in UTF-8, so the end of a text is one `memchr`.

use byteorder::ReadBytesExt;
use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{COPIED, Closing, Limits, Outbox, Passed, Role, Rule, Violation, WireClass};

use crate::{
    Frame, Framing, Header, Opcode, Part, glance::passed_text, opening::LengthFrames,
    writing::put_length,
};

pub(crate) const TEXT: u8 = 0x00;
pub(crate) const BINARY: u8 = 0x80;
pub(crate) const END: u8 = 0xff;

/// 63 bits in groups of seven; more groups could only be leading zeros.
pub(crate) const MAX_LENGTH_GROUPS: u32 = 9;

/// `00 … FF`, and `80`–`FF` with a length.
#[derive(Debug)]
pub struct Sentinel {
    closing: Closing,
    length_frames: LengthFrames,
    place: Place,
}

/// Where in a frame the reader is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// In the text of a frame of type 00, `octets` so far.
    Text {
        octets: u64,
    },
    /// In a frame of type 01–7F, which is discarded.
    Unknown {
        frame_type: u8,
        octets: u64,
    },
    /// In the length of a frame of type 80–FF.
    Length {
        frame_type: u8,
        value: u64,
        groups: u32,
    },
    /// In the payload of a frame of type 80–FF, which is discarded.
    Skip {
        frame_type: u8,
        octets: u64,
        left: u64,
    },
    /// In the payload of an 80 frame that is taken for binary.
    Binary {
        left: u64,
    },
}

impl Sentinel {
    /// A reader and writer. With [`Closing::Marker`], `FF 00` is a close
    /// (hixie-76); otherwise it is one more frame to discard (hixie-75).
    pub fn new(closing: Closing, length_frames: LengthFrames) -> Self {
        Self {
            closing,
            length_frames,
            place: Place::Start,
        }
    }

    /// Reads in the frame that has begun; `Ok(None)` if the input is used up
    /// or the place changed without anything to tell.
    fn step(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation> {
        match self.place {
            Place::Start => self.start(input, limits),
            Place::Text { octets } => {
                let end = memchr::memchr(END, input);
                if end == Some(0) {
                    input.advance(1);
                    self.place = Place::Start;
                    return Ok(Some(Part::End));
                }
                let run = end.unwrap_or(input.len());
                let octets = text_within(octets + run as u64, limits)?;
                self.place = Place::Text { octets };
                Ok(Some(Part::Data(input.split_to(run))))
            }
            Place::Unknown { frame_type, octets } => {
                let end = memchr::memchr(END, input);
                let run = end.unwrap_or(input.len());
                let octets = within(octets + run as u64, limits)?;
                if end.is_none() {
                    input.clear();
                    self.place = Place::Unknown { frame_type, octets };
                    return Ok(None);
                }
                input.advance(run + 1);
                self.place = Place::Start;
                Ok(Some(Part::Skipped { frame_type, octets }))
            }
            Place::Length {
                frame_type,
                value,
                groups,
            } => self.length(frame_type, value, groups, input, limits),
            Place::Skip {
                frame_type,
                octets,
                left,
            } => {
                let run = left.min(input.len() as u64);
                input.advance(run as usize);
                if run < left {
                    let left = left - run;
                    self.place = Place::Skip {
                        frame_type,
                        octets,
                        left,
                    };
                    return Ok(None);
                }
                self.place = Place::Start;
                Ok(Some(Part::Skipped { frame_type, octets }))
            }
            Place::Binary { left: 0 } => {
                self.place = Place::Start;
                Ok(Some(Part::End))
            }
            Place::Binary { left } => {
                let run = left.min(input.len() as u64);
                self.place = Place::Binary { left: left - run };
                Ok(Some(Part::Data(input.split_to(run as usize))))
            }
        }
    }

    fn start(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation> {
        let frame_type = input[0];
        if frame_type == TEXT {
            let Some(end) = memchr::memchr(END, &input[1..]) else {
                input.advance(1);
                self.place = Place::Text { octets: 0 };
                return Ok(Some(Part::Begin(Header {
                    opcode: Opcode::Text,
                    fin: true,
                    reserved: 0,
                    length: None,
                })));
            };
            text_within(end as u64, limits)?;
            input.advance(1);
            let payload = input.split_to(end);
            input.advance(1);
            return Ok(Some(whole(Opcode::Text, payload)));
        }
        input.advance(1);
        self.place = if frame_type < 0x80 {
            Place::Unknown {
                frame_type,
                octets: 0,
            }
        } else {
            Place::Length {
                frame_type,
                value: 0,
                groups: 0,
            }
        };
        Ok(None)
    }

    /// The length: base 128, most significant group first, bit 7 on all but the last.
    fn length(
        &mut self,
        frame_type: u8,
        mut value: u64,
        mut groups: u32,
        input: &mut BytesMut,
        limits: &Limits,
    ) -> Result<Option<Part>, Violation> {
        while let Ok(octet) = input.as_ref().read_u8() {
            input.advance(1);
            groups += 1;
            if groups > MAX_LENGTH_GROUPS {
                return Err(Rule::LengthOutOfRange.into());
            }
            value = value << 7 | u64::from(octet & 0x7f);
            if octet & 0x80 == 0 {
                return self.length_known(frame_type, within(value, limits)?, input);
            }
        }
        self.place = Place::Length {
            frame_type,
            value,
            groups,
        };
        Ok(None)
    }

    fn length_known(
        &mut self,
        frame_type: u8,
        octets: u64,
        input: &mut BytesMut,
    ) -> Result<Option<Part>, Violation> {
        self.place = Place::Start;
        if (frame_type, octets) == (END, 0) && self.closing == Closing::Marker {
            return Ok(Some(whole(Opcode::Close, BytesMut::new())));
        }
        if frame_type == BINARY && self.length_frames.accept {
            if octets <= input.len() as u64 {
                return Ok(Some(whole(Opcode::Binary, input.split_to(octets as usize))));
            }
            self.place = Place::Binary { left: octets };
            return Ok(Some(Part::Begin(Header {
                opcode: Opcode::Binary,
                fin: true,
                reserved: 0,
                length: Some(octets),
            })));
        }
        if octets == 0 {
            return Ok(Some(Part::Skipped { frame_type, octets }));
        }
        self.place = Place::Skip {
            frame_type,
            octets,
            left: octets,
        };
        Ok(None)
    }
}

fn whole(opcode: Opcode, payload: BytesMut) -> Part {
    Part::Whole(Frame {
        opcode,
        fin: true,
        reserved: 0,
        payload,
    })
}

fn within(octets: u64, limits: &Limits) -> Result<u64, Violation> {
    if octets > limits.frame {
        return Err(Rule::FrameTooBig.into());
    }
    Ok(octets)
}

/// A text is a message, too, and no length tells in front which of two limits
/// it will exceed: the lower one it is, in however many reads it comes.
fn text_within(octets: u64, limits: &Limits) -> Result<u64, Violation> {
    if octets > limits.message && limits.message < limits.frame {
        return Err(Rule::MessageTooBig.into());
    }
    within(octets, limits)
}

impl Framing for Sentinel {
    fn read(&mut self, input: &mut BytesMut, limits: &Limits) -> Result<Option<Part>, Violation> {
        while !input.is_empty() || self.place == (Place::Binary { left: 0 }) {
            if let Some(part) = self.step(input, limits)? {
                return Ok(Some(part));
            }
        }
        Ok(None)
    }

    fn pass<'i>(&self, input: &'i mut [u8], most: usize) -> Option<Passed<'i>> {
        match self.place {
            Place::Start => passed_text(input, most),
            _ => None,
        }
    }

    fn write(&mut self, opcode: Opcode, payload: &Bytes, out: &mut Outbox) {
        match opcode {
            Opcode::Text if payload.len() > COPIED => {
                out.put(&[TEXT]);
                out.put_shared(payload);
                out.put(&[END]);
            }
            Opcode::Binary => {
                out.put(&[BINARY]);
                put_length(payload.len() as u64, out);
                out.put_shared(payload);
            }
            _ => self.write_copied(opcode, payload, out),
        }
    }

    fn write_copied(&mut self, opcode: Opcode, payload: &[u8], out: &mut Outbox) {
        match opcode {
            Opcode::Text => out.put_framed([TEXT], payload, [END]),
            Opcode::Binary => {
                out.put(&[BINARY]);
                put_length(payload.len() as u64, out);
                out.put(payload);
            }
            Opcode::Close if self.closing == Closing::Marker => out.put(&[END, 0x00]),
            // hixie-75 closes by closing TCP; the rest does not exist, and the
            // machine has asked before.
            Opcode::Close | Opcode::Continuation | Opcode::Ping | Opcode::Pong => {}
        }
    }

    fn binary(&self) -> bool {
        self.length_frames.send
    }

    fn fragments(&self) -> bool {
        false
    }

    fn control(&self) -> Option<usize> {
        None
    }

    fn filler(&self) -> Option<&'static [u8]> {
        // A hixie-76 client reports an error event for it, so only 75; and for
        // whom such frames are binary it is an empty message.
        let discarded = self.closing == Closing::Absent && !self.length_frames.send;
        discarded.then_some(&[BINARY, 0x00])
    }

    fn role(&self) -> Option<Role> {
        None
    }

    fn class(&self) -> Option<WireClass> {
        Some(if self.length_frames.send {
            WireClass::SentinelLengthFrames
        } else {
            WireClass::Sentinel
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every part, with data of one frame joined, for the input cut at `cut`.
    fn read(framing: &mut Sentinel, octets: &[u8], cut: usize) -> Result<Vec<Part>, Violation> {
        let limits = Limits::default();
        let (mut parts, mut input) = (Vec::new(), BytesMut::new());
        for run in [&octets[..cut], &octets[cut..]] {
            input.extend_from_slice(run);
            while let Some(part) = framing.read(&mut input, &limits)? {
                parts.push(part);
            }
        }
        Ok(parts)
    }

    fn skipped(closing: Closing, octets: &[u8]) -> Vec<(u8, u64)> {
        let mut all = Vec::new();
        for cut in 0..=octets.len() {
            let mut framing = Sentinel::new(closing, LengthFrames::default());
            let found: Vec<_> = read(&mut framing, octets, cut)
                .unwrap()
                .into_iter()
                .filter_map(|part| match part {
                    Part::Skipped { frame_type, octets } => Some((frame_type, octets)),
                    _ => None,
                })
                .collect();
            assert!(cut == 0 || found == all, "cut at {cut}");
            all = found;
        }
        all
    }

    #[test]
    fn frames_of_other_types_are_discarded() {
        assert_eq!(
            skipped(Closing::Absent, b"\x01abc\xff\x7f\xff"),
            [(1, 3), (0x7f, 0)]
        );
        assert_eq!(
            skipped(Closing::Absent, b"\x80\x03abc\xff\x00"),
            [(0x80, 3), (0xff, 0)]
        );
        assert_eq!(skipped(Closing::Marker, b"\xff\x81\x00abc").len(), 0);
        let long = [&[0xfe, 0x81, 0x00][..], &[0xff; 128]].concat();
        assert_eq!(skipped(Closing::Marker, &long), [(0xfe, 128)]);
    }

    #[test]
    fn the_worked_lengths_are_read() {
        for (head, length) in [
            (&[0x00][..], 0),
            (&[0x7f], 127),
            (&[0x81, 0x00], 128),
            (&[0x81, 0x7f], 255),
            (&[0x82, 0x2c], 300),
            (&[0xff, 0x7f], 16_383),
            (&[0x81, 0x80, 0x00], 16_384),
        ] {
            let octets = [&[0x80], head, &vec![0xff; length]].concat();
            for cut in 0..=octets.len().min(8) {
                let mut framing = Sentinel::new(Closing::Absent, LengthFrames::default());
                let skipped = Part::Skipped {
                    frame_type: 0x80,
                    octets: length as u64,
                };
                assert_eq!(
                    read(&mut framing, &octets, cut),
                    Ok(vec![skipped]),
                    "{length}"
                );
            }
        }
    }

    #[test]
    fn ff_00_closes_in_76_only() {
        let close = Part::Whole(Frame {
            opcode: Opcode::Close,
            fin: true,
            reserved: 0,
            payload: BytesMut::new(),
        });
        for cut in 0..=2 {
            let mut framing = Sentinel::new(Closing::Marker, LengthFrames::default());
            assert_eq!(
                read(&mut framing, b"\xff\x00", cut).unwrap(),
                std::slice::from_ref(&close)
            );
        }
        assert_eq!(skipped(Closing::Absent, b"\xff\x00"), [(0xff, 0)]);
    }

    #[test]
    fn an_endless_length_is_a_violation() {
        for octet in [0x80, 0xff] {
            let mut framing = Sentinel::new(Closing::Marker, LengthFrames::default());
            let octets = [&[0x80][..], &[octet; 20]].concat();
            let error = read(&mut framing, &octets, 0).unwrap_err();
            assert_eq!(error.rule, Rule::LengthOutOfRange);
        }
    }

    #[test]
    fn length_frames_are_binary_where_the_route_says_so() {
        let mode = LengthFrames {
            send: true,
            accept: true,
        };
        for cut in 0..=5 {
            let mut framing = Sentinel::new(Closing::Marker, mode);
            let parts = read(&mut framing, b"\x80\x03abc", cut).unwrap();
            let mut payload = BytesMut::new();
            for part in parts {
                match part {
                    Part::Whole(frame) => payload = frame.payload,
                    Part::Data(run) => payload.extend_from_slice(&run),
                    _ => {}
                }
            }
            assert_eq!(&payload[..], b"abc", "cut at {cut}");
        }
        let mut out = Outbox::new();
        let mut framing = Sentinel::new(Closing::Marker, mode);
        framing.write(Opcode::Binary, &Bytes::from_static(b"\xff\x00"), &mut out);
        assert_eq!(&out.take_all()[..], b"\x80\x02\xff\x00");
    }

    #[test]
    fn what_is_binary_for_the_peer_is_no_filler() {
        for (closing, send, filler) in [
            (Closing::Absent, false, Some(&b"\x80\x00"[..])),
            (Closing::Absent, true, None),
            (Closing::Marker, false, None),
        ] {
            let mode = LengthFrames {
                send,
                accept: false,
            };
            assert_eq!(Sentinel::new(closing, mode).filler(), filler, "{mode:?}");
        }
    }

    #[test]
    fn an_announced_giant_is_refused_before_its_octets() {
        let mut framing = Sentinel::new(Closing::Marker, LengthFrames::default());
        let error = read(&mut framing, b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\x7f", 0).unwrap_err();
        assert_eq!(error.rule, Rule::FrameTooBig);
    }
}
