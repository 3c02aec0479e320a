//! How operators are answered: JSON, or text where programs expect that; and
//! what is wrong with a request, with a stable code as everywhere else.

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use serde::Serialize;

/// An answer, whole.
pub(super) type Answer = Response<Full<Bytes>>;

/// A request that is not answered as its sender wished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// A page of a browser sent it.
    CrossSite,
    /// A name that any page could have turned to this machine.
    HostForeign,
    TokenMissing,
    TokenWrong,
    /// There is nothing of this name.
    Unknown(String),
    /// It cannot be had in this way; the methods that there are.
    Method(&'static str),
    /// Something in the query, or in the body.
    Query(String),
    /// It can only be done where something else is there.
    Unable(&'static str),
}

impl Fault {
    fn status(&self) -> StatusCode {
        match self {
            Self::CrossSite | Self::HostForeign => StatusCode::FORBIDDEN,
            Self::TokenMissing | Self::TokenWrong => StatusCode::UNAUTHORIZED,
            Self::Unknown(_) => StatusCode::NOT_FOUND,
            Self::Method(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::Query(_) => StatusCode::BAD_REQUEST,
            Self::Unable(_) => StatusCode::CONFLICT,
        }
    }

    /// The stable code, what is wrong, and what to do.
    pub(super) fn words(&self) -> (&'static str, String, &'static str) {
        match self {
            Self::CrossSite => (
                "admin-cross-site",
                "a page in a browser sent this request".to_owned(),
                "ask with `draftgate admin` or curl",
            ),
            Self::HostForeign => (
                "admin-host",
                "the Host is a name that any web page could have turned to this address".to_owned(),
                "ask for the address itself (127.0.0.1), or show the token",
            ),
            Self::TokenMissing => (
                "admin-token-missing",
                "this needs the token".to_owned(),
                "send `Authorization: Bearer TOKEN`, the one of `admin.token`",
            ),
            Self::TokenWrong => (
                "admin-token-wrong",
                "this is not the token".to_owned(),
                "send that of `admin.token`",
            ),
            Self::Unknown(what) => (
                "admin-unknown",
                what.clone(),
                "`GET /api` lists what there is",
            ),
            Self::Method(allowed) => (
                "admin-method",
                format!("this is asked for by {allowed}"),
                "what changes something is asked for by PUT or DELETE, all else by GET",
            ),
            Self::Query(what) => (
                "admin-query",
                what.clone(),
                "see docs/administering.md for what may be asked",
            ),
            Self::Unable(what) => (
                "admin-unable",
                (*what).to_owned(),
                "see docs/administering.md for what it needs",
            ),
        }
    }

    pub(super) fn answer(&self) -> Answer {
        #[derive(Serialize)]
        struct Told {
            code: &'static str,
            error: String,
            what_to_do: &'static str,
        }
        let (code, error, what_to_do) = self.words();
        let mut answer = json(&Told {
            code,
            error,
            what_to_do,
        });
        *answer.status_mut() = self.status();
        let fields = answer.headers_mut();
        match self {
            Self::TokenMissing | Self::TokenWrong => {
                let bearer = HeaderValue::from_static("Bearer");
                fields.insert(header::WWW_AUTHENTICATE, bearer);
            }
            Self::Method(allowed) => {
                fields.insert(header::ALLOW, HeaderValue::from_static(allowed));
            }
            _ => {}
        }
        answer
    }
}

/// `value` as JSON, a line feed behind it.
pub(super) fn json(value: &impl Serialize) -> Answer {
    // It fails for maps whose keys are no strings, which there are none of.
    let mut text = serde_json::to_vec_pretty(value).unwrap_or_default();
    text.push(b'\n');
    of_type("application/json", text)
}

/// A line of text.
pub(super) fn text(status: StatusCode, line: &str) -> Answer {
    let mut answer = of_type("text/plain; charset=utf-8", format!("{line}\n"));
    *answer.status_mut() = status;
    answer
}

/// `body`, which is of this media type.
pub(super) fn of_type(media_type: &'static str, body: impl Into<Bytes>) -> Answer {
    let mut answer = Response::new(Full::new(body.into()));
    let fields = answer.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, media_type),
        (header::CACHE_CONTROL, "no-store"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ] {
        fields.insert(name, HeaderValue::from_static(value));
    }
    answer
}
