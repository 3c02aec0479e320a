//! Replays over sockets: from arguments to an address and a runtime.

use std::{
    cell::Cell,
    io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    num::NonZeroUsize,
};

use draftgate_client::Url;
use draftgate_replay::{
    Judged, Task,
    net::{self, Clients, FRONT_END, Playing, Target},
};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
};

use super::{args::Replay, progress::Progress};
use crate::{
    exit::{Failure, say},
    signals::Signals,
};

/// How many connections there are at once unless --jobs says otherwise.
const CONNECTIONS: NonZeroUsize = NonZeroUsize::new(8).unwrap();

/// Replays against the server at `url`, until all is done or INT or TERM comes;
/// whether one came.
///
/// # Errors
/// It is no URL, its host cannot be found, or nothing listens there.
pub(super) fn target(
    tasks: &[Task<'_>],
    args: &Replay,
    url: &str,
    done: &dyn Fn(),
) -> Result<(Vec<Judged>, bool), Failure> {
    let place: Url = url.parse().map_err(Failure::usage)?;
    if place.secure {
        return Err(Failure::usage(
            "exchanges are replayed over plain TCP alone, to see each octet: name the server's plain port with ws://",
        ));
    }
    if place.credentials.is_some() {
        return Err(Failure::usage(
            "exchanges are replayed as they are, without a name and a password: leave out what stands before the `@`",
        ));
    }
    // One connection tells whether there is a server at all, and at which of
    // the addresses of its name.
    let mut address = Err(io::Error::from(io::ErrorKind::NotFound));
    for one in addresses(&place)? {
        address = TcpStream::connect_timeout(&one, args.over.timeout).map(|_| one);
        if address.is_ok() {
            break;
        }
    }
    let address = address.map_err(|error| {
        Failure::new(format_args!(
            "cannot connect to {url}: {error}; start the server first, and check address and port"
        ))
    })?;
    let target = Target {
        address,
        host: place.host,
        resource: place.resource,
        origin: args.over.origin.clone(),
        front_end: args.choice.tag.iter().any(|tag| tag == FRONT_END),
    };
    let jobs = args.jobs.unwrap_or(CONNECTIONS);
    runtime()?.block_on(async {
        let mut signals = signals()?;
        let stopped = Cell::new(false);
        let stop = async {
            signals.next().await;
            stopped.set(true);
        };
        let judged = net::run(tasks, &target, playing(args), jobs, stop, done).await;
        Ok((judged, stopped.get()))
    })
}

/// Replays to the clients that come to `address`; what they are told to come to.
///
/// # Errors
/// The address cannot be listened on.
pub(super) fn listen(
    tasks: &[Task<'_>],
    args: &Replay,
    address: SocketAddr,
    progress: &Progress,
) -> Result<(String, Vec<Judged>), Failure> {
    runtime()?.block_on(async {
        let mut signals = signals()?;
        let listening = async {
            let listener = TcpListener::bind(address).await?;
            let address = listener.local_addr()?;
            Ok::<_, io::Error>((listener, address))
        };
        let (listener, address) = listening.await.map_err(|error| {
            Failure::new(format_args!(
                "cannot listen on {address}: {error}; choose another port"
            ))
        })?;
        let url = format!("ws://{address}/");
        say(format_args!("waiting for clients at {url}"));
        let stop = async {
            signals.next().await;
        };
        let done = |judged: &Judged| {
            progress.step();
            say(format_args!("{}: {}", judged.name, judged.outcome.word()));
        };
        let playing = playing(args);
        let clients = Clients {
            listener,
            repeat: args.over.repeat,
            wait: args.over.wait,
        };
        let judged = net::listen(tasks, clients, playing, stop, done).await;
        Ok((url, judged))
    })
}

/// How steps are played.
fn playing(args: &Replay) -> Playing {
    Playing {
        fresh: !args.over.exact,
        echo: args.over.echo,
        split: args.split.unwrap_or_default(),
        timing: args.over.timing,
        patience: args.over.timeout,
    }
}

fn addresses(place: &Url) -> Result<Vec<SocketAddr>, Failure> {
    let found = (place.name.as_str(), place.port).to_socket_addrs();
    let failed = |why: String| Failure::new(format_args!("cannot find {}: {why}", place.name));
    let found: Vec<_> = found.map_err(|error| failed(error.to_string()))?.collect();
    match found.is_empty() {
        true => Err(failed("it has no address".to_owned())),
        false => Ok(found),
    }
}

fn signals() -> Result<Signals, Failure> {
    Signals::of_a_client()
        .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))
}

fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|error| Failure::new(format_args!("cannot start threads: {error}")))
}
