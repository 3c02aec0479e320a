//! What is wrong with a configuration, shown where it is wrong.
//!
//! The library collects problems and draws them only when they are displayed:
//! place, line, caret, reason and what to do, in the form in which compilers
//! show theirs.

use std::{fmt, io, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use super::shown::{without_secret, without_urls_secrets};

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file cannot be read.
    #[error(
        "cannot read the configuration file {name}: {source}; {}",
        remedy(source)
    )]
    Read {
        /// The file's name.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// The text can be read, but not followed.
    #[error(transparent)]
    Mistakes(#[from] Mistakes),
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::InvalidData => "TOML is UTF-8: save the file in that encoding",
        io::ErrorKind::NotFound => {
            "correct the name, or name no file to run the built-in configuration"
        }
        io::ErrorKind::PermissionDenied => "let the user who runs draftgate read it",
        _ => "name a file that can be read",
    }
}

/// Everything that was found wrong in one configuration; never empty.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct Mistakes {
    /// The name of the file.
    pub(super) name: String,
    /// Its text.
    pub(super) text: String,
    /// In the order in which they stand in the file.
    pub(super) problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    pub(super) message: String,
    pub(super) place: Place,
    /// Said at the caret.
    pub(super) label: Option<String>,
    /// Other places that explain this one.
    pub(super) related: Vec<(Range<usize>, String)>,
    pub(super) help: Vec<String>,
}

/// Where it is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// These octets of the file.
    Span(Range<usize>),
    /// A variable of the environment, and whether its name or its value.
    Variable {
        name: String,
        value: String,
        at_value: bool,
    },
    /// The file as a whole: something is missing.
    Whole,
}

impl Problem {
    pub(super) fn new(place: Place, message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            place,
            label: None,
            related: Vec::new(),
            help: Vec::new(),
        }
    }

    pub(super) fn label(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(super) fn related(mut self, place: &Place, label: impl Into<String>) -> Self {
        if let Place::Span(span) = place {
            self.related.push((span.clone(), label.into()));
        }
        self
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help.push(help.into());
        self
    }

    /// The same without what nobody else may see in a variable, or in a URL
    /// that is told of.
    pub(super) fn without_secrets(mut self) -> Self {
        let labels = self.related.iter_mut().map(|(_, label)| label);
        let texts = [&mut self.message].into_iter().chain(&mut self.label);
        for text in texts.chain(&mut self.help).chain(labels) {
            *text = without_urls_secrets(text);
        }
        if let Place::Variable { name, value, .. } = &mut self.place {
            *value = without_secret(name, value);
        }
        self
    }

    /// What is wrong, in one line.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl Mistakes {
    /// Each of them.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// Line and column of a problem, both counted from 1 and the column in
    /// characters; `None` if it has no place in the file.
    pub fn line_and_column(&self, problem: &Problem) -> Option<(usize, usize)> {
        let Place::Span(span) = &problem.place else {
            return None;
        };
        let before = self.text.get(..span.start)?;
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = 1 + before.matches('\n').count();
        Some((line, 1 + before[line_start..].chars().count()))
    }

    /// The whole report, with terminal colours or without.
    pub fn render(&self, colours: bool) -> String {
        let renderer = match colours {
            true => Renderer::styled(),
            false => Renderer::plain(),
        };
        let reports: Vec<String> = self
            .problems
            .iter()
            .map(|problem| renderer.render(&[self.group(problem)]))
            .collect();
        reports.join("\n\n")
    }

    fn group<'a>(&'a self, problem: &'a Problem) -> Group<'a> {
        let title = Level::ERROR.primary_title(&problem.message);
        let group = match &problem.place {
            Place::Span(span) => {
                let primary = AnnotationKind::Primary
                    .span(self.inside(span))
                    .label(problem.label.as_deref());
                let context = problem.related.iter().map(|(span, label)| {
                    AnnotationKind::Context
                        .span(self.inside(span))
                        .label(label.as_str())
                });
                let snippet = Snippet::source(&self.text)
                    .path(&self.name)
                    .annotation(primary)
                    .annotations(context);
                title.element(snippet)
            }
            Place::Variable {
                name,
                value,
                at_value,
            } => {
                let span = match at_value {
                    true => name.len() + 1..name.len() + 1 + value.len(),
                    false => 0..name.len(),
                };
                let primary = AnnotationKind::Primary
                    .span(span)
                    .label(problem.label.as_deref());
                let snippet = Snippet::source(format!("{name}={value}"))
                    .path("environment")
                    .annotation(primary);
                title.element(snippet)
            }
            Place::Whole => title.element(Origin::path(&self.name)),
        };
        group.elements(problem.help.iter().map(|help| Level::HELP.message(help)))
    }

    /// A span that the renderer can draw: within the text, and without the
    /// line breaks at its end.
    fn inside(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start);
        let end = self.text.floor_char_boundary(span.end).max(start);
        start..start + self.text[start..end].trim_end().len()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// The known word nearest to one that is not known, if one is near.
pub(super) fn nearest<'k>(word: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    let word = word.to_ascii_lowercase().replace('_', "-");
    known
        .into_iter()
        .map(|candidate| {
            let distance = strsim::damerau_levenshtein(&word, &candidate.to_ascii_lowercase());
            (distance, candidate)
        })
        .filter(|(distance, candidate)| *distance <= candidate.len().max(3) / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Words as a sentence lists them: `a`, `b` and `c`.
pub(super) fn listed<T: fmt::Display>(words: impl IntoIterator<Item = T>, last: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    match words.split_last() {
        Some((end, rest)) if !rest.is_empty() => format!("{} {last} {end}", rest.join(", ")),
        _ => words.concat(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_near() {
        let known = ["address", "trusted-proxies", "page"];
        for (word, expected) in [
            ("adress", Some("address")),
            ("trusted_proxies", Some("trusted-proxies")),
            ("Page", Some("page")),
            ("pages", Some("page")),
            ("port", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, known), expected, "{word}");
        }
    }

    #[test]
    fn words_are_listed_as_in_a_sentence() {
        assert_eq!(listed(["a"], "or"), "`a`");
        assert_eq!(listed(["a", "b", "c"], "or"), "`a`, `b` or `c`");
    }

    #[test]
    fn spans_that_no_text_has_are_drawn_all_the_same() {
        let mistakes = |span: Range<usize>| Mistakes {
            name: "a.toml".into(),
            text: "ü = 1\n".into(),
            problems: vec![Problem::new(Place::Span(span), "wrong")],
        };
        for span in [0..2, 1..2, 6..7, 7..9, 100..200, 5..5, 0..7] {
            assert!(
                mistakes(span.clone())
                    .to_string()
                    .starts_with("error: wrong"),
                "{span:?}"
            );
        }
    }
}
