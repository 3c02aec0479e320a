//! What HTTP proxies in front say of a request's client: its address, its
//! scheme, and the host it asked for. `X-Forwarded-For`, `-Proto` and `-Host`,
//! or `Forwarded` (RFC 7239) where none of those stands.
//!
//! Each proxy appends what it saw, so only the end of such a list is worth
//! anything: it is read from the right for as long as it names trusted
//! proxies, and whatever stands before the first other address was written by
//! that client and counts for nothing. Whoever calls this trusts the peer.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, uri::Authority};

use crate::{Refused, public_url};

/// What is said of the client; of what nothing is said, nothing is known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Forwarded {
    /// Its address; with port 0 where that is not told.
    pub(crate) client: Option<SocketAddr>,
    /// Whether it came over TLS.
    pub(crate) secure: Option<bool>,
    /// The host that it asked for.
    pub(crate) host: Option<Authority>,
    /// Which fields said so.
    pub(crate) by: Believed,
}

/// The fields of a request in which trusted proxies speak of its client; the
/// others, if they stand there, are the client's own words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Believed {
    /// None.
    #[default]
    Nowhere,
    /// `X-Forwarded-For`, `-Proto` and `-Host`.
    XForwarded,
    /// `Forwarded`.
    Forwarded,
}

/// Reads the fields of a request that came from a trusted proxy.
///
/// # Errors
/// `Forwarded` is malformed where it counts. To guess on could take for a
/// proxy's what its client wrote: an open quote swallows what is appended.
pub(crate) fn read(
    fields: &HeaderMap,
    trusts: impl Fn(IpAddr) -> bool,
) -> Result<Forwarded, Refused> {
    let any = ["x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"]
        .into_iter()
        .any(|name| fields.contains_key(name));
    match any {
        true => Ok(by_name(fields, trusts)),
        false => standard(fields, trusts),
    }
}

/// The walk from the right through a list of addresses.
struct Walk<F> {
    trusts: F,
    client: Option<SocketAddr>,
}

impl<F: Fn(IpAddr) -> bool> Walk<F> {
    /// Takes the next address to the left; whether it is the client's. What is
    /// no address is somebody whom we cannot know: the walk ends there.
    fn ends_at(&mut self, node: Option<&str>) -> bool {
        let Some(address) = node.and_then(parse_node) else {
            return true;
        };
        self.client = Some(address);
        !(self.trusts)(address.ip())
    }
}

fn by_name(fields: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Forwarded {
    let mut walk = Walk {
        trusts,
        client: None,
    };
    let addresses = list(fields, "x-forwarded-for");
    let ends = addresses
        .iter()
        .rev()
        .position(|node| walk.ends_at(Some(node)));
    // The other two are lists, too, or were overwritten on the way: then there
    // is one element for everybody.
    let passed = ends.unwrap_or_else(|| addresses.len().saturating_sub(1));
    let of_client = |name| {
        let elements = list(fields, name);
        let at = elements.len().checked_sub(1)?.saturating_sub(passed);
        elements.get(at).copied()
    };
    Forwarded {
        client: walk.client,
        secure: of_client("x-forwarded-proto").and_then(is_secure),
        host: of_client("x-forwarded-host").and_then(public_url::authority),
        by: Believed::XForwarded,
    }
}

/// The elements of a field with commas, in all its lines. A line that is not
/// text is one element that says nothing.
fn list<'a>(fields: &'a HeaderMap, name: &str) -> Vec<&'a str> {
    let lines = fields.get_all(name).iter();
    lines
        .flat_map(|line| line.to_str().unwrap_or("").split(','))
        .map(str::trim)
        .collect()
}

