//! Where a stream is cut: how octets happened to be cut into reads was not
//! recorded, and must not matter, so that every cut is a replay of its own and
//! no exchange of its own.

use std::{num::NonZeroUsize, str::FromStr};

use rand::{Rng, RngExt, SeedableRng, rngs::StdRng};

/// Streams above this are not cut in two at every octet, which would take
/// time by the square of their length.
const LONG: usize = 4096;

/// Of a long stream, this many octets at either end are cut one by one.
const ENDS: usize = 512;

/// How many places between the ends of a long stream are tried.
const BETWEEN: usize = 256;

/// A stream above this can hold tens of thousands of frames, each of which is
/// read anew for each cut: it gets a tenth of the cuts. So does one that stands
/// for more than it has octets.
const VERY_LONG: usize = 100_000;

/// Longest piece of a random split.
const LONGEST: usize = 64;

/// How streams are cut into pieces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Split {
    /// Not at all, or as the steps are.
    #[default]
    Whole,
    /// Many replays: whole, octet by octet, and in two at each octet. Of
    /// streams above 4 KiB the first and the last 512 octets are tried one by
    /// one, and between them 256 places; above 100,000 octets a tenth of these, and
    /// where a limit is reached.
    Each,
    /// In pieces of so many octets.
    Pieces(NonZeroUsize),
    /// In pieces of 1 to 64 octets, by a generator with this seed.
    Random(u64),
}

/// What is no split.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no way to cut a stream: write `each`, `random:SEED` with a whole number, or the number of octets in a piece"
)]
pub struct NoSplit(String);

impl FromStr for Split {
    type Err = NoSplit;

    fn from_str(text: &str) -> Result<Self, NoSplit> {
        let no_split = || NoSplit(text.to_owned());
        match text.split_once(':') {
            _ if text == "each" => Ok(Self::Each),
            Some(("random", seed)) => seed.parse().map(Self::Random).map_err(|_| no_split()),
            Some(_) => Err(no_split()),
            None => text.parse().map(Self::Pieces).map_err(|_| no_split()),
        }
    }
}

impl Split {
    /// Every way in which a stream of `octets` is to be cut: of each the
    /// lengths of its pieces.
    pub(crate) fn ways(self, octets: usize) -> Vec<Way> {
        self.ways_of(octets, false)
    }

    /// The same of octets that are `dear` to read.
    pub(crate) fn ways_of(self, octets: usize, dear: bool) -> Vec<Way> {
        match self {
            Self::Whole => vec![Way::Pieces(octets.max(1))],
            Self::Pieces(size) => vec![Way::Pieces(size.get())],
            Self::Random(seed) => vec![Way::Random(seed)],
            Self::Each => {
                let mut ways = vec![Way::Pieces(octets.max(1)), Way::Pieces(1)];
                ways.extend(places(octets, dear).map(Way::At));
                ways
            }
        }
    }
}

/// The octets at which a stream is cut in two.
fn places(octets: usize, dear: bool) -> impl Iterator<Item = usize> {
    let long = octets > LONG;
    let (ends, between) = match dear || octets > VERY_LONG {
        true => (ENDS / 10, BETWEEN / 10),
        false => (ENDS, BETWEEN),
    };
    let step = (octets / between).max(1);
    (1..octets)
        .filter(move |at| !long || *at <= ends || octets - at <= ends || at.is_multiple_of(step))
}

/// One way in which a stream is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// In pieces of so many octets.
    Pieces(usize),
    /// In two, behind so many octets.
    At(usize),
    /// In pieces of 1 to 64 octets.
    Random(u64),
}

impl Way {
    /// The pieces of `octets`; none of them is empty.
    pub(crate) fn cut(self, octets: &[u8]) -> Vec<&[u8]> {
        match self {
            Self::Pieces(size) => octets.chunks(size).collect(),
            Self::At(at) => {
                let (front, back) = octets.split_at(at.min(octets.len()));
                let pieces = [front, back].into_iter();
                pieces.filter(|piece| !piece.is_empty()).collect()
            }
            Self::Random(seed) => random(octets, &mut StdRng::seed_from_u64(seed)),
        }
    }

    /// For people: how it was cut.
    pub(crate) fn named(self, octets: usize) -> String {
        match self {
            Self::Pieces(1) => "octet by octet".to_owned(),
            Self::Pieces(size) if size >= octets => "whole".to_owned(),
            Self::Pieces(size) => format!("in pieces of {size} octets"),
            Self::At(at) => format!("cut behind octet {at} of {octets}"),
            Self::Random(seed) => format!("cut by random:{seed}"),
        }
    }
}

fn random<'a>(mut octets: &'a [u8], dice: &mut impl Rng) -> Vec<&'a [u8]> {
    let mut pieces = Vec::new();
    while !octets.is_empty() {
        let size = dice.random_range(1..=LONGEST).min(octets.len());
        let (piece, rest) = octets.split_at(size);
        pieces.push(piece);
        octets = rest;
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_gives_the_same_octets() {
        for octets in [
            vec![],
            vec![1],
            (0..200).collect::<Vec<u8>>(),
            vec![7; 70_000],
        ] {
            for split in ["each", "random:5", "3"] {
                let split: Split = split.parse().unwrap();
                for way in split.ways(octets.len()).iter().take(50) {
                    assert_eq!(way.cut(&octets).concat(), octets, "{way:?}");
                    assert!(way.cut(&octets).iter().all(|piece| !piece.is_empty()));
                }
            }
        }
    }

    #[test]
    fn each_cuts_a_short_stream_at_every_octet() {
        let ways = Split::Each.ways(100);
        assert!((1..100).all(|at| ways.contains(&Way::At(at))));
        assert!(ways.contains(&Way::Pieces(1)) && ways.contains(&Way::Pieces(100)));
        let long = Split::Each.ways(70_000);
        assert!(long.contains(&Way::At(512)) && long.contains(&Way::At(69_999)));
        assert!((1000..2000).contains(&long.len()), "{}", long.len());
    }

    #[test]
    fn a_seed_cuts_alike_each_time() {
        let octets = vec![0; 1000];
        assert_eq!(Way::Random(9).cut(&octets), Way::Random(9).cut(&octets));
        assert_ne!(Way::Random(9).cut(&octets), Way::Random(8).cut(&octets));
    }

    #[test]
    fn what_is_no_split_is_told_what_to_write() {
        for text in ["", "0", "-1", "random", "random:x", "each:1", "half"] {
            let error = text.parse::<Split>().unwrap_err().to_string();
            assert!(
                error.contains("write `each`, `random:SEED`"),
                "{text}: {error}"
            );
        }
    }
}
