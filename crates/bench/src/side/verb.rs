//! What `draftgate load` is told to do, in words: the same for the table and for
//! the curves, so that a point of a curve and a row of the table are of one thing.
//! `URL` stands for the server's, and whatever else varies is the caller's.

/// Where draftgate echoes, and where its bus is; other servers do not look.
pub(crate) const ECHO: &str = "/echo";
pub(crate) const BUS: &str = "/bus/a";

/// The payload of most messages, in octets.
const PAYLOAD: &str = "125";

/// Messages that come back, `window` of them under way on each connection.
pub(crate) fn echo<'a>(payload: &'a str, window: &'a str) -> Vec<&'a str> {
    vec!["echo", "URL", "--payload", payload, "--window", window]
}

/// Messages of 125 octets on so many connections, each waiting for its answer.
pub(crate) fn one_at_a_time(connections: &str) -> Vec<&str> {
    let mut verb = echo(PAYLOAD, "1");
    verb.extend(["--connections", connections]);
    verb
}

/// Messages of 125 octets to so many; `more` says how they are published.
pub(crate) fn fan_out<'a>(subscribers: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let mut verb = vec!["fan-out", "URL", "--payload", PAYLOAD];
    verb.extend(["--subscribers", subscribers]);
    verb.extend(more);
    verb
}

/// So many connections that are idle after use, as subscribers or not.
pub(crate) fn idle(connections: &str, bus: bool) -> Vec<&str> {
    let mut verb = vec!["idle", "URL", "--use", "2", "--connections", connections];
    verb.extend(bus.then_some("--bus"));
    verb
}
