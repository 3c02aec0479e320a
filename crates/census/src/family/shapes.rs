//! Families by the shape of a head: which fields, in which order and letter
//! case. Fields that one program sends or leaves out from request to request
//! (cookies, subprotocols, what proxies add) are passed over.

use std::{fmt::Write as _, sync::LazyLock};

use super::Fields;

/// One shape.
struct Shape {
    family: &'static str,
    /// The fields in their order.
    fields: &'static str,
    /// The value of `Upgrade`, where its letter case makes the difference.
    upgrade: Option<&'static str>,
    /// Who was seen to send it.
    seen: &'static str,
}

const fn shape(family: &'static str, fields: &'static str, seen: &'static str) -> Shape {
    Shape {
        family,
        fields,
        upgrade: None,
        seen,
    }
}

const fn upgrading(
    family: &'static str,
    fields: &'static str,
    upgrade: &'static str,
    seen: &'static str,
) -> Shape {
    Shape {
        upgrade: Some(upgrade),
        ..shape(family, fields, seen)
    }
}

const WEBKIT_2010: &str = "WebKit 2010-2011 or alike";
const PERL: &str = "Protocol::WebSocket (Perl)";
const RUBY: &str = "websocket-ruby";
const NETTY: &str = "Netty (Java)";
const JETTY: &str = "Jetty 7, libwebsockets 2011 or alike";
const WS_2012: &str = "ws 0.4 (Node.js)";
const WORLIZE: &str = "websocket by Worlize (Node.js)";
const PYWEBSOCKET: &str = "mod_pywebsocket (Python)";
const RANDOM: &str = "fields in random order (mod_pywebsocket and others)";

