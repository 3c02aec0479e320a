//! The line that is edited on a terminal: history, moving about in it, and
//! everything else that a readline has. The editor has a thread of its own, for
//! it blocks, and holds the terminal until the connection has ended.

use std::{
    io::{self, IsTerminal},
    thread::{self, JoinHandle},
    time::Duration,
};

use rustyline::{Config, DefaultEditor, error::ReadlineError};
use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::screen::Screen;

/// What stands before the line.
const PROMPT: &str = "> ";

/// Lines that wait to be sent; a person is not faster.
const AHEAD: usize = 16;

/// How long the thread is waited for before it is asked to end once more.
const ASKED_AGAIN: Duration = Duration::from_millis(10);

/// What was typed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A line, and Enter.
    Line(String),
    /// Ctrl-D on an empty line.
    End,
    /// Ctrl-C.
    Interrupt,
}

/// The terminal while lines are edited on it.
pub(crate) struct Editor {
    /// Where all else is shown meanwhile.
    pub(crate) screen: Screen,
    thread: JoinHandle<()>,
}

impl Editor {
    /// Starts to edit, if standard input and output are a terminal that can;
    /// with it comes what is typed.
    pub(crate) fn start() -> Option<(Self, Receiver<Typed>)> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            return None;
        }
        let config = Config::builder()
            .auto_add_history(true)
            .check_cursor_position(false)
            .build();
        let mut editor = DefaultEditor::with_config(config).ok()?;
        // A terminal that cannot is read like a pipe.
        let printer = editor.create_external_printer().ok()?;
        let (sender, typed) = channel(AHEAD);
        let thread = thread::spawn(move || edit(editor, &sender));
        let screen = Screen::above(Box::new(printer));
        Some((Self { screen, thread }, typed))
    }

    /// Ends it, and leaves the terminal as it was. All that was shown stands on
    /// it before; `typed` is no longer listened to.
    pub(crate) fn stop(self, typed: Receiver<Typed>) {
        self.screen.settle();
        // What the thread waits for to say is no longer heard.
        drop(typed);
        while !self.thread.is_finished() {
            // It takes a signal for the end of its line; between two lines the
            // signal is not its own.
            if !interrupted() {
                return; // and ends with the process
            }
            thread::sleep(ASKED_AGAIN);
        }
        let _ = self.thread.join();
    }
}

/// Sends the process the signal of Ctrl-C; whether this system can.
fn interrupted() -> bool {
    #[cfg(unix)]
    {
        use rustix::process::{Signal, getpid, kill_process};
        let _ = kill_process(getpid(), Signal::INT);
    }
    cfg!(unix)
}

/// Reads lines until nobody listens. It goes on behind the end of input: only a
/// line that is being read lets others print.
fn edit(mut editor: DefaultEditor, typed: &Sender<Typed>) {
    let mut prompt = PROMPT;
    loop {
        let read = match editor.readline(prompt) {
            Ok(_) if prompt.is_empty() => continue,
            Ok(line) => Typed::Line(line),
            Err(ReadlineError::Eof) => Typed::End,
            Err(ReadlineError::Interrupted) => Typed::Interrupt,
            #[cfg(unix)]
            Err(ReadlineError::Signal(rustyline::error::Signal::Interrupt)) => Typed::Interrupt,
            Err(ReadlineError::Signal(_)) => continue,
            // The terminal is gone.
            Err(_) => break,
        };
        if !matches!(read, Typed::Line(_)) {
            prompt = "";
        }
        if typed.blocking_send(read).is_err() {
            break;
        }
    }
}
