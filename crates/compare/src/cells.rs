//! A unit cut into cells: runs of whole octets with the fields that lie in
//! them, and what stands below a mask. Text, HTML and SVG draw cells.

use draftgate_wire::dissect::{Field, Kind, Unit};

/// Whole octets and the fields in them: one field of several octets, or
/// several of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cell<'a> {
    /// Its first octet in the unit.
    pub(crate) begin: usize,
    /// On the wire.
    pub(crate) wire: &'a [u8],
    /// Below the mask; the same where there is none.
    pub(crate) plain: Vec<u8>,
    /// The first field's place among the unit's.
    pub(crate) first: usize,
    pub(crate) fields: &'a [Field],
}

/// The cells of `unit`, in order. Together they are all its octets.
pub(crate) fn cells(unit: &Unit) -> Vec<Cell<'_>> {
    let plain = unmasked(unit);
    let (mut cells, mut first) = (Vec::new(), 0);
    for (at, field) in unit.fields.iter().enumerate() {
        let end_bit = field.start_bit + field.len_bits;
        if end_bit % 8 != 0 && at + 1 < unit.fields.len() {
            continue;
        }
        let begin = (unit.fields[first].start_bit / 8) as usize;
        let end = end_bit.div_ceil(8) as usize;
        cells.push(Cell {
            begin,
            wire: unit.octets.get(begin..end).unwrap_or_default(),
            plain: plain.get(begin..end).unwrap_or_default().to_vec(),
            first,
            fields: &unit.fields[first..=at],
        });
        first = at + 1;
    }
    cells
}

/// The octets of `unit` without its mask. What a key covers stands behind it,
/// in every draft: the payload, or the header too where the key comes first.
pub(crate) fn unmasked(unit: &Unit) -> Vec<u8> {
    let mut octets = unit.octets.to_vec();
    let key = unit.fields.iter().find(|f| f.kind == Kind::MaskingKey);
    let Some(key) = key else {
        return octets;
    };
    let end = ((key.start_bit + key.len_bits) / 8) as usize;
    if let Some(covered) = octets.get_mut(end..) {
        let masks = unit.mask.iter().cycle();
        covered
            .iter_mut()
            .zip(masks)
            .for_each(|(o, mask)| *o ^= mask);
    }
    octets
}

/// Octets to draw, with a gap where too many are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    /// The octet at this place of the cell.
    Octet(usize),
    /// So many are left out.
    Gap(usize),
}

/// At most `most` of `count` octets: the first ones, a gap, and the last two.
pub(crate) fn elided(count: usize, most: usize) -> Vec<Shown> {
    if count <= most {
        return (0..count).map(Shown::Octet).collect();
    }
    let tail = 2.min(most / 2);
    let head = most - tail;
    (0..head)
        .map(Shown::Octet)
        .chain([Shown::Gap(count - head - tail)])
        .chain((count - tail..count).map(Shown::Octet))
        .collect()
}

/// `text` in at most `width` characters, the last one `…` if it is cut.
pub(crate) fn clipped(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut clipped: String = text.chars().take(width.saturating_sub(1)).collect();
    clipped.push('…');
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_says_how_much_is_left_out() {
        assert_eq!(elided(3, 12).len(), 3);
        let shown = elided(100, 12);
        assert_eq!(shown.len(), 13);
        assert_eq!(shown[10], Shown::Gap(88));
        assert_eq!(shown[12], Shown::Octet(99));
        assert_eq!(clipped("abcdef", 4), "abc…");
    }
}
