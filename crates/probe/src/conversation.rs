//! What is tried once a connection is open: a ping, a message if one was given,
//! and the closing handshake. Nothing else is ever sent: the server may be a
//! machine that acts on what it is told.
//!
//! The codec is driven here and not by the usual driver, because what counts is
//! when which answer came, and whether one came at all.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use draftgate_client::Stream;
use draftgate_core::{Close, Closing, Codec, Event, Message, Outbox, Outgoing, Rule, SendError};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::{Instant, timeout_at},
};

use crate::attempt::Opened;

/// The body of our ping.
const PING: &[u8] = b"draftgate";

/// As many of the server's messages are kept, and as much of each.
const KEPT: usize = 4;
const SHOWN: usize = 120;

/// What became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Conversation {
    /// After how long the pong came; `None` without one.
    pub pong: Option<Duration>,
    /// Whether a ping was sent.
    pub pinged: bool,
    /// After how long the first message came that followed ours; `None` without
    /// one.
    pub reply: Option<Duration>,
    /// The beginnings of the first messages of the server, in quotes.
    pub messages: Vec<String>,
    /// How many messages came.
    pub count: u64,
    /// How the server broke its draft.
    pub broken: Option<Rule>,
    /// Why our message could not be said.
    pub unsayable: Option<SendError>,
    /// How it was closed.
    pub closing: Ended,
}

/// How a connection was closed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ended {
    /// Whether the server closed first.
    pub by_peer: bool,
    /// After how long our Close was answered, by one where the draft has one,
    /// by the end of TCP where it has none; `None` if it was not.
    pub answered: Option<Duration>,
    /// The code that came; `None` without one.
    pub code: Option<u16>,
    /// After how long TCP ended; `None` if it did not.
    pub tcp: Option<Duration>,
}

/// Converses over `opened`: `text` is said if there is one. Each wait takes
/// `within` at most.
pub(crate) async fn converse(opened: Opened, text: Option<&str>, within: Duration) -> Conversation {
    let Opened {
        stream,
        connected,
        received,
    } = opened;
    let mut talk = Talk {
        stream,
        codec: connected.codec,
        input: received,
        out: Outbox::new(),
        seen: Conversation::default(),
        close: None,
        ended: false,
        pong: false,
    };
    talk.codec.start(&mut talk.out);
    talk.take();
    if talk.codec.capabilities().ping {
        talk.ping(within).await;
    }
    if let Some(text) = text {
        talk.say(text, within).await;
    }
    talk.close(within).await;
    talk.seen
}

struct Talk {
    stream: Stream,
    codec: Box<dyn Codec>,
    input: BytesMut,
    out: Outbox,
    seen: Conversation,
    /// The server's Close.
    close: Option<Option<Close>>,
    /// TCP has ended.
    ended: bool,
    /// A pong to our ping has come.
    pong: bool,
}

impl Talk {
    async fn ping(&mut self, within: Duration) {
        let ping = Outgoing::Ping(Bytes::from_static(PING));
        if self.over() || self.codec.send(ping, &mut self.out).is_err() {
            return;
        }
        self.seen.pinged = true;
        let begun = Instant::now();
        if self.until(begun + within, |talk| talk.pong).await {
            self.seen.pong = Some(begun.elapsed());
        }
    }

    async fn say(&mut self, text: &str, within: Duration) {
        if self.over() {
            return;
        }
        let message = Outgoing::Message(Message::from(text));
        if let Err(error) = self.codec.send(message, &mut self.out) {
            self.seen.unsayable = Some(error);
            return;
        }
        let before = self.seen.count;
        let begun = Instant::now();
        if self
            .until(begun + within, |talk| talk.seen.count > before)
            .await
        {
            self.seen.reply = Some(begun.elapsed());
        }
    }

