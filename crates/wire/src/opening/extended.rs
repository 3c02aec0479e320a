//! What of HTTP/2 an opening has to know (RFC 8441): the head has no `Upgrade`, no
//! `Connection` and no key, since a stream of its own proves what they proved.

use http::request::Parts;

/// The `:protocol` of an extended CONNECT (RFC 8441 §4), as whoever read the
/// request leaves it among its extensions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectProtocol(pub Box<str>);

impl ConnectProtocol {
    /// What the request says, if it is an extended CONNECT.
    pub fn of(request: &Parts) -> Option<&Self> {
        request.extensions.get()
    }

    /// Whether it asks for a WebSocket.
    pub fn is_websocket(&self) -> bool {
        self.0.eq_ignore_ascii_case("websocket")
    }
}
