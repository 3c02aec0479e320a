//! Running a program: cargo above all, in an environment that is the same for
//! every step, so that no step makes another compile anew. A program's output
//! goes straight to the terminal; a test run's is also read on the way (a *tee*),
//! for the runner's summary. `std::process` itself would print neither command
//! nor remedy.

use std::ffi::OsStr;
use std::fmt;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus, Stdio};
use std::thread;

use crate::failure::Failure;

/// What `cargo run` tells the program it runs. Build scripts of other crates ask
/// cargo to run them again when one of these changes, so they must not leak from
/// here into a nested cargo.
const SET_BY_CARGO_RUN: [&str; 5] = [
    "CARGO_CRATE_NAME",
    "CARGO_BIN_NAME",
    "CARGO_PRIMARY_PACKAGE",
    "CARGO_MANIFEST_DIR",
    "CARGO_MANIFEST_PATH",
];

/// A program with its arguments, and how a person would type it.
#[derive(Debug)]
pub(crate) struct Command {
    inner: std::process::Command,
    shown: String,
}

/// What a program printed while it ran, one entry per line, without colours.
#[derive(Debug, Default)]
pub(crate) struct Printed {
    pub(crate) stdout: Vec<String>,
    pub(crate) stderr: Vec<String>,
}

impl Command {
    /// `cargo <subcommand>`: the very cargo that runs us, if one does.
    pub(crate) fn cargo(subcommand: &str) -> Self {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut inner = std::process::Command::new(cargo);
        for (name, _) in std::env::vars_os() {
            let leaks = name.to_str().is_some_and(|name| {
                name.starts_with("CARGO_PKG_") || SET_BY_CARGO_RUN.contains(&name)
            });
            if leaks {
                inner.env_remove(name);
            }
        }
        if io::stderr().is_terminal() && std::env::var_os("CARGO_TERM_COLOR").is_none() {
            inner.env("CARGO_TERM_COLOR", "always"); // through our pipes too
        }
        let command = Self {
            inner,
            shown: "cargo".to_owned(),
        };
        command.arg(subcommand)
    }

    /// Any other program, by name or path.
    pub(crate) fn program(name: impl AsRef<OsStr>) -> Self {
        Self {
            shown: name.as_ref().display().to_string(),
            inner: std::process::Command::new(name),
        }
    }

    /// Runs it there.
    pub(crate) fn current_dir(mut self, dir: &Path) -> Self {
        self.inner.current_dir(dir);
        self
    }

    pub(crate) fn arg(mut self, arg: &str) -> Self {
        self.shown.push(' ');
        if arg.contains(|c: char| c.is_whitespace() || "'()|*^\"".contains(c)) {
            self.shown.push_str(&format!("'{arg}'"));
        } else {
            self.shown.push_str(arg);
        }
        self.inner.arg(arg);
        self
    }

