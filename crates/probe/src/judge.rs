//! From what came back to findings: which rule an answer breaks, who answered,
//! and what that is likely to come of.

use bytes::BytesMut;
use draftgate_core::Draft;
use draftgate_drafts::{
    opening::{
        Answer, Asked, Challenge, Refusal, RefusalKind,
        challenge::{ANSWER, KEY3},
        parts,
    },
    recorded,
};

use crate::{
    Finding, FindingKind as Kind,
    attempt::{Attempt, Outcome},
    front::tells_of_tls,
    location, quote,
};

/// What HAProxy 2.6 sends behind the head of its own 400, octet by octet.
const HAPROXY_400: &[u8] =
    b"<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n";

/// The octets that hixie-75 compares (§3.1).
const COMPARED: usize = 85;

/// An answer that takes longer is slow: people notice, and devices give up.
pub(crate) const SLOW: std::time::Duration = std::time::Duration::from_secs(2);

/// What is to be said of the answer to one opening.
pub(crate) fn findings(attempt: &Attempt) -> Vec<Finding> {
    let mut found = match &attempt.outcome {
        Outcome::Opened(opened) => {
            let forgiven = opened.connected.forgiven.iter();
            forgiven.map(|refusal| of(attempt, refusal)).collect()
        }
        Outcome::Refused(refused) => refused
            .iter()
            .map(|refusal| match refusal.kind {
                RefusalKind::AnswerStatus => status(attempt),
                _ => of(attempt, refusal),
            })
            .collect(),
        Outcome::Ended { .. } | Outcome::Silent => vec![ended(attempt)],
        Outcome::NoWay(error) => {
            vec![new(attempt, Kind::ConnectFailed, error.to_string())]
        }
        Outcome::Unspeakable(refusal) => {
            vec![new(attempt, Kind::Unspeakable, refusal.to_string())]
        }
    };
    if let Some(answer) = attempt.answer() {
        found.extend(beside(attempt, &answer));
    }
    found
}

fn new(attempt: &Attempt, kind: Kind, seen: impl Into<String>) -> Finding {
    Finding::new(kind, &[attempt.draft], seen)
}

/// Where the connection ended, or nothing more came.
fn ended(attempt: &Attempt) -> Finding {
    let came = match attempt.octets.len() {
        0 => "no octet came".to_owned(),
        _ => format!("so far came {}", quote::octets(&attempt.octets)),
    };
    if tells_of_tls(&attempt.octets) {
        return new(attempt, Kind::TlsExpected, came).shown();
    }
    match &attempt.outcome {
        Outcome::Ended { reset: true } => new(attempt, Kind::Reset, came),
        Outcome::Ended { reset: false } => new(attempt, Kind::TcpEnded, came),
        _ if attempt.octets.is_empty() => new(attempt, Kind::SilentToRequest, came),
        _ => new(attempt, Kind::AnswerCutOff, came),
    }
}

