//! What Prometheus and its like read. Nothing is counted for them alone: at
//! each scrape the sums are taken from where they are kept, and the histograms
//! of [`super::times`].
//!
//! No label tells a client, a path or a channel: their number is for strangers
//! to choose, and each would be a time series.

mod collect;
mod families;
mod text;

pub use families::metrics_table;
pub(crate) use text::{CLASSIC, OPEN_METRICS, classic};

use std::sync::Arc;

use prometheus_client::{encoding::text::encode, registry::Registry};

use self::collect::Collected;
use crate::inner::Inner;

/// All metrics as OpenMetrics text.
pub(crate) fn scrape(inner: &Arc<Inner>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Collected(Arc::clone(inner))));
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    text
}
