//! A draft that nobody wrote down: each frame is a letter, two octets of
//! length and a payload. It has every way in which drafts differ for a driver
//! as a field, so that no test depends on how a real draft frames.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{
    Capabilities, Close, Closing, Codec, Draft, Event, Message, Notice, Outbox, Outgoing, Rule,
    SendError, State, Text, Violation, WireClass,
};

#[derive(Debug)]
pub(crate) struct Fake {
    pub(crate) draft: Draft,
    pub(crate) closing: Closing,
    pub(crate) ping: bool,
    pub(crate) class: Option<WireClass>,
    /// The peer has to say `KEY3` before messages may flow; we answer `KEY!`.
    pub(crate) challenge: bool,
    /// A fragment came, and the last of its message did not.
    pub(crate) unfinished: bool,
    /// How many messages were encoded.
    pub(crate) encoded: Arc<AtomicUsize>,
    pub(crate) state: State,
}

/// Like RFC 6455.
pub(crate) fn coded() -> Fake {
    Fake {
        draft: Draft::Hybi13,
        closing: Closing::Coded,
        ping: true,
        class: Some(WireClass::Hybi07),
        challenge: false,
        unfinished: false,
        encoded: Arc::default(),
        state: State::Opening,
    }
}

/// Like hixie-76.
pub(crate) fn marker() -> Fake {
    Fake {
        draft: Draft::Hixie76,
        closing: Closing::Marker,
        ping: false,
        class: Some(WireClass::Sentinel),
        challenge: true,
        ..coded()
    }
}

/// Like hixie-75.
pub(crate) fn absent() -> Fake {
    Fake {
        draft: Draft::Hixie75,
        closing: Closing::Absent,
        challenge: false,
        ..marker()
    }
}

pub(crate) fn frame(kind: u8, payload: &[u8]) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut octets = vec![kind];
    octets.extend(length.to_be_bytes());
    octets.extend(payload);
    octets
}

pub(crate) fn text(text: &str) -> Vec<u8> {
    frame(b'T', text.as_bytes())
}

pub(crate) fn close(code: u16) -> Vec<u8> {
    frame(b'C', &code.to_be_bytes())
}

/// A fragment that is not the last; a text is what ends its message.
pub(crate) fn fragment(text: &str) -> Vec<u8> {
    frame(b'M', text.as_bytes())
}

/// A Close without a code.
pub(crate) const CLOSE: [u8; 3] = *b"C\0\0";
pub(crate) const PING: [u8; 3] = *b"P\0\0";
/// A breach of this draft.
pub(crate) const BREACH: [u8; 3] = *b"X\0\0";

impl Fake {
    pub(crate) fn boxed(self) -> Box<dyn Codec> {
        Box::new(self)
    }

    fn event(&mut self, kind: u8, payload: Bytes, out: &mut Outbox) -> Result<Event, Violation> {
        Ok(match kind {
            b'T' => Event::Message(Message::Text(Text::from_utf8(payload).unwrap())),
            b'B' => Event::Message(Message::Binary(payload)),
            b'P' => {
                out.put(&frame(b'O', &payload));
                Event::Ping(payload)
            }
            b'O' => Event::Pong(payload),
            b'N' => Event::Notice(Notice::UnsolicitedPong),
            b'C' => {
                self.state = match self.state {
                    State::ClosingByUs => State::Closed,
                    _ => State::ClosingByPeer,
                };
                let code = payload.first_chunk().map(|c| u16::from_be_bytes(*c));
                Event::Close(code.map(|code| Close::new(code, "")))
            }
            _ => return Err(Rule::UnknownOpcode.into()),
        })
    }
}

