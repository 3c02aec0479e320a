//! `draftgate serve`: reads the configuration, opens the ports, says where it
//! can be reached, and runs until a signal.
//!
//! The addresses go to standard output, for people and for scripts that asked
//! for port 0; everything that happens later goes to the log.

mod banner;
#[cfg_attr(not(target_os = "linux"), path = "manager_elsewhere.rs")]
mod manager;
#[cfg_attr(not(target_os = "linux"), path = "succession_elsewhere.rs")]
mod succession;

use std::{
    future::{Future, pending},
    io::{self, Write},
    pin::{Pin, pin},
    sync::Arc,
};

use draftgate_gateway::{
    Gateway, Reloaded, Running,
    config::{Config, Source, Warning},
};
use tokio::runtime::{Builder, Runtime};
use tracing::{error, info, warn};

use self::{
    banner::Banner,
    succession::{Predecessor, Program},
};
use crate::{
    args, check, configuration,
    exit::{Failure, quiet_pipe},
    log,
    signals::{Came, Signals},
};

/// Runs the gateway until a signal ends it.
///
/// # Errors
/// The configuration is wrong, an address cannot be had, or a second INT cut
/// the end short.
pub(crate) fn run(args: &args::Serve) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new(
            "serve is for Linux: elsewhere nobody has run it for long; `draftgate echo` and `draftgate proxy` serve here, and all other commands work",
        ));
    }
    let read = || {
        let mut config = configuration::load(&args.file)?;
        if let Some(dir) = &args.record {
            config.record.dir = Some(dir.clone());
        }
        if let Some(address) = args.admin {
            config.with_admin(address).map_err(Failure::usage)?;
        }
        Ok(config)
    };
    let serves = |config: &Config| match &config.source {
        Source::Embedded => "the built-in configuration (no file was found)".to_owned(),
        source => check::name(source).to_owned(),
    };
    gateway(read, serves, &args.open, &args.log)
}

/// Runs what `read` gives, now and at each HUP, with the flags on top;
/// `serves` says what it is, for the banner.
///
/// # Errors
/// As [`run`].
pub(crate) fn gateway(
    read: impl Fn() -> Result<Config, Failure>,
    serves: impl Fn(&Config) -> String,
    open: &args::Open,
    log: &args::Log,
) -> Result<(), Failure> {
    let plan = Plan { read, open, log };
    let (config, warnings) = plan.read()?;
    let _written = log::start(&config.log)
        .map_err(|error| Failure::new(format_args!("cannot start the log: {error}")))?;
    for warning in warnings {
        warn!("{warning}");
    }
    let runtime = runtime(config.threads)
        .map_err(|error| Failure::new(format_args!("cannot start the I/O threads: {error}")))?;
    let serves = serves(&config);
    let done = runtime.block_on(until_stopped(config, serves, &plan));
    runtime.shutdown_background();
    done
}

/// Where the configuration comes from.
struct Plan<'a, R> {
    read: R,
    open: &'a args::Open,
    log: &'a args::Log,
}

impl<R: Fn() -> Result<Config, Failure>> Plan<'_, R> {
    /// The configuration as it is now, and what is to be said of it.
    fn read(&self) -> Result<(Config, Vec<Warning>), Failure> {
        let mut config = (self.read)()?;
        config.log.level = self.log.level.unwrap_or(config.log.level);
        config.log.format = self.log.format.unwrap_or(config.log.format);
        config.threads = self.open.threads.or(config.threads);
        if self.open.any_origin {
            config.any_origin();
        }
        let mut warnings = Vec::new();
        if let Some(address) = self.open.listen {
            warnings = config.with_listen(address);
        }
        // Binding raises the limit of open files, and warns if that is too few.
        warnings.extend(config.validate(None));
        Ok((config, warnings))
    }
}

/// After how many turns of connections a thread looks at the sockets again. A
/// turn is up to 2 ms, so that tokio's own 61 would keep a newcomer waiting for
/// an eighth of a second at each of its steps, while a dozen peers write
/// without end; a look costs a microsecond.
const TURNS_A_LOOK: u32 = 8;

/// One thread is this one, with no others to share tasks with.
fn runtime(threads: Option<u32>) -> io::Result<Runtime> {
    let mut builder = match threads {
        Some(1) => Builder::new_current_thread(),
        Some(_) | None => Builder::new_multi_thread(),
    };
    if let Some(threads) = threads {
        builder.worker_threads(threads as usize);
    }
    builder.enable_all().event_interval(TURNS_A_LOOK).build()
}

/// A process that is to take this one's place: comes to an end when it is ready
/// or has failed.
type Succession<'a> = Pin<Box<dyn Future<Output = Result<u32, Failure>> + 'a>>;

