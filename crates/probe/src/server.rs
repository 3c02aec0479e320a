//! A server, draft by draft: one connection after the other, since there may be
//! but one slot.

use std::time::Duration;

use draftgate_client::{Client, Options, Url};
use draftgate_core::{Close, Closing, Draft};
use tokio::time::sleep;

use crate::{
    Conversation, Finding, FindingKind as Kind, Report,
    advice::Advice,
    attempt::{Attempt, Outcome, Way},
    conversation::converse,
    front, judge,
    report::{Term, Tried, Verdict},
};

/// How long the octets behind the head are held back: longer than a server waits
/// that sends both answers in one write, shorter than one that gives up.
const HELD: Duration = Duration::from_millis(500);

/// How long a server has to be ready for another connection.
const RECOVERY: Duration = Duration::from_secs(1);

/// What to try.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The drafts; each is tried, in this order.
    pub drafts: Vec<Draft>,
    /// A text message to say once a connection is open; `None` to say nothing.
    pub send: Option<String>,
    /// Whether to try a second connection while the first is open.
    pub second: bool,
    /// How long each answer may take: to a request, a ping, a message, a Close.
    pub within: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            drafts: draftgate_drafts::spoken().collect(),
            send: None,
            second: false,
            // A device that asks its own bus first; six drafts in a minute.
            within: Duration::from_secs(5),
        }
    }
}

/// Tries `url` in each draft of `settings`, as a client that was told `options`;
/// of these, drafts, timeouts and the strictness of checks are `settings`'.
pub async fn probe(options: Options, url: &Url, settings: &Settings) -> Report {
    probe_telling(options, url, settings, &|_| ()).await
}

/// As [`probe`]; each draft is told to `tell` when it is tried, for silence may
/// take long.
pub async fn probe_telling(
    options: Options,
    url: &Url,
    settings: &Settings,
    tell: &(dyn Fn(Draft) + Sync),
) -> Report {
    let options = Options {
        connect_timeout: settings.within,
        opening_timeout: settings.within,
        ..options
    };
    let mut probe = Probe {
        client: Client::new(options),
        url,
        settings,
        tell,
        second: settings.second,
        findings: Vec::new(),
        drafts: Vec::new(),
    };
    let front = front::look(&probe.client, url, settings.within).await;
    match &front {
        Ok(_) => {
            probe.all().await;
            if url.secure {
                let found = front::too_new(&probe.client, url, settings.within).await;
                probe.findings.extend(found);
            }
        }
        Err(error) => {
            let finding = front::no_way(&probe.client, url, error, settings.within).await;
            let tried = |draft: &Draft| Tried::failed(*draft, finding.kind);
            probe.drafts = settings.drafts.iter().map(tried).collect();
            probe.findings.push(finding);
        }
    }
    Report {
        target: url.to_string(),
        front: front.ok(),
        request: None,
        drafts: probe.drafts,
        findings: probe.findings,
        advice: Advice::default(),
    }
    .settle()
}

impl Tried {
    fn failed(draft: Draft, why: Kind) -> Self {
        Self {
            draft,
            verdict: Verdict::Fails(why),
            answered: None,
            status: None,
            subprotocol: None,
            conversation: None,
        }
    }
}

struct Probe<'a> {
    client: Client,
    url: &'a Url,
    settings: &'a Settings,
    tell: &'a (dyn Fn(Draft) + Sync),
    /// Whether a second connection is still to be tried.
    second: bool,
    findings: Vec<Finding>,
    drafts: Vec<Tried>,
}

