//! One direction of a TCP connection: segments in any order become one stream.
//!
//! Octets are kept by their place in the stream until the connection is over,
//! for whether a hole is a loss or only late is not known before. The first
//! octet seen at a place wins; what is not seen is a gap and never filled. No
//! sequence number is trusted for memory: a hole costs nothing.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use draftgate_record::Did;
use draftgate_vectors::{Gap, GapReason};

use crate::segment::Segment;

/// Where the first octet of a stream stands, so that there is room before it
/// for octets that turn out to be earlier.
const ORIGIN: u64 = 1 << 40;

/// What a stored piece costs beyond its octets; an allowance for the map.
const PIECE: u64 = 96;

/// The place of a packet in the capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct At {
    /// Counted from 0 over all files.
    pub(crate) packet: u64,
    /// Since 1970.
    pub(crate) time: Option<Duration>,
}

/// One direction, while it is being read.
#[derive(Debug, Default)]
pub(crate) struct Half {
    /// The sequence number at [`ORIGIN`].
    base: Option<u32>,
    /// Whether `base` is where the stream begins.
    begun: bool,
    /// The first packet of it.
    first: Option<At>,
    /// What was captured, by place; no two overlap.
    known: BTreeMap<u64, (At, Bytes)>,
    /// What is known to have been sent and cut off by the capture; may overlap `known`.
    snapped: BTreeMap<u64, (At, u64)>,
    /// How far it is known to have been sent, and by what packet.
    sent: Option<(u64, At)>,
    /// What the peer acknowledged while no packet of this side was seen.
    acknowledged: Vec<(u64, At)>,
    fin: Option<(u64, At)>,
    reset: Option<At>,
    /// Octets that were sent again, and were others then.
    pub(crate) differing: u64,
    /// Octets behind the end of the stream.
    pub(crate) after_end: u64,
}

impl Half {
    /// Whether where the stream begins is known.
    pub(crate) fn begun(&self) -> bool {
        self.begun
    }

    /// Whether any packet of this side was seen.
    pub(crate) fn seen(&self) -> bool {
        self.first.is_some()
    }

    /// Whether nothing was sent yet when a segment begins with `sequence`.
    pub(crate) fn is_at_its_beginning(&self, sequence: u32) -> bool {
        self.begun && self.base == Some(sequence) && self.known.is_empty()
    }

    /// Whether it holds octets.
    pub(crate) fn has_octets(&self) -> bool {
        !self.known.is_empty()
    }

    /// Whether a stream that begins with `sequence` is another than this one.
    pub(crate) fn is_another(&self, sequence: u32) -> bool {
        match self.base {
            Some(base) => base != sequence || (!self.begun && self.has_octets()),
            None => false,
        }
    }

    /// The stream begins with `sequence`: told by a SYN, or by what answers one.
    pub(crate) fn begin(&mut self, sequence: u32) {
        if !self.begun && self.known.is_empty() {
            if self.base != Some(sequence) {
                self.sent = None;
                self.acknowledged.clear();
            }
            (self.base, self.begun) = (Some(sequence), true);
        }
    }

    /// The octets at the front of the stream, as far as they came without a
    /// hole, at most `most`; empty if it is not known where it begins.
    pub(crate) fn front(&self, most: usize) -> Vec<u8> {
        let mut front = Vec::new();
        let begin = match self.known.first_key_value() {
            Some((begin, _)) if !self.begun || *begin == ORIGIN => *begin,
            _ => return front,
        };
        let mut place = begin;
        for (start, (_, octets)) in &self.known {
            if *start != place || front.len() >= most {
                break;
            }
            place += octets.len() as u64;
            front.extend_from_slice(&octets[..octets.len().min(most - front.len())]);
        }
        front
    }

