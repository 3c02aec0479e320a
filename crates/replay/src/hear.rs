//! A codec driven over octets that are already there, as a driver would drive
//! it over a socket. No time passes and nothing is sent.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Close, Codec, Event, Notice, Outbox, Violation};

/// What was heard, counted: events may be tens of thousands, and what was heard
/// is asked for with each step.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// The connection was open.
    pub(crate) opened: bool,
    /// How many messages had come.
    pub(crate) messages: usize,
    /// How many frames had come that were discarded, each in the place of a message.
    pub(crate) discarded: usize,
    /// How many pongs had come.
    pub(crate) pongs: usize,
    /// How many pings had come before a Close.
    pub(crate) pings: usize,
    /// The body of the last one.
    pub(crate) last_ping: Option<Bytes>,
    /// A Close had come.
    pub(crate) closed: bool,
    /// A rule had been broken.
    pub(crate) broken: bool,
}

impl Heard {
    fn count(&mut self, event: &Event) {
        match event {
            Event::Opened => self.opened = true,
            Event::Message(_) => self.messages += 1,
            Event::Ping(body) if !self.closed => {
                self.pings += 1;
                self.last_ping = Some(body.clone());
            }
            Event::Ping(_) => {}
            Event::Close(_) => self.closed = true,
            event if is_pong(event) => self.pongs += 1,
            Event::Notice(Notice::Discarded { .. }) => self.discarded += 1,
            Event::Pong(_) | Event::Notice(_) => {}
        }
    }
}

/// Whether `event` is a pong, to a codec that knows of no ping.
pub(crate) fn is_pong(event: &Event) -> bool {
    matches!(
        event,
        Event::Pong(_) | Event::Notice(Notice::UnsolicitedPong)
    )
}

/// A codec, and what it has made of its peer's octets so far.
#[derive(Debug)]
pub(crate) struct Hearing {
    pub(crate) codec: Box<dyn Codec>,
    input: BytesMut,
    out: Outbox,
    /// What came, without the notices about octets behind a Close, which
    /// depend on the cut.
    pub(crate) events: Vec<Event>,
    /// The same, counted.
    pub(crate) heard: Heard,
    pub(crate) violation: Option<Violation>,
}

impl Hearing {
    /// Starts `codec`, which takes `octets` first.
    pub(crate) fn new(mut codec: Box<dyn Codec>, octets: &[u8]) -> Self {
        let mut out = Outbox::new();
        codec.start(&mut out);
        let mut hearing = Self {
            codec,
            input: BytesMut::new(),
            out,
            events: Vec::new(),
            heard: Heard::default(),
            violation: None,
        };
        hearing.hear(octets);
        hearing
    }

    /// Takes more octets. After a violation nothing is heard any more.
    pub(crate) fn hear(&mut self, octets: &[u8]) {
        if self.violation.is_some() {
            return;
        }
        self.input.extend_from_slice(octets);
        loop {
            match self.codec.receive(&mut self.input, &mut self.out) {
                Ok(None) => return,
                Ok(Some(Event::Notice(Notice::AfterClose { .. }))) => {}
                Ok(Some(event)) => {
                    self.heard.count(&event);
                    self.events.push(event);
                }
                Err(violation) => {
                    self.codec.fail(&violation, &mut self.out);
                    self.violation = Some(violation);
                    self.heard.broken = true;
                    return;
                }
            }
        }
    }

    /// What the codec wrote of its own accord since the last time.
    pub(crate) fn wrote(&mut self) -> Bytes {
        self.out.take_all()
    }

    /// Whether TCP ending here is a connection that broke off.
    pub(crate) fn breaks_off(&mut self) -> bool {
        let end = self.codec.end();
        end.is_some_and(|close| close.code == Close::ABNORMAL)
    }
}
