//! What was measured, run by run, as it is kept in `docs/performance/results.json`:
//! the tables are made of it, a part of the scenarios can be measured again without
//! the rest, and whoever doubts a median can look at what it is the median of.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::failure::{Failure, file};
use crate::load::Metric;
use crate::machine::Machine;
use crate::scenario::{Goal, Row, Scenario};

/// One row of the table.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Outcome {
    pub(crate) title: String,
    /// What a value is: `ns`, `octets`, `µs`, `s`.
    pub(crate) unit: String,
    /// What a ratio may be, or a value where there is no floor that counts.
    pub(crate) goal: Option<f64>,
    /// Whether the goal is about the value itself.
    pub(crate) absolute: bool,
    /// What the floor is.
    pub(crate) floor_is: Option<String>,
    /// Values, one for each turn; no entry where there is no floor.
    pub(crate) floor: Vec<f64>,
    pub(crate) ours: Vec<f64>,
    pub(crate) peers: Vec<Others>,
    /// Openings refused, in all turns together.
    pub(crate) refused: u64,
    /// Whether the generator could not load draftgate fully in one of them.
    pub(crate) load_bound: bool,
    /// Where and when.
    pub(crate) machine: Option<Machine>,
}

/// What another server took.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Others {
    pub(crate) label: String,
    pub(crate) values: Vec<f64>,
}

/// The libraries that are Rust's, of which the best is shown.
const RUST: [&str; 3] = ["tokio-tungstenite", "fastwebsockets", "tokio-websockets"];

impl Outcome {
    /// Nothing measured yet.
    pub(crate) fn new(scenario: &Scenario, row: &Row) -> Self {
        let (goal, absolute) = match row.goal {
            Goal::Times(times) => (Some(times), false),
            Goal::Octets(octets) => (Some(octets), true),
            Goal::NoneRefused => (None, true),
        };
        Self {
            title: row.title.clone(),
            unit: match scenario.metric {
                Metric::Cpu => "ns",
                Metric::Memory => "B",
                Metric::ToTheLast => "µs",
                Metric::Storm => "s",
            }
            .into(),
            goal,
            absolute,
            floor_is: scenario.floor.as_ref().map(|floor| floor.label.clone()),
            floor: Vec::new(),
            ours: Vec::new(),
            peers: Vec::new(),
            refused: 0,
            load_bound: false,
            machine: None,
        }
    }

    /// The median of values divided by the floor of the same turn, or of the values
    /// themselves where these are what counts.
    pub(crate) fn standing(&self, values: &[f64]) -> f64 {
        if self.absolute {
            return median(values.to_vec());
        }
        median(
            values
                .iter()
                .zip(&self.floor)
                .map(|(value, floor)| value / floor)
                .collect(),
        )
    }

    /// Whether the goal is reached, to the two decimals that are shown.
    pub(crate) fn met(&self) -> bool {
        match self.goal {
            Some(goal) if self.absolute => self.standing(&self.ours).round() <= goal,
            Some(goal) => (self.standing(&self.ours) * 100.0).round() / 100.0 <= goal,
            None => self.refused == 0,
        }
    }

    /// A peer's standing.
    pub(crate) fn peer(&self, label: &str) -> Option<f64> {
        let peer = self.peers.iter().find(|peer| peer.label == label)?;
        Some(self.standing(&peer.values))
    }