/// What a rule means that an answer breaks.
fn of(attempt: &Attempt, refusal: &Refusal) -> Finding {
    let seen = refusal.to_string();
    let says = |words: &str| {
        let detail = refusal.detail.as_deref().unwrap_or_default();
        detail.to_ascii_lowercase().contains(words)
    };
    match refusal.kind {
        RefusalKind::AnswerAccept => new(attempt, Kind::AcceptWrong, seen),
        RefusalKind::AnswerChallenge => challenge(attempt, seen),
        RefusalKind::AnswerConnection => new(attempt, Kind::ConnectionNotUpgrade, seen),
        RefusalKind::AnswerExtension => new(attempt, Kind::ExtensionUnasked, seen),
        RefusalKind::AnswerField if says("protocol is missing") => {
            new(attempt, Kind::SubprotocolMissing, seen)
        }
        RefusalKind::AnswerField if says("connection is missing") => {
            new(attempt, Kind::ConnectionNotUpgrade, seen)
        }
        RefusalKind::AnswerField if says("upgrade is missing") => {
            new(attempt, Kind::UpgradeOther, seen)
        }
        RefusalKind::AnswerField => new(attempt, Kind::FieldMissing, seen),
        RefusalKind::AnswerHello => {
            let behind = attempt.body();
            let hello = draftgate_drafts::acceptor(attempt.draft)
                .map_or(0, |acceptor| acceptor.octets_after_answer());
            let behind = &behind[..behind.len().min(hello)];
            new(
                attempt,
                Kind::HelloWrong,
                format!("{seen}: {}", quote::hex(behind)),
            )
        }
        RefusalKind::AnswerLocation => new(attempt, Kind::LocationMismatch, located(attempt, seen)),
        RefusalKind::AnswerOrigin => new(attempt, Kind::OriginEchoed, seen),
        RefusalKind::AnswerStatusLine => new(attempt, Kind::AnswerRewritten, rewritten(attempt)),
        RefusalKind::AnswerSubprotocol if asked(attempt).is_empty() => {
            new(attempt, Kind::SubprotocolUnasked, seen)
        }
        RefusalKind::AnswerSubprotocol => new(attempt, Kind::SubprotocolOther, seen),
        RefusalKind::AnswerUpgrade => new(attempt, Kind::UpgradeOther, seen),
        _ if tells_of_tls(&attempt.octets) => {
            new(attempt, Kind::TlsExpected, quote::octets(&attempt.octets)).shown()
        }
        _ => {
            let seen = format!("{seen}: {}", quote::octets(&attempt.octets));
            new(attempt, Kind::AnswerMalformed, seen)
        }
    }
}

/// What an answer says besides that which refuses it.
fn beside(attempt: &Attempt, answer: &Answer) -> Vec<Finding> {
    let mut found = Vec::new();
    if answer.head.starts_with(b"HTTP/1.0") {
        let line = quote::octets(answer.status_line().as_bytes());
        found.push(new(attempt, Kind::HttpOld, line));
    }
    let opened = attempt.first.filter(|_| answer.status == 101);
    if let Some(first) = opened.filter(|first| *first >= SLOW) {
        let seen = format!("its first octet came after {:.1} s", first.as_secs_f32());
        found.push(new(attempt, Kind::AnswerSlow, seen));
    }
    let asked = asked(attempt);
    // hixie's own checks speak of it; in hello-00 and from hybi-04 on it is allowed.
    let is_allowed =
        attempt.draft.version().is_some() || draftgate_drafts::has_hello(attempt.draft);
    if let Some(opened) = attempt.opened()
        && is_allowed
        && !asked.is_empty()
        && opened.connected.subprotocol.is_none()
    {
        let seen = format!("asked for {}, none was chosen", asked.join(", "));
        found.push(new(attempt, Kind::SubprotocolMissing, seen));
    }
    // hixie-75's client compares none that it did not ask for.
    let chosen = ["websocket-protocol", "sec-websocket-protocol"]
        .into_iter()
        .find_map(|name| answer.named(name).next());
    if let Some((name, value)) = chosen
        && attempt.draft.version().is_none()
        && asked.is_empty()
        && answer.status == 101
    {
        let seen = format!("{name}: {}", quote::plain(value));
        found.push(new(attempt, Kind::SubprotocolUnasked, seen));
    }
    found
}

/// The subprotocols that were asked for.
fn asked(attempt: &Attempt) -> Vec<String> {
    let Ok(Some((request, _))) = parts(&attempt.request) else {
        return Vec::new();
    };
    let asked = draftgate_drafts::subprotocols(attempt.draft, &request.headers);
    asked.into_iter().map(str::to_owned).collect()
}

/// The location that came beside the one that was asked for, part by part.
fn located(attempt: &Attempt, otherwise: String) -> String {
    let (Some(answer), Ok(asked)) = (attempt.answer(), Asked::read(&attempt.request)) else {
        return otherwise;
    };
    let found = ["websocket-location", "sec-websocket-location"]
        .into_iter()
        .find_map(|name| answer.named(name).next());
    let Some((name, found)) = found else {
        return otherwise;
    };
    let found = quote::plain(found);
    // The refusal names the wanted one last, in its quotes.
    let wanted = otherwise.rsplit('`').nth(1).map(str::to_owned);
    let wanted = wanted.or_else(|| asked.url(false).ok()).unwrap_or_default();
    let differing = location::differences(&found, &wanted);
    match differing.is_empty() {
        true => otherwise,
        false => format!(
            "{name} is `{found}`, not `{wanted}`: {}",
            differing.join(", ")
        ),
    }
}

