//! Everything that is wrong with files and directories of exchanges: what keeps
//! a file from being loaded, and what only shows when all of them lie side by
//! side. The loader stops at the first fault because its caller wants vectors;
//! whoever mends an archive wants the whole list.

use std::{
    collections::{BTreeSet, HashMap},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use draftgate_core::{Draft, Role};

use crate::{Action, Expectation, Kind, LoadError, Vector, load};

/// The tag of a recorded exchange that nobody judged: what it expects, if
/// anything, is what draftgate made of it when it was recorded.
pub const UNJUDGED: &str = "unjudged";

/// What was found in files and directories.
#[derive(Debug)]
pub struct Checked {
    /// How many files were read.
    pub files: usize,
    /// What is wrong, by file and line; nothing, if it is empty.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file or directory.
    pub path: PathBuf,
    /// The line, from 1; `None` if it is wrong as a whole.
    pub line: Option<usize>,
    /// What is wrong, and what to do.
    pub what: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl Problem {
    fn whole(path: &Path, what: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            what: what.into(),
        }
    }
}

impl From<LoadError> for Problem {
    fn from(error: LoadError) -> Self {
        let (path, line) = match &error {
            LoadError::Read { path, .. } | LoadError::Empty { path } => (path, None),
            LoadError::Format { path, line, .. } | LoadError::Content { path, line, .. } => {
                (path, Some(*line))
            }
        };
        // Path and line stand before it already.
        let what = match &error {
            LoadError::Read { source, .. } => format!("cannot be read: {source}"),
            LoadError::Empty { .. } => "holds no vectors (files that end in .toml)".to_owned(),
            LoadError::Content { what, .. } => what.clone(),
            LoadError::Format { line, .. } => {
                let place = format!("{}:{line}: ", path.display());
                let text = error.to_string();
                text.strip_prefix(&place).unwrap_or(&text).to_owned()
            }
        };
        let path = path.clone();
        Self { path, line, what }
    }
}

/// Checks files, and every exchange below directories: their shape, what their
/// parts are to each other, hashes, where they come from, that none is there
/// twice, and that every file of octets belongs to one.
pub fn check(paths: impl IntoIterator<Item = impl AsRef<Path>>) -> Checked {
    let mut found = Found::default();
    for path in paths {
        let path = path.as_ref();
        if path.is_dir() {
            found.directory(path);
        } else {
            found.file(path);
        }
    }
    found.twice();
    found.problems.sort();
    found.problems.dedup();
    Checked {
        files: found.files,
        problems: found.problems,
    }
}

#[derive(Default)]
struct Found {
    files: usize,
    vectors: Vec<Vector>,
    problems: Vec<Problem>,
}

impl Found {
    fn directory(&mut self, dir: &Path) {
        let before = self.files;
        if let Err(error) = self.tree(dir) {
            let what = format!("cannot be read: {error}");
            self.problems.push(Problem::whole(dir, what));
        } else if self.files == before {
            self.problems.push(
                LoadError::Empty {
                    path: dir.to_owned(),
                }
                .into(),
            );
        }
    }

    /// Everything below `dir`; links are not followed.
    fn tree(&mut self, dir: &Path) -> io::Result<()> {
        let mut octets = Vec::new();
        let mut named = BTreeSet::new();
        let mut all_read = true;
        for entry in fs::read_dir(dir)? {
            let entry = entry?;
            let path = entry.path();
            if entry.file_type()?.is_dir() {
                self.tree(&path)?;
            } else if path.extension().is_some_and(|it| it == "toml") {
                match self.file(&path) {
                    Some(files) => named.extend(files),
                    None => all_read = false,
                }
            } else if path.extension().is_some_and(|it| it == "bin") {
                octets.push(path);
            }
        }
        // What a file that cannot be read would have named is not known.
        octets.retain(|path| all_read && !named.contains(path));
        for path in octets {
            let what = "belongs to no exchange of its directory; remove it or name it in one";
            self.problems.push(Problem::whole(&path, what));
        }
        Ok(())
    }

    /// The files that the vector in `path` names, if it can be read.
    fn file(&mut self, path: &Path) -> Option<BTreeSet<PathBuf>> {
        self.files += 1;
        let mut named = BTreeSet::new();
        match load::read(path, Path::new(path.file_name()?), &mut named) {
            Ok(vector) => {
                self.provenance(&vector);
                self.vectors.push(vector);
                Some(named)
            }
            Err(wrong) => {
                self.problems.extend(wrong.all().map(Problem::from));
                None
            }
        }
    }

    /// What cannot be trusted because of where it comes from.
    fn provenance(&mut self, vector: &Vector) {
        let tagged = vector.about.tags.iter().any(|tag| tag == UNJUDGED);
        for role in &vector.about.roles {
            let unstated = matches!(vector.expectation(*role), Expectation::Unstated(_));
            if vector.about.kind == Kind::Captured && unstated && !tagged {
                let what = format!(
                    "nothing is expected of the {role} that it tests; say what must be made of it, or tag it `{UNJUDGED}`"
                );
                self.problems.push(Problem::whole(&vector.path, what));
            }
        }
    }

    /// Exchanges that are there more than once.
    fn twice(&mut self) {
        let mut seen: HashMap<Same<'_>, &Path> = HashMap::new();
        self.vectors.sort_by(|a, b| a.path.cmp(&b.path));
        for vector in &self.vectors {
            match seen.get(&same(vector)) {
                Some(first) if *first != vector.path => {
                    let what = format!(
                        "both streams, draft, kind and roles are those of {}; remove one of the two",
                        first.display()
                    );
                    self.problems.push(Problem::whole(&vector.path, what));
                }
                Some(_) => {}
                None => {
                    seen.insert(same(vector), &vector.path);
                }
            }
        }
    }
}

/// What two exchanges that test the same have in common: the cuts between steps
/// and the times may differ. What was published elsewhere may also have been
/// constructed here: that tells something about both.
type Same<'a> = (Draft, Kind, Vec<Role>, [Option<&'a str>; 2], String);

fn same(vector: &Vector) -> Same<'_> {
    let stream = |side| vector.about.stream(side).map(|it| &*it.sha256);
    let other = |action: &Action| !matches!(action, Action::Send(_));
    let acts: Vec<_> = vector
        .steps
        .iter()
        .filter(|step| other(&step.action))
        .map(|step| (step.from, &step.action))
        .collect();
    (
        vector.about.draft,
        vector.about.kind,
        vector.about.roles.clone(),
        [stream(Role::Client), stream(Role::Server)],
        format!("{acts:?} {:?}", vector.about.service),
    )
}
