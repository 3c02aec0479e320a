//! The signals of the process on Windows, under the names that `signals.rs` has for
//! those of Unix. Ctrl-C is an interrupt; Ctrl-Break, the closing of the console
//! window and the end of the session ask to end. There is no HUP: `serve`, which
//! reads its configuration anew on one, is for Linux.

use std::io;

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};

/// A signal that came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// The system, or a person by other means than Ctrl-C, asks to end.
    Terminate,
    /// A person asks to end, by Ctrl-C.
    Interrupt,
    /// Never comes here.
    #[allow(
        dead_code,
        reason = "only Unix has it, and whoever waits matches on it"
    )]
    HangUp,
    /// Never comes here.
    #[allow(
        dead_code,
        reason = "only Linux has it, and whoever waits matches on it"
    )]
    Succession,
}

/// Waits for signals.
#[derive(Debug)]
pub(crate) struct Signals {
    interrupt: CtrlC,
    pause: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// Listens to all of them. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn of_a_service() -> io::Result<Self> {
        Self::of_a_client()
    }

    /// Listens to all of them. Must be called in a tokio runtime.
    ///
    /// # Errors
    /// The system refuses.
    pub(crate) fn of_a_client() -> io::Result<Self> {
        Ok(Self {
            interrupt: ctrl_c()?,
            pause: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// The next one. Nothing is lost if it is dropped half-way.
    pub(crate) async fn next(&mut self) -> Came {
        tokio::select! {
            _ = self.interrupt.recv() => Came::Interrupt,
            _ = self.pause.recv() => Came::Terminate,
            _ = self.close.recv() => Came::Terminate,
            _ = self.shutdown.recv() => Came::Terminate,
        }
    }
}
