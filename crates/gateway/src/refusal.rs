//! What a client is told that we do not serve: one form for every reason,
//! whoever found it (the listener, hyper, the path, the origin, the draft).
//!
//! The octets are written by us and not by hyper, whose own answers to what it
//! cannot parse have no body. Every refusal ends the connection: behind a
//! refused hixie-76 head lies key3, which would be read as the next request.

use std::{borrow::Cow, fmt::Write};

use bytes::Bytes;
use draftgate_drafts::opening::{Refusal, RefusalKind};
use http::{HeaderName, HeaderValue, header};
use http_body_util::Full;

use crate::{Answered, config::OriginRefused};

/// A request, or a connection, that was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{sentence}")]
pub struct Refused {
    /// The HTTP status.
    pub status: u16,
    /// The stable code, the same in the body and in the log.
    pub code: &'static str,
    /// What is wrong.
    pub sentence: Cow<'static, str>,
    /// What exactly was found, if there is more to say.
    pub detail: Option<Box<str>>,
    /// Whether `detail` is for the log alone: it names what clients need not
    /// know.
    pub private: bool,
    /// What to do about it.
    pub remedy: &'static str,
    /// One more field for the head: `Allow`, `Retry-After`, `Sec-WebSocket-Version`.
    pub field: Option<(&'static str, Box<str>)>,
    /// What somebody else answered, which is handed on instead of our own body.
    pub answered: Option<Box<Answered>>,
}

/// The gateway's own reasons: code, status, sentence, remedy.
macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident $code:literal $status:literal; $sentence:literal; $remedy:literal)*) => {
        impl Refused {
            $($(#[$doc])* pub(crate) fn $name() -> Self {
                Self {
                    status: $status,
                    code: $code,
                    sentence: Cow::Borrowed($sentence),
                    detail: None,
            private: false,
                    remedy: $remedy,
                    field: None,
                    answered: None,
                }
            })*

            /// The gateway's own reasons, those that no draft has, in
            /// alphabetical order of their codes: for the documents.
            pub fn own() -> Vec<Self> {
                vec![$(Self::$name(),)*]
            }
        }
    };
}

