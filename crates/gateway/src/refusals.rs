//! The one place that every refusal passes, whoever found it: counted, kept
//! for operators, and let into the log or not.

use std::net::SocketAddr;

use draftgate_conn::{Closed, Why};
use draftgate_core::Draft;
use draftgate_drafts::Detection;
use http::request::Parts;
use tokio::time::Instant;

use crate::{
    Refused, Unanswered,
    census::Client,
    config::{Config, Route},
    counts::Outcome,
    handshake,
    inner::Inner,
    peer::Peer,
    registry::Entry,
    unanswered,
};

/// A connection, or a request, that was refused.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal<'a> {
    /// The connection's name.
    pub(crate) id: &'a str,
    pub(crate) peer: Peer,
    pub(crate) listener: SocketAddr,
    pub(crate) stage: Stage,
    /// What the client speaks, as far as its request says.
    pub(crate) draft: Option<Draft>,
    /// The route that its path leads to.
    pub(crate) route: Option<&'a Route>,
    /// The request, if one was heard.
    pub(crate) request: Option<&'a Parts>,
    /// What was read of a head, as it came; often empty.
    pub(crate) head: &'a [u8],
    /// Who it was, where that is known without the head.
    pub(crate) client: Option<&'a Client>,
    pub(crate) reason: Reason<'a>,
}

/// How far it had come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing of HTTP was read.
    Connection,
    /// It asked for a WebSocket, or for something that nothing answers.
    Handshake,
    /// It asked for what is served over plain HTTP.
    Http,
}

impl Stage {
    /// A stable word.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connection => "connection",
            Self::Handshake => "handshake",
            Self::Http => "http",
        }
    }
}

/// Why.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reason<'a> {
    pub(crate) code: &'static str,
    /// The HTTP status, where the client was told.
    pub(crate) status: Option<u16>,
    pub(crate) sentence: &'a str,
    pub(crate) remedy: &'static str,
    pub(crate) detail: Option<&'a str>,
}

impl<'a> From<&'a Refused> for Reason<'a> {
    fn from(refused: &'a Refused) -> Self {
        Self {
            code: refused.code,
            status: Some(refused.status),
            sentence: &refused.sentence,
            remedy: refused.remedy,
            detail: refused.detail.as_deref(),
        }
    }
}

impl From<Unanswered> for Reason<'_> {
    fn from(unanswered: Unanswered) -> Self {
        Self {
            code: unanswered.code,
            status: None,
            sentence: unanswered.sentence,
            remedy: unanswered.remedy,
            detail: None,
        }
    }
}

impl<'a> Refusal<'a> {
    /// A connection of which nothing was read that says more.
    pub(crate) fn connection(
        id: &'a str,
        peer: Peer,
        listener: SocketAddr,
        reason: impl Into<Reason<'a>>,
    ) -> Self {
        Self {
            id,
            peer,
            listener,
            stage: Stage::Connection,
            draft: None,
            route: None,
            request: None,
            head: &[],
            client: None,
            reason: reason.into(),
        }
    }

    /// The same with what its request says under `config`; `head` as it came.
    pub(crate) fn asked(
        mut self,
        stage: Stage,
        config: &'a Config,
        parts: &'a Parts,
        head: &'a [u8],
    ) -> Self {
        self.stage = stage;
        self.route = handshake::route(config, parts.uri.path()).map(|(_, route, _)| route);
        // What asks for no WebSocket has no draft.
        if stage == Stage::Handshake {
            self.draft = detected(parts);
        }
        self.request = Some(parts);
        self.head = head;
        self
    }

    /// The same with what was read of a head that is none, or has no end.
    pub(crate) fn read(self, head: &'a [u8]) -> Self {
        Self {
            stage: Stage::Handshake,
            head,
            ..self
        }
    }
}

/// What a client speaks that asks so, whether or not anybody allows it.
pub(crate) fn detected(parts: &Parts) -> Option<Draft> {
    draftgate_drafts::detect(parts, Detection::LENIENT).ok()
}

impl Inner {
    /// Notes a refusal. Whether a line is to say so: log it with the same
    /// code, which stands in the sum of what is left out.
    #[must_use = "the log is limited"]
    pub(crate) fn refused(&self, refusal: &Refusal<'_>) -> bool {
        self.note(refusal);
        let client = refusal.peer.client.ip();
        self.throttle.lets(refusal.reason.code, client)
    }

    fn note(&self, refusal: &Refusal<'_>) {
        self.counts.refuse(refusal.reason.code);
        if refusal.stage == Stage::Handshake {
            self.counts.handshake(refusal.draft, Outcome::Refused);
        }
        self.census.refused(refusal);
        self.past.keep(refusal);
    }

    /// Notes that the opening of a connection is done.
    /// TCP was `accepted` then.
    pub(crate) fn opened(&self, entry: &Entry, accepted: Instant) {
        let draft = entry.about.draft;
        entry
            .is_open
            .store(true, std::sync::atomic::Ordering::Relaxed);
        self.counts.handshake(Some(draft), Outcome::Accepted);
        self.times.opened(draft, accepted.elapsed());
        self.count_opened(entry);
    }

    /// Notes that a client went before its opening was done.
    pub(crate) fn abandoned(&self, draft: Option<Draft>) {
        self.counts.handshake(draft, Outcome::Abandoned);
    }

    /// Notes how a connection ended, whose place is given up by then.
    pub(crate) fn closed(&self, entry: &Entry, closed: &Closed) {
        let draft = entry.about.draft;
        if closed.opened {
            return self.times.closed(draft, entry.since.elapsed());
        }
        if closed.why != Why::OpeningTimeout {
            return self.abandoned(Some(draft));
        }
        let (id, listener) = (entry.id(), entry.listener.address);
        // Its line in the log is the access line.
        self.note(&Refusal {
            stage: Stage::Handshake,
            draft: Some(draft),
            route: Some(entry.route()),
            head: entry.head.as_deref().map_or(&[], |head| head),
            client: Some(&entry.client),
            ..Refusal::connection(&id, entry.peer(), listener, unanswered::OPENING)
        });
    }
}
