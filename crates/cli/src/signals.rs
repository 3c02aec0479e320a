//! The signals of the process. Once listened to they kill nothing by
//! themselves, HUP included: whoever listens must act on each of them.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// SIGTERM: a service manager asks to end.
    Terminate,
    /// SIGINT: a person does, by Ctrl-C.
    Interrupt,
    /// SIGHUP: read the configuration again, or the terminal is gone.
    HangUp,
    /// SIGUSR2: start another process in this one's place.
    Succession,
}

/// Waits for signals.
#[derive(Debug)]
pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
    succession: Option<Signal>,
}

impl Signals {
    /// Listens to TERM, INT, HUP and USR2, as a service does. Must be called in a
    /// tokio runtime.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn of_a_service() -> io::Result<Self> {
        Ok(Self {
            hang_up: Some(signal(SignalKind::hangup())?),
            succession: Some(signal(SignalKind::user_defined2())?),
            ..Self::of_a_client()?
        })
    }

    /// Listens to TERM and INT; a client dies with its terminal.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn of_a_client() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: None,
            succession: None,
        })
    }

    /// The next one. Nothing is lost if it is dropped half-way.
    pub(crate) async fn next(&mut self) -> Came {
        tokio::select! {
            _ = self.terminate.recv() => Came::Terminate,
            _ = self.interrupt.recv() => Came::Interrupt,
            () = heard(&mut self.hang_up) => Came::HangUp,
            () = heard(&mut self.succession) => Came::Succession,
        }
    }
}

/// Waits for a signal, if it is listened to.
async fn heard(signal: &mut Option<Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => std::future::pending().await,
    }
}