fn standard(fields: &HeaderMap, trusts: impl Fn(IpAddr) -> bool) -> Result<Forwarded, Refused> {
    let mut walk = Walk {
        trusts,
        client: None,
    };
    let mut last = Element::default();
    'walk: for line in fields.get_all("forwarded").iter().rev() {
        let elements = line.to_str().ok().and_then(elements);
        let elements = elements.ok_or_else(Refused::forwarded_malformed)?;
        for element in elements.into_iter().rev() {
            last = element;
            if walk.ends_at(last.client.as_deref()) {
                break 'walk;
            }
        }
    }
    Ok(Forwarded {
        client: walk.client,
        secure: last.proto.as_deref().and_then(is_secure),
        host: last.host.as_deref().and_then(public_url::authority),
        by: match fields.contains_key("forwarded") {
            true => Believed::Forwarded,
            false => Believed::Nowhere,
        },
    })
}

/// What one proxy wrote into `Forwarded`.
#[derive(Debug, Default)]
struct Element {
    client: Option<String>,
    proto: Option<String>,
    host: Option<String>,
}

/// The elements of one line of `Forwarded` (RFC 7239 §4), `None` if it is no such line.
fn elements(line: &str) -> Option<Vec<Element>> {
    let mut elements = vec![Element::default()];
    let mut rest = line.trim();
    while !rest.is_empty() {
        if !rest.starts_with([',', ';']) {
            let (name, value, behind) = pair(rest)?;
            let element = elements.last_mut()?;
            let place = match name.to_ascii_lowercase().as_str() {
                "for" => Some(&mut element.client),
                "proto" => Some(&mut element.proto),
                "host" => Some(&mut element.host),
                _ => None,
            };
            // None may stand twice (§4); which one would count?
            if place.is_some_and(|place| place.replace(value).is_some()) {
                return None;
            }
            rest = behind.trim_start();
        }
        let mut behind = rest.chars();
        match behind.next() {
            Some(',') => elements.push(Element::default()),
            Some(';') | None => {}
            Some(_) => return None,
        }
        rest = behind.as_str().trim_start();
    }
    Some(elements)
}

/// A name, its value (a token or a quoted string, as RFC 9110 §5.6 has them),
/// and what follows.
fn pair(text: &str) -> Option<(&str, String, &str)> {
    let (name, behind) = token(text)?;
    let behind = behind.strip_prefix('=')?;
    let Some(quoted) = behind.strip_prefix('"') else {
        let (value, behind) = token(behind)?;
        return Some((name, value.to_owned(), behind));
    };
    let mut value = String::new();
    let mut octets = quoted.chars();
    loop {
        match octets.next()? {
            '"' => return Some((name, value, octets.as_str())),
            '\\' => value.push(octets.next()?),
            other => value.push(other),
        }
    }
}

/// A token with what follows. Colon and brackets are none of its characters,
/// but common in addresses that nobody quoted.
fn token(text: &str) -> Option<(&str, &str)> {
    let within = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~:[]".contains(c);
    let end = text.find(|c| !within(c)).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// An address as proxies write it: IPv4 or IPv6, that in brackets or not, with a port
/// or without. `unknown` and hidden names (`_x`) are none.
fn parse_node(text: &str) -> Option<SocketAddr> {
    if let Ok(address) = text.parse::<SocketAddr>() {
        return Some(address);
    }
    let ip = |text: &str| {
        let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']'));
        bare.unwrap_or(text).parse::<IpAddr>().ok()
    };
    let address = ip(text).or_else(|| {
        // The port may be hidden, too.
        let (address, _) = text.rsplit_once(":_")?;
        ip(address)
    })?;
    Some(SocketAddr::new(address, 0))
}

