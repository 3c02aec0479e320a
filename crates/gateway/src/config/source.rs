//! What must hold on a bus route whose channel is fed by a server. The
//! connection to it is the gateway's own and there is one: what is said of
//! clients, of their requests and of many connections has no meaning there.

use super::{
    Allowed, HostField, Route, Upstream,
    reader::{Said, Table, Value, Wrong},
};

/// Keys about requests of clients, and about several connections.
const OF_CLIENTS: [&str; 6] = [
    "max-upstream-connections",
    "upstream-one-at-a-time",
    "upstream-pass",
    "upstream-remove",
    "upstream-wait",
    "upstream-waiting",
];

/// Checks what `keys` say beside `source`, and lets nobody else publish unless
/// the file says so.
pub(super) fn check(
    table: &mut Table<'_>,
    route: &mut Route,
    upstream: &Upstream,
    source: &Said<'_>,
    keys: &[(&'static str, Said<'_>)],
) {
    if table.said("publish").is_none() {
        route.publish = Allowed::None;
        table.shows("publish", route.publish.show());
    }
    table.meaningless(|key| OF_CLIENTS.contains(&key));
    if upstream.addresses.iter().any(|it| !it.is_websocket()) {
        let wrong = Wrong::new("must be a server that speaks WebSocket")
            .help("there are no messages in the octets of TCP: write ws://, wss:// or unix:");
        table.wrong_value("source", source, wrong);
    }
    for (key, said) in keys {
        let wrong = if OF_CLIENTS.contains(key) {
            Wrong::new("has no meaning beside `source`")
                .help("there is one connection to the source, and it is the gateway's own; this key is about the connections of clients")
        } else if *key == "upstream-host" && upstream.host == HostField::Client {
            Wrong::new("must not be \"client\" beside `source`")
                .help("there is no client whose `Host` could be passed on: write a host, or leave it out for the source's own")
        } else {
            continue;
        };
        table.wrong_value(key, said, wrong);
    }
}
