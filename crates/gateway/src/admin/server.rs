//! The admin listener: its socket and its connections. hyper serves them as it
//! would any; ours are the bounds, which are small: whatever happens here must
//! not be felt by clients. One connection, one request, so that nobody holds a
//! place by saying nothing.

#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::{convert::Infallible, net::SocketAddr, sync::Arc};

use http_body_util::{BodyExt, Limited};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{Duration, sleep, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::{
    answer::{Answer, Fault},
    api, guard,
};
use crate::{
    BindError,
    access::shown,
    config::{self, Admin},
    inner::Inner,
    listen,
};

/// Connections at once; more wait in the kernel's queue.
const AT_ONCE: usize = 256;

/// How long one may take to say its first octet, and then the rest of its head.
/// Whoever says nothing must not keep those waiting who watch the gateway.
const SILENCE: Duration = Duration::from_secs(1);

/// How long one may take, from its first octet to our last.
const TIME: Duration = Duration::from_secs(15);

/// The largest head, and what is read of a body.
const HEAD: usize = 16 << 10;
const BODY: usize = 4 << 10;

/// An admin listener.
#[derive(Debug)]
pub(crate) struct Open {
    configured: SocketAddr,
    pub(crate) bound: SocketAddr,
    #[cfg_attr(not(unix), expect(dead_code, reason = "handed over on Unix alone"))]
    socket: Arc<TcpListener>,
    stop: CancellationToken,
}

/// What a configuration wants of it.
#[derive(Debug)]
pub(crate) enum Plan {
    /// None.
    Off,
    /// The one that there is.
    Stays,
    New(Box<(Admin, SocketAddr, TcpListener)>),
}

impl Plan {
    /// Opens what `admin` wants and is not open; `inherited` gives a socket
    /// that is.
    ///
    /// # Errors
    /// The address cannot be had.
    pub(crate) fn make(
        open: Option<&Open>,
        admin: Option<&Admin>,
        inherited: impl FnOnce(SocketAddr) -> Option<(SocketAddr, TcpListener)>,
    ) -> Result<Self, BindError> {
        let Some(admin) = admin else {
            return Ok(Self::Off);
        };
        if open.is_some_and(|open| open.configured == admin.address) {
            return Ok(Self::Stays);
        }
        let (bound, socket) = match inherited(admin.address) {
            Some(socket) => socket,
            None => bind(admin.address)?,
        };
        Ok(Self::New(Box::new((admin.clone(), bound, socket))))
    }

    /// Serves what was planned, and nothing else any more.
    pub(crate) fn follow(self, open: &mut Option<Open>, inner: &Arc<Inner>) {
        let next = match self {
            Self::Stays => return,
            Self::Off => None,
            Self::New(new) => {
                let (admin, bound, socket) = *new;
                Some(Open::new(admin.address, bound, socket, inner))
            }
        };
        if let Some(before) = std::mem::replace(open, next) {
            before.stop();
        }
    }
}

fn bind(address: SocketAddr) -> Result<(SocketAddr, TcpListener), BindError> {
    let listener = config::Listener {
        address,
        ..config::Listener::default()
    };
    let bound = listen::bind(&listener).and_then(|socket| Ok((listen::address(&socket)?, socket)));
    bound.map_err(|source| BindError::Listen { address, source })
}

impl Open {
    fn new(
        configured: SocketAddr,
        bound: SocketAddr,
        socket: TcpListener,
        inner: &Arc<Inner>,
    ) -> Self {
        let (socket, stop) = (Arc::new(socket), inner.abort.child_token());
        let open = Self {
            configured,
            bound,
            socket: Arc::clone(&socket),
            stop: stop.clone(),
        };
        tokio::spawn(accept(socket, stop, Arc::clone(inner)));
        open
    }

    /// The socket itself, for another process.
    ///
    /// # Errors
    /// The process may have no more files.
    #[cfg(unix)]
    pub(crate) fn socket(&self) -> std::io::Result<OwnedFd> {
        self.socket.as_fd().try_clone_to_owned()
    }

    /// Answers nobody any more.
    pub(crate) fn stop(&self) {
        self.stop.cancel();
    }
}

/// Serves operators until `stop`, which is when everything else has ended:
/// they want to see that.
async fn accept(socket: Arc<TcpListener>, stop: CancellationToken, inner: Arc<Inner>) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let serve = async {
        loop {
            let Ok(place) = Arc::clone(&places).acquire_owned().await else {
                return;
            };
            let Ok((tcp, peer)) = socket.accept().await else {
                // Mostly for want of files; others close some.
                sleep(Duration::from_millis(200)).await;
                continue;
            };
            let (inner, stop) = (Arc::clone(&inner), stop.clone());
            let operators = inner.operators.clone();
            operators.spawn(async move {
                tokio::select! {
                    biased;
                    () = stopped(stop) => {}
                    served = timeout(TIME, serve(tcp, peer, inner)) => {
                        if served.is_err() {
                            debug!(%peer, "an operator's connection took too long");
                        }
                    }
                }
                drop(place);
            });
        }
    };
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        () = serve => {}
    }
}

/// How long an answer may still take when everything else has ended: that to
/// the order to drain must arrive.
pub(crate) const LAST_WORDS: Duration = Duration::from_millis(500);

async fn stopped(stop: CancellationToken) {
    stop.cancelled().await;
    sleep(LAST_WORDS).await;
}

async fn serve(tcp: TcpStream, peer: SocketAddr, inner: Arc<Inner>) {
    // hyper's own timer waits for that without end.
    if !matches!(timeout(SILENCE, tcp.readable()).await, Ok(Ok(()))) {
        return;
    }
    let _ = tcp.set_nodelay(true);
    let service = service_fn(|request| {
        let inner = Arc::clone(&inner);
        async move { Ok::<_, Infallible>(answer(request, peer, &inner).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .max_buf_size(HEAD)
        .max_header_size(HEAD)
        .keep_alive(false)
        .serve_connection(TokioIo::new(tcp), service)
        .await;
    if let Err(error) = served {
        debug!(%peer, %error, "an operator's connection failed");
    }
}

async fn answer(request: http::Request<Incoming>, peer: SocketAddr, inner: &Arc<Inner>) -> Answer {
    let (parts, body) = request.into_parts();
    let rules = inner.rules();
    let Some(admin) = &rules.config.admin else {
        return Fault::Unknown("the admin listener is switched off".to_owned()).answer();
    };
    let answered = match guard::allow(&parts, admin) {
        Ok(()) => match Limited::new(body, BODY).collect().await {
            Ok(body) => api::answer(inner, &parts, &body.to_bytes()),
            Err(_) => Err(Fault::Query(
                "the body has more than 4 KiB, or breaks off".to_owned(),
            )),
        },
        Err(fault) => Err(fault),
    };
    let changes = !guard::is_read(&parts.method);
    let (method, path) = (shown(parts.method.as_str()), shown(parts.uri.path()));
    match answered {
        Ok(answer) => {
            if changes {
                info!(%peer, method, path, query = parts.uri.query().map(shown), "an operator's order");
            }
            answer
        }
        Err(fault) => {
            let (code, error, _) = fault.words();
            if inner.throttle.lets(code, peer.ip()) {
                info!(%peer, method, path, code, "an operator was refused: {error}");
            }
            fault.answer()
        }
    }
}