    /// The best of Rust's libraries.
    pub(crate) fn best_rust(&self) -> Option<(&'static str, f64)> {
        RUST.into_iter()
            .filter_map(|label| Some((label, self.peer(label)?)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
    }
}

/// The middle one, or the mean of the two in the middle.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}

/// What a file holds; nothing where there is none.
///
/// # Errors
/// It cannot be read, or is not what this program writes.
pub(crate) fn read<T: Default + for<'de> Deserialize<'de>>(path: &Path) -> Result<T, Failure> {
    match fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map_err(|e| file(path)(e.into())),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(T::default()),
        Err(e) => Err(file(path)(e)),
    }
}

/// Writes a file for people and programs.
///
/// # Errors
/// It cannot be written.
pub(crate) fn write<T: Serialize>(path: &Path, what: &T) -> Result<(), Failure> {
    let mut json = serde_json::to_string_pretty(what).map_err(|e| file(path)(e.into()))?;
    json.push('\n');
    fs::write(path, json).map_err(file(path))
}

/// New outcomes in the place of old ones of the same title, `order` being that of
/// all titles; what is no scenario any more goes.
pub(crate) fn merged(old: Vec<Outcome>, new: Vec<Outcome>, order: &[String]) -> Vec<Outcome> {
    let mut all = new;
    for outcome in old {
        if all.iter().all(|other| other.title != outcome.title) {
            all.push(outcome);
        }
    }
    let place = |outcome: &Outcome| order.iter().position(|title| *title == outcome.title);
    all.retain(|outcome| place(outcome).is_some());
    all.sort_by_key(place);
    all
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn outcome(title: &str) -> Outcome {
        Outcome {
            title: title.into(),
            unit: "ns".into(),
            goal: Some(1.5),
            absolute: false,
            floor_is: Some("raw tokio".into()),
            floor: vec![100.0, 1000.0, 200.0],
            ours: vec![150.0, 1400.0, 320.0],
            peers: vec![
                Others {
                    label: "fastwebsockets".into(),
                    values: vec![200.0, 2500.0, 400.0],
                },
                Others {
                    label: "tokio-websockets".into(),
                    values: vec![190.0, 1900.0, 380.0],
                },
                Others {
                    label: "uWebSockets".into(),
                    values: vec![140.0, 1400.0, 280.0],
                },
            ],
            refused: 0,
            load_bound: false,
            machine: None,
        }
    }

    #[test]
    fn ratios_are_taken_turn_by_turn() {
        // The second turn was ten times as slow for all: 1.5, 1.4, 1.6.
        let outcome = outcome("a");
        assert!((outcome.standing(&outcome.ours) - 1.5).abs() < 1e-9);
        assert!(outcome.met());
        let (label, best) = outcome.best_rust().unwrap();
        assert_eq!(label, "tokio-websockets");
        assert!((best - 1.9).abs() < 1e-9);
        assert!((outcome.peer("uWebSockets").unwrap() - 1.4).abs() < 1e-9);
        assert_eq!(outcome.peer("ws"), None);
    }

    #[test]
    fn a_goal_is_missed_by_what_is_shown_and_not_by_less() {
        let mut outcome = outcome("a");
        outcome.goal = Some(1.49);
        assert!(!outcome.met());
        outcome.ours = vec![149.4, 1494.0, 298.8]; // shown as 1.49
        assert!(outcome.met());
    }

    #[test]
    fn octets_are_compared_with_their_own_goal() {
        let mut outcome = outcome("a");
        outcome.absolute = true;
        outcome.goal = Some(320.0);
        assert!((outcome.standing(&outcome.ours) - 320.0).abs() < 1e-9);
        assert!(outcome.met());
    }

    #[test]
    fn one_refused_opening_misses_the_storms_goal() {
        let mut storm = outcome("storm");
        storm.goal = None;
        assert!(storm.met());
        storm.refused = 1;
        assert!(!storm.met());
    }

    #[test]
    fn medians_of_even_numbers_lie_between() {
        assert!((median(vec![4.0, 1.0]) - 2.5).abs() < 1e-9);
        assert!((median(vec![3.0]) - 3.0).abs() < 1e-9);
        assert!(median(Vec::new()).is_nan());
    }

    #[test]
    fn what_is_measured_again_replaces_what_was() {
        let mut again = outcome("b");
        again.refused = 7;
        let old = vec![outcome("gone"), outcome("c"), outcome("b")];
        let order = ["a", "b", "c"].map(String::from);
        let all = merged(old, vec![again.clone(), outcome("a")], &order);
        assert_eq!(all, [outcome("a"), again, outcome("c")]);
    }
}
