//! Latencies in a histogram of high dynamic range: from a nanosecond to an hour
//! with three digits each, so that the thousandth slowest is not averaged away.

use std::time::Duration;

use hdrhistogram::Histogram;
use serde_json::{Value, json};

const LONGEST: u64 = 3_600_000_000_000;

/// How long things took.
#[derive(Debug, Clone)]
pub struct Latency(Option<Histogram<u64>>);

impl Default for Latency {
    fn default() -> Self {
        Self(Histogram::new_with_bounds(1, LONGEST, 3).ok())
    }
}

impl Latency {
    /// So many took so long.
    pub(crate) fn record(&mut self, took: Duration, count: u64) {
        if let Some(histogram) = &mut self.0 {
            let nanoseconds = u64::try_from(took.as_nanos()).unwrap_or(LONGEST);
            histogram.saturating_record_n(nanoseconds.max(1), count);
        }
    }

    /// Takes in what another counted.
    pub(crate) fn add(&mut self, other: &Self) {
        if let (Some(histogram), Some(other)) = (&mut self.0, &other.0) {
            // Both have the same bounds.
            let _ = histogram.add(other);
        }
    }

    /// How many were counted.
    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, Histogram::len)
    }

    /// The time within which `share` of 1 were done, in microseconds.
    pub fn within(&self, share: f64) -> f64 {
        let histogram = self.0.as_ref();
        histogram.map_or(0.0, |h| h.value_at_quantile(share) as f64 / 1000.0)
    }

    /// The figures, in microseconds; null if there are none.
    pub(crate) fn to_json(&self) -> Value {
        let Some(histogram) = self.0.as_ref().filter(|histogram| !histogram.is_empty()) else {
            return Value::Null;
        };
        json!({
            "min": histogram.min() as f64 / 1000.0,
            "p50": self.within(0.5),
            "p90": self.within(0.9),
            "p99": self.within(0.99),
            "p99_9": self.within(0.999),
            "max": histogram.max() as f64 / 1000.0,
            "mean": histogram.mean() / 1000.0,
            "count": histogram.len(),
        })
    }
}
