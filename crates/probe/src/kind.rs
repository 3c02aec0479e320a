//! What can be found. Every kind has a stable code for programs, a weight, a
//! sentence, the cause and what to do; one table holds them all, so that the
//! document is made from it.

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Weight {
    /// Worth knowing.
    Note,
    /// It works, or some clients will not bear it.
    Warning,
    /// It does not work for this reason.
    Fault,
}

impl Weight {
    /// A stable word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Fault => "fault",
        }
    }
}

#[derive(Debug)]
struct Row {
    code: &'static str,
    weight: Weight,
    shown: bool,
    sentence: &'static str,
    cause: &'static str,
    fix: &'static str,
}

macro_rules! findings {
    ($($(#[$doc:meta])* $kind:ident $code:literal $weight:ident $certainty:ident;
        $sentence:literal; $cause:literal; $fix:literal)*) => {
        /// What can be found, each with a stable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FindingKind { $($(#[$doc])* $kind,)* }

        impl FindingKind {
            /// Every kind, in alphabetical order of its code.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            fn row(self) -> &'static Row {
                match self {
                    $(Self::$kind => {
                        const ROW: Row = Row {
                            code: $code,
                            weight: Weight::$weight,
                            shown: matches!(stringify!($certainty).as_bytes(), b"Shown"),
                            sentence: $sentence,
                            cause: $cause,
                            fix: $fix,
                        };
                        &ROW
                    })*
                }
            }
        }
    };
}

impl FindingKind {
    /// The stable code.
    pub fn code(self) -> &'static str {
        self.row().code
    }

    /// How much it weighs.
    pub fn weight(self) -> Weight {
        self.row().weight
    }

    /// Whether what was seen shows the cause; else the cause is what is likely.
    pub fn is_shown(self) -> bool {
        self.row().shown
    }

    /// What is the matter.
    pub fn sentence(self) -> &'static str {
        self.row().sentence
    }

    /// Why, in most cases.
    pub fn cause(self) -> &'static str {
        self.row().cause
    }

    /// What to do.
    pub fn fix(self) -> &'static str {
        self.row().fix
    }
}

