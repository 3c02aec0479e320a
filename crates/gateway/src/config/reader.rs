//! Reads a parsed TOML text key by key and notes what is wrong on the way.
//!
//! Whoever reads a table asks for each key it knows; what was never asked for
//! is unknown, and the keys asked for are what it may have been meant to be.
//! Thus the list of known keys cannot drift from what is read.

use std::{
    cell::{Cell, RefCell},
    collections::BTreeSet,
    ops::Range,
    path::{Path, PathBuf},
};

use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

pub(super) use super::wrong::Wrong;
use super::{
    effective::Section,
    environment::{self, Environment, Variable},
    problem::{Place, Problem, listed, nearest},
    shown::Shown,
};

/// What all tables of one configuration share.
#[derive(Debug)]
pub(super) struct Reader<'e> {
    environment: Vec<(&'e Variable, DeValue<'e>)>,
    /// Where the file lies; `None` for a text that is read alone.
    folder: Option<PathBuf>,
    problems: RefCell<Vec<Problem>>,
    /// Every key that was asked for: `limits.message`, `routes.path`.
    known: RefCell<BTreeSet<String>>,
    /// Those of them that the environment can set.
    settable: RefCell<BTreeSet<String>>,
    /// What each table holds in effect.
    sections: RefCell<Vec<Section>>,
    /// How many tables were asked for.
    tables: Cell<usize>,
}

/// What was read: what is wrong, which keys there are, and what they hold.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) problems: Vec<Problem>,
    pub(super) known: BTreeSet<String>,
    pub(super) sections: Vec<Section>,
}

/// A value and where it was said.
#[derive(Debug, Clone)]
pub(super) struct Said<'t> {
    pub(super) value: &'t DeValue<'t>,
    pub(super) place: Place,
}

/// A table of the file; reads as empty where it is not there.
#[derive(Debug)]
pub(super) struct Table<'t> {
    reader: &'t Reader<'t>,
    /// `limits`, `routes`, `routes.limits`; empty for the whole file.
    path: &'static str,
    /// Whether it can stand only once, so that the environment reaches it.
    single: bool,
    entries: Option<&'t DeTable<'t>>,
    /// Its header.
    pub(super) place: Place,
    asked: Vec<&'static str>,
    /// What its keys hold.
    section: Section,
}

/// An array of tables.
#[derive(Debug)]
pub(super) enum Tables<'t> {
    /// The key is not there.
    Absent,
    /// It is something else, which has been noted.
    Wrong,
    /// These, those left out that are no tables.
    These(Vec<Table<'t>>),
}

/// A value that can be read out of one TOML value.
pub(super) trait Value: Sized {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong>;

    /// As a file would write it, so that [`read`](Self::read) gives the same
    /// again; what nobody else may see as [`Shown::Secret`].
    fn show(&self) -> Shown;
}

impl<'e> Reader<'e> {
    pub(super) fn new(environment: &'e Environment) -> Self {
        Self {
            environment: environment
                .variables()
                .iter()
                .map(|v| (v, v.value()))
                .collect(),
            folder: None,
            problems: RefCell::default(),
            known: RefCell::default(),
            settable: RefCell::default(),
            sections: RefCell::default(),
            tables: Cell::default(),
        }
    }

    /// The text is that of a file in `folder`: what it names lies beside it.
    pub(super) fn in_folder(mut self, folder: Option<&Path>) -> Self {
        self.folder = folder.map(Path::to_owned);
        self
    }

    pub(super) fn wrong(&self, problem: Problem) {
        self.problems.borrow_mut().push(problem);
    }

    /// The problems of the tables that were read, and no others.
    pub(super) fn problems(self) -> Vec<Problem> {
        self.problems.into_inner()
    }

    pub(super) fn top<'t>(&'t self, entries: &'t DeTable<'t>) -> Table<'t> {
        Table {
            reader: self,
            path: "",
            single: true,
            entries: Some(entries),
            place: Place::Whole,
            asked: Vec::new(),
            section: self.section(String::new(), true),
        }
    }

    /// A table of its own in what is in effect; `at` says which: `routes[2].limits`.
    fn section(&self, at: String, is_there: bool) -> Section {
        let order = self.tables.get();
        self.tables.set(order + 1);
        Section {
            order,
            at,
            is_there,
            keys: Vec::new(),
        }
    }

    /// Every problem, in the order of the file, those of the environment and
    /// of the file as a whole last; every known key; and every table.
    pub(super) fn finish(self) -> Finished {
        let known = self.known.into_inner();
        let settable = self.settable.into_inner();
        let mut problems = self.problems.into_inner();
        for (variable, _) in self.environment {
            if settable.contains(&variable.key) {
                continue;
            }
            let place = Place::Variable {
                name: variable.name.clone(),
                value: variable.text.clone(),
                at_value: false,
            };
            let problem = Problem::new(place, format!("no setting is named `{}`", variable.name));
            let first = variable.key.split('.').next().unwrap_or_default();
            problems.push(if known.contains(&variable.key) || ["listeners", "routes"].contains(&first) {
                problem.help("a variable sets one key of a table that stands once: listeners, routes and whole tables are set in the file")
            } else if let Some(key) = nearest(&variable.key, settable.iter().map(String::as_str)) {
                problem.help(format!("did you mean `{}`?", environment::variable_name(key)))
            } else {
                let names = settable.iter().map(|key| environment::variable_name(key));
                problem.help(format!("variables set {}", listed(names, "and")))
            });
        }
        problems.sort_by_key(|problem| match &problem.place {
            Place::Span(span) => (0, span.start),
            Place::Variable { .. } => (1, 0),
            Place::Whole => (2, 0),
        });
        let mut sections = self.sections.into_inner();
        sections.sort_by_key(|section| section.order);
        Finished {
            problems,
            known,
            sections,
        }
    }
}

