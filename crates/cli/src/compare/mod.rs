//! `draftgate compare`: one message in every draft, octet by octet. Which
//! octets, and how they are drawn, is `draftgate-compare`'s; this reads what
//! was asked for, and writes the answer where it belongs.

mod args;

use std::{
    fs,
    io::{self, Write},
};

use draftgate_compare::{Diff, Handshake, Look, Options, Sizes, Table, What};

pub(crate) use args::Compare;
use args::{Format, hex};

use crate::{
    exit::{Failure, quiet_pipe},
    terminal,
};

/// Compares.
///
/// # Errors
/// What was asked for is in no draft, or the answer cannot be written.
pub(crate) fn run(args: &Compare) -> Result<(), Failure> {
    if args.bits && args.format != Format::Text {
        return Err(Failure::usage("--bits draws text: leave --format out"));
    }
    let answer = answer(args, look(args))?;
    match &args.output {
        None => quiet_pipe(io::stdout().lock().write_all(answer.as_bytes())),
        Some(path) => fs::write(path, answer).map_err(|error| {
            Failure::new(format_args!("cannot write {}: {error}", path.display()))
        }),
    }
}

fn answer(args: &Compare, look: Look) -> Result<String, Failure> {
    let options = Options {
        drafts: args.drafts.0.clone(),
        directions: args.direction.roles(),
        masks: args.mask,
    };
    if let Some([one, other]) = args.diff.as_deref() {
        let drafts = [*one, *other];
        let diff = match args.handshake {
            true => Diff::of_handshakes(drafts, &options),
            false => Diff::of(&what(args)?, drafts, &options),
        }
        .map_err(Failure::new)?;
        return Ok(match args.format {
            Format::Text => diff.grid().to_text(look),
            Format::Json => diff.to_json(),
            Format::Html => diff.grid().to_html(),
            Format::Svg => diff.grid().to_svg(),
        });
    }
    if args.handshake {
        let opened = Handshake::of(&options).map_err(Failure::new)?;
        return Ok(match args.format {
            Format::Text => opened.to_text(look),
            Format::Json => opened.to_json(),
            Format::Html => opened.to_html(),
            Format::Svg => opened.to_svg(),
        });
    }
    if args.sizes {
        let sizes = Sizes::of(&options).map_err(Failure::new)?;
        return Ok(match args.format {
            Format::Text => sizes.grid().to_text(look),
            Format::Json => sizes.to_json(),
            Format::Html => sizes.grid().to_html(),
            Format::Svg => sizes.grid().to_svg(),
        });
    }
    let table = Table::of(&what(args)?, &options).map_err(Failure::new)?;
    Ok(match args.format {
        Format::Text if args.bits => table.to_bits(look),
        Format::Text => table.to_text(look),
        Format::Json => table.to_json(),
        Format::Html => table.to_html(),
        Format::Svg => table.to_svg(),
    })
}

fn what(args: &Compare) -> Result<What, Failure> {
    let what = if let Some(binary) = &args.binary {
        What::binary(octets(binary)?)
    } else if let Some(body) = &args.ping {
        What::ping(body.clone().into_bytes())
    } else if let Some(close) = &args.close {
        let (code, reason) = match &close[..] {
            [code, reason] => (code, reason.as_str()),
            all => (&all[0], ""),
        };
        let code = code.parse().map_err(|_| {
            Failure::usage(format_args!(
                "`{code}` is no status code: write a number from 1000 to 4999"
            ))
        })?;
        What::close(code, reason)
    } else {
        What::text(args.message.as_str())
    };
    match args.fragments {
        Some(count) => what.and_then(|what| what.in_fragments(count)),
        None => what,
    }
    .map_err(Failure::usage)
}

fn octets(binary: &str) -> Result<Vec<u8>, Failure> {
    match binary.strip_prefix('@') {
        Some(path) => fs::read(path)
            .map_err(|error| Failure::new(format_args!("cannot read {path}: {error}"))),
        None => hex(binary).map_err(|why| Failure::usage(format_args!("--binary: {why}"))),
    }
}

/// Columns where there is no terminal.
const PLAIN: usize = 100;

/// Colour and width are the terminal's, and a file has neither.
fn look(args: &Compare) -> Look {
    if args.output.is_some() {
        return Look::plain(PLAIN);
    }
    Look {
        width: terminal::width().unwrap_or(PLAIN),
        colour: terminal::colours(),
    }
}
