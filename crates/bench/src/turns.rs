//! Contenders that run in turns, so that whatever else the machine does slows
//! all of them alike; the first is compared with each of the others, turn by
//! turn, and the median counts.

use std::{
    fmt,
    time::{Duration, Instant},
};

/// How long a turn lasts at least: long enough for a clock that ticks in tens
/// of nanoseconds, short enough to fit between two interruptions.
const TURN: Duration = Duration::from_micros(150);

/// Turns of each contender.
const TURNS: usize = 301;

/// Something that is done again and again.
pub struct Contender<'a> {
    name: &'static str,
    act: Box<dyn FnMut() + 'a>,
}

impl<'a> Contender<'a> {
    /// Does `act`, and is called `name` in the table.
    pub fn new(name: &'static str, act: impl FnMut() + 'a) -> Self {
        Self {
            name,
            act: Box::new(act),
        }
    }

    /// How often to act in one turn.
    fn pace(&mut self, turn: Duration) -> u32 {
        let mut acts = 1;
        while self.time(acts) < turn && acts < 1 << 20 {
            acts *= 2;
        }
        acts
    }

    fn time(&mut self, acts: u32) -> Duration {
        let start = Instant::now();
        for _ in 0..acts {
            (self.act)();
        }
        start.elapsed()
    }
}

impl fmt::Debug for Contender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Contender")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a contender came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Standing {
    /// Its name.
    pub name: &'static str,
    /// One act, in nanoseconds: the median of all turns.
    pub nanoseconds: f64,
    /// How many times as fast as this one the first contender is: the median
    /// of all turns, each compared with the first's turn next to it.
    pub ratio: f64,
}

/// Lets all of them act in turns.
///
/// # Panics
/// If there is no contender.
pub fn compare(contenders: Vec<Contender<'_>>) -> Vec<Standing> {
    measure(contenders, TURN, TURNS)
}

fn measure(mut contenders: Vec<Contender<'_>>, turn: Duration, turns: usize) -> Vec<Standing> {
    let paces: Vec<u32> = contenders.iter_mut().map(|c| c.pace(turn)).collect();
    let mut times = vec![Vec::with_capacity(turns); contenders.len()];
    for _ in 0..turns {
        for ((contender, acts), times) in contenders.iter_mut().zip(&paces).zip(&mut times) {
            times.push(contender.time(*acts).as_nanos() as f64 / f64::from(*acts));
        }
    }
    let first = times[0].clone();
    let standings = contenders.iter().zip(times).map(|(contender, times)| {
        let ratios = first.iter().zip(&times).map(|(first, own)| own / first);
        Standing {
            name: contender.name,
            ratio: median(ratios.collect()),
            nanoseconds: median(times),
        }
    });
    standings.collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    #[test]
    fn contenders_take_turns() {
        let acts = RefCell::new(Vec::new());
        let standings = measure(
            vec![
                Contender::new("a", || acts.borrow_mut().push('a')),
                Contender::new("b", || acts.borrow_mut().push('b')),
            ],
            Duration::ZERO,
            3,
        );
        // One act each to find the pace, then three turns.
        assert_eq!(acts.take(), ['a', 'b', 'a', 'b', 'a', 'b', 'a', 'b']);
        assert_eq!((standings[0].name, standings[1].name), ("a", "b"));
        assert!((standings[0].ratio - 1.0).abs() < f64::EPSILON);
    }

    #[test]
    fn one_interruption_does_not_move_the_median() {
        assert!((median(vec![3.0, 1.0, 1000.0, 2.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
