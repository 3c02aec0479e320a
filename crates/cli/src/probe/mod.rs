//! `draftgate probe`: what works with a server draft by draft, or what is to be
//! said of a recorded request. What is tried and found is `draftgate-probe`'s;
//! this reads what was asked for, and prints the answer.

mod flags;

use std::io::{self, IsTerminal, Write};

use bytes::Bytes;
use draftgate_client::Url;
use draftgate_core::{Draft, Role};
use draftgate_probe::{FindingKind, Look, Recorded, Report, Verdict, probe_telling, recorded};
use tokio::runtime::Builder;

use flags::Format;
pub(crate) use flags::Probe;

use crate::{
    exit::{Failure, quiet_pipe, say},
    input::Input,
    signals::Signals,
    terminal,
};

/// Columns where there is no terminal.
const WIDTH: usize = 80;

/// Probes.
///
/// # Errors
/// Nothing works, or it could not be tried.
pub(crate) fn run(args: &Probe) -> Result<(), Failure> {
    let report = match args.target.contains("://") {
        true => server(args)?,
        false => request(args)?,
    };
    let answer = match args.format {
        Format::Json => report.to_json(),
        Format::Text => report.to_text(Look {
            width: terminal::width().unwrap_or(WIDTH),
            colour: terminal::colours(),
        }),
    };
    quiet_pipe(io::stdout().lock().write_all(answer.as_bytes()))?;
    let unspeakable = Verdict::Fails(FindingKind::Unspeakable);
    let drafts = &report.drafts;
    if !drafts.is_empty() && drafts.iter().all(|tried| tried.verdict == unspeakable) {
        return Err(Failure::usage("that cannot be asked for in any draft"));
    }
    match (report.works(), &report.request) {
        (true, _) => Ok(()),
        (false, Some(_)) => Err(Failure::new("the request is refused, or not whole")),
        (false, None) => Err(Failure::new("no draft works")),
    }
}

fn server(args: &Probe) -> Result<Report, Failure> {
    let url: Url = args.target.parse().map_err(Failure::usage)?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format_args!("cannot start the I/O thread: {error}")))?;
    runtime.block_on(async {
        let mut signals = Signals::of_a_client()
            .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
        let settings = args.settings();
        let attended = io::stderr().is_terminal();
        let tell = |draft: Draft| {
            if attended {
                say(format_args!("trying {draft}"));
            }
        };
        tokio::select! {
            report = probe_telling(args.reach.options(), &url, &settings, &tell) => Ok(report),
            _ = signals.next() => Err(Failure::new("interrupted before every draft was tried")),
        }
    })
}

fn request(args: &Probe) -> Result<Report, Failure> {
    let words = std::slice::from_ref(&args.target);
    let (request, answer) = match Input::read(words, args.raw)? {
        Input::Octets(octets) => (octets, Bytes::new()),
        Input::Exchange(vector) => (vector.octets(Role::Client), vector.octets(Role::Server)),
    };
    let source = match args.target.as_str() {
        "-" => "standard input",
        named => named,
    };
    recorded(&Recorded {
        source: source.to_owned(),
        request,
        answer,
    })
    .map_err(|error| Failure::usage(format_args!("{source}: {error}")))
}
