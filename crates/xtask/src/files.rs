//! Rules about the files themselves, which cargo cannot see: each folder is a
//! crate, no file grows beyond what can be read in one sitting, and `wire` knows
//! framings, not draft numbers. A lint would be the better place for the last,
//! but clippy has none that bans the variants of one enum in one crate.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::code::{code_only, without_tests};
use crate::failure::Failure;
use crate::metadata::Metadata;

/// Longer files are split: nobody reviews them whole.
const MAX_LINES: usize = 500;

/// The crate that must not tell drafts apart.
const WIRE: &str = "wire";

/// Everything wrong with the files below `<root>/crates`, one sentence each.
///
/// # Errors
/// When a file or folder cannot be read.
pub(crate) fn check(root: &Path, metadata: &Metadata) -> Result<Vec<String>, Failure> {
    let crates = root.join("crates");
    let mut findings = strangers(&crates, metadata)?;
    for path in rust_files(&crates)? {
        let text = fs::read_to_string(&path).map_err(|e| unreadable(&path, e))?;
        let shown = path.strip_prefix(root).unwrap_or(&path).display();
        let lines = text.lines().count();
        if lines > MAX_LINES {
            findings.push(format!(
                "{shown} has {lines} lines: split it, {MAX_LINES} is the most"
            ));
        }
        if path.starts_with(crates.join(WIRE).join("src")) && !is_test_file(&path) {
            for (line, what) in draft_comparisons(&text) {
                findings.push(format!(
                    "{shown}:{line} tells drafts apart (`{what}`): make the difference a field \
                     of the dialect, or move it into the draft's own crate"
                ));
            }
        }
    }
    Ok(findings)
}

/// Folders below `crates` that are no members of the workspace.
fn strangers(crates: &Path, metadata: &Metadata) -> Result<Vec<String>, Failure> {
    let members: BTreeSet<&Path> = metadata
        .members()
        .filter_map(|package| Path::new(&package.manifest_path).parent())
        .collect();
    Ok(entries(crates)?
        .into_iter()
        .filter(|path| path.is_dir() && !members.contains(path.as_path()))
        .map(|path| {
            format!(
                "{} is not a member of the workspace: give it a Cargo.toml, or remove it",
                path.display()
            )
        })
        .collect())
}

