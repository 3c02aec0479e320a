//! One colour a kind of field, the same in HTML and in SVG, and the stable word
//! for the kind in JSON. No meaning is in the colour alone: each field is
//! labelled as well.

use draftgate_wire::dissect::Kind;

/// How fields of a kind are drawn.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ink {
    /// The class in HTML and SVG.
    pub(crate) class: &'static str,
    /// What it is for, in the legend.
    pub(crate) meaning: &'static str,
    /// Ground and text in light documents.
    pub(crate) light: [&'static str; 2],
    /// Ground and text in dark ones.
    pub(crate) dark: [&'static str; 2],
}

const fn ink(
    class: &'static str,
    meaning: &'static str,
    light: [&'static str; 2],
    dark: [&'static str; 2],
) -> Ink {
    Ink {
        class,
        meaning,
        light,
        dark,
    }
}

/// Every ink there is. Text on its ground has a contrast of 4.5 and more.
pub(crate) const INKS: [Ink; 10] = [
    ink(
        "type",
        "what it is",
        ["#dbe7ff", "#1745a3"],
        ["#1b3263", "#b4ceff"],
    ),
    ink(
        "flag",
        "flags",
        ["#d3f0f4", "#0b5561"],
        ["#0e3f48", "#9fe6f2"],
    ),
    ink(
        "reserved",
        "reserved",
        ["#e9e9ee", "#55555f"],
        ["#34343c", "#b9b9c4"],
    ),
    ink(
        "length",
        "length",
        ["#d9f2d9", "#1d5c22"],
        ["#1c4321", "#abe5ae"],
    ),
    ink(
        "key",
        "masking key",
        ["#fdebc8", "#7a4a00"],
        ["#4f3608", "#ffd694"],
    ),
    ink(
        "payload",
        "payload",
        ["#f3e2fb", "#6a1f8f"],
        ["#45215a", "#e5bdfa"],
    ),
    ink(
        "status",
        "status and reason",
        ["#ffe0dc", "#98200f"],
        ["#5b1f17", "#ffbcb0"],
    ),
    ink(
        "terminator",
        "terminator",
        ["#d9e9f7", "#17507f"],
        ["#143c5c", "#a8d6fb"],
    ),
    ink(
        "head",
        "field of a head",
        ["#ededf1", "#2d2d36"],
        ["#2c2c35", "#dedee6"],
    ),
    ink(
        "unknown",
        "unknown",
        ["#ffd9e3", "#961443"],
        ["#5a1430", "#ffb3cb"],
    ),
];

/// The ink of `kind`.
pub(crate) fn of(kind: Kind) -> &'static Ink {
    let class = match kind {
        Kind::FrameType | Kind::Opcode | Kind::StartLine => "type",
        Kind::Flag => "flag",
        Kind::Reserved | Kind::Date | Kind::End => "reserved",
        Kind::Length => "length",
        Kind::MaskingKey | Kind::Key | Kind::Secret => "key",
        Kind::Payload | Kind::Proof => "payload",
        Kind::StatusCode | Kind::Reason => "status",
        Kind::Terminator => "terminator",
        Kind::HeadField => "head",
        _ => "unknown",
    };
    let found = INKS.iter().find(|ink| ink.class == class);
    found.unwrap_or(&INKS[INKS.len() - 1])
}

/// The word for `kind` in JSON.
pub(crate) fn word(kind: Kind) -> &'static str {
    match kind {
        Kind::FrameType => "frame-type",
        Kind::Flag => "flag",
        Kind::Reserved => "reserved",
        Kind::Opcode => "opcode",
        Kind::Length => "length",
        Kind::MaskingKey => "masking-key",
        Kind::Payload => "payload",
        Kind::StatusCode => "status-code",
        Kind::Reason => "reason",
        Kind::Terminator => "terminator",
        Kind::StartLine => "start-line",
        Kind::HeadField => "head-field",
        Kind::Key => "key",
        Kind::Proof => "proof",
        Kind::Date => "date",
        Kind::Secret => "secret",
        Kind::End => "end",
        _ => "unknown",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance of `#rrggbb` (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let part = |at: usize| {
            let value = u8::from_str_radix(&colour[at..at + 2], 16).unwrap();
            match f64::from(value) / 255.0 {
                dim if dim <= 0.04045 => dim / 12.92,
                bright => ((bright + 0.055) / 1.055).powf(2.4),
            }
        };
        0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5)
    }

    fn contrast(one: &str, other: &str) -> f64 {
        let (one, other) = (luminance(one), luminance(other));
        (one.max(other) + 0.05) / (one.min(other) + 0.05)
    }

    #[test]
    fn every_ink_can_be_read_on_its_ground_and_on_the_page() {
        for ink in INKS {
            for ([ground, text], page) in [(ink.light, "#ffffff"), (ink.dark, "#1d1d23")] {
                for ground in [ground, page] {
                    let contrast = contrast(ground, text);
                    assert!(
                        contrast >= 4.5,
                        "{}: {text} on {ground}: {contrast:.2}",
                        ink.class
                    );
                }
            }
        }
    }

    #[test]
    fn every_kind_has_a_word_of_its_own_and_an_ink() {
        let kinds = [
            Kind::FrameType,
            Kind::Flag,
            Kind::Reserved,
            Kind::Opcode,
            Kind::Length,
            Kind::MaskingKey,
            Kind::Payload,
            Kind::StatusCode,
            Kind::Reason,
            Kind::Terminator,
            Kind::StartLine,
            Kind::HeadField,
            Kind::Key,
            Kind::Proof,
            Kind::Date,
            Kind::Secret,
            Kind::End,
        ];
        let words: std::collections::HashSet<_> = kinds.into_iter().map(word).collect();
        assert_eq!(words.len(), kinds.len());
        for kind in kinds {
            assert_ne!(of(kind).class, of(Kind::Unknown).class, "{kind:?}");
        }
    }
}