/// The first of the octets compared literally that differs, in both.
fn rewritten(attempt: &Attempt) -> String {
    let found = &attempt.octets;
    let begun = quote::octets(&found[..found.len().min(COMPARED)]);
    let ours = parts(&attempt.request)
        .ok()
        .flatten()
        .and_then(|(request, _)| recorded::answer(&request).ok());
    let Some((_, ours)) = ours else {
        return format!("it begins {begun}");
    };
    let wanted = ours.head.to_bytes();
    let wanted = &wanted[..wanted.len().min(COMPARED)];
    let at = wanted.iter().zip(found.iter()).position(|(a, b)| a != b);
    let at = at.unwrap_or_else(|| found.len().min(COMPARED));
    let some = |octets: &[u8]| {
        let octets = octets.get(at..).unwrap_or_default();
        let octets = &octets[..octets.len().min(16)];
        format!("{} ({})", quote::octets(octets), quote::hex(octets))
    };
    format!(
        "octet {at} differs: {} instead of {}; it begins {begun}",
        some(found),
        some(wanted)
    )
}

/// The octets in the place of the proof, and what they prove instead.
fn challenge(attempt: &Attempt, otherwise: String) -> Finding {
    let behind = attempt.body();
    let behind = &behind[..behind.len().min(ANSWER)];
    let seen = format!("{otherwise}: {}", quote::hex(behind));
    match mistaken(attempt, behind) {
        Some(what) => new(attempt, Kind::ChallengeWrong, format!("{seen}; {what}")).shown(),
        None => new(attempt, Kind::ChallengeWrong, seen),
    }
}

/// What `found` is the answer to, if it is one of what is often made of a
/// challenge on its way.
fn mistaken(attempt: &Attempt, found: &[u8]) -> Option<&'static str> {
    let asked = Asked::read(&attempt.request).ok()?;
    let keys = [
        asked.field("sec-websocket-key1")?,
        asked.field("sec-websocket-key2")?,
    ];
    let key3 = *asked.body.first_chunk::<KEY3>()?;
    let is = |keys: [&str; 2], key3| {
        let [one, two] = keys.map(str::as_bytes);
        Challenge::from_keys(one, two).is_ok_and(|challenge| challenge.answer(key3) == found)
    };
    let trimmed = || {
        let begun = key3
            .iter()
            .take_while(|octet| octet.is_ascii_whitespace())
            .count();
        let mut shifted = [0; KEY3];
        shifted[..KEY3 - begun].copy_from_slice(&key3[begun..]);
        shifted
    };
    if is(keys, [0; KEY3]) {
        return Some(
            "they answer eight zeros in the place of the octets behind our head, which did not arrive",
        );
    }
    let squeezed = keys.map(|key| key.split_ascii_whitespace().collect::<Vec<_>>().join(" "));
    if is([&*squeezed[0], &*squeezed[1]], key3) {
        return Some("they answer our keys with one space where there were several");
    }
    is(keys, trimmed())
        .then_some("they answer the octets behind our head without the white space in front")
}

