//! A vector as the text of a file: what the loader reads back equal.
//!
//! The text is for people: heads stand line by line, octets in rows of sixteen,
//! what is large in a file beside. No TOML serializer is used, because none of
//! them lets the writer choose where a string breaks.

mod content;
mod expect;
mod string;

use std::{collections::BTreeMap, fmt::Write as _, time::Duration};

use bytes::Bytes;
use draftgate_core::Role;

use self::{
    content::content,
    expect::{answer, broken, event, tolerated},
    string::{list, quoted},
};
use crate::{
    About, Action, Ending, Expectation, Form, Gap, Service, Stated, Step, Stream, Vector,
    format::FORMAT,
};

/// A vector as it is to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The text of the file itself.
    pub toml: String,
    /// The files beside it that it names, by their names.
    pub files: BTreeMap<String, Bytes>,
}

/// Why a vector cannot be written: it holds what the format cannot say.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// A step is to be text and is not.
    #[error("step {step} is to be written as text, but {why}; write it in hexadecimal")]
    NotText {
        /// Which step, from 1.
        step: usize,
        /// What is in the way.
        why: &'static str,
    },
    /// The placeholders of a step overlap, or lie outside of it.
    #[error("step {step}: its placeholders overlap, are out of order or reach beyond its octets")]
    Slots {
        /// Which step, from 1.
        step: usize,
    },
    /// A step in a file of its own can be one placeholder as a whole, or none.
    #[error("step {step} is in a file, so a placeholder must be the whole of it")]
    PartOfFile {
        /// Which step, from 1.
        step: usize,
    },
    /// Two different contents for one file.
    #[error("`{0}` is named twice, with different octets")]
    TwoContents(String),
    /// Something is expected for which the format has no word.
    #[error("the format has no word for the event {0}")]
    Event(String),
}

/// The file of `vector`, and those beside it. Times are kept to the
/// microsecond, those above eleven days to the millisecond. Payloads of
/// expected events that are large get files that begin with the vector's own
/// name.
///
/// # Errors
/// [`WriteError`]: what only code can put into a vector, never the loader.
pub fn write(vector: &Vector) -> Result<Written, WriteError> {
    let mut files = BTreeMap::new();
    let mut toml = format!("format = {FORMAT}\n\n[about]\n");
    about(&vector.about, &mut toml);
    for (index, it) in vector.steps.iter().enumerate() {
        step(it, index + 1, &mut toml, &mut files)?;
    }
    let stem = vector.name.rsplit('/').next().unwrap_or_default();
    for role in [Role::Server, Role::Client] {
        if vector.about.roles.contains(&role) {
            let mut beside = Beside {
                stem: format!("{stem}.{role}"),
                count: 0,
                files: &mut files,
            };
            expectation(vector.expectation(role), role, &mut toml, &mut beside)?;
        }
    }
    if vector.about.roles.is_empty() {
        toml += "\n[expect]\n";
    }
    for it in &vector.deviations {
        let _ = write!(toml, "\n[[deviation]]\npeer = {}\n", quoted(&it.peer));
        line(&mut toml, "role", &it.role.to_string());
        line(&mut toml, "reason", &it.reason);
        maybe(&mut toml, "source", it.source.as_deref());
    }
    Ok(Written { toml, files })
}

/// Where large payloads of events go.
struct Beside<'a> {
    stem: String,
    count: usize,
    files: &'a mut BTreeMap<String, Bytes>,
}

impl Beside<'_> {
    /// The name of the file that now holds `octets`.
    fn put(&mut self, octets: &Bytes) -> Result<String, WriteError> {
        let same = self.files.iter().find(|(_, held)| *held == octets);
        if let Some((name, _)) = same {
            return Ok(name.clone());
        }
        self.count += 1;
        let name = format!("{}.{}.bin", self.stem, self.count);
        keep(self.files, &name, octets)?;
        Ok(name)
    }
}

fn keep(files: &mut BTreeMap<String, Bytes>, name: &str, octets: &Bytes) -> Result<(), WriteError> {
    match files.insert(name.to_owned(), octets.clone()) {
        Some(before) if before != *octets => Err(WriteError::TwoContents(name.to_owned())),
        _ => Ok(()),
    }
}

