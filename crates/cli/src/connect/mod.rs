//! `draftgate connect`: a client of any draft for people and scripts. It is the
//! client that the library has and the same driver as the gateway's, with
//! standard input and output at its other end.

mod chunks;
mod command;
mod editor;
mod flags;
mod form;
mod frames;
mod heads;
mod input;
mod outcome;
mod output;
mod plan;
mod screen;
mod session;

use std::{sync::Arc, time::Duration};

use draftgate_client::{Client, Compression, ConnectError, Options, Url};
use tokio::{runtime::Builder, time::Instant};

pub(crate) use flags::Connect;

use crate::{
    exit::{Failure, say},
    signals::Signals,
};
use heads::Heads;
use plan::Plan;
use session::Session;

/// Connects, and stays until either end closes.
///
/// # Errors
/// The connection does not come about, or does not end as it should.
pub(crate) fn run(args: &Connect) -> Result<(), Failure> {
    let url: Url = args.url.parse().map_err(Failure::usage)?;
    let plan = Plan::new(args)?;
    let client = Client::new(options(args));
    // Two threads: printing may block one of them.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format_args!("cannot start the I/O threads: {error}")))?;
    let done = runtime.block_on(converse(args, plan, &client, &url));
    // A thread may still wait for standard input, and cannot be interrupted.
    runtime.shutdown_background();
    done
}

fn options(args: &Connect) -> Options {
    let heads = Heads {
        secrets: args.show.show_secrets,
    };
    Options {
        drafts: args.draft.clone(),
        http2: args.http2,
        compression: args.compress.then(compression),
        answer_checks: args.answer_checks.into(),
        connect_timeout: args.connect_timeout,
        opening_timeout: args.connect_timeout,
        witness: args.show.show_handshake.then(|| Arc::new(heads) as _),
        ..args.reach.options()
    }
}

/// A single connection has the memory to keep the context.
fn compression() -> Compression {
    Compression {
        takeover: true,
        ..Compression::default()
    }
}

async fn converse(args: &Connect, plan: Plan, client: &Client, url: &Url) -> Result<(), Failure> {
    let deadline = Deadline::new(args.end.timeout);
    let mut signals = Signals::of_a_client()
        .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
    let connection = tokio::select! {
        opened = client.connect(url) => opened.map_err(not_connected)?,
        () = deadline.passed() => return Err(deadline.failure("the connection is not open")),
        _ = signals.next() => {
            return Err(Failure::new("interrupted before the connection was open"));
        }
    };
    for (draft, error) in &connection.tried {
        say(format_args!("{draft} was not accepted: {error}"));
    }
    for forgiven in &connection.forgiven {
        say(format_args!("forgiven: {forgiven} [{}]", forgiven.code()));
    }
    for lack in plan.lacks(connection.draft()) {
        say(lack);
    }
    let session = Session {
        args,
        plan,
        deadline,
        url: url.to_string(),
        connection,
    };
    session.run(signals).await
}

/// The exit code that says how far it came.
fn not_connected(error: ConnectError) -> Failure {
    let last = match &error {
        ConnectError::NoDraft(tried) => tried.last().map_or(&error, |(_, error)| error),
        error => error,
    };
    match last {
        ConnectError::Unspeakable { .. } => Failure::usage(error),
        ConnectError::Refused { .. } => Failure::refused(error),
        _ => Failure::unavailable(error),
    }
}

/// When `--timeout` runs out.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    after: Duration,
    at: Option<Instant>,
}

impl Deadline {
    fn new(timeout: Option<Duration>) -> Self {
        let after = timeout.unwrap_or_default();
        Self {
            after,
            at: timeout.and_then(|timeout| Instant::now().checked_add(timeout)),
        }
    }

    async fn passed(self) {
        match self.at {
            Some(at) => tokio::time::sleep_until(at).await,
            None => std::future::pending().await,
        }
    }

    fn failure(self, what: &str) -> Failure {
        Failure::timed_out(format_args!(
            "{:?} are over (--timeout): {what}",
            self.after
        ))
    }
}
