//! One listener: its socket and its accept loop.
//!
//! The loop does nothing but count and hand over; whatever a peer does, and
//! even if the process runs out of files, it goes on. What it cannot take then
//! stays in the kernel's queue, and is served when files are free again. A file
//! kept in reserve could tell those peers at once that they come in vain; but
//! most of them would rather wait for the moment that it takes.

use std::{
    future::poll_fn,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, atomic::Ordering::Relaxed},
    task::Poll,
};

use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::{
    net::TcpListener,
    sync::{Semaphore, watch},
    task::{unconstrained, yield_now},
    time::{Duration, Instant, sleep},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use crate::{
    Refused,
    config::Listener,
    front::Visit,
    gate::{Gate, Place},
    inner::Inner,
    last_words::turn_away,
    pace::Pace,
    peer::Peer,
    ports::Port,
    refusals::Refusal,
    registry, tls,
};

/// How many are accepted before other tasks have their turn, some milliseconds'
/// worth.
const AT_A_TIME: u64 = 1024;

/// How many refused connections are told why at a time; the rest is closed
/// without a word, so that a flood cannot hold files this way.
const TOLD_AT_A_TIME: usize = 256;

/// How long to wait when no file is left: closing connections free some.
const OUT_OF_FILES: Duration = Duration::from_millis(200);

/// How often that is told while it lasts.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// Opens the socket of `listener`.
///
/// # Errors
/// What the system says.
pub(crate) fn bind(listener: &Listener) -> io::Result<TcpListener> {
    let address = listener.address;
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restart must not wait for the connections of the last run.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        // [::] means both families, whatever the system's default.
        socket.set_only_v6(false)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    // The kernel cuts it to its own limit.
    socket.listen(i32::try_from(listener.limits.backlog).unwrap_or(i32::MAX))?;
    TcpListener::from_std(socket.into())
}

/// Accepts connections until `stop`, each to be served as `port` says when it
/// comes.
pub(crate) async fn accept(
    socket: Arc<TcpListener>,
    port: watch::Receiver<Port>,
    stop: CancellationToken,
    inner: Arc<Inner>,
) {
    // In a storm every connection is a task that wants its turn, and this one
    // has its own behind all of them. The runtime would have it take 128 each
    // time; the kernel's queue would run over.
    unconstrained(take(socket, port, stop, inner)).await;
}

async fn take(
    socket: Arc<TcpListener>,
    mut port: watch::Receiver<Port>,
    stop: CancellationToken,
    inner: Arc<Inner>,
) {
    let mut now = port.borrow_and_update().clone();
    let gate = Gate::new(now.listener.limits);
    let telling = Arc::new(Semaphore::new(TOLD_AT_A_TIME));
    let mut warned: Option<Instant> = None;
    let mut pace = Pace::new(now.listener.limits.accept_rate);
    let mut closing = false;
    let mut options = Options::set(&socket, &now.listener);
    // Where it listens on one address, nobody need ask which was reached.
    let local = address(&socket).ok();
    let local = local.filter(|it| !it.ip().is_unspecified());
    loop {
        let accepted = tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            () = stop.cancelled(), if !closing => {
                // Who is in the kernel's queue came while this was served.
                closing = true;
                continue;
            }
            accepted = poll_fn(|cx| options.note(socket.poll_accept(cx))) => accepted,
            () = std::future::ready(()), if closing => return,
        };
        if port.has_changed().unwrap_or(false) {
            let limits = now.listener.limits;
            now = port.borrow_and_update().clone();
            gate.limit(now.listener.limits);
            options = Options::set(&socket, &now.listener);
            if limits.accept_rate != now.listener.limits.accept_rate {
                pace = Pace::new(now.listener.limits.accept_rate);
            }
        }
        let (tcp, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(error) if is_the_peers(&error) => continue,
            Err(error) => {
                inner.counts.accept_errors.fetch_add(1, Relaxed);
                if warned.is_none_or(|at| at.elapsed() >= TOLD_EVERY) {
                    warned = Some(Instant::now());
                    warn!(address = %now.listener.address, %error, "no connection can be accepted for now; if files ran out, raise `ulimit -n` or lower `max-connections`");
                }
                sleep(OUT_OF_FILES).await;
                continue;
            }
        };
        let number = inner.named.fetch_add(1, Relaxed) + 1;
        if number.is_multiple_of(AT_A_TIME) {
            yield_now().await;
        }
        let id = registry::name(number);
        match admit(&now.listener, &gate, peer.ip()) {
            Ok(place) => {
                if options.is_to_be_set()
                    && let Err(error) =
                        prepare(SockRef::from(&tcp), now.listener.timeouts.unacknowledged)
                    && inner.throttle.lets("socket-option", peer.ip())
                {
                    debug!(id, %peer, code = "socket-option", %error, "a socket option could not be set");
                }
                let visit = Visit {
                    id,
                    number,
                    since: Instant::now(),
                    peer: Peer::new(peer),
                    local,
                    listener: Arc::clone(&now.listener),
                    plugin: now.plugin,
                    tls: now.tls.clone(),
                    driven: Arc::clone(&now.driven),
                    rules: Arc::clone(&now.rules),
                    inner: Arc::clone(&inner),
                    place,
                    opening: Some(inner.openings.token()),
                };
                visit.serve(tcp, pace.begins());
            }
            Err(refused) => {
                let who = Peer::new(peer);
                let refusal = Refusal::connection(&id, who, now.listener.address, &refused);
                if inner.refused(&refusal) {
                    info!(id, %peer, code = refused.code, status = refused.status, "refused: {refused}");
                }
                // A plug-in would not understand it.
                let telling = now.plugin.is_none().then(|| Arc::clone(&telling));
                if let Some(Ok(permit)) = telling.map(Semaphore::try_acquire_owned) {
                    let answer = match now.tls {
                        Some(_) => tls::turned_away().to_vec(),
                        None => refused.to_octets(&id, false),
                    };
                    inner.spawn(async move {
                        turn_away(tcp, &answer).await;
                        drop(permit);
                    });
                }
            }
        }
    }
}

