//! The octets of a step, and which of them are fresh in each run.
//!
//! A placeholder carries what was recorded, `${key=dGhlIHNhbXBsZSBub25jZQ==}`,
//! so that a file stays an exact recording for whoever replays it as it is,
//! and a pattern for whoever makes new keys and masks.

use std::{fmt, ops::Range, str::FromStr};

use bytes::Bytes;

use crate::hex;

/// The octets of one step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Content {
    /// As recorded.
    pub octets: Bytes,
    /// What of them is fresh in each run; in order, none overlaps another.
    pub slots: Vec<Slot>,
    /// How the file writes them.
    pub form: Form,
}

/// How a file writes the octets of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Form {
    /// As text, line ends spelt out.
    Text,
    /// In hexadecimal.
    Hex,
    /// In a file of its own, of this name, beside the vector.
    File(String),
}

/// Octets that are fresh in each run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Slot {
    /// Which octets of the step.
    pub range: Range<usize>,
    /// What they are.
    pub placeholder: Placeholder,
}

macro_rules! placeholders {
    ($($(#[$doc:meta])* $variant:ident $name:literal)*) => {
        /// What is fresh in each run.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[non_exhaustive]
        pub enum Placeholder { $($(#[$doc])* $variant,)* }

        impl Placeholder {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name that stands in files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

placeholders! {
    /// `Sec-WebSocket-Key`: 16 octets of the client's choice in base64.
    Key "key"
    /// `Sec-WebSocket-Key1` of hixie-76.
    Key1 "key1"
    /// `Sec-WebSocket-Key2` of hixie-76.
    Key2 "key2"
    /// The 8 octets behind the request of hixie-76.
    Key3 "key3"
    /// A nonce: of the server in hybi-04, of either side in hello-00.
    Nonce "nonce"
    /// `Sec-WebSocket-Accept`: the proof that belongs to [`Key`](Self::Key).
    Accept "accept"
    /// The 16 octets that belong to the three keys, or to the nonces.
    Digest "digest"
    /// A masking key.
    Mask "mask"
    /// Octets under the last [`Mask`](Self::Mask); its index runs on over all
    /// of them up to the next one, across steps.
    Masked "masked"
    /// A date of the server's clock, as HTTP writes it.
    Date "date"
    /// What a program calls itself, to the end of the line.
    Server "server"
    /// Where a secret was taken out, to the end of the line.
    Redacted "redacted"
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Placeholder {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.iter().find(|known| known.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<_> = Self::ALL.iter().map(|known| known.name()).collect();
            let names = names.join(", ");
            format!("`{name}` is no placeholder; they are {names}; a literal `${{` is `$${{`")
        })
    }
}

impl Content {
    /// Octets without placeholders, written in hexadecimal.
    pub fn exact(octets: impl Into<Bytes>) -> Self {
        Self {
            octets: octets.into(),
            slots: Vec::new(),
            form: Form::Hex,
        }
    }

    /// From `text = "…"`: `${name=recorded}` is a placeholder, `$$` is `$`,
    /// `$}` is a `}` inside a placeholder or outside.
    pub(crate) fn from_text(text: &str) -> Result<Self, String> {
        let mut octets = Vec::with_capacity(text.len());
        let mut slots = Vec::new();
        let mut open: Option<(Placeholder, usize)> = None;
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if let Some(after) = rest.strip_prefix("$$").or_else(|| rest.strip_prefix("$}")) {
                octets.push(rest.as_bytes()[1]);
                rest = after;
            } else if let Some(after) = rest.strip_prefix("${") {
                if open.is_some() {
                    return Err(
                        "a placeholder stands inside another; `$${` is a literal `${`".to_owned(),
                    );
                }
                let (placeholder, after) = opened(after)?;
                open = Some((placeholder, octets.len()));
                rest = after;
            } else if c == '}'
                && let Some((placeholder, start)) = open.take()
            {
                slots.push(Slot {
                    range: start..octets.len(),
                    placeholder,
                });
                rest = &rest[1..];
            } else {
                octets.extend_from_slice(&rest.as_bytes()[..c.len_utf8()]);
                rest = &rest[c.len_utf8()..];
            }
        }
        closed(open)?;
        Ok(Self {
            octets: octets.into(),
            slots,
            form: Form::Text,
        })
    }

    /// From `hex = "…"`: `${name=00 ff}` is a placeholder.
    pub(crate) fn from_hex(text: &str) -> Result<Self, String> {
        let mut octets = Vec::with_capacity(text.len() / 2);
        let mut slots = Vec::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            octets.extend_from_slice(&hex::octets(before)?);
            let (placeholder, after) = opened(after)?;
            let (recorded, after) = match after.split_once('}') {
                Some((recorded, _)) if recorded.contains('$') => {
                    return Err(format!(
                        "a `$` stands in the placeholder `{placeholder}`; end it with `}}` before another begins"
                    ));
                }
                Some(whole) => whole,
                None => {
                    closed(Some((placeholder, 0)))?;
                    break;
                }
            };
            let start = octets.len();
            octets.extend_from_slice(&hex::octets(recorded)?);
            slots.push(Slot {
                range: start..octets.len(),
                placeholder,
            });
            rest = after;
        }
        octets.extend_from_slice(&hex::octets(rest)?);
        Ok(Self {
            octets: octets.into(),
            slots,
            form: Form::Hex,
        })
    }

    /// From `file = "…"`, all of it `placeholder` if one is given.
    pub(crate) fn from_file(name: String, octets: Bytes, placeholder: Option<Placeholder>) -> Self {
        let slots = placeholder.into_iter().map(|placeholder| Slot {
            range: 0..octets.len(),
            placeholder,
        });
        Self {
            slots: slots.collect(),
            octets,
            form: Form::File(name),
        }
    }
}

/// The name of a placeholder, and what follows its `=`.
fn opened(after: &str) -> Result<(Placeholder, &str), String> {
    let end = after.find(['=', '}']).unwrap_or(after.len());
    let placeholder: Placeholder = after[..end].parse()?;
    match after[end..].strip_prefix('=') {
        Some(recorded) => Ok((placeholder, recorded)),
        None => Err(format!(
            "the placeholder `{placeholder}` lacks what was recorded; write `${{{placeholder}=…}}`"
        )),
    }
}

fn closed(open: Option<(Placeholder, usize)>) -> Result<(), String> {
    match open {
        None => Ok(()),
        Some((placeholder, _)) => Err(format!(
            "the placeholder `{placeholder}` has no end; a `}}` is missing"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_keeps_what_was_recorded_and_where_it_is_fresh() {
        let content = Content::from_text("Key: ${key=ab$}c}\r\n$${x$$y").unwrap();
        assert_eq!(content.octets, &b"Key: ab}c\r\n${x$y"[..]);
        let slot = &content.slots[0];
        assert_eq!(
            (slot.range.clone(), slot.placeholder),
            (5..9, Placeholder::Key)
        );
    }

    #[test]
    fn hexadecimal_has_placeholders_too() {
        let content = Content::from_hex("81 85 ${mask=37 fa 21 3d} ${masked=7f9f}").unwrap();
        assert_eq!(content.octets, &b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f"[..]);
        let ranges: Vec<_> = content.slots.iter().map(|s| s.range.clone()).collect();
        assert_eq!(ranges, [2..6, 6..8]);
    }

    #[test]
    fn what_is_wrong_with_a_placeholder_is_said() {
        let said = |text| Content::from_text(text).unwrap_err();
        assert!(said("${kee=x}").contains("`kee` is no placeholder; they are key, key1"));
        assert!(said("${key}").contains("write `${key=…}`"));
        assert!(said("${key=x").contains("has no end"));
        assert!(said("${key=${mask=}}").contains("inside another"));
        assert!(
            Content::from_hex("${mask=37")
                .unwrap_err()
                .contains("has no end")
        );
        for open in ["${mask=37 ${masked=00}", "${mask=${mask=37}}"] {
            let said = Content::from_hex(open).unwrap_err();
            assert!(said.contains("end it with `}` before another"), "{said}");
        }
        assert!(
            Content::from_hex("${mask=3}")
                .unwrap_err()
                .contains("1 hexadecimal")
        );
    }
}
