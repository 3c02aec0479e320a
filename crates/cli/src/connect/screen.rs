//! Where things are shown: standard output and standard error, or above the
//! line that is being edited, which they must not garble.

use std::{
    fmt::Display,
    io::{self, IsTerminal, Write},
    sync::{Arc, Mutex, PoisonError},
};

use draftgate_core::Message;

use super::form::{Form, harmless};

/// Prints above the line that is edited.
pub(crate) type Above = Box<dyn rustyline::ExternalPrinter + Send>;

/// Where things are shown. Clones show in the same place.
#[derive(Clone)]
pub(crate) struct Screen(Place);

#[derive(Clone)]
enum Place {
    Pipes,
    Above(Arc<Mutex<Above>>),
}

impl Screen {
    /// Standard output and standard error.
    pub(crate) fn pipes() -> Self {
        Self(Place::Pipes)
    }

    /// Above the line that is edited on the terminal; what is said goes to
    /// standard error all the same if that is none.
    pub(crate) fn above(printer: Above) -> Self {
        Self(Place::Above(Arc::new(Mutex::new(printer))))
    }

    /// Says something to the person at the terminal.
    pub(crate) fn say(&self, what: impl Display) {
        self.show(&format!("draftgate: {what}\n"));
    }

    /// Shows `text`, which ends in a line feed, on standard error.
    pub(crate) fn show(&self, text: &str) {
        match &self.0 {
            Place::Above(printer) if io::stderr().is_terminal() => {
                // The terminal is gone: so is whoever could read it.
                let _ = print(printer, text);
            }
            // Standard error may be closed, and then there is nobody to tell.
            _ => {
                let _ = io::stderr().lock().write_all(text.as_bytes());
            }
        }
    }

    /// Prints `message` as a line of `form`.
    ///
    /// # Errors
    /// Whoever read it has left, or it cannot be written.
    pub(crate) fn line(&self, form: Form, message: &Message) -> io::Result<()> {
        let line = form.line(message);
        match &self.0 {
            Place::Above(printer) => print(printer, &format!("< {}\n", harmless(&line))),
            Place::Pipes if io::stdout().is_terminal() => {
                written(&[harmless(&line).as_bytes(), b"\n"])
            }
            Place::Pipes => written(&[&line, b"\n"]),
        }
    }

    /// Prints the payload of `message` and nothing else.
    ///
    /// # Errors
    /// As [`line`](Self::line).
    pub(crate) fn octets(&self, message: &Message) -> io::Result<()> {
        written(&[message.payload()])
    }

    /// Waits until all that was shown stands on the terminal.
    pub(crate) fn settle(&self) {
        if let Place::Above(printer) = &self.0 {
            // The printer holds one text: it takes this one when it has printed
            // the one before. One line up and down again is no change.
            let _ = print(printer, "\x1b[A\n");
        }
    }
}

fn print(printer: &Mutex<Above>, text: &str) -> io::Result<()> {
    let mut printer = printer.lock().unwrap_or_else(PoisonError::into_inner);
    printer.print(text.to_owned()).map_err(io::Error::other)
}

fn written(parts: &[&[u8]]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    for part in parts {
        out.write_all(part)?;
    }
    out.flush()
}