impl Codec for Fake {
    fn draft(&self) -> Draft {
        self.draft
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            binary: self.ping,
            ping: self.ping,
            fragments: self.ping,
            closing: self.closing,
        }
    }

    fn wire_class(&self) -> Option<WireClass> {
        self.class
    }

    fn state(&self) -> State {
        self.state
    }

    fn is_within_message(&self) -> bool {
        self.unfinished
    }

    fn start(&mut self, _: &mut Outbox) {}

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Outbox,
    ) -> Result<Option<Event>, Violation> {
        if self.state == State::Opening {
            if self.challenge {
                if input.len() < 4 {
                    return Ok(None);
                }
                assert_eq!(input.split_to(4), "KEY3");
                out.put(b"KEY!");
            }
            self.state = State::Open;
            return Ok(Some(Event::Opened));
        }
        if matches!(self.state, State::ClosingByPeer | State::Closed) {
            input.clear();
            return Ok(None);
        }
        if input.len() < 3 {
            return Ok(None);
        }
        let length = usize::from(u16::from_be_bytes([input[1], input[2]]));
        if input.len() < 3 + length {
            return Ok(None);
        }
        let kind = input.get_u8();
        input.advance(2);
        let payload = input.split_to(length).freeze();
        self.unfinished = match kind {
            b'M' => true,
            b'T' => false,
            _ => self.unfinished,
        };
        match kind {
            b'M' => self.receive(input, out),
            _ => self.event(kind, payload, out).map(Some),
        }
    }

    fn send(&mut self, what: Outgoing, out: &mut Outbox) -> Result<(), SendError> {
        match self.state {
            State::Opening => return Err(SendError::Opening),
            State::ClosingByUs | State::Closed => return Err(SendError::Closing),
            State::Open | State::ClosingByPeer => {}
        }
        match what {
            Outgoing::Message(Message::Binary(_)) if !self.ping => {
                return Err(SendError::NoBinary(self.draft()));
            }
            Outgoing::Message(message) => {
                self.encoded.fetch_add(1, Ordering::Relaxed);
                let kind = match message {
                    Message::Text(_) => b'T',
                    Message::Binary(_) => b'B',
                };
                out.put(&frame(kind, &[])[..1]);
                out.put(&u16::try_from(message.len()).unwrap().to_be_bytes());
                out.put_shared(message.payload());
            }
            Outgoing::Ping(_) | Outgoing::Pong(_) if !self.ping => {
                return Err(SendError::NoPing(self.draft()));
            }
            Outgoing::Ping(body) => out.put(&frame(b'P', &body)),
            Outgoing::Pong(body) => out.put(&frame(b'O', &body)),
            Outgoing::Filler if self.closing == Closing::Absent => out.put(&frame(b'F', &[])),
            Outgoing::Filler => return Err(SendError::NoFiller(self.draft())),
            Outgoing::Close(close) => self.say_close(close, out)?,
        }
        Ok(())
    }

    fn fail(&mut self, violation: &Violation, out: &mut Outbox) {
        if self.closing != Closing::Absent {
            let code = violation.rule.close_code(self.draft());
            out.put(&code.map_or_else(|| CLOSE.to_vec(), close));
        }
        self.state = State::Closed;
    }

    fn end(&mut self) -> Option<Close> {
        let before = std::mem::replace(&mut self.state, State::Closed);
        let closed = matches!(before, State::ClosingByPeer | State::Closed);
        (!closed && self.closing != Closing::Absent).then(|| Close::new(Close::ABNORMAL, ""))
    }
}

impl Fake {
    fn say_close(&mut self, close: Option<Close>, out: &mut Outbox) -> Result<(), SendError> {
        if let Some(close) = &close {
            if self.closing != Closing::Coded {
                return Err(SendError::NoCloseCode(self.draft()));
            }
            if close.reason.len() > 123 {
                return Err(SendError::ControlTooLong(close.reason.len() + 2));
            }
            if !Close::may_be_sent(close.code, self.draft()) {
                return Err(SendError::CloseCode(close.code));
            }
        }
        if self.closing != Closing::Absent {
            let mut body = Vec::new();
            if let Some(close) = close {
                body.extend(close.code.to_be_bytes());
                body.extend(close.reason.as_bytes());
            }
            out.put(&frame(b'C', &body));
        }
        self.state = match (self.state, self.closing) {
            (State::ClosingByPeer, _) | (_, Closing::Absent) => State::Closed,
            _ => State::ClosingByUs,
        };
        Ok(())
    }
}
