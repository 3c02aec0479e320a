//! A codec driven over octets that are already there, as a driver would drive
//! it over a socket. No time passes and nothing is sent.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Close, Codec, Event, Notice, Outbox, Violation};

/// A codec, and what it has made of its peer's octets so far.
#[derive(Debug)]
pub(crate) struct Hearing {
    pub(crate) codec: Box<dyn Codec>,
    input: BytesMut,
    out: Outbox,
    /// What came, without the notices about octets behind a Close, which
    /// depend on the cut.
    pub(crate) events: Vec<Event>,
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
                Ok(Some(event)) => self.events.push(event),
                Err(violation) => {
                    self.codec.fail(&violation, &mut self.out);
                    self.violation = Some(violation);
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
