//! An open connection between standard input and output, to its end.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use draftgate_client::{Connection, HalfClose};
use draftgate_conn::{By, Closed, Conn, Sender, Settings, Why};
use draftgate_core::{Close, Closing, Draft};
use tokio::{io::BufReader, time::timeout};

use crate::{
    exit::{Failure, quiet_pipe, say},
    signals::Signals,
};

use super::lines::{self, LineError, Printer};

/// How long the server may take to end its side once we have ended ours.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// What the opening brought.
#[derive(Debug)]
pub(crate) struct Session {
    /// Where to, without a password.
    pub(crate) url: String,
    /// Whether to say when the connection opens and how it ends.
    pub(crate) verbose: bool,
    pub(crate) connection: Connection,
}

impl Session {
    /// Sends lines and prints messages until either end closes.
    ///
    /// # Errors
    /// It did not end as it should.
    pub(crate) async fn run(self, mut signals: Signals) -> Result<(), Failure> {
        let verbose = self.verbose || io::stderr().is_terminal();
        let greeting = verbose.then(|| self.greeting());
        let draft = self.connection.draft();
        let closing = self.connection.codec.capabilities().closing;
        let (mut stream, start) = self.connection.start();
        let our_half = stream.half_close();
        let settings = Settings {
            close_timeout: CLOSE_TIMEOUT,
            marker_timeout: CLOSE_TIMEOUT,
            ..Settings::client()
        };
        let room = settings.queue;
        let conn = Conn::new(stream, start, settings);
        let sender = conn.sender();
        let running = tokio::spawn(async move {
            let mut printer = Printer::new(greeting);
            let closed = conn.run(&mut printer).await;
            (closed, printer)
        });

        let input = BufReader::new(tokio::io::stdin());
        let (lines, theirs) = tokio::select! {
            () = sender.ended() => (Ok(()), true),
            lines = lines::send(input, &sender, room) => {
                let theirs = matches!(lines, Err(LineError::Refused(_)));
                (lines, theirs)
            }
            _ = signals.next() => (Ok(()), false),
        };
        let ending = async {
            // The server's close is the driver's to answer.
            let our_fin = !theirs && close(&sender, closing, &our_half).await?;
            sender.ended().await;
            Ok(our_fin)
        };
        let ended = tokio::select! {
            ended = ending => ended,
            _ = signals.next() => Err(CutOff::Interrupted),
        };
        if ended.is_err() {
            sender.abort();
        }
        let broken = |error| Failure::new(format_args!("the connection's task broke: {error}"));
        let (mut closed, printer) = running.await.map_err(broken)?;
        if closed.why == Why::PeerClosed && matches!(ended, Ok(true)) {
            // The driver saw the server's FIN alone, which answered ours.
            (closed.by, closed.why) = (By::Us, Why::Requested);
        }
        Outcome {
            closed,
            theirs,
            ended: ended.map(drop),
            lines,
            output: printer.broken,
            complaint: printer.close.filter(|close| complains(close, draft)),
        }
        .judge(verbose)
    }

    fn greeting(&self) -> String {
        let draft = self.connection.draft().with_alias();
        let subprotocol = match &self.connection.subprotocol {
            Some(name) => format!(", subprotocol {name}"),
            None => String::new(),
        };
        format!("connected to {} in {draft}{subprotocol}", self.url)
    }
}

/// Closes as the draft closes, behind everything that is queued. Says whether
/// that was our FIN, of which the driver does not know.
///
/// # Errors
/// The server does not end the connection, where the driver does not see to that.
async fn close(sender: &Sender, closing: Closing, our_half: &HalfClose) -> Result<bool, CutOff> {
    if closing != Closing::Absent {
        let normal = || Close::new(Close::NORMAL, "");
        sender.close((closing == Closing::Coded).then(normal));
        return Ok(false);
    }
    // hixie-75 closes by TCP alone, and what the server still has to say to
    // the last lines comes after our FIN: the driver must not know of it, for
    // it reads nothing more from a connection that it closed.
    if sender.drained().await.is_err() {
        return Ok(false);
    }
    our_half.end();
    let ended = timeout(CLOSE_TIMEOUT, sender.ended()).await;
    ended.map(|()| true).map_err(|_| CutOff::TimedOut)
}

/// Why a connection was not closed in order.
#[derive(Debug, thiserror::Error)]
enum CutOff {
    #[error("interrupted: the connection was cut")]
    Interrupted,
    #[error("the server did not end the connection within {CLOSE_TIMEOUT:?} of our end")]
    TimedOut,
}

/// Everything that ended.
#[derive(Debug)]
struct Outcome {
    closed: Closed,
    /// The server ended it, or what lies between.
    theirs: bool,
    ended: Result<(), CutOff>,
    lines: Result<(), LineError>,
    output: Option<io::Error>,
    /// The server's Close, if it says that something was wrong.
    complaint: Option<Close>,
}

impl Outcome {
    fn judge(self, verbose: bool) -> Result<(), Failure> {
        let Self {
            closed,
            theirs,
            ended,
            lines,
            output,
            complaint,
        } = self;
        if let Some(error) = output {
            return quiet_pipe(Err(error));
        }
        match lines {
            Ok(()) | Err(LineError::Refused(_)) => {}
            Err(error) => return Err(Failure::new(error)),
        }
        ended.map_err(Failure::new)?;
        if !as_it_should(&closed) {
            return Err(Failure::new(closed));
        }
        if let Some(Close { code, reason }) = complaint {
            let reason = match reason.as_str() {
                "" => String::new(),
                reason => format!(" ({reason})"),
            };
            return Err(Failure::new(format_args!(
                "the server closed with code {code}{reason} while we closed: what was sent last may not have been taken"
            )));
        }
        if verbose || theirs {
            say(closed);
        }
        Ok(())
    }
}

/// Whether a Close of the server says that something was wrong. One that
/// crossed ours on its way is taken for the answer to it, which repeats our code
/// or has none; a code that nobody may send is no complaint but carelessness.
fn complains(close: &Close, draft: Draft) -> bool {
    let fine = [Close::NORMAL, Close::GOING_AWAY].contains(&close.code);
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
    use draftgate_conn::Stats;

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
