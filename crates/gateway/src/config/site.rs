//! One entry of `policy.allow`: whose Flash and Silverlight programs may
//! connect, and how each of the two writes that.
//!
//! Not an [`OriginRule`]: the plug-ins compare by
//! themselves what they are told, with rules of their own, so that an entry
//! must be something that both formats can say or that is left out of one.

use std::{fmt, str::FromStr};

use super::origin::{OriginRule, host_and_port};

/// The pages whose programs may connect.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Site {
    /// `*`: those of every page.
    Every,
    /// Those of some hosts.
    Of(Hosts),
}

/// `example.com`, `*.example.com`, `https://example.com:8443`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Hosts {
    scheme: Option<Scheme>,
    /// Hosts below this one.
    below: bool,
    host: String,
    /// Other than the scheme's.
    port: Option<u16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Scheme {
    Http,
    Https,
}

impl Scheme {
    fn name(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }
}

impl Site {
    /// `domain` and `secure` of Flash's `allow-access-from`; `None` where a
    /// port was written, which Flash has no word for: leaving the port out
    /// would let in more than the entry says.
    pub(crate) fn flash(&self) -> Option<(String, bool)> {
        match self {
            Self::Every => Some(("*".to_owned(), false)),
            Self::Of(hosts) if hosts.port.is_some() => None,
            Self::Of(hosts) => Some((hosts.pattern(), hosts.scheme == Some(Scheme::Https))),
        }
    }

    /// The `uri`s of Silverlight's `domain`: it tells schemes apart, so that an
    /// entry without one is two.
    pub(crate) fn silverlight(&self) -> Vec<String> {
        match self {
            // As published policies for everyone do: `*` alone does not cover https.
            Self::Every => vec!["*".into(), "http://*".into(), "https://*".into()],
            Self::Of(hosts) => {
                let both = [Scheme::Http, Scheme::Https];
                let schemes = hosts.scheme.map_or_else(|| both.to_vec(), |s| vec![s]);
                schemes.into_iter().map(|s| hosts.uri(s)).collect()
            }
        }
    }
}

impl Hosts {
    fn pattern(&self) -> String {
        match self.below {
            true => format!("*.{}", self.host),
            false => self.host.clone(),
        }
    }

    fn uri(&self, scheme: Scheme) -> String {
        let port = self.port.map_or(String::new(), |port| format!(":{port}"));
        format!("{}://{}{port}", scheme.name(), self.pattern())
    }
}

impl fmt::Display for Site {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every => f.write_str("*"),
            Self::Of(hosts) => match hosts.scheme {
                Some(scheme) => f.write_str(&hosts.uri(scheme)),
                None => f.write_str(&hosts.pattern()),
            },
        }
    }
}

impl FromStr for Site {
    type Err = NotASite;

    fn from_str(text: &str) -> Result<Self, NotASite> {
        if text == "*" {
            return Ok(Self::Every);
        }
        // A word of `origins`, which would be a host's name here.
        if OriginRule::WORDS.contains(&text) {
            return Err(NotASite);
        }
        let (scheme, rest) = match text.split_once("://") {
            Some(("http", rest)) => (Some(Scheme::Http), rest),
            Some(("https", rest)) => (Some(Scheme::Https), rest),
            Some(_) => return Err(NotASite),
            None => (None, text),
        };
        let (below, rest) = match rest.strip_prefix("*.") {
            Some(rest) => (true, rest),
            None => (false, rest),
        };
        let (host, port) = host_and_port(rest).map_err(|_| NotASite)?;
        let port = match (scheme, port) {
            // Of which scheme would it be the port?
            (None, Some(_)) | (_, Some(0)) => return Err(NotASite),
            (Some(Scheme::Http), Some(80)) | (Some(Scheme::Https), Some(443)) => None,
            (_, port) => port,
        };
        let bracketed = host.starts_with('[');
        let labels = || host.split('.');
        let is_name = labels().all(is_label);
        let is_number = bracketed || labels().all(|l| l.bytes().all(|b| b.is_ascii_digit()));
        // `*.com` is every second site there is, and addresses have no hosts below them.
        let wrong = below && (is_number || !host.contains('.'));
        match (bracketed || is_name) && !wrong {
            true => Ok(Self::Of(Hosts {
                scheme,
                below,
                host,
                port,
            })),
            false => Err(NotASite),
        }
    }
}

fn is_label(label: &str) -> bool {
    let inside = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
    (1..=63).contains(&label.len())
        && label.chars().all(inside)
        && !label.starts_with('-')
        && !label.ends_with('-')
}

/// A text that names no site.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "write a host (`example.com`), hosts below one (`*.example.com`), either with `http://` or `https://` before it and then perhaps a port, or `*` for every page; names beyond ASCII in their `xn--` form"
)]
pub struct NotASite;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_plug_in_is_told_in_its_own_words() {
        let both = |host: &str| vec![format!("http://{host}"), format!("https://{host}")];
        for (text, flash, silverlight) in [
            (
                "example.com",
                Some(("example.com", false)),
                both("example.com"),
            ),
            (
                "*.Example.com",
                Some(("*.example.com", false)),
                both("*.example.com"),
            ),
            (
                "https://example.com:443",
                Some(("example.com", true)),
                vec!["https://example.com".into()],
            ),
            (
                "http://*.example.com",
                Some(("*.example.com", false)),
                vec!["http://*.example.com".into()],
            ),
            (
                "http://example.com:8080",
                None,
                vec!["http://example.com:8080".into()],
            ),
            ("192.0.2.7", Some(("192.0.2.7", false)), both("192.0.2.7")),
            ("localhost", Some(("localhost", false)), both("localhost")),
            (
                "*",
                Some(("*", false)),
                vec!["*".into(), "http://*".into(), "https://*".into()],
            ),
        ] {
            let site: Site = text.parse().unwrap_or_else(|e| panic!("{text}: {e}"));
            let told = site.flash();
            let told = told
                .as_ref()
                .map(|(domain, secure)| (domain.as_str(), *secure));
            assert_eq!(told, flash, "{text}");
            assert_eq!(site.silverlight(), silverlight, "{text}");
            assert_eq!(site.to_string().parse(), Ok(site), "{text}");
        }
    }

    #[test]
    fn what_neither_plug_in_could_compare_is_no_site() {
        for text in [
            "",
            "*.",
            "*.com",
            "*example.com",
            "a.*.example.com",
            "*.192.0.2.7",
            "*.[::1]",
            "example.com:8080",
            "http://example.com:0",
            "http://example.com/a",
            "ftp://example.com",
            "file://",
            "http://",
            "user@example.com",
            "a b",
            "a\"b",
            "<a>",
            "a&b",
            "a..b",
            "-a",
            "bücher.example",
            "null",
            "any",
        ] {
            assert_eq!(text.parse::<Site>(), Err(NotASite), "{text}");
        }
    }
}
