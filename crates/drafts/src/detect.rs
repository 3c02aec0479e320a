//! Which draft a request is in: one ordered table, first match wins.
//!
//! Not a set of independent booleans: requests of different drafts overlap, and
//! only an order makes each of them mean one thing.

use draftgate_core::Draft;
use draftgate_wire::opening::{ConnectProtocol, Keyed, Refusal, RefusalKind, tokens};
use http::{
    HeaderMap, HeaderName, Method, Version,
    header::{self, AsHeaderName},
    request::Parts,
};

use crate::{OVER_HTTP_2, VERSION_ALIASED, WITHOUT_KEYS};

// Looked for in every request, and made once.
static KEY1: HeaderName = HeaderName::from_static("sec-websocket-key1");
static KEY2: HeaderName = HeaderName::from_static("sec-websocket-key2");
static NONCE: HeaderName = HeaderName::from_static("sec-websocket-nonce");
static DRAFT: HeaderName = HeaderName::from_static("sec-websocket-draft");

/// The method of Resin's clients in hello-00.
const RESINS_METHOD: &str = "WEBSOCKET";

/// What a route allows beyond the table.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detection {
    /// Take a request for hixie-75 although it has no `Origin`: some devices
    /// send none. Off by default, since any port scanner looks like that.
    pub without_origin: bool,
    /// Take the versions 9 to 12 for Version 8: hybi-09 to -12 all travelled
    /// as 8, but a library of 2011 sent the number of its draft.
    pub version_aliases: bool,
    /// Take a key of 15 octets in Version 8, which ws 0.4 for Node.js sends.
    pub short_keys: bool,
    /// Take the method `WEBSOCKET`, with which Resin's client of hello-00 opens, for
    /// GET in that draft. Its server takes no other.
    pub websocket_method: bool,
}

impl Detection {
    /// Whatever any route may allow: what was sent is what counts.
    pub const LENIENT: Self = Self {
        without_origin: true,
        version_aliases: true,
        short_keys: false,
        websocket_method: true,
    };

    /// All that octets can be told by, where nobody acts on them.
    pub const RECORDED: Self = Self {
        without_origin: false,
        version_aliases: false,
        short_keys: false,
        websocket_method: true,
    };
}

/// The draft of `request`. A draft that is known but not built is named all
/// the same: [`accept`](crate::accept) refuses it.
///
/// # Errors
/// Why it is no opening of any draft; [`RefusalKind::NotWebSocket`] for an
/// ordinary HTTP request.
pub fn detect(request: &Parts, options: Detection) -> Result<Draft, Refusal> {
    let fields = &request.headers;
    if let Some(protocol) = ConnectProtocol::of(request) {
        return connected(fields, protocol);
    }
    let resins = options.websocket_method && request.method.as_str() == RESINS_METHOD;
    if request.method != Method::GET && !resins {
        return Err(not_get(request));
    }
    if request.version < Version::HTTP_11 {
        return Err(RefusalKind::HttpVersion.into());
    }
    upgrade(fields)?;
    let has_version = has(fields, &header::SEC_WEBSOCKET_VERSION);
    let keys = has(fields, &KEY1) || has(fields, &KEY2);
    let nonces = has(fields, &NONCE) && !keys && !has_version;
    if resins && !nonces {
        return Err(not_get(request));
    }
    if has_version {
        return versioned(fields, options);
    }
    if nonces {
        return nonce(fields);
    }
    if keys {
        return challenged(fields);
    }
    if has(fields, &header::SEC_WEBSOCKET_KEY) {
        return Err(RefusalKind::VersionMissing.into());
    }
    if has(fields, &DRAFT) {
        return Err(RefusalKind::DraftAlone.into());
    }
    if has(fields, &header::SEC_WEBSOCKET_EXTENSIONS) || has(fields, "sec-websocket-origin") {
        return Err(RefusalKind::KeyStripped.into());
    }
    if has(fields, &header::ORIGIN) || options.without_origin {
        return Ok(WITHOUT_KEYS);
    }
    Err(RefusalKind::OriginMissing.into())
}

/// Over HTTP/2 there is one version, and a stream instead of a key (RFC 8441 §5).
fn connected(fields: &HeaderMap, protocol: &ConnectProtocol) -> Result<Draft, Refusal> {
    if !protocol.is_websocket() {
        let detail = format!("`{}`", protocol.0);
        return Err(Refusal::with(RefusalKind::ConnectUnknown, detail));
    }
    if !has(fields, &header::SEC_WEBSOCKET_VERSION) {
        return Err(RefusalKind::VersionMissing.into());
    }
    match version(fields)? {
        version if Some(version) == OVER_HTTP_2.version() => Ok(OVER_HTTP_2),
        version => Err(Refusal::with(
            RefusalKind::VersionUnsupported,
            format!("version {version}, over HTTP/2"),
        )),
    }
}

