//! Every command of ours that a document shows is one that is understood, whether a
//! test runs it as well or not: flags that were renamed are found here.

use std::{
    fs,
    path::{Path, PathBuf},
};

use clap::{Parser, error::ErrorKind};

use crate::args::Args;

#[test]
fn every_command_in_the_documents_is_understood() {
    let mut seen = 0;
    for path in documents() {
        let text = fs::read_to_string(&path).unwrap().replace("\\\n", " ");
        for line in commands(&text) {
            for words in ours(line) {
                let parsed = Args::try_parse_from(&words).map(drop);
                let kind = parsed.as_ref().map_err(clap::Error::kind);
                let is_help = kind == Err(ErrorKind::DisplayHelp);
                assert!(
                    kind.is_ok() || is_help,
                    "{}: {line}\n{}",
                    path.display(),
                    parsed.unwrap_err()
                );
                seen += 1;
            }
        }
    }
    assert!(seen > 30, "only {seen} commands were found");
}

/// The pages for users.
fn documents() -> Vec<PathBuf> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."));
    let mut pages = vec![root.join("README.md")];
    for folder in ["docs", "docs/monitoring"] {
        let entries = fs::read_dir(root.join(folder)).unwrap();
        pages.extend(entries.map(|entry| entry.unwrap().path()));
    }
    pages.retain(|path| path.extension().is_some_and(|kind| kind == "md"));
    pages
}

/// The lines that are typed, of all blocks of a console.
fn commands(text: &str) -> impl Iterator<Item = &str> {
    let blocks = text.split("```console\n").skip(1);
    blocks
        .filter_map(|rest| rest.split("```").next())
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("$ "))
}

/// The words of each `draftgate` in a line for the shell, as far as they are known
/// without one.
fn ours(line: &str) -> Vec<Vec<String>> {
    let simple = words(line).into_iter().filter_map(|mut words| {
        let at = words.iter().position(|word| word == "draftgate")?;
        let before = &words[..at];
        let is_run = before
            .iter()
            .all(|word| word == "sudo" || word.contains('='));
        is_run.then(|| words.split_off(at))
    });
    simple
        .filter(|words| !words.iter().any(|word| word.contains('$')))
        .collect()
}

/// The words of each simple command: quotes are taken away, what is redirected is
/// left out.
fn words(line: &str) -> Vec<Vec<String>> {
    let mut commands = vec![Vec::new()];
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut is_file = false;
    for c in line.chars().chain([';']) {
        match (quote, c) {
            (Some(end), _) if c == end => quote = None,
            (Some(_), _) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, ' ' | '|' | ';' | '&' | '(' | ')' | '<' | '>') => {
                let ended = word.take();
                let is_number = matches!(ended.as_deref(), Some("1" | "2"));
                if let Some(ended) = ended {
                    if !(is_file || c == '>' && is_number) {
                        commands.last_mut().unwrap().push(ended);
                    }
                    is_file = false;
                }
                match c {
                    '<' | '>' => is_file = true,
                    ' ' => {}
                    _ => {
                        is_file = false;
                        commands.push(Vec::new());
                    }
                }
            }
            (None, '#') if word.is_none() => break,
            (None, _) => word.get_or_insert_default().push(c),
        }
    }
    commands
}

#[test]
fn words_of_a_shell_are_told_apart() {
    let line = "(sleep 1; A=b draftgate connect -x 'a b' 2> /dev/null ws://h/) | sort # it";
    let expected: [&str; 5] = ["draftgate", "connect", "-x", "a b", "ws://h/"];
    assert_eq!(ours(line), [expected]);
    assert_eq!(ours("systemctl reload draftgate").len(), 0);
    assert_eq!(ours("draftgate --draft $draft").len(), 0);
}