fn about(about: &About, out: &mut String) {
    line(out, "draft", about.draft.name());
    line(out, "kind", about.kind.name());
    match about.roles[..] {
        [role] => line(out, "role", role.name()),
        _ => line(out, "role", "both"),
    }
    line(out, "scenario", &about.scenario);
    line(out, "client", &about.client);
    line(out, "server", &about.server);
    line(out, "source", &about.source);
    maybe(out, "date", about.date.as_deref());
    maybe(out, "altered", about.altered.as_deref());
    maybe(out, "restored", about.restored.as_deref());
    maybe(out, "note", about.note.as_deref());
    maybe(out, "basis", about.basis.as_deref());
    if !about.tags.is_empty() {
        let _ = writeln!(out, "tags = {}", list(&about.tags));
    }
    if let Some(Service::Echo) = about.service {
        line(out, "service", "echo");
    }
    maybe(out, "partial", about.partial.as_deref());
    if !about.attested.is_empty() {
        out.push_str("\n[about.attested]\n");
        for (key, source) in &about.attested {
            let _ = writeln!(out, "{} = {}", quoted(key), quoted(source));
        }
    }
    out.push_str("\n[about.streams]\n");
    stream(out, Role::Client, about.client_stream.as_ref());
    stream(out, Role::Server, about.server_stream.as_ref());
}

fn stream(out: &mut String, side: Role, stream: Option<&Stream>) {
    if let Some(Stream { octets, sha256 }) = stream {
        let sha256 = quoted(sha256);
        let _ = writeln!(out, "{side} = {{ octets = {octets}, sha256 = {sha256} }}");
    }
}

fn step(
    step: &Step,
    number: usize,
    out: &mut String,
    files: &mut BTreeMap<String, Bytes>,
) -> Result<(), WriteError> {
    let _ = write!(out, "\n[[step]]\nfrom = \"{}\"\n", step.from);
    if let Some(pause) = step.pause {
        line(out, "pause", &time(pause));
    }
    maybe(out, "note", step.note.as_deref());
    match &step.action {
        Action::Send(it) => {
            content(it, number, out)?;
            if let Form::File(name) = &it.form {
                keep(files, name, &it.octets)?;
            }
        }
        Action::Eof => out.push_str("eof = true\n"),
        Action::Close(Ending::Fin) => line(out, "close", "fin"),
        Action::Close(Ending::Reset) => line(out, "close", "reset"),
        Action::Timeout(limit) => line(out, "timeout", &time(*limit)),
        Action::Gap(Gap { octets, reason }) => {
            let octets = octets.map(|n| format!("octets = {n}, "));
            let octets = octets.unwrap_or_default();
            let _ = writeln!(out, "gap = {{ {octets}reason = \"{}\" }}", reason.name());
        }
    }
    Ok(())
}

/// In the largest unit that loses nothing down to microseconds; what would have
/// more digits than a reader takes is rounded down to a larger unit. More than
/// that many seconds is what only a broken clock says.
fn time(time: Duration) -> String {
    let micros = time.as_micros();
    let units = [(1_000_000, "s"), (1000, "ms"), (1, "us")];
    let mut units = units
        .map(|(length, unit)| (micros / length, unit, micros % length))
        .into_iter();
    let fits = |(number, ..): &(u128, _, _)| *number <= MOST_OF_A_UNIT;
    let exact = units.clone().find(|(.., lost)| *lost == 0).filter(fits);
    let (number, unit, _) = exact
        .or_else(|| units.rfind(fits))
        .unwrap_or((MOST_OF_A_UNIT, "s", 0));
    format!("{number}{unit}")
}

/// What 12 digits can say.
const MOST_OF_A_UNIT: u128 = 999_999_999_999;

fn expectation(
    expectation: &Expectation,
    role: Role,
    out: &mut String,
    beside: &mut Beside<'_>,
) -> Result<(), WriteError> {
    let _ = write!(out, "\n[expect.{role}]\n");
    let stated = match expectation {
        Expectation::Unstated(why) => {
            line(out, "unstated", why);
            return Ok(());
        }
        Expectation::Stated(stated) => stated,
    };
    let Stated {
        events,
        ends,
        refused,
        violation,
        tolerated: departures,
        answer: facts,
    } = &**stated;
    match events.is_empty() {
        true => out.push_str("events = []\n"),
        false => {
            out.push_str("events = [\n");
            for it in events {
                let _ = writeln!(out, "    {},", event(it, beside)?);
            }
            out.push_str("]\n");
        }
    }
    line(out, "ends", ends.name());
    if let Some(it) = refused {
        let (rules, reason) = (list(&it.rules), quoted(&it.reason));
        let _ = writeln!(out, "refused = {{ rules = {rules}, reason = {reason} }}");
    }
    if let Some(it) = violation {
        let _ = writeln!(out, "violation = {}", broken(it));
    }
    if !departures.is_empty() {
        out.push_str("tolerated = [\n");
        for it in departures {
            let _ = writeln!(out, "    {},", tolerated(it));
        }
        out.push_str("]\n");
    }
    answer(facts, role, out);
    Ok(())
}

fn line(out: &mut String, key: &str, value: &str) {
    let _ = writeln!(out, "{key} = {}", quoted(value));
}

fn maybe(out: &mut String, key: &str, value: Option<&str>) {
    if let Some(value) = value {
        line(out, key, value);
    }
}

#[cfg(test)]
#[path = "../write_tests.rs"]
mod tests;