fn is_secure(scheme: &str) -> Option<bool> {
    let is = |known: &[&str]| known.iter().any(|known| known.eq_ignore_ascii_case(scheme));
    match (is(&["https", "wss"]), is(&["http", "ws"])) {
        (true, _) => Some(true),
        (_, true) => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// 10.0.0.0/8 and fd00::/8 are proxies.
    fn trusts(address: IpAddr) -> bool {
        match address.to_canonical() {
            IpAddr::V4(v4) => v4.octets()[0] == 10,
            IpAddr::V6(v6) => v6.octets()[0] == 0xFD,
        }
    }

    fn fields(lines: &[(&'static str, &str)]) -> HeaderMap {
        let mut fields = HeaderMap::new();
        for (name, value) in lines {
            fields.append(*name, value.parse().unwrap());
        }
        fields
    }

    fn told(lines: &[(&'static str, &str)]) -> (Option<String>, Option<bool>, Option<String>) {
        let told = read(&fields(lines), trusts).unwrap();
        let text = |address: SocketAddr| address.to_string();
        (
            told.client.map(text),
            told.secure,
            told.host.map(|host| host.to_string()),
        )
    }

    fn client(name: &'static str, value: &str) -> Option<String> {
        told(&[(name, value)]).0
    }

    #[test]
    fn the_first_address_from_the_right_that_is_no_proxy_is_the_client() {
        for (value, found) in [
            ("192.0.2.1", Some("192.0.2.1:0")),
            ("192.0.2.1, 10.0.0.2,10.0.0.3", Some("192.0.2.1:0")),
            ("8.8.8.8, 192.0.2.1, 10.0.0.2", Some("192.0.2.1:0")),
            ("10.0.0.9, 192.0.2.1", Some("192.0.2.1:0")),
            // All of them proxies: the outermost is whoever asked.
            ("10.0.0.1, 10.0.0.2", Some("10.0.0.1:0")),
            (
                "::ffff:10.0.0.1, ::ffff:10.0.0.2",
                Some("[::ffff:10.0.0.1]:0"),
            ),
            // What cannot be read hides the rest.
            ("192.0.2.1, unknown, 10.0.0.2", Some("10.0.0.2:0")),
            ("192.0.2.1, unknown", None),
            ("192.0.2.1,", None),
            ("", None),
        ] {
            assert_eq!(
                client("x-forwarded-for", value).as_deref(),
                found,
                "{value}"
            );
        }
        let lines = [
            ("x-forwarded-for", "8.8.8.8"),
            ("x-forwarded-for", "192.0.2.1"),
            ("x-forwarded-for", "10.0.0.2"),
        ];
        assert_eq!(told(&lines).0.as_deref(), Some("192.0.2.1:0"));
    }

    #[test]
    fn addresses_are_read_in_every_form() {
        for (text, address) in [
            ("192.0.2.1:8080", "192.0.2.1:8080"),
            ("2001:db8::1", "[2001:db8::1]:0"),
            ("[2001:db8::1]", "[2001:db8::1]:0"),
            ("[2001:db8::1]:8080", "[2001:db8::1]:8080"),
            ("192.0.2.1:_x", "192.0.2.1:0"),
            ("[2001:db8::1]:_x", "[2001:db8::1]:0"),
        ] {
            assert_eq!(parse_node(text), address.parse().ok(), "{text}");
            let quoted = format!("For=\"{text}\"");
            assert_eq!(client("forwarded", &quoted).as_deref(), Some(address));
            let bare = format!("FOR={text};by=10.0.0.1");
            assert_eq!(client("forwarded", &bare).as_deref(), Some(address));
        }
        for text in [
            "unknown",
            "_hidden",
            "",
            "localhost",
            "1.2.3",
            "[::1",
            "192.0.2.1:x",
        ] {
            assert_eq!(parse_node(text), None, "{text}");
        }
    }

    #[test]
    fn scheme_and_host_are_those_that_the_client_was_seen_with() {
        let found = |client: &str, secure, host: &str| {
            (Some(client.to_owned()), secure, Some(host.to_owned()))
        };
        let lines = [
            ("x-forwarded-for", "8.8.8.8, 192.0.2.1, 10.0.0.2"),
            ("x-forwarded-proto", "http, https, http"),
            ("x-forwarded-host", "forged, example.com, inner:8080"),
        ];
        assert_eq!(
            told(&lines),
            found("192.0.2.1:0", Some(true), "example.com")
        );
        // Overwritten by the last proxy, or passed on from the first.
        let lines = [
            ("x-forwarded-for", "192.0.2.1, 10.0.0.2"),
            ("x-forwarded-proto", "wss"),
            ("x-forwarded-host", "Example.com:8443"),
        ];
        let expected = found("192.0.2.1:0", Some(true), "Example.com:8443");
        assert_eq!(told(&lines), expected);
        // Without addresses, what the last one wrote.
        let lines = [("x-forwarded-proto", "https, ws")];
        assert_eq!(told(&lines), (None, Some(false), None));

        let lines = [
            ("forwarded", "for=8.8.8.8;proto=http;host=forged"),
            (
                "forwarded",
                "for=\"192.0.2.1:77\";proto=https;host=\"example.com\", for=10.0.0.2;proto=http",
            ),
        ];
        assert_eq!(
            told(&lines),
            found("192.0.2.1:77", Some(true), "example.com")
        );
        let lines = [("forwarded", "for=_hidden;proto=https;host=example.com")];
        assert_eq!(told(&lines), (None, Some(true), Some("example.com".into())));
    }

    #[test]
    fn what_is_no_scheme_and_no_host_is_not_taken() {
        for host in ["a b", "a/b", "user@a", "a:65536", "a\"", "", "[::1", "a\tb"] {
            let lines = [("x-forwarded-host", host), ("x-forwarded-proto", "gopher")];
            assert_eq!(told(&lines), (None, None, None), "{host}");
        }
        let forged = "host=\"a\\\r\"".replace('\r', "\t");
        assert_eq!(told(&[("forwarded", &forged)]), (None, None, None));
    }

    #[test]
    fn the_names_stand_above_the_standard() {
        let lines = [
            ("forwarded", "for=8.8.8.8;proto=https;host=forged"),
            ("x-forwarded-for", "192.0.2.1"),
        ];
        assert_eq!(told(&lines), (Some("192.0.2.1:0".into()), None, None));
    }

    #[test]
    fn a_client_cannot_swallow_what_a_proxy_appends() {
        for begun in [
            "for=\"",
            "for=\"8.8.8.8",
            "x=\"\\",
            "for=8.8.8.8;x=\"",
            "for",
            "for=",
            "=",
            "a b",
            "for=a;for=b",
        ] {
            for appended in [
                "for=192.0.2.1",
                "for=\"[2001:db8::1]:80\"",
                "proto=https;for=\"192.0.2.1:80\"",
            ] {
                let lines = [("forwarded", &*format!("{begun}, {appended}"))];
                let refused = read(&fields(&lines), trusts).unwrap_err();
                assert_eq!(refused.code, "forwarded-malformed", "{lines:?}");
                // In a line of its own it does no harm.
                let lines = [("forwarded", begun), ("forwarded", appended)];
                assert!(told(&lines).0.is_some(), "{lines:?}");
            }
        }
    }

    #[test]
    fn empty_elements_and_space_are_borne() {
        for value in [
            "for=192.0.2.1 ; proto=https",
            ";for=192.0.2.1;;proto=https;",
            "secret=\"a,b;c\\\"\";for=192.0.2.1;proto=https",
        ] {
            let expected = (Some("192.0.2.1:0".to_owned()), Some(true), None);
            assert_eq!(told(&[("forwarded", value)]), expected, "{value}");
        }
    }

    proptest! {
        #[test]
        fn no_fields_do_harm(values: Vec<Vec<u8>>, which in 0..4usize) {
            let name = ["forwarded", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"][which];
            let mut fields = HeaderMap::new();
            for value in values {
                if let Ok(value) = http::HeaderValue::from_bytes(&value) {
                    fields.append(name, value);
                }
            }
            let _ = read(&fields, trusts);
        }

        #[test]
        fn whatever_a_client_wrote_the_appended_address_counts(begun in "[ -~]{0,40}") {
            let value = format!("{begun}, 192.0.2.1");
            prop_assert_eq!(client("x-forwarded-for", &value), Some("192.0.2.1:0".to_owned()));
            let value = format!("{begun}, for=\"192.0.2.1\"");
            match read(&fields(&[("forwarded", &value)]), trusts) {
                Ok(told) => prop_assert_eq!(told.client, "192.0.2.1:0".parse().ok()),
                Err(refused) => prop_assert_eq!(refused.code, "forwarded-malformed"),
            }
        }
    }
}
