//! The admin listener: what operators and what watches the gateway may ask,
//! over HTTP, on an address of its own. It reads what the gateway counts and
//! keeps anyway; the little that is kept for it alone (heads, the last
//! refusals) is kept only where it is configured.

mod answer;
mod api;
mod connections;
mod guard;
mod handshakes;
mod heads;
mod log;
mod metrics;
mod params;
mod past;
mod process;
mod server;
mod times;
mod when;

use std::fmt::Write;

pub use log::LogSwitch;
pub use metrics::metrics_table;
pub(crate) use past::Past;
pub(crate) use process::started;
pub(crate) use server::{LAST_WORDS, Open, Plan};
pub(crate) use times::Times;

/// The features that this build has.
pub(crate) const FEATURES: &[&str] = match cfg!(feature = "legacy-tls") {
    true => &["legacy-tls"],
    false => &[],
};

/// What may be asked of the admin listener, as a table for the documents.
#[must_use]
pub fn calls_table() -> String {
    let mut table = String::from("| method | path | what it does |\n| --- | --- | --- |\n");
    for (method, path, what) in api::CALLS {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| {method} | `{path}` | {what} |");
    }
    table
}
