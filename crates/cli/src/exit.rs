//! Exit codes, and the one place where errors are printed.
//!
//! The codes are few on purpose: a service manager acts on 78 (do not start
//! again, the file is wrong), most scripts on 0 or not 0; those that connect
//! tell by the others how far they came. Usage errors exit by clap with the
//! same 2.

use std::{
    fmt::{self, Display},
    io::{self, Write},
    process::ExitCode,
};

/// Why the program ends without success. The numbers are `sysexits.h`'s where
/// it has one, and for what ran out of time the one of `timeout(1)`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Code {
    Failure = 1,
    Usage = 2,
    Unavailable = 69,
    Protocol = 76,
    Refused = 77,
    Configuration = 78,
    TimedOut = 124,
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

    /// Whoever was to be spoken to cannot be reached, or does not answer.
    pub(crate) fn unavailable(why: impl Display) -> Self {
        Self::with(Code::Unavailable, why)
    }

    /// The other end broke off, or broke the rules.
    pub(crate) fn protocol(why: impl Display) -> Self {
        Self::with(Code::Protocol, why)
    }

    /// The other end does not want us.
    pub(crate) fn refused(why: impl Display) -> Self {
        Self::with(Code::Refused, why)
    }

    /// It was not done in the time given.
    pub(crate) fn timed_out(why: impl Display) -> Self {
        Self::with(Code::TimedOut, why)
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

/// As it would be printed.
impl Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
