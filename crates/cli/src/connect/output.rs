//! What the server says, printed as it comes. Nothing is printed ahead: a slow
//! reader of our output holds back the server.

use std::{
    collections::VecDeque,
    io,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use draftgate_conn::{Handler, Peer};
use draftgate_core::{Close, Message};
use draftgate_wire::dissect::quoted;
use tokio::{sync::Notify, time::Instant};

use super::{form::Form, screen::Screen};

/// How messages are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Print {
    /// As lines.
    Lines(Form),
    /// Octet for octet.
    Octets,
}

/// The pings that somebody asked for and whose pongs are still to come.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pings(Arc<Mutex<VecDeque<(Bytes, Instant)>>>);

/// The most that are waited for: a server need not answer.
const PINGS: usize = 64;

impl Pings {
    /// A ping with `body` is sent.
    pub(crate) fn sent(&self, body: Bytes) {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.len() == PINGS {
            waiting.pop_front();
        }
        waiting.push_back((body, Instant::now()));
    }

    /// A pong with `body` came: when its ping was sent, and no ping before
    /// that is waited for any longer (RFC 6455 §5.5.3).
    fn answered(&self, body: &Bytes) -> Option<Instant> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let at = waiting.iter().position(|(sent, _)| sent == body)?;
        waiting.drain(..=at).next_back().map(|(_, sent)| sent)
    }
}

/// Prints what comes.
pub(crate) struct Printer {
    pub(crate) screen: Screen,
    pub(crate) print: Print,
    pub(crate) pings: Pings,
    /// Said when the connection opens.
    pub(crate) greetings: Vec<String>,
    /// How many messages are still wanted; `None` for as many as come.
    pub(crate) wanted: Option<u64>,
    /// Told when they have come.
    pub(crate) enough: Arc<Notify>,
    /// The server's Close, whether or not it answers ours.
    pub(crate) close: Option<Close>,
    /// Why standard output takes no more.
    pub(crate) broken: Option<io::Error>,
}

impl Handler for Printer {
    fn opened(&mut self, _: &mut Peer<'_>) {
        for greeting in self.greetings.drain(..) {
            self.screen.say(greeting);
        }
    }

    fn closing(&mut self, close: Option<&Close>, _: &mut Peer<'_>) {
        self.close = close.cloned();
    }

    fn pong(&mut self, body: Bytes, _: &mut Peer<'_>) {
        let Some(sent) = self.pings.answered(&body) else {
            return;
        };
        let with = match body.is_empty() {
            true => String::new(),
            false => format!(" {}", quoted(&body)),
        };
        let after = sent.elapsed();
        self.screen
            .say(format_args!("pong{with} after {after:.1?}"));
    }

    /// Blocks while the reader of standard output does not read, on purpose:
    /// this program has one connection, and it should wait.
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        if self.broken.is_some() || self.wanted == Some(0) {
            return;
        }
        let printed = match self.print {
            Print::Lines(form) => self.screen.line(form, &message),
            Print::Octets => self.screen.octets(&message),
        };
        if let Err(error) = printed {
            self.broken = Some(error);
            peer.close(Some(Close::new(Close::NORMAL, "")));
            return;
        }
        if let Some(wanted) = &mut self.wanted {
            *wanted -= 1;
            if *wanted == 0 {
                self.enough.notify_one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pong_answers_its_ping_and_those_before() {
        let pings = Pings::default();
        for body in ["a", "b", "c"] {
            pings.sent(body.into());
        }
        assert!(pings.answered(&"x".into()).is_none());
        assert!(pings.answered(&"b".into()).is_some());
        assert!(pings.answered(&"a".into()).is_none());
        assert!(pings.answered(&"c".into()).is_some());
    }
}
