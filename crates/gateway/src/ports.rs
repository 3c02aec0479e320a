//! The sockets that a gateway listens on, through one configuration and the
//! next.
//!
//! A listener whose address stays keeps its socket, so that whoever is
//! connecting notices nothing; what changed at it holds for connections
//! accepted from then on. Nothing is closed before everything that is new has
//! been opened.

#[cfg(unix)]
use std::os::fd::{AsFd, OwnedFd};
use std::{
    io,
    net::{self, SocketAddr},
    sync::Arc,
};

use draftgate_conn::Settings;
use tokio::{net::TcpListener, sync::watch};
use tokio_util::sync::CancellationToken;

use crate::{
    BindError,
    config::{Config, Listener, Plugin},
    handshake,
    inner::Inner,
    listen,
    rules::Rules,
    tls::{self, Served, Tls},
};

/// How the connections of one socket are served that come now.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    pub(crate) listener: Arc<Listener>,
    /// Who is answered here alone, where that is not WebSocket.
    pub(crate) plugin: Option<Plugin>,
    pub(crate) rules: Arc<Rules>,
    /// What the listener's TLS is served by.
    pub(crate) tls: Option<Arc<Tls>>,
    /// How connections of each route are driven.
    pub(crate) driven: Arc<[Arc<Settings>]>,
}

/// Every open socket, in the order of the configuration.
#[derive(Debug, Default)]
pub(crate) struct Ports(Vec<Open>);

/// An open socket that is accepted from.
#[derive(Debug)]
struct Open {
    /// As configured; port 0 is 0 here.
    configured: SocketAddr,
    bound: SocketAddr,
    plugin: Option<Plugin>,
    #[cfg_attr(not(unix), allow(dead_code, reason = "only Unix hands it over"))]
    socket: Arc<TcpListener>,
    now: watch::Sender<Port>,
    stop: CancellationToken,
}

/// Sockets that were open before the gateway: of a service manager, or of the
/// process that it takes over from.
#[derive(Debug, Default)]
pub(crate) struct Inherited(Vec<(SocketAddr, TcpListener)>);

/// What a configuration wants of sockets: of those that are open, and new ones.
#[derive(Debug)]
pub(crate) struct Plan(Vec<Wanted>);

#[derive(Debug)]
struct Wanted {
    listener: Listener,
    plugin: Option<Plugin>,
    bound: SocketAddr,
    tls: Option<Arc<Tls>>,
    from: From,
}

#[derive(Debug)]
enum From {
    /// The socket that is open in this place.
    Open(usize),
    New(TcpListener),
}

/// What became of the sockets.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    pub(crate) opened: Vec<SocketAddr>,
    pub(crate) closed: Vec<SocketAddr>,
}

impl Ports {
    /// Opens what `config` wants and is not open.
    ///
    /// # Errors
    /// An address cannot be had; what was opened is closed again.
    pub(crate) fn plan(
        &self,
        config: &Config,
        inherited: &mut Inherited,
    ) -> Result<Plan, BindError> {
        let policy = config.policy.iter().flat_map(|policy| policy.listeners());
        let policy = policy.map(|(plugin, listener)| (listener, Some(plugin)));
        let listeners = config.listeners.iter().map(|listener| (listener, None));
        let mut taken = vec![false; self.0.len()];
        let mut plan = Plan(Vec::new());
        for (listener, plugin) in listeners.chain(policy) {
            let (from, bound) = match self.open(listener, plugin, &mut taken) {
                Some(index) => (From::Open(index), self.0[index].bound),
                None => {
                    let (bound, socket) = match inherited.take(listener.address) {
                        Some(inherited) => inherited,
                        None => bind(listener).map_err(|error| {
                            let open = self.0.iter().map(|open| open.bound);
                            error.beside(open.chain(inherited.left()))
                        })?,
                    };
                    (From::New(socket), bound)
                }
            };
            let before = match &from {
                From::Open(index) => self.0[*index].now.borrow().tls.clone(),
                From::New(_) => None,
            };
            let tls = Tls::of_listener(listener, before.as_ref());
            let tls = tls.map_err(|source| BindError::Tls {
                address: listener.address,
                source,
            })?;
            plan.0.push(Wanted {
                listener: listener.clone(),
                tls,
                plugin,
                bound,
                from,
            });
        }
        Ok(plan)
    }

    /// The open socket for `listener`, once.
    fn open(
        &self,
        listener: &Listener,
        plugin: Option<Plugin>,
        taken: &mut [bool],
    ) -> Option<usize> {
        let mut ports = self.0.iter().enumerate();
        let (index, _) = ports.find(|(index, port)| {
            !taken[*index] && port.configured == listener.address && port.plugin == plugin
        })?;
        taken[index] = true;
        Some(index)
    }

