//! The table itself: a row for each draft and direction, which is the one
//! model behind text, JSON, HTML and SVG.

use bytes::Bytes;
use draftgate_core::{Codec, Draft, Message, Role, SendError};
use draftgate_drafts::{
    dissect,
    opening::{LengthFrames, Refusal},
    spoken,
};
use draftgate_wire::{
    Derived,
    dissect::{Field, Unit},
};

use crate::{
    ends::{Ends, Masks, fragments, said},
    instead::{Instead, instead},
    text::cannot,
    what::{Say, What},
};

/// Which rows a table has, and with what clients mask in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The drafts, in the order of the rows.
    pub drafts: Vec<Draft>,
    /// Who speaks, in the order of the rows of one draft.
    pub directions: Vec<Role>,
    /// With what clients mask.
    pub masks: Masks,
}

impl Default for Options {
    /// Every draft that is spoken, clients first, RFC 6455's masking key.
    fn default() -> Self {
        Self {
            drafts: spoken().collect(),
            directions: vec![Role::Client, Role::Server],
            masks: Masks::default(),
        }
    }
}

/// One thing in every draft, octet by octet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What is said.
    pub what: What,
    /// With what clients mask.
    pub masks: Masks,
    /// One for each draft and direction.
    pub rows: Vec<Row>,
}

/// What one end of one draft makes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The draft.
    pub draft: Draft,
    /// Who speaks.
    pub direction: Role,
    /// The octets, or why there are none.
    pub said: Result<Said, Unsaid>,
    /// What is particular about it, in a sentence.
    pub note: Option<String>,
}

/// Octets on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What they are, one frame (or head) after the other.
    pub units: Vec<Unit>,
}

/// A draft has no words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsaid {
    /// Why.
    pub error: SendError,
    /// What the gateway tells a client instead, by its policy; empty for what
    /// a client would say, because the gateway says nothing in its name.
    pub instead: Vec<Instead>,
}

impl Said {
    /// All octets.
    pub fn bytes(&self) -> Bytes {
        match &self.units[..] {
            [one] => one.octets.clone(),
            units => units
                .iter()
                .flat_map(|unit| unit.octets.clone())
                .collect::<Vec<u8>>()
                .into(),
        }
    }

    /// All fields, their bits counted from the first octet of all.
    pub fn fields(&self) -> impl Iterator<Item = Field> {
        self.units.iter().flat_map(|unit| {
            let begin = 8 * unit.offset;
            unit.fields.iter().map(move |field| Field {
                start_bit: begin + field.start_bit,
                ..field.clone()
            })
        })
    }

    /// All fields, each with the unit that it is a part of.
    pub(crate) fn parts(&self) -> impl Iterator<Item = (&Unit, &Field)> {
        self.units
            .iter()
            .flat_map(|unit| unit.fields.iter().map(move |field| (unit, field)))
    }

    /// Octets that are not payload.
    pub fn overhead(&self) -> u64 {
        self.units.iter().map(Unit::overhead).sum()
    }

    fn reads_as(&self, other: &Self) -> bool {
        let shape = |said: &Self| -> Vec<_> {
            said.fields()
                .map(|f| (f.name, f.start_bit, f.len_bits, f.value))
                .collect()
        };
        self.bytes() == other.bytes() && shape(self) == shape(other)
    }

    /// The frames in `octets`, which `from` sent in `draft`.
    pub(crate) fn frames(draft: Draft, from: Role, octets: Bytes) -> Result<Self, Refusal> {
        let units = dissect::frames(draft, from, octets)?.collect();
        Ok(Self { units })
    }

    /// The same on the connection of `codec`.
    fn frames_of(codec: &dyn Codec, from: Role, octets: Bytes) -> Result<Self, Refusal> {
        let units = dissect::frames_of(codec, from, octets)?.collect();
        Ok(Self { units })
    }
}

impl Table {
    /// Lets both ends of every draft say `what`.
    ///
    /// # Errors
    /// A draft is not built.
    pub fn of(what: &What, options: &Options) -> Result<Self, Refusal> {
        let mut rows = Vec::new();
        for &draft in &options.drafts {
            for &direction in &options.directions {
                rows.push(row(what, draft, direction, options.masks)?);
            }
        }
        Ok(Self {
            what: what.clone(),
            masks: options.masks,
            rows,
        })
    }

    /// Rows of the same octets and fields together, in the order of their
    /// first: people read one block where three drafts agree.
    pub(crate) fn groups(&self) -> Vec<Vec<&Row>> {
        let mut groups: Vec<Vec<&Row>> = Vec::new();
        for row in &self.rows {
            let same = groups.iter_mut().find(|group| row.reads_as(group[0]));
            match same {
                Some(group) => group.push(row),
                None => groups.push(vec![row]),
            }
        }
        groups
    }
}

impl Row {
    /// Whether a reader sees no difference but the names in the heading.
    fn reads_as(&self, other: &Self) -> bool {
        let same = match (&self.said, &other.said) {
            (Ok(ours), Ok(theirs)) => ours.reads_as(theirs),
            (Err(ours), Err(theirs)) => {
                self.direction == other.direction
                    && cannot(ours) == cannot(theirs)
                    && ours.instead.len() == theirs.instead.len()
                    && ours
                        .instead
                        .iter()
                        .zip(&theirs.instead)
                        .all(|(ours, theirs)| {
                            ours.does == theirs.does
                                && match (&ours.said, &theirs.said) {
                                    (Some(ours), Some(theirs)) => ours.reads_as(theirs),
                                    (ours, theirs) => ours.is_none() && theirs.is_none(),
                                }
                        })
            }
            _ => false,
        };
        same && self.note == other.note
    }
}

fn row(what: &What, draft: Draft, direction: Role, masks: Masks) -> Result<Row, Refusal> {
    let mut ends = Ends::open(draft, masks, LengthFrames::default())?;
    let mut note = None;
    let octets = match &what.say {
        Say::Message(message) if what.fragments > 1 => {
            if !ends.end(direction).capabilities().fragments {
                note = Some("this draft has no fragments: they are joined, and go as one".into());
            }
            pieces(&mut ends, draft, direction, masks, message, what)
        }
        _ => said(ends.end(direction), what.outgoing()),
    };
    let said = match octets {
        Ok(octets) => Ok(Said::frames_of(&*ends.client, direction, octets)?),
        Err(error) => Err(Unsaid {
            error,
            instead: match direction {
                Role::Client => Vec::new(),
                Role::Server => instead(what, draft, masks)?,
            },
        }),
    };
    Ok(Row {
        draft,
        direction,
        said,
        note,
    })
}

/// In fragments where the draft has them, else as the codec says it.
fn pieces(
    ends: &mut Ends,
    draft: Draft,
    direction: Role,
    masks: Masks,
    message: &Message,
    what: &What,
) -> Result<Bytes, SendError> {
    let end = ends.end(direction);
    let cut = end.capabilities().fragments;
    let derived = end.connection_mask().map(Derived::of_connection);
    let cut = cut.then(|| {
        let masking = masks.masking(direction, derived);
        fragments(draft, masking, message, what.fragments)
    });
    match cut.flatten() {
        Some(octets) => Ok(octets),
        None => said(end, what.outgoing()),
    }
}

/// `from the client`, `from the server`.
pub(crate) fn from(direction: Role) -> &'static str {
    match direction {
        Role::Client => "from the client",
        Role::Server => "from the server",
    }
}