/// What another status than 101 means.
fn status(attempt: &Attempt) -> Finding {
    let Some(answer) = attempt.answer() else {
        return ended(attempt);
    };
    let body = attempt.body();
    let seen = said(&answer, body);
    let field = |name| {
        let value = answer.named(name).next();
        value.map(|(_, value)| quote::plain(value))
    };
    if tells_of_tls(body) {
        return new(attempt, Kind::TlsExpected, seen).shown();
    }
    match answer.status {
        300..=399 => match field("location") {
            Some(to) => {
                let ws = to.replacen("http", "ws", usize::from(to.starts_with("http")));
                new(attempt, Kind::Redirect, format!("{seen}, Location: {to}")).with_fix(format!(
                    "probe {ws}; no client of WebSocket follows by itself"
                ))
            }
            None => new(attempt, Kind::StatusOther, seen),
        },
        401 | 407 => {
            let asks = field("www-authenticate").or_else(|| field("proxy-authenticate"));
            let asks = asks.map_or_else(String::new, |asks| format!(", it asks for {asks}"));
            new(attempt, Kind::Authentication, seen + &asks)
        }
        403 => new(attempt, Kind::Forbidden, seen),
        404 | 410 => new(attempt, Kind::NotFound, seen),
        400 if body == HAPROXY_400 => haproxy(attempt, seen),
        502..=504 => new(attempt, Kind::GatewayError, seen),
        400 | 426 => match field("sec-websocket-version") {
            Some(versions) => listed(attempt, seen, &versions),
            None => new(attempt, Kind::VersionRefused, seen),
        },
        200..=299 => new(attempt, Kind::NotUpgraded, seen),
        _ => new(attempt, Kind::StatusOther, seen),
    }
}

fn haproxy(attempt: &Attempt, seen: String) -> Finding {
    let seen = format!("{seen}; its body is HAProxy's own, octet by octet");
    let found = new(attempt, Kind::HaproxyRefuses, seen);
    match attempt.draft.version() {
        None => found,
        // It has a key: there is another reason.
        Some(_) => found.likely().with_fix(
            "HAProxy's log says why (`option httplog`, `show errors`); `mode tcp` passes everything",
        ),
    }
}

fn listed(attempt: &Attempt, seen: String, versions: &str) -> Finding {
    let ours: Vec<String> = versions
        .split(',')
        .filter_map(|version| version.trim().parse::<u8>().ok())
        .filter_map(|version| draftgate_drafts::spoken().find(|d| d.version() == Some(version)))
        .map(|draft| draft.name().to_owned())
        .collect();
    let found = new(
        attempt,
        Kind::VersionsListed,
        format!("{seen}, Sec-WebSocket-Version: {versions}"),
    );
    let own = attempt.draft.version().map(|own| own.to_string());
    if own.is_some_and(|own| versions.split(',').any(|v| v.trim() == own)) {
        let fix = "it lists the very version that was tried: something else of the request is refused; see its log";
        return found.with_fix(fix);
    }
    match ours.is_empty() {
        true => found.with_fix("none of them is spoken here"),
        false => found.with_fix(format!("use {}", ours.join(" or "))),
    }
}

/// The status line, who says so, and the beginning of the body.
pub(crate) fn said(answer: &Answer, body: &[u8]) -> String {
    let line = quote::octets(answer.status_line().as_bytes());
    let by = who(answer, body).map_or_else(String::new, |who| format!(" by {who}"));
    let body = body.trim_ascii();
    match body.is_empty() {
        true => format!("{line}{by}"),
        false => format!("{line}{by}: {}", quote::octets(body)),
    }
}

/// Who answered, as far as the answer names itself.
pub(crate) fn who(answer: &Answer, body: &[u8]) -> Option<String> {
    if let Some((_, server)) = answer.named("server").next() {
        return Some(quote::plain(server));
    }
    let haproxy = body.starts_with(b"<html><body><h1>") && body.ends_with(b"\n</body></html>\n");
    haproxy.then(|| "HAProxy, as its body looks".to_owned())
}

/// Whether a second answer stands behind the first: to octets that were meant to
/// belong to the one request.
pub(crate) fn second_answer(attempt: &Attempt) -> Option<String> {
    let answer = attempt.answer()?;
    let length = answer.named("content-length").next();
    let length: usize =
        length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.trim().parse().ok())?;
    let mut behind = BytesMut::from(attempt.body().get(length..)?);
    let second = Answer::read(&mut behind).ok()??;
    Some(second.status_line())
}

/// Whether `draft` has octets behind its request's head.
pub(crate) fn goes_on(draft: Draft) -> bool {
    let acceptor = draftgate_drafts::acceptor(draft);
    acceptor.is_ok_and(|acceptor| acceptor.octets_after_head() > 0)
}
