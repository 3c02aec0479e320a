//! Both streams cut by structure: heads, proofs and frames, each placed where
//! its last octet came; what cannot be told stays as it came.

use std::{ops::Range, time::Duration};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Role};
use draftgate_drafts::{Detection, detect, dissect::Dissected, opening::parts};
use draftgate_vectors::Gap;
use draftgate_wire::dissect::{Unit, What};

use crate::taped::{Did, Taped};

/// Something that one side did, whole.
#[derive(Debug)]
pub(crate) struct Piece {
    pub(crate) at: Duration,
    pub(crate) from: Role,
    pub(crate) what: Part,
}

/// What it is.
#[derive(Debug)]
pub(crate) enum Part {
    /// A head, the octets of a proof, a frame.
    Unit(Unit),
    /// Octets of which nothing is known: where they stand among the octets of
    /// their kind that belong together (the second one).
    Raw(Range<usize>, Bytes),
    Gap(Gap),
    Eof,
    Reset,
}

impl Piece {
    /// Whether it is a frame that ends before it should.
    pub(crate) fn is_cut_off_frame(&self) -> bool {
        matches!(&self.what, Part::Unit(unit) if unit.what == What::Frame && unit.cut_off)
    }
}

/// Everything in order, and the draft that was spoken, if one can be told.
#[derive(Debug)]
pub(crate) struct Cut {
    pub(crate) draft: Option<Draft>,
    pub(crate) pieces: Vec<Piece>,
}

/// Octets of one side without a gap between them.
#[derive(Debug, Default)]
struct Run {
    octets: BytesMut,
    /// Where each part ends, and its place in the order of all.
    marks: Vec<(usize, usize, Duration)>,
}

impl Run {
    /// The place and the time of the octet before `end`.
    fn place(&self, end: usize) -> (usize, Duration) {
        let mark = self.marks.partition_point(|(stop, ..)| *stop < end);
        let (_, place, at) = self.marks[mark.min(self.marks.len() - 1)];
        (place, at)
    }
}

impl Cut {
    /// Cuts `taped`; `draft` is what is spoken, if the request does not say.
    pub(crate) fn of(taped: &Taped, draft: Option<Draft>) -> Self {
        let mut runs = [vec![Run::default()], vec![Run::default()]];
        let mut pieces: Vec<(usize, Piece)> = Vec::new();
        for (place, seen) in taped.in_order().into_iter().enumerate() {
            let runs = &mut runs[index(seen.from)];
            let what = match &seen.did {
                Did::Octets(octets) => {
                    if let Some(run) = runs.last_mut() {
                        run.octets.extend_from_slice(octets);
                        run.marks.push((run.octets.len(), place, seen.at));
                    }
                    continue;
                }
                Did::Gap(gap) => {
                    runs.push(Run::default());
                    Part::Gap(*gap)
                }
                Did::Eof => Part::Eof,
                Did::Reset => Part::Reset,
            };
            let piece = Piece {
                at: seen.at,
                from: seen.from,
                what,
            };
            pieces.push((place, piece));
        }
        let first = |side: Role| Bytes::copy_from_slice(&runs[index(side)][0].octets);
        let (client, server) = (first(Role::Client), first(Role::Server));
        let draft = spoken_in(&client).or(draft);
        let dissected = Dissected::of(client, server, draft);
        for side in [Role::Client, Role::Server] {
            let (first, others) = runs[index(side)].split_at(1);
            for unit in dissected.units(side) {
                put(&first[0], unit, &mut pieces);
            }
            for run in others {
                raw(run, side, 0..run.octets.len(), &mut pieces);
            }
        }
        // Stable: what came with the same octets stays in its order.
        pieces.sort_by_key(|(place, _)| *place);
        Self {
            draft: dissected.draft,
            pieces: pieces.into_iter().map(|(_, piece)| piece).collect(),
        }
    }
}

fn index(side: Role) -> usize {
    usize::from(side == Role::Server)
}

/// The draft of the request at the front of `octets`. What some devices leave
/// out (an origin) is not missed: whether the request is served is not the
/// question here.
fn spoken_in(octets: &[u8]) -> Option<Draft> {
    let (request, _) = parts(octets).ok()??;
    let lenient = Detection {
        without_origin: true,
        version_aliases: true,
    };
    detect(&request, lenient).ok()
}

fn put(run: &Run, unit: &Unit, pieces: &mut Vec<(usize, Piece)>) {
    let begin = unit.offset as usize;
    let range = begin..begin + unit.octets.len();
    if range.is_empty() {
        return;
    }
    if unit.what == What::Unknown {
        return raw(run, unit.from, range, pieces);
    }
    let (place, at) = run.place(range.end);
    let piece = Piece {
        at,
        from: unit.from,
        what: Part::Unit(unit.clone()),
    };
    pieces.push((place, piece));
}

/// `range` of `run` in the parts in which it came.
fn raw(run: &Run, from: Role, range: Range<usize>, pieces: &mut Vec<(usize, Piece)>) {
    let whole = Bytes::copy_from_slice(&run.octets[range.clone()]);
    let mut begin = range.start;
    for (end, place, at) in &run.marks {
        let end = (*end).min(range.end);
        if end <= begin {
            continue;
        }
        let part = begin - range.start..end - range.start;
        let piece = Piece {
            at: *at,
            from,
            what: Part::Raw(part, whole.clone()),
        };
        pieces.push((*place, piece));
        begin = end;
    }
}
