//! Why a gateway cannot run, and what to do.

use std::{io, net::SocketAddr};

use draftgate_client::TlsFailure;
use draftgate_record::StoreError;

use crate::BadFile;

/// What the gateway needs cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// A listener's address could not be bound.
    #[error("cannot listen on {address}: {source}; {}", remedy(source))]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// A listener's address overlaps one that is open already, of this gateway.
    #[error(
        "cannot listen on {address} while {open} is open, which was asked for before: one is part of the other; stop and start, or keep `{open}`"
    )]
    Overlap {
        /// The address.
        address: SocketAddr,
        /// The one that is open.
        open: SocketAddr,
    },
    /// A socket that was open before cannot be used.
    #[error(
        "an inherited socket cannot be used: {0}; whoever starts this process must pass listening TCP sockets"
    )]
    Inherited(#[source] io::Error),
    /// A listener's certificates cannot be had.
    #[error("listener {address}: {source}")]
    Tls {
        /// The listener.
        address: SocketAddr,
        /// What is wrong with them.
        source: BadFile,
    },
    /// The certificates for an upstream cannot be had.
    #[error("route {route}: {source}")]
    Upstream {
        /// The route's path.
        route: String,
        /// What is wrong with them.
        source: TlsFailure,
    },
    /// A route of a proxy has no server behind it. A file that says so is refused
    /// before; a [`Route`](crate::config::Route) of one's own may lack it.
    #[error("route {route}: a proxy has no upstream; set `Route::upstream` to one with an address")]
    NoUpstream {
        /// The route's path.
        route: String,
    },
    /// What decides about who may come in cannot be had.
    #[error("route {route}: `auth`: {why}")]
    Auth {
        /// The route's path.
        route: String,
        /// What is wrong.
        why: String,
    },
    /// What lets clients in would be in the recordings of a gateway that runs.
    #[error(
        "connections are recorded, with `{}`, in which clients are now to show tokens: start anew, or without `record.dir`",
        .0.join("`, `")
    )]
    Recorded(Vec<String>),
    /// Connections are to be recorded, and cannot be.
    #[error("cannot record: {0}; choose another `record.dir`, or none")]
    Record(#[from] StoreError),
}

impl BindError {
    /// The same error where the sockets at `open` are our own: then it is no
    /// other program that has the port.
    pub(crate) fn beside(self, mut open: impl Iterator<Item = SocketAddr>) -> Self {
        let Self::Listen { address, source } = &self else {
            return self;
        };
        let in_use = source.kind() == io::ErrorKind::AddrInUse;
        match open.find(|open| in_use && open.port() == address.port()) {
            Some(open) => Self::Overlap {
                address: *address,
                open,
            },
            None => self,
        }
    }
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "another program has this port: stop it, or choose another (port 0 takes a free one)"
        }
        io::ErrorKind::PermissionDenied => {
            "ports below 1024 need a privilege: choose a higher one, or grant it"
        }
        io::ErrorKind::AddrNotAvailable => "no interface of this machine has this address",
        _ => "choose another address",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_that_cannot_be_had_is_explained() {
        let error = BindError::Listen {
            address: "127.0.0.1:80".parse().unwrap(),
            source: io::ErrorKind::PermissionDenied.into(),
        };
        let text = error.to_string();
        assert!(
            text.starts_with("cannot listen on 127.0.0.1:80: ") && text.contains("privilege"),
            "{text}"
        );
    }
}
