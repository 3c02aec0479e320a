//! Payloads that an extension encoded, as they were before.

use bytes::BytesMut;

use super::{
    Decoded, Kind,
    stream::Found,
    values::{hex, quoted},
};
use crate::{Extension, Opcode, Rest};

/// The most octets that one frame may decode to: nobody looks at more, and a
/// frame may be a thousandth of what it decodes to.
const MOST: usize = 1 << 20;

/// What one side's payloads are encoded by.
#[derive(Debug, Default)]
pub(super) struct Encoding {
    extension: Option<Box<dyn Extension>>,
    /// Whether something was not decoded, to which what follows may refer.
    lost: bool,
}

impl Encoding {
    pub(super) fn by(extension: Option<Box<dyn Extension>>) -> Self {
        Self {
            extension,
            lost: false,
        }
    }

    /// The bits that are the extension's to judge.
    pub(super) fn bits(&self) -> u8 {
        self.extension.as_ref().map_or(0, |it| it.bits())
    }

    /// Whether the payload of the data frame `found` is encoded.
    pub(super) fn begin(&mut self, opcode: Opcode, found: &mut Found) -> bool {
        let Some(extension) = &mut self.extension else {
            return false;
        };
        let at = found.fields.start_of(Kind::Reserved);
        match extension.begin(opcode, found.extended) {
            Ok(encoded) => {
                if found.extended != 0
                    && let Some(bit) = found.fields.at(at)
                {
                    bit.noting(extension.meaning());
                }
                encoded
            }
            Err(violation) => {
                found.breach.get_or_insert((at, violation.rule));
                false
            }
        }
    }

    /// The payload of `found` as it was, which begins at the bit `at`; `None` if
    /// that cannot be told.
    pub(super) fn decode(&mut self, found: &mut Found, at: u64, text: bool) -> Option<BytesMut> {
        if self.lost
            && let Some(payload) = found.fields.at(at)
        {
            payload.noting("not decoded: it may refer to what was not");
        }
        let extension = self.extension.as_mut().filter(|_| !self.lost)?;
        let rest = match (found.cut_off, found.fin) {
            (true, _) => Rest::Within,
            (false, false) => Rest::Frame,
            (false, true) => Rest::Message,
        };
        let mut input = BytesMut::from(&found.payload[..]);
        let mut decoded = BytesMut::new();
        while !self.lost {
            match extension.decode(&mut input, rest) {
                Ok(Some(run)) => decoded.extend_from_slice(&run),
                Ok(None) => break,
                Err(violation) => {
                    found.breach.get_or_insert((at, violation.rule));
                    self.lost = true;
                }
            }
            self.lost |= decoded.len() > MOST;
        }
        let bounded = decoded.len() > MOST;
        decoded.truncate(MOST);
        if bounded || !self.lost {
            found.decoded = Some(Box::new(Decoded {
                length: decoded.len() as u64,
                value: if text {
                    quoted(&decoded)
                } else {
                    hex(&decoded)
                },
                bounded,
            }));
        }
        (!self.lost).then_some(decoded)
    }
}