reasons! {
    /// A token that is over.
    auth_expired "auth-expired" 401;
        "the token has expired";
        "get a new one; if it is new, compare the clocks of both machines, or raise `auth.jwt.leeway`"
    /// What was shown is not for this.
    auth_forbidden "auth-forbidden" 403;
        "whoever shows this may come in, but not for this";
        "ask for the right: `subscribe` and `publish` of the route, of the token or its claim say who has it, or the server behind `auth.url`"
    /// Nothing was shown.
    auth_missing "auth-missing" 401;
        "this route needs a token, and none was shown";
        "send `Authorization: Bearer TOKEN`, or put it where the route's `auth.from` looks"
    /// Nobody could be asked.
    auth_unavailable "auth-unavailable" 503;
        "who decides about this could not be asked";
        "connect again in a moment; whoever runs this finds the reason in the log"
    /// Something else was shown.
    auth_wrong "auth-wrong" 401;
        "what was shown does not let in";
        "look at the token: whether it is whole, for this route, and signed by whom `auth` of the route trusts"
    /// What is published cannot be read to its end.
    body_malformed "body-malformed" 400;
        "the request's body is not well-formed, or breaks off";
        "send `Content-Length` octets, or chunks as RFC 9112 has them"
    /// What is published does not come in time.
    body_timeout "body-timeout" 408;
        "the message did not arrive in time";
        "send it at once; it may fall behind 1000 octets a second by `timeouts.message`"
    /// A body where none belongs.
    body_unexpected "body-unexpected" 400;
        "the request has a body, and only key3 of hixie-76 (8 octets) may stand there";
        "send the request without Content-Length and Transfer-Encoding"
    /// The part of the path that names the channel is no channel name.
    channel_invalid "channel-invalid" 404;
        "the path names no channel";
        "a channel's name is 1 to 255 of the characters A-Z a-z 0-9 . _ ~ -"
    /// The field of RFC 7239 of a trusted proxy.
    forwarded_malformed "forwarded-malformed" 400;
        "the field Forwarded, which a proxy in front added to, is not well-formed";
        "let the proxy remove what the client sent as Forwarded, or send X-Forwarded-For"
    /// hyper could not read the head.
    head_malformed "head-malformed" 400;
        "the request's head is not well-formed HTTP/1.1";
        "correct the client; spaces and quotes in a path must be percent-encoded"
    /// The head did not come in time.
    head_timeout "head-timeout" 408;
        "the request's head did not arrive in time";
        "send the whole head at once, up to the empty line"
    /// Too many octets or fields.
    head_too_large "head-too-large" 431;
        "the request's head is too large or has too many fields";
        "send fewer or smaller fields (cookies?), or raise `head` or `head-fields` of the listener"
    /// Loopback under a name of elsewhere.
    host_foreign "host-foreign" 403;
        "the Host is a name that any web page could have turned to this address";
        "connect to the address itself (127.0.0.1), or show the token, or set `public-url` to the name by which clients connect"
    /// The body that should have been key3 did not come in time.
    key3_timeout "key3-timeout" 408;
        "the 8 octets of key3 did not arrive in time";
        "a proxy in front is holding them: let it pass TCP through (TCP mode)"
    /// What is published has no type that can be told to the bus.
    media_type "media-type" 415;
        "a message of this type is neither text in UTF-8 nor binary";
        "send text/plain, application/json or application/octet-stream: `curl --data-binary @FILE` and not `--form`"
    /// What is published is larger than the route allows.
    message_too_large "message-too-large" 413;
        "the message is larger than the route's limit";
        "send less at once, or raise `limits.message` of the route"
    /// A method that the page and the files of the policy do not answer.
    method_not_allowed "method-not-allowed" 405;
        "what is served under this path is only read";
        "use GET or HEAD"
    /// Text that is none.
    not_text "not-text" 400;
        "the message is not UTF-8, as text must be";
        "send UTF-8, or `Content-Type: application/octet-stream` for binary"
    /// HTTP where TLS is spoken.
    not_tls "not-tls" 400;
        "this port speaks TLS, and the request came without it";
        "use wss:// or https://"
    /// A segment that a server would resolve.
    path_leads_up "path-leads-up" 400;
        "the path has segments that are `.` or `..`, and a proxy passes none of these on";
        "write the path without them"
    /// No route and no file.
    path_unknown "path-unknown" 404;
        "nothing is served under this path";
        "`draftgate check` lists the routes"
    /// A header of the PROXY protocol that is none.
    proxy_header_malformed "proxy-header-malformed" 400;
        "the connection's header of the PROXY protocol is malformed";
        "look at the proxy in front: it must write version 1 or 2 of the protocol and nothing before it"
    /// The first octets begin no such header.
    proxy_header_missing "proxy-header-missing" 400;
        "the connection does not begin with a header of the PROXY protocol, which this listener requires";
        "switch it on in the proxy (`send-proxy-v2`, `proxy_protocol on`), or connect to a listener without `proxy-protocol`"
    /// The header did not come in time.
    proxy_header_timeout "proxy-header-timeout" 408;
        "the connection's header of the PROXY protocol did not arrive in time";
        "switch it on in the proxy (`send-proxy-v2`, `proxy_protocol on`), which sends it at once"
    /// It has more octets than are held for it.
    proxy_header_too_long "proxy-header-too-long" 400;
        "the connection's header of the PROXY protocol is longer than 107 octets (version 1) or 4 KiB (version 2)";
        "let the proxy send fewer extensions (TLVs)"
    /// TCP ended within the header.
    proxy_header_truncated "proxy-header-truncated" 400;
        "the connection ended within its header of the PROXY protocol";
        "look at the proxy in front: it must send the whole header"
    /// A peer that may not announce anybody.
    proxy_untrusted "proxy-untrusted" 403;
        "this listener is for the proxies in front of it";
        "connect to the proxy, or add this address to `trusted-proxies` of the listener if it is one"
    /// More messages than the route's rate.
    publishing_too_fast "publishing-too-fast" 429;
        "messages come faster than one client may publish here";
        "wait before the next, or raise `limits.message-rate` of the route"
    /// `?poll=` without a number.
    query_invalid "query-invalid" 400;
        "the query is not understood";
        "write `?poll` or `?poll=SECONDS`, `&after=ID`, `&envelope`"
    /// Draining.
    shutting_down "shutting-down" 503;
        "the gateway is shutting down";
        "connect again in a moment"
    /// A publisher that shows no token.
    token_missing "token-missing" 401;
        "publishing over HTTP needs the token here";
        "send `Authorization: Bearer TOKEN`"
    /// A publisher where there is no token.
    token_unset "token-unset" 403;
        "only programs of the gateway's own machine may publish over HTTP here, for no token is set";
        "set `http.token` in the configuration, and send `Authorization: Bearer TOKEN`"
    /// Another token.
    token_wrong "token-wrong" 401;
        "this is not the token";
        "send that of `http.token`, or of the route's own `http`"
    /// The listener is full.
    too_many_connections "too-many-connections" 503;
        "the gateway has as many connections open as it may";
        "connect again later, or raise `max-connections` of the listener"
    /// The address has too many connections.
    too_many_from_address "too-many-from-address" 429;
        "this address has as many connections open as one address may";
        "close some, or raise `per-ip` of the listener"
    /// The address's other openings did not end in time.
    too_many_half_open "too-many-half-open" 429;
        "this address has as many openings under way as one address may, and none ended in time";
        "finish openings at once, or raise `half-open-per-ip` or `timeouts.turn` of the listener"
    /// The server behind a proxy route answered with something else than a 101.
    upstream_answered "upstream-answered" 502;
        "the upstream refuses";
        "this is its own answer, with its own status: look at its documents and its log"
    /// It has as many connections as it may.
    upstream_busy "upstream-busy" 503;
        "the upstream has as many connections open as it may";
        "connect again later, or raise `max-upstream-connections` or `upstream-wait` of the route"
    /// It did not answer.
    upstream_timeout "upstream-timeout" 504;
        "the upstream did not answer in time";
        "look whether it runs and what it waits for; `upstream-connect-timeout` and `upstream-answer-timeout` of the route say how long it may take"
    /// It cannot be connected to.
    upstream_unreachable "upstream-unreachable" 502;
        "the upstream cannot be reached, or answers no WebSocket opening in the drafts that were tried";
        "look whether it runs; `draftgate probe` says what it speaks, `upstream-drafts` of the route what is tried"
    /// The request cannot be made in its draft.
    upstream_unspeakable "upstream-unspeakable" 502;
        "what the client asks for cannot be asked in a draft of the upstream";
        "allow another draft in `upstream-drafts` of the route"
    /// hyper takes no longer ones, whatever `head` allows.
    uri_too_long "uri-too-long" 414;
        "the request's target is longer than 64 KiB";
        "shorten the path or the query"
}