findings! {
    /// The proof of the answer does not belong to our key.
    AcceptWrong "accept-wrong" Fault Likely;
        "the proof of the answer does not belong to our key";
        "something between answers from a cache or changed Sec-WebSocket-Key, or the server does not compute it as this draft says";
        "connect past what lies between; if it is the server, correct it"
    /// An answer began and did not end in time.
    AnswerCutOff "answer-cut-off" Fault Likely;
        "an answer began and did not end in time";
        "the server hangs, or something between holds octets back";
        "look at the server's log; connect past what lies between"
    /// What came back is no HTTP head.
    AnswerMalformed "answer-malformed" Fault Likely;
        "what came back is no HTTP head";
        "another protocol is served on this port";
        "check address and port"
    /// The answer does not begin with the 85 octets that this draft compares.
    AnswerRewritten "answer-rewritten" Fault Likely;
        "the answer does not begin with the 85 octets that this draft compares";
        "something in front writes its own head (order, letter case, fields of its own, as nginx's proxy_pass does), or the server is not true to the draft";
        "let what is in front pass TCP through (HAProxy `mode tcp`, nginx `stream`), or forgive it: --answer-checks lenient, in a proxy route `upstream-answer-checks = \"lenient\"`"
    /// The answer took long.
    AnswerSlow "answer-slow" Warning Likely;
        "the answer took long";
        "the server, or what it asks before it answers, is slow";
        "give clients more time; look at the server"
    /// A name and a password are wanted.
    Authentication "authentication" Fault Shown;
        "a name and a password are wanted";
        "the server, or something in front of it, authenticates clients";
        "write them into the URL (ws://name:password@host/), or send a field with -H \"Authorization: …\" or -H \"Cookie: …\""
    /// The certificate's time is over.
    CertificateExpired "certificate-expired" Fault Shown;
        "the certificate's time is over";
        "";
        "give the server a new certificate; for a test, --insecure"
    /// Nobody who is trusted here signed the certificate.
    CertificateIssuer "certificate-issuer" Fault Shown;
        "nobody who is trusted here signed the certificate";
        "";
        "name the file of its authority with --cacert; for a test, --insecure"
    /// The certificate is for other names.
    CertificateName "certificate-name" Fault Shown;
        "the certificate is for other names";
        "";
        "connect by one of its names, or give the server a certificate for this one; for a test, --insecure"
    /// The certificate is not accepted.
    CertificateOther "certificate-other" Fault Shown;
        "the certificate is not accepted";
        "";
        "give the server a proper certificate; for a test, --insecure"
    /// The certificate is not valid yet.
    CertificateTooEarly "certificate-too-early" Fault Likely;
        "the certificate is not valid yet";
        "a clock is wrong, here or where it was made";
        "set the clock; for a test, --insecure"
    /// The 16 octets do not answer our challenge.
    ChallengeWrong "challenge-wrong" Fault Likely;
        "the 16 octets do not answer our challenge";
        "something between changed the keys (squeezed their spaces) or the eight octets behind the head";
        "let what is in front pass TCP through"
    /// Our Close was answered with another code.
    CloseAnswerOther "close-answer-other" Note Shown;
        "our Close was answered with another code";
        "";
        "nothing, if the code means what it says"
    /// The closing handshake was not answered.
    CloseUnanswered "close-unanswered" Warning Likely;
        "the closing handshake was not answered";
        "the server ends TCP only, or waits for something else";
        "expect code 1006 in logs, and keep close timeouts short"
    /// The server closes at once.
    ClosedByServer "closed-by-server" Warning Likely;
        "the server closes the connection by itself";
        "it expects something first (a token, a subprotocol), or has nothing to say at this path";
        "see its code, and its log"
    /// There is no way to the server.
    ConnectFailed "connect-failed" Fault Shown;
        "there is no way to the server";
        "";
        "check address, port and routes"
    /// The connection is refused.
    ConnectRefused "connect-refused" Fault Likely;
        "the connection is refused";
        "nothing listens on this port";
        "start the server, or correct the port"
    /// Nothing answers at this address.
    ConnectSilent "connect-silent" Fault Likely;
        "nothing answers at this address";
        "the address is wrong, the machine is off, or a firewall drops what comes";
        "check the address and the firewalls between"
    /// The answer lacks `Connection: Upgrade`.
    ConnectionNotUpgrade "connection-not-upgrade" Fault Likely;
        "the answer lacks `Connection: Upgrade`";
        "a proxy in front takes hop-by-hop fields out of the answer";
        "let the proxy pass Upgrade and Connection on, or let it pass TCP through; or forgive it: --answer-checks lenient, in a proxy route `upstream-answer-checks = \"lenient\"`"
    /// What the server sends breaks the draft.
    DraftBroken "draft-broken" Fault Likely;
        "what the server sends breaks the draft";
        "it accepts requests of any version and speaks another draft, or is at fault";
        "correct the server, or use another draft"
    /// An extension is accepted that was not offered.
    ExtensionUnasked "extension-unasked" Fault Likely;
        "an extension is accepted that was not offered";
        "the server uses it for every client";
        "switch the extension off in the server"
    /// A field of the answer is missing or stands more than once.
    FieldMissing "field-missing" Fault Likely;
        "a field of the answer is missing or stands more than once";
        "the server answers in another draft, or something in front took it out";
        "try the other drafts; or forgive what can be: --answer-checks lenient, in a proxy route `upstream-answer-checks = \"lenient\"`"
    /// Access is forbidden.
    Forbidden "forbidden" Fault Likely;
        "access is forbidden";
        "this path, address, cookie or origin has no access";
        "see the body of the answer; send what is missing with -H, or another --origin"
    /// Something in front of the server answers in its place.
    GatewayError "gateway-error" Fault Likely;
        "something in front of the server answers in its place";
        "it does not reach the server, does not pass Upgrade on to it, or waits for its answer in vain";
        "see that the server runs and is reached from there, and that Upgrade and Connection are passed on; or let TCP through"
    /// HAProxy refuses the request itself: the server never saw it.
    HaproxyRefuses "haproxy-refuses" Fault Shown;
        "HAProxy refuses the request itself: the server never saw it";
        "HAProxy in `mode http` takes no WebSocket request without Sec-WebSocket-Key";
        "set `mode tcp` on frontend and backend (with `send-proxy-v2` the address of the client is kept)"
    /// The server's HELLO does not prove that it read our nonce.
    HelloWrong "hello-wrong" Fault Likely;
        "the server's HELLO does not prove that it read our nonce";
        "the server does not compute it as this draft says (Resin's client never looked), or speaks another draft";
        "try the other drafts; if it is meant to speak this one, correct the server"
    /// The name has no address.
    HostUnknown "host-unknown" Fault Shown;
        "the name has no address";
        "";
        "check how it is spelled"
    /// The answer is in HTTP/1.0.
    HttpOld "http-old" Warning Shown;
        "the answer is in HTTP/1.0";
        "a server or a proxy between that speaks HTTP/1.0 alone";
        "set it to HTTP/1.1, or connect past it"
    /// It fails when the eight octets behind the head come in a segment of their own.
    Key3Alone "key3-alone" Warning Likely;
        "it fails when the eight octets behind the head come in a segment of their own";
        "the server reads head and octets with one call, or something between loses them";
        "nothing, with clients that send both at once; a proxy between may part them: let it pass TCP through"
    /// No answer comes before the eight octets behind the head.
    Key3Awaited "key3-awaited" Note Shown;
        "no answer comes before the eight octets behind the head";
        "the server reads them first: a proxy for HTTP that holds them back (nginx's proxy_pass) and this server wait for each other";
        "in front of it use proxies that pass TCP through"
    /// The eight octets behind the head do not reach the server.
    Key3Held "key3-held" Fault Likely;
        "the eight octets behind the head do not reach the server";
        "a proxy for HTTP in front holds them back, since no Content-Length announces them";
        "let what is in front pass TCP through (HAProxy `mode tcp`, nginx `stream`)"
    /// The location in the answer is not the URL that was asked for.
    LocationMismatch "location-mismatch" Fault Likely;
        "the location in the answer is not the URL that was asked for";
        "the server does not know its public URL: TLS ends in front of it, or a port or path is mapped";
        "tell the server its public URL (in draftgate, `public-url` of the listener); or forgive it: --answer-checks lenient, in a proxy route `upstream-answer-checks = \"lenient\"`"
    /// There is nothing at this path.
    NotFound "not-found" Fault Shown;
        "there is nothing at this path";
        "";
        "correct the path"
    /// The request is answered as an ordinary one.
    NotUpgraded "not-upgraded" Fault Likely;
        "the request is answered as an ordinary one";
        "no WebSocket is served at this path, or a proxy in front took Upgrade out of the request";
        "correct the path; let the proxy pass Upgrade and Connection on"
    /// A second connection is refused while the first is open.
    OneConnection "one-connection" Warning Likely;
        "a second connection is refused while the first is open";
        "the server has one slot";
        "let clients share one connection: `max-upstream-connections = 1`, or a bus route that reads it"
    /// The origin in the answer is not the one that was sent.
    OriginEchoed "origin-echoed" Fault Likely;
        "the origin in the answer is not the one that was sent";
        "the server has one origin written down, or something in front changes it";
        "claim that origin with --origin; or forgive it: --answer-checks lenient, in a proxy route `upstream-answer-checks = \"lenient\"`"
    /// The origin decides: with another one the server answers otherwise.
    OriginRefused "origin-refused" Fault Shown;
        "the origin decides: with another one the server answers otherwise";
        "";
        "send the origin that the server accepts"
    /// A ping was not answered.
    PongMissing "pong-missing" Warning Likely;
        "a ping was not answered";
        "the server leaves pings unanswered";
        "switch pings to this server off, or it will be taken for dead"
    /// The proxy on the way there makes no tunnel.
    ProxyRefused "proxy-refused" Fault Shown;
        "the proxy on the way there makes no tunnel";
        "";
        "see what it says; --proxy none goes directly"
    /// The request went through a proxy.
    RecordedBehindProxy "recorded-behind-proxy" Note Likely;
        "the request went through a proxy";
        "the fields are those that proxies add";
        "let that proxy pass TCP through, if the draft is an old one"
    /// A body is announced that no opening has.
    RecordedBody "recorded-body" Fault Shown;
        "a body is announced that no opening has";
        "";
        "send a GET without Content-Length and without Transfer-Encoding"
    /// The eight octets behind the head are announced as a body.
    RecordedContentLength "recorded-content-length" Note Likely;
        "the eight octets behind the head are announced as a body";
        "some clients do so (Netty's, Protocol::WebSocket's), and some proxies";
        "nothing, with a server that takes both forms; em-websocket 0.5 hangs on it"
    /// The eight octets behind the head are not all there.
    RecordedKey3Missing "recorded-key3-missing" Fault Likely;
        "the eight octets behind the head are not all there";
        "a proxy in front holds them back, or the recording was cut off";
        "let what is in front pass TCP through"
    /// All names of fields are in lower case.
    RecordedLowerCase "recorded-lower-case" Note Likely;
        "all names of fields are in lower case";
        "a proxy wrote the request anew (HTTP/2 demands it, HAProxy does it), or the client is Netty's";
        "nothing: no draft compares names of a request"
    /// The request is refused.
    RecordedRefused "recorded-refused" Fault Shown;
        "the request is refused";
        "";
        "correct the client, or what lies between"
    /// A key has fewer spaces than the number in it was multiplied by.
    RecordedSpacesSqueezed "recorded-spaces-squeezed" Fault Likely;
        "a key has fewer spaces than the number in it was multiplied by";
        "something between put one space where there were several";
        "let what is in front pass TCP through"
    /// The server sends elsewhere.
    Redirect "redirect" Fault Shown;
        "the server sends elsewhere";
        "";
        "probe the URL that it names; no client of WebSocket follows by itself"
    /// The connection is reset instead of answered.
    Reset "reset" Fault Likely;
        "the connection is reset instead of answered";
        "the server does not know this draft, or a firewall between does not";
        "try the other drafts; look at the server's log"
    /// No answer comes.
    SilentToRequest "silent-to-request" Fault Likely;
        "no answer comes";
        "the server does not know this draft and waits for more, or something in front holds the request back";
        "try the other drafts; look at the server's log; give it more time with --timeout"
    /// The server did not switch protocols.
    StatusOther "status-other" Fault Shown;
        "the server did not switch protocols";
        "";
        "the status and the body say why"
    /// A subprotocol was asked for, and none is chosen.
    SubprotocolMissing "subprotocol-missing" Warning Likely;
        "a subprotocol was asked for, and none is chosen";
        "the server does not know it, or does not know of subprotocols";
        "ask for one that the server speaks; browsers fail the connection, as sets of 2012 do"
    /// A subprotocol is chosen that was not asked for.
    SubprotocolOther "subprotocol-other" Fault Likely;
        "a subprotocol is chosen that was not asked for";
        "the server has one written down";
        "ask for that one with --subprotocol"
    /// This draft asks for one subprotocol at most: the first was asked for.
    SubprotocolSingle "subprotocol-single" Note Shown;
        "this draft asks for one subprotocol at most: the first was asked for";
        "";
        "name one, to see it in every draft"
    /// A subprotocol is chosen although none was asked for.
    SubprotocolUnasked "subprotocol-unasked" Warning Likely;
        "a subprotocol is chosen although none was asked for";
        "the server has one written down";
        "ask for that one with --subprotocol; or forgive it: --answer-checks lenient, in a proxy route `upstream-answer-checks = \"lenient\"`"
    /// The connection ends without an answer.
    TcpEnded "tcp-ended" Fault Likely;
        "the connection ends without an answer";
        "the server does not know this draft";
        "try the other drafts; look at the server's log"
    /// This port speaks TLS.
    TlsExpected "tls-expected" Fault Likely;
        "this port speaks TLS";
        "the URL says ws://";
        "write wss://"
    /// TLS is not agreed upon.
    TlsFailed "tls-failed" Fault Likely;
        "TLS is not agreed upon";
        "it speaks no version or cipher of TLS 1.2 or 1.3";
        "put a program between that speaks what the server speaks"
    /// This port does not speak TLS.
    TlsNotSpoken "tls-not-spoken" Fault Likely;
        "this port does not speak TLS";
        "it is the plain port";
        "write ws://, or the port that has TLS"
    /// The server refuses the TLS of the time of the old drafts.
    TlsTooNew "tls-too-new" Note Likely;
        "the server refuses TLS 1.0 and 1.1, and devices of 2009 to 2011 speak nothing newer";
        "servers of today leave the old versions out";
        "nothing, unless such devices are to connect: then put a program in front that still speaks TLS 1.0, or let them use ws:// in a network of their own"
    /// The server speaks no TLS newer than 1.1.
    TlsTooOld "tls-too-old" Fault Shown;
        "the server speaks no TLS newer than 1.1";
        "TLS 1.2 and 1.3 are spoken here, and nothing older";
        "put a program between that speaks the old one (stunnel, HAProxy with an OpenSSL that still has it)"
    /// This draft cannot ask for that.
    Unspeakable "unspeakable" Fault Shown;
        "this draft cannot ask for that";
        "";
        "leave it out for this draft"
    /// The answer does not name WebSocket in `Upgrade`.
    UpgradeOther "upgrade-other" Fault Likely;
        "the answer does not name WebSocket in `Upgrade`";
        "something in front took the field out, or the server speaks another draft";
        "let the proxy pass Upgrade and Connection on; or forgive it: --answer-checks lenient, in a proxy route `upstream-answer-checks = \"lenient\"`"
    /// The server refuses the request.
    VersionRefused "version-refused" Fault Likely;
        "the server refuses the request";
        "it does not speak this draft";
        "use a draft that works, or translate: `draftgate proxy`"
    /// The server does not speak this draft, and lists those that it does.
    VersionsListed "versions-listed" Fault Shown;
        "the server does not speak this draft, and lists those that it does";
        "";
        "use one of those"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_sorted_unique_and_kebab() {
        let codes: Vec<_> = FindingKind::ALL.iter().map(|k| k.code()).collect();
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
        let kebab = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        assert!(codes.iter().all(|c| c.chars().all(kebab)));
    }

    #[test]
    fn what_is_only_likely_names_a_cause_and_everything_a_fix() {
        for kind in FindingKind::ALL {
            assert!(kind.is_shown() || !kind.cause().is_empty(), "{kind:?}");
            assert!(!kind.fix().is_empty() && !kind.sentence().is_empty());
        }
    }
}