    /// Serves what `plan` wants by `rules`, and nothing else any more.
    pub(crate) fn follow(&mut self, plan: Plan, rules: &Arc<Rules>, inner: &Arc<Inner>) -> Changed {
        let mut before: Vec<Option<Open>> =
            std::mem::take(&mut self.0).into_iter().map(Some).collect();
        let mut changed = Changed::default();
        for wanted in plan.0 {
            let port = Port {
                driven: handshake::driven(&rules.config, &wanted.listener),
                listener: Arc::new(wanted.listener),
                plugin: wanted.plugin,
                rules: Arc::clone(rules),
                tls: wanted.tls,
            };
            match wanted.from {
                From::Open(index) => {
                    if let Some(open) = before[index].take() {
                        let before = open.now.borrow().tls.clone();
                        tls::keep_fresh(before.as_ref(), &port, open.bound, inner);
                        open.now.send_replace(port);
                        self.0.push(open);
                    }
                }
                From::New(socket) => {
                    changed.opened.push(wanted.bound);
                    self.0.push(Open::new(socket, wanted.bound, port, inner));
                }
            }
        }
        for open in before.into_iter().flatten() {
            changed.closed.push(open.bound);
            open.stop.cancel();
        }
        changed
    }

    /// Accepts nothing more, and closes the sockets; those that another process
    /// has, too, stay open there.
    pub(crate) fn close(&mut self) {
        for open in self.0.drain(..) {
            open.stop.cancel();
        }
    }

    /// The sockets themselves, for another process.
    ///
    /// # Errors
    /// The process may have no more files.
    #[cfg(unix)]
    pub(crate) fn sockets(&self) -> io::Result<Vec<OwnedFd>> {
        let sockets = self.0.iter();
        sockets
            .map(|open| open.socket.as_fd().try_clone_to_owned())
            .collect()
    }

    /// The addresses where clients of WebSocket are served.
    pub(crate) fn addrs(&self) -> Vec<SocketAddr> {
        let clients = self.0.iter().filter(|open| open.plugin.is_none());
        clients.map(|open| open.bound).collect()
    }

    /// The certificates that are served now.
    pub(crate) fn certificates(&self) -> Vec<Served> {
        let each = |open: &Open| {
            let tls = open.now.borrow().tls.clone();
            let listener = open.bound;
            let certificates = tls.map(|tls| tls.certificates()).unwrap_or_default();
            certificates.into_iter().map(move |certificate| Served {
                listener,
                certificate,
            })
        };
        self.0.iter().flat_map(each).collect()
    }

    /// Whether every listener serves the certificates that its files have.
    pub(crate) fn certificates_are_fresh(&self) -> bool {
        let of = |open: &Open| open.now.borrow().tls.clone();
        self.0.iter().filter_map(of).all(|tls| tls.is_fresh())
    }

    /// The addresses where one plug-in alone is.
    pub(crate) fn policy_addrs(&self) -> Vec<(Plugin, SocketAddr)> {
        let plugins = self.0.iter();
        plugins
            .filter_map(|open| Some((open.plugin?, open.bound)))
            .collect()
    }
}

impl Plan {
    /// The ports that clients of WebSocket connect to.
    pub(crate) fn public_ports(&self) -> impl Iterator<Item = u16> {
        let clients = self.0.iter().filter(|wanted| wanted.plugin.is_none());
        clients.map(|wanted| wanted.listener.public_port(wanted.bound.port()))
    }
}

impl Open {
    fn new(socket: TcpListener, bound: SocketAddr, port: Port, inner: &Arc<Inner>) -> Self {
        let stop = inner.stop.child_token();
        let (configured, plugin) = (port.listener.address, port.plugin);
        tls::keep_fresh(None, &port, bound, inner);
        let (now, port) = watch::channel(port);
        let socket = Arc::new(socket);
        tokio::spawn(listen::accept(
            Arc::clone(&socket),
            port,
            stop.clone(),
            Arc::clone(inner),
        ));
        Self {
            configured,
            bound,
            plugin,
            socket,
            now,
            stop,
        }
    }
}

impl Inherited {
    /// `sockets`, which must listen.
    ///
    /// # Errors
    /// One cannot be used.
    pub(crate) fn new(sockets: Vec<net::TcpListener>) -> io::Result<Self> {
        let ready = |socket: net::TcpListener| {
            socket.set_nonblocking(true)?;
            let socket = TcpListener::from_std(socket)?;
            Ok((socket.local_addr()?, socket))
        };
        sockets
            .into_iter()
            .map(ready)
            .collect::<io::Result<_>>()
            .map(Self)
    }

    /// The socket for what is configured as `address`: the one that is there,
    /// or for port 0 any of that host.
    pub(crate) fn take(&mut self, address: SocketAddr) -> Option<(SocketAddr, TcpListener)> {
        let fits = |bound: &SocketAddr| match address.port() {
            0 => bound.ip() == address.ip(),
            _ => *bound == address,
        };
        let index = self.0.iter().position(|(bound, _)| fits(bound))?;
        Some(self.0.remove(index))
    }

    /// What nobody took.
    pub(crate) fn left(&self) -> impl Iterator<Item = SocketAddr> {
        self.0.iter().map(|(bound, _)| *bound)
    }
}

fn bind(listener: &Listener) -> Result<(SocketAddr, TcpListener), BindError> {
    let bound = listen::bind(listener).and_then(|socket| Ok((listen::address(&socket)?, socket)));
    bound.map_err(|source| BindError::Listen {
        address: listener.address,
        source,
    })
}
