//! `draftgate explain`: names every field of what one side sent, and says where
//! it breaks its draft. What the octets are is `draftgate-drafts`' to say, and
//! how they look `draftgate-explain`'s.

mod guess;
mod tally;

use std::{
    io::{self, Write},
    mem,
};

use bytes::Bytes;
use clap::builder::PossibleValuesParser;
use draftgate_core::{Draft, Role, Strictness};
use draftgate_drafts::{
    compression::can_be_agreed_on,
    dissect::{Dissecting, begins_with_head},
};
use draftgate_explain::{Look, fault, unit};
use draftgate_vectors::Action;

use crate::{
    args::any_draft,
    exit::{Failure, quiet_pipe},
    input::Input,
    terminal,
};

use tally::Tally;

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
  draftgate explain --extensions permessage-deflate c1 07 f2 48 cd c9 c9 07 00
  draftgate explain - < request.txt           which draft is it, or why none
  draftgate explain interop-vectors/hixie-76/text.client-phantomjs19.server-faye01.toml";

/// `draftgate explain`
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Explain {
    // The heads of all are known, spoken or not.
    /// The draft to read in; by default that of the request
    #[arg(long, value_name = "DRAFT", value_parser = any_draft)]
    draft: Option<Draft>,
    /// Who sent the octets; by default whoever could have
    #[arg(long, value_name = "SIDE", value_parser = PossibleValuesParser::new(["client", "server"]))]
    from: Option<String>,
    /// What is let pass of both sides, as `strictness` of a route: hybi-08, lenient, or both with a comma
    #[arg(long, value_name = "WORDS")]
    strictness: Option<Strictness>,
    /// What the opening agreed on, where it is not there, as in Sec-WebSocket-Extensions
    #[arg(long, value_name = "FIELD", value_parser = extensions)]
    extensions: Option<String>,
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

    fn dissect(
        &self,
        client: Bytes,
        server: Bytes,
        draft: Option<Draft>,
    ) -> Result<Dissecting, Failure> {
        let strictness = self.strictness.unwrap_or_default();
        let seen = Dissecting::under(strictness, client, server, draft);
        match &self.extensions {
            Some(extensions) => seen
                .with_extensions(extensions)
                .map_err(|refusal| Failure::usage(refusal.detail.unwrap_or_default())),
            None => Ok(seen),
        }
    }
}

/// Extensions that can be read.
fn extensions(said: &str) -> Result<String, String> {
    match can_be_agreed_on(said) {
        true => Ok(said.to_owned()),
        false => Err(
            "it must be as a server answers: permessage-deflate, deflate-frame, \
            x-webkit-deflate-frame or deflate-stream, with parameters as they have them"
                .to_owned(),
        ),
    }
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
            (said, args.dissect(client, server, Some(draft))?, sides)
        }
        Input::Octets(octets) => {
            let (said, seen, side) = one_side(args, octets)?;
            (said, seen, vec![side])
        }
    };
    // Whoever leaves a pipe wants no more of it to be read either.
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut first = None;
    quiet_pipe(print(&mut out, seen, &sides, said, &look, &mut first))?;
    match first {
        Some(why) => Err(Failure::new(why)),
        None => Ok(()),
    }
}

/// What `octets` are, and what is to be said of how they were read.
fn one_side(args: &Explain, octets: Bytes) -> Result<(Option<String>, Dissecting, Role), Failure> {
    let head = [Role::Client, Role::Server]
        .into_iter()
        .find(|side| begins_with_head(*side, &octets));
    let from = args.from().or(head);
    let known = from == Some(Role::Client) && head == from;
    let (said, draft, from) = match (args.draft, from) {
        (Some(draft), Some(from)) => (None, Some(draft), from),
        (None, Some(from)) if known => (None, None, from),
        (draft, from) => match (
            guess::guess(draft, from, args.extensions.as_deref(), &octets),
            head,
        ) {
            (Ok(guess), _) => (Some(guess.said), Some(guess.draft), guess.from),
            // A head has its lines in any draft.
            (Err(_), Some(side)) => (None, draft, from.unwrap_or(side)),
            (Err(failure), None) => return Err(failure),
        },
    };
    let (client, server) = match from {
        Role::Client => (octets, Bytes::new()),
        Role::Server => (Bytes::new(), octets),
    };
    Ok((said, args.dissect(client, server, draft)?, from))
}

/// Prints `sides` unit by unit; the first fault goes to `first`.
fn print(
    out: &mut impl Write,
    mut seen: Dissecting,
    sides: &[Role],
    said: Option<String>,
    look: &Look,
    first: &mut Option<String>,
) -> io::Result<()> {
    if let Some(said) = said {
        writeln!(out, "{said}\n")?;
    }
    let told = seen.told.take().filter(|_| sides.contains(&Role::Client));
    let (mut client, mut server) = (seen.client.peekable(), seen.server.peekable());
    match told {
        Some(Ok(draft)) => writeln!(out, "The request is in {}.\n", draft.with_alias())?,
        // Of a draft that is not spoken nothing is refused.
        Some(Err(refused)) if client.peek().is_some_and(|head| head.fault.is_some()) => writeln!(
            out,
            "The request is refused: {}: {refused}.\nWhat to do: {}.\n",
            refused.code, refused.remedy
        )?,
        _ => {}
    }
    let mut tallies = Vec::new();
    let mut begun = false;
    for side in sides {
        let units = match side {
            Role::Client => &mut client,
            Role::Server => &mut server,
        };
        let mut tally = Tally::default();
        for found in units {
            if mem::replace(&mut begun, true) {
                writeln!(out)?;
            }
            tally.add(&found);
            if let Some((broken, wrong)) = found.first_fault() {
                first.get_or_insert_with(|| fault(broken, wrong));
            }
            out.write_all(unit(&found, look).as_bytes())?;
        }
        tallies.push((side, tally));
    }
    writeln!(out)?;
    for (side, tally) in tallies {
        writeln!(out, "{}", tally.summary(*side))?;
    }
    out.flush()
}
