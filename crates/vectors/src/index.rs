//! The index of an archive as Markdown, made from the vectors themselves so
//! that it cannot drift from them. It stands between two marks of the
//! archive's README; the rest of that file is written by hand.

use std::{collections::BTreeMap, fmt::Write as _};

use draftgate_core::{Draft, Event, Message, Notice, Role};

use crate::{Ends, Expectation, Kind, Vector};

const BEGIN: &str =
    "<!-- index: made by `cargo run -p draftgate-vectors --example index`, do not edit -->\n";
const END: &str = "<!-- end of index -->";

/// The README has no place for the index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the README lacks the two lines between which the index stands: `{}` and `{END}`", BEGIN.trim_end())]
pub struct NoIndex;

/// `readme` with the index of `vectors` in its place.
///
/// # Errors
/// [`NoIndex`] if the marks are missing.
pub fn with_index(readme: &str, vectors: &[Vector]) -> Result<String, NoIndex> {
    let (before, rest) = readme.split_once(BEGIN).ok_or(NoIndex)?;
    let (_, after) = rest.split_once(END).ok_or(NoIndex)?;
    let index = index(vectors);
    Ok(format!("{before}{BEGIN}\n{index}\n{END}{after}"))
}

/// How many vectors there are, one table for each draft, the peers that are
/// known to deviate, and a list of what departs from its draft.
pub fn index(vectors: &[Vector]) -> String {
    let mut drafts: BTreeMap<Draft, Vec<&Vector>> = BTreeMap::new();
    for vector in vectors {
        drafts.entry(vector.about.draft).or_default().push(vector);
    }
    let mut out = String::new();
    counts(&drafts, &mut out);
    legend(&mut out);
    for (draft, vectors) in &drafts {
        table(*draft, vectors, &mut out);
    }
    deviations(vectors, &mut out);
    departures(vectors, &mut out);
    out
}

fn counts(drafts: &BTreeMap<Draft, Vec<&Vector>>, out: &mut String) {
    out.push_str("| draft |");
    for (kind, _) in KINDS {
        let _ = write!(out, " {} |", kind.name());
    }
    out.push_str(" all |\n| --- | ---: | ---: | ---: | ---: | ---: |\n");
    let mut row = |name: &str, vectors: &[&Vector]| {
        let _ = write!(out, "| {name} |");
        for (kind, _) in KINDS {
            let of_kind = vectors.iter().filter(|it| it.about.kind == kind);
            let _ = write!(out, " {} |", of_kind.count());
        }
        let _ = writeln!(out, " {} |", vectors.len());
    };
    for (draft, vectors) in drafts {
        row(&draft.with_alias(), vectors);
    }
    let all: Vec<_> = drafts.values().flatten().copied().collect();
    row("all", &all);
}

/// Every kind, and the letter that stands for it in the tables.
const KINDS: [(Kind, char); 4] = [
    (Kind::Captured, 'c'),
    (Kind::Published, 'p'),
    (Kind::Reconstructed, 'r'),
    (Kind::Constructed, 'x'),
];

fn legend(out: &mut String) {
    let letters = KINDS.map(|(kind, letter)| format!("{letter} {}", kind.name()));
    let _ = writeln!(
        out,
        "\nIn the tables: {}; S a server is under test, C a client.",
        letters.join(", ")
    );
}

fn table(draft: Draft, vectors: &[&Vector], out: &mut String) {
    let _ = write!(
        out,
        "\n### {}\n\n| file | | between | tags | a server sees | a client sees |\n| --- | --- | --- | --- | --- | --- |\n",
        draft.with_alias()
    );
    for vector in vectors {
        let short = vector.name.rsplit('/').next().unwrap_or(&vector.name);
        let _ = writeln!(
            out,
            "| [{short}]({}.toml) | {} | {} | {} | {} | {} |",
            vector.name,
            marks(vector),
            cell(&between(vector)),
            vector.about.tags.join(", "),
            cell(&sees(vector.expectation(Role::Server))),
            cell(&sees(vector.expectation(Role::Client)))
        );
    }
}

fn marks(vector: &Vector) -> String {
    let kind = KINDS.iter().find(|(kind, _)| *kind == vector.about.kind);
    let mut marks = kind.map_or_else(String::new, |(_, letter)| letter.to_string());
    for (role, letter) in [(Role::Server, 'S'), (Role::Client, 'C')] {
        if vector.about.roles.contains(&role) {
            marks.push(letter);
        }
    }
    marks
}

/// Client and server, without what stands in brackets: how they were come by.
fn between(vector: &Vector) -> String {
    if vector.about.kind == Kind::Constructed {
        return String::new();
    }
    let short = |name: &str| {
        name.split([';', '('])
            .next()
            .unwrap_or_default()
            .trim()
            .to_owned()
    };
    let (client, server) = (short(&vector.about.client), short(&vector.about.server));
    format!("{client} → {server}")
}

/// What keeps a text inside its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

