//! Where the load goes. A load generator that is pointed at strangers by a slip
//! of the hand is an attack, so any address that is not this machine's own has
//! to be asked for in so many words.

use std::{
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use draftgate_client::Url;

use crate::LoadError;

/// How long one of several addresses may take to say whether somebody is there.
const TRIED: Duration = Duration::from_secs(2);

/// A server that load may be put on.
#[derive(Debug, Clone)]
pub struct Target {
    /// What its clients ask for.
    pub url: Url,
    /// Where it is.
    pub address: SocketAddr,
}

impl Target {
    /// Looks `url` up. Of several addresses it is the first that accepts a
    /// connection. With `remote` it need not be this machine.
    ///
    /// # Errors
    /// The name is not known, or an address is another machine's and `remote`
    /// was not said.
    pub fn find(url: Url, remote: bool) -> Result<Self, LoadError> {
        let found = (url.name.as_str(), url.port).to_socket_addrs();
        let found: Vec<SocketAddr> = found
            .map_err(|source| LoadError::Resolve {
                name: url.name.clone(),
                source,
            })?
            .collect();
        if let Some(other) = found.iter().find(|a| !a.ip().is_loopback())
            && !remote
        {
            return Err(LoadError::Remote(*other));
        }
        let accepts = |a: &&SocketAddr| TcpStream::connect_timeout(a, TRIED).is_ok();
        let address = match found.as_slice() {
            [] => None,
            [only] => Some(*only),
            [first, ..] => Some(*found.iter().find(accepts).unwrap_or(first)),
        };
        let address = address.ok_or_else(|| LoadError::NoAddress(url.name.clone()))?;
        Ok(Self { url, address })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_machine_must_be_asked_for() {
        let url: Url = "ws://192.0.2.1:9/".parse().unwrap();
        let refused = Target::find(url.clone(), false).unwrap_err().to_string();
        assert!(refused.contains("192.0.2.1:9"), "{refused}");
        assert!(refused.contains("--remote"), "{refused}");
        let target = Target::find(url, true).unwrap();
        assert_eq!(target.address, "192.0.2.1:9".parse().unwrap());
    }

    #[test]
    fn this_machine_need_not_be_asked_for() {
        for url in ["ws://127.0.0.1:9/", "ws://127.8.9.1:9/", "ws://[::1]:9/"] {
            assert!(Target::find(url.parse().unwrap(), false).is_ok(), "{url}");
        }
    }
}
