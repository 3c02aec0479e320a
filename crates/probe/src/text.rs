//! The report for people: what stands there, each draft in a line, what was
//! found, what to do.

use std::fmt::{Display, Write};

use anstyle::{AnsiColor, Style};
use draftgate_core::Draft;

use crate::{
    Conversation, Finding, Report, Request, Weight,
    report::{Term, Tried, Verdict},
};

/// Columns of the names of drafts.
const NAME: usize = 20;

/// Columns of the verdicts.
const VERDICT: usize = 10;

/// The least width that things are laid out for.
const NARROWEST: usize = 40;

const GOOD: Style = AnsiColor::Green.on_default();
const TERMS: Style = AnsiColor::Yellow.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const TITLE: Style = Style::new().bold();
const QUIET: Style = Style::new().dimmed();

/// How a report is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of a line.
    pub width: usize,
    /// Whether in colours.
    pub colour: bool,
}

impl Look {
    fn paint(self, style: Style, text: impl Display) -> String {
        match self.colour {
            true => format!("{style}{text}{style:#}"),
            false => text.to_string(),
        }
    }

    /// `text` below what stands before it, `indent` columns in.
    fn block(self, out: &mut String, first: &str, indent: usize, text: &str) {
        let columns = self.width.max(NARROWEST) - indent;
        for (at, line) in wrapped(text, columns).into_iter().enumerate() {
            let lead = if at == 0 { first } else { "" };
            let _ = writeln!(out, "{lead:indent$}{line}");
        }
    }
}

impl Report {
    /// The report as text.
    pub fn to_text(&self, look: Look) -> String {
        let mut out = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(out, "{}", look.paint(TITLE, &self.target));
        if let Some(said) = self.in_front() {
            look.block(&mut out, "", 2, &said);
        }
        if let Some(request) = &self.request {
            request.text(&mut out, look);
        }
        if !self.drafts.is_empty() {
            out.push('\n');
        }
        for tried in &self.drafts {
            let (style, word) = match &tried.verdict {
                Verdict::Works => (GOOD, "works"),
                Verdict::WorksIf(_) => (TERMS, "works if"),
                Verdict::Fails(_) => (BAD, "fails"),
            };
            let name = tried.draft.with_alias();
            let lead = format!(
                "{name:NAME$}{}",
                look.paint(style, format!("{word:VERDICT$}"))
            );
            let columns = look.width.max(NARROWEST) - NAME.min(look.width / 2);
            let said = wrapped(&line(tried), columns.saturating_sub(VERDICT).max(16));
            for (at, part) in said.into_iter().enumerate() {
                let _ = match at {
                    0 => writeln!(out, "{lead}{part}"),
                    _ => writeln!(out, "{:1$}{part}", "", NAME + VERDICT),
                };
            }
        }
        for finding in &self.findings {
            out.push('\n');
            self.finding(&mut out, finding, look);
        }
        self.to_do(&mut out, look);
        out
    }

    /// Commands and keys stand in lines of their own, whole, to be copied.
    fn to_do(&self, out: &mut String, look: Look) {
        let advice = &self.advice;
        out.push_str("\nWhat to do\n");
        for sentence in &advice.sentences {
            look.block(out, "  -", 4, sentence);
        }
        for (what, line) in &advice.commands {
            let _ = writeln!(out, "  - {what}:\n      {line}");
        }
        if !advice.route.is_empty() {
            out.push_str("  - the same in a route of a configuration:\n");
        }
        for (key, value) in &advice.route {
            let _ = writeln!(out, "      {key} = {value}");
        }
    }

    fn in_front(&self) -> Option<String> {
        let front = self.front.as_ref()?;
        let mut said = Vec::new();
        if let Some(address) = front.address {
            said.push(format!("at {address}"));
        }
        if let Some(version) = front.tls {
            said.push(format!("under {version}"));
        }
        said.push(match &front.status_line {
            Some(line) => format!("a plain GET is answered \"{line}\""),
            None => "a plain GET is not answered".into(),
        });
        if let Some(server) = &front.server {
            said.push(format!("Server: {server}"));
        }
        if let Some(via) = &front.via {
            said.push(format!("Via: {via}"));
        }
        Some(said.join(", "))
    }

    fn finding(&self, out: &mut String, finding: &Finding, look: Look) {
        let kind = finding.kind;
        let style = match kind.weight() {
            Weight::Fault => BAD,
            Weight::Warning => TERMS,
            Weight::Note => QUIET,
        };
        let _ = writeln!(
            out,
            "{} {}{}",
            look.paint(style, kind.weight().name()),
            look.paint(TITLE, kind.code()),
            self.of(finding)
        );
        look.block(out, "", 2, kind.sentence());
        look.block(out, "  seen:", 10, &finding.seen);
        if !kind.cause().is_empty() {
            let lead = if finding.shown {
                "  cause:"
            } else {
                "  likely:"
            };
            look.block(out, lead, 10, kind.cause());
        }
        look.block(out, "  do:", 10, &finding.fix());
    }

