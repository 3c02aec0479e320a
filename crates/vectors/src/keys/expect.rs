//! The tables below `[expect]`.

use draftgate_core::Rule;

use super::{TEXTS, needed, optional};
use crate::{
    forms::{FILE, HEX, HEX16, WORD},
    shape::{Key, MOST, Shape, Table},
};

pub(super) static EXPECT: Table = Table {
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
        needed(
            "octets",
            Shape::Whole(0, MOST),
            "how many octets of content were dropped: without the first octet, a length, and the FF at the end",
        ),
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