fn not_get(request: &Parts) -> Refusal {
    Refusal::with(RefusalKind::MethodNotGet, request.method.to_string())
}

fn has(fields: &HeaderMap, name: impl AsHeaderName) -> bool {
    fields.contains_key(name)
}

/// The tokens in any letter case and any list: Firefox sends
/// `Connection: keep-alive, Upgrade`.
fn upgrade(fields: &HeaderMap) -> Result<(), Refusal> {
    let says = |name, token| tokens(fields, name).any(|t| t.eq_ignore_ascii_case(token));
    if says(&header::UPGRADE, "websocket") && says(&header::CONNECTION, "upgrade") {
        return Ok(());
    }
    let ours = |name: &HeaderName| name.as_str().starts_with("sec-websocket-");
    Err(if fields.keys().any(ours) {
        RefusalKind::UpgradeMissing.into()
    } else {
        RefusalKind::NotWebSocket.into()
    })
}

/// hybi-04 on: `Sec-WebSocket-Version` and `Sec-WebSocket-Key`.
fn versioned(fields: &HeaderMap, options: Detection) -> Result<Draft, Refusal> {
    let version = version(fields)?;
    let draft = match version {
        9..=12 if options.version_aliases => Some(VERSION_ALIASED),
        _ => Draft::ALL
            .into_iter()
            .find(|d| d.version() == Some(version)),
    };
    let Some(draft) = draft else {
        let detail = format!("version {version}");
        return Err(Refusal::with(RefusalKind::VersionUnsupported, detail));
    };
    let mut keys = fields.get_all(&header::SEC_WEBSOCKET_KEY).iter();
    let (Some(key), None) = (keys.next(), keys.next()) else {
        let detail = "it is missing or stands more than once";
        return Err(Refusal::with(RefusalKind::KeyInvalid, detail));
    };
    let read = match options.short_keys && draft == VERSION_ALIASED {
        true => Keyed::from_short_key,
        false => Keyed::from_key,
    };
    match key.to_str().ok().and_then(read) {
        Some(_) => Ok(draft),
        None => Err(RefusalKind::KeyInvalid.into()),
    }
}

fn version(fields: &HeaderMap) -> Result<u8, Refusal> {
    let malformed = |detail: String| Refusal::with(RefusalKind::VersionMalformed, detail);
    let mut values = fields.get_all(&header::SEC_WEBSOCKET_VERSION).iter();
    let (Some(value), None) = (values.next(), values.next()) else {
        return Err(malformed("it stands more than once".into()));
    };
    let value = value.to_str().unwrap_or("").trim_matches([' ', '\t']);
    let digits = value.bytes().all(|o| o.is_ascii_digit());
    let leading_zero = value.len() > 1 && value.starts_with('0');
    match value.parse() {
        Ok(version) if digits && !leading_zero => Ok(version),
        _ => Err(malformed(format!("`{value}`"))),
    }
}

/// draft-montenegro-hybi-upgrade-hello-handshake-00, with any `Sec-WebSocket-Draft`.
fn nonce(fields: &HeaderMap) -> Result<Draft, Refusal> {
    let mut nonces = fields.get_all(&NONCE).iter();
    let (Some(nonce), None) = (nonces.next(), nonces.next()) else {
        return Err(RefusalKind::NonceInvalid.into());
    };
    let nonce = nonce.as_bytes();
    if nonce.len() == 16 && nonce.iter().all(u8::is_ascii_hexdigit) {
        return Ok(Draft::Hello00);
    }
    Err(RefusalKind::NonceInvalid.into())
}

/// hixie-76 to hybi-03: two keys, told apart by `Sec-WebSocket-Draft`.
fn challenged(fields: &HeaderMap) -> Result<Draft, Refusal> {
    for name in [&KEY1, &KEY2] {
        let count = fields.get_all(name).iter().count();
        if count != 1 {
            let detail = format!("{name} stands {count} times");
            return Err(Refusal::with(RefusalKind::ChallengeKeyMissing, detail));
        }
    }
    let Some(draft) = fields.get(&DRAFT) else {
        return Ok(Draft::Hixie76);
    };
    match draft.to_str().unwrap_or("").trim() {
        "0" => Ok(Draft::Hixie76),
        "1" => Ok(Draft::Hybi01),
        "2" => Ok(Draft::Hybi02),
        "3" => Ok(Draft::Hybi03),
        other => Err(Refusal::with(
            RefusalKind::ChallengeDraftUnknown,
            format!("`{other}`"),
        )),
    }
}
