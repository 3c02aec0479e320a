//! A recorded request: which draft it is in, what we would answer, everything
//! that is wrong with it, and what something on its way has done to it.
//!
//! The table of drafts stops at the first rule that is broken. Here each fault
//! is mended as a person would mend it, and the table asked again, until nothing
//! is wrong or nothing can be done.

use bytes::Bytes;
use draftgate_core::Draft;
use draftgate_drafts::{
    Detection, detect,
    opening::{Asked, HeadMalformed, Refusal, RefusalKind, challenge::Hidden, parts},
    recorded as judged,
};
use http::{HeaderName, HeaderValue, Method, Version, request::Parts};

use crate::{
    Finding, FindingKind as Kind, Report, advice::Advice, attempt::Attempt, judge, others, quote,
};

/// A request that was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Where it is from, for people.
    pub source: String,
    /// What the client sent, from its head on.
    pub request: Bytes,
    /// What the server sent; empty if it is not known.
    pub answer: Bytes,
}

/// What is to be said of a recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The draft that it is in; if it is refused, the one that it would be in if
    /// it were mended. `None` if there is none.
    pub draft: Option<Draft>,
    /// By what it is told.
    pub told_by: Option<String>,
    /// Everything for which it would be refused, the first reason first.
    pub refused: Vec<Refusal>,
    /// The head that this program answers with; `None` if it refuses.
    pub answer: Option<Bytes>,
    /// What others do with such a request: name, and what was measured.
    pub others: Vec<(&'static str, &'static str)>,
}

/// Why octets are no recorded request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotARequest {
    /// The head does not end.
    CutOff,
    /// It is no head of a request.
    Malformed(HeadMalformed),
}

impl std::fmt::Display for NotARequest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::CutOff => f.write_str(
                "the request's head is not whole: it ends with an empty line (CR LF CR LF)",
            ),
            Self::Malformed(why) => why.fmt(f),
        }
    }
}

impl std::error::Error for NotARequest {}

/// Looks at a recorded request, and at the answer to it if there is one.
///
/// # Errors
/// It is no whole request.
pub fn recorded(recorded: &Recorded) -> Result<Report, NotARequest> {
    let octets = &recorded.request;
    let (head, end) = match parts(octets) {
        Ok(Some(found)) => found,
        Ok(None) => return Err(NotARequest::CutOff),
        Err(malformed) => return Err(NotARequest::Malformed(malformed)),
    };
    let (draft, refused) = mended(&head);
    let about: Vec<Draft> = draft.into_iter().collect();
    let mut findings: Vec<Finding> = refused
        .iter()
        .map(|refusal| {
            let seen = format!("{refusal} [{}]", refusal.code());
            Finding::new(Kind::RecordedRefused, &about, seen).with_fix(refusal.remedy())
        })
        .collect();
    if let Ok(asked) = Asked::read(octets) {
        findings.extend(on_its_way(&asked, draft, octets.len() - end));
    }
    let answer = judged::answer(&head).ok();
    if let Some((draft, _)) = &answer
        && !recorded.answer.is_empty()
        && let Some(attempt) = Attempt::recorded(*draft, octets.clone(), recorded.answer.clone())
    {
        findings.extend(judge::findings(&attempt));
    }
    let request = Request {
        draft,
        told_by: draft.map(told_by),
        refused,
        answer: answer.map(|(_, accepted)| accepted.head.to_bytes()),
        others: draft.map(others::of).unwrap_or_default(),
    };
    Ok(Report {
        target: recorded.source.clone(),
        front: None,
        request: Some(request),
        drafts: Vec::new(),
        findings,
        advice: Advice::default(),
    }
    .settle())
}

impl Request {
    pub(crate) fn advice(&self, report: &Report) -> Vec<String> {
        let mut said = Vec::new();
        if let Some(refusal) = self.refused.first() {
            said.push(format!("first of all: {}", refusal.remedy()));
        }
        let fault = report.findings.iter().find(|finding| {
            finding.kind.weight() == crate::Weight::Fault && finding.kind != Kind::RecordedRefused
        });
        if let Some(fault) = fault {
            said.push(fault.fix().into_owned());
        }
        if said.is_empty() {
            said.push("nothing is wrong with it".into());
        }
        said
    }
}

/// By what a request of `draft` is told.
fn told_by(draft: Draft) -> String {
    match draft.version() {
        Some(version) => format!("`Sec-WebSocket-Version: {version}` and a key of 16 octets"),
        None if draft == draftgate_drafts::WITHOUT_KEYS => {
            "`Upgrade: WebSocket` and an Origin, and no key of any kind".into()
        }
        None => "`Sec-WebSocket-Key1` and `-Key2`, each once".into(),
    }
}

/// The draft that `head` is in, or would be in if all were mended for which it
/// is refused.
fn mended(head: &Parts) -> (Option<Draft>, Vec<Refusal>) {
    let mut head = head.clone();
    let mut refused: Vec<Refusal> = Vec::new();
    loop {
        let refusal = match judged::answer(&head) {
            Ok((draft, _)) => return (Some(draft), refused),
            Err(refusal) => refusal,
        };
        let again = refused.iter().any(|known| known.kind == refusal.kind);
        let kind = refusal.kind;
        if !again {
            refused.push(refusal);
        }
        if again || !mend(kind, &mut head) {
            return (detect(&head, Detection::default()).ok(), refused);
        }
    }
}