impl Probe<'_> {
    async fn all(&mut self) {
        for draft in self.settings.drafts.clone() {
            (self.tell)(draft);
            let tried = self.draft(draft).await;
            self.drafts.push(tried);
        }
        self.perhaps_the_gateway();
        self.perhaps_tls().await;
    }

    async fn draft(&mut self, draft: Draft) -> Tried {
        let mut terms = Vec::new();
        let options = self.options(draft);
        let client = Client::new(options);
        let mut attempt = self.attempt(&client, draft, Way::Whole).await;
        let mut found = judge::findings(&attempt);
        if attempt.status() == Some(403)
            && let Some((other, origin)) = self.other_origin(&client, draft, &attempt).await
        {
            found = judge::findings(&other);
            found.push(origin_refused(draft, &attempt, &other, &origin));
            if other.opened().is_some() {
                terms.push(Term::Origin(origin));
                attempt = other;
            }
        }
        if judge::goes_on(draft) {
            found.extend(self.parted(&client, &attempt).await);
        }
        let forgiven = attempt
            .opened()
            .is_some_and(|opened| !opened.connected.forgiven.is_empty());
        if forgiven {
            terms.push(Term::Lenient);
        }
        let held = found.iter().position(|f| f.kind == Kind::Key3Held);
        if let Some(held) = held {
            // It explains what else was seen.
            let finding = found.remove(held);
            found = vec![finding];
        }
        let mut tried = Tried {
            draft,
            verdict: match (&attempt.outcome, terms.is_empty()) {
                (Outcome::Opened(_), true) => Verdict::Works,
                (Outcome::Opened(_), false) => Verdict::WorksIf(terms),
                _ => Verdict::Fails(found.first().map_or(Kind::StatusOther, |f| f.kind)),
            },
            answered: attempt.first,
            status: attempt.status(),
            subprotocol: None,
            conversation: None,
        };
        if let Outcome::Opened(opened) = attempt.outcome {
            tried.subprotocol = opened.connected.subprotocol.clone();
            if std::mem::take(&mut self.second) {
                let second = self.attempt_once(&client, draft, Way::Whole).await;
                found.extend(one_slot(&second));
            }
            let closing = opened.connected.codec.capabilities().closing;
            let text = self.settings.send.as_deref();
            let seen = converse(*opened, text, self.settings.within).await;
            let said = conversed(draft, closing, &seen);
            if let Some(broken) = said.iter().find(|f| f.kind == Kind::DraftBroken) {
                tried.verdict = Verdict::Fails(broken.kind);
            }
            found.extend(said);
            tried.conversation = Some(seen);
        }
        self.findings.extend(found);
        tried
    }

    /// What the client is told for `draft`: one subprotocol, where the draft
    /// bears no more.
    fn options(&mut self, draft: Draft) -> Options {
        let mut options = self.client.options().clone();
        if draft.version().is_none() && options.subprotocols.len() > 1 {
            options.subprotocols.truncate(1);
            let seen = format!("asked for {} alone", options.subprotocols[0]);
            let finding = Finding::new(Kind::SubprotocolSingle, &[draft], seen);
            self.findings.push(finding);
        }
        options
    }

    /// One opening. Where there was a way a moment ago and is none now, or TCP is
    /// ended at once, the server may not be done with the connection before: it is
    /// asked once more.
    async fn attempt(&self, client: &Client, draft: Draft, way: Way) -> Attempt {
        let attempt = self.attempt_once(client, draft, way).await;
        if !matches!(attempt.outcome, Outcome::NoWay(_) | Outcome::Ended { .. }) {
            return attempt;
        }
        sleep(RECOVERY).await;
        self.attempt_once(client, draft, way).await
    }

    async fn attempt_once(&self, client: &Client, draft: Draft, way: Way) -> Attempt {
        Attempt::make(client, self.url, draft, way, self.settings.within).await
    }

    /// The same request with an origin where it had none, or without the one it
    /// had; `None` if the server says the same.
    async fn other_origin(
        &self,
        client: &Client,
        draft: Draft,
        refused: &Attempt,
    ) -> Option<(Attempt, Option<String>)> {
        let options = client.options();
        let had = options.origin.clone().or_else(|| self.url.origin(draft));
        let scheme = if self.url.secure { "https" } else { "http" };
        let own = format!("{scheme}://{}", self.url.host.to_ascii_lowercase());
        let other = match had {
            // Its own page is what a server most likely lets in.
            None => Some(own),
            Some(had) if had != own => Some(own),
            Some(_) if draftgate_drafts::demands_origin(draft) => Some("null".to_owned()),
            Some(_) => None,
        };
        let client = Client::new(Options {
            origin: other.clone(),
            ..options.clone()
        });
        let attempt = self.attempt(&client, draft, Way::Whole).await;
        (attempt.status() != refused.status()).then_some((attempt, other))
    }

    /// What comes of it when the octets behind the head come later, or are
    /// announced.
    async fn parted(&self, client: &Client, whole: &Attempt) -> Vec<Finding> {
        let draft = whole.draft;
        if whole.opened().is_some() {
            let held = HELD.min(self.settings.within / 2);
            let parted = self.attempt(client, draft, Way::Parted(held)).await;
            return parted_findings(&parted).into_iter().collect();
        }
        let waited = matches!(whole.outcome, Outcome::Silent)
            || whole
                .status()
                .is_some_and(|status| [408, 502, 504].contains(&status));
        let second = judge::second_answer(whole);
        if !waited {
            return Vec::new();
        }
        let announced = self.attempt(client, draft, Way::Announced).await;
        let first = match whole.answer() {
            Some(answer) => judge::said(&answer, b""),
            None => format!("no answer came in {:?}", self.settings.within),
        };
        let mut seen = first;
        let mut shown = false;
        if let Some(second) = second {
            seen += &format!(
                "; a second one follows, \"{second}\", to the eight octets: something took them for a request of their own"
            );
            shown = true;
        }
        if announced.opened().is_some() {
            seen +=
                "; with `Content-Length: 8` it opens: the octets arrive only if they are announced";
            shown = true;
        }
        if !shown {
            return Vec::new();
        }
        vec![Finding::new(Kind::Key3Held, &[draft], seen).shown()]
    }

    /// Whether something in front gives an error in every draft: then it is not
    /// the octets behind the head that it waits for.
    fn perhaps_the_gateway(&mut self) {
        let why = |tried: &Tried| match tried.verdict {
            Verdict::Fails(why) => Some(why),
            _ => None,
        };
        let either = [Some(Kind::GatewayError), Some(Kind::Key3Held)];
        let all = self.drafts.iter().all(|tried| either.contains(&why(tried)));
        let some = self.drafts.iter().any(|tried| why(tried) == either[0]);
        if !all || !some {
            return;
        }
        for tried in &mut self.drafts {
            tried.verdict = Verdict::Fails(Kind::GatewayError);
        }
        self.findings.retain(|found| found.kind != Kind::Key3Held);
        for found in &mut self.findings {
            if found.kind == Kind::GatewayError {
                found.drafts.clear();
            }
        }
    }

    /// Whether a port that answers no draft over plain TCP speaks TLS.
    async fn perhaps_tls(&mut self) {
        const MUTE: [Kind; 4] = [
            Kind::TcpEnded,
            Kind::Reset,
            Kind::AnswerMalformed,
            Kind::SilentToRequest,
        ];
        let mute =
            |tried: &Tried| matches!(tried.verdict, Verdict::Fails(why) if MUTE.contains(&why));
        if self.url.secure || !self.drafts.iter().all(mute) {
            return;
        }
        let within = self.settings.within;
        if let Some(seen) = front::speaks_tls(&self.client, self.url, within).await {
            for tried in &mut self.drafts {
                tried.verdict = Verdict::Fails(Kind::TlsExpected);
            }
            self.findings = vec![Finding::new(Kind::TlsExpected, &[], seen).shown()];
        }
    }
}

