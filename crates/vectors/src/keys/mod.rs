//! Every table and key of the format, version 1, with what it means. To add a
//! key, add it here and to `format`; the loader, the JSON Schema and the page
//! on the format follow.

mod expect;

use draftgate_core::Draft;

use self::expect::EXPECT;
use crate::{
    Placeholder,
    forms::{DATE, DURATION, FILE, SHA256, STEP_HEX, STEP_TEXT, TEXT, WORD},
    shape::{Key, MOST, Shape, Table},
};

const fn needed(name: &'static str, shape: Shape, says: &'static str) -> Key {
    Key {
        name,
        needed: true,
        shape,
        says,
    }
}

const fn optional(name: &'static str, shape: Shape, says: &'static str) -> Key {
    Key {
        name,
        needed: false,
        shape,
        says,
    }
}

const TEXTS: Shape = Shape::Form(&TEXT);
const SIDE: Shape = Shape::Words(|| vec!["client", "server"]);

/// A whole file.
pub(crate) static VECTOR: Table = Table {
    title: "the file",
    keys: &[
        needed("format", Shape::Whole(1, 1), "the version of the format: 1"),
        needed(
            "about",
            Shape::Table(&ABOUT),
            "where the exchange comes from",
        ),
        optional(
            "step",
            Shape::List(&Shape::Table(&STEP)),
            "what the two sides did, in order; absent: nothing",
        ),
        needed(
            "expect",
            Shape::Table(&EXPECT),
            "what each role under test must make of its peer's stream",
        ),
        optional(
            "deviation",
            Shape::List(&Shape::Table(&DEVIATION)),
            "named peers that are known to do otherwise",
        ),
    ],
    one_of: &[],
};

pub(crate) static ABOUT: Table = Table {
    title: "[about]",
    keys: &[
        needed(
            "draft",
            Shape::Words(|| Draft::ALL.iter().map(|draft| draft.name()).collect()),
            "the wire version that is spoken, or meant to be",
        ),
        needed(
            "kind",
            Shape::Words(|| vec!["captured", "published", "reconstructed", "constructed"]),
            "how the octets came to the archive",
        ),
        ROLE,
        needed(
            "scenario",
            TEXTS,
            "what the two did: `text`, `close`, `handshake` …",
        ),
        needed("client", TEXTS, "implementation and version of the client"),
        needed("server", TEXTS, "implementation and version of the server"),
        needed(
            "source",
            TEXTS,
            "how it was recorded, or the address where it was published",
        ),
        optional(
            "date",
            Shape::Form(&DATE),
            "when, as far as it is known: `2012-01-27`, `2012-01`, `2012`, `2010 to 2011`; `about` may stand before it, and after a comma how it is known",
        ),
        optional("note", TEXTS, "what is worth knowing about it"),
        optional(
            "altered",
            TEXTS,
            "what whoever published or redacted it changed or left out",
        ),
        optional(
            "restored",
            TEXTS,
            "what was put back or put in to make it whole",
        ),
        optional(
            "basis",
            TEXTS,
            "of a constructed exchange, and needed there: what it is derived from, and why it is there",
        ),
        optional(
            "attested",
            Shape::Map(&TEXTS),
            "of a reconstructed exchange, and needed there: for every field of the heads, by its name as it stands there, and for `order`, the source that attests it",
        ),
        optional(
            "tags",
            Shape::List(&Shape::Form(&WORD)),
            "words to choose exchanges by; none twice",
        ),
        optional(
            "service",
            Shape::Words(|| vec!["echo"]),
            "what the server does with every message: `echo`, it gives it back; absent: nothing can be said",
        ),
        optional(
            "partial",
            TEXTS,
            "why octets are missing; needed where a step is a `gap`",
        ),
        needed(
            "streams",
            Shape::Table(&STREAMS),
            "what the steps of each side come to; a side that was not recorded is left out, and has no steps",
        ),
    ],
    one_of: &[],
};

const ROLE: Key = needed(
    "role",
    Shape::Words(|| vec!["client", "server", "both"]),
    "the role or roles under test; [expect] has exactly these",
);

static STREAMS: Table = Table {
    title: "[about.streams]",
    keys: &[
        optional("client", Shape::Table(&STREAM), "all that the client sent"),
        optional("server", Shape::Table(&STREAM), "all that the server sent"),
    ],
    one_of: &[],
};

pub(crate) static STREAM: Table = Table {
    title: "a stream",
    keys: &[
        needed(
            "octets",
            Shape::Whole(0, MOST),
            "how many octets the steps of the side have, as recorded; 0: recorded, and nothing came",
        ),
        needed(
            "sha256",
            Shape::Form(&SHA256),
            "the SHA-256 of these octets",
        ),
    ],
    one_of: &[],
};

pub(crate) static STEP: Table = Table {
    title: "[[step]]",
    keys: &[
        needed("from", SIDE, "which side did it"),
        optional(
            "text",
            Shape::Form(&STEP_TEXT),
            "it sent this, in UTF-8, line ends spelt out",
        ),
        optional("hex", Shape::Form(&STEP_HEX), "it sent these octets"),
        optional(
            "file",
            Shape::Form(&FILE),
            "it sent the octets of this file beside the vector",
        ),
        optional(
            "eof",
            Shape::True,
            "it ended its half of the connection (FIN) and still reads",
        ),
        optional(
            "close",
            Shape::Words(|| vec!["fin", "reset"]),
            "it is gone and neither sends nor reads; `fin`: by FIN, `reset`: by RST",
        ),
        optional(
            "timeout",
            Shape::Form(&DURATION),
            "it sends nothing for so long; the other side must have ended the connection before that is over",
        ),
        optional(
            "gap",
            Shape::Table(&GAP),
            "it sent octets that the recording lacks",
        ),
        optional(
            "as",
            Shape::Words(|| Placeholder::ALL.iter().map(|p| p.name()).collect()),
            "only beside `file`: the whole file is this placeholder",
        ),
        optional(
            "pause",
            Shape::Form(&DURATION),
            "time since the step before; absent: not recorded",
        ),
        optional("note", TEXTS, "what it is, for people"),
    ],
    one_of: &["text", "hex", "file", "eof", "close", "timeout", "gap"],
};

pub(crate) static GAP: Table = Table {
    title: "`gap`",
    keys: &[
        optional(
            "octets",
            Shape::Whole(1, MOST),
            "how many are missing; absent: nobody knows",
        ),
        needed(
            "reason",
            Shape::Words(|| vec!["lost", "mid-stream", "one-direction", "snapped", "bounded"]),
            "`lost`: packets are not in the capture; `mid-stream`: it begins later; `one-direction`: it has the other direction only; `snapped`: it cut long packets off; `bounded`: a bound of the recorder was reached",
        ),
    ],
    one_of: &[],
};

pub(crate) static DEVIATION: Table = Table {
    title: "[[deviation]]",
    keys: &[
        needed(
            "peer",
            TEXTS,
            "implementation and version: `websocket-driver 0.6.5 (npm)`",
        ),
        needed(
            "role",
            SIDE,
            "the role in which it deviates; one under test",
        ),
        needed("reason", TEXTS, "what it does instead, and why"),
        optional("source", TEXTS, "how that is known"),
    ],
    one_of: &[],
};