async fn until_stopped<R: Fn() -> Result<Config, Failure>>(
    mut config: Config,
    serves: String,
    plan: &Plan<'_, R>,
) -> Result<(), Failure> {
    // Before the addresses are printed: whoever reads them may signal at once.
    let mut signals = Signals::of_a_service()
        .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
    let program = Program::this();
    let (sockets, predecessor) = succession::inherited()?;
    let text = Banner {
        serves,
        config: config.clone(),
    };
    let running = Gateway::bind_on(config.clone(), sockets).map_err(Failure::new)?;
    let mut out = io::stdout().lock();
    quiet_pipe(
        out.write_all(
            text.with(
                &running.addrs(),
                &running.policy_addrs(),
                running.admin_addr(),
            )
            .as_bytes(),
        )
        .and_then(|()| out.flush()),
    )?;
    drop(out);
    running.with_log(Arc::new(log::Switch));
    let mut asked = pin!(running.asked_to_drain());
    predecessor.map(Predecessor::tell).transpose()?;
    let _watched = manager::ready(&running);
    let mut succession: Option<Succession<'_>> = None;
    loop {
        let next = async {
            match &mut succession {
                Some(succession) => succession.await,
                None => pending().await,
            }
        };
        tokio::select! {
            biased;
            came = signals.next() => match came {
                Came::HangUp => reload(&running, &mut config, plan),
                Came::Succession if succession.is_none() => {
                    info!("another process is started that is to take over");
                    succession = Some(Box::pin(again(&program, &running)));
                }
                Came::Succession => warn!("another process is being started already"),
                Came::Terminate | Came::Interrupt => break,
            },
            () = &mut asked => break,
            done = next => {
                succession = None;
                match done {
                    Ok(pid) => {
                        info!(pid, "another process accepts connections now; this one finishes its own");
                        manager::succeeded(pid);
                        return ended(running.hand_over(), signals).await;
                    }
                    Err(failure) => error!("no other process takes over, this one goes on: {failure}"),
                }
            }
        }
    }
    // A successor that is not ready has nobody to wait for it.
    drop(succession);
    manager::stopping(config.drain);
    ended(running.drain(), signals).await
}

/// Starts `program` again with the sockets of `running`, where that can be done.
fn again<'a>(
    program: &'a Program,
    running: &Running,
) -> impl Future<Output = Result<u32, Failure>> + 'a {
    #[cfg(target_os = "linux")]
    return program.again(running.sockets());
    #[cfg(not(target_os = "linux"))]
    {
        let _ = running;
        program.again()
    }
}

/// Waits for `end`, unless an INT cuts that short.
async fn ended(end: impl Future<Output = ()>, mut signals: Signals) -> Result<(), Failure> {
    let mut end = std::pin::pin!(end);
    loop {
        tokio::select! {
            () = &mut end => {
                info!("stopped");
                return Ok(());
            }
            came = signals.next() => match came {
                Came::Interrupt => {
                    return Err(Failure::new("interrupted again: connections were cut"));
                }
                Came::Terminate => {}
                Came::HangUp | Came::Succession => warn!("this process ends: it takes no other configuration and starts no other process"),
            }
        }
    }
}

/// Reads the configuration again and puts it in force in place of `before`, or
/// says why that stays.
fn reload<R: Fn() -> Result<Config, Failure>>(
    running: &Running,
    before: &mut Config,
    plan: &Plan<'_, R>,
) {
    manager::reloading();
    match reloaded(running, before, plan) {
        Ok(Reloaded {
            opened,
            closed,
            routes_kept,
            routes_new,
        }) => {
            info!(
                ?opened,
                ?closed,
                routes_kept,
                routes_new,
                "the configuration was read again: what changed holds for new connections"
            );
        }
        Err(failure) => error!(
            code = "reload-failed",
            "the configuration stays as it was, for what is to take its place cannot be used: {failure}"
        ),
    }
    manager::reloaded(running);
}

fn reloaded<R: Fn() -> Result<Config, Failure>>(
    running: &Running,
    before: &mut Config,
    plan: &Plan<'_, R>,
) -> Result<Reloaded, Failure> {
    let (config, warnings) = plan.read().inspect_err(|_| running.not_reloaded())?;
    let done = running.reload(config.clone()).map_err(Failure::new)?;
    for warning in warnings {
        warn!("{warning}");
    }
    let unchanged = [
        (before.threads != config.threads, "threads"),
        (before.record != config.record, "record"),
        (before.log.rate != config.log.rate, "log.rate"),
        (before.log.format != config.log.format, "log.format"),
    ];
    for (_, keys) in unchanged.iter().filter(|(changed, _)| *changed) {
        warn!(
            keys,
            "a change of these keys takes a restart; USR2 brings one that refuses nobody"
        );
    }
    log::set_level(config.log.level);
    *before = config;
    Ok(done)
}
