//! The program as a child process, its output read line by line.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Stdio},
    sync::{
        atomic::{AtomicU32, Ordering::Relaxed},
        mpsc::{Receiver, RecvTimeoutError, channel},
    },
    thread,
    time::Duration,
};

use command_fds::{CommandFdExt, FdMapping};

/// What has not happened by then will not: a machine under load is slow, but
/// not that slow. The archive in every cut takes 15 seconds of one processor
/// without optimization.
pub(crate) const WATCHDOG: Duration = Duration::from_secs(120);

/// How a child is started.
pub(crate) struct Program {
    command: Command,
}

/// A child that runs; killed when dropped.
pub(crate) struct Running {
    child: Child,
    pub(crate) stdin: Option<ChildStdin>,
    pub(crate) stdout: Lines,
    pub(crate) stderr: Lines,
}

/// A child that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A child in a terminal; killed when dropped.
pub(crate) struct Typing {
    child: Child,
    keys: ChildStdin,
    shown: Receiver<Vec<u8>>,
    seen: Vec<u8>,
}

impl Typing {
    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keys.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until this is shown, and forgets it and all before it. What was
    /// before it.
    #[track_caller]
    pub(crate) fn until(&mut self, what: &str) -> String {
        loop {
            let at = self
                .seen
                .windows(what.len())
                .position(|seen| seen == what.as_bytes());
            if let Some(at) = at {
                let before: Vec<u8> = self.seen.drain(..at + what.len()).collect();
                return String::from_utf8_lossy(&before[..at]).into_owned();
            }
            match self.shown.recv_timeout(WATCHDOG) {
                Ok(octets) => self.seen.extend(octets),
                Err(error) => panic!(
                    "{what:?} is not shown ({error}), but {:?}",
                    String::from_utf8_lossy(&self.seen)
                ),
            }
        }
    }

    /// Waits for its end: what it still showed.
    pub(crate) fn finish(mut self) -> String {
        loop {
            match self.shown.recv_timeout(WATCHDOG) {
                Ok(octets) => self.seen.extend(octets),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
            }
        }
        let _ = self.child.wait();
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Output, line by line.
pub(crate) struct Lines {
    lines: Receiver<String>,
    seen: String,
}

/// `draftgate` with these arguments, in an empty directory, without any variable
/// of ours and without a proxy.
pub(crate) fn draftgate<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Program {
    let mut command = Command::new(env!("CARGO_BIN_EXE_draftgate"));
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy().to_ascii_lowercase();
        if text.starts_with("draftgate_") || text.ends_with("_proxy") {
            command.env_remove(name);
        }
    }
    command.args(arguments).current_dir(directory());
    Program { command }
}

/// An empty directory of its own.
pub(crate) fn directory() -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&path);
    std::fs::create_dir_all(&path).unwrap();
    path
}

impl Program {
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn directory(mut self, path: &Path) -> Self {
        self.command.current_dir(path);
        self
    }

    /// Starts it with these as a service manager would: from 3 on.
    pub(crate) fn sockets(mut self, sockets: Vec<OwnedFd>) -> Self {
        self.command.env("LISTEN_FDS", sockets.len().to_string());
        let mappings = (3..).zip(sockets);
        let mappings = mappings.map(|(child_fd, parent_fd)| FdMapping {
            parent_fd,
            child_fd,
        });
        self.command.fd_mappings(mappings.collect()).unwrap();
        self
    }