/// The gateway's own refusals as a table for the documents.
pub fn refusal_table() -> String {
    let mut table =
        String::from("| code | status | what is wrong | what to do |\n| --- | --- | --- | --- |\n");
    for Refused {
        code,
        status,
        sentence,
        remedy,
        ..
    } in Refused::own()
    {
        let _ = writeln!(table, "| `{code}` | {status} | {sentence} | {remedy} |");
    }
    table
}

impl Refused {
    /// A refusal of a service's own, with what is wrong (`sentence`) and what
    /// to do about it (`remedy`).
    pub fn new(
        status: u16,
        code: &'static str,
        sentence: impl Into<Cow<'static, str>>,
        remedy: &'static str,
    ) -> Self {
        Self {
            status,
            code,
            sentence: sentence.into(),
            detail: None,
            private: false,
            remedy,
            field: None,
            answered: None,
        }
    }

    /// The same with what was found.
    pub(crate) fn with(mut self, detail: impl Into<Box<str>>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    /// The same with what was found, for the log alone.
    pub(crate) fn with_private(self, detail: impl Into<Box<str>>) -> Self {
        Self {
            private: true,
            ..self.with(detail)
        }
    }

    /// The same with one more field in its head.
    pub(crate) fn field(mut self, name: &'static str, value: impl Into<Box<str>>) -> Self {
        self.field = Some((name, value.into()));
        self
    }

    /// What a draft refused. `versions` is the list for
    /// `Sec-WebSocket-Version`, used where the refusal lists versions.
    pub(crate) fn opening(refusal: Refusal, versions: impl FnOnce() -> String) -> Self {
        let refused = Self {
            status: refusal.status(),
            code: refusal.code(),
            sentence: refusal.kind.sentence().into(),
            remedy: refusal.remedy(),
            detail: refusal.detail.as_deref().map(Box::from),
            private: false,
            field: None,
            answered: None,
        };
        match (refusal.lists_versions(), refused.status) {
            (true, _) => {
                let versions = versions();
                match versions.is_empty() {
                    true => refused,
                    false => refused.field("Sec-WebSocket-Version", versions),
                }
            }
            (false, 405) => refused.field("Allow", "GET"),
            _ => refused,
        }
    }

    /// The octets of the answer, with `id` naming the connection in the log.
    /// An answer to `HEAD` ends with its head.
    pub(crate) fn to_octets(&self, id: &str, head_only: bool) -> Vec<u8> {
        if let Some(answered) = &self.answered {
            return answered.to_octets(self.status);
        }
        let body = self.body(id);
        let mut answer = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason());
        let mut field = |name: &str, value: &str| {
            let _ = write!(answer, "{name}: {value}\r\n");
        };
        field("Content-Type", "text/plain; charset=utf-8");
        field("Content-Length", &body.len().to_string());
        field("Connection", "close");
        if self.status == 426 {
            // RFC 9110 §15.5.22, and §7.8: Upgrade is named in Connection, too.
            field("Connection", "Upgrade");
            field("Upgrade", "websocket");
        }
        if let Some((name, value)) = &self.field {
            field(name, value);
        }
        answer.push_str("\r\n");
        if !head_only {
            answer.push_str(&body);
        }
        answer.into_bytes()
    }

