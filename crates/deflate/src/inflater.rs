//! From compressed payloads to octets, a chunk at a time.

use bytes::{Buf, BytesMut};
use draftgate_core::{Rule, Violation};
use draftgate_wire::Unpack;
use flate2::{Decompress, FlushDecompress, Status};

use crate::{
    name::Name,
    scratch,
    settings::{LARGEST, SMALLEST},
};

/// What a sender leaves out at the end of each message or frame
/// (RFC 7692 §7.2.1).
pub(crate) const TAIL: [u8; 4] = [0x00, 0x00, 0xff, 0xff];

/// The reading half.
#[derive(Debug)]
pub(crate) struct Inflater {
    /// `None` until the first compressed payload, and between them where no
    /// context is kept.
    inflate: Option<Box<Decompress>>,
    window: u8,
    takeover: bool,
    /// Octets of [`TAIL`] that were put in.
    tail: usize,
    /// Whether there was more than one chunk.
    full: bool,
}

impl Unpack for Inflater {
    fn name(&self) -> &'static str {
        Name::Stream.token()
    }

    fn unpack(&mut self, input: &mut BytesMut) -> Result<Option<BytesMut>, Violation> {
        self.decode(input, false)
    }
}

impl Inflater {
    /// For a peer whose window has `window` bits (8 can be read like 9), which
    /// refers to earlier payloads if `takeover`.
    pub(crate) fn new(window: u8, takeover: bool) -> Self {
        Self {
            inflate: None,
            window: window.clamp(SMALLEST, LARGEST),
            takeover,
            tail: 0,
            full: false,
        }
    }

    /// The next chunk of what `input` holds, and of the tail if it `ends`;
    /// `None` once there is no more of it.
    pub(crate) fn decode(
        &mut self,
        input: &mut BytesMut,
        ends: bool,
    ) -> Result<Option<BytesMut>, Violation> {
        scratch::with_buffer(|buffer| {
            loop {
                let octets = match (input.is_empty(), ends) {
                    (false, _) => &input[..],
                    (true, true) => &TAIL[self.tail..],
                    (true, false) => &[],
                };
                if octets.is_empty() && !self.full {
                    if ends {
                        self.end();
                    }
                    return Ok(None);
                }
                let (window, takeover) = (self.window, self.takeover);
                let inflate = self.inflate.get_or_insert_with(|| {
                    Box::new(match takeover {
                        true => Decompress::new_with_window_bits(false, window),
                        false => scratch::inflater(),
                    })
                });
                let before = (inflate.total_in(), inflate.total_out());
                let status = inflate
                    .decompress(octets, buffer, FlushDecompress::None)
                    .map_err(|_| Rule::NotDeflate)?;
                let used = (inflate.total_in() - before.0) as usize;
                let made = (inflate.total_out() - before.1) as usize;
                let stuck = used == 0 && made == 0 && !octets.is_empty();
                match input.is_empty() {
                    true if ends => self.tail += used,
                    _ => input.advance(used),
                }
                self.full = made == buffer.len();
                if status == Status::StreamEnd {
                    // The sender ended its stream and begins another one
                    // (RFC 7692 §7.2.3.4); what follows here is that.
                    inflate.reset(false);
                    self.full = false;
                    if input.is_empty() && ends {
                        self.tail = TAIL.len();
                    }
                } else if stuck {
                    return Err(Rule::NotDeflate.into());
                }
                if made > 0 {
                    return Ok(Some(BytesMut::from(&buffer[..made])));
                }
            }
        })
    }

    /// The payload is complete.
    fn end(&mut self) {
        self.tail = 0;
        if !self.takeover
            && let Some(inflate) = self.inflate.take()
        {
            scratch::keep_inflater(*inflate);
        }
    }
}
