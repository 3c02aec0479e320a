//! What a client is told once, for all its connections. Every number has its
//! reason beside it.

use std::{str::FromStr, sync::Arc, time::Duration};

use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    compression::Settings as Compression,
    opening::{AnswerChecks, LengthFrames},
};
use http::HeaderValue;

use crate::{Proxy, Tls, Witness};

/// Which drafts to try, and in which order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Drafts {
    /// Every draft that is spoken and has a `Sec-WebSocket-Version`, newest
    /// first. hixie is not among them: it proves and masks less, so falling
    /// back to it is for whoever names it.
    #[default]
    Auto,
    /// These, in this order.
    Named(Vec<Draft>),
}

impl Drafts {
    /// The drafts, in the order in which they are tried.
    pub fn in_order(&self) -> Vec<Draft> {
        match self {
            Self::Named(drafts) => drafts.clone(),
            Self::Auto => {
                let mut drafts: Vec<_> = draftgate_drafts::spoken()
                    .filter(|draft| draft.version().is_some())
                    .collect();
                drafts.reverse();
                drafts
            }
        }
    }
}

/// Why a text does not name the drafts to try.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}; write `auto`, or names of drafts with commas between")]
pub struct NotDrafts(String);

impl FromStr for Drafts {
    type Err = NotDrafts;

    /// `auto`, or drafts with commas between, each of which must be spoken.
    fn from_str(text: &str) -> Result<Self, NotDrafts> {
        if text.trim().eq_ignore_ascii_case("auto") {
            return Ok(Self::Auto);
        }
        let named = text.split(',').map(|name| {
            let draft: Draft = name
                .trim()
                .parse()
                .map_err(|error| NotDrafts(format!("{error}")))?;
            match draftgate_drafts::offerer(draft) {
                Ok(_) => Ok(draft),
                Err(refusal) => Err(NotDrafts(refusal.to_string())),
            }
        });
        Ok(Self::Named(named.collect::<Result<_, _>>()?))
    }
}

/// How to get to the server.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Via {
    /// By TCP, whatever the environment says.
    #[default]
    Directly,
    /// Through this proxy, whatever the environment says.
    Proxy(Proxy),
    /// Through the proxy that the environment names for the URL, if any, as
    /// curl reads it: `ws_proxy`, `wss_proxy`, `http_proxy`, `https_proxy`,
    /// `all_proxy` and `no_proxy`; all but `http_proxy` also in capitals.
    Environment,
}

/// Everything that a client is told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Which drafts to try.
    pub drafts: Drafts,
    /// The origin to claim; if none, [`Url::origin`](crate::Url::origin).
    pub origin: Option<String>,
    /// Subprotocols in order of preference; hixie can ask for one only.
    pub subprotocols: Vec<String>,
    /// Cookies, each as `name=value`; they are sent in one `Cookie` field.
    pub cookies: Vec<String>,
    /// More fields, as given, behind the draft's own. Those that the draft
    /// itself writes may not be among them.
    pub fields: Vec<(String, HeaderValue)>,
    /// How much the server may send.
    pub limits: Limits,
    /// What hixie's length-prefixed frames are taken for.
    pub length_frames: LengthFrames,
    /// What is offered to compress messages, in the drafts that have an extension
    /// for it; `None`: nothing.
    pub compression: Option<Compression>,
    /// How strictly the answer is judged.
    pub answer_checks: AnswerChecks,
    /// How long it may take until the request can be sent: name, TCP, the
    /// proxy's tunnel and TLS together.
    pub connect_timeout: Duration,
    /// How long the answer to the request may take.
    pub opening_timeout: Duration,
    /// How long is waited between two drafts that are tried: a small server may
    /// need a moment before it takes another connection.
    pub pause: Duration,
    /// After how long without traffic TCP itself asks whether the peer is
    /// there; after as long again without an answer it is gone. `None` to leave
    /// that off.
    pub keep_alive: Option<Duration>,
    /// Whether TCP sends small messages at once (`TCP_NODELAY`).
    pub no_delay: bool,
    /// How to get to the server.
    pub via: Via,
    /// Over a stream of HTTP/2 (RFC 8441), within TLS by its name (ALPN), in clear
    /// because the server is known to speak it. Only Version 13 can be asked for.
    pub http2: bool,
    /// What TLS goes by.
    pub tls: Tls,
    /// Who sees the openings as they go over the wire.
    pub witness: Option<Arc<dyn Witness>>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            drafts: Drafts::Auto,
            origin: None,
            subprotocols: Vec::new(),
            cookies: Vec::new(),
            fields: Vec::new(),
            limits: Limits::default(),
            length_frames: LengthFrames::default(),
            compression: None,
            answer_checks: AnswerChecks::Strict,
            // Three lost SYNs (1 s, 2 s, 4 s) and a slow resolver.
            connect_timeout: Duration::from_secs(10),
            // The server may ask its own back end before it answers.
            opening_timeout: Duration::from_secs(10),
            pause: Duration::ZERO,
            // The drafts have pings; those without are for the caller to judge.
            keep_alive: None,
            // Messages are short, and somebody waits for the answer.
            no_delay: true,
            via: Via::Directly,
            http2: false,
            tls: Tls::default(),
            witness: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_every_versioned_draft_newest_first() {
        let drafts = Drafts::Auto.in_order();
        assert!(drafts.windows(2).all(|w| w[0] > w[1]), "{drafts:?}");
        assert!(drafts.iter().all(|draft| draft.version().is_some()));
        let versions = draftgate_drafts::versions(&drafts);
        assert!(versions.starts_with("13, 8, 7, 6"), "{versions}");
    }

    #[test]
    fn drafts_are_read_by_any_of_their_names_in_their_order() {
        assert_eq!("AUTO".parse(), Ok(Drafts::Auto));
        let named = Drafts::Named(vec![Draft::Hixie76, Draft::Hybi13]);
        assert_eq!("hybi-00, 13".parse(), Ok(named));
        for text in ["", "13,", "hixie-77", "auto,13"] {
            let error = text.parse::<Drafts>().unwrap_err().to_string();
            assert!(error.contains("write `auto`"), "{error}");
        }
    }
}
