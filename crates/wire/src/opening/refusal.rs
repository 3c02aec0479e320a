//! Why an opening handshake was refused, by either side.
//!
//! Every kind has a stable code for programs and logs, the HTTP status that
//! carries it, a sentence, and what to do; one table holds them all, so that
//! the documents can be generated from it.

use std::{borrow::Cow, fmt};

/// A refused opening.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Refusal {
    /// Which rule was broken.
    pub kind: RefusalKind,
    /// What exactly was found, if there is more to say than the kind's sentence.
    pub detail: Option<Cow<'static, str>>,
}

impl Refusal {
    /// A refusal with what was found.
    pub fn with(kind: RefusalKind, detail: impl Into<Cow<'static, str>>) -> Self {
        Self {
            kind,
            detail: Some(detail.into()),
        }
    }

    /// The stable code: `challenge-key-invalid`.
    pub fn code(&self) -> &'static str {
        self.kind.row().code
    }

    /// The HTTP status that a server refuses with; 0 for what a client refuses.
    pub fn status(&self) -> u16 {
        self.kind.row().status
    }

    /// Whether the refusal should list the versions that would be accepted
    /// (`Sec-WebSocket-Version`, RFC 6455 §4.4).
    pub fn lists_versions(&self) -> bool {
        self.kind.row().lists_versions
    }

    /// What to do about it.
    pub fn remedy(&self) -> &'static str {
        self.kind.row().remedy
    }
}