/// The recorded shapes; the first that fits counts.
const SHAPES: [Shape; 27] = [
    shape(
        WEBKIT_2010,
        "Upgrade Connection Host Origin Sec-WebSocket-Key1 Sec-WebSocket-Key2",
        "Safari 5.0 and 5.1, PhantomJS 1.9, TVs of that time; websocket-ruby, websocket-client 0.4 (Python) and libwebsockets write the same",
    ),
    shape(
        PERL,
        "Upgrade Connection Host Origin Sec-WebSocket-Key1 Sec-WebSocket-Key2 Content-Length",
        "Protocol::WebSocket 0.26",
    ),
    shape(
        NETTY,
        "upgrade connection host sec-websocket-key1 sec-websocket-key2 origin content-length",
        "Netty 4.1.48",
    ),
    shape(
        "misultin's tests (Erlang)",
        "Upgrade Connection Host Origin Sec-Websocket-Key1 Sec-Websocket-Key2",
        "the test client of misultin",
    ),
    shape(
        "websocket-client (Node.js)",
        "Connection Upgrade Sec-WebSocket-Key1 Sec-WebSocket-Key2 Origin Host",
        "websocket-client 1.0.0 by P. Griess",
    ),
    shape(
        RUBY,
        "Upgrade Connection Host Origin Sec-WebSocket-Key1 Sec-WebSocket-Key2 Sec-WebSocket-Draft",
        "websocket-ruby 1.2.9",
    ),
    shape(
        "WebKit 2009-2010 or alike",
        "Upgrade Connection Host Origin",
        "the order of the first drafts; Protocol::WebSocket and websocket-ruby write the same",
    ),
    shape(
        "amitu-websocket-client (Python)",
        "Origin Connection Host Upgrade",
        "amitu-websocket-client 0.1.0",
    ),
    shape(
        JETTY,
        "Host Upgrade Connection Sec-WebSocket-Key Sec-WebSocket-Origin Sec-WebSocket-Version",
        "Jetty 7.3 to 7.4, libwebsockets of May 2011, em-websocket; the order in which the drafts list them",
    ),
    shape(
        RUBY,
        "Upgrade Connection Host Sec-WebSocket-Origin Sec-WebSocket-Version Sec-WebSocket-Key",
        "websocket-ruby 1.2.9",
    ),
    shape(
        NETTY,
        "host upgrade connection sec-websocket-key sec-websocket-origin sec-websocket-version",
        "Netty 4.1.48",
    ),
    shape(
        WS_2012,
        "Connection Upgrade Host Origin Sec-WebSocket-Version Sec-WebSocket-Key Sec-WebSocket-Origin",
        "ws 0.4.32",
    ),
    shape(
        PYWEBSOCKET,
        "Host Upgrade Connection Sec-WebSocket-Origin Sec-WebSocket-Key Sec-WebSocket-Version",
        "mod_pywebsocket 0.7.9",
    ),
    upgrading(
        PERL,
        "Upgrade Connection Host Sec-WebSocket-Origin Sec-WebSocket-Key Sec-WebSocket-Version",
        "WebSocket",
        "Protocol::WebSocket 0.26",
    ),
    shape(
        "Chrome 14-15",
        "Upgrade Connection Host Sec-WebSocket-Origin Sec-WebSocket-Key Sec-WebSocket-Version",
        "Chrome of autumn 2011",
    ),
    shape(
        WORLIZE,
        "Upgrade Connection Sec-WebSocket-Version Sec-WebSocket-Key Host Sec-WebSocket-Origin",
        "websocket 1.0.8",
    ),
    upgrading(
        PERL,
        "Upgrade Connection Host Origin Sec-WebSocket-Key Sec-WebSocket-Version",
        "WebSocket",
        "Protocol::WebSocket 0.26",
    ),
    shape(
        "Chrome 16-21 or websocket-client (Python)",
        "Upgrade Connection Host Origin Sec-WebSocket-Key Sec-WebSocket-Version",
        "Chrome 21, websocket-client of 2017",
    ),
    shape(
        "websocket-client (Python)",
        "Upgrade Host Origin Sec-WebSocket-Key Sec-WebSocket-Version Connection",
        "websocket-client of 2020",
    ),
    shape(
        RUBY,
        "Upgrade Connection Host Origin Sec-WebSocket-Version Sec-WebSocket-Key",
        "websocket-ruby 1.2.9",
    ),
    shape(
        WORLIZE,
        "Upgrade Connection Sec-WebSocket-Version Sec-WebSocket-Key Host Origin",
        "websocket 1.0.8",
    ),
    shape(
        NETTY,
        "host upgrade connection sec-websocket-key origin sec-websocket-version",
        "Netty 4.1.48",
    ),
    shape(
        WS_2012,
        "Connection Upgrade Host Origin Sec-WebSocket-Version Sec-WebSocket-Key",
        "ws 0.4.32",
    ),
    shape(
        "ws (Node.js)",
        "Sec-WebSocket-Version Sec-WebSocket-Key Connection Upgrade Host",
        "ws 8.23",
    ),
    shape(
        "websocket-driver, or in the order of RFC 6455",
        "Host Upgrade Connection Sec-WebSocket-Key Sec-WebSocket-Version",
        "websocket-driver 0.7.4; draftgate writes the same",
    ),
    shape(
        "in the order of RFC 6455",
        "Host Upgrade Connection Sec-WebSocket-Key Origin Sec-WebSocket-Version",
        "the example of RFC 6455",
    ),
    shape(
        "arduinoWebSockets",
        "Host Connection Upgrade Sec-WebSocket-Version Sec-WebSocket-Key",
        "arduinoWebSockets of 2019",
    ),
];

/// The fields of hixie-76, which a program may send in any order.
const SHUFFLED: [&str; 7] = [
    "Upgrade",
    "Connection",
    "Host",
    "Origin",
    "Sec-WebSocket-Key1",
    "Sec-WebSocket-Key2",
    "Sec-WebSocket-Draft",
];

