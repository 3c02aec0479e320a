//! What `serve` prints once the ports are open: where it can be reached, and how
//! to try it.

use std::{
    fmt::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use draftgate_core::Draft;
use draftgate_gateway::config::{Address, Config, Listener, Plugin, Route, Service};

/// What is printed once the ports are open.
pub(super) struct Banner {
    pub(super) serves: String,
    pub(super) config: Config,
}

impl Banner {
    /// The text, with the addresses that were got.
    pub(super) fn with(
        &self,
        addrs: &[SocketAddr],
        policy: &[(Plugin, SocketAddr)],
        admin: Option<SocketAddr>,
    ) -> String {
        let mut text = format!("draftgate {} serves ", env!("CARGO_PKG_VERSION"));
        text += &self.serves;
        text.push('\n');
        for (listener, addr) in self.config.listeners.iter().zip(addrs) {
            self.listener(&mut text, listener, *addr);
        }
        if let Some(dir) = &self.config.record.dir {
            let _ = writeln!(
                text,
                "  every connection is recorded into {}",
                dir.display()
            );
        }
        for (plugin, addr) in policy {
            let _ = writeln!(text, "  policy requests of {plugin}  {}", reachable(*addr));
        }
        if let Some(addr) = admin {
            let _ = writeln!(text, "  admin http://{}", reachable(addr));
        }
        text
    }

    fn listener(&self, text: &mut String, listener: &Listener, addr: SocketAddr) {
        let at = reachable(addr);
        let secure = if listener.tls.is_some() { "s" } else { "" };
        // Writing to a String cannot fail.
        if listener.page {
            let _ = writeln!(text, "  page  http{secure}://{at}/");
        }
        let mut first_bus = None;
        for route in &self.config.routes {
            let kind = route.service;
            let path = &route.path;
            let drafts = spoken(&route.drafts);
            let _ = writeln!(text, "  {kind:<5} ws{secure}://{at}{path}  ({drafts})");
            if let Some(upstream) = &route.upstream {
                let to: Vec<String> = upstream.addresses.iter().map(Address::to_string).collect();
                let _ = writeln!(text, "        {} {}", beyond(route), to.join(", "));
            }
            if route.service == Service::Bus {
                first_bus.get_or_insert(route);
            }
        }
        if let Some(url) = &listener.public_url {
            let _ = writeln!(text, "  known to clients as {url}");
        }
        if listener.proxy_protocol {
            text.push_str(
                "        through the proxy in front alone: it must send the PROXY protocol\n",
            );
            return;
        }
        let Some(route) = first_bus.or_else(|| self.config.routes.first()) else {
            return;
        };
        // The newest that is unlike all of today's.
        let mut drafts = route.drafts.iter();
        let old = drafts.rfind(|draft| !draftgate_drafts::has_ping(**draft));
        let Some(draft) = old.or_else(|| route.drafts.last()) else {
            return;
        };
        let path = route.path.to_string();
        let path = path.replace("{channel}", "chat").replace("{rest}", "");
        let _ = writeln!(
            text,
            "  try   draftgate connect --draft {draft} ws{secure}://{at}{path}"
        );
    }
}

/// What an upstream is to its route.
fn beyond(route: &Route) -> &'static str {
    match route.service {
        Service::Bus => "fed by",
        _ => "to",
    }
}

/// The address as somebody on this machine can write it: nobody connects to
/// 0.0.0.0.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

/// `drafts` by their names, or in a word if they are all that there are.
fn spoken(drafts: &[Draft]) -> String {
    let names: Vec<String> = drafts.iter().map(|draft| draft.with_alias()).collect();
    match (names.as_slice(), draftgate_drafts::spoken().count()) {
        ([first, .., last], all) if names.len() == all => {
            format!("every draft, {first} to {last}")
        }
        _ => names.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_was_got_is_printed() {
        let banner = Banner {
            serves: "a.toml".into(),
            config: Config::default(),
        };
        let own = (Plugin::Flash, "0.0.0.0:4712".parse().unwrap());
        let text = banner.with(
            &["127.0.0.1:4711".parse().unwrap()],
            &[own],
            Some("127.0.0.1:4713".parse().unwrap()),
        );
        assert!(text.contains("ws://127.0.0.1:4711/bus/{channel}"), "{text}");
        assert!(!text.contains("8080"), "{text}");
        let policy = "policy requests of Flash  127.0.0.1:4712";
        assert!(text.contains(policy), "{text}");
        assert!(text.contains("admin http://127.0.0.1:4713"), "{text}");
    }

    #[test]
    fn nobody_is_sent_past_the_proxy() {
        let mut config = Config::default();
        config.listeners[0].proxy_protocol = true;
        let banner = Banner {
            serves: "a.toml".into(),
            config,
        };
        let text = banner.with(&["127.0.0.1:4711".parse().unwrap()], &[], None);
        assert!(text.contains("it must send the PROXY protocol"), "{text}");
        assert!(!text.contains("try "), "{text}");
    }

    #[test]
    fn nobody_is_sent_to_an_unspecified_address() {
        for (addr, printed) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(addr.parse().unwrap()).to_string(), printed);
        }
    }
}
