//! Lists of drafts, origins and subprotocols, each element with its own place.

use std::ops::Range;

use draftgate_core::{Draft, STRICTNESS, Strictness};
use toml::de::DeValue;

use super::{
    OriginRule, Origins,
    problem::{Place, Problem, listed, nearest},
    reader::{Said, Table, Wrong, element_place},
    shown::Shown,
    values,
};

/// What was said about the drafts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Chosen {
    /// Nothing.
    Nothing,
    /// Something wrong, which has been noted.
    Wrong,
    /// These, oldest first.
    Drafts(Vec<Draft>),
}

/// The drafts of a table: `"all"`, or a list of names.
pub(super) fn drafts(table: &mut Table<'_>, spoken: &[Draft]) -> Chosen {
    const WHAT: &str = "\"all\" or a list of drafts";
    let Some(said) = table.said("drafts") else {
        return Chosen::Nothing;
    };
    let words = match &said.place {
        // `13` would be a number.
        Place::Variable { value, .. } if !said.value.is_array() => Some(value.as_str()),
        _ => said.value.as_str(),
    };
    let mut chosen: Vec<(Draft, Place)> = match words {
        Some("all") => spoken
            .iter()
            .map(|draft| (*draft, said.place.clone()))
            .collect(),
        // In a variable a list is written with commas.
        Some(words) if matches!(said.place, Place::Variable { .. }) => {
            let mut named = Vec::new();
            for word in words.split(',') {
                match draft(word, spoken) {
                    Ok(draft) => named.push((draft, said.place.clone())),
                    Err(wrong) => {
                        table.wrong_value("drafts", &said, wrong);
                        return Chosen::Wrong;
                    }
                }
            }
            named
        }
        Some(word) => {
            let wrong = Wrong::new(format!("must be {WHAT}, not \"{word}\""));
            table.wrong_value(
                "drafts",
                &said,
                match word.parse::<Draft>() {
                    Ok(_) => wrong.help(format!("write a list: `drafts = [\"{word}\"]`")),
                    Err(_) => wrong,
                },
            );
            return Chosen::Wrong;
        }
        None => {
            let read = |item: &Said<'_>| match item.value.as_str() {
                Some(name) => draft(name, spoken),
                None => Err(Wrong::must_be("a list of strings", item.value)),
            };
            match said.value.as_array() {
                Some(names) if names.is_empty() => {
                    let wrong = Wrong::new("names no draft, so that every client would be refused");
                    table.wrong_value(
                        "drafts",
                        &said,
                        wrong.help(format!("spoken are {}", names_of(spoken))),
                    );
                    return Chosen::Wrong;
                }
                Some(names) => {
                    let read = each(table, "drafts", &said, WHAT, read);
                    if read.len() < names.len() {
                        return Chosen::Wrong;
                    }
                    read
                }
                None => {
                    table.wrong_value("drafts", &said, Wrong::must_be(WHAT, said.value));
                    return Chosen::Wrong;
                }
            }
        }
    };
    chosen.sort_by_key(|(draft, _)| *draft);
    for pair in chosen.windows(2) {
        if pair[0].0 == pair[1].0 {
            let problem = Problem::new(
                pair[1].1.clone(),
                format!("{} stands twice", pair[1].0.with_alias()),
            );
            table.wrong(problem.related(&pair[0].1, "here it stands too"));
        }
    }
    let drafts: Vec<Draft> = chosen.into_iter().map(|(draft, _)| draft).collect();
    table.shows(
        "drafts",
        Shown::list(drafts.iter().map(|draft| draft.name())),
    );
    Chosen::Drafts(drafts)
}

pub(super) fn draft(name: &str, spoken: &[Draft]) -> Result<Draft, Wrong> {
    match name.parse::<Draft>() {
        Ok(draft) if spoken.contains(&draft) => Ok(draft),
        Ok(draft) => Err(Wrong::new(format!(
            "has `{name}`: {} is known, but not spoken yet",
            draft.with_alias()
        ))
        .help(format!("spoken are {}", names_of(spoken)))),
        Err(_) => {
            let wrong = Wrong::new(format!("has `{name}`, which is no draft"));
            let known = Draft::ALL
                .into_iter()
                .flat_map(|draft| [Some(draft.name()), draft.alias()])
                .flatten();
            Err(match nearest(name.trim(), known.chain(["rfc6455"])) {
                Some(meant) => wrong.help(format!(
                    "did you mean `{}`?",
                    meant.to_ascii_lowercase().replace(' ', "")
                )),
                None => wrong.help(format!("spoken are {}", names_of(spoken))),
            })
        }
    }
}

/// Drafts as a sentence lists them.
pub(super) fn names_of(drafts: &[Draft]) -> String {
    listed(drafts.iter().map(|draft| draft.with_alias()), "and")
}