fn origin_refused(
    draft: Draft,
    refused: &Attempt,
    other: &Attempt,
    origin: &Option<String>,
) -> Finding {
    let status = |attempt: &Attempt| match attempt.status() {
        Some(status) => status.to_string(),
        None => "no answer".to_owned(),
    };
    let with = match origin {
        Some(origin) => format!("with Origin {origin}"),
        None => "without an Origin".to_owned(),
    };
    let seen = format!("{} as asked, {} {with}", status(refused), status(other));
    let found = Finding::new(Kind::OriginRefused, &[draft], seen);
    match origin {
        Some(origin) => found.with_fix(format!("claim it: --origin {origin}")),
        None => found.with_fix("claim no origin"),
    }
}

/// What a head and the octets behind it, sent apart, show.
fn parted_findings(parted: &Attempt) -> Option<Finding> {
    let draft = [parted.draft];
    let came = match &parted.outcome {
        Outcome::Opened(_) if parted.early => return None,
        Outcome::Opened(_) => {
            let seen = format!(
                "the head alone was left unanswered for {HELD:?}; it opens once the octets are there"
            );
            return Some(Finding::new(Kind::Key3Awaited, &draft, seen));
        }
        Outcome::Refused(refused) => match refused.last() {
            Some(refusal) => refusal.to_string(),
            None => return None,
        },
        Outcome::Ended { .. } => "the connection ended".to_owned(),
        Outcome::Silent => "no answer came".to_owned(),
        Outcome::NoWay(_) | Outcome::Unspeakable(_) => return None,
    };
    let seen = format!("sent together it opens; sent {HELD:?} apart: {came}");
    Some(Finding::new(Kind::Key3Alone, &draft, seen))
}

/// What a second connection shows that was tried while the first was open.
fn one_slot(second: &Attempt) -> Option<Finding> {
    let came = match &second.outcome {
        Outcome::Opened(_) => return None,
        Outcome::Refused(refused) => refused.last().map(ToString::to_string)?,
        Outcome::Ended { .. } => "it ended without an answer".to_owned(),
        Outcome::Silent => "no answer came".to_owned(),
        Outcome::NoWay(error) => error.to_string(),
        Outcome::Unspeakable(_) => return None,
    };
    let finding = Finding::new(Kind::OneConnection, &[], format!("to the second: {came}"));
    Some(finding)
}

/// What a conversation shows.
fn conversed(draft: Draft, closing: Closing, seen: &Conversation) -> Vec<Finding> {
    let new = |kind, seen: String| Finding::new(kind, &[draft], seen);
    if let Some(rule) = seen.broken {
        return vec![new(Kind::DraftBroken, format!("{rule} [{}]", rule.code()))];
    }
    let mut found = Vec::new();
    if seen.pinged && seen.pong.is_none() {
        found.push(new(Kind::PongMissing, "no pong came in time".into()));
    }
    let ended = &seen.closing;
    if ended.by_peer {
        let code = ended
            .code
            .map_or_else(String::new, |code| format!(" with {code}"));
        let seen = format!("the server closed first{code}");
        found.push(new(Kind::ClosedByServer, seen));
    } else if ended.answered.is_none() {
        let tcp = match ended.tcp {
            Some(_) => "TCP ended without a Close",
            None => "nothing came, and TCP did not end",
        };
        found.push(new(Kind::CloseUnanswered, tcp.into()));
    } else if closing == Closing::Coded && ended.code != Some(Close::NORMAL) {
        let code = ended
            .code
            .map_or_else(|| "no code".to_owned(), |code| code.to_string());
        let seen = format!("{} was sent, {code} came", Close::NORMAL);
        found.push(new(Kind::CloseAnswerOther, seen));
    }
    found
}
