//! What one connection asks the upstream for: what the gateway's own client
//! asked for, as far as it passes on.

use std::{borrow::Cow, net::SocketAddr};

use http::HeaderValue;

use crate::Address;

/// What one connection asks the upstream for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Ask<'a> {
    /// Path and query; `/` if empty. An address that names no path is asked for
    /// this as it is; one that names a path is asked for its own, with this
    /// query behind it.
    pub resource: &'a str,
    /// Fields of the request; those that the draft itself writes (`Host`,
    /// `Origin`, `Upgrade`, `Connection`, `Sec-WebSocket-*` …) may not be among
    /// them.
    pub fields: &'a [(String, HeaderValue)],
    /// The field `Host`; the address's own host if `None`.
    pub host: Option<&'a str>,
    /// The origin. If `None`, drafts that demand one are told the upstream's own.
    pub origin: Option<&'a str>,
    /// Subprotocols in order of preference. A draft that asks for one only asks
    /// for the first.
    pub subprotocols: &'a [String],
    /// The client, and the address of ours that it came to, for the header of
    /// the PROXY protocol. `None` if the connection is the gateway's own.
    pub peers: Option<(SocketAddr, SocketAddr)>,
}

impl Ask<'_> {
    /// What `address` is asked for.
    pub(crate) fn resource_at(&self, address: &Address) -> Cow<'_, str> {
        let Some(own) = address.resource() else {
            return match self.resource {
                "" => "/".into(),
                // A query alone: the path is the root.
                asked if asked.starts_with('?') => format!("/{asked}").into(),
                asked => asked.into(),
            };
        };
        match self.resource.split_once('?') {
            None | Some((_, "")) => own.to_owned().into(),
            Some((_, query)) => {
                let between = if own.contains('?') { '&' } else { '?' };
                format!("{own}{between}{query}").into()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_with_a_path_keeps_it_and_takes_the_clients_query() {
        for (address, asked, wanted) in [
            ("ws://a", "/chat?x=1", "/chat?x=1"),
            ("ws://a", "", "/"),
            ("ws://a", "?x", "/?x"),
            ("ws://a/", "/chat?x=1", "/?x=1"),
            ("ws://a/plc", "/chat", "/plc"),
            ("ws://a/plc", "/chat?", "/plc"),
            ("ws://a/plc?unit=3", "/chat?x=1&y", "/plc?unit=3&x=1&y"),
            ("unix:/run/a", "/chat?x=1", "/chat?x=1"),
            ("unix:/run/a:/plc", "/chat?x=1", "/plc?x=1"),
        ] {
            let ask = Ask {
                resource: asked,
                ..Ask::default()
            };
            let address = address.parse().unwrap();
            assert_eq!(ask.resource_at(&address), wanted, "{address} {asked}");
        }
    }
}