/// A place for a connection from `peer`. A proxy speaks for others: its
/// connections count in the whole alone until it has said for whom.
fn admit(listener: &Listener, gate: &Arc<Gate>, peer: IpAddr) -> Result<Place, Refused> {
    let trusted = listener.trusts(peer);
    if listener.proxy_protocol && !trusted {
        return Err(Refused::proxy_untrusted());
    }
    gate.admit((!trusted).then_some(peer))
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

/// What the kernel takes of ours before a peer has room for it. Its own limit
/// is 4 MiB a peer, which 10,000 that do not read would make 40 GB; what is on
/// its way to a peer that does is not counted. We hear of progress only when
/// half of it has gone, so it is little enough for a peer of 1000 octets a
/// second, which the write timeout is to let live.
#[cfg(any(target_os = "linux", target_os = "android"))]
const UNSENT: u32 = 32 << 10;

/// Whether connections have from their listener what [`prepare`] sets: on Linux
/// a connection inherits it when its TCP handshake ends, which saves seven
/// system calls for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Options {
    /// They do not, for the listener would not take them.
    Always,
    /// They do not, or the kernel's queue may hold some from before.
    ForEach,
    /// The same, and one was taken from that queue since.
    Emptying,
    Inherited,
}

impl Options {
    /// Has connections inherit from now on what `listener` wants.
    fn set(socket: &TcpListener, listener: &Listener) -> Self {
        match prepare(SockRef::from(socket), listener.timeouts.unacknowledged) {
            Ok(()) => Self::ForEach,
            // Each connection is tried, and says so where it fails too.
            Err(_) => Self::Always,
        }
    }

    /// Looks at what accepting came to. To wait behind one that was accepted
    /// means that the queue was empty.
    fn note<T>(&mut self, accepted: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        *self = match (*self, &accepted) {
            (Self::ForEach, Poll::Ready(Ok(_))) => Self::Emptying,
            (Self::Emptying, Poll::Pending) if INHERITS => Self::Inherited,
            (same, _) => same,
        };
        accepted
    }

    fn is_to_be_set(self) -> bool {
        self != Self::Inherited
    }
}

/// Whether a connection has the options of the socket that it was accepted from.
const INHERITS: bool = cfg!(any(target_os = "linux", target_os = "android"));

/// Small frames leave at once; and where a draft has no ping, TCP itself finds
/// out that a peer is gone: by keep-alives after two minutes of silence, and
/// after `unacknowledged` if it does not even take what it is sent.
fn prepare(socket: SockRef<'_>, unacknowledged: Option<Duration>) -> io::Result<()> {
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(60))
        .with_interval(Duration::from_secs(15))
        .with_retries(4);
    socket.set_tcp_nodelay(true)?;
    socket.set_tcp_keepalive(&keepalive)?;
    #[cfg(any(target_os = "linux", target_os = "android"))]
    {
        socket.set_tcp_notsent_lowat(UNSENT)?;
        socket.set_tcp_user_timeout(unacknowledged)?;
    }
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    let _ = unacknowledged;
    Ok(())
}

