//! Both streams cut by structure: heads, proofs and frames, each placed where
//! its last octet came; what cannot be told stays as it came.

use std::{mem, ops::Range, time::Duration};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Role};
use draftgate_drafts::{
    Detection, detect,
    dissect::{Dissected, Dissecting},
    opening::parts,
};
use draftgate_vectors::{Gap, GapReason};
use draftgate_wire::dissect::{Unit, What};

use crate::{
    refused::frames_end,
    secrets::Secrets,
    taped::{Did, Taped},
};

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
    Raw(Raw),
    Gap(Gap),
    Eof,
    Reset,
}

/// Octets of which nothing is known.
#[derive(Debug)]
pub(crate) struct Raw {
    /// Where they stand in `whole`.
    pub(crate) part: Range<usize>,
    /// The octets of their kind that belong together.
    pub(crate) whole: Bytes,
    /// The secret field in which `whole` begins, because what was before it is
    /// missing.
    pub(crate) within: Option<String>,
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
    /// Whether there were more pieces than [`MOST`].
    pub(crate) bounded: bool,
}

/// Most pieces: a frame of two octets takes a thousand times as much memory
/// while it is cut, and forty times as much in a file. A message in as many
/// fragments as are taken by default fits.
pub(crate) const MOST: usize = 70_000;

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
    pub(crate) fn of(taped: &Taped, draft: Option<Draft>, secrets: &Secrets) -> Self {
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
        let streams = [client.clone(), server.clone()];
        let told = Dissecting::of(client, server, draft);
        let mut dissected = Dissected {
            draft: told.draft,
            told: told.told,
            client: told.client.take(MOST).collect(),
            server: told.server.take(MOST).collect(),
        };
        let ends = [Role::Client, Role::Server].map(|side| {
            let last = dissected.units(side).last();
            let taken = last.map_or(0, |unit| unit.offset as usize + unit.octets.len());
            frames_end(&dissected, side, &streams[index(side)], secrets).min(taken)
        });
        for side in [Role::Client, Role::Server] {
            let (first, others) = runs[index(side)].split_at(1);
            let units = match side {
                Role::Client => &mut dissected.client,
                Role::Server => &mut dissected.server,
            };
            let end = ends[index(side)];
            for unit in mem::take(units) {
                if (unit.offset as usize) < end {
                    put(&first[0], unit, &mut pieces);
                }
            }
            let rest = end..first[0].octets.len();
            raw(&first[0], side, rest, None, &mut pieces);
            let mut within = secrets.unfinished(&first[0].octets);
            for run in others {
                let all = 0..run.octets.len();
                raw(run, side, all, within.as_ref(), &mut pieces);
                if !run.octets.is_empty() {
                    within = secrets.unfinished(&run.octets);
                }
            }
        }
        // Stable: what came with the same octets stays in its order.
        pieces.sort_by_key(|(place, _)| *place);
        let bounded = pieces.len() > MOST;
        pieces.truncate(MOST);
        let mut pieces: Vec<Piece> = pieces.into_iter().map(|(_, piece)| piece).collect();
        if bounded {
            let at = pieces.last().map_or(Duration::ZERO, |last| last.at);
            pieces.extend([Role::Client, Role::Server].map(|from| Piece {
                at,
                from,
                what: Part::Gap(Gap {
                    octets: None,
                    reason: GapReason::Bounded,
                }),
            }));
        }
        Self {
            draft: dissected.draft,
            pieces,
            bounded,
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
    detect(&request, Detection::LENIENT).ok()
}

fn put(run: &Run, unit: Unit, pieces: &mut Vec<(usize, Piece)>) {
    let begin = unit.offset as usize;
    let range = begin..begin + unit.octets.len();
    if range.is_empty() {
        return;
    }
    if unit.what == What::Unknown {
        return raw(run, unit.from, range, None, pieces);
    }
    let (place, at) = run.place(range.end);
    let piece = Piece {
        at,
        from: unit.from,
        what: Part::Unit(unit),
    };
    pieces.push((place, piece));
}

/// `range` of `run` in the parts in which it came; it begins `within` a secret.
fn raw(
    run: &Run,
    from: Role,
    range: Range<usize>,
    within: Option<&String>,
    pieces: &mut Vec<(usize, Piece)>,
) {
    let whole = Bytes::copy_from_slice(&run.octets[range.clone()]);
    let most = pieces.len().saturating_add(MOST);
    let mut begin = range.start;
    let mut before = None;
    for (end, place, at) in &run.marks {
        let end = (*end).min(range.end);
        if end <= begin {
            continue;
        }
        let part = begin - range.start..end - range.start;
        begin = end;
        // Nothing came in between: it is one.
        if before.replace(*place).is_some_and(|it| it + 1 == *place)
            && let Some((last, piece)) = pieces.last_mut()
            && let Part::Raw(raw) = &mut piece.what
        {
            (*last, piece.at, raw.part.end) = (*place, *at, part.end);
            continue;
        }
        // No more than so many pieces are kept in all.
        if pieces.len() > most {
            return;
        }
        let what = Part::Raw(Raw {
            part,
            whole: whole.clone(),
            within: within.cloned(),
        });
        let (from, at) = (from, *at);
        pieces.push((*place, Piece { at, from, what }));
    }
}