/// The Rust files below a folder, sorted; not those that are built or installed.
fn rust_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let mut files = Vec::new();
    for path in entries(folder)? {
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() {
            if name != "target" && name != "node_modules" {
                files.extend(rust_files(&path)?);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn entries(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let paths: io::Result<Vec<PathBuf>> =
        fs::read_dir(folder).and_then(|entries| entries.map(|entry| Ok(entry?.path())).collect());
    let mut paths = paths.map_err(|e| unreadable(folder, e))?;
    paths.sort();
    Ok(paths)
}

fn unreadable(path: &Path, source: io::Error) -> Failure {
    Failure::File {
        path: path.display().to_string(),
        source,
    }
}

/// `src/tests.rs` and `src/**/tests/*.rs`: tests must name drafts.
fn is_test_file(path: &Path) -> bool {
    path.components()
        .any(|part| part.as_os_str() == "tests" || part.as_os_str() == "tests.rs")
}

/// Where code tells drafts apart: by naming a variant of `Draft`, or by comparing
/// something called `draft`. Gives the line, counted from 1, and the words found.
fn draft_comparisons(text: &str) -> Vec<(usize, String)> {
    let code = code_only(text);
    without_tests(&code)
        .lines()
        .enumerate()
        .filter_map(|(index, line)| Some((index + 1, draft_comparison(line)?)))
        .collect()
}

fn draft_comparison(line: &str) -> Option<String> {
    for (at, _) in line.match_indices("Draft::") {
        let is_word_start = !line[..at].ends_with(is_word);
        let rest = &line[at + "Draft::".len()..];
        let word = rest.split(|c| !is_word(c)).next().unwrap_or_default();
        let is_variant =
            word.starts_with(|c: char| c.is_ascii_uppercase()) && word.contains(char::is_lowercase);
        if is_word_start && (is_variant || rest.starts_with(['*', '{'])) {
            return Some(format!("Draft::{word}"));
        }
    }
    for operator in ["==", "!="] {
        for (at, _) in line.match_indices(operator) {
            let left = line[..at].trim_end().trim_end_matches("()");
            let right = line[at + operator.len()..].trim_start();
            let right = right
                .split(|c: char| !is_word(c) && !".&*()".contains(c))
                .next()
                .unwrap_or_default();
            let named = |path: &str| {
                path.trim_end_matches("()").rsplit(|c| !is_word(c)).next() == Some("draft")
            };
            if named(left) || named(right.trim_end_matches(')')) || named(right) {
                return Some(format!("draft {operator}"));
            }
        }
    }
    None
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::{Made, metadata};

    fn found(code: &str) -> Vec<String> {
        let found = draft_comparisons(code);
        found.into_iter().map(|(_, what)| what).collect()
    }

    #[test]
    fn naming_a_variant_of_draft_is_telling_drafts_apart() {
        assert_eq!(found("match d { Draft::Hybi13 => 1 }"), ["Draft::Hybi13"]);
        assert_eq!(found("x == core::Draft::Hixie76"), ["Draft::Hixie76"]);
        assert_eq!(found("use core::Draft::*;"), ["Draft::"]);
    }

    #[test]
    fn comparing_a_draft_is_telling_drafts_apart() {
        for code in [
            "if dialect.draft == other {}",
            "if self.draft() != other.x {}",
            "if other == self.draft() {}",
            "if wanted == &self.dialect.draft {}",
            "if (wanted == draft) {}",
        ] {
            assert_eq!(found(code).len(), 1, "{code}");
        }
    }

    #[test]
    fn other_words_are_not_drafts() {
        for code in [
            "Draft::ALL",
            "overdraft == 1",
            "draft_octets == 2",
            "a.drafts != b",
            "MyDraft::Hybi13",
            "fn draft(&self) -> Draft { self.dialect.draft }",
            "let draft = x == y;",
        ] {
            assert_eq!(found(code), Vec::<String>::new(), "{code}");
        }
    }

    #[test]
    fn comments_strings_and_tests_may_name_drafts() {
        let code = "// Draft::Hybi13\n/* draft == */\nlet s = \"Draft::Hybi13\";\n\
                    #[cfg(test)]\nmod tests {\n    use Draft::Hybi13;\n}\n";
        assert_eq!(found(code), Vec::<String>::new());
    }

    #[test]
    fn the_line_of_a_comparison_is_counted_with_its_comments() {
        let code = "/*\n\n*/\nfn f() {}\nif draft == x {}\n";
        assert_eq!(draft_comparisons(code)[0].0, 5);
    }

    /// A scratch workspace whose files break each rule once.
    #[test]
    fn each_rule_finds_its_file() {
        let root = std::env::temp_dir().join(format!("xtask-files-{}", std::process::id()));
        let source = |role: &str| root.join("crates").join(role).join("src");
        for role in ["wire", "core", "empty"] {
            fs::create_dir_all(source(role)).unwrap();
        }
        fs::write(source("wire").join("lib.rs"), "if draft == x {}\n").unwrap();
        fs::write(source("wire").join("tests.rs"), "Draft::Hybi13\n").unwrap();
        fs::write(source("core").join("lib.rs"), "Draft::Hybi13\n").unwrap();
        fs::write(source("core").join("long.rs"), "\n".repeat(501)).unwrap();
        fs::write(source("core").join("full.rs"), "\n".repeat(500)).unwrap();
        let mut known = metadata(&[
            Made::member("draftgate-wire"),
            Made::member("draftgate-core"),
        ]);
        for package in &mut known.packages {
            let at = package
                .manifest_path
                .replace("/made", &root.to_string_lossy());
            package.manifest_path = at;
        }

        let findings = check(&root, &known);
        fs::remove_dir_all(&root).unwrap();
        let findings = findings.unwrap();
        assert_eq!(findings.len(), 3, "{findings:#?}");
        assert!(findings[0].contains("crates/empty is not a member"));
        assert!(findings[1].starts_with("crates/core/src/long.rs has 501 lines"));
        assert!(findings[2].starts_with("crates/wire/src/lib.rs:1 tells drafts apart"));
    }
}
