//! A second, shorter way to read: whole messages at the front of the input, in
//! one frame each and without a fault, where they lie.
//!
//! Nearly all messages come so. Whatever is not as plain as that is none of
//! this module's business: it says `None`, and the framing's own `read`
//! judges, which is the only place that knows rules.

use draftgate_core::{MessageRef, Passed, TextRef};

use crate::{
    Layout, Masked, Opcode,
    hybi::{KEY, MASKED},
    mask,
    mask::unmask_ascii,
    masking::FrameKey,
    sentinel::{END, TEXT},
    utf8::{ascii_run, is_utf8},
};

/// What a header says of a message.
struct Glance {
    binary: bool,
    length: usize,
    /// Octets before the payload.
    from: usize,
    /// The key, and how many octets it has covered before the payload.
    key: Option<([u8; KEY], usize)>,
}

/// The message in the frame at the front of `input`.
#[inline]
pub(crate) fn passed_frame<'i>(
    input: &'i mut [u8],
    layout: &Layout,
    masked: Masked,
    most: usize,
) -> Option<Passed<'i>> {
    let glance = glance(input, layout, masked)?;
    if glance.length > most {
        return None;
    }
    let octets = glance.from + glance.length;
    let payload = input.get_mut(glance.from..octets)?;
    let ascii = match glance.key {
        Some((key, phase)) => unmask_ascii(payload, key, phase),
        None => false,
    };
    if !glance.binary && !ascii && !is_utf8(payload) {
        if let Some((key, phase)) = glance.key {
            mask(payload, key, phase);
        }
        return None;
    }
    let message = match glance.binary {
        true => MessageRef::Binary(payload),
        false => MessageRef::Text(TextRef::from_validated(payload)),
    };
    Some(Passed { message, octets })
}

/// The same, where the whole frame behind its first four octets is below `key`
/// (hybi-04).
pub(crate) fn passed_derived<'i>(
    input: &'i mut [u8],
    layout: &Layout,
    key: &FrameKey,
    most: usize,
) -> Option<Passed<'i>> {
    let mut header = [0; 4];
    let there = input.len().saturating_sub(KEY).min(header.len());
    header[..there].copy_from_slice(&input[KEY..KEY + there]);
    key.mask(&mut header[..there], 0);
    let glance = glance(&header[..there], layout, Masked::Never)?;
    if glance.length > most {
        return None;
    }
    let octets = KEY + glance.from + glance.length;
    let payload = input.get_mut(KEY + glance.from..octets)?;
    key.mask(payload, glance.from);
    if !glance.binary && !is_utf8(payload) {
        key.mask(payload, glance.from);
        return None;
    }
    let message = match glance.binary {
        true => MessageRef::Binary(payload),
        false => MessageRef::Text(TextRef::from_validated(payload)),
    };
    Some(Passed { message, octets })
}

/// The text between `00` and `FF` at the front of `input`.
#[inline]
pub(crate) fn passed_text(input: &[u8], most: usize) -> Option<Passed<'_>> {
    let (&TEXT, text) = input.split_first()? else {
        return None;
    };
    let near = &text[..text.len().min(most + 1)];
    // What ends an ASCII text is its first octet that is none.
    let ascii = ascii_run(near);
    let (text, rest) = near.split_at(ascii);
    let text = match rest {
        [END, ..] => text,
        _ => whole_text(near, ascii)?,
    };
    Some(Passed {
        message: MessageRef::Text(TextRef::from_validated(text)),
        octets: text.len() + 2,
    })
}

/// The text that ends within `near`, whose first `ascii` octets are looked at.
fn whole_text(near: &[u8], ascii: usize) -> Option<&[u8]> {
    let end = ascii + memchr::memchr(END, &near[ascii..])?;
    is_utf8(&near[ascii..end]).then_some(&near[..end])
}

/// Reads the header in one load. Octets that are not there yet count as zeros:
/// then the payload is not there either.
#[inline]
fn glance(input: &[u8], layout: &Layout, masked: Masked) -> Option<Glance> {
    let front = match input.first_chunk() {
        Some(whole) => *whole,
        None => padded(input),
    };
    let front = u64::from_be_bytes(front);
    let (high, low) = ((front >> 32) as u32, front as u32);
    let header = match masked {
        Masked::WholeFrame => low ^ high,
        _ => high,
    };
    let [first, second, ..] = header.to_be_bytes();
    let top_bit = layout.top_bit(true);
    let binary = first == top_bit | layout.number(Opcode::Binary);
    let whole = binary || first == top_bit | layout.number(Opcode::Text);
    if !whole || (second & MASKED != 0) != (masked == Masked::Payload) {
        return None;
    }
    let (length, size) = match second & !MASKED {
        126 => match header as u16 {
            ..126 => return None,
            length => (usize::from(length), 4),
        },
        // Longer than what passes.
        127 => return None,
        short => (usize::from(short), 2),
    };
    let key = match masked {
        Masked::Never | Masked::Derived => None,
        Masked::WholeFrame => Some((high, size)),
        Masked::Payload => Some(((front >> (32 - 8 * size)) as u32, 0)),
    };
    Some(Glance {
        binary,
        length,
        from: size + key.map_or(0, |_| KEY),
        key: key.map(|(key, phase)| (key.to_be_bytes(), phase)),
    })
}

#[cold]
fn padded(input: &[u8]) -> [u8; 8] {
    let mut front = [0; 8];
    front[..input.len()].copy_from_slice(input);
    front
}
