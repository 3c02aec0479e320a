//! The parameters of a request: of its query, or of a small body in the same
//! form. Each is asked for by name, and what nobody asked for is a mistake: a
//! filter that is spelled wrongly must not close everybody's connection.

use std::{borrow::Cow, net::IpAddr, time::Duration};

use draftgate_core::Draft;
use ipnet::IpNet;

use super::answer::Fault;
use crate::config::units;

/// The parameters that are left.
#[derive(Debug)]
pub(super) struct Params<'a> {
    left: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    known: Vec<&'static str>,
}

impl<'a> Params<'a> {
    /// Those of `query`, and of `body`.
    ///
    /// # Errors
    /// They are no text, or one stands twice.
    pub(super) fn read(query: Option<&'a str>, body: &'a [u8]) -> Result<Self, Fault> {
        let body = std::str::from_utf8(body)
            .map_err(|_| Fault::Query("the body is no text".to_owned()))?;
        let mut left: Vec<(Cow<'a, str>, Cow<'a, str>)> = Vec::new();
        let pairs = query.unwrap_or_default().split('&').chain(body.split('&'));
        for pair in pairs.map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let (name, value) = (decoded(name)?, decoded(value)?);
            if left.iter().any(|(other, _)| *other == name) {
                return Err(Fault::Query(format!("`{name}` stands twice")));
            }
            left.push((name, value));
        }
        Ok(Self {
            left,
            known: Vec::new(),
        })
    }

    /// The text of `name`.
    pub(super) fn text(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        let at = self.left.iter().position(|(it, _)| it == name)?;
        Some(self.left.swap_remove(at).1.into_owned())
    }

    /// What `read` makes of the text of `name`.
    ///
    /// # Errors
    /// It makes nothing of it; `what` it must be.
    pub(super) fn read_as<T>(
        &mut self,
        name: &'static str,
        what: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Fault> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        match read(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(Fault::Query(format!(
                "`{name}` must be {what}, not `{text}`"
            ))),
        }
    }

    /// A draft, by any of its names.
    pub(super) fn draft(&mut self) -> Result<Option<Draft>, Fault> {
        self.read_as("draft", "the name of a draft", |text| text.parse().ok())
    }

    /// A network, or an address.
    pub(super) fn network(&mut self, name: &'static str) -> Result<Option<IpNet>, Fault> {
        let read = |text: &str| {
            let address = text.parse::<IpAddr>().ok().map(IpNet::from);
            address.or_else(|| text.parse().ok())
        };
        self.read_as(name, "an address or a network such as 10.0.0.0/8", read)
    }

    /// A duration, as the configuration writes it.
    pub(super) fn duration(&mut self, name: &'static str) -> Result<Option<Duration>, Fault> {
        let read = |text: &str| units::duration(text).ok();
        self.read_as(name, "a duration such as 30s", read)
    }

    /// A count.
    pub(super) fn count(&mut self, name: &'static str) -> Result<Option<usize>, Fault> {
        self.read_as(name, "a number", |text| text.parse().ok())
    }

    /// Whether it stands there, alone or as `true`.
    pub(super) fn flag(&mut self, name: &'static str) -> Result<bool, Fault> {
        let read = |text: &str| match text {
            "" | "true" => Some(true),
            "false" => Some(false),
            _ => None,
        };
        let said = self.read_as(name, "true or false", read)?;
        Ok(said.unwrap_or(false))
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is.
    pub(super) fn finish(self) -> Result<(), Fault> {
        let Some((name, _)) = self.left.first() else {
            return Ok(());
        };
        Err(Fault::Query(match self.known.as_slice() {
            [] => format!("there is no `{name}` here, nor anything else to say"),
            known => format!("there is no `{name}` here; known are {}", known.join(", ")),
        }))
    }
}

/// `text` with its percent-encoding undone, and `+` for a space.
fn decoded(text: &str) -> Result<Cow<'_, str>, Fault> {
    if !text.contains(['%', '+']) {
        return Ok(Cow::Borrowed(text));
    }
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        octets.push(match octet {
            b'+' => b' ',
            b'%' => {
                let digits = behind.get(..2).and_then(|it| std::str::from_utf8(it).ok());
                let octet = digits.and_then(|it| u8::from_str_radix(it, 16).ok());
                rest = behind.get(2..).unwrap_or_default();
                octet.ok_or_else(|| not_encoded(text))?
            }
            plain => plain,
        });
    }
    let text = String::from_utf8(octets).map_err(|_| not_encoded(text))?;
    Ok(Cow::Owned(text))
}

fn not_encoded(text: &str) -> Fault {
    Fault::Query(format!("`{text}` is not percent-encoded UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_come_from_query_and_body_and_none_may_be_left() {
        let mut params = Params::read(Some("a=1%2f2+3&b"), b"c=%C3%A9\n").unwrap();
        assert_eq!(params.text("a").as_deref(), Some("1/2 3"));
        assert_eq!(params.flag("b"), Ok(true));
        let Err(Fault::Query(words)) = params.finish() else {
            panic!("`c` is left");
        };
        assert_eq!(words, "there is no `c` here; known are a, b");
    }

    #[test]
    fn what_is_not_understood_is_said() {
        for query in ["a=%", "a=%4", "a=%zz", "a=%ff", "a=1&a=2", "=%"] {
            assert!(Params::read(Some(query), b"").is_err(), "{query}");
        }
        let mut params =
            Params::read(Some("peer=10.0.0.0%2F8&draft=hybi-99&limit=x"), b"").unwrap();
        assert!(params.network("peer").unwrap().is_some());
        assert!(params.draft().is_err() && params.count("limit").is_err());
    }
}