/// Makes of `head` what it should be by the rule that it broke; says whether
/// that can be known.
fn mend(kind: RefusalKind, head: &mut Parts) -> bool {
    let mut set = |name: &'static str, value: &'static str| {
        let name = HeaderName::from_static(name);
        head.headers.insert(name, HeaderValue::from_static(value));
    };
    match kind {
        RefusalKind::MethodNotGet => head.method = Method::GET,
        RefusalKind::HttpVersion => head.version = Version::HTTP_11,
        RefusalKind::UpgradeMissing => {
            set("upgrade", "websocket");
            set("connection", "Upgrade");
        }
        RefusalKind::HostMissing => set("host", "localhost"),
        RefusalKind::OriginMissing => set("origin", "http://localhost"),
        RefusalKind::OriginAmbiguous => {
            head.headers.remove("sec-websocket-origin");
        }
        RefusalKind::KeyInvalid => set("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        RefusalKind::VersionMissing
        | RefusalKind::VersionMalformed
        | RefusalKind::VersionUnsupported => set("sec-websocket-version", "13"),
        RefusalKind::ChallengeKeyInvalid | RefusalKind::ChallengeKeyMissing => {
            // The first worked example of hixie-76.
            set("sec-websocket-key1", "4 @1  46546xW%0l 1 5");
            set("sec-websocket-key2", "12998 5 Y3 1  .P00");
        }
        RefusalKind::ChallengeDraftUnknown | RefusalKind::DraftAlone => {
            head.headers.remove("sec-websocket-draft");
        }
        _ => return false,
    }
    true
}

/// Fields that proxies add.
const ADDED: [&str; 9] = [
    "via",
    "forwarded",
    "x-forwarded-for",
    "x-forwarded-proto",
    "x-forwarded-host",
    "x-forwarded-port",
    "x-forwarded-server",
    "x-real-ip",
    "cf-connecting-ip",
];

/// What something between has done to a request, with `behind` octets behind
/// its head.
fn on_its_way(asked: &Asked, draft: Option<Draft>, behind: usize) -> Vec<Finding> {
    let about: Vec<Draft> = draft.into_iter().collect();
    let new = |kind, seen: String| Finding::new(kind, &about, seen);
    let mut found = Vec::new();
    let added: Vec<String> = asked
        .fields
        .iter()
        .filter(|(name, _)| ADDED.contains(&name.to_ascii_lowercase().as_str()))
        .map(|(name, value)| format!("{name}: {}", quote::plain(value.as_bytes())))
        .collect();
    if !added.is_empty() {
        found.push(new(Kind::RecordedBehindProxy, added.join(", ")));
    }
    let lower = |name: &str| !name.bytes().any(|o| o.is_ascii_uppercase());
    if asked.fields.len() > 2 && asked.fields.iter().all(|(name, _)| lower(name)) {
        let names: Vec<&str> = asked.fields.iter().map(|(name, _)| &**name).collect();
        let seen = quote::plain(names.join(", ").as_bytes());
        found.push(new(Kind::RecordedLowerCase, seen));
    }
    let wanted = draft
        .and_then(|draft| draftgate_drafts::acceptor(draft).ok())
        .map_or(0, |acceptor| acceptor.octets_after_head());
    if let Some(seen) = body(asked, wanted) {
        found.push(new(Kind::RecordedBody, seen));
    }
    if wanted == 0 {
        return found;
    }
    if let Some(length) = asked.field("content-length") {
        let seen = format!("Content-Length: {}", quote::plain(length.as_bytes()));
        found.push(new(Kind::RecordedContentLength, seen));
    }
    if behind < wanted {
        let seen = format!("{behind} of {wanted} octets follow the head");
        found.push(new(Kind::RecordedKey3Missing, seen));
    }
    for name in ["Sec-WebSocket-Key1", "Sec-WebSocket-Key2"] {
        if let Some(seen) = asked.field(name).and_then(squeezed) {
            let seen = format!("{name}: {seen}");
            found.push(new(Kind::RecordedSpacesSqueezed, seen));
        }
    }
    found
}

/// A body that is announced where a request has none, or one of another length
/// than the octets that follow it.
fn body(asked: &Asked, wanted: usize) -> Option<String> {
    if let Some(coding) = asked.field("transfer-encoding") {
        let coding = quote::plain(coding.as_bytes());
        return Some(format!("Transfer-Encoding: {coding}"));
    }
    let length = asked.field("content-length")?;
    let as_it_should = [0, wanted].map(|length| length.to_string());
    let wrong = !as_it_should.contains(&length.trim().to_owned());
    wrong.then(|| format!("Content-Length: {}", quote::plain(length.as_bytes())))
}

/// Whether `key` looks as if runs of spaces in it had become one: no run is
/// left, and its number is a multiple of another count than that of its spaces.
fn squeezed(key: &str) -> Option<String> {
    if key.contains("  ") || Hidden::in_key(key.as_bytes()).is_ok() {
        return None;
    }
    let spaces = key.bytes().filter(|o| *o == b' ').count() as u64;
    let digits: String = key.chars().filter(char::is_ascii_digit).collect();
    let number: u64 = digits.parse().ok()?;
    // A client draws 1 to 12 spaces.
    let more = (spaces + 1..=12).find(|count| number.is_multiple_of(*count))?;
    (spaces > 0).then(|| {
        format!(
            "{}: {number} is no multiple of its {spaces} spaces, but of {more}",
            quote::octets(key.as_bytes())
        )
    })
}
