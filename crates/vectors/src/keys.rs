//! Every table and key of the format, version 1, with what it means. To add a
//! key, add it here and to `format`; the loader, the JSON Schema and the page
//! on the format follow.

use draftgate_core::{Draft, Rule};

use crate::{
    Placeholder,
    forms::{DATE, DURATION, FILE, HEX, HEX16, SHA256, STEP_HEX, STEP_TEXT, TEXT, WORD},
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

static EXPECT: Table = Table {
    title: "[expect]",
    keys: &[
        optional(
            "server",
            Shape::Table(&EXPECT_SERVER),
            "what a server must make of the client's stream",
        ),
        optional(
            "client",
            Shape::Table(&EXPECT_CLIENT),
            "what a client must make of the server's stream",
        ),
    ],
    one_of: &[],
};

static EVENT_SHAPE: Shape = Shape::Either(&["opened", "unsolicited-pong"], &EVENT);
static DEPARTURE_SHAPE: Shape = Shape::Table(&DEPARTURE);

const UNSTATED: Key = optional(
    "unstated",
    TEXTS,
    "why nothing can be expected; then no other key stands here",
);
const EVENTS: Key = optional(
    "events",
    Shape::List(&EVENT_SHAPE),
    "what the role is told, in order; needed without `unstated`",
);
const ENDS: Key = optional(
    "ends",
    Shape::Words(|| {
        vec![
            "nothing",
            "mid-head",
            "mid-challenge",
            "refused",
            "violation",
            "mid-frame",
            "open",
            "closed",
        ]
    }),
    "where the stream leaves its reader; needed without `unstated`",
);
const REFUSED: Key = optional(
    "refused",
    Shape::Table(&REFUSAL),
    "why the opening must be refused; with `ends = \"refused\"`, and only then",
);
const VIOLATION: Key = optional(
    "violation",
    Shape::Table(&BROKEN),
    "the rule that a frame breaks; with `ends = \"violation\"`, and only then",
);
const TOLERATED: Key = optional(
    "tolerated",
    Shape::List(&DEPARTURE_SHAPE),
    "departures from the draft that must not be refused",
);

pub(crate) static EXPECT_SERVER: Table = Table {
    title: "[expect.server]",
    keys: &[
        UNSTATED,
        EVENTS,
        ENDS,
        REFUSED,
        VIOLATION,
        TOLERATED,
        optional(
            "answer",
            Shape::Table(&ANSWER),
            "what the server must answer; absent: nothing of it is known",
        ),
    ],
    one_of: &[],
};

static EXPECT_CLIENT: Table = Table {
    title: "[expect.client]",
    keys: &[UNSTATED, EVENTS, ENDS, REFUSED, VIOLATION, TOLERATED],
    one_of: &[],
};

pub(crate) static EVENT: Table = Table {
    title: "event",
    keys: &[
        optional("text", Shape::Any, "a text message"),
        optional(
            "text-file",
            Shape::Table(&PIECE),
            "a text message, the octets of a file",
        ),
        optional("binary", Shape::Form(&HEX), "a binary message"),
        optional(
            "binary-file",
            Shape::Table(&PIECE),
            "a binary message, the octets of a file",
        ),
        optional("ping", Shape::Form(&HEX), "a ping with this body"),
        optional("pong", Shape::Form(&HEX), "a pong with this body"),
        optional(
            "close",
            Shape::Table(&CLOSE),
            "a closing frame; `{}`: without a code, as always in hixie-76",
        ),
        optional(
            "discarded",
            Shape::Table(&DISCARDED),
            "notice: a frame that the draft tells its reader to drop",
        ),
        optional(
            "repaired",
            Shape::Table(&REPAIRED),
            "notice: text that is not UTF-8, mended as the draft says",
        ),
        optional(
            "tolerated",
            Shape::Table(&BORNE),
            "notice: a breach of a rule that the draft bears",
        ),
        optional(
            "after-close",
            Shape::Table(&AFTER),
            "notice: octets behind the closing frame",
        ),
    ],
    one_of: &[
        "text",
        "text-file",
        "binary",
        "binary-file",
        "ping",
        "pong",
        "close",
        "discarded",
        "repaired",
        "tolerated",
        "after-close",
    ],
};

pub(crate) static PIECE: Table = Table {
    title: "a piece of a file",
    keys: &[
        needed("file", Shape::Form(&FILE), "a file beside the vector"),
        optional(
            "offset",
            Shape::Whole(0, MOST),
            "from this octet on; absent: 0",
        ),
        optional(
            "octets",
            Shape::Whole(0, MOST),
            "so many; absent: to the end",
        ),
    ],
    one_of: &[],
};

pub(crate) static CLOSE: Table = Table {
    title: "`close`",
    keys: &[
        optional(
            "code",
            Shape::Whole(0, 65_535),
            "the status code; absent: there is none",
        ),
        optional(
            "reason",
            Shape::Any,
            "the text behind it; only beside a `code`; absent: empty",
        ),
    ],
    one_of: &[],
};

pub(crate) static DISCARDED: Table = Table {
    title: "`discarded`",
    keys: &[
        needed(
            "frame-type",
            Shape::Whole(0, 255),
            "the frame's first octet",
        ),
        needed("octets", Shape::Whole(0, MOST), "how much was dropped"),
    ],
    one_of: &[],
};

pub(crate) static REPAIRED: Table = Table {
    title: "`repaired`",
    keys: &[needed(
        "replacements",
        Shape::Whole(1, MOST),
        "how many characters U+FFFD were put in",
    )],
    one_of: &[],
};

pub(crate) static BORNE: Table = Table {
    title: "`tolerated`",
    keys: &[needed("rule", RULE, "the rule")],
    one_of: &[],
};

pub(crate) static AFTER: Table = Table {
    title: "`after-close`",
    keys: &[needed("octets", Shape::Whole(1, MOST), "how many")],
    one_of: &[],
};

const RULE: Shape = Shape::Words(|| Rule::ALL.iter().map(|rule| rule.code()).collect());

pub(crate) static REFUSAL: Table = Table {
    title: "`refused`",
    keys: &[
        needed(
            "rules",
            Shape::List(&Shape::Form(&WORD)),
            "the codes of every rule that the opening breaks, at least one; a reader stops at any of them",
        ),
        needed("reason", TEXTS, "what is wrong, for people"),
    ],
    one_of: &[],
};

pub(crate) static BROKEN: Table = Table {
    title: "`violation`",
    keys: &[
        needed("rule", RULE, "the code of the rule"),
        needed("reason", TEXTS, "what is wrong, for people"),
    ],
    one_of: &[],
};

pub(crate) static DEPARTURE: Table = Table {
    title: "a departure",
    keys: &[
        needed(
            "rule",
            Shape::Form(&WORD),
            "a word for the kind of departure",
        ),
        needed("reason", TEXTS, "what it is, for people"),
    ],
    one_of: &[],
};

pub(crate) static ANSWER: Table = Table {
    title: "`answer`",
    keys: &[
        optional(
            "origin",
            Shape::Any,
            "the origin to repeat (hixie-75, hixie-76)",
        ),
        optional(
            "location",
            Shape::Any,
            "the URL to repeat (hixie-75, hixie-76)",
        ),
        optional(
            "subprotocol",
            Shape::Any,
            "the one to choose; absent: choose none",
        ),
        optional(
            "accept",
            Shape::Any,
            "the value of `Sec-WebSocket-Accept` for the recorded key",
        ),
        optional(
            "md5",
            Shape::Form(&HEX16),
            "the 16 octets that hixie-76 answers the recorded keys with",
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
