//! A tap in front of any server: what one side sends the other gets, octet by
//! octet, half-closes and resets included, and a copy goes on a tape.
//!
//! It understands nothing of what passes, so that it works for any draft and
//! for what is none. Each side is read only as fast as the other one takes it.

use std::{
    io,
    net::SocketAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use draftgate_core::Role;
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream, lookup_host,
        tcp::{ReadHalf, WriteHalf},
    },
    task::JoinSet,
    time::{Duration, Instant, sleep, timeout},
};

use crate::recorder::{Recorder, Tape};

/// Read at a time.
const CHUNK: usize = 16 << 10;

/// How long the server may take to be reached.
const CONNECTING: Duration = Duration::from_secs(10);

/// How long to wait when no file is left: connections that close free some.
const OUT_OF_FILES: Duration = Duration::from_millis(200);

/// How often that is told while it lasts.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// How long a side that is gone may still have octets in the kernel.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// What a relay has to say.
#[derive(Debug)]
#[non_exhaustive]
pub enum Trouble {
    /// The server cannot be reached; the client was turned away.
    Upstream {
        /// The client.
        peer: SocketAddr,
        /// Why not.
        error: io::Error,
    },
    /// No connection can be accepted for now.
    Accept(io::Error),
}

/// Passes every connection to `listener` on to `upstream` (`host:port`) and
/// records it, until `stop` is ready. Then the connections are cut, and their
/// recordings end where they are.
pub async fn relay(
    listener: TcpListener,
    upstream: String,
    recorder: Arc<Recorder>,
    tell: impl Fn(Trouble) + Send + Sync + 'static,
    stop: impl Future<Output = ()>,
) {
    let upstream: Arc<str> = upstream.into();
    let tell = Arc::new(tell);
    let mut told: Option<Instant> = None;
    let mut stop = pin!(stop);
    let mut connections = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((client, peer)) => {
                let tape = recorder.tape();
                let (upstream, tell) = (Arc::clone(&upstream), Arc::clone(&tell));
                connections.spawn(async move {
                    if let Err(error) = connection(client, &upstream, tape).await {
                        tell(Trouble::Upstream { peer, error });
                    }
                });
            }
            Err(error) if is_the_peers(&error) => {}
            Err(error) => {
                if told.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
                    told = Some(Instant::now());
                    tell(Trouble::Accept(error));
                }
                sleep(OUT_OF_FILES).await;
            }
        }
    }
    // Tapes that are dropped are written.
    connections.shutdown().await;
}

/// Errors of a connection that was gone before it was accepted.
fn is_the_peers(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
            | io::ErrorKind::WouldBlock
    )
}

async fn connection(
    mut client: TcpStream,
    upstream: &str,
    mut tape: Option<Tape>,
) -> io::Result<()> {
    let reached = timeout(CONNECTING, reach(upstream, client.local_addr().ok())).await;
    let mut server = match reached.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(server) => server,
        Err(error) => {
            if let Some(mut tape) = tape {
                // What the client said in the meantime is all there is.
                let mut octets = vec![0; CHUNK];
                while let Ok(count @ 1..) = client.try_read(&mut octets) {
                    tape.octets(Role::Client, &octets[..count]);
                }
                tape.partial(format!("the server could not be reached: {error}"));
                tape.end();
            }
            reset(client);
            return Err(error);
        }
    };
    // Octets leave when they came; a tap is not to be felt. Without it they
    // are only later.
    let _ = client.set_nodelay(true);
    let _ = server.set_nodelay(true);
    let shared = Mutex::new(tape.take());
    let gone = {
        let (client_reads, client_writes) = client.split();
        let (server_reads, server_writes) = server.split();
        let mut there = pin!(forward(client_reads, server_writes, Role::Client, &shared));
        let mut back = pin!(forward(server_reads, client_writes, Role::Server, &shared));
        let (mut there_done, mut back_done) = (false, false);
        loop {
            if there_done && back_done {
                break None;
            }
            let (passed, from) = tokio::select! {
                passed = &mut there, if !there_done => {
                    there_done = true;
                    (passed, Role::Client)
                }
                passed = &mut back, if !back_done => {
                    back_done = true;
                    (passed, Role::Server)
                }
            };
            let Err(Gone(side)) = passed else { continue };
            // It takes nothing any more, but what it had said before is on its way.
            if side != from {
                let _ = match side {
                    Role::Client if !there_done => timeout(LAST_WORDS, &mut there).await,
                    Role::Server if !back_done => timeout(LAST_WORDS, &mut back).await,
                    _ => Ok(Ok(())),
                };
            }
            break Some(side);
        }
    };
    let mut tape = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(side) = gone {
        if let Some(tape) = &mut tape {
            tape.reset(side);
        }
        match side {
            Role::Client => reset(server),
            Role::Server => reset(client),
        }
    }
    if let Some(tape) = tape {
        tape.end();
    }
    Ok(())
}

/// Connects to `upstream`, but not to `here`: that would be this tap, and one
/// connection would become as many as there are files.
async fn reach(upstream: &str, here: Option<SocketAddr>) -> io::Result<TcpStream> {
    let addresses: Vec<SocketAddr> = lookup_host(upstream).await?.collect();
    match here.filter(|here| addresses.contains(here)) {
        Some(here) => Err(io::Error::other(format!("{here} is this tap itself"))),
        None => TcpStream::connect(&addresses[..]).await,
    }
}

/// The side that reset the connection.
struct Gone(Role);

/// Passes on what `side` sends until its half ends.
async fn forward(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    side: Role,
    tape: &Mutex<Option<Tape>>,
) -> Result<(), Gone> {
    // On the heap: an array would be part of every connection's task.
    let mut octets = vec![0; CHUNK];
    loop {
        let count = from.read(&mut octets).await.map_err(|_| Gone(side))?;
        if let Some(tape) = locked(tape).as_mut() {
            match count {
                0 => tape.eof(side),
                _ => tape.octets(side, &octets[..count]),
            }
        }
        if count == 0 {
            // A side that is gone already hears of no end.
            let _ = to.shutdown().await;
            return Ok(());
        }
        let passed = to.write_all(&octets[..count]).await;
        passed.map_err(|_| Gone(side.peer()))?;
    }
}

fn locked(tape: &Mutex<Option<Tape>>) -> MutexGuard<'_, Option<Tape>> {
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Ends a connection by RST.
fn reset(tcp: TcpStream) {
    // Without it the peer gets a FIN, which is wrong and does no harm.
    let _ = SockRef::from(&tcp).set_linger(Some(Duration::ZERO));
    drop(tcp);
}
