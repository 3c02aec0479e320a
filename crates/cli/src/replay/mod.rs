//! `draftgate replay`: archived exchanges against our own codecs, a server or
//! a client. Here is what a program adds to `draftgate_replay`: files are
//! found, progress is shown, the report is written, and the exit code says
//! whether all was as expected.

mod args;
mod progress;
mod sockets;

use std::{collections::BTreeSet, io, num::NonZeroUsize, thread};

use draftgate_core::{Limits, Role};
use draftgate_replay::{Against, Judged, Outcome, Report, Selection, Task, run_offline};
use draftgate_vectors::Vector;
use tokio::time::Instant;

use args::Format;
pub(crate) use args::Replay;
use progress::Progress;

use crate::{
    exchanges,
    exit::{Failure, quiet_pipe, say},
    whole,
};

/// Replays, and reports.
///
/// # Errors
/// A file is no vector, nothing is to be replayed, the report cannot be
/// written, or something is not as expected.
pub(crate) fn run(args: &Replay) -> Result<(), Failure> {
    let vectors = exchanges::load(&args.paths).map_err(Failure::usage)?;
    let selection = selection(args)?;
    let tasks: Vec<_> = vectors
        .iter()
        .flat_map(|vector| {
            let roles = selection.roles(vector).into_iter();
            roles.map(move |role| (vector, role))
        })
        .collect();
    if tasks.is_empty() {
        return Err(Failure::usage(format_args!(
            "none of {} exchanges is chosen: nothing was replayed; give other values for --draft, --role, --tag and --name",
            vectors.len()
        )));
    }
    let progress = Progress::of(tasks.len());
    let began = Instant::now();
    let Played {
        against,
        mut judged,
        stopped,
    } = replay(&tasks, args, &progress)?;
    progress.end();
    if let Some(peer) = &args.over.peer {
        unknown(peer, &vectors);
        for (judged, (vector, _)) in judged.iter_mut().zip(&tasks) {
            judged.known(vector, peer);
        }
    }
    let report = Report {
        against,
        peer: args.over.peer.clone(),
        took: began.elapsed(),
        judged,
    };
    write(&report, args)?;
    if args.over.target.is_some() && args.over.origin.is_none() {
        forbidden(&report);
    }
    let counts = report.counts();
    if stopped && counts.mismatches == 0 {
        return Err(Failure::new(format_args!(
            "stopped by a signal after {} of {} replays",
            counts.replayed(),
            tasks.len()
        )));
    }
    judge(&report)
}

/// Says so where no exchange knows of `peer`: a misspelt name would silently
/// be that of a peer without deviations.
fn unknown(peer: &str, vectors: &[Vector]) {
    let all = vectors.iter().flat_map(|vector| &vector.deviations);
    let known: BTreeSet<&str> = all.map(|deviation| deviation.peer.as_str()).collect();
    if known.iter().any(|known| known.starts_with(peer)) {
        return;
    }
    let known = match known.is_empty() {
        true => "they name none".to_owned(),
        false => {
            let names: Vec<&str> = known.into_iter().collect();
            format!("they name {}", names.join(", "))
        }
    };
    say(format_args!(
        "these exchanges know of no deviation of a peer whose name begins with `{peer}`; {known}"
    ));
}

/// Says what to do where a server forbids openings that must succeed: the
/// recorded origins are seldom among those that it takes.
fn forbidden(report: &Report) {
    let forbidden = |judged: &&Judged| match &judged.outcome {
        Outcome::Mismatch(mismatch) => mismatch.seen.iter().any(|seen| seen.contains("1.1 403 ")),
        _ => false,
    };
    let many = report.judged.iter().filter(forbidden).count();
    if many > 0 {
        say(format_args!(
            "{many} openings are answered with 403: if the server takes few origins, name one of them with --origin, for example --origin http://localhost"
        ));
    }
}

/// What was replayed.
struct Played {
    against: Against,
    judged: Vec<Judged>,
    /// Whether a signal ended it too early.
    stopped: bool,
}

fn replay(tasks: &[Task<'_>], args: &Replay, progress: &Progress) -> Result<Played, Failure> {
    if let Some(url) = &args.over.target {
        let (judged, stopped) = sockets::target(tasks, args, url, &|| progress.step())?;
        return Ok(Played {
            against: Against::Server(url.clone()),
            judged,
            stopped,
        });
    }
    if let Some(address) = args.over.listen {
        let (url, judged) = sockets::listen(tasks, args, address, progress)?;
        return Ok(Played {
            against: Against::Clients(url),
            judged,
            // The signal is how one says that no more clients come.
            stopped: false,
        });
    }
    let split = args.split.unwrap_or_default();
    let jobs = args.jobs.unwrap_or_else(processors);
    let limits = Limits {
        strictness: args.strictness.unwrap_or_default(),
        ..Limits::default()
    };
    let judged = run_offline(tasks, limits, split, jobs, &|| progress.step());
    Ok(Played {
        against: Against::Codecs,
        judged,
        stopped: false,
    })
}

/// The role that is tested, where there is but one.
fn tested(args: &Replay) -> Result<Option<Role>, Failure> {
    let choice = args.choice.role;
    if args.over.listen.is_some() {
        return match choice {
            Some(Role::Server) => Err(Failure::usage(
                "--listen tests clients: leave --role out, or write --role client",
            )),
            _ => Ok(Some(Role::Client)),
        };
    }
    match (&args.over.target, choice) {
        (Some(_), Some(Role::Client)) => Err(Failure::usage(
            "--target tests a server: leave --role out, or write --role server",
        )),
        (Some(_), _) => Ok(Some(Role::Server)),
        (None, choice) => Ok(choice),
    }
}

fn selection(args: &Replay) -> Result<Selection, Failure> {
    let choice = &args.choice;
    let mut selection = Selection::default();
    selection.drafts.clone_from(&choice.draft);
    selection.roles.extend(tested(args)?);
    selection.tags.clone_from(&choice.tag);
    for pattern in &choice.name {
        selection.name(pattern).map_err(Failure::usage)?;
    }
    Ok(selection)
}

fn processors() -> NonZeroUsize {
    thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)
}

fn write(report: &Report, args: &Replay) -> Result<(), Failure> {
    let text = match args.format {
        Format::Table => report.table().to_string(),
        Format::Json => report.json().map_err(Failure::new)?,
        Format::Junit => report.junit().map_err(Failure::new)?,
    };
    let Some(path) = &args.output else {
        return quiet_pipe(io::Write::write_all(
            &mut io::stdout().lock(),
            text.as_bytes(),
        ));
    };
    whole::write(path, |out| out.write_all(text.as_bytes()))
        .map_err(|error| Failure::new(format_args!("cannot write {}: {error}", path.display())))
}

fn judge(report: &Report) -> Result<(), Failure> {
    let counts = report.counts();
    if counts.replayed() == 0 {
        return Err(Failure::usage(format_args!(
            "nothing was replayed: all {} were skipped, see why in the report",
            counts.skipped
        )));
    }
    match counts.mismatches {
        0 => Ok(()),
        many => Err(Failure::new(format_args!(
            "{many} of {} replays are not as expected",
            counts.replayed()
        ))),
    }
}
