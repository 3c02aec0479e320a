//! `draftgate load`: puts load on a server and says what it bears. What is sent
//! and measured is `draftgate-load`'s; this reads what was asked for, draws how
//! far it is, and prints the result.

mod flags;
mod progress;

use std::{
    io::{self, Write},
    sync::Arc,
    thread,
};

use draftgate_load::{Control, Fault, LoadError, Report, Scenario, Settings, run as measure};
use tokio::{runtime::Builder, sync::oneshot};

use flags::Format;
pub(crate) use flags::Load;
use progress::Progress;

use crate::{
    exit::{Failure, quiet_pipe, say},
    signals::Signals,
};

/// Measures.
///
/// # Errors
/// It could not be done, or the server did something else than it should.
pub(crate) fn run(args: &Load) -> Result<(), Failure> {
    let (settings, scenario, format) = args.asked()?;
    let report = attended(settings, scenario)?;
    let report = report.map_err(failure)?;
    let answer = match format {
        Format::Json => format!("{:#}\n", report.to_json()),
        Format::Table => report.to_text(),
    };
    quiet_pipe(io::stdout().lock().write_all(answer.as_bytes()))?;
    verdict(&report)
}

/// Measures in a thread of its own. A signal ends the measuring, a second one
/// the waiting.
fn attended(settings: Settings, scenario: Scenario) -> Result<Result<Report, LoadError>, Failure> {
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format_args!("cannot start the I/O thread: {error}")))?;
    runtime.block_on(async {
        let mut signals = Signals::of_a_client()
            .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
        let control = Arc::new(Control::default());
        let (done, mut finished) = oneshot::channel();
        let measuring = {
            let control = Arc::clone(&control);
            // If nobody waits any more, the process ends.
            move || drop(done.send(measure(&settings, &scenario, &control)))
        };
        thread::Builder::new()
            .name("load".into())
            .spawn(measuring)
            .map_err(|error| Failure::new(format_args!("cannot start a thread: {error}")))?;
        let progress = Progress::new();
        let mut asked_to_stop = false;
        loop {
            tokio::select! {
                report = &mut finished => {
                    progress.end();
                    return report.map_err(|_| Failure::new("the measuring thread broke"));
                }
                _ = signals.next() => {
                    if asked_to_stop {
                        return Err(Failure::new("interrupted before there was a result"));
                    }
                    asked_to_stop = true;
                    control.stop();
                    say("stopping: what was measured so far follows");
                }
                () = progress.next() => progress.show(control.progress()),
            }
        }
    })
}

fn failure(error: LoadError) -> Failure {
    match &error {
        LoadError::Remote(_)
        | LoadError::Usage(_)
        | LoadError::NoBinary(_)
        | LoadError::Unspeakable(_) => Failure::usage(error),
        LoadError::Resolve { .. } | LoadError::NoAddress(_) | LoadError::Tls { .. } => {
            Failure::unavailable(error)
        }
        LoadError::Silent { .. } => Failure::timed_out(error),
        LoadError::Connection { fault, .. } => match fault {
            Fault::Connect(_) => Failure::unavailable(error),
            Fault::Refused(_) => Failure::refused(error),
            Fault::Wrong(_) | Fault::Unasked(_) => Failure::new(error),
            Fault::TimedOut(_) => Failure::timed_out(error),
            _ => Failure::protocol(error),
        },
        _ => Failure::new(error),
    }
}

/// Figures were printed; whether all went well is the exit code's.
fn verdict(report: &Report) -> Result<(), Failure> {
    let count = |what: &std::collections::BTreeMap<String, u64>| what.values().sum::<u64>();
    match (count(&report.refused), count(&report.errors)) {
        (0, 0) => Ok(()),
        (0, errors) => Err(Failure::protocol(format_args!(
            "{errors} connections broke"
        ))),
        (refused, _) => Err(Failure::refused(format_args!(
            "{refused} openings did not succeed"
        ))),
    }
}
