//! An open connection between standard input and output, to its end.

use std::{
    io::{self, IsTerminal},
    sync::Arc,
};

use draftgate_client::{Connection, HalfClose};
use draftgate_conn::{By, Conn, Sender, Why};
use draftgate_core::{Close, Closing, Role};
use tokio::{io::BufReader, sync::Notify, time::timeout};

use super::{
    Deadline,
    chunks::Chunks,
    editor::Editor,
    flags::Connect,
    frames::{Frames, Tapped},
    input::{Ended, Feeder, InputError, Source, Unsaid},
    outcome::{CutOff, Outcome, Stop},
    output::{Pings, Printer},
    plan::{CLOSE_TIMEOUT, Plan, cannot_close},
    screen::Screen,
};
use crate::{exit::Failure, signals::Signals};

/// What the opening brought, and what is to be done with it.
pub(crate) struct Session<'a> {
    pub(crate) args: &'a Connect,
    pub(crate) plan: Plan,
    pub(crate) deadline: Deadline,
    /// Where to, without a password.
    pub(crate) url: String,
    pub(crate) connection: Connection,
}

impl Session<'_> {
    /// Sends what is given and prints messages, until an end comes.
    ///
    /// # Errors
    /// It did not end as it should.
    pub(crate) async fn run(self, mut signals: Signals) -> Result<(), Failure> {
        let verbose = self.args.show.verbose || io::stderr().is_terminal();
        let greeting = self.greeting();
        let draft = self.connection.draft();
        let closing = self.connection.codec.capabilities().closing;
        let (terminal, mut source) = self.source();
        let screen = match &terminal {
            Some(editor) => editor.screen.clone(),
            None => Screen::pipes(),
        };

        let mut greetings = Vec::new();
        if verbose {
            greetings.push(greeting);
        }
        if terminal.is_some() {
            greetings.push("/help lists what may be typed besides messages".to_owned());
        }
        let mut frames = None;
        if self.args.show.show_frames {
            frames = Frames::new(draft, screen.clone(), self.args.show.show_handshake);
        }
        let (mut stream, start) = self.connection.start();
        let our_half = stream.half_close();
        if let Some(frames) = &mut frames {
            frames.said(Role::Server, &start.received);
        }
        let settings = self.plan.settings();
        let (room, pings, unsaid) = (settings.queue, Pings::default(), Unsaid::default());
        let conn = Conn::new(Tapped::new(stream, frames), start, settings);
        let sender = conn.sender();
        let enough = Arc::new(Notify::new());
        let mut printer = Printer {
            screen: screen.clone(),
            print: self.plan.print,
            pings: pings.clone(),
            greetings,
            wanted: self.args.end.count,
            enough: Arc::clone(&enough),
            close: None,
            broken: None,
        };
        let running = tokio::spawn(async move {
            let closed = conn.run(&mut printer).await;
            (closed, printer)
        });

        let feeder = Feeder {
            sender: sender.clone(),
            room,
            form: self.plan.form,
            slash: self.args.messages.slash || terminal.is_some(),
            screen: screen.clone(),
            pings,
            unsaid: unsaid.clone(),
        };
        let feeding = async {
            let ended = feeder.run(&mut source).await?;
            if ended == Ended::Out {
                tokio::select! {
                    () = self.plan.stay.over() => {}
                    () = source.interrupted() => {}
                }
            }
            Ok(ended)
        };
        let stop = tokio::select! {
            () = sender.ended() => Stop::Theirs,
            () = enough.notified() => Stop::Enough,
            () = self.deadline.passed() => Stop::TimedOut(self.deadline),
            fed = feeding => match fed {
                Ok(Ended::Out) => Stop::Input(None),
                Ok(Ended::Close(close)) => Stop::Input(close),
                Err(InputError::Refused(_)) => Stop::Theirs,
                Err(error) => Stop::Mistake(error),
            },
            _ = signals.next() => Stop::Input(None),
        };
        let words = match &stop {
            Stop::Input(Some(close)) => close,
            _ => &self.plan.close,
        };
        if let Stop::Input(Some(close)) = &stop
            && let Some(lack) = cannot_close(close, draft)
        {
            screen.say(format_args!("{lack}: it is closed as the draft can"));
        }
        let ending = async {
            // The server's close is the driver's to answer.
            let ours = !matches!(stop, Stop::Theirs);
            let our_fin = ours && close(&sender, closing, words, &our_half).await?;
            sender.ended().await;
            Ok(our_fin)
        };
        let ended = tokio::select! {
            ended = ending => ended,
            _ = signals.next() => Err(CutOff::Interrupted),
            () = source.interrupted() => Err(CutOff::Interrupted),
        };
        if ended.is_err() {
            sender.abort();
        }
        let done = running.await;
        let edited = terminal.is_some();
        if let (Some(editor), Source::Typed(typed)) = (terminal, source) {
            editor.stop(typed);
        }
        let broken = |error| Failure::new(format_args!("the connection's task broke: {error}"));
        let (mut closed, printer) = done.map_err(broken)?;
        if closed.why == Why::PeerClosed && matches!(ended, Ok(true)) {
            // The driver saw the server's FIN alone, which answered ours.
            (closed.by, closed.why) = (By::Us, Why::Requested);
        }
        Outcome {
            closed,
            draft,
            stop,
            ended: ended.map(drop),
            output: printer.broken,
            answer: printer.close,
            count: self.args.end.count,
            wanted: printer.wanted,
            unsaid: if edited { 0 } else { unsaid.count() },
        }
        .judge(verbose)
    }

    /// Where messages come from, and the terminal on which they are typed.
    fn source(&self) -> (Option<Editor>, Source) {
        let messages = &self.args.messages;
        if !messages.execute.is_empty() {
            return (None, Source::Given(messages.execute.clone().into_iter()));
        }
        let input = tokio::io::stdin;
        if messages.raw {
            let pieces = Chunks::new(input(), messages.chunk, messages.text);
            return (None, Source::Pieces(pieces));
        }
        match Editor::start() {
            Some((editor, typed)) => (Some(editor), Source::Typed(typed)),
            None => (None, Source::Lines(BufReader::new(input()))),
        }
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

/// Closes as the draft closes, behind everything that is queued, and with
/// `words` where it has any. Says whether that was our FIN, of which the driver
/// does not know.
///
/// # Errors
/// The server does not end the connection, where the driver does not see to that.
async fn close(
    sender: &Sender,
    closing: Closing,
    words: &Close,
    our_half: &HalfClose,
) -> Result<bool, CutOff> {
    if closing != Closing::Absent {
        sender.close((closing == Closing::Coded).then(|| words.clone()));
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