    pub(crate) fn args<'a>(self, args: impl IntoIterator<Item = &'a str>) -> Self {
        args.into_iter().fold(self, Self::arg)
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let value = value.as_ref();
        self.shown = format!("{name}={} {}", value.display(), self.shown);
        self.inner.env(name, value);
        self
    }

    /// Runs it on our own terminal.
    ///
    /// # Errors
    /// When it does not start, or ends with anything but success.
    pub(crate) fn run(mut self) -> Result<(), Failure> {
        println!("$ {self}");
        let status = self.inner.status().map_err(|e| self.not_started(e))?;
        self.ended(status)
    }

    /// Runs it on our own terminal and keeps what it printed, whether it
    /// succeeded or not.
    ///
    /// # Errors
    /// When it does not start or its output cannot be read.
    pub(crate) fn run_teed(mut self) -> Result<(Printed, Result<(), Failure>), Failure> {
        println!("$ {self}");
        let mut child = self
            .inner
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| self.not_started(e))?;
        let printed = tee_both(&mut child).map_err(|source| Failure::Output {
            command: self.shown.clone(),
            source,
        })?;
        let status = child.wait().map_err(|e| self.not_started(e))?;
        Ok((printed, self.ended(status)))
    }

    /// Runs it quietly and hands back its standard output; its errors go to our
    /// own terminal.
    ///
    /// # Errors
    /// When it does not start, fails, or prints what is not UTF-8.
    pub(crate) fn read_stdout(mut self) -> Result<String, Failure> {
        let output = self
            .inner
            .stderr(Stdio::inherit())
            .output()
            .map_err(|e| self.not_started(e))?;
        self.ended(output.status)?;
        String::from_utf8(output.stdout).map_err(|e| Failure::Output {
            command: self.shown,
            source: io::Error::new(io::ErrorKind::InvalidData, e),
        })
    }

    /// Whether it starts and succeeds; nothing is printed. For `--version`.
    pub(crate) fn works(mut self) -> bool {
        self.inner
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn not_started(&self, source: io::Error) -> Failure {
        Failure::Start {
            command: self.shown.clone(),
            source,
        }
    }

    fn ended(&self, status: ExitStatus) -> Result<(), Failure> {
        if status.success() {
            return Ok(());
        }
        Err(Failure::Command {
            command: self.shown.clone(),
            status,
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

fn tee_both(child: &mut Child) -> io::Result<Printed> {
    let stdout: Option<ChildStdout> = child.stdout.take();
    let stderr: Option<ChildStderr> = child.stderr.take();
    thread::scope(|scope| {
        let errors = scope.spawn(|| stderr.map(|from| tee(from, io::stderr())).transpose());
        let stdout = stdout.map(|from| tee(from, io::stdout())).transpose()?;
        let stderr = errors
            .join()
            .map_err(|_| io::Error::other("the thread that reads standard error panicked"))??;
        Ok(Printed {
            stdout: stdout.unwrap_or_default(),
            stderr: stderr.unwrap_or_default(),
        })
    })
}

/// Passes octets on line by line, as they come, and keeps each line as text
/// without colours.
fn tee(from: impl Read, mut to: impl Write) -> io::Result<Vec<String>> {
    let mut from = BufReader::new(from);
    let mut lines = Vec::new();
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        to.write_all(&line)?;
        to.flush()?;
        lines.push(without_colours(String::from_utf8_lossy(&line).trim_end()));
        line.clear();
    }
    Ok(lines)
}

/// Drops the terminal sequences `ESC [ … letter` that colours are made of.
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = after.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &after[end + 1..]);
    }
    plain.push_str(rest);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_can_be_typed() {
        let command = Command::cargo("nextest")
            .args(["run", "-E", "not test(/a/)"])
            .env("A", "b");
        assert_eq!(
            command.to_string(),
            "A=b cargo nextest run -E 'not test(/a/)'"
        );
    }

    #[test]
    fn teed_output_is_passed_on_unchanged_and_kept_without_colours() {
        let input = b"\x1b[1mone\x1b[0m two\r\nlast";
        let mut passed = Vec::new();
        let kept = tee(&input[..], &mut passed).unwrap();
        assert_eq!(passed, input);
        assert_eq!(kept, ["one two", "last"]);
    }

    #[test]
    fn what_cargo_fails_at_is_named() {
        let mut command = Command::cargo("--no-such-option");
        command.inner.stderr(Stdio::null());
        let status = command.inner.status().unwrap();
        let failure = command.ended(status).unwrap_err();
        assert!(
            failure.to_string().contains("`cargo --no-such-option`"),
            "{failure}"
        );
    }

    #[test]
    fn a_subcommand_that_is_not_there_does_not_work() {
        assert!(Command::cargo("--version").works());
        assert!(!Command::cargo("no-such-subcommand").works());
    }

    #[test]
    fn variables_of_cargo_run_do_not_leak() {
        // The test itself runs under cargo, which sets this one.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let command = Command::cargo("--version");
        let removed = command
            .inner
            .get_envs()
            .any(|(name, value)| name == "CARGO_MANIFEST_DIR" && value.is_none());
        assert!(removed);
    }
}