    /// The same answer for hyper to write, on a connection that goes on.
    pub(crate) fn to_response(&self, id: &str) -> http::Response<Full<Bytes>> {
        if let Some(answered) = &self.answered {
            return answered.to_response(self.status);
        }
        let mut answer = http::Response::new(Full::from(self.body(id)));
        *answer.status_mut() = http::StatusCode::from_u16(self.status).unwrap_or_default();
        let fields = answer.headers_mut();
        let text = HeaderValue::from_static("text/plain; charset=utf-8");
        fields.insert(header::CONTENT_TYPE, text);
        if let Some((name, value)) = &self.field
            && let Ok(name) = HeaderName::from_bytes(name.as_bytes())
            && let Ok(value) = HeaderValue::from_str(value)
        {
            fields.insert(name, value);
        }
        answer
    }

    fn body(&self, id: &str) -> String {
        let mut body = format!("draftgate: {}", self.sentence);
        if let Some(detail) = self.detail.as_ref().filter(|_| !self.private) {
            // What was found comes from the client: one line, whatever it holds.
            // A quote ends nothing here, and our own words have apostrophes.
            let _ = body.write_str(" (");
            for found in detail.chars() {
                let _ = match found {
                    '\'' | '"' => body.write_char(found),
                    _ => write!(body, "{}", found.escape_debug()),
                };
            }
            body.push(')');
        }
        let _ = write!(
            body,
            ".\nWhat to do: {}.\nCode: {}\nId: {id}\n",
            self.remedy, self.code
        );
        body
    }

    fn reason(&self) -> &'static str {
        http::StatusCode::from_u16(self.status)
            .ok()
            .and_then(|status| status.canonical_reason())
            .unwrap_or("Refused")
    }
}

/// Under the codes of the openings: which rule of the route is missing stands
/// in the detail.
impl From<OriginRefused> for Refused {
    fn from(refused: OriginRefused) -> Self {
        let kind = match refused {
            OriginRefused::TwoOrigins(..) => RefusalKind::OriginAmbiguous,
            OriginRefused::Malformed => RefusalKind::UnechoableField,
            _ => RefusalKind::OriginRefused,
        };
        Self::opening(Refusal::with(kind, refused.to_string()), String::new)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(octets: Vec<u8>) -> String {
        String::from_utf8(octets).unwrap()
    }

    #[test]
    fn a_refusal_says_what_why_what_to_do_and_ends_the_connection() {
        let answer = text(Refused::path_unknown().with("/a").to_octets("c7", false));
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 404 Not Found\r\n"), "{head}");
        assert!(head.contains("\r\nConnection: close"), "{head}");
        assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())));
        assert_eq!(
            body,
            "draftgate: nothing is served under this path (/a).\nWhat to do: `draftgate check` lists the routes.\nCode: path-unknown\nId: c7\n"
        );
    }

    #[test]
    fn codes_are_sorted_and_none_is_a_drafts() {
        let own = Refused::own();
        let codes: Vec<_> = own.iter().map(|refused| refused.code).collect();
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
        assert!(
            RefusalKind::ALL
                .iter()
                .all(|kind| !codes.contains(&kind.code()))
        );
    }

    #[test]
    fn what_a_client_sent_stays_on_its_line() {
        let refused = Refused::path_unknown().with("/a\r\nCode: forged");
        let answer = text(refused.to_octets("c7", false));
        assert!(!answer.contains("\nCode: forged"), "{answer}");
    }

    #[test]
    fn a_detail_reads_as_it_was_written() {
        let refused = Refused::channel_invalid().with("the channel's name has '%' and \"é\"");
        let answer = text(refused.to_octets("c7", false));
        assert!(
            answer.contains(" (the channel's name has '%' and \"é\")."),
            "{answer}"
        );
    }

    #[test]
    fn an_answer_to_head_has_no_body_but_its_length() {
        let answer = text(Refused::path_unknown().to_octets("c7", true));
        assert!(answer.ends_with("\r\n\r\n") && !answer.contains("Content-Length: 0"));
    }

    #[test]
    fn a_refused_version_lists_those_that_are_spoken() {
        let refusal = RefusalKind::VersionUnsupported.into();
        let answer = text(Refused::opening(refusal, || "13".into()).to_octets("c1", false));
        assert!(answer.starts_with("HTTP/1.1 426 "), "{answer}");
        assert!(
            answer.contains("\r\nSec-WebSocket-Version: 13\r\n"),
            "{answer}"
        );
        assert!(answer.contains("\r\nUpgrade: websocket\r\n"), "{answer}");
    }
}
