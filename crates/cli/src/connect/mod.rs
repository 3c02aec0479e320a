//! `draftgate connect`: a client of any draft for people and scripts. It is the
//! client that the library has and the same driver as the gateway's, with
//! standard input and output at its other end.

mod lines;
mod session;

use draftgate_client::{Client, ConnectError, Options, Tls, Url, Via};
use tokio::runtime::Builder;

use crate::{
    args,
    exit::{Failure, say},
    signals::Signals,
};
use session::Session;

/// Connects, and stays until either end closes.
///
/// # Errors
/// The connection does not come about, or does not end as it should.
pub(crate) fn run(args: &args::Connect) -> Result<(), Failure> {
    let url: Url = args.url.parse().map_err(Failure::usage)?;
    let client = Client::new(options(args));
    // Two threads: printing may block one of them.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format_args!("cannot start the I/O threads: {error}")))?;
    let done = runtime.block_on(converse(args, &client, &url));
    // A thread may still wait for standard input, and cannot be interrupted.
    runtime.shutdown_background();
    done
}

fn options(args: &args::Connect) -> Options {
    Options {
        drafts: args.draft.clone(),
        origin: args.origin.clone(),
        subprotocols: args.subprotocol.clone(),
        fields: args.header.clone(),
        answer_checks: args.answer_checks.into(),
        connect_timeout: args.timeout,
        opening_timeout: args.timeout,
        via: args.proxy.clone().unwrap_or(Via::Environment),
        tls: Tls {
            ca_files: args.cacert.clone(),
            insecure: args.insecure,
        },
        ..Options::default()
    }
}

async fn converse(args: &args::Connect, client: &Client, url: &Url) -> Result<(), Failure> {
    let mut signals = Signals::of_a_client()
        .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
    let connection = tokio::select! {
        opened = client.connect(url) => opened.map_err(|error| match error {
            ConnectError::Unspeakable { .. } => Failure::usage(error),
            _ => Failure::new(error),
        })?,
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
    let session = Session {
        url: url.to_string(),
        verbose: args.verbose,
        connection,
    };
    session.run(signals).await
}