impl<'t> Table<'t> {
    pub(super) fn wrong(&self, problem: Problem) {
        self.reader.wrong(problem);
    }

    /// How many problems were found so far.
    pub(super) fn problems(&self) -> usize {
        self.reader.problems.borrow().len()
    }

    /// Where the file lies; `None` for a text that is read alone, whose files
    /// are not looked at.
    pub(super) fn folder(&self) -> Option<&'t Path> {
        self.reader.folder.as_deref()
    }

    /// The file `name`, beside the configuration where it does not say more.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        match self.folder() {
            Some(folder) => folder.join(name),
            None => name.into(),
        }
    }

    /// Whether the file has it.
    pub(super) fn is_there(&self) -> bool {
        self.entries.is_some()
    }

    /// What was said for a key, in the environment or the file.
    pub(super) fn said(&mut self, key: &'static str) -> Option<Said<'t>> {
        let said = self.find(key);
        let noted = self.section.key(key);
        if let (Some(said), None) = (&said, &noted.said) {
            noted.said = Some(said.place.clone());
            noted.shown = Shown::written(key, said.value);
        }
        said
    }

    fn find(&mut self, key: &'static str) -> Option<Said<'t>> {
        let full = self.ask(key);
        if self.single {
            self.reader.settable.borrow_mut().insert(full.clone());
            let mut variables = self.reader.environment.iter();
            if let Some((variable, value)) = variables.find(|(variable, _)| variable.key == full) {
                return Some(Said {
                    value,
                    place: Place::Variable {
                        name: variable.name.clone(),
                        value: variable.text.clone(),
                        at_value: true,
                    },
                });
            }
        }
        self.in_file(key)
    }

    /// A value; `None` where nothing is said or what is said is wrong.
    pub(super) fn value<T: Value>(&mut self, key: &'static str) -> Option<T> {
        let said = self.said(key)?;
        match T::read(said.value) {
            Ok(value) => {
                self.shows(key, value.show());
                Some(value)
            }
            Err(wrong) => {
                self.wrong_value(key, &said, wrong);
                None
            }
        }
    }

    /// A value where one is said rightly, and else the one that stands there.
    pub(super) fn set<T: Value>(&mut self, key: &'static str, value: &mut T) {
        self.section.key(key).otherwise = Some(value.show());
        if let Some(said) = self.value(key) {
            *value = said;
        }
        self.shows(key, value.show());
    }

    /// The same for a value that is written as a `W`.
    pub(super) fn set_as<W: Value + Into<T> + From<T>, T: Clone>(
        &mut self,
        key: &'static str,
        value: &mut T,
    ) {
        let mut written = W::from(value.clone());
        self.set(key, &mut written);
        *value = written.into();
    }

    /// What a key holds in effect, where [`set`](Self::set) does not see it:
    /// lists, and what other keys decide. The last word on a key holds.
    pub(super) fn shows(&mut self, key: &'static str, shown: Shown) {
        self.section.key(key).shown = shown;
    }

    /// What a key holds unless somebody says something else, where
    /// [`set`](Self::set) does not see it.
    pub(super) fn unless_said(&mut self, key: &'static str, shown: Shown) {
        self.find(key);
        let key = self.section.key(key);
        key.otherwise = Some(shown.clone());
        if key.said.is_none() {
            key.shown = shown;
        }
    }

    /// To say this key changes something even where it says what would hold
    /// anyway: the table that it is in begins to exist by that.
    pub(super) fn matters(&mut self, key: &'static str) {
        self.section.key(key).otherwise = None;
    }

    /// Keys that mean nothing where they stand: they do not appear.
    pub(super) fn meaningless(&mut self, which: impl Fn(&str) -> bool) {
        for key in &mut self.section.keys {
            if which(key.name) {
                key.shown = Shown::Meaningless;
            }
        }
    }

    /// Notes that the table does nothing: written out, its keys would make it
    /// do something.
    pub(super) fn off(&mut self) {
        for key in &mut self.section.keys {
            key.shown = match std::mem::replace(&mut key.shown, Shown::Unset) {
                Shown::Is(value) => Shown::Follows(value),
                other => other,
            };
        }
    }

    /// Notes what is wrong with a key's value.
    pub(super) fn wrong_value(&self, key: &str, said: &Said<'_>, wrong: Wrong) {
        let problem = Problem::new(said.place.clone(), format!("`{key}` {}", wrong.message));
        self.wrong(match wrong.help {
            Some(help) => problem.help(help),
            None => problem,
        });
    }

    /// A table within this one; empty where it is not there.
    pub(super) fn table(&mut self, key: &'static str, path: &'static str) -> Self {
        self.ask(key);
        self.section.keys.retain(|asked| asked.name != key);
        let said = self.in_file(key);
        let entries = said.as_ref().and_then(|said| match said.value {
            DeValue::Table(entries) => Some(entries),
            other => {
                let wrong = Wrong::must_be("a table", other)
                    .help(format!("write `[{path}]` and its keys below it"));
                self.wrong_value(key, said, wrong);
                None
            }
        });
        Self {
            reader: self.reader,
            path,
            single: self.single,
            entries,
            place: said.map_or(Place::Whole, |said| said.place),
            asked: Vec::new(),
            section: self
                .reader
                .section(self.section.below(key), entries.is_some()),
        }
    }

    /// The one table of an array that is not there.
    pub(super) fn absent(&self, key: &'static str) -> Self {
        self.absent_at(key, key)
    }

    /// The same for one whose keys are those of `path`.
    pub(super) fn absent_at(&self, key: &'static str, path: &'static str) -> Self {
        Self {
            reader: self.reader,
            path,
            single: false,
            entries: None,
            place: Place::Whole,
            asked: Vec::new(),
            section: self.element(key, 0, false),
        }
    }

    fn element(&self, key: &'static str, at: usize, is_there: bool) -> Section {
        let at = format!("{}[{at}]", self.section.below(key));
        self.reader.section(at, is_there)
    }

    /// The tables of an array.
    pub(super) fn tables(&mut self, key: &'static str) -> Tables<'t> {
        self.tables_at(key, key)
    }

    /// The tables of an array within this table, whose keys are those of `path`.
    pub(super) fn tables_at(&mut self, key: &'static str, path: &'static str) -> Tables<'t> {
        self.ask(key);
        self.section.keys.retain(|asked| asked.name != key);
        let Some(said) = self.in_file(key) else {
            return Tables::Absent;
        };
        let advice = format!("write `[[{path}]]` above each");
        let DeValue::Array(elements) = said.value else {
            self.wrong_value(
                key,
                &said,
                Wrong::must_be("an array of tables", said.value).help(advice),
            );
            return Tables::Wrong;
        };
        let mut tables = Vec::new();
        for element in elements.iter() {
            let place = Place::Span(element.span());
            match element.get_ref() {
                DeValue::Table(entries) => tables.push(Table {
                    reader: self.reader,
                    path,
                    single: false,
                    entries: Some(entries),
                    place,
                    asked: Vec::new(),
                    section: self.element(key, tables.len(), true),
                }),
                other => {
                    let said = Said {
                        value: other,
                        place,
                    };
                    self.wrong_value(
                        key,
                        &said,
                        Wrong::must_be("an array of tables", other).help(advice.clone()),
                    );
                }
            }
        }
        Tables::These(tables)
    }

    /// Notes each key that nobody asked for, and what the others hold.
    pub(super) fn finish(mut self) {
        let section = std::mem::take(&mut self.section);
        self.reader.sections.borrow_mut().push(section);
        let title = match (self.path, self.single) {
            ("", _) => "at the top of the file".to_owned(),
            ("listeners" | "routes", false) => format!("in `[[{}]]`", self.path),
            (path, _) => format!("in `[{path}]`"),
        };
        for key in self.entries.into_iter().flat_map(|entries| entries.keys()) {
            if self.asked.contains(&key.get_ref().as_ref()) {
                continue;
            }
            let problem = Problem::new(
                Place::Span(key.span()),
                format!("unknown key `{}` {title}", key.get_ref()),
            );
            self.wrong(match nearest(key.get_ref(), self.asked.iter().copied()) {
                Some(meant) => problem.label(format!("did you mean `{meant}`?")),
                None => problem.help(format!("known {title} are {}", listed(&self.asked, "and"))),
            });
        }
    }

    fn ask(&mut self, key: &'static str) -> String {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        let full = match self.path {
            "" => key.to_owned(),
            path => format!("{path}.{key}"),
        };
        self.reader.known.borrow_mut().insert(full.clone());
        full
    }

    fn in_file(&self, key: &str) -> Option<Said<'t>> {
        let value: &'t Spanned<DeValue<'t>> = self.entries?.get(key)?;
        Some(Said {
            value: value.get_ref(),
            place: Place::Span(value.span()),
        })
    }
}

/// The place of one element of an array that was said somewhere.
pub(super) fn element_place(said: &Said<'_>, span: Range<usize>) -> Place {
    match &said.place {
        Place::Span(_) => Place::Span(span),
        other => other.clone(),
    }
}
