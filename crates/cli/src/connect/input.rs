//! What is sent: lines, pieces or given messages become messages, and commands
//! what they say. No more is read than the connection can take: a slow server
//! holds back whoever writes to us.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    vec,
};

use bytes::Bytes;
use draftgate_conn::{Fate, Loss, Queued, Receipt, Refused, Sender};
use draftgate_core::{Close, Outgoing};
use tokio::{
    io::{AsyncBufReadExt, BufReader, Stdin},
    sync::mpsc::Receiver,
};

use super::{
    chunks::Chunks,
    command::{self, Command, NotACommand},
    editor::Typed,
    form::Form,
    output::Pings,
    plan::Stay,
    screen::Screen,
};

/// Where messages come from.
pub(crate) enum Source {
    /// From the command line.
    Given(vec::IntoIter<String>),
    /// From standard input. A line ends with a line feed, which is not sent;
    /// the last one may lack it.
    Lines(BufReader<Stdin>),
    /// From standard input as it is.
    Pieces(Chunks<Stdin>),
    /// From a terminal on which lines are edited.
    Typed(Receiver<Typed>),
}

/// What came.
enum Came {
    Line(Bytes),
    End,
    Interrupt,
}

impl Source {
    async fn next(&mut self) -> io::Result<Came> {
        let line = match self {
            Self::Given(messages) => messages.next().map(Bytes::from),
            Self::Pieces(pieces) => pieces.next().await?,
            Self::Lines(input) => {
                let mut octets = Vec::new();
                let count = input.read_until(b'\n', &mut octets).await?;
                if octets.last() == Some(&b'\n') {
                    octets.pop();
                }
                (count > 0).then(|| octets.into())
            }
            Self::Typed(typed) => match typed.recv().await {
                Some(Typed::Line(line)) => Some(line.into()),
                Some(Typed::Interrupt) => return Ok(Came::Interrupt),
                Some(Typed::End) | None => None,
            },
        };
        Ok(line.map_or(Came::End, Came::Line))
    }

    /// Waits until somebody presses Ctrl-C on the line that is edited, which is
    /// no signal there.
    pub(crate) async fn interrupted(&mut self) {
        if let Self::Typed(typed) = self {
            while let Some(typed) = typed.recv().await {
                if typed == Typed::Interrupt {
                    return;
                }
            }
        }
        std::future::pending::<()>().await;
    }
}

/// Why reading came to an end before the input's.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("{place} {error}")]
    Line { place: String, error: NotACommand },
    #[error("cannot read standard input: {0}")]
    Read(#[from] io::Error),
    /// The connection takes nothing more; it says itself why.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// How input ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// There is no more of it.
    Out,
    /// It asks to close, and with what, if it says so.
    Close(Option<Close>),
}

/// Sends what comes from a source.
pub(crate) struct Feeder {
    pub(crate) sender: Sender,
    /// How much the send queue holds.
    pub(crate) room: usize,
    pub(crate) form: Form,
    /// Whether lines may be commands.
    pub(crate) slash: bool,
    pub(crate) screen: Screen,
    pub(crate) pings: Pings,
    /// What the draft could not say.
    pub(crate) unsaid: Unsaid,
}

impl Feeder {
    /// Sends what `source` gives, until its end, and stays behind it.
    ///
    /// # Errors
    /// Something cannot be sent, or not read.
    pub(crate) async fn run(&self, source: &mut Source, stay: Stay) -> Result<Ended, InputError> {
        let ended = self.feed(source).await?;
        if ended == Ended::Out {
            tokio::select! {
                () = stay.over() => {}
                () = source.interrupted() => {}
            }
        }
        Ok(ended)
    }

    async fn feed(&self, source: &mut Source) -> Result<Ended, InputError> {
        for number in 1_u64.. {
            self.sender.ready().await?;
            let line = match source.next().await? {
                Came::Line(line) => line,
                Came::End => break,
                Came::Interrupt => return Ok(Ended::Close(None)),
            };
            let said = match self.slash {
                true => command::command(line, self.form),
                false => match self.form.message(line) {
                    Ok(message) => Ok(Command::Say(Outgoing::Message(message))),
                    Err(error) => Err(error.into()),
                },
            };
            match (said, &source) {
                (Ok(Command::Say(what)), _) => self.say(what).await?,
                (Ok(Command::Close(close)), _) => return Ok(Ended::Close(close)),
                (Ok(Command::Help), _) => self.screen.show(&format!("{}\n", command::HELP)),
                (Err(error), Source::Typed(_)) => {
                    self.screen.say(format_args!("not sent: this line {error}"));
                }
                (Err(error), source) => {
                    let place = match source {
                        Source::Given(_) => format!("message {number}"),
                        Source::Pieces(_) => format!("piece {number} of standard input"),
                        _ => format!("line {number} of standard input"),
                    };
                    return Err(InputError::Line { place, error });
                }
            }
        }
        Ok(Ended::Out)
    }

    async fn say(&self, what: Outgoing) -> Result<(), Refused> {
        let size = match &what {
            Outgoing::Message(message) => message.len(),
            _ => 0,
        };
        // The half that is free now is no room for a message longer than that,
        // and a queue that overflows ends the connection.
        if size >= self.room / 4 {
            self.sender.drained().await?;
        }
        if let Outgoing::Ping(body) = &what {
            self.pings.sent(body.clone());
        }
        let receipt = Arc::new(Told {
            screen: self.screen.clone(),
            unsaid: self.unsaid.clone(),
        });
        self.sender.send(Queued::new(what).with_receipt(receipt))
    }
}

/// How much a draft could not say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Unsaid(Arc<AtomicU64>);

impl Unsaid {
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

/// Says that something could not be said.
struct Told {
    screen: Screen,
    unsaid: Unsaid,
}

impl Receipt for Told {
    fn settled(&self, fate: Fate) {
        if let Fate::Lost(Loss::Unsayable(error)) = fate {
            self.unsaid.0.fetch_add(1, Relaxed);
            self.screen.say(format_args!("not sent: {error}"));
        }
    }
}