    /// In which drafts, if not in all that were tried.
    fn of(&self, finding: &Finding) -> String {
        if finding.drafts.is_empty() || (finding.drafts.len() == self.drafts.len()) {
            return String::new();
        }
        let names: Vec<&str> = finding.drafts.iter().copied().map(Draft::name).collect();
        format!(" ({})", names.join(", "))
    }
}

impl Request {
    fn text(&self, out: &mut String, look: Look) {
        let said = match (self.draft, self.refused.is_empty()) {
            (Some(draft), true) => format!(
                "a request in {}, told by {}",
                draft.with_alias(),
                self.told_by.as_deref().unwrap_or_default()
            ),
            (Some(draft), false) => format!(
                "refused; mended it would be in {}, told by {}",
                draft.with_alias(),
                self.told_by.as_deref().unwrap_or_default()
            ),
            (None, _) => "in no draft that is spoken here".into(),
        };
        look.block(out, "", 2, &said);
        if let Some(head) = &self.answer {
            let _ = writeln!(out, "\ndraftgate would answer");
            for line in String::from_utf8_lossy(head)
                .lines()
                .filter(|l| !l.is_empty())
            {
                let _ = writeln!(out, "  {}", line.escape_debug());
            }
            let acceptor = self.draft.map(draftgate_drafts::acceptor);
            let behind = match &acceptor {
                Some(Ok(acceptor)) => {
                    (acceptor.octets_after_answer(), acceptor.octets_after_head())
                }
                _ => (0, 0),
            };
            match behind {
                (0, _) => {}
                (octets, 0) => drop(writeln!(out, "  and {octets} octets")),
                (octets, _) => drop(writeln!(
                    out,
                    "  and {octets} octets, once those behind the request are there"
                )),
            }
        }
        if !self.others.is_empty() {
            let _ = writeln!(out, "\nothers, as measured");
        }
        for (who, does) in &self.others {
            look.block(out, "", 2, &format!("{who} {does}"));
        }
    }
}

/// What is to be said of a draft behind its verdict.
fn line(tried: &Tried) -> String {
    match &tried.verdict {
        Verdict::Fails(kind) => {
            let status = tried.status.filter(|status| *status != 101);
            let status = status.map_or_else(String::new, |status| format!("{status}: "));
            format!("{status}{} [{}]", kind.sentence(), kind.code())
        }
        Verdict::Works => opened(tried),
        Verdict::WorksIf(terms) => {
            let terms: Vec<String> = terms.iter().map(Term::sentence).collect();
            format!("{}; then {}", terms.join(" and "), opened(tried))
        }
    }
}

fn opened(tried: &Tried) -> String {
    let mut said = Vec::new();
    if let Some(answered) = tried.answered {
        said.push(format!("opened in {}", time(answered)));
    }
    if let Some(name) = &tried.subprotocol {
        said.push(format!("subprotocol {}", name.escape_debug()));
    }
    if let Some(seen) = &tried.conversation {
        said.extend(conversed(seen));
    }
    said.join(", ")
}

fn conversed(seen: &Conversation) -> Vec<String> {
    let mut said = Vec::new();
    if let Some(pong) = seen.pong {
        said.push(format!("pong in {}", time(pong)));
    }
    if let Some(reply) = seen.reply {
        said.push(format!("a message in {}", time(reply)));
    }
    if let Some(error) = &seen.unsayable {
        said.push(format!("the message could not be said: {error}"));
    }
    if seen.count > 0 {
        let more = seen.count - seen.messages.len() as u64;
        let more = if more > 0 {
            format!(" and {more} more")
        } else {
            String::new()
        };
        said.push(format!("it says {}{more}", seen.messages.join(", ")));
    }
    if let Some(answered) = seen.closing.answered {
        let code = seen.closing.code;
        let code = code.map_or_else(String::new, |code| format!(" with {code}"));
        said.push(format!("closed in {}{code}", time(answered)));
    }
    said
}

fn time(time: std::time::Duration) -> String {
    let milliseconds = time.as_secs_f64() * 1e3;
    match milliseconds {
        short if short < 10.0 => format!("{short:.1} ms"),
        long => format!("{long:.0} ms"),
    }
}

/// `text` in lines of at most `columns`, broken at spaces where there are some.
fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        let length = |text: &str| text.chars().count();
        if !line.is_empty() && length(&line) + 1 + length(word) > columns {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
}