/// The address that was bound, port 0 resolved.
pub(crate) fn address(socket: &TcpListener) -> io::Result<SocketAddr> {
    socket.local_addr()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn tcp_itself_finds_out_that_a_peer_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address(&listener).unwrap();
        let (tcp, _) = tokio::join!(TcpStream::connect(address), listener.accept());
        let tcp = tcp.unwrap();
        for (asked, set) in [(Some(Duration::from_secs(7)), Some(7)), (None, None)] {
            prepare(SockRef::from(&tcp), asked).unwrap();
            let socket = SockRef::from(&tcp);
            let set = set.map(Duration::from_secs);
            assert_eq!(socket.tcp_user_timeout().unwrap(), set);
            assert!(socket.keepalive().unwrap());
            let (time, interval) = (
                socket.tcp_keepalive_time().unwrap(),
                socket.tcp_keepalive_interval().unwrap(),
            );
            let probes = socket.tcp_keepalive_retries().unwrap();
            assert_eq!(time + interval * probes, Duration::from_secs(120));
        }
    }

    #[tokio::test]
    async fn progress_of_a_slow_reader_is_heard_of_before_the_write_timeout() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address(&listener).unwrap();
        let (tcp, _) = tokio::join!(TcpStream::connect(address), listener.accept());
        let tcp = tcp.unwrap();
        prepare(SockRef::from(&tcp), None).unwrap();
        let unsent = SockRef::from(&tcp).tcp_notsent_lowat().unwrap();
        let at_1000_octets_a_second = Duration::from_millis(u64::from(unsent / 2));
        assert!(at_1000_octets_a_second < Listener::default().timeouts.write);
    }

    #[tokio::test]
    async fn a_connection_inherits_what_its_listener_was_given() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address(&listener).unwrap();
        let seconds = |n| Some(Duration::from_secs(n));
        for asked in [seconds(7), None, seconds(90)] {
            prepare(SockRef::from(&listener), asked).unwrap();
            let (_client, accepted) = tokio::join!(TcpStream::connect(address), listener.accept());
            let (inherited, _) = accepted.unwrap();
            let own = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            prepare(SockRef::from(&own), asked).unwrap();
            let told = |it: SockRef<'_>| {
                let alive = (it.keepalive().unwrap(), it.tcp_keepalive_time().unwrap());
                let probes = (
                    it.tcp_keepalive_interval().unwrap(),
                    it.tcp_keepalive_retries().unwrap(),
                );
                let sending = (
                    it.tcp_nodelay().unwrap(),
                    it.tcp_notsent_lowat().unwrap(),
                    it.tcp_user_timeout().unwrap(),
                );
                (alive, probes, sending)
            };
            assert_eq!(told(SockRef::from(&inherited)), told(SockRef::from(&own)));
            assert!(inherited.nodelay().unwrap());
        }
    }

    #[tokio::test]
    async fn options_are_set_for_each_until_the_queue_was_empty_once() {
        let pending = || Poll::<io::Result<()>>::Pending;
        let mut options = Options::ForEach;
        let _ = options.note(pending());
        assert!(options.is_to_be_set(), "nothing was tried yet");
        let _ = options.note(Poll::Ready(Err::<(), _>(io::ErrorKind::Other.into())));
        let _ = options.note(pending());
        assert!(options.is_to_be_set());
        let _ = options.note(Poll::Ready(Ok(())));
        assert!(options.is_to_be_set());
        let _ = options.note(pending());
        assert_eq!(options.is_to_be_set(), !INHERITS);
    }

    #[test]
    fn options_that_the_listener_would_not_take_are_set_for_each() {
        let mut options = Options::Always;
        let _ = options.note(Poll::Ready(Ok(())));
        let _ = options.note(Poll::<io::Result<()>>::Pending);
        assert!(options.is_to_be_set());
    }

    #[test]
    fn by_default_both_ways_of_finding_out_take_as_long() {
        let default = Listener::default().timeouts.unacknowledged;
        assert_eq!(default, Some(Duration::from_secs(120)));
    }
}
