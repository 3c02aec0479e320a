//! What is made of an end: an exit code, and a sentence that says why.

use std::io;

use draftgate_conn::{Closed, Why};
use draftgate_core::{Close, Draft};

use super::{Deadline, input::InputError, plan::CLOSE_TIMEOUT};
use crate::exit::{Failure, quiet_pipe, say};

/// What came first of all that can end it.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The server ended it, or what lies between.
    Theirs,
    /// Input ended, somebody interrupted it, or asked to close, with this.
    Input(Option<Close>),
    /// Input cannot be sent, or not be read.
    Mistake(InputError),
    /// As many messages have come as were wanted.
    Enough,
    /// `--timeout` ran out.
    TimedOut(Deadline),
}

/// Why a connection was not closed in order.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CutOff {
    #[error("interrupted: the connection was cut")]
    Interrupted,
    #[error("the server did not end the connection within {CLOSE_TIMEOUT:?} of our end")]
    TimedOut,
}

/// Everything that ended.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) closed: Closed,
    pub(crate) draft: Draft,
    pub(crate) stop: Stop,
    pub(crate) ended: Result<(), CutOff>,
    pub(crate) output: Option<io::Error>,
    /// The server's Close, whether or not it answers ours.
    pub(crate) answer: Option<Close>,
    /// How many messages were wanted, and how many of these did not come.
    pub(crate) count: Option<u64>,
    pub(crate) wanted: Option<u64>,
    /// How many things the draft could not say.
    pub(crate) unsaid: u64,
}

impl Outcome {
    /// What the program ends with; `verbose`: says how it ended, if that is no
    /// failure.
    ///
    /// # Errors
    /// It did not end as it should.
    pub(crate) fn judge(self, verbose: bool) -> Result<(), Failure> {
        if let Some(error) = self.output {
            return quiet_pipe(Err(error));
        }
        let (count, wanted) = (self.count.unwrap_or(0), self.wanted.unwrap_or(0));
        let came = format!("{} of {count} messages came", count - wanted.min(count));
        let theirs = matches!(self.stop, Stop::Theirs);
        // What was waited for is here, however the server takes its leave.
        let reached = self.count.is_some() && wanted == 0;
        match (self.stop, self.ended) {
            (Stop::Mistake(error), _) => return Err(Failure::new(error)),
            (_, Err(cut @ CutOff::Interrupted)) => return Err(Failure::new(cut)),
            (_, ended) if reached && self.unsaid == 0 => {
                match ended {
                    Err(cut) => say(cut),
                    Ok(()) if verbose || theirs || !as_it_should(&self.closed) => say(self.closed),
                    Ok(()) => {}
                }
                return Ok(());
            }
            (Stop::TimedOut(deadline), _) => {
                return Err(deadline.failure(match self.count {
                    Some(_) => &came,
                    None => "the connection is closed",
                }));
            }
            (_, Err(cut @ CutOff::TimedOut)) => return Err(Failure::protocol(cut)),
            _ => {}
        }
        if !as_it_should(&self.closed) {
            return Err(Failure::protocol(self.closed));
        }
        let ours = self
            .closed
            .code
            .and_then(|code| Close::nearest_code(code, self.draft));
        let complaint = self
            .answer
            .filter(|answer| complains(answer, ours, self.draft));
        if let Some(Close { code, reason }) = complaint {
            let reason = match reason.as_str() {
                "" => String::new(),
                // It comes from the server, and must not steer the terminal.
                reason => format!(" ({})", reason.escape_debug()),
            };
            return Err(Failure::protocol(format_args!(
                "the server closed with code {code}{reason} while we closed: what was sent last may not have been taken"
            )));
        }
        if self.unsaid > 0 {
            return Err(Failure::new(format_args!(
                "not everything was sent: {} things cannot be said in {}",
                self.unsaid, self.draft
            )));
        }
        if wanted > 0 {
            return Err(Failure::new(format_args!("{}; {came}", self.closed)));
        }
        if verbose || theirs {
            say(self.closed);
        }
        Ok(())
    }
}

/// Whether a Close of the server says that something was wrong. One that
/// crossed ours on its way is taken for the answer to it, which repeats our code
/// or has none; a code that nobody may send is no complaint but carelessness.
fn complains(close: &Close, ours: Option<u16>, draft: Draft) -> bool {
    let fine = [Close::NORMAL, Close::GOING_AWAY].contains(&close.code) || ours == Some(close.code);
    !fine && Close::may_be_sent(close.code, draft)
}

/// Whether a connection ended as its ends wished: we were done, or the server
/// was and did not complain.
fn as_it_should(closed: &Closed) -> bool {
    match closed.why {
        Why::Requested => true,
        Why::PeerClosed => matches!(
            closed.code,
            None | Some(Close::NORMAL | Close::GOING_AWAY | Close::NO_STATUS)
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use draftgate_conn::{By, Stats};

    use super::*;

    #[test]
    fn only_an_end_without_complaint_is_a_success() {
        for (why, code, good) in [
            (Why::Requested, Some(1000), true),
            (Why::PeerClosed, None, true),
            (Why::PeerClosed, Some(1000), true),
            (Why::PeerClosed, Some(1001), true),
            (Why::PeerClosed, Some(1011), false),
            (Why::PeerClosed, Some(4000), false),
            (Why::PeerGone, Some(1006), false),
            (Why::CloseTimeout, Some(1000), false),
            (Why::Aborted, None, false),
        ] {
            let closed = Closed {
                draft: Draft::Hybi13,
                by: By::Peer,
                code,
                reason: "".into(),
                why,
                opened: true,
                stats: Stats::default(),
                unread: bytes::Bytes::new(),
            };
            assert_eq!(as_it_should(&closed), good, "{closed}");
        }
    }
}
