//! What others do with a request of each draft. Nothing here is remembered: the
//! tests of the program ask each of them again.

use draftgate_core::Draft;

use crate::judge::goes_on;

/// Who was asked.
pub(crate) const ASKED: [&str; 3] = [
    "HAProxy 2.6, `mode http`",
    "nginx 1.22, `proxy_pass`",
    "a server for RFC 6455 alone (ws 8)",
];

/// What each does with a request in `draft`.
pub(crate) fn of(draft: Draft) -> Vec<(&'static str, &'static str)> {
    let version = draft.version();
    let haproxy = match version {
        None => "answers 400 itself",
        Some(_) => "passes it on",
    };
    let nginx = match version {
        None if goes_on(draft) => {
            "passes the head on and holds the eight octets back until it is answered"
        }
        // Of the fields it compares none is changed.
        None if draftgate_drafts::has_hello(draft) => "passes it on",
        None => "passes it on, and adds fields to the answer before those that are compared",
        Some(_) => "passes it on",
    };
    let ws = match version {
        None => "answers 400 for want of Sec-WebSocket-Key",
        Some(8 | 13) => "opens",
        Some(_) => "answers 400 and lists 13, 8",
    };
    ASKED.into_iter().zip([haproxy, nginx, ws]).collect()
}
