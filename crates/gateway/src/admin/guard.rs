//! Who may ask for what. That the address is loopback keeps other machines
//! out, and not the pages that a browser of this machine shows: any of them
//! can send requests there, and a name of its own can be turned to 127.0.0.1
//! to read the answers. So whatever a browser sends for a page is refused, and
//! so is a name in `Host` from whoever shows no token.
//!
//! What changes something is asked for by PUT or DELETE, never by POST: a form
//! of any page can POST, in browsers too old to say so, and for the others a
//! browser asks first.

use std::net::IpAddr;

use http::{Method, header, request::Parts, uri::Authority};

use super::answer::Fault;
use crate::config::{Admin, Token};

/// Whether `parts` may be answered.
///
/// # Errors
/// Why not.
pub(super) fn allow(parts: &Parts, admin: &Admin) -> Result<(), Fault> {
    let fields = &parts.headers;
    let mut sites = fields.get_all("sec-fetch-site").iter();
    let from_a_page = !sites.all(|site| matches!(site.as_bytes(), b"none" | b"same-origin"));
    if fields.contains_key(header::ORIGIN) || from_a_page {
        return Err(Fault::CrossSite);
    }
    if shows_token(parts, admin.token.as_ref())? {
        return Ok(());
    }
    if !is_address(parts) {
        return Err(Fault::HostForeign);
    }
    let open = match parts.uri.path() {
        "/healthz" | "/readyz" => true,
        "/metrics" => admin.open_metrics,
        _ => false,
    };
    match admin.token {
        Some(_) if !(open && is_read(&parts.method)) => Err(Fault::TokenMissing),
        _ => Ok(()),
    }
}

/// Whether a method changes nothing.
pub(super) fn is_read(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

/// Whether the token is shown; nobody shows one where there is none.
fn shows_token(parts: &Parts, token: Option<&Token>) -> Result<bool, Fault> {
    let (Some(token), Some(shown)) = (token, parts.headers.get(header::AUTHORIZATION)) else {
        return Ok(false);
    };
    let shown = shown.as_bytes();
    let bearer = shown.split_first_chunk::<7>();
    let bearer = bearer.filter(|(scheme, _)| scheme.eq_ignore_ascii_case(b"bearer "));
    match bearer {
        Some((_, shown)) if token.is(shown.trim_ascii()) => Ok(true),
        _ => Err(Fault::TokenWrong),
    }
}

/// Whether `Host` is an address or `localhost`, and no name that anybody could
/// turn to this machine. Programs that send none are no browsers.
fn is_address(parts: &Parts) -> bool {
    let mut hosts = parts.headers.get_all(header::HOST).iter();
    hosts.all(|host| is_bare_address(host.as_bytes()))
}

fn is_bare_address(host: &[u8]) -> bool {
    if host.contains(&b'@') {
        return false;
    }
    let Ok(authority) = Authority::try_from(host) else {
        return false;
    };
    let host = authority.host();
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost") || bare.parse::<IpAddr>().is_ok()
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    const TOKEN: &str = "0123456789abcdef";

    fn asked(path: &str, fields: &[(&str, &str)], token: bool, open: bool) -> Result<(), Fault> {
        let mut request = Request::builder().uri(path);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let admin = Admin {
            token: token.then(|| Token::new(TOKEN).unwrap()),
            open_metrics: open,
            ..Admin::default()
        };
        allow(&parts, &admin)
    }

    #[test]
    fn what_a_page_sends_is_refused_whatever_it_shows() {
        let bearer = ("Authorization", "Bearer 0123456789abcdef");
        for field in [
            ("Origin", "http://evil.example"),
            ("Origin", "null"),
            ("Sec-Fetch-Site", "cross-site"),
            ("Sec-Fetch-Site", "same-site"),
        ] {
            for token in [false, true] {
                let host = ("Host", "127.0.0.1:8079");
                let asked = asked("/api/connections", &[host, field, bearer], token, true);
                assert_eq!(asked, Err(Fault::CrossSite), "{field:?}");
            }
        }
        let typed = ("Sec-Fetch-Site", "none");
        assert_eq!(asked("/metrics", &[typed], false, false), Ok(()));
    }

    #[test]
    fn a_name_that_was_turned_to_this_machine_is_refused() {
        for (host, allowed) in [
            ("127.0.0.1:8079", true),
            ("127.0.0.1", true),
            ("[::1]:8079", true),
            ("localhost:8079", true),
            ("LOCALHOST", true),
            ("rebound.example:8079", false),
            ("127.0.0.1.example", false),
            ("localhost.example", false),
            ("rebound.example@127.0.0.1", false),
            ("", false),
        ] {
            let asked = asked("/metrics", &[("Host", host)], false, false);
            assert_eq!(asked.is_ok(), allowed, "{host}");
        }
    }

    #[test]
    fn a_token_opens_everything_and_health_needs_none() {
        let right = ("Authorization", "bearer 0123456789abcdef");
        let wrong = ("Authorization", "Bearer 0123456789abcdeF");
        let basic = ("Authorization", "Basic 0123456789abcdef");
        let named = ("Host", "gate.example:8079");
        assert_eq!(asked("/api/log", &[right, named], true, false), Ok(()));
        for shown in [wrong, basic, ("Authorization", "Bearer")] {
            let asked = asked("/healthz", &[shown], true, false);
            assert_eq!(asked, Err(Fault::TokenWrong), "{shown:?}");
        }
        for (path, open, answer) in [
            ("/healthz", false, Ok(())),
            ("/readyz", false, Ok(())),
            ("/metrics", true, Ok(())),
            ("/metrics", false, Err(Fault::TokenMissing)),
            ("/api/connections", true, Err(Fault::TokenMissing)),
        ] {
            assert_eq!(asked(path, &[], true, open), answer, "{path}");
        }
    }
}
