//! An open connection between standard input and output, to its end.

use std::{
    future::Future,
    io::{self, IsTerminal},
    sync::Arc,
};

use draftgate_client::{Connection, HalfClose};
use draftgate_conn::{By, Closed, Conn, Sender, Settings, Why};
use draftgate_core::{Close, Closing, Role};
use tokio::{
    io::BufReader,
    sync::Notify,
    task::{JoinError, JoinHandle},
    time::timeout,
};

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
        let draft = self.connection.draft();
        let (terminal, mut source) = self.source();
        let edited = terminal.is_some();
        let screen = match &terminal {
            Some(editor) => editor.screen.clone(),
            None => Screen::pipes(),
        };
        let (pings, unsaid) = (Pings::default(), Unsaid::default());
        let printer = Printer {
            screen: screen.clone(),
            print: self.plan.print,
            pings: pings.clone(),
            greetings: self.greetings(verbose, edited),
            wanted: self.args.end.count,
            enough: Arc::new(Notify::new()),
            close: None,
            broken: None,
        };
        let Self {
            args,
            plan,
            deadline,
            connection,
            ..
        } = self;
        let settings = plan.settings();
        let room = settings.queue;
        let frames = args.show.show_frames.then(|| {
            // What was shown of the opening is parted from them.
            Frames::new(&connection, screen.clone(), args.show.show_handshake)
        });
        let live = Live::start(connection, frames.flatten(), settings, printer);
        let feeder = Feeder {
            sender: live.sender.clone(),
            room,
            form: plan.form,
            slash: args.messages.slash || edited,
            screen: screen.clone(),
            pings,
            unsaid: unsaid.clone(),
        };
        let stop = tokio::select! {
            stop = live.stop(feeder.run(&mut source, plan.stay), deadline) => stop,
            _ = signals.next() => Stop::Input(None),
        };
        if let Stop::Input(Some(close)) = &stop
            && let Some(lack) = cannot_close(close, draft)
        {
            screen.say(format_args!("{lack}: it is closed as the draft can"));
        }
        let ended = tokio::select! {
            ended = live.close(&stop, &plan.close) => ended,
            _ = signals.next() => Err(CutOff::Interrupted),
            () = source.interrupted() => Err(CutOff::Interrupted),
        };
        let done = live.end(&ended).await;
        if let (Some(editor), Source::Typed(typed)) = (terminal, source) {
            editor.stop(typed);
        }
        let broken = |error| Failure::new(format_args!("the connection's task broke: {error}"));
        let (closed, printer) = done.map_err(broken)?;
        Outcome {
            closed,
            draft,
            stop,
            ended: ended.map(drop),
            output: printer.broken,
            answer: printer.close,
            count: args.end.count,
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

    /// What is said when the connection opens.
    fn greetings(&self, verbose: bool, edited: bool) -> Vec<String> {
        let draft = self.connection.draft().with_alias();
        let subprotocol = match &self.connection.subprotocol {
            Some(name) => format!(", subprotocol {name}"),
            None => String::new(),
        };
        let connected = format!("connected to {} in {draft}{subprotocol}", self.url);
        let help = "/help lists what may be typed besides messages".to_owned();
        let said = [verbose.then_some(connected), edited.then_some(help)];
        said.into_iter().flatten().collect()
    }
}

/// The connection while it is driven.
struct Live {
    sender: Sender,
    /// How it ended, and who printed.
    running: JoinHandle<(Closed, Printer)>,
    /// Told when all messages that were wanted have come.
    enough: Arc<Notify>,
    closing: Closing,
    our_half: HalfClose,
}

impl Live {
    fn start(
        connection: Connection,
        mut frames: Option<Frames>,
        settings: Settings,
        mut printer: Printer,
    ) -> Self {
        let closing = connection.codec.capabilities().closing;
        let (mut stream, start) = connection.start();
        if let Some(frames) = &mut frames {
            frames.said(Role::Server, &start.received);
        }
        let our_half = stream.half_close();
        let conn = Conn::new(Tapped::new(stream, frames), start, settings);
        Self {
            sender: conn.sender(),
            enough: Arc::clone(&printer.enough),
            running: tokio::spawn(async move {
                let closed = conn.run(&mut printer).await;
                (closed, printer)
            }),
            closing,
            our_half,
        }
    }

    /// Waits for whatever comes first of all that can end it.
    async fn stop(
        &self,
        feeding: impl Future<Output = Result<Ended, InputError>>,
        deadline: Deadline,
    ) -> Stop {
        tokio::select! {
            () = self.sender.ended() => Stop::Theirs,
            () = self.enough.notified() => Stop::Enough,
            () = deadline.passed() => Stop::TimedOut(deadline),
            fed = feeding => match fed {
                Ok(Ended::Out) => Stop::Input(None),
                Ok(Ended::Close(close)) => Stop::Input(close),
                Err(InputError::Refused(_)) => Stop::Theirs,
                Err(error) => Stop::Mistake(error),
            },
        }
    }

    /// Closes as the draft closes, behind everything that is queued, with what
    /// `stop` says or else `words`, where it has any; and waits for the end.
    /// Says whether we closed by our FIN, of which the driver does not know.
    ///
    /// # Errors
    /// The server does not end the connection, where the driver does not see to
    /// that.
    async fn close(&self, stop: &Stop, words: &Close) -> Result<bool, CutOff> {
        let words = match stop {
            Stop::Input(Some(close)) => close,
            _ => words,
        };
        match self.closing {
            // The server's close is the driver's to answer.
            _ if matches!(stop, Stop::Theirs) => {}
            // hixie-75 closes by TCP alone, and what the server still has to say
            // to the last lines comes after our FIN: the driver must not know of
            // it, for it reads nothing more from a connection that it closed.
            Closing::Absent if self.sender.drained().await.is_ok() => {
                self.our_half.end();
                let ended = timeout(CLOSE_TIMEOUT, self.sender.ended()).await;
                return ended.map(|()| true).map_err(|_| CutOff::TimedOut);
            }
            Closing::Absent => {}
            Closing::Coded => self.sender.close(Some(words.clone())),
            _ => self.sender.close(None),
        }
        self.sender.ended().await;
        Ok(false)
    }

    /// How it ended, and who printed; cut off unless it `ended` in order.
    ///
    /// # Errors
    /// The task of the connection panicked.
    async fn end(self, ended: &Result<bool, CutOff>) -> Result<(Closed, Printer), JoinError> {
        if ended.is_err() {
            self.sender.abort();
        }
        let (mut closed, printer) = self.running.await?;
        if closed.why == Why::PeerClosed && matches!(ended, Ok(true)) {
            // The driver saw the server's FIN alone, which answered ours.
            (closed.by, closed.why) = (By::Us, Why::Requested);
        }
        Ok((closed, printer))
    }
}