fn sees(expectation: &Expectation) -> String {
    let Expectation::Stated(stated) = expectation else {
        return "–".to_owned();
    };
    if let Some(refused) = &stated.refused {
        return format!("refused: {}", refused.rules.join(", "));
    }
    let mut parts: Vec<_> = stated.events.iter().map(event).collect();
    if parts.len() > 6 {
        let more = parts.len() - 4;
        parts.truncate(4);
        parts.push(format!("… {more} more"));
    }
    if let Some(broken) = &stated.violation {
        parts.push(format!("violation: {}", broken.rule.code()));
    }
    if parts.is_empty() {
        return match stated.ends {
            Ends::Nothing => "no octets",
            Ends::MidHead => "half a head",
            _ => "a head without its challenge",
        }
        .to_owned();
    }
    parts.join(", ")
}

fn event(event: &Event) -> String {
    match event {
        Event::Opened => "opened".to_owned(),
        Event::Message(message) => {
            let kind = match message {
                Message::Text(_) => "text",
                Message::Binary(_) => "binary",
            };
            format!("{kind} {}", message.len())
        }
        Event::Ping(body) => format!("ping {}", body.len()),
        Event::Pong(body) => format!("pong {}", body.len()),
        Event::Close(Some(close)) => format!("close {}", close.code),
        Event::Close(None) => "close".to_owned(),
        Event::Notice(Notice::Tolerated { rule }) => format!("tolerated: {}", rule.code()),
        Event::Notice(Notice::Discarded { octets, .. }) => format!("discarded {octets}"),
        Event::Notice(Notice::Repaired { replacements }) => format!("repaired {replacements}"),
        Event::Notice(Notice::AfterClose { octets }) => format!("after close {octets}"),
        Event::Notice(Notice::UnsolicitedPong) => "unsolicited".to_owned(),
        Event::Notice(notice) => format!("{notice:?}"),
    }
}

fn deviations(vectors: &[Vector], out: &mut String) {
    let mut peers: BTreeMap<(&str, &str), BTreeMap<&str, Vec<&str>>> = BTreeMap::new();
    for vector in vectors {
        for it in &vector.deviations {
            let of_peer = peers.entry((&it.peer, it.role.name())).or_default();
            of_peer.entry(&it.reason).or_default().push(&vector.name);
        }
    }
    if peers.is_empty() {
        return;
    }
    out.push_str("\n### Deviations of named peers\n\n| peer | as | what it does | exchanges |\n| --- | --- | --- | ---: |\n");
    for ((peer, role), reasons) in peers {
        for (reason, names) in reasons {
            let (peer, reason) = (cell(peer), cell(reason));
            let _ = writeln!(out, "| {peer} | {role} | {reason} | {} |", names.len());
        }
    }
}

fn departures(vectors: &[Vector], out: &mut String) {
    let mut broken: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    let mut tolerated: BTreeMap<(String, &str), Vec<&str>> = BTreeMap::new();
    for vector in vectors {
        for (role, side) in [(Role::Server, "client"), (Role::Client, "server")] {
            let Some(stated) = vector.expectation(role).stated() else {
                continue;
            };
            let draft = vector.about.draft;
            if let Some(refused) = &stated.refused {
                let rules = refused.rules.join(", ");
                let key = (
                    format!("{draft}, the {side}'s stream, {rules}:"),
                    refused.reason.as_str(),
                );
                broken.entry(key).or_default().push(&vector.name);
            }
            if let Some(found) = &stated.violation {
                let key = (
                    format!("{draft}, the {side}'s stream, {}:", found.rule.code()),
                    found.reason.as_str(),
                );
                broken.entry(key).or_default().push(&vector.name);
            }
            for found in &stated.tolerated {
                let key = (
                    format!("{draft}, the {side}'s stream, {}:", found.rule),
                    found.reason.as_str(),
                );
                tolerated.entry(key).or_default().push(&vector.name);
            }
        }
    }
    for (title, list) in [
        ("Refused, or a violation", broken),
        ("Tolerated departures", tolerated),
    ] {
        let _ = write!(out, "\n### {title}\n\n");
        for ((rule, reason), names) in list {
            let _ = writeln!(out, "- **{rule}** {reason}.");
            // The tables above have the links.
            for name in names {
                let _ = writeln!(out, "  - {name}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_index_replaces_only_what_stands_between_the_marks() {
        let readme = format!("above\n{BEGIN}old\n{END}\nbelow\n");
        let fresh = with_index(&readme, &[]).unwrap();
        assert!(fresh.starts_with("above\n") && fresh.ends_with(&format!("{END}\nbelow\n")));
        assert!(!fresh.contains("old") && fresh.contains("| draft |"));
        assert_eq!(with_index(&fresh, &[]).unwrap(), fresh, "twice is once");
    }

    #[test]
    fn a_readme_without_the_marks_is_refused() {
        for readme in ["", END, BEGIN, &format!("{END}{BEGIN}")] {
            assert_eq!(with_index(readme, &[]), Err(NoIndex));
        }
    }

    #[test]
    fn a_bar_does_not_end_a_cell() {
        assert_eq!(cell("a|b"), "a\\|b");
    }
}