/// Fields that say nothing of the program.
fn passes(name: &[u8]) -> bool {
    const NAMES: [&str; 9] = [
        "cookie",
        "cookie2",
        "authorization",
        "sec-websocket-protocol",
        "websocket-protocol",
        "sec-websocket-extensions",
        "via",
        "forwarded",
        "user-agent",
    ];
    let named = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    NAMES.into_iter().any(named) || name.get(..2).is_some_and(|x| x.eq_ignore_ascii_case(b"x-"))
}

fn is_origin(name: &[u8]) -> bool {
    let named = |other: &str| name.eq_ignore_ascii_case(other.as_bytes());
    named("origin") || named("sec-websocket-origin")
}

/// The fields of each shape without those that name an origin.
static WITHOUT_ORIGIN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let without = |shape: &Shape| {
        let names = shape.fields.split(' ');
        let names: Vec<_> = names.filter(|name| !is_origin(name.as_bytes())).collect();
        names.join(" ")
    };
    SHAPES.iter().map(without).collect()
});

/// The family of the shape, if it is in the table.
pub(super) fn named(fields: &Fields<'_>) -> Option<&'static str> {
    let names: Vec<&[u8]> = essential(fields).collect();
    // A name with a space would read like two.
    let is_plain = names.iter().all(|name| !name.contains(&b' '));
    let shape = if is_plain {
        names.join(&b' ')
    } else {
        Vec::new()
    };
    let fits = |of_table: &Shape, names: &str| {
        let upgrade = of_table.upgrade.map(str::as_bytes);
        names.as_bytes() == shape && (upgrade.is_none() || upgrade == fields.upgrade)
    };
    // Programs that are no browsers may have no origin to tell.
    let exact = || SHAPES.iter().find(|it| fits(it, it.fields));
    let without_origin = || {
        let mut shapes = SHAPES.iter().zip(&*WITHOUT_ORIGIN);
        shapes.find_map(|(it, names)| fits(it, names).then_some(it))
    };
    if let Some(shape) = exact().or_else(without_origin) {
        return Some(shape.family);
    }
    let one_of = |name: &&[u8]| SHUFFLED.iter().any(|other| other.as_bytes() == *name);
    let has = |name: &str| names.contains(&name.as_bytes());
    let shuffled = names.iter().all(one_of)
        && has("Sec-WebSocket-Key1")
        && has("Sec-WebSocket-Key2")
        && names.len() <= SHUFFLED.len();
    shuffled.then_some(RANDOM)
}

/// The fields that tell programs apart.
fn essential<'f>(fields: &'f Fields<'_>) -> impl Iterator<Item = &'f [u8]> {
    fields.names.iter().copied().filter(|name| !passes(name))
}

/// A number that is the same for the same shape everywhere: FNV-1a over the
/// names. Whoever wants to collide can, and is counted with the other.
pub(super) fn hash(fields: &Fields<'_>) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for name in essential(fields) {
        for octet in name.iter().chain(b"\n") {
            hash = (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193);
        }
    }
    hash
}

/// The families that are told by the order of their fields, and by whom they
/// were seen, as a Markdown table.
pub fn families_table() -> String {
    let mut table = String::from(
        "| family | fields, in this order and letter case | seen from |\n| --- | --- | --- |\n",
    );
    for shape in &SHAPES {
        let upgrade = shape
            .upgrade
            .map_or(String::new(), |it| format!(", with `Upgrade: {it}`"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| {} | `{}`{upgrade} | {} |",
            shape.family, shape.fields, shape.seen
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_shape_stands_behind_one_that_takes_all_of_it() {
        for (at, shape) in SHAPES.iter().enumerate() {
            let same = |other: &&Shape| {
                other.fields == shape.fields
                    && (other.upgrade.is_none() || other.upgrade == shape.upgrade)
            };
            let before = SHAPES[..at].iter().find(same);
            assert!(before.is_none(), "{}: {}", shape.family, shape.fields);
        }
    }
}
