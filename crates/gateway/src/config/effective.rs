//! The configuration in effect: every key there is, what it holds, and who
//! said so.
//!
//! The reader notes it while it reads, so that no key can be left out. It is
//! printed in the shape of a file, and what is printed can be read again:
//! what is not set, and what follows from other keys, stands in comments.

mod json;
#[cfg(test)]
mod tests;
mod text;

use std::{fmt, net::SocketAddr, path::Path};

use serde_json::Value as Json;

use super::{problem::Place, shown::Shown};

/// Every key of a configuration, with its value and where that came from.
#[derive(Debug, Clone, PartialEq)]
pub struct Effective {
    /// What the configuration is called.
    name: String,
    /// In the order in which a file has them.
    sections: Vec<Section>,
}

/// One table, as the reader noted it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Section {
    /// When it was asked for.
    pub(super) order: usize,
    /// `limits`, `routes[2]`, `routes[2].limits`.
    pub(super) at: String,
    /// Whether the file has it.
    pub(super) is_there: bool,
    pub(super) keys: Vec<Key>,
}

/// One key of a table.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Key {
    pub(super) name: &'static str,
    /// Where it was said, if it was.
    pub(super) said: Option<Place>,
    pub(super) shown: Shown,
    /// What it would hold if nobody had said anything, where that is known.
    pub(super) otherwise: Option<Shown>,
    from: SaidBy,
}

/// Who said what a key holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SaidBy {
    /// Nobody: it is the default.
    Default,
    /// The line of a file.
    File {
        /// The file's name.
        name: String,
        /// Counted from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(&'static str),
    /// The same key at the top of the file, which somebody set.
    Inherited(Box<Self>),
}

impl fmt::Display for SaidBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { name, line } => write!(f, "{name}:{line}"),
            Self::Variable(name) => f.write_str(name),
            Self::Flag(flag) => f.write_str(flag),
            Self::Inherited(from) => write!(f, "{from}, at the top"),
        }
    }
}

impl Section {
    /// `[limits]`, `[[routes]]`, `[routes.limits]`.
    fn header(&self) -> String {
        let name = without_indices(&self.at);
        match self.at.ends_with(']') {
            true => format!("[[{name}]]"),
            false => format!("[{name}]"),
        }
    }

    /// The key of this name, which is new if nobody asked for it yet.
    pub(super) fn key(&mut self, name: &'static str) -> &mut Key {
        let at = self.keys.iter().position(|key| key.name == name);
        let at = at.unwrap_or_else(|| {
            self.keys.push(Key {
                name,
                said: None,
                shown: Shown::Unset,
                otherwise: None,
                from: SaidBy::Default,
            });
            self.keys.len() - 1
        });
        &mut self.keys[at]
    }

    /// Where a key of this table is.
    pub(super) fn below(&self, key: &str) -> String {
        match self.at.as_str() {
            "" => key.to_owned(),
            at => format!("{at}.{key}"),
        }
    }
}

impl Effective {
    /// What was noted while `text` was read.
    pub(super) fn new(name: &str, text: &str, mut sections: Vec<Section>) -> Self {
        let short = Path::new(name).file_name();
        let short = short.map_or_else(
            || name.to_owned(),
            |name| name.to_string_lossy().into_owned(),
        );
        for key in sections.iter_mut().flat_map(|section| &mut section.keys) {
            key.from = match &key.said {
                None | Some(Place::Whole) => SaidBy::Default,
                Some(Place::Variable { name, .. }) => SaidBy::Variable(name.clone()),
                Some(Place::Span(span)) => SaidBy::File {
                    name: short.clone(),
                    line: 1 + text[..span.start.min(text.len())].matches('\n').count(),
                },
            };
        }
        let mut effective = Self {
            name: name.to_owned(),
            sections,
        };
        effective.inherit();
        effective
    }

    /// A key of a listener or a route that was not said there has the value of
    /// the key of the same name at the top.
    fn inherit(&mut self) {
        let mut inherited = Vec::new();
        for (at, section) in self.sections.iter().enumerate() {
            let Some((_, rest)) = section.at.split_once(']') else {
                continue;
            };
            let table = rest.trim_start_matches('.');
            for (key, held) in section.keys.iter().enumerate() {
                let same = match (table, held.name) {
                    ("", "queue") => self.find("limits", "queue"),
                    (table, name) => self.find(table, name),
                };
                if let (SaidBy::Default, Some(same)) = (&held.from, same)
                    && same.from != SaidBy::Default
                {
                    inherited.push((at, key, same.from.clone()));
                }
            }
        }
        for (at, key, from) in inherited {
            self.sections[at].keys[key].from = SaidBy::Inherited(Box::new(from));
        }
    }

