//! Where octets behind an opening are no frames, whatever a dissector makes of
//! them: more HTTP on the same connection. A client whose request was answered
//! by 401 asks again with its password, and read as frames that would be a few
//! wrong ones with a secret in them.

use bytes::Bytes;
use draftgate_core::Role;
use draftgate_drafts::dissect::{Dissected, begins_with_head};
use draftgate_wire::dissect::{Unit, What};

use crate::secrets::Secrets;

/// Where in `octets`, all that `side` sent, the frames end that can be trusted
/// to be some; the length of `octets`, if all can.
pub(crate) fn frames_end(
    dissected: &Dissected,
    side: Role,
    octets: &Bytes,
    secrets: &Secrets,
) -> usize {
    let units = dissected.units(side);
    let is_frame = |unit: &&Unit| unit.what == What::Frame;
    let Some(first) = units.iter().find(is_frame) else {
        return octets.len();
    };
    let first = first.offset as usize;
    if side == Role::Client && is_refused(dissected) || begins_with_head(side, &octets[first..]) {
        return first;
    }
    let mut frames = units.iter().filter(is_frame);
    let wrong = frames.find(|unit| unit.fault.is_some() || unit.cut_off);
    let wrong = wrong.map_or(octets.len(), |unit| unit.offset as usize);
    match secrets.find(&octets[wrong..]).is_empty() {
        true => octets.len(),
        false => wrong,
    }
}

/// Whether the server's answer is whole and switches to nothing.
fn is_refused(dissected: &Dissected) -> bool {
    let answer = dissected.server.first();
    answer.is_some_and(|unit| {
        let mut words = unit.octets.split(|octet| *octet == b' ');
        unit.what == What::Answer && !unit.cut_off && words.nth(1) != Some(b"101")
    })
}
