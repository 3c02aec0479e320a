//! What a file says of HTTP/2.

use super::{
    ListenerLimits,
    file::count,
    reader::{Table, Value},
};

/// More than any client opens; each has a window of its own.
const MOST_STREAMS: u32 = 10_000;

/// The key `http2-streams` of a listener's limits.
pub(super) fn streams(table: &mut Table<'_>, limits: &mut ListenerLimits) {
    table.unless_said("http2-streams", limits.http2_streams.show());
    if let Some(said) = count(table, "http2-streams", MOST_STREAMS) {
        limits.http2_streams = said;
    }
}
