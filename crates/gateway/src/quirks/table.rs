//! The table of quirks: who has one, how he is told from others, what is done,
//! where that is known from, and an exchange of the archive that shows it.

use std::fmt::Write;

use draftgate_census::Family;

use crate::config::{Quirk, QuirkFor, Quirks};

/// One quirk.
struct Row {
    name: &'static str,
    /// Who has it.
    who: &'static str,
    /// What is done.
    done: &'static str,
    how: How,
    /// Where it is known from.
    source: &'static str,
    /// Exchanges that show it, in the archive.
    vectors: &'static [&'static str],
}

/// For whom it is done.
enum How {
    /// For everybody: it harms nobody.
    Everybody,
    /// For whom a key of the route lets in.
    Key(&'static str),
    /// For whom the route's `quirks` say; by default for those that are known.
    Switched(Quirk, Known),
}

/// By what those are known that have it.
struct Known {
    /// The families of the census.
    families: &'static [&'static str],
    /// What their `User-Agent` holds.
    agents: &'static [&'static str],
}

use How::{Everybody, Key, Switched};

const ROWS: [Row; 16] = [
    Row {
        name: "answer-in-one-write",
        who: "embedded clients of hixie-76 that read once",
        done: "head and digest leave in one write where key3 is there within `timeouts.head-delay`; else the head goes first, for proxies that hold key3 until they see one",
        how: Everybody,
        source: "measured behind nginx 1.22; em-websocket closes when key3 comes in its own segment",
        vectors: &["hixie-76/text.client-jython-websocket-client.server-netty"],
    },
    Row {
        name: "close-by-tcp",
        who: "WebKit of 2011 (PhantomJS 1.9): no closing handshake",
        done: "`timeouts.close-hixie-76` (2 s) after `FF 00` TCP is closed, although the client said nothing",
        how: Everybody,
        source: "read in QtWebKit of PhantomJS 1.9, recorded",
        vectors: &["hixie-76/close.client-phantomjs19.server-faye01"],
    },
    Row {
        name: "subprotocol-echoed",
        who: "LG sets of 2012, iOS 5: close without the subprotocol they asked for",
        done: "a route that names no subprotocols grants the first one asked for; whoever asked for none is given none",
        how: Everybody,
        source: "reports of whoever served them; hixie-76 §4.1",
        vectors: &["hixie-76/reconstructed.webkit-76.subprotocol"],
    },
    Row {
        name: "unprefixed-subprotocol",
        who: "web-socket-js (Flash), June 2010 to April 2011: hixie-76 keys beside `WebSocket-Protocol`",
        done: "either name is read, and the answer has the draft's own",
        how: Everybody,
        source: "read in its history",
        vectors: &["hixie-76/peer.subprotocol-unprefixed"],
    },
    Row {
        name: "announced-key3",
        who: "Netty 4.1, Protocol::WebSocket (Perl): `Content-Length: 8` in hixie-76",
        done: "the body is taken for key3",
        how: Everybody,
        source: "recorded",
        vectors: &[
            "hixie-76/text.client-netty.server-faye01",
            "hixie-76/text.client-perl-protocol-websocket.server-netty",
        ],
    },
    Row {
        name: "single-upgrade-token",
        who: "WebKit's client of Version 13 (PhantomJS 2, Safari 6): fails on lists",
        done: "`Connection` is `Upgrade` and nothing else, and no empty `Sec-WebSocket-Extensions` is sent",
        how: Everybody,
        source: "read in QtWebKit of PhantomJS 2.0, recorded",
        vectors: &["hybi-13/text.client-phantomjs21.server-ruby-em-websocket"],
    },
    Row {
        name: "unfragmented-messages",
        who: "Safari: fails on compressed messages in fragments",
        done: "messages leave in one frame each, whatever their size",
        how: Everybody,
        source: "reports against WebKit",
        vectors: &["hybi-13/handshake.phantomjs-2.1.1"],
    },
    Row {
        name: "empty-extensions",
        who: "libwebsockets of 2011: an empty `Sec-WebSocket-Extensions` line",
        done: "it is no offer, and from a server no answer",
        how: Everybody,
        source: "recorded",
        vectors: &["hybi-07/text.client-lws-b75c02661.server-lws-b75c02661"],
    },
    Row {
        name: "any-code-in-close-answer",
        who: "Jetty 7.3 to 7.5: answers 1000 with 741 or 743, and nothing with 1005",
        done: "whatever the answer to our Close holds is the end, and in a Close of the peer's own a code before Version 13 is taken with a notice",
        how: Everybody,
        source: "recorded",
        vectors: &[
            "hybi-06/close.client-jetty731.server-jetty731",
            "hybi-08/close.client-jetty745.server-jetty745",
        ],
    },
    Row {
        name: "doubled-length",
        who: "Jetty 7.3 and 7.4: the low half of a 64-bit length in both halves",
        done: "refused as too large before anything is kept for it",
        how: Everybody,
        source: "recorded",
        vectors: &["hybi-06/70000.client-jetty731.server-jetty731"],
    },
    Row {
        name: "version-of-the-draft",
        who: "an iOS library of 2011: `Sec-WebSocket-Version: 10`",
        done: "9 to 12 are taken for 8",
        how: Key("version-aliases"),
        source: "its source; unconfirmed on the wire",
        vectors: &["hybi-13/refused.version-unsupported.10"],
    },
    Row {
        name: "no-origin",
        who: "devices with a hixie-75 library of their own",
        done: "an opening without `Origin` is taken",
        how: Key("hixie-75-without-origin"),
        source: "reports of whoever served them",
        vectors: &["hixie-75/refused.origin-missing"],
    },
    Row {
        name: "location-without-query",
        who: "Chrome 4.0.249: closes when `WebSocket-Location` has a query",
        done: "the query is left out of `WebSocket-Location`. Every later client of hixie-75 fails without it, and the browser names itself in none of the recorded openings: where it comes without `User-Agent`, give it a route with `\"all\"`",
        how: Switched(
            Quirk::LocationWithoutQuery,
            Known {
                families: &[],
                agents: &["Chrome/4.0.249"],
            },
        ),
        source: "Kaazing's gateway, which does the same; unconfirmed on the wire",
        vectors: &["hixie-75/peer.location-with-query"],
    },
    Row {
        name: "short-key",
        who: "ws up to 0.4.32 (Node.js) in Version 8: a key of 15 octets, draft number and time",
        done: "the key is taken and hashed as it stands",
        how: Switched(
            Quirk::ShortKey,
            Known {
                families: &["ws 0.4 (Node.js)"],
                agents: &[],
            },
        ),
        source: "recorded",
        vectors: &[
            "hybi-08/text.client-node-ws.server-faye01",
            "hybi-08/refused.key-invalid.15-octets",
        ],
    },
    Row {
        name: "mask-of-connection",
        who: "libwebsockets of May 2011 in hybi-04: XORs every frame with the key of the connection, where the draft makes another one of it for each frame",
        done: "its frames are read under that key. Whoever masks as the draft says is not understood then, and the order of the fields, which tells this one, is that of others of 2011, too",
        how: Switched(
            Quirk::MaskOfConnection,
            Known {
                families: &["Jetty 7, libwebsockets 2011 or alike"],
                agents: &[],
            },
        ),
        source: "recorded",
        vectors: &["hybi-04/text.client-lws-b75c02661.server-lws-b75c02661"],
    },
    Row {
        name: "unmasked",
        who: "devices that never masked",
        done: "a frame without a mask is taken, with a notice, from the families that the route names and from nobody else",
        how: Switched(
            Quirk::Unmasked,
            Known {
                families: &[],
                agents: &[],
            },
        ),
        source: "em-websocket and Jetty never insisted on masks, and what grew up with them never sent any",
        vectors: &["hybi-13/malformed.mask-missing.by-client"],
    },
];

