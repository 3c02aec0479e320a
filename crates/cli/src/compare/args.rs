//! What can be asked of `draftgate compare`.

use std::path::PathBuf;

use clap::{ArgGroup, ValueEnum};
use draftgate_compare::Masks;
use draftgate_core::{Draft, Role};

use crate::args::{spoken_draft, spoken_names};

const HELP: &str = "\
Colour is for terminals: NO_COLOR=1 turns it off, CLICOLOR_FORCE=1 turns it on.

Exit codes: 0 success, 1 the file cannot be read or written, 2 wrong usage.

Examples:
  draftgate compare                           \"Hello\" in every draft
  draftgate compare --binary 'ca fe'          and what the gateway does for drafts without binary
  draftgate compare --close 1011 'disk full' --drafts hybi-08,13
  draftgate compare --diff hybi-06 hybi-13    what moved between two drafts
  draftgate compare --handshake               the openings side by side
  draftgate compare --format html -o hello.html";

/// `draftgate compare`
#[derive(Debug, clap::Args)]
#[command(
    after_help = HELP,
    group = ArgGroup::new("what").args(["message", "binary", "ping", "close"]),
    group = ArgGroup::new("view").args(["handshake", "sizes", "bits"])
)]
pub(crate) struct Compare {
    /// The text to say
    #[arg(default_value = "Hello")]
    pub(crate) message: String,
    /// Say a binary message: hexadecimal digits, or @ and the name of a file
    #[arg(long, value_name = "HEX|@FILE")]
    pub(crate) binary: Option<String>,
    /// Send a ping
    #[arg(long, value_name = "BODY", num_args = 0..=1, default_missing_value = "")]
    pub(crate) ping: Option<String>,
    /// Close with this code, and a reason
    #[arg(long, value_names = ["CODE", "REASON"], num_args = 1..=2)]
    pub(crate) close: Option<Vec<String>>,
    /// Send the message in so many fragments, where a draft has them
    #[arg(long, value_name = "N", conflicts_with_all = ["handshake", "sizes"])]
    pub(crate) fragments: Option<usize>,
    /// Who speaks
    #[arg(long, value_enum, default_value_t = Direction::Both)]
    pub(crate) direction: Direction,
    /// The masking key of clients: 4 octets in hexadecimal, or `random` for a fresh one each frame
    #[arg(long, value_name = "HEX|random", default_value = "37fa213d", value_parser = masks)]
    pub(crate) mask: Masks,
    /// The drafts, parted by commas, or `all`
    #[arg(long, value_name = "DRAFT,…|all", default_value = "all", value_parser = drafts,
        help = format!("The drafts, parted by commas, or `all`: {}", spoken_names()))]
    pub(crate) drafts: Drafts,
    /// The opening handshakes side by side, with keys that are always the same
    #[arg(long, conflicts_with = "what")]
    pub(crate) handshake: bool,
    /// How many octets messages of several lengths take beyond their own
    #[arg(long, conflicts_with = "what")]
    pub(crate) sizes: bool,
    /// Under a ruler of bits, as RFCs draw frames (text only)
    #[arg(long)]
    pub(crate) bits: bool,
    /// What moved between two drafts
    #[arg(long, value_names = ["DRAFT", "DRAFT"], num_args = 2, value_parser = spoken_draft,
        conflicts_with_all = ["drafts", "sizes", "bits"])]
    pub(crate) diff: Option<Vec<Draft>>,
    /// How the answer looks
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// Write to this file in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Direction {
    Client,
    Server,
    Both,
}

impl Direction {
    pub(crate) fn roles(self) -> Vec<Role> {
        match self {
            Self::Client => vec![Role::Client],
            Self::Server => vec![Role::Server],
            Self::Both => vec![Role::Client, Role::Server],
        }
    }
}

/// How the answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For a terminal
    Text,
    /// The model, for programs
    Json,
    /// One self-contained page in which fields and octets light each other
    Html,
    /// One drawing, for a document
    Svg,
}

/// Drafts in the order in which they were named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Drafts(pub(crate) Vec<Draft>);

fn drafts(names: &str) -> Result<Drafts, String> {
    if names == "all" {
        return Ok(Drafts(draftgate_drafts::spoken().collect()));
    }
    let mut drafts = Vec::new();
    for name in names.split(',') {
        let draft = spoken_draft(name)?;
        if !drafts.contains(&draft) {
            drafts.push(draft);
        }
    }
    Ok(Drafts(drafts))
}

fn masks(text: &str) -> Result<Masks, String> {
    if text == "random" {
        return Ok(Masks::Random);
    }
    let octets = hex(text)?;
    match <[u8; 4]>::try_from(octets) {
        Ok(key) => Ok(Masks::Fixed(key)),
        Err(octets) => Err(format!(
            "a masking key has 4 octets, this one has {}: write for example 37fa213d, or `random`",
            octets.len()
        )),
    }
}

/// Octets from hexadecimal digits, white space between octets.
pub(crate) fn hex(text: &str) -> Result<Vec<u8>, String> {
    let mut digits = Vec::new();
    for (at, character) in text.chars().enumerate() {
        match character.to_digit(16) {
            Some(digit) => digits.push(digit as u8),
            None if character.is_whitespace() && digits.len().is_multiple_of(2) => {}
            None => {
                return Err(format!(
                    "`{}` at character {} is no hexadecimal digit: write two digits an octet, for example `ca fe`",
                    character.escape_debug(),
                    at + 1
                ));
            }
        }
    }
    if !digits.len().is_multiple_of(2) {
        return Err("the last octet has one digit only: write two digits an octet".to_owned());
    }
    Ok(digits
        .chunks(2)
        .map(|pair| pair[0] << 4 | pair[1])
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octets_are_two_digits_each() {
        assert_eq!(hex("37fa 21\n3D"), Ok(vec![0x37, 0xfa, 0x21, 0x3d]));
        assert_eq!(hex(""), Ok(vec![]));
        for (text, why) in [("3", "one digit"), ("3 7", "character 2"), ("0xff", "`x`")] {
            let error = hex(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_draft_that_is_named_twice_counts_once() {
        let named = drafts("13,rfc6455,hixie-76").unwrap();
        assert_eq!(named.0, [Draft::Hybi13, Draft::Hixie76]);
    }
}
