//! The file format, version 1, as serde sees it; `contents` turns it into what
//! readers use. `keys` is its twin that people are told by: a file comes here
//! only once it has the shape that stands there.
//!
//! The format is stable: a file that is valid today stays valid, with the same
//! meaning. What may be added is said in docs/vectors.md.

use std::{collections::BTreeMap, str::FromStr};

use draftgate_core::{Draft, Rule};
use serde::{Deserialize, Deserializer, de::Error as _};
use toml::Spanned;

use crate::{Ending, Ends, GapReason, Kind, Refused, Service, Tolerated, hex::Hex};

/// The version of the format that this crate reads.
pub(crate) const FORMAT: u64 = 1;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct File {
    #[expect(dead_code, reason = "read before the rest, named here to be allowed")]
    pub(crate) format: u64,
    pub(crate) about: Spanned<RawAbout>,
    #[serde(default)]
    pub(crate) step: Vec<Spanned<RawStep>>,
    pub(crate) expect: Spanned<RawExpect>,
    #[serde(default)]
    pub(crate) deviation: Vec<Spanned<RawDeviation>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAbout {
    #[serde(deserialize_with = "draft")]
    pub(crate) draft: Draft,
    pub(crate) kind: Kind,
    pub(crate) role: Tested,
    pub(crate) scenario: String,
    pub(crate) client: String,
    pub(crate) server: String,
    pub(crate) source: String,
    pub(crate) date: Option<String>,
    pub(crate) altered: Option<String>,
    pub(crate) restored: Option<String>,
    pub(crate) note: Option<String>,
    pub(crate) basis: Option<String>,
    pub(crate) attested: Option<Spanned<BTreeMap<String, String>>>,
    #[serde(default)]
    pub(crate) tags: Vec<String>,
    pub(crate) service: Option<Service>,
    pub(crate) partial: Option<String>,
    pub(crate) streams: Spanned<RawStreams>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStreams {
    pub(crate) client: Option<Spanned<RawStream>>,
    pub(crate) server: Option<Spanned<RawStream>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStream {
    pub(crate) octets: u64,
    pub(crate) sha256: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawStep {
    pub(crate) from: Side,
    pub(crate) note: Option<String>,
    pub(crate) pause: Option<String>,
    pub(crate) text: Option<String>,
    pub(crate) hex: Option<String>,
    pub(crate) file: Option<String>,
    #[serde(rename = "as")]
    pub(crate) placeholder: Option<String>,
    pub(crate) eof: Option<bool>,
    pub(crate) close: Option<Ending>,
    pub(crate) timeout: Option<String>,
    pub(crate) gap: Option<RawGap>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawGap {
    pub(crate) octets: Option<u64>,
    pub(crate) reason: GapReason,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDeviation {
    pub(crate) peer: String,
    pub(crate) role: Side,
    pub(crate) reason: String,
    pub(crate) source: Option<String>,
}

/// The role or roles that an exchange tests.
#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tested {
    Client,
    Server,
    Both,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Side {
    Client,
    Server,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExpect {
    pub(crate) server: Option<Spanned<RawExpectation>>,
    pub(crate) client: Option<Spanned<RawExpectation>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawExpectation {
    pub(crate) unstated: Option<String>,
    pub(crate) events: Option<Vec<Spanned<RawEvent>>>,
    pub(crate) ends: Option<Ends>,
    pub(crate) refused: Option<Refused>,
    pub(crate) violation: Option<RawBroken>,
    #[serde(default)]
    pub(crate) tolerated: Vec<Tolerated>,
    pub(crate) answer: Option<Spanned<RawAnswer>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum RawEvent {
    Opened,
    Text(String),
    TextFile(Piece),
    Binary(Hex),
    BinaryFile(Piece),
    Ping(Hex),
    Pong(Hex),
    Close(RawClose),
    #[serde(rename_all = "kebab-case")]
    Discarded {
        frame_type: u8,
        octets: u64,
    },
    Repaired {
        replacements: u64,
    },
    Tolerated {
        #[serde(deserialize_with = "rule")]
        rule: Rule,
    },
    UnsolicitedPong,
    AfterClose {
        octets: u64,
    },
}

/// A file beside the vector, or a run of its octets.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, expecting = "a table like `{ file = \"a.bin\" }`")]
pub(crate) struct Piece {
    pub(crate) file: String,
    pub(crate) offset: Option<usize>,
    pub(crate) octets: Option<usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawClose {
    pub(crate) code: Option<u16>,
    #[serde(default)]
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawBroken {
    #[serde(deserialize_with = "rule")]
    pub(crate) rule: Rule,
    pub(crate) reason: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAnswer {
    pub(crate) origin: Option<String>,
    pub(crate) location: Option<String>,
    pub(crate) subprotocol: Option<String>,
    pub(crate) accept: Option<String>,
    pub(crate) md5: Option<Hex>,
}

fn draft<'de, D: Deserializer<'de>>(from: D) -> Result<Draft, D::Error> {
    let name = String::deserialize(from)?;
    Draft::from_str(&name).map_err(D::Error::custom)
}

fn rule<'de, D: Deserializer<'de>>(from: D) -> Result<Rule, D::Error> {
    let code = String::deserialize(from)?;
    let found = Rule::ALL.into_iter().find(|rule| rule.code() == code);
    found.ok_or_else(|| {
        let codes: Vec<_> = Rule::ALL.iter().map(|rule| rule.code()).collect();
        D::Error::custom(format!(
            "`{code}` is no rule; the rules are {}",
            codes.join(", ")
        ))
    })
}
