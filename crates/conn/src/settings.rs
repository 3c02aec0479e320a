//! What a connection starts with, and the policy it is driven by. Every number
//! has its reason beside it; all of them may be configured. What a peer may
//! send at most is no policy of the driver: codecs hold those limits.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Outgoing, Role};

/// What the opening left for the driver.
#[derive(Debug)]
pub struct Start {
    /// The protocol from here on.
    pub codec: Box<dyn Codec>,
    /// Our answer to the opening request, to go out before anything else. It
    /// may be kept back for a moment, see [`Settings::head_delay`].
    pub head: Option<Bytes>,
    /// Octets that were read behind the head of the peer: they come first.
    pub received: BytesMut,
}

impl Start {
    /// A start with `codec`, no head to send and nothing received yet.
    pub fn new(codec: Box<dyn Codec>) -> Self {
        Self {
            codec,
            head: None,
            received: BytesMut::new(),
        }
    }
}

/// What happens when the send queue of a peer is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Overflow {
    /// The connection ends, as a [`SlowConsumer`](crate::Why::SlowConsumer).
    #[default]
    Close,
    /// What was to be queued is dropped.
    DropNewest,
    /// As much as needed of what has waited longest is dropped.
    DropOldest,
    /// Nothing: it is taken all the same. For whoever asks
    /// [`Sender::poll_ready`](crate::Sender::poll_ready) before each message,
    /// so that the queue holds at most one more than it has room for.
    Wait,
}

/// What is said to a peer whose draft has no ping, so that nothing between us
/// takes the connection for dead.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// Said when nothing else was sent for so long.
    pub every: Duration,
    /// A message, or [`Outgoing::Filler`] where the draft has it.
    pub what: Outgoing,
}

/// The policy of one connection.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Which end we are. A server closes TCP when the closing handshake is
    /// done, a client waits for that (RFC 6455 §7.1.1).
    pub role: Role,
    /// The most octets the send queue may keep alive. A single message larger
    /// than this is still taken if the queue is empty.
    pub queue: usize,
    /// What happens when the queue is full.
    pub overflow: Overflow,
    /// How long our head may wait for the answer to the peer's challenge, so
    /// that both leave in one write.
    pub head_delay: Duration,
    /// How long the rest of the opening may take, from the start of the driver.
    pub opening_timeout: Duration,
    /// How often a peer is sent a ping, where its draft has ping.
    pub keep_alive: Option<Duration>,
    /// How long a peer may send nothing at all, where its draft has ping.
    pub idle_timeout: Option<Duration>,
    /// What is sent instead of pings, where the draft has none.
    pub heartbeat: Option<Heartbeat>,
    /// How far a peer may fall behind 1000 octets a second with a message, a
    /// ping or a close that it has begun; `None` for as far as it likes.
    pub message_timeout: Option<Duration>,
    /// How long the closing handshake, and after it the end of TCP, may take;
    /// longer while the peer still takes what it is sent, 1000 octets a second
    /// at least.
    pub close_timeout: Duration,
    /// The same where the draft closes by `FF 00`.
    pub marker_timeout: Duration,
    /// How far a peer may fall behind 1000 octets a second in taking what it is
    /// sent.
    pub write_timeout: Duration,
}

impl Settings {
    /// The defaults for the end that was connected to.
    pub fn server() -> Self {
        Self {
            role: Role::Server,
            // Seconds of a busy channel, and 10,000 slow peers stay below 10 GiB.
            queue: 1 << 20,
            overflow: Overflow::Close,
            // Embedded clients of hixie-76 expect head and challenge answer in
            // one recv; a person does not notice 50 ms.
            head_delay: Duration::from_millis(50),
            // key3 was sent together with the head, or a proxy holds it back.
            opening_timeout: Duration::from_secs(5),
            // Below the 30 s after which the shortest-lived NATs forget.
            keep_alive: Some(Duration::from_secs(25)),
            // Two lost pings and more; above the 50 s in which old clients ping.
            idle_timeout: Some(Duration::from_secs(120)),
            heartbeat: None,
            // Two hand-overs of a mobile network; what drips in takes longer.
            message_timeout: Some(Duration::from_secs(60)),
            // One lost segment and its retransmissions.
            close_timeout: Duration::from_secs(5),
            // Browsers of hixie-76 may never act on an FF 00 and wait for TCP to end.
            marker_timeout: Duration::from_secs(2),
            // Longer than a mobile network's hand-over, shorter than TCP's minutes.
            write_timeout: Duration::from_secs(30),
        }
    }

    /// The defaults for the end that connects: as [`server`](Self::server),
    /// with a ping every 50 s, for the server has its own, and all the time the
    /// server needs for a message: it was chosen, it did not come by itself.
    pub fn client() -> Self {
        Self {
            role: Role::Client,
            keep_alive: Some(Duration::from_secs(50)),
            message_timeout: None,
            ..Self::server()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::server()
    }
}
