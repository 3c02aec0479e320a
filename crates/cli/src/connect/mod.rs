//! `draftgate connect`: a client of any draft for people and scripts, over
//! plain TCP. It is the codecs' client role and the same driver as the
//! gateway's, with standard input and output at its other end.

mod dial;
mod lines;
mod session;
mod url;

pub(crate) use url::Target as Url;

use draftgate_core::Limits;
use draftgate_drafts::{
    RandomKeys,
    opening::{Ask, LengthFrames, Offer},
};
use tokio::runtime::Builder;

use crate::{args, exit::Failure, signals::Signals};
use dial::DialError;
use session::Session;
use url::Target;

/// Connects, and stays until either end closes.
///
/// # Errors
/// The connection does not come about, or does not end as it should.
pub(crate) fn run(args: &args::Connect) -> Result<(), Failure> {
    let target: Target = args.url.parse().map_err(Failure::usage)?;
    let offer = offer(args, &target)?;
    // Two threads: printing may block one of them.
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(format_args!("cannot start the I/O threads: {error}")))?;
    let done = runtime.block_on(converse(args, &target, offer));
    // A thread may still wait for standard input, and cannot be interrupted.
    runtime.shutdown_background();
    done
}

fn offer(args: &args::Connect, target: &Target) -> Result<Offer, Failure> {
    let origin = args.origin.clone().or_else(|| target.origin(args.draft));
    let subprotocols: Vec<&str> = args.subprotocol.iter().map(String::as_str).collect();
    let ask = Ask {
        secure: false,
        host: &target.host,
        resource: &target.resource,
        origin: origin.as_deref(),
        subprotocols: &subprotocols,
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
    };
    draftgate_drafts::offer(args.draft, &ask, &mut RandomKeys)
        .map_err(|refusal| Failure::usage(format_args!("{refusal}; {}", refusal.remedy())))
}

async fn converse(args: &args::Connect, target: &Target, offer: Offer) -> Result<(), Failure> {
    let mut signals = Signals::of_a_client()
        .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
    let opening = async {
        let mut stream = dial::connect(target, args.timeout).await?;
        let (connected, received) = dial::open(&mut stream, target, offer, args.timeout).await?;
        Ok::<_, DialError>((stream, connected, received))
    };
    let (stream, connected, received) = tokio::select! {
        opened = opening => opened.map_err(Failure::new)?,
        _ = signals.next() => {
            return Err(Failure::new("interrupted before the connection was open"));
        }
    };
    let session = Session {
        url: &args.url,
        verbose: args.verbose,
        connected,
        received,
    };
    session.run(stream, signals).await
}