    /// The closing handshake, and the end of TCP.
    async fn close(&mut self, within: Duration) {
        let closing = self.codec.capabilities().closing;
        self.seen.closing.by_peer = self.over();
        if self.ended || self.seen.broken.is_some() {
            return self.note_code();
        }
        let half = self.stream.half_close();
        let begun = Instant::now();
        if closing == Closing::Absent {
            let _ = timeout_at(begun + within, self.flush()).await;
            half.end();
            if self.until(begun + within, |talk| talk.ended).await {
                let after = Some(begun.elapsed());
                (self.seen.closing.answered, self.seen.closing.tcp) = (after, after);
            }
            return;
        }
        let close = (closing == Closing::Coded).then(|| Close::new(Close::NORMAL, ""));
        let _ = self.codec.send(Outgoing::Close(close), &mut self.out);
        if self
            .until(begun + within, |talk| talk.close.is_some())
            .await
        {
            self.seen.closing.answered = Some(begun.elapsed());
        }
        self.note_code();
        // A server ends TCP first (RFC 6455 §7.1.1).
        if self.until(begun + within, |talk| talk.ended).await {
            self.seen.closing.tcp = Some(begun.elapsed());
        }
    }

    fn note_code(&mut self) {
        self.seen.closing.code = self.close.as_ref().and_then(|c| Some(c.as_ref()?.code));
    }

    /// Whether nothing more may be said.
    fn over(&self) -> bool {
        self.ended || self.close.is_some() || self.seen.broken.is_some()
    }

    /// Reads until `done` holds, which is what it says, or until nothing more
    /// can come, or for so long.
    async fn until(&mut self, until: Instant, done: impl Fn(&Self) -> bool) -> bool {
        if timeout_at(until, self.flush()).await.is_err() {
            return false;
        }
        let mut chunk = [0; 4 << 10];
        while !done(self) {
            if self.ended || self.seen.broken.is_some() {
                return false;
            }
            match timeout_at(until, self.stream.read(&mut chunk)).await {
                Err(_) => return false,
                Ok(Ok(count)) if count > 0 => self.input.extend_from_slice(&chunk[..count]),
                Ok(_) => self.ended = true,
            }
            self.take();
            if timeout_at(until, self.flush()).await.is_err() {
                return done(self);
            }
        }
        true
    }

    /// What has come.
    fn take(&mut self) {
        loop {
            match self.codec.receive(&mut self.input, &mut self.out) {
                Ok(Some(event)) => self.note(event),
                Ok(None) => return,
                Err(violation) => {
                    self.codec.fail(&violation, &mut self.out);
                    self.seen.broken = Some(violation.rule);
                    return;
                }
            }
        }
    }

    fn note(&mut self, event: Event) {
        match event {
            Event::Message(message) => {
                self.seen.count += 1;
                if self.seen.messages.len() < KEPT {
                    self.seen.messages.push(shown(&message));
                }
            }
            Event::Pong(body) if body == PING => self.pong = true,
            Event::Close(close) => self.close = Some(close),
            _ => {}
        }
    }

    async fn flush(&mut self) {
        let octets = self.out.take_all();
        // An error is seen when reading.
        if !octets.is_empty() && self.stream.write_all(&octets).await.is_ok() {
            let _ = self.stream.flush().await;
        }
    }
}

/// The beginning of a message: text in quotes and escaped, binary in hexadecimal.
fn shown(message: &Message) -> String {
    let more = |whole: usize| if whole > SHOWN { "…" } else { "" };
    match message {
        Message::Text(text) => {
            let text = text.as_str();
            let begun: String = text.chars().take(SHOWN).collect();
            format!("{begun:?}{}", more(text.chars().count()))
        }
        Message::Binary(octets) => {
            let begun = &octets[..octets.len().min(SHOWN)];
            let hex: Vec<String> = begun.iter().map(|o| format!("{o:02x}")).collect();
            format!("binary {}{}", hex.join(" "), more(octets.len()))
        }
    }
}
