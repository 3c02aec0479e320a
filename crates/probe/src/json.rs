//! The report as JSON. The keys are a promise: they are documented in
//! docs/probing.md, and only ever added to.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    Conversation, Finding, Front, Report, Request,
    report::{Term, Tried, Verdict},
};

impl Report {
    /// The report as JSON, indented, with a line break at the end.
    pub fn to_json(&self) -> String {
        let names = |drafts: &[draftgate_core::Draft]| -> Vec<&str> {
            drafts.iter().map(|draft| draft.name()).collect()
        };
        let route = self.advice.route.iter();
        let route: serde_json::Map<String, Value> = route
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect();
        let command = |(what, line): &(String, String)| json!({ "for": what, "line": line });
        let value = json!({
            "format": 1,
            "target": self.target,
            "works": self.works(),
            "front": self.front.as_ref().map(front),
            "request": self.request.as_ref().map(request),
            "drafts": self.drafts.iter().map(tried).collect::<Vec<_>>(),
            "findings": self.findings.iter().map(finding).collect::<Vec<_>>(),
            "advice": {
                "drafts": names(&self.advice.drafts),
                "terms": self.advice.terms.iter().map(term).collect::<Vec<_>>(),
                "route": route,
                "commands": self.advice.commands.iter().map(command).collect::<Vec<_>>(),
                "sentences": self.advice.sentences,
            },
        });
        format!("{value:#}\n")
    }
}

fn front(front: &Front) -> Value {
    json!({
        "address": front.address.map(|address| address.to_string()),
        "tls": front.tls,
        "status-line": front.status_line,
        "server": front.server,
        "via": front.via,
    })
}

fn request(request: &Request) -> Value {
    let refused = |refusal: &draftgate_drafts::opening::Refusal| {
        json!({
            "code": refusal.code(),
            "what": refusal.to_string(),
            "fix": refusal.remedy(),
        })
    };
    let others = |(name, says): &(&str, &str)| json!({ "who": name, "does": says });
    json!({
        "draft": request.draft.map(|draft| draft.name()),
        "told-by": request.told_by,
        "refused": request.refused.iter().map(refused).collect::<Vec<_>>(),
        "answer": request.answer.as_ref().map(|head| String::from_utf8_lossy(head)),
        "others": request.others.iter().map(others).collect::<Vec<_>>(),
    })
}

fn tried(tried: &Tried) -> Value {
    let terms = match &tried.verdict {
        Verdict::WorksIf(terms) => terms.iter().map(term).collect(),
        _ => Vec::new(),
    };
    json!({
        "draft": tried.draft.name(),
        "verdict": tried.verdict.name(),
        "because": match tried.verdict {
            Verdict::Fails(kind) => Some(kind.code()),
            _ => None,
        },
        "terms": terms,
        "status": tried.status,
        "answered-ms": tried.answered.map(milliseconds),
        "subprotocol": tried.subprotocol,
        "conversation": tried.conversation.as_ref().map(conversation),
    })
}

fn conversation(seen: &Conversation) -> Value {
    json!({
        "pinged": seen.pinged,
        "pong-ms": seen.pong.map(milliseconds),
        "reply-ms": seen.reply.map(milliseconds),
        "messages": seen.count,
        "first-messages": seen.messages,
        "broken": seen.broken.map(|rule| rule.code()),
        "closed-by-server": seen.closing.by_peer,
        "close-ms": seen.closing.answered.map(milliseconds),
        "close-code": seen.closing.code,
        "tcp-end-ms": seen.closing.tcp.map(milliseconds),
    })
}

fn finding(finding: &Finding) -> Value {
    let kind = finding.kind;
    json!({
        "code": kind.code(),
        "weight": kind.weight().name(),
        "drafts": finding.drafts.iter().map(|draft| draft.name()).collect::<Vec<_>>(),
        "what": kind.sentence(),
        "seen": finding.seen,
        "cause": Some(kind.cause()).filter(|cause| !cause.is_empty()),
        "shown": finding.shown,
        "fix": finding.fix(),
    })
}

fn term(term: &Term) -> Value {
    match term {
        Term::Lenient => json!({ "answer-checks": "lenient" }),
        Term::Origin(origin) => json!({ "origin": origin }),
    }
}

/// With three digits behind the point.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e6).round() / 1e3
}