    /// Takes a segment of this side. Returns what it costs to keep.
    pub(crate) fn take(&mut self, segment: &Segment<'_>, at: At) -> u64 {
        self.first.get_or_insert(at);
        self.acknowledged = Vec::new(); // a side that is seen tells itself
        if segment.syn {
            self.begin(segment.sequence.wrapping_add(1));
        }
        if segment.reset {
            // One that lies before what the peer has was not for this connection any more.
            let start = self.place(segment.sequence);
            if self
                .sent
                .is_none_or(|(sent, _)| start.saturating_add(1) >= sent)
            {
                self.reset.get_or_insert(at);
            }
            return 0; // the data of a RST is a text for people (RFC 9293 §3.5.2)
        }
        let first = segment.sequence.wrapping_add(u32::from(segment.syn));
        let length = segment.octets.len() as u64 + segment.missing;
        if self.base.is_none() {
            // One octet at the very front and not pushed looks like a probe.
            let probe = length == 1 && !segment.push && !segment.fin;
            self.base = Some(first.wrapping_add(u32::from(probe)));
            self.sent = probe.then_some((ORIGIN, at));
        }
        let start = self.place(first);
        let end = start + length;
        if length <= 1 && !segment.push && !segment.fin && self.is_probe(start) {
            return 0;
        }
        if self.sent.is_none_or(|(sent, _)| end > sent) {
            self.sent = Some((end, at));
        }
        if segment.fin {
            self.fin.get_or_insert((end, at));
        }
        let mut cost = self.keep(start, segment.octets, at);
        if segment.missing > 0 {
            cost += self.cut(start + segment.octets.len() as u64, end, at);
        }
        cost
    }

    /// Notes that what lies from `start` to `end` was sent and not captured.
    fn cut(&mut self, start: u64, mut end: u64, at: At) -> u64 {
        if let Some((_, (_, reaches))) = self.snapped.range_mut(..=start).next_back()
            && *reaches > start
        {
            *reaches = end.max(*reaches);
            return 0;
        }
        while let Some((&inner, &(_, reaches))) = self.snapped.range(start..end).next() {
            end = end.max(reaches);
            self.snapped.remove(&inner);
        }
        self.snapped.insert(start, (at, end));
        PIECE
    }

    /// The peer says that it has everything up to `sequence`. Returns what it
    /// costs to keep.
    pub(crate) fn acknowledge(&mut self, sequence: u32, at: At) -> u64 {
        if self.base.is_none() {
            self.base = Some(sequence);
        }
        let place = self.place(sequence);
        if self.sent.is_some_and(|(sent, _)| place <= sent) {
            return 0;
        }
        self.sent = Some((place, at));
        if self.seen() || place <= ORIGIN {
            return 0;
        }
        self.acknowledged.push((place, at));
        PIECE
    }

    /// A keep-alive asks again for the octet before the next (RFC 9293 §3.8.4),
    /// and an octet that it carries there is none of the stream. It is never pushed.
    fn is_probe(&self, start: u64) -> bool {
        self.sent.is_some_and(|(sent, _)| start + 1 == sent)
    }

    /// The place of `sequence`, nearest to what was sent last.
    fn place(&self, sequence: u32) -> u64 {
        let near = self.sent.map_or(ORIGIN, |(sent, _)| sent);
        let base = self.base.unwrap_or(sequence);
        let of_near = base.wrapping_add((near.wrapping_sub(ORIGIN)) as u32);
        let distance = sequence.wrapping_sub(of_near) as i32;
        near.saturating_add_signed(distance.into())
    }

    /// Keeps what of `octets` is new.
    fn keep(&mut self, start: u64, octets: &[u8], at: At) -> u64 {
        let end = start + octets.len() as u64;
        let mut cost = 0;
        let mut place = start;
        let slice = |from: u64, to: u64| &octets[(from - start) as usize..(to - start) as usize];
        // Pieces do not overlap, so only the last one before can reach in here.
        let before = self.known.range(..start).next_back().map(|(at, _)| *at);
        let touched: Vec<(u64, u64)> = self
            .known
            .range(before.unwrap_or(start)..end)
            .map(|(at, (_, octets))| (*at, *at + octets.len() as u64))
            .filter(|(_, piece_end)| *piece_end > start)
            .collect();
        for (piece, piece_end) in touched {
            if piece > place {
                cost += self.store(place, slice(place, piece), at);
            }
            let (from, to) = (piece.max(start), piece_end.min(end));
            let (_, kept) = &self.known[&piece];
            let kept = &kept[(from - piece) as usize..(to - piece) as usize];
            let differing = kept.iter().zip(slice(from, to)).filter(|(a, b)| a != b);
            self.differing += differing.count() as u64;
            place = to;
        }
        if place < end {
            cost += self.store(place, slice(place, end), at);
        }
        cost
    }

