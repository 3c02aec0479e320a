//! A child process that is listened to line by line: two threads read its output,
//! and every wait has the same end. Of what a process never says, above all that it
//! listens, nothing can be awaited: that is looked at again and again, here and
//! nowhere else. It is killed when it is dropped, whatever the test came to.

use std::fmt::Display;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

/// The watchdog: longer than the scripts' own, which know better what they
/// were waiting for.
const PATIENCE: Duration = Duration::from_secs(150);

/// Between two looks at what no line tells.
const BETWEEN: Duration = Duration::from_millis(25);

pub(crate) struct Child {
    name: String,
    process: std::process::Child,
    stdin: Option<ChildStdin>,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
    /// What was read so far, for the report of a failure.
    read: Vec<String>,
}

/// How a child ended.
pub(crate) struct Ended {
    /// Its exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    /// What it wrote to stderr and was not read before.
    pub(crate) stderr: String,
}

impl Child {
    /// Starts `command`; `name` is what failures call it.
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let mut process = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Self {
            name: name.to_owned(),
            stdin: process.stdin.take(),
            stdout: lines(process.stdout.take().unwrap()),
            stderr: lines(process.stderr.take().unwrap()),
            process,
            read: Vec::new(),
        }
    }

    /// The next line of stdout.
    pub(crate) fn line(&mut self) -> String {
        match self.stdout.recv_timeout(PATIENCE) {
            Ok(line) => self.note(line),
            Err(RecvTimeoutError::Timeout) => self.fail("it said nothing for too long"),
            Err(RecvTimeoutError::Disconnected) => self.fail("it ended too early"),
        }
    }

    /// The next line of stderr.
    pub(crate) fn line_of_stderr(&mut self) -> String {
        match self.stderr.recv_timeout(PATIENCE) {
            Ok(line) => self.note(line),
            Err(RecvTimeoutError::Timeout) => self.fail("its stderr said nothing for too long"),
            Err(RecvTimeoutError::Disconnected) => self.fail("it ended too early"),
        }
    }

    /// The next line of stdout, which is a JSON object whose `event` is `kind`.
    pub(crate) fn event(&mut self, kind: &str) -> Value {
        let event = self.any_event();
        if event["event"] != kind {
            self.fail(&format!("the event `{kind}` was expected"));
        }
        event
    }

    /// The next line of stdout, which is a JSON object.
    pub(crate) fn any_event(&mut self) -> Value {
        let line = self.line();
        match serde_json::from_str(&line) {
            Ok(event) => event,
            Err(_) => self.fail("an event was expected"),
        }
    }

    /// Waits until `holds`, of which no line tells; until then that says why not.
    pub(crate) fn until<E: Display>(
        &mut self,
        what: &str,
        mut holds: impl FnMut() -> Result<(), E>,
    ) {
        let began = Instant::now();
        while let Err(why) = holds() {
            let ended = self.process.try_wait().unwrap().is_some();
            if ended || began.elapsed() > PATIENCE {
                self.fail(&format!("never came true: {what} ({why})"));
            }
            thread::sleep(BETWEEN);
        }
    }

    /// The number of the process.
    pub(crate) fn id(&self) -> u32 {
        self.process.id()
    }

    /// Writes a line to stdin.
    pub(crate) fn say(&mut self, line: &str) {
        let Some(stdin) = &mut self.stdin else {
            self.fail("its stdin was ended before");
        };
        // At once: a reader may act on a line whose end is still to come.
        let line = format!("{line}\n");
        if let Err(error) = stdin
            .write_all(line.as_bytes())
            .and_then(|()| stdin.flush())
        {
            self.fail(&format!("it does not read its stdin: {error}"));
        }
    }

    /// Sends SIGTERM.
    pub(crate) fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, by the shell's own `kill`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.process.id());
        let status = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success(), "{kill}");
    }

    /// Takes all that is said on stdout until its end.
    pub(crate) fn forget_stdout(&mut self) {
        self.text();
    }

    /// All that is said on stdout until its end.
    pub(crate) fn text(&mut self) -> String {
        let mut text = String::new();
        loop {
            match self.stdout.recv_timeout(PATIENCE) {
                Ok(line) => text.extend([self.note(line).as_str(), "\n"]),
                Err(RecvTimeoutError::Timeout) => self.fail("its stdout does not end"),
                Err(RecvTimeoutError::Disconnected) => return text,
            }
        }
    }

    /// Ends stdin.
    pub(crate) fn end_stdin(&mut self) {
        self.stdin = None;
    }

    /// Waits for the end of the process, which must have nothing more to say
    /// on stdout.
    pub(crate) fn end(&mut self) -> Ended {
        match self.stdout.recv_timeout(PATIENCE) {
            Err(RecvTimeoutError::Disconnected) => {}
            Err(RecvTimeoutError::Timeout) => self.fail("it does not end"),
            Ok(line) => {
                self.note(line);
                self.fail("nothing more was expected of it");
            }
        }
        let mut stderr = String::new();
        loop {
            match self.stderr.recv_timeout(PATIENCE) {
                Ok(line) => stderr.extend([self.note(line).as_str(), "\n"]),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => self.fail("its stderr does not end"),
            }
        }
        // Both pipes are closed, so it is on its way out.
        let code = self.process.wait().unwrap().code();
        Ended { code, stderr }
    }

    /// Waits for the end of the process, which must be a success.
    pub(crate) fn end_well(&mut self) {
        let ended = self.end();
        if ended.code != Some(0) {
            self.fail(&format!("it ended with {:?}, not with 0", ended.code));
        }
    }

    /// Ends the test, with all that the process said.
    pub(crate) fn fail(&mut self, why: &str) -> ! {
        let _ = self.process.kill();
        self.read.extend(self.stdout.try_iter());
        self.read.extend(self.stderr.try_iter());
        let said = self.read.iter().map(|line| shortened(line));
        panic!(
            "{}: {why}. It said:\n{}",
            self.name,
            said.collect::<String>()
        );
    }

    fn note(&mut self, line: String) -> String {
        self.read.push(line.clone());
        line
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The lines of `from`, read by a thread of its own: a pipe that nobody reads
/// would hold the process up.
fn lines(from: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
            if sender
                .send(String::from_utf8_lossy(&line).into_owned())
                .is_err()
            {
                break;
            }
        }
    });
    receiver
}

fn shortened(line: &str) -> String {
    match line.char_indices().nth(2000) {
        Some((end, _)) => format!("    {} …\n", &line[..end]),
        None => format!("    {line}\n"),
    }
}
