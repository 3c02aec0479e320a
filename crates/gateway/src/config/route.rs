//! A route: which paths it takes, which drafts it speaks there, who may open a
//! connection, and what its service does.
//!
//! Everything a connection needs once its path is known stands here, resolved:
//! what a file said at its top has already been put in.

use std::{fmt, time::Duration};

use draftgate_conn::Overflow;
use draftgate_core::{Draft, Limits};

use draftgate_translate::BinaryPolicy;

use super::{
    Allowed, Auth, Compression, Hello, HttpDoor, Origins, PathPattern, Quirks, RateSaid, Upstream,
};

/// See [`Route::queue`].
pub(super) const QUEUE: usize = 1 << 20;

/// What is served under one path pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The paths it takes.
    pub path: PathPattern,
    /// What it does with messages.
    pub service: Service,
    /// The channel of a bus route whose path names none, so that devices with
    /// a fixed path can share a channel.
    pub channel: Option<String>,
    /// The drafts it speaks, oldest first; never empty.
    pub drafts: Vec<Draft>,
    /// Those of them that are under observation: served as the others, and
    /// each opening is noted.
    pub observe: Vec<Draft>,
    /// The origins it accepts.
    pub origins: Origins,
    /// The subprotocols it knows, the preferred one first. The answer names
    /// the first of them that the client asked for, or none.
    pub subprotocols: Vec<String>,
    /// How much one peer may send.
    pub limits: Limits,
    /// Octets that may wait for a slow peer. 1 MiB: seconds of an ordinary
    /// feed, and 10,000 stuck peers still fit a server's memory.
    pub queue: usize,
    /// What happens when [`queue`](Self::queue) is full (bus only).
    pub overflow: Overflow,
    /// Whether the sender of a message receives it too (bus only). Off: most
    /// clients show what they sent themselves.
    pub include_sender: bool,
    /// Who decides who may come in; `None`: whoever `origins` lets in may.
    pub auth: Option<Box<Auth>>,
    /// On which channels peers may publish, unless they were granted other
    /// rights (bus only).
    pub publish: Allowed,
    /// On which channels they may subscribe, likewise (bus and clock).
    pub subscribe: Allowed,
    /// How fast a peer may send, likewise.
    pub rate: RateSaid,
    /// What becomes of a binary message for a peer whose draft has none, where
    /// the subprotocol `base64` was not agreed. `drop`: closing a device
    /// because a modern peer sent binary would be an attack.
    pub binary: BinaryPolicy,
    /// Whether a length-delimited frame of a hixie draft (`80` to `FE`) is a
    /// binary message. Off: the drafts say that it is discarded.
    pub accept_length_frames: bool,
    /// How messages are compressed for clients that offer it; `None`: they are
    /// not. Off: it costs memory or time, and the length of a compressed message
    /// tells about what stands in it.
    pub compression: Option<Compression>,
    /// What is sent to a silent connection whose draft has no ping.
    pub heartbeat: Heartbeat,
    /// The silence before each heartbeat. 25 s, as for pings: load balancers
    /// cut connections that were silent for 30 s or 60 s.
    pub heartbeat_interval: Duration,
    /// Whether a hixie-75 opening may lack `Origin`. Off: without it any
    /// port scanner looks like a hixie-75 client.
    pub hixie_75_without_origin: bool,
    /// The servers behind a proxy route, or the source of a channel.
    pub upstream: Option<Box<Upstream>>,
    /// Whether `Sec-WebSocket-Version` 9 to 12 is taken for 8. Off: hybi-09 to
    /// -12 travelled as 8, and only a broken client says otherwise.
    pub version_aliases: bool,
    /// What is done for clients of hello-00 beyond the draft.
    pub hello: Hello,
    /// To whom which quirk is applied.
    pub quirks: Quirks,
    /// What is served over plain HTTP (bus and clock).
    pub http: HttpDoor,
    /// How often the time is told (clock only).
    pub interval: Duration,
}

impl Route {
    /// The defaults of a file's route: everything but path, service and
    /// drafts, which have none.
    pub fn new(path: PathPattern, service: Service, drafts: Vec<Draft>) -> Self {
        Self {
            path,
            service,
            channel: None,
            drafts,
            observe: Vec::new(),
            origins: Origins::default(),
            subprotocols: Vec::new(),
            limits: Limits::default(),
            queue: QUEUE,
            overflow: Overflow::default(),
            include_sender: false,
            auth: None,
            publish: Allowed::default(),
            subscribe: Allowed::default(),
            rate: RateSaid::UNLIMITED,
            binary: BinaryPolicy::default(),
            accept_length_frames: false,
            compression: None,
            heartbeat: Heartbeat::default(),
            heartbeat_interval: Duration::from_secs(25),
            hixie_75_without_origin: false,
            upstream: None,
            version_aliases: false,
            hello: Hello::default(),
            quirks: Quirks::default(),
            http: HttpDoor::default(),
            interval: Duration::from_secs(1),
        }
    }

    /// Whether the same service serves both: who may come in, and what he may do,
    /// is no service's affair.
    pub(crate) fn serves_as(&self, other: &Self) -> bool {
        let bare = |route: &Self| Self {
            auth: None,
            publish: Allowed::default(),
            subscribe: Allowed::default(),
            rate: RateSaid::default(),
            compression: None,
            hello: Hello::default(),
            quirks: Quirks::default(),
            ..route.clone()
        };
        self == other || bare(self) == bare(other)
    }

    /// Whether it speaks a draft.
    pub fn speaks(&self, draft: Draft) -> bool {
        self.drafts.contains(&draft)
    }
}

/// What a route does with messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Service {
    /// Hands them to the other peers of the channel.
    Bus,
    /// Says the time, and hears nothing.
    Clock,
    /// Hands them back.
    Echo,
    /// Relays them to and from an upstream.
    Proxy,
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Bus => "bus",
            Self::Clock => "clock",
            Self::Echo => "echo",
            Self::Proxy => "proxy",
        })
    }
}

/// What is sent to a silent connection whose draft has no ping.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum Heartbeat {
    /// Nothing.
    #[default]
    Off,
    /// `00 FF`, an empty text message.
    EmptyText,
    /// `80 00`, a frame of a type that hixie-75 tells clients to discard.
    UnknownFrame,
    /// A text message.
    Text(String),
}