impl From<RefusalKind> for Refusal {
    fn from(kind: RefusalKind) -> Self {
        Self { kind, detail: None }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.kind.row().sentence)?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

#[derive(Debug)]
struct Row {
    code: &'static str,
    status: u16,
    lists_versions: bool,
    sentence: &'static str,
    remedy: &'static str,
}

macro_rules! refusals {
    ($($(#[$doc:meta])* $kind:ident $code:literal $status:literal $(, $versions:ident)?;
        $sentence:literal; $remedy:literal)*) => {
        /// The rules of the opening handshakes, each with a stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum RefusalKind { $($(#[$doc])* $kind,)* }

        impl RefusalKind {
            /// Every kind, in alphabetical order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            fn row(self) -> &'static Row {
                match self {
                    $(Self::$kind => {
                        const ROW: Row = Row {
                            code: $code,
                            status: $status,
                            lists_versions: [$(stringify!($versions),)? ""].len() == 2,
                            sentence: $sentence,
                            remedy: $remedy,
                        };
                        &ROW
                    })*
                }
            }
        }
    };
}

refusals! {
    /// Client: the accept value does not belong to our key (hybi-04 on).
    AnswerAccept "answer-accept" 0;
        "the server's Sec-WebSocket-Accept does not belong to our key";
        "the server or something in front of it answered from a cache or does not know this draft"
    /// Client: the 16 octets do not answer our challenge (hixie-76).
    AnswerChallenge "answer-challenge" 0;
        "the server's 16 octets do not answer our challenge";
        "something between here and the server changed the keys or held the last 8 octets; connect past it"
    /// Client: `Connection` is not what the draft demands.
    AnswerConnection "answer-connection" 0;
        "the server's Connection field does not say Upgrade";
        "something in front of the server rewrote the answer; connect past it"
    /// Client: an extension that was not offered.
    AnswerExtension "answer-extension" 0;
        "the server accepted an extension that was not offered";
        "report it to whoever runs the server"
    /// Client: a field the draft demands is missing or repeated.
    AnswerField "answer-field" 0;
        "a field of the server's answer is missing or stands more than once";
        "the server may speak another draft: try the others with --draft"
    /// Client: what stands behind the answer is no HELLO that proves anything (hello-00).
    AnswerHello "answer-hello" 0;
        "the server's HELLO does not prove that it read our nonce";
        "the server may speak another draft: try the others with --draft"
    /// Client: the location is not the URL that was asked for.
    AnswerLocation "answer-location" 0;
        "the server's Location is not the URL that was asked for";
        "behind a TLS terminator or port mapping the server must be told its public URL"
    /// Client: the answer is no HTTP head.
    AnswerMalformed "answer-malformed" 0;
        "the answer is not a well-formed HTTP head";
        "check that the address and port belong to a WebSocket server"
    /// Client: the origin echoed is not ours.
    AnswerOrigin "answer-origin" 0;
        "the server's Origin is not the one that was sent";
        "the server accepts another origin: name it with the request"
    /// Client: no 101.
    AnswerStatus "answer-status" 0;
        "the server did not switch protocols";
        "the status and body say why; the server may speak another draft"
    /// Client: the first 85 octets are not those of hixie-75.
    AnswerStatusLine "answer-status-line" 0;
        "the answer does not begin with the octets that this draft prescribes";
        "something in front of the server rewrote the answer, or the server is not true to the draft"
    /// Client: a subprotocol that was not asked for, or none where one is demanded.
    AnswerSubprotocol "answer-subprotocol" 0;
        "the server's subprotocol is not one of those asked for";
        "ask for a subprotocol that the server speaks"
    /// Client: the head is longer than 16 KiB.
    AnswerTooLong "answer-too-long" 0;
        "the answer's head is longer than 16 KiB";
        "check that the address and port belong to a WebSocket server"
    /// Client: `Upgrade` is not what the draft demands.
    AnswerUpgrade "answer-upgrade" 0;
        "the server's Upgrade field does not name WebSocket";
        "the server may speak another draft: try the others with --draft"
    /// Client: what was asked for cannot be written in this draft.
    AskUnspeakable "ask-unspeakable" 0;
        "this draft cannot ask for that";
        "leave it out, or choose a newer draft"
    /// Row 12: a `Sec-WebSocket-Draft` that nobody knows.
    ChallengeDraftUnknown "challenge-draft-unknown" 400;
        "Sec-WebSocket-Draft names no draft that uses keys 1 and 2";
        "send 0 or no Sec-WebSocket-Draft for hixie-76, 1 to 3 for hybi-01 to -03"
    /// hixie-76: a key without spaces or digits, or not divisible.
    ChallengeKeyInvalid "challenge-key-invalid" 400;
        "Sec-WebSocket-Key1 or -Key2 is not a key of hixie-76";
        "each key needs digits and spaces, and the number must be divisible by the count of spaces; a proxy that squeezes spaces breaks it"
    /// Row 13: one of the two keys alone, or one of them twice.
    ChallengeKeyMissing "challenge-key-missing" 400;
        "exactly one Sec-WebSocket-Key1 and one Sec-WebSocket-Key2 belong together";
        "something in front removed or doubled a field: pass the request through unchanged (TCP mode)"
    /// Row 1: a CONNECT, over HTTP/2, that asks for no WebSocket.
    ConnectUnknown "connect-unknown" 501;
        "the CONNECT asks for something else than a WebSocket";
        "send `:protocol` `websocket` (RFC 8441); this is no proxy for TCP or UDP"
    /// Row 15: a draft number without any key.
    DraftAlone "draft-alone" 400;
        "Sec-WebSocket-Draft stands without a key";
        "something in front removed the keys: pass the request through unchanged (TCP mode)"
    /// A draft that is known by name but not built yet.
    DraftNotBuilt "draft-not-built" 400, versions;
        "this draft is known but not spoken by this version of draftgate";
        "use one of the drafts that `draftgate check` lists, or a later version of draftgate"
    /// A draft that this route does not speak.
    DraftNotEnabled "draft-not-enabled" 400, versions;
        "this route does not speak the client's draft";
        "add the draft to `drafts` of the route, or use a client of another draft"
    /// No `Host`.
    HostMissing "host-missing" 400;
        "the request has no Host field, or more than one";
        "every draft demands exactly one Host"
    /// Row 3: HTTP/1.0 or older.
    HttpVersion "http-version" 400;
        "the request is not HTTP/1.1";
        "a proxy in front talks HTTP/1.0 to us: set it to 1.1, or use TCP mode"
    /// Row 7: `Sec-WebSocket-Key` is missing, repeated or not 16 octets.
    KeyInvalid "key-invalid" 400;
        "Sec-WebSocket-Key must stand exactly once and be the base64 of 16 octets";
        "correct the client, or look for a proxy that changes fields"
    /// Row 15a: something in front removed the key.
    KeyStripped "key-stripped" 400;
        "there are WebSocket fields but no key and no version";
        "something in front removed them: pass the request through unchanged (TCP mode)"
    /// Row 2: no GET.
    MethodNotGet "method-not-get" 405;
        "a WebSocket opens with GET";
        "send the opening request with the method GET"
    /// Row 9: a nonce that is not 16 hex digits.
    NonceInvalid "nonce-invalid" 400;
        "Sec-WebSocket-Nonce must be 16 hexadecimal digits";
        "correct the client"
    /// Row 4: no WebSocket request at all.
    NotWebSocket "not-websocket" 426, versions;
        "this is an ordinary HTTP request, and only WebSocket clients are served here";
        "open it with a WebSocket client"
    /// `Origin` and `Sec-WebSocket-Origin` differ.
    OriginAmbiguous "origin-ambiguous" 400;
        "Origin and Sec-WebSocket-Origin are both present and differ";
        "send one of them"
    /// Row 17: hixie without `Origin`.
    OriginMissing "origin-missing" 400;
        "a request of hixie carries an Origin, this one has none";
        "if this is a device that really sends none, set `hixie-75-without-origin = true` on the route"
    /// The origin may not use this route.
    OriginRefused "origin-refused" 403;
        "pages of this origin may not connect here";
        "add the origin to `origins` of the route"
    /// An origin, host or subprotocol that cannot be echoed.
    UnechoableField "unechoable-field" 400;
        "a field that the answer must repeat holds octets that it may not";
        "correct the client"
    /// Row 4: WebSocket fields without the upgrade.
    UpgradeMissing "upgrade-missing" 400;
        "there are WebSocket fields but no `Upgrade: websocket` and `Connection: Upgrade`";
        "a proxy in front removes hop-by-hop fields: let it pass Upgrade and Connection on, or use TCP mode"
    /// Row 5: the version is no number.
    VersionMalformed "version-malformed" 400, versions;
        "Sec-WebSocket-Version must be one number from 0 to 255 without leading zero";
        "send one of the versions listed"
    /// Row 14: a key but no version; row 1: no version.
    VersionMissing "version-missing" 400, versions;
        "there is no Sec-WebSocket-Version";
        "send one of the versions listed; a proxy may have removed the field"
    /// Row 8: a version that nobody speaks.
    VersionUnsupported "version-unsupported" 426, versions;
        "this Sec-WebSocket-Version is not spoken here";
        "send one of the versions listed"
}

impl RefusalKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// The sentence that says what is wrong.
    pub fn sentence(self) -> &'static str {
        self.row().sentence
    }

    /// What to do about it.
    pub fn remedy(self) -> &'static str {
        self.row().remedy
    }

    /// The HTTP status; 0 for what a client refuses.
    pub fn status(self) -> u16 {
        self.row().status
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_unique_and_kebab() {
        let codes: Vec<_> = RefusalKind::ALL.iter().map(|k| k.code()).collect();
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(codes.iter().all(|c| c.chars().all(kebab)));
    }

    #[test]
    fn a_refusal_prints_what_and_what_was_found() {
        let refusal = Refusal::with(RefusalKind::KeyInvalid, "15 octets");
        assert!(refusal.to_string().ends_with("16 octets (15 octets)"));
        assert_eq!((refusal.code(), refusal.status()), ("key-invalid", 400));
        assert!(!refusal.lists_versions());
        assert!(Refusal::from(RefusalKind::VersionUnsupported).lists_versions());
    }
}
