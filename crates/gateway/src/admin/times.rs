//! How long openings and connections take, as histograms. They are the only
//! metrics that are kept as such; every other is read where it is counted, at
//! the moment that somebody asks.

use std::time::Duration;

use draftgate_core::Draft;
use prometheus_client::metrics::histogram::Histogram;

/// The upper bounds for openings, in seconds: what a network takes, and at the
/// end the timeouts of a head and of key3.
const OPENINGS: [f64; 11] = [
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0,
];

/// The upper bounds for connections, in seconds: from one request to days.
const CONNECTIONS: [f64; 9] = [
    0.1, 1.0, 10.0, 60.0, 300.0, 1800.0, 7200.0, 28_800.0, 86_400.0,
];

/// The histograms of every draft that is spoken.
#[derive(Debug)]
pub(crate) struct Times(Vec<(Draft, Histogram, Histogram)>);

impl Default for Times {
    fn default() -> Self {
        let each = |draft| (draft, Histogram::new(OPENINGS), Histogram::new(CONNECTIONS));
        Self(draftgate_drafts::spoken().map(each).collect())
    }
}

impl Times {
    /// An opening in `draft` took this long from TCP to the last octet.
    pub(crate) fn opened(&self, draft: Draft, took: Duration) {
        if let Some((_, openings, _)) = self.of(draft) {
            openings.observe(took.as_secs_f64());
        }
    }

    /// A connection in `draft` lasted so long.
    pub(crate) fn closed(&self, draft: Draft, lasted: Duration) {
        if let Some((.., connections)) = self.of(draft) {
            connections.observe(lasted.as_secs_f64());
        }
    }

    /// Each draft, with its openings and its connections.
    pub(crate) fn all(&self) -> &[(Draft, Histogram, Histogram)] {
        &self.0
    }

    fn of(&self, draft: Draft) -> Option<&(Draft, Histogram, Histogram)> {
        self.0.iter().find(|(it, ..)| *it == draft)
    }
}