    /// Runs it under a limit, as `ulimit` of the shell takes it.
    pub(crate) fn limited(mut self, limit: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", &format!("ulimit {limit} && exec \"$0\" \"$@\"")]);
        shell
            .arg(self.command.get_program())
            .args(self.command.get_args());
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => shell.env(name, value),
                None => shell.env_remove(name),
            };
        }
        shell.current_dir(self.command.get_current_dir().unwrap());
        self.command = shell;
        self
    }

    pub(crate) fn start(self) -> Running {
        let (mut running, stderr) = self.start_unread();
        running.stderr = Lines::of(stderr);
        running
    }

    /// The same, but what it says on standard error is left unread.
    pub(crate) fn start_unread(mut self) -> (Running, ChildStderr) {
        let mut child = self
            .command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let stderr = child.stderr.take().unwrap();
        let running = Running {
            stdin: child.stdin.take(),
            stdout: Lines::of(child.stdout.take().unwrap()),
            stderr: Lines::of(io::empty()),
            child,
        };
        (running, stderr)
    }

    /// Runs it to its end, with nothing on standard input.
    pub(crate) fn run(self) -> Ended {
        self.run_with("")
    }

    /// Runs it to its end with this on standard input.
    pub(crate) fn run_with(self, input: impl AsRef<[u8]>) -> Ended {
        let mut running = self.start();
        running.write(input);
        running.end_input();
        running.finish()
    }

    /// Runs it to its end with this on standard input: its exit code, and its
    /// standard output octet for octet.
    pub(crate) fn run_octets(mut self, input: Vec<u8>) -> (Option<i32>, Vec<u8>) {
        let child = self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.spawn().unwrap();
        let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        // It may end without reading all of it; how it ended will tell.
        thread::spawn(move || drop(stdin.write_all(&input)));
        let (done, read) = channel();
        thread::spawn(move || {
            let mut octets = Vec::new();
            let _ = stdout.read_to_end(&mut octets);
            let _ = done.send(octets);
        });
        let octets = read.recv_timeout(WATCHDOG);
        if octets.is_err() {
            let _ = child.kill();
        }
        (
            child.wait().unwrap().code(),
            octets.expect("it does not end"),
        )
    }

    /// Runs it in a pseudo-terminal of 80 columns, and then the command `after`
    /// in the same one.
    pub(crate) fn start_in_terminal(self, after: &str) -> Typing {
        let mut words = vec![self.command.get_program().to_string_lossy().into_owned()];
        let arguments = self.command.get_args();
        words.extend(arguments.map(|word| format!("'{}'", word.to_string_lossy())));
        let line = format!("stty cols 80 rows 24; {}; {after}", words.join(" "));
        let mut script = Command::new("script");
        script.args(["-qfec", &line, "/dev/null"]);
        script.env("TERM", "xterm").env("SHELL", "/bin/sh");
        for (name, value) in self.command.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let script = script.current_dir(self.command.get_current_dir().unwrap());
        let mut child = script
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut output = child.stdout.take().unwrap();
        let (sender, shown) = channel();
        thread::spawn(move || {
            let mut octets = [0; 4096];
            while let Ok(count) = output.read(&mut octets)
                && count > 0
                && sender.send(octets[..count].to_vec()).is_ok()
            {}
        });
        Typing {
            keys: child.stdin.take().unwrap(),
            child,
            shown,
            seen: Vec::new(),
        }
    }

    /// Reads its first line and leaves; then calls `left`, and waits for its
    /// end. Its standard input stays open meanwhile.
    pub(crate) fn run_until_first_line(mut self, left: impl FnOnce()) -> Ended {
        let child = self.command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = child.stderr(Stdio::piped()).spawn().unwrap();
        let mut stdout = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut stdout).unwrap();
        drop(output);
        left();
        let stderr = Lines::of(child.stderr.take().unwrap()).rest();
        Ended {
            code: child.wait().unwrap().code(),
            stdout,
            stderr,
        }
    }
}

impl Running {
    pub(crate) fn write(&mut self, input: impl AsRef<[u8]>) {
        let stdin = self.stdin.as_mut().unwrap();
        // It may have ended without reading; how it ended will tell.
        let _ = stdin.write_all(input.as_ref()).and_then(|()| stdin.flush());
    }

    pub(crate) fn end_input(&mut self) {
        self.stdin = None;
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal, by the shell's own `kill`.
    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -{name} {}", self.child.id());
        let status: ExitStatus = Command::new("sh").args(["-c", &kill]).status().unwrap();
        assert!(status.success(), "{kill}");
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Ended {
        let stdout = self.stdout.rest();
        let stderr = self.stderr.rest();
        Ended {
            // Its output has ended, so its life does too.
            code: self.child.wait().unwrap().code(),
            stdout,
            stderr,
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Lines {
    fn of(output: impl Read + Send + 'static) -> Self {
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut line = Vec::new();
            while output.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                if sender
                    .send(String::from_utf8_lossy(&line).into_owned())
                    .is_err()
                {
                    break;
                }
                line.clear();
            }
        });
        Self {
            lines,
            seen: String::new(),
        }
    }

    /// The next line, without its end.
    pub(crate) fn line(&mut self) -> String {
        match self.lines.recv_timeout(WATCHDOG) {
            Ok(line) => {
                self.seen += &line;
                line.trim_end_matches('\n').to_owned()
            }
            Err(error) => panic!("no further line ({error}); so far:\n{}", self.seen),
        }
    }

    /// The next line, without its end, or `None` at the end of the output.
    pub(crate) fn line_or_end(&mut self) -> Option<String> {
        match self.lines.recv_timeout(WATCHDOG) {
            Ok(line) => {
                self.seen += &line;
                Some(line.trim_end_matches('\n').to_owned())
            }
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("no further line; so far:\n{}", self.seen),
        }
    }

    /// The first line from here on that contains `what`.
    pub(crate) fn line_with(&mut self, what: &str) -> String {
        loop {
            let line = self.line();
            if line.contains(what) {
                return line;
            }
        }
    }

    /// Everything, to the end.
    fn rest(&mut self) -> String {
        loop {
            match self.lines.recv_timeout(WATCHDOG) {
                Ok(line) => self.seen += &line,
                Err(RecvTimeoutError::Disconnected) => return std::mem::take(&mut self.seen),
                Err(RecvTimeoutError::Timeout) => panic!("it does not end:\n{}", self.seen),
            }
        }
    }
}

impl Ended {
    /// Checks exit code and what standard error says.
    #[track_caller]
    pub(crate) fn expect(&self, code: i32, stderr: &[&str]) {
        assert_eq!(self.code, Some(code), "{self:#?}");
        for text in stderr {
            assert!(
                self.stderr.contains(text),
                "`{text}` is not said: {self:#?}"
            );
        }
    }
}
