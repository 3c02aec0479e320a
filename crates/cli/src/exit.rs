//! Exit codes, and the one place where errors are printed.
//!
//! The codes are few on purpose: a service manager acts on 78 (do not start
//! again, the file is wrong), a script on 0 or not 0. Usage errors exit by
//! clap with the same 2.

use std::{
    fmt::Display,
    io::{self, Write},
    process::ExitCode,
};

/// Why the program ends without success. The numbers are `sysexits.h`'s where
/// it has one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Failure = 1,
    Usage = 2,
    Configuration = 78,
}

/// What the program says last, and the code it ends with.
#[derive(Debug)]
pub(crate) struct Failure {
    code: Code,
    text: String,
}

impl Failure {
    /// It was asked for properly, and could not be done.
    pub(crate) fn new(why: impl Display) -> Self {
        Self::with(Code::Failure, why)
    }

    /// It was not asked for properly.
    pub(crate) fn usage(why: impl Display) -> Self {
        Self::with(Code::Usage, why)
    }

    /// The configuration is wrong.
    pub(crate) fn configuration(why: impl Display) -> Self {
        Self::with(Code::Configuration, why)
    }

    fn with(code: Code, why: impl Display) -> Self {
        Self {
            code,
            text: why.to_string(),
        }
    }

    /// Prints it.
    pub(crate) fn report(self) -> ExitCode {
        say(self.text);
        ExitCode::from(self.code as u8)
    }
}

/// Says something to the person at the terminal. Standard error may be closed,
/// and then there is nobody to tell.
pub(crate) fn say(what: impl Display) {
    let _ = writeln!(io::stderr().lock(), "draftgate: {what}");
}

/// Ignores that whoever read our output has left: `| head` is no failure.
///
/// # Errors
/// Any other error of standard output.
pub(crate) fn quiet_pipe(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(format_args!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}
