//! Why a connection ended that never was told: what came was no HTTP, or
//! nothing came, or the answer had begun already. A table beside that of
//! [`crate::Refused`], for the log, the operators and the documents: here, too,
//! each reason has a stable code, a sentence and something to do.

use std::fmt::Write;

/// An end without an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unanswered {
    /// The stable code, as in the log.
    pub code: &'static str,
    /// What is wrong.
    pub sentence: &'static str,
    /// What to do about it.
    pub remedy: &'static str,
}

/// Not an octet came.
pub(crate) const FIRST_OCTET: Unanswered = Unanswered {
    code: "first-octet-timeout",
    sentence: "the client connected and sent nothing",
    remedy: "nothing, if it is a port scanner or an idle pool of connections; a client that needs longer is given it by `timeouts.first-octet`",
};

/// HTTP/2 that is none, or too much of it.
pub(crate) const HTTP2_BROKEN: Unanswered = Unanswered {
    code: "http2-broken",
    sentence: "the client broke the rules of HTTP/2",
    remedy: "the line says which: a client that resets request after request is taken for a flood; else correct the client",
};

/// The rest of an opening did not come, whose answer had begun.
pub(crate) const OPENING: Unanswered = Unanswered {
    code: "opening-timeout",
    sentence: "the 8 octets of key3 did not arrive behind the head in time",
    remedy: "a proxy in front is holding them: let it pass TCP through (TCP mode)",
};

/// It began like a policy request and is none.
pub(crate) const POLICY_MALFORMED: Unanswered = Unanswered {
    code: "policy-malformed",
    sentence: "this is no policy request, nor HTTP",
    remedy: "the request is `<policy-file-request/>`, a NUL, and nothing else",
};

/// A policy request where nothing is told.
pub(crate) const POLICY_REQUEST: Unanswered = Unanswered {
    code: "policy-request",
    sentence: "a Flash or Silverlight policy request, and no policy is configured",
    remedy: "set `policy.allow` to the sites whose programs may connect",
};

/// A policy request that does not end.
pub(crate) const POLICY_TIMEOUT: Unanswered = Unanswered {
    code: "policy-timeout",
    sentence: "the policy request did not end in time",
    remedy: "look at what lies between: the request is 23 octets and ends with NUL",
};

/// TLS where none is spoken.
pub(crate) const TLS: Unanswered = Unanswered {
    code: "tls",
    sentence: "the client speaks TLS, which this listener does not",
    remedy: "connect with ws://, give the listener a certificate, or put a TLS terminator in front",
};

/// TLS that we do not share.
pub(crate) const TLS_HANDSHAKE: Unanswered = Unanswered {
    code: "tls-handshake",
    sentence: "no TLS could be agreed on with the client, or it does not accept the certificate",
    remedy: "the line says what the client offered, or said; see the page on TLS for old clients and certificates",
};

/// A handshake that does not end.
pub(crate) const TLS_TIMEOUT: Unanswered = Unanswered {
    code: "tls-timeout",
    sentence: "the TLS handshake did not end in time",
    remedy: "nothing, if it is a scanner; a slow device is given more time by `timeouts.tls`",
};

impl Unanswered {
    /// All of them, in alphabetical order of their codes.
    pub const ALL: [Self; 9] = [
        FIRST_OCTET,
        HTTP2_BROKEN,
        OPENING,
        POLICY_MALFORMED,
        POLICY_REQUEST,
        POLICY_TIMEOUT,
        TLS,
        TLS_HANDSHAKE,
        TLS_TIMEOUT,
    ];
}

/// They as a table for the documents.
#[must_use]
pub fn unanswered_table() -> String {
    let mut table = String::from("| code | what happened | what to do |\n| --- | --- | --- |\n");
    for Unanswered {
        code,
        sentence,
        remedy,
    } in Unanswered::ALL
    {
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{code}` | {sentence} | {remedy} |");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Refused;

    #[test]
    fn codes_are_sorted_and_none_is_that_of_an_answer() {
        let codes = Unanswered::ALL.map(|it| it.code);
        assert!(codes.windows(2).all(|w| w[0] < w[1]), "{codes:?}");
        for own in Refused::own() {
            assert!(!codes.contains(&own.code), "{}", own.code);
        }
    }
}
