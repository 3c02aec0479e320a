//! A `draftgate serve` of its own for each test, on a port that was free. The
//! program and not the library: this is what a stranger runs.

use std::path::PathBuf;
use std::process::Command;
use std::{env, fs, process};

use serde_json::Value;

use crate::child::Child;

pub(crate) struct Gateway {
    child: Child,
    host: String,
    _config: ConfigFile,
}

/// A configuration that goes with its gateway.
struct ConfigFile(Option<PathBuf>);

impl Gateway {
    /// The configuration that is built in.
    pub(crate) fn start() -> Self {
        Self::run(None)
    }

    /// The configuration `toml`; `name` tells it from those of other tests.
    pub(crate) fn with(name: &str, toml: &str) -> Self {
        let file = format!("{name}-{}.toml", process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(file);
        fs::write(&path, toml).unwrap();
        Self::run(Some(path))
    }

    /// The command `line`, which is `draftgate` and its arguments as in a shell,
    /// but for where it listens.
    pub(crate) fn command_line(line: &str) -> Self {
        let mut words = line.split_whitespace();
        assert_eq!(words.next(), Some("draftgate"), "{line}");
        let mut command = draftgate(words.next().unwrap());
        while let Some(word) = words.next() {
            match word {
                "--listen" => drop(words.next()),
                word => drop(command.arg(word)),
            }
        }
        Self::started(command)
    }

    fn run(config: Option<PathBuf>) -> Self {
        let mut command = draftgate("serve");
        if let Some(path) = &config {
            command.arg("--config").arg(path);
        }
        Self {
            _config: ConfigFile(config),
            ..Self::started(command)
        }
    }

    /// What `command` starts, but for where it listens.
    pub(crate) fn started(mut command: Command) -> Self {
        command.args(["--listen", "127.0.0.1:0"]);
        let mut child = Child::start("draftgate serve", &mut command);
        let host = loop {
            let line = child.line();
            let after = |scheme| line.split_once(scheme).map(|(_, rest)| rest);
            if let Some(rest) = after(" ws://").or_else(|| after(" wss://")) {
                break rest.split('/').next().unwrap().to_owned();
            }
        };
        Self {
            child,
            host,
            _config: ConfigFile(None),
        }
    }

    /// The address of the chat page.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.host)
    }

    /// The address of the route at `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.host)
    }

    /// The same for plain HTTP.
    pub(crate) fn http(&self, path: &str) -> String {
        format!("http://{}{path}", self.host)
    }

    /// Host and port.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// Tells it to stop, as service managers do.
    pub(crate) fn terminate(&self) {
        self.child.terminate();
    }

    /// Waits for its end, which must be a success.
    pub(crate) fn end_well(&mut self) {
        self.child.forget_stdout();
        self.child.end_well();
    }

    /// The line that the next connection to end leaves in the log.
    pub(crate) fn access_line(&mut self) -> Value {
        self.line_of("draftgate::access")
    }

    /// The line that the next refused opening leaves in the log.
    pub(crate) fn refusal_line(&mut self) -> Value {
        self.line_of("draftgate_gateway::front")
    }

    fn line_of(&mut self, target: &str) -> Value {
        loop {
            let line = self.line();
            if line["target"] == target {
                return line;
            }
        }
    }

    /// The next line of the log, whatever it says.
    pub(crate) fn line(&mut self) -> Value {
        let line = self.child.line_of_stderr();
        match serde_json::from_str(&line) {
            Ok(line) => line,
            Err(_) => self.child.fail("a line of the log is not JSON"),
        }
    }
}

impl Drop for ConfigFile {
    fn drop(&mut self) {
        if let Some(path) = &self.0 {
            let _ = fs::remove_file(path);
        }
    }
}

/// The program under test. It finds no configuration and no proxy but what a
/// test gives it.
pub(crate) fn draftgate(command: &str) -> Command {
    let mut draftgate = clean(Command::new(env!("CARGO_BIN_EXE_draftgate")));
    draftgate.arg(command);
    draftgate
}

/// A draftgate that finds no configuration and no proxy but what a test gives it.
pub(crate) fn clean(mut draftgate: Command) -> Command {
    draftgate.current_dir(env!("CARGO_TARGET_TMPDIR"));
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy().to_ascii_lowercase();
        if text.starts_with("draftgate_") || text.ends_with("_proxy") {
            draftgate.env_remove(name);
        }
    }
    draftgate
}
