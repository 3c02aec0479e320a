//! TCP to one of a host's addresses, from one of ours.
//!
//! An address of ours is bound without a port (`IP_BIND_ADDRESS_NO_PORT`): the
//! system chooses that when it knows the server, so that each pair of addresses
//! has all of the ports, not all pairs together. `nix` sets that option, which
//! socket2 does not have. It is Linux's own: elsewhere an address of ours has its
//! ports once for all servers, which only a flood of connections finds out.

use std::{
    io,
    net::{IpAddr, SocketAddr},
};

#[cfg(target_os = "linux")]
use nix::sys::socket::{setsockopt, sockopt::IpBindAddressNoPort};
use tokio::{
    net::{TcpSocket, TcpStream},
    time::{Instant, timeout},
};

/// Why no connection could be made.
#[derive(Debug)]
pub(crate) enum Failed {
    /// What the last address gave.
    Connect(io::Error),
    /// What the last address of ours gave.
    Source {
        source: IpAddr,
        error: io::Error,
        /// Whether it could be taken.
        bound: bool,
    },
    /// No address of ours is of the server's family.
    Family(&'static str),
}

/// Connects to the first of `addresses` that lets us. Each may take its share of
/// what is left of the time, so that one that is silent (a host without the IPv6
/// that its name promises) does not take the time of the others; the last has
/// what is left, and whoever calls ends that.
pub(crate) async fn first(
    addresses: &[SocketAddr],
    sources: &[IpAddr],
    until: Instant,
) -> Result<TcpStream, Failed> {
    let none = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    let mut failed = Failed::Connect(none);
    for (at, address) in addresses.iter().enumerate() {
        let left = u32::try_from(addresses.len() - at).unwrap_or(u32::MAX);
        let connect = one(*address, sources);
        let connected = match left {
            1 => connect.await,
            _ => {
                let share = until.saturating_duration_since(Instant::now()) / left;
                let silent = |_| Err(Failed::Connect(io::ErrorKind::TimedOut.into()));
                timeout(share, connect).await.unwrap_or_else(silent)
            }
        };
        match (connected, &failed) {
            (Ok(tcp), _) => return Ok(tcp),
            // What an address says tells more than that one could not be asked.
            (Err(Failed::Family(_)), _) if at > 0 => {}
            (Err(error), _) => failed = error,
        }
    }
    Err(failed)
}

/// Connects to `address` from the first of `sources` of its family; from the
/// next where that has no port left.
async fn one(address: SocketAddr, sources: &[IpAddr]) -> Result<TcpStream, Failed> {
    if sources.is_empty() {
        return TcpStream::connect(address).await.map_err(Failed::Connect);
    }
    let mut failed = Failed::Family(if address.is_ipv4() { "IPv4" } else { "IPv6" });
    let ours = sources.iter().filter(|s| s.is_ipv4() == address.is_ipv4());
    for &source in ours {
        let told = |bound| {
            move |error| Failed::Source {
                source,
                error,
                bound,
            }
        };
        let socket = match bound(source) {
            Ok(socket) => socket,
            Err(error) => {
                failed = told(false)(error);
                continue;
            }
        };
        match socket.connect(address).await {
            Ok(tcp) => return Ok(tcp),
            Err(error) if is_used_up(&error) => failed = told(true)(error),
            Err(error) => return Err(Failed::Connect(error)),
        }
    }
    Err(failed)
}

fn is_used_up(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrNotAvailable | io::ErrorKind::AddrInUse
    )
}

/// A socket that will connect from `source`, without a port yet.
fn bound(source: IpAddr) -> io::Result<TcpSocket> {
    let socket = match source {
        IpAddr::V4(_) => TcpSocket::new_v4()?,
        IpAddr::V6(_) => TcpSocket::new_v6()?,
    };
    #[cfg(target_os = "linux")]
    setsockopt(&socket, IpBindAddressNoPort, &true)?;
    socket.bind(SocketAddr::new(source, 0))?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use nix::sys::socket::getsockopt;
    use tokio::net::TcpListener;

    use super::*;

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(30)
    }

    #[tokio::test(start_paused = true)]
    async fn an_address_that_is_silent_leaves_time_for_the_next() {
        // A queue that is full takes no more connections, and refuses none.
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let full = socket.listen(1).unwrap();
        let silent = full.local_addr().unwrap();
        let mut queued = Vec::new();
        while let Ok(tcp) = timeout(Duration::from_secs(1), TcpStream::connect(silent)).await {
            queued.push(tcp.unwrap());
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let begun = Instant::now();
        let until = begun + Duration::from_secs(9);
        let tcp = first(&[silent, silent, good], &[], until).await.unwrap();
        assert_eq!(tcp.peer_addr().unwrap(), good);
        assert_eq!(begun.elapsed().as_secs(), 6);
    }

    #[tokio::test]
    async fn addresses_that_refuse_are_passed_over_and_the_last_reason_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let good = listener.local_addr().unwrap();
        let closed = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let refusing = closed.local_addr().unwrap();
        drop(closed);
        assert!(first(&[refusing, good], &[], soon()).await.is_ok());
        for (addresses, kind) in [
            (&[refusing, refusing][..], io::ErrorKind::ConnectionRefused),
            (&[], io::ErrorKind::NotFound),
        ] {
            let Failed::Connect(error) = first(addresses, &[], soon()).await.unwrap_err() else {
                panic!("{kind}");
            };
            assert_eq!(error.kind(), kind);
        }
    }

    #[tokio::test]
    async fn a_source_is_bound_without_a_port_and_connected_from() {
        let ours: IpAddr = "127.0.0.2".parse().unwrap();
        let socket = bound(ours).unwrap();
        assert!(getsockopt(&socket, IpBindAddressNoPort).unwrap());
        assert_eq!(socket.local_addr().unwrap(), SocketAddr::new(ours, 0));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let tcp = socket
            .connect(listener.local_addr().unwrap())
            .await
            .unwrap();
        let (_, seen) = listener.accept().await.unwrap();
        assert_eq!(seen, tcp.local_addr().unwrap());
        assert_eq!(seen.ip(), ours);
    }

    #[tokio::test]
    async fn the_family_decides_which_source_is_taken_and_none_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let sources: Vec<IpAddr> = ["::1", "192.0.2.7", "127.0.0.3"]
            .map(|ip| ip.parse().unwrap())
            .into();
        // The second is none of this machine's.
        let tcp = first(&[address], &sources, soon()).await.unwrap();
        assert_eq!(tcp.local_addr().unwrap().ip(), sources[2]);
        let failed = first(&[address], &sources[..1], soon()).await.unwrap_err();
        assert!(matches!(failed, Failed::Family("IPv4")), "{failed:?}");
        let failed = first(&[address], &sources[..2], soon()).await.unwrap_err();
        let Failed::Source {
            source,
            error,
            bound: false,
        } = failed
        else {
            panic!("{failed:?}");
        };
        assert_eq!(source, sources[1]);
        assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable);
    }
}