    fn store(&mut self, place: u64, octets: &[u8], at: At) -> u64 {
        self.known
            .insert(place, (at, Bytes::copy_from_slice(octets)));
        octets.len() as u64 + PIECE
    }

    /// What this side did, each with the packet at which the other side could
    /// have it: octets wait for those before them. The connection has its first
    /// packet at `first`.
    pub(crate) fn done(mut self, first: At) -> Done {
        let mut done = Done::default();
        if !self.seen() {
            self.missing_direction(first, &mut done);
            return done;
        }
        let mut place = ORIGIN;
        if !self.begun {
            let known = self.known.keys().next().copied();
            let snapped = self.snapped.keys().next().copied();
            let sent = self.sent.map(|(sent, _)| sent);
            place = known
                .into_iter()
                .chain(snapped)
                .min()
                .or(sent)
                .unwrap_or(ORIGIN);
            let first = self.first.unwrap_or(At {
                packet: 0,
                time: None,
            });
            done.gap(None, GapReason::MidStream, first);
        }
        let end = self.fin.map(|(end, _)| end);
        for (start, (at, octets)) in std::mem::take(&mut self.known) {
            let octets = match end {
                Some(end) if start + octets.len() as u64 > end => {
                    let kept = octets.len().min(end.saturating_sub(start) as usize);
                    self.after_end += (octets.len() - kept) as u64;
                    octets.slice(..kept)
                }
                _ => octets,
            };
            let Some(past) = start
                .checked_add(octets.len() as u64)
                .filter(|past| *past > place)
            else {
                continue;
            };
            self.hole(place, start, true, at, &mut done);
            // Before where the stream begins there is nothing of it.
            let skip = place.saturating_sub(start) as usize;
            done.push(Did::Octets(octets.slice(skip..)), at);
            place = past;
        }
        match (self.fin, self.sent) {
            (Some((end, at)), _) => {
                self.hole(place, end, true, at, &mut done);
                done.push(Did::Eof, at);
            }
            (None, Some((end, at))) => self.hole(place, end, false, at, &mut done),
            (None, None) => {}
        }
        if let Some(at) = self.reset {
            done.push(Did::Reset, at);
        }
        done.differing = self.differing;
        done.after_end = self.after_end;
        done
    }

    /// Nothing is known from `place` to `end`. Where `exact` is not, one of the
    /// numbers may stand for a FIN and not for an octet.
    fn hole(&self, mut place: u64, end: u64, exact: bool, at: At, done: &mut Done) {
        let reaching = self.snapped.range(..place).next_back();
        let inside = self.snapped.range(place..end.max(place));
        for (start, (cut_at, cut_end)) in reaching.into_iter().chain(inside) {
            let (from, to) = ((*start).max(place), (*cut_end).min(end));
            if from >= to {
                continue;
            }
            if from > place {
                done.gap(Some(from - place), GapReason::Lost, *cut_at);
            }
            done.gap(Some(to - from), GapReason::Snapped, *cut_at);
            place = to;
        }
        if place < end {
            done.gap(exact.then_some(end - place), GapReason::Lost, at);
        }
    }

    /// No packet of this side: what the other one acknowledged tells how much it
    /// sent, but for the last number, which may stand for a FIN.
    fn missing_direction(&self, first: At, done: &mut Done) {
        let mut place = ORIGIN;
        let last = self.acknowledged.len().saturating_sub(1);
        if !self.begun || self.acknowledged.is_empty() {
            done.gap(None, GapReason::OneDirection, first);
        }
        for (index, (end, at)) in self.acknowledged.iter().enumerate() {
            let exact = index < last;
            done.gap(exact.then_some(end - place), GapReason::OneDirection, *at);
            place = *end;
        }
    }
}

/// What one side did, finished.
#[derive(Debug, Default)]
pub(crate) struct Done {
    pub(crate) did: Vec<(At, Did)>,
    pub(crate) differing: u64,
    pub(crate) after_end: u64,
    latest: Option<At>,
}

impl Done {
    fn push(&mut self, did: Did, at: At) {
        // Octets cannot be had before those that precede them.
        let at = self.latest.map_or(at, |latest| latest.max(at));
        self.latest = Some(at);
        self.did.push((at, did));
    }

    fn gap(&mut self, octets: Option<u64>, reason: GapReason, at: At) {
        self.push(Did::Gap(Gap { octets, reason }), at);
    }
}
