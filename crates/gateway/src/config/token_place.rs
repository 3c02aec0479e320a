//! Where in a request a token may stand: browsers of old cannot set fields, so
//! there are places for them too.

use std::{fmt, str::FromStr};

use http::{HeaderName, header};

use super::rights;

/// Where a token may stand in a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TokenPlace {
    /// `Authorization: Bearer TOKEN`.
    Authorization,
    /// A field that holds nothing else.
    Field(HeaderName),
    /// A parameter of the query.
    Query(String),
    /// A cookie.
    Cookie(String),
    /// A subprotocol that begins so; the token follows.
    Subprotocol(String),
}

impl TokenPlace {
    /// The names of the fields and parameters whose values hold it.
    pub(super) fn names(&self) -> Vec<String> {
        let names: &[&str] = match self {
            Self::Authorization => &["authorization"],
            Self::Field(name) => &[name.as_str()],
            Self::Query(name) => &[name],
            Self::Cookie(_) => &["cookie"],
            Self::Subprotocol(_) => &["sec-websocket-protocol", "websocket-protocol"],
        };
        names.iter().map(|&name| name.to_owned()).collect()
    }
}

/// A text is no [`TokenPlace`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is none of \"header\", \"header:X-Name\", \"query:name\", \"cookie:name\" and \"subprotocol:prefix.\""
)]
pub struct NotATokenPlace;

impl FromStr for TokenPlace {
    type Err = NotATokenPlace;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A token of RFC 9110 §5.6.2, as names of cookies and subprotocols are.
        let is_token = |name: &str| HeaderName::from_bytes(name.as_bytes()).is_ok();
        let (kind, name) = match text.split_once(':') {
            Some((kind, name)) => (kind, Some(name)),
            None => (text, None),
        };
        match (kind, name) {
            ("header", None) => Ok(Self::Authorization),
            ("header", Some(name)) => match HeaderName::from_bytes(name.as_bytes()) {
                Ok(header::AUTHORIZATION) => Ok(Self::Authorization),
                Ok(name) if rights::field_name(name.as_str()).is_ok() => Ok(Self::Field(name)),
                _ => Err(NotATokenPlace),
            },
            ("query", Some(name)) if is_token(name) => Ok(Self::Query(name.to_owned())),
            ("cookie", Some(name)) if is_token(name) => Ok(Self::Cookie(name.to_owned())),
            ("subprotocol", Some(prefix)) if is_token(prefix) => {
                Ok(Self::Subprotocol(prefix.to_owned()))
            }
            _ => Err(NotATokenPlace),
        }
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorization => f.write_str("the field Authorization"),
            Self::Field(name) => write!(f, "the field {name}"),
            Self::Query(name) => write!(f, "the parameter `{name}` of the query"),
            Self::Cookie(name) => write!(f, "the cookie `{name}`"),
            Self::Subprotocol(prefix) => write!(f, "a subprotocol `{prefix}TOKEN`"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_told_from_what_is_none() {
        for (text, place) in [
            ("header", TokenPlace::Authorization),
            ("header:Authorization", TokenPlace::Authorization),
            (
                "header:X-Token",
                TokenPlace::Field(HeaderName::from_static("x-token")),
            ),
            ("query:t", TokenPlace::Query("t".into())),
            ("cookie:s_id", TokenPlace::Cookie("s_id".into())),
            (
                "subprotocol:bearer.",
                TokenPlace::Subprotocol("bearer.".into()),
            ),
        ] {
            assert_eq!(text.parse(), Ok(place), "{text}");
        }
        for text in [
            "",
            "query",
            "query:",
            "cookie:a b",
            "header:Upgrade",
            "body:x",
            "subprotocol:",
        ] {
            assert_eq!(text.parse::<TokenPlace>(), Err(NotATokenPlace), "{text}");
        }
    }
}
