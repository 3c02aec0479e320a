//! What a draft cannot say, as a typed error and never as a guess.

use crate::Draft;

/// Why a codec did not send what it was asked to send. The fault is ours, not
/// the peer's, and the connection is unharmed: `translate` says what to do instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The status code must not stand in a Close frame (1005, 1006, 1015 …).
    #[error("status code {0} must not be sent in a Close frame")]
    CloseCode(u16),
    /// A Close was sent before, or the connection is over.
    #[error("the connection is closing")]
    Closing,
    /// The body of a control frame, or a Close reason, is over its 125 octets.
    #[error("a control frame holds at most 125 octets, this one has {0}")]
    ControlTooLong(usize),
    /// Where longer messages are not sent by configuration, of so many octets.
    #[error("a message of {0} octets is longer than what this connection is kept to")]
    MessageTooLong(usize),
    /// The draft has no binary messages.
    #[error("{0} has no binary messages")]
    NoBinary(Draft),
    /// The draft's close carries no status code.
    #[error("a close in {0} carries no status code")]
    NoCloseCode(Draft),
    /// The draft has no frame that every peer discards in silence.
    #[error("{0} has no frame that its peers discard in silence")]
    NoFiller(Draft),
    /// The draft has no ping and no pong.
    #[error("{0} has no ping")]
    NoPing(Draft),
    /// The opening handshake is not done.
    #[error("the connection is not open yet")]
    Opening,
}
