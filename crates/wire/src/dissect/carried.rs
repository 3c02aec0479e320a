//! What one side sent in a carrier: its octets as one unit, and the frames that
//! they hold.

use bytes::BytesMut;

use super::{
    Fault, Kind, Stream, Unit, What,
    values::{Fields, hex},
};
use crate::Unpack;

/// The most octets that are laid bare: a frame of two octets takes hundreds of
/// times their room.
const MOST: usize = 256 << 10;

impl Stream {
    /// All that there is as the octets of a carrier, which `unpack` reads, with the
    /// frames that it holds [within](Unit::within); `None` if there is nothing.
    pub fn carried(mut self, unpack: &mut dyn Unpack) -> Option<Unit> {
        if self.rest.is_empty() {
            return None;
        }
        let mut input = BytesMut::from(&self.rest[..]);
        let mut plain = BytesMut::new();
        let mut broken = None;
        while plain.len() < MOST {
            match unpack.unpack(&mut input) {
                Ok(Some(run)) => plain.extend_from_slice(&run),
                Ok(None) => break,
                Err(violation) => {
                    broken = Some(violation.rule);
                    break;
                }
            }
        }
        let mut fields = Fields::default();
        let field = fields.put(
            unpack.name(),
            Kind::Unknown,
            8 * self.rest.len() as u64,
            hex(&self.rest),
        );
        field.noting(match plain.len() < MOST {
            true => format!("it holds {} octets", plain.len()),
            false => format!(
                "it holds more than is shown, the first {} octets",
                plain.len()
            ),
        });
        let size = self.rest.len();
        let mut unit = self.unit(What::Unknown, size, fields);
        let draft = unit.draft;
        unit.fault = broken.map(|rule| Fault {
            at_bit: 0,
            code: rule.code(),
            sentence: rule.to_string(),
            section: Some(rule.section(draft)),
        });
        (self.rest, self.offset) = (plain.freeze(), 0);
        unit.within = self.collect();
        Some(unit)
    }
}