/// Whether whoever is of `family` is known to have `quirk`.
pub(super) fn known(quirk: Quirk, family: &Family) -> bool {
    ROWS.iter().any(|row| match &row.how {
        Switched(of, known) if *of == quirk => {
            known.families.contains(&family.name.as_str())
                || known
                    .agents
                    .iter()
                    .any(|mark| family.evidence.contains(mark))
        }
        _ => false,
    })
}

/// All quirks as a table in Markdown.
#[must_use]
pub fn quirks_table() -> String {
    let mut table = String::from(
        "| quirk | who | what is done | for whom | known from | exchange |\n| --- | --- | --- | --- | --- | --- |\n",
    );
    let default = Quirks::default();
    for row in &ROWS {
        let whom = match &row.how {
            Everybody => "everybody".to_owned(),
            Key(key) => format!("routes with `{key}`"),
            Switched(quirk, known) => {
                let families = known
                    .families
                    .iter()
                    .map(|name| format!("the family “{name}”"));
                let agents = known
                    .agents
                    .iter()
                    .map(|mark| format!("`{mark}` in `User-Agent`"));
                let known: Vec<_> = families.chain(agents).collect();
                let known = known.join(", ");
                match default.of(*quirk) {
                    QuirkFor::Nobody if known.is_empty() => {
                        "whom `quirks` of the route names".to_owned()
                    }
                    QuirkFor::Nobody => {
                        format!("{known}, or whom else `quirks` of the route names, where it is on")
                    }
                    _ => format!("{known}, or whom `quirks` of the route names"),
                }
            }
        };
        let vectors = row.vectors.iter();
        let vectors: Vec<_> = vectors.map(|name| format!("`{name}`")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {whom} | {} | {} |",
            row.name,
            row.who,
            row.done,
            row.source,
            vectors.join(", "),
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use draftgate_census::families_table;

    use super::*;

    #[test]
    fn each_exchange_is_in_the_archive_and_each_family_in_the_census() {
        let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
        let census = families_table();
        for row in &ROWS {
            assert!(
                !row.vectors.is_empty() && !row.source.is_empty(),
                "{}",
                row.name
            );
            for vector in row.vectors {
                let file = archive.join(format!("{vector}.toml"));
                assert!(file.is_file(), "{}: {vector}", row.name);
            }
            if let Switched(quirk, known) = &row.how {
                assert_eq!(row.name, quirk.name());
                for family in known.families {
                    assert!(census.contains(&format!("| {family} |")), "{family}");
                }
            }
        }
    }

    #[test]
    fn each_switch_has_a_row_and_no_name_stands_twice() {
        for quirk in Quirk::ALL {
            let is_its = |row: &&Row| matches!(&row.how, Switched(of, _) if *of == quirk);
            assert_eq!(ROWS.iter().filter(is_its).count(), 1, "{quirk:?}");
        }
        for (at, row) in ROWS.iter().enumerate() {
            assert!(ROWS[..at].iter().all(|other| other.name != row.name));
        }
    }
}