/// The origins of a table: a word, one origin, or a list of them.
pub(super) fn origins(table: &mut Table<'_>) -> Option<Origins> {
    const WHAT: &str = "a list of origins";
    let said = table.said("origins")?;
    let rule = |item: &Said<'_>| match item.value.as_str() {
        Some(text) => origin_rule(text),
        None => Err(Wrong::must_be(WHAT, item.value)),
    };
    if let Some(text) = said.value.as_str() {
        // In a variable a list is written with commas.
        let in_variable = matches!(said.place, Place::Variable { .. });
        let separator = |c| in_variable && c == ',';
        let rules: Result<Vec<_>, _> = text
            .split(separator)
            .map(str::trim)
            .map(origin_rule)
            .collect();
        return match rules {
            Ok(rules) => Some(Origins::new(rules)),
            Err(wrong) => {
                table.wrong_value("origins", &said, wrong);
                None
            }
        };
    }
    if said.value.as_array().is_some_and(|rules| rules.is_empty()) {
        let wrong = Wrong::new("accepts nobody: the list is empty");
        table.wrong_value(
            "origins",
            &said,
            wrong.help("leave it out for the default, `[\"same-host\", \"missing\"]`"),
        );
    }
    let rules = each(table, "origins", &said, WHAT, rule);
    Some(Origins::new(rules.into_iter().map(|(rule, _)| rule)))
}

fn origin_rule(text: &str) -> Result<OriginRule, Wrong> {
    text.parse::<OriginRule>().map_err(|e| {
        let wrong = Wrong::new(format!("has `{text}`, which is no origin"));
        wrong.help(match nearest(text, OriginRule::WORDS) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None if format!("https://{text}").parse::<OriginRule>().is_ok() => {
                format!("an origin has a scheme: `https://{text}`")
            }
            None => e.to_string(),
        })
    })
}

/// What a table lets pass of its peers: a word, or a list of them.
pub(super) fn strictness(table: &mut Table<'_>, strictness: &mut Strictness) {
    const WHAT: &str = "a list of \"hybi-08\" and \"lenient\", or one of them";
    let said = table.said("strictness");
    let read = |said: &Said<'_>| {
        let word = values::text(said.value, WHAT)?;
        Strictness::STRICT.and(word).map_err(|_| {
            let wrong = Wrong::new(format!(
                "has `{word}`, which is neither \"hybi-08\" nor \"lenient\""
            ));
            match nearest(word, STRICTNESS) {
                Some(meant) => wrong.help(format!("did you mean `{meant}`?")),
                None => wrong.help("leave it out for the drafts' own rules"),
            }
        })
    };
    let words = match &said {
        None => Vec::new(),
        Some(said) if said.value.is_array() => each(table, "strictness", said, WHAT, read),
        Some(said) => match read(said) {
            Ok(read) => vec![(read, said.place.clone())],
            Err(wrong) => {
                table.wrong_value("strictness", said, wrong);
                Vec::new()
            }
        },
    };
    for (word, _) in words {
        strictness.hybi_08 |= word.hybi_08;
        strictness.lenient |= word.lenient;
    }
    table.shows("strictness", Shown::list(strictness.words()));
}

/// The subprotocols of a table.
pub(super) fn subprotocols(table: &mut Table<'_>) -> Vec<String> {
    const WHAT: &str = "a list of subprotocols";
    table.unless_said("subprotocols", Shown::nothing());
    let Some(said) = table.said("subprotocols") else {
        return Vec::new();
    };
    let read = each(table, "subprotocols", &said, WHAT, |item| {
        let text = item
            .value
            .as_str()
            .ok_or_else(|| Wrong::must_be(WHAT, item.value))?;
        // RFC 6455 §4.1: printable ASCII without the separators of RFC 2616.
        let token = |c: char| c.is_ascii_graphic() && !"()<>@,;:\\\"/[]?={}".contains(c);
        match !text.is_empty() && text.chars().all(token) {
            true => Ok(text.to_owned()),
            false => Err(Wrong::new(format!("has \"{text}\", which is no subprotocol"))
                .help("a subprotocol is printable ASCII without spaces and without any of ( ) < > @ , ; : \\ \" / [ ] ? = { }")),
        }
    });
    for (at, (name, place)) in read.iter().enumerate() {
        if let Some((_, first)) = read[..at].iter().find(|(earlier, _)| earlier == name) {
            let problem = Problem::new(
                place.clone(),
                format!("the subprotocol `{name}` stands twice"),
            );
            table.wrong(problem.related(first, "here it stands too"));
        }
    }
    read.into_iter().map(|(name, _)| name).collect()
}

/// Reads the elements of an array; those that are wrong are noted and left out.
pub(super) fn each<'t, T>(
    table: &Table<'_>,
    key: &str,
    said: &Said<'t>,
    what: &str,
    read: impl Fn(&Said<'t>) -> Result<T, Wrong>,
) -> Vec<(T, Place)> {
    let DeValue::Array(elements) = said.value else {
        table.wrong_value(key, said, Wrong::must_be(what, said.value));
        return Vec::new();
    };
    let mut items = Vec::new();
    for element in elements.iter() {
        let span: Range<usize> = element.span();
        let item = Said {
            value: element.get_ref(),
            place: element_place(said, span),
        };
        match read(&item) {
            Ok(value) => items.push((value, item.place)),
            Err(wrong) => table.wrong_value(key, &item, wrong),
        }
    }
    items
}