    fn find(&self, table: &str, name: &str) -> Option<&Key> {
        let section = self.sections.iter().find(|section| section.at == table)?;
        section.keys.iter().find(|key| key.name == name)
    }

    /// Every key that stands once or in one of the tables of an array, by its
    /// name in the documentation (`routes.limits.message`), with what it holds
    /// where it holds something that may be shown.
    pub fn keys(&self) -> impl Iterator<Item = (String, Option<&Json>, &SaidBy)> {
        self.sections.iter().flat_map(|section| {
            section.keys.iter().map(|key| {
                let held = match &key.shown {
                    Shown::Is(value) | Shown::Follows(value) => Some(value),
                    Shown::Secret | Shown::Unset | Shown::Meaningless => None,
                };
                let name = without_indices(&section.below(key.name));
                (name, held, &key.from)
            })
        })
    }

    /// How many secrets are masked.
    pub fn secrets(&self) -> usize {
        let keys = self.sections.iter().flat_map(|section| &section.keys);
        keys.filter(|key| key.shown.is_masked()).count()
    }

    /// `--listen`: one listener, on this address, otherwise as the first.
    pub fn with_listen(&mut self, address: SocketAddr) {
        let another = |at: &str| at.starts_with("listeners[") && !at.starts_with("listeners[0]");
        self.sections.retain(|section| !another(&section.at));
        self.flag("listeners[0]", "address", "--listen", Shown::text(address));
    }

    /// The rules of each route in effect, where a flag changed them.
    pub fn with_origins(&mut self, flag: &'static str, routes: &[super::Route]) {
        for (at, route) in routes.iter().enumerate() {
            let shown = Shown::list(route.origins.rules());
            let table = format!("routes[{at}]");
            if self
                .find(&table, "origins")
                .is_some_and(|key| key.shown != shown)
            {
                self.flag(&table, "origins", flag, shown);
            }
        }
    }

    /// A key of a table that stands once, which a flag set.
    pub fn with_flag(
        &mut self,
        table: &'static str,
        key: &'static str,
        flag: &'static str,
        value: &str,
    ) {
        self.flag(table, key, flag, Shown::text(value));
    }

    fn flag(&mut self, table: &str, name: &'static str, flag: &'static str, shown: Shown) {
        let mut sections = self.sections.iter_mut();
        if let Some(section) = sections.find(|section| section.at == table) {
            let key = section.key(name);
            key.shown = shown;
            key.from = SaidBy::Flag(flag);
        }
    }

    /// As a file, with who said so behind each value; with `changed` only what
    /// is other than the default.
    pub fn to_toml(&self, changed: bool) -> String {
        text::print(self, changed)
    }

    /// As JSON: each value beside who said so.
    pub fn to_json(&self, changed: bool) -> Json {
        json::print(self, changed)
    }

    /// The sections right below one, in order.
    fn children<'a>(&'a self, of: &'a Section) -> impl Iterator<Item = &'a Section> {
        self.sections.iter().filter(move |section| {
            let rest = match of.at.as_str() {
                "" => (!section.at.is_empty()).then_some(section.at.as_str()),
                at => section
                    .at
                    .strip_prefix(at)
                    .and_then(|it| it.strip_prefix('.')),
            };
            rest.is_some_and(|rest| !rest.contains('.'))
        })
    }
}

impl Key {
    /// Whether it is to be printed; with `changed` only if somebody said other
    /// than what holds anyway.
    fn counts(&self, changed: bool) -> bool {
        let said = !matches!(self.from, SaidBy::Default | SaidBy::Inherited(_));
        let other = self.otherwise.as_ref() != Some(&self.shown);
        self.shown != Shown::Meaningless && (!changed || (said && other))
    }
}

/// `routes[2].limits` as the documentation calls it: `routes.limits`.
fn without_indices(at: &str) -> String {
    let mut name = String::new();
    for part in at.split('[') {
        name += part.split_once(']').map_or(part, |(_, rest)| rest);
    }
    name
}
