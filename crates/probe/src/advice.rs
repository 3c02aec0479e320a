//! What to do with what was found: which drafts to use, and with which settings.

use draftgate_core::Draft;

use crate::{
    Report, Weight,
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
            sentences: Vec::new(),
        };
        advice.sentences = advice.said(report);
        advice
    }

    fn said(&self, report: &Report) -> Vec<String> {
        if let Some(request) = &report.request {
            return request.advice(report);
        }
        let Some(best) = self.drafts.first() else {
            let heaviest = report.findings.first();
            let first = heaviest.filter(|finding| finding.kind.weight() == Weight::Fault);
            let fix = first.map_or_else(
                || "nothing works; look at the server's log".to_owned(),
                |finding| format!("nothing works; first of all: {}", finding.fix()),
            );
            return vec![fix];
        };
        let names: Vec<&str> = self.drafts.iter().map(|draft| draft.name()).collect();
        let mut said = vec![format!(
            "use {}: draftgate connect {}{}{}",
            best.with_alias(),
            flags(*best, &self.terms),
            if flags(*best, &self.terms).is_empty() {
                ""
            } else {
                " "
            },
            report.target,
        )];
        if names.len() > 1 {
            let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
            said.push(format!(
                "as an upstream: upstream-drafts = [{}]",
                quoted.join(", ")
            ));
        } else {
            said.push(format!(
                "as an upstream: upstream-drafts = [\"{}\"]",
                names[0]
            ));
        }
        if self.terms.contains(&Term::Lenient) {
            said.push("and there upstream-answer-checks = \"lenient\"".into());
        }
        if best.version().is_none() {
            said.push(
                "it proves and masks little: let nothing but your own network lie between".into(),
            );
        }
        said
    }
}

/// The flags of `connect` for `draft` on these terms.
fn flags(draft: Draft, terms: &[Term]) -> String {
    let mut flags = Vec::new();
    if draft != newest() {
        flags.push(format!("--draft {draft}"));
    }
    for term in terms {
        match term {
            Term::Lenient => flags.push("--answer-checks lenient".into()),
            Term::Origin(Some(origin)) => flags.push(format!("--origin {origin}")),
            Term::Origin(None) => {}
        }
    }
    flags.join(" ")
}

/// The draft that `connect` tries without being told.
fn newest() -> Draft {
    draftgate_drafts::spoken()
        .last()
        .unwrap_or(Draft::ALL[Draft::ALL.len() - 1])
}
