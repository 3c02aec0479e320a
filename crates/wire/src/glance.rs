//! A second, shorter way to read: whole messages at the front of the input, in
//! one frame each and without a fault, where they lie.
//!
//! Nearly all messages come so. Whatever is not as plain as that is none of
//! this module's business: it says `None`, and the framing's own `read`
//! judges, which is the only place that knows rules.

use draftgate_core::{MessageRef, Passed, TextRef};

use crate::{
    Layout, Masked, Opcode,
    hybi::{FIN, KEY, MASKED},
    mask,
    mask::unmask_ascii,
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
    incoming: bool,
    most: usize,
) -> Option<Passed<'i>> {
    let glance = glance(input, layout, incoming)?;
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
fn glance(input: &[u8], layout: &Layout, incoming: bool) -> Option<Glance> {
    let front = match input.first_chunk() {
        Some(whole) => *whole,
        None => padded(input),
    };
    let front = u64::from_be_bytes(front);
    let (high, low) = ((front >> 32) as u32, front as u32);
    let in_front = layout.masked == Masked::WholeFrame;
    let header = match (incoming, in_front) {
        (true, true) => low ^ high,
        _ => high,
    };
    let [first, second, ..] = header.to_be_bytes();
    let binary = first == FIN | layout.number(Opcode::Binary);
    let whole = binary || first == FIN | layout.number(Opcode::Text);
    if !whole || (second & MASKED != 0) != (incoming && !in_front) {
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
    if !incoming {
        let (from, key) = (size, None);
        return Some(Glance {
            binary,
            length,
            from,
            key,
        });
    }
    let (key, phase) = match in_front {
        true => (high, size),
        false => ((front >> (32 - 8 * size)) as u32, 0),
    };
    Some(Glance {
        binary,
        length,
        from: size + KEY,
        key: Some((key.to_be_bytes(), phase)),
    })
}

#[cold]
fn padded(input: &[u8]) -> [u8; 8] {
    let mut front = [0; 8];
    front[..input.len()].copy_from_slice(input);
    front
}
