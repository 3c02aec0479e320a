//! `draftgate explain`: names every field of what one side sent, and says where
//! it breaks its draft. What the octets are is `draftgate-drafts`' to say, and
//! how they look `draftgate-explain`'s.

mod guess;
mod input;

use std::{
    fmt::Display,
    io::{self, Write},
};

use bytes::Bytes;
use clap::builder::PossibleValuesParser;
use draftgate_core::{Draft, Role, UnknownDraft};
use draftgate_drafts::dissect::{Dissected, begins_with_head};
use draftgate_explain::{Look, fault, unit};
use draftgate_vectors::Action;
use draftgate_wire::dissect::{Unit, What};

use crate::{
    exit::{Failure, quiet_pipe},
    terminal,
};
use input::Input;

/// Columns where there is no terminal.
const WIDTH: usize = 80;

const HELP: &str = "\
Octets are a file of them, or hexadecimal: on the command line, in a file or on
standard input, also as hexdump -C, xxd and od print them. A file *.toml is an
archived exchange, of which both sides are explained. Frames alone do not say
their draft: without --draft the newest one is taken that reads them whole.

Exit codes: 0 nothing breaks its draft, 1 something does, 2 wrong usage.

Examples:
  draftgate explain 81 05 48 65 6c 6c 6f      a frame of RFC 6455
  draftgate explain --draft hixie-76 --from server capture.bin
  draftgate explain - < request.txt           which draft is it, or why none
  draftgate explain interop-vectors/hixie-76/text.client-faye01.server-faye01.toml";

/// `draftgate explain`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Explain {
    /// The draft to read in; by default that of the request
    #[arg(long, value_name = "DRAFT", value_parser = draft)]
    draft: Option<Draft>,
    /// Who sent the octets; by default whoever could have
    #[arg(long, value_name = "SIDE", value_parser = PossibleValuesParser::new(["client", "server"]))]
    from: Option<String>,
    /// Take the octets of a file as they are, even if they look like hexadecimal
    #[arg(long)]
    raw: bool,
    /// A file, octets in hexadecimal, or - for standard input
    #[arg(value_name = "FILE|HEX|-", required = true)]
    input: Vec<String>,
}

impl Explain {
    fn from(&self) -> Option<Role> {
        self.from.as_deref().map(|from| match from {
            "client" => Role::Client,
            _ => Role::Server,
        })
    }
}

/// A draft by any of its names, spoken or not: the heads of all are known.
fn draft(name: &str) -> Result<Draft, String> {
    name.parse().map_err(|e: UnknownDraft| e.to_string())
}

/// Explains.
///
/// # Errors
/// What was given breaks its draft, or cannot be read.
pub(crate) fn run(args: &Explain) -> Result<(), Failure> {
    let look = Look {
        width: terminal::width().unwrap_or(WIDTH),
        colour: terminal::colours(),
    };
    let (said, seen, sides) = match Input::read(&args.input, args.raw)? {
        Input::Exchange(vector) => {
            let draft = args.draft.unwrap_or(vector.about.draft);
            let [client, server] = [Role::Client, Role::Server].map(|side| vector.octets(side));
            let lost = vector
                .steps
                .iter()
                .any(|step| matches!(step.action, Action::Gap(_)));
            let said = lost.then(|| {
                "Octets are missing in the recording; what follows a gap may be misread.".to_owned()
            });
            let sides = args
                .from()
                .map_or_else(|| vec![Role::Client, Role::Server], |side| vec![side]);
            (said, Dissected::of(client, server, Some(draft)), sides)
        }
        Input::Octets(octets) => {
            let (said, seen, side) = one_side(args, octets)?;
            (said, seen, vec![side])
        }
    };
    let mut out = io::stdout().lock();
    quiet_pipe(print(&mut out, &seen, &sides, said, &look))?;
    let first = sides.iter().find_map(|side| first_fault(seen.units(*side)));
    match first {
        Some(why) => Err(Failure::new(why)),
        None => Ok(()),
    }
}

/// What `octets` are, and what is to be said of how they were read.
fn one_side(args: &Explain, octets: Bytes) -> Result<(Option<String>, Dissected, Role), Failure> {
    let head = [Role::Client, Role::Server]
        .into_iter()
        .find(|side| begins_with_head(*side, &octets));
    let from = args.from().or(head);
    let known = from == Some(Role::Client) && head == from;
    let (said, draft, from) = match (args.draft, from) {
        (Some(draft), Some(from)) => (None, Some(draft), from),
        (None, Some(from)) if known => (None, None, from),
        (draft, from) => match (guess::guess(draft, from, &octets), head) {
            (Ok(guess), _) => (Some(guess.said), Some(guess.draft), guess.from),
            // A head has its lines in any draft.
            (Err(_), Some(side)) => (None, draft, from.unwrap_or(side)),
            (Err(failure), None) => return Err(failure),
        },
    };
    let seen = match from {
        Role::Client => Dissected::of(octets, Bytes::new(), draft),
        Role::Server => Dissected::of(Bytes::new(), octets, draft),
    };
    Ok((said, seen, from))
}

fn print(
    out: &mut impl Write,
    seen: &Dissected,
    sides: &[Role],
    said: Option<String>,
    look: &Look,
) -> io::Result<()> {
    if let Some(said) = said {
        writeln!(out, "{said}\n")?;
    }
    if sides.contains(&Role::Client) {
        match &seen.told {
            Some(Ok(draft)) => writeln!(out, "The request is in {}.\n", draft.with_alias())?,
            // Of a draft that is not spoken nothing is refused.
            Some(Err(_)) if first_fault(&seen.client[..1]).is_none() => {}
            Some(Err(refused)) => writeln!(
                out,
                "The request is refused: {}: {refused}.\nWhat to do: {}.\n",
                refused.code, refused.remedy
            )?,
            None => {}
        }
    }
    for (at, found) in sides.iter().flat_map(|side| seen.units(*side)).enumerate() {
        if at > 0 {
            writeln!(out)?;
        }
        out.write_all(unit(found, look).as_bytes())?;
    }
    writeln!(out)?;
    for side in sides {
        writeln!(out, "{}", summary(seen.units(*side), *side))?;
    }
    out.flush()
}

/// How many there are, and whether anything breaks the draft.
fn summary(units: &[Unit], side: Role) -> String {
    let octets: usize = units.iter().map(|unit| unit.octets.len()).sum();
    let frames = units.iter().filter(|unit| unit.what == What::Frame).count();
    let side = guess::side(side);
    let faults = units.iter().filter(|unit| unit.fault.is_some()).count();
    let verdict = match (faults, units.last()) {
        (0, Some(last)) if last.cut_off => "nothing is wrong up to where it is cut off".to_owned(),
        (0, _) if units.iter().any(|unit| unit.what == What::Unknown) => {
            "nothing is wrong in what is known of them".to_owned()
        }
        (0, _) => "nothing is wrong".to_owned(),
        (count, _) => plural(count, "fault"),
    };
    format!(
        "{} from the {side}, {}: {verdict}.",
        plural(octets, "octet"),
        plural(frames, "frame")
    )
}

fn plural(count: usize, of: impl Display) -> String {
    match count {
        1 => format!("1 {of}"),
        _ => format!("{count} {of}s"),
    }
}

fn first_fault(units: &[Unit]) -> Option<String> {
    units
        .iter()
        .find_map(|unit| Some(fault(unit, unit.fault.as_ref()?)))
}
