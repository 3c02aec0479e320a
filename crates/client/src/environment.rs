//! Which proxy the environment names for a URL, as curl reads it.
//!
//! For `ws://` the variables are `ws_proxy`, `WS_PROXY` and `http_proxy`, for
//! `wss://` `wss_proxy`, `WSS_PROXY`, `https_proxy` and `HTTPS_PROXY`, then for
//! both `all_proxy` and `ALL_PROXY`; the first that is set counts, and one that is
//! empty is not set. `HTTP_PROXY` is not read: in a CGI program it is a field of
//! the client's request. `no_proxy`, or else `NO_PROXY`, lists hosts that are
//! connected to directly.

use std::net::IpAddr;

use ipnet::IpNet;

use crate::{NotAProxy, Proxy, Url};

/// A variable of the environment that names no proxy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the environment variable {variable}: {why}")]
pub struct NotInEnvironment {
    /// Its name.
    pub variable: &'static str,
    /// What is wrong with its value.
    pub why: NotAProxy,
}

/// The proxy for `url`, by the variables that `variable` tells.
///
/// # Errors
/// The variable that counts names no proxy.
pub(crate) fn proxy(
    url: &Url,
    variable: impl Fn(&str) -> Option<String>,
) -> Result<Option<Proxy>, NotInEnvironment> {
    let names: &[&'static str] = match url.secure {
        false => &[
            "ws_proxy",
            "WS_PROXY",
            "http_proxy",
            "all_proxy",
            "ALL_PROXY",
        ],
        true => &[
            "wss_proxy",
            "WSS_PROXY",
            "https_proxy",
            "HTTPS_PROXY",
            "all_proxy",
            "ALL_PROXY",
        ],
    };
    let value = |name: &str| variable(name).filter(|value| !value.is_empty());
    let set = names.iter().find_map(|name| Some((name, value(name)?)));
    let Some((variable, text)) = set else {
        return Ok(None);
    };
    let excepted = value("no_proxy").or_else(|| value("NO_PROXY"));
    if excepted.is_some_and(|list| excepts(&list, &url.name)) {
        return Ok(None);
    }
    let proxy = text.parse();
    proxy
        .map(Some)
        .map_err(|why| NotInEnvironment { variable, why })
}

/// Whether `list` excepts the host `name`: by `*`, by a domain at whose end it
/// stands, by its address, or by a network it is in.
fn excepts(list: &str, name: &str) -> bool {
    if list.trim() == "*" {
        return true;
    }
    let mut entries = list
        .split([',', ' ', '\t'])
        .filter(|entry| !entry.is_empty());
    if let Ok(address) = name.parse::<IpAddr>() {
        return entries.any(|entry| {
            let entry = entry.trim_matches(['[', ']']);
            let network = entry.parse::<IpNet>().ok();
            network.is_some_and(|net| net.contains(&address)) || entry.parse() == Ok(address)
        });
    }
    let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
    entries.any(|entry| {
        let entry = entry.strip_prefix('.').unwrap_or(entry);
        let entry = entry.strip_suffix('.').unwrap_or(entry);
        let domain = entry.to_ascii_lowercase();
        let before = name.strip_suffix(&domain);
        !domain.is_empty() && before.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(url: &str, set: &[(&str, &str)]) -> Result<Option<String>, NotInEnvironment> {
        let value = |name: &str| {
            let mut set = set.iter();
            set.find_map(|(n, v)| (*n == name).then(|| (*v).to_owned()))
        };
        let found = proxy(&url.parse().unwrap(), value)?;
        Ok(found.map(|proxy| proxy.name))
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        let some = |name: &str| Ok(Some(name.to_owned()));
        let all = [
            ("ALL_PROXY", "all"),
            ("http_proxy", "http"),
            ("HTTPS_PROXY", "https"),
        ];
        assert_eq!(found("ws://a", &all), some("http"));
        assert_eq!(found("wss://a", &all), some("https"));
        assert_eq!(found("ws://a", &all[..1]), some("all"));
        assert_eq!(found("wss://a", &all[..2]), some("all"));
        assert_eq!(found("ws://a", &[("HTTP_PROXY", "cgi")]), Ok(None));
        assert_eq!(
            found("ws://a", &[("ALL_PROXY", "u"), ("all_proxy", "l")]),
            some("l")
        );
        let empty = [("http_proxy", ""), ("ALL_PROXY", "all")];
        assert_eq!(found("ws://a", &empty), some("all"));
        assert_eq!(found("ws://a", &[]), Ok(None));
    }

    #[test]
    fn a_variable_that_names_no_proxy_is_named() {
        let error = found("ws://a", &[("ALL_PROXY", "socks5://b")]).unwrap_err();
        let text = error.to_string();
        assert!(
            text.starts_with("the environment variable ALL_PROXY: `socks5://`"),
            "{text}"
        );
        let excepted = [("ALL_PROXY", "socks5://b"), ("NO_PROXY", "a")];
        assert_eq!(found("ws://a", &excepted), Ok(None));
    }

    #[test]
    fn exceptions_are_domains_addresses_and_networks() {
        for (list, name, excepted) in [
            ("*", "a", true),
            ("example.com", "example.com", true),
            ("example.com", "WWW.Example.com", true),
            (".example.com", "example.com", true),
            ("example.com.", "a.example.com", true),
            ("example.com", "example.com.", true),
            ("example.com", "notexample.com", false),
            ("www.example.com", "example.com", false),
            ("a, b  c,,", "c", true),
            ("", "a", false),
            (".", "a", false),
            ("127.0.0.1", "127.0.0.1", true),
            ("10.0.0.0/8", "10.1.2.3", true),
            ("10.0.0.0/8", "11.1.2.3", false),
            ("0.0.1", "127.0.0.1", false),
            ("[::1]", "::1", true),
            ("fe80::/10", "fe80::1", true),
            ("a *", "b", false),
        ] {
            assert_eq!(excepts(list, name), excepted, "{list} {name}");
        }
    }

    #[test]
    fn the_lower_case_list_wins_unless_it_is_empty() {
        let empty = [("ALL_PROXY", "p"), ("no_proxy", ""), ("NO_PROXY", "a")];
        assert_eq!(found("ws://a", &empty), Ok(None));
        let set = [("ALL_PROXY", "p"), ("no_proxy", "b"), ("NO_PROXY", "a")];
        assert_eq!(found("ws://a", &set), Ok(Some("p".into())));
        assert_eq!(found("ws://b", &set), Ok(None));
    }
}
