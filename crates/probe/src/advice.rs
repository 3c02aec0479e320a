//! What to do with what was found: which drafts to use, and with which settings,
//! as commands and as keys of a configuration that can be copied.

use draftgate_core::Draft;
use serde_json::{Value, json};

use crate::{
    FindingKind, Report, Weight,
    report::{Term, Verdict},
};

/// Which drafts to use, and on which terms.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Advice {
    /// The drafts to use, the best first: those that work as they are, then
    /// those that work on terms; newer ones before older.
    pub drafts: Vec<Draft>,
    /// What must be so for the first of them.
    pub terms: Vec<Term>,
    /// The keys of a route of the gateway that relays to the server, with their
    /// values, which are the same in TOML and JSON; none if nothing works.
    pub route: Vec<(&'static str, Value)>,
    /// Commands to use: for what, and the line.
    pub commands: Vec<(String, String)>,
    /// Sentences for people, the most important first.
    pub sentences: Vec<String>,
}

impl Advice {
    pub(crate) fn of(report: &Report) -> Self {
        let mut good: Vec<_> = report
            .drafts
            .iter()
            .filter(|tried| tried.verdict.is_good())
            .collect();
        good.sort_by_key(|tried| {
            let as_it_is = tried.verdict == Verdict::Works;
            std::cmp::Reverse((as_it_is, tried.draft.version(), tried.draft))
        });
        let drafts: Vec<Draft> = good.iter().map(|tried| tried.draft).collect();
        let terms = match good.first().map(|tried| &tried.verdict) {
            Some(Verdict::WorksIf(terms)) => terms.clone(),
            _ => Vec::new(),
        };
        let mut advice = Self {
            drafts,
            terms,
            ..Self::default()
        };
        if let Some(request) = &report.request {
            advice.sentences = request.advice(report);
        } else if advice.drafts.is_empty() {
            advice.sentences = vec![nothing_works(report)];
        } else {
            advice.route = advice.route(report);
            advice.commands = advice.commands(report);
            advice.sentences = advice.cautions();
        }
        advice
    }

    /// The commands to use.
    fn commands(&self, report: &Report) -> Vec<(String, String)> {
        let Some(best) = self.drafts.first() else {
            return Vec::new();
        };
        let mut connect = vec!["draftgate connect".to_owned()];
        // The newest is tried without being told.
        if draftgate_drafts::spoken().last() != Some(*best) {
            connect.push(format!("--draft {best}"));
        }
        let names = self.on_these_terms(report);
        let mut proxy = vec![
            "draftgate proxy".to_owned(),
            format!("--upstream-draft {}", names.join(",")),
        ];
        for term in &self.terms {
            match term {
                Term::Lenient => {
                    connect.push("--answer-checks lenient".into());
                    proxy.push("--lenient".into());
                }
                Term::Origin(Some(origin)) => {
                    connect.push(format!("--origin {}", word(origin)));
                }
                Term::Origin(None) => {}
            }
        }
        if has_one_slot(report) {
            proxy.push("--max-connections 1".into());
        }
        for command in [&mut connect, &mut proxy] {
            command.push(word(&report.target));
        }
        vec![
            (format!("use {}", best.with_alias()), connect.join(" ")),
            ("relay clients of any draft".to_owned(), proxy.join(" ")),
        ]
    }

    /// The drafts that work on the terms of the first, which are said once for
    /// all of them.
    fn on_these_terms(&self, report: &Report) -> Vec<&'static str> {
        let works = |draft: &&Draft| {
            let mut drafts = report.drafts.iter();
            let tried = drafts.find(|tried| tried.draft == **draft);
            tried.is_some_and(|tried| match &tried.verdict {
                Verdict::Works => true,
                Verdict::WorksIf(terms) => terms.iter().all(|term| self.terms.contains(term)),
                Verdict::Fails(_) => false,
            })
        };
        let drafts = self.drafts.iter().filter(works);
        drafts.map(|draft| draft.name()).collect()
    }

    /// What to know of the best draft.
    fn cautions(&self) -> Vec<String> {
        let old = self.drafts.first().filter(|best| best.version().is_none());
        let caution = |best: &Draft| {
            let name = best.with_alias();
            format!("{name} proves and masks little: let nothing but your own network lie between")
        };
        old.map(caution).into_iter().collect()
    }

    /// The keys of a route that relays to the server.
    fn route(&self, report: &Report) -> Vec<(&'static str, Value)> {
        let names = self.on_these_terms(report);
        let mut keys = vec![
            ("path", json!("/{rest}")),
            ("service", json!("proxy")),
            // With its path: every client is given what was tried.
            ("upstream", json!(report.target)),
            ("upstream-drafts", json!(names)),
        ];
        for term in &self.terms {
            match term {
                Term::Lenient => keys.push(("upstream-answer-checks", json!("lenient"))),
                Term::Origin(Some(origin)) => keys.push(("upstream-origin", json!(origin))),
                Term::Origin(None) => {}
            }
        }
        if has_one_slot(report) {
            keys.push(("max-upstream-connections", json!(1)));
        }
        keys
    }
}

fn has_one_slot(report: &Report) -> bool {
    let mut kinds = report.findings.iter().map(|finding| finding.kind);
    kinds.any(|kind| kind == FindingKind::OneConnection)
}

/// `text` as one word of a shell.
fn word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~:/@%+=,".contains(c);
    match text.chars().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}

fn nothing_works(report: &Report) -> String {
    let heaviest = report.findings.first();
    let first = heaviest.filter(|finding| finding.kind.weight() == Weight::Fault);
    first.map_or_else(
        || "nothing works; look at the server's log".to_owned(),
        |finding| format!("nothing works; first of all: {}", finding.fix()),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shell_would_read_otherwise_is_quoted() {
        for (text, quoted) in [
            ("ws://a:1/x", "ws://a:1/x"),
            ("ws://a/?x=1&y", "'ws://a/?x=1&y'"),
            ("ws://a/';rm", r"'ws://a/'\'';rm'"),
        ] {
            assert_eq!(word(text), quoted);
        }
    }
}
