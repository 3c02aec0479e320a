//! A TCP server as the peer of a pair: each read is a binary message, and what
//! it is told is written as it is. A codec like those of the drafts, so that
//! one driver has queue, timers and back-pressure for both.

use bytes::BytesMut;
use draftgate_core::{
    Capabilities, Close, Closing, Codec, Draft, Event, Message, Outbox, Outgoing, SendError, State,
    Violation, WireClass,
};

/// What a TCP server can be told: octets, and the end.
const CAPABILITIES: Capabilities = Capabilities {
    binary: true,
    ping: false,
    fragments: false,
    closing: Closing::Absent,
};

/// Octets without frames.
#[derive(Debug)]
pub(super) struct Octets {
    /// Of the client; only named where something is told of a close.
    draft: Draft,
    state: State,
}

impl Octets {
    /// The octets behind a client that speaks `draft`.
    pub(super) fn new(draft: Draft) -> Self {
        Self {
            draft,
            state: State::Opening,
        }
    }
}

impl Codec for Octets {
    fn draft(&self) -> Draft {
        self.draft
    }

    fn capabilities(&self) -> Capabilities {
        CAPABILITIES
    }

    fn wire_class(&self) -> Option<WireClass> {
        None
    }

    fn state(&self) -> State {
        self.state
    }

    fn is_within_message(&self) -> bool {
        false
    }

    fn start(&mut self, _: &mut Outbox) {}

    fn receive(
        &mut self,
        input: &mut BytesMut,
        _: &mut Outbox,
    ) -> Result<Option<Event>, Violation> {
        if self.state == State::Opening {
            self.state = State::Open;
            return Ok(Some(Event::Opened));
        }
        if input.is_empty() || self.state == State::Closed {
            return Ok(None);
        }
        let octets = input.split().freeze();
        Ok(Some(Event::Message(Message::Binary(octets))))
    }

    fn send(&mut self, what: Outgoing, out: &mut Outbox) -> Result<(), SendError> {
        match (self.state, what) {
            (State::Opening, _) => return Err(SendError::Opening),
            (State::Closed, _) => return Err(SendError::Closing),
            (_, Outgoing::Message(message)) => out.put_shared(message.payload()),
            (_, Outgoing::Close(_)) => self.state = State::Closed,
            (_, Outgoing::Ping(_) | Outgoing::Pong(_)) => {
                return Err(SendError::NoPing(self.draft));
            }
            (_, Outgoing::Filler) => return Err(SendError::NoFiller(self.draft)),
        }
        Ok(())
    }

    fn fail(&mut self, _: &Violation, _: &mut Outbox) {
        self.state = State::Closed;
    }

    fn end(&mut self) -> Option<Close> {
        self.state = State::Closed;
        None
    }
}

#[cfg(test)]
mod tests {
    use bytes::Buf;

    use super::*;

    #[test]
    fn octets_are_messages_and_messages_octets() {
        let (mut codec, mut out) = (Octets::new(Draft::Hixie76), Outbox::new());
        let mut input = BytesMut::from(&b"\0\xffab"[..]);
        assert_eq!(codec.receive(&mut input, &mut out), Ok(Some(Event::Opened)));
        let message = Message::Binary(b"\0\xffab"[..].into());
        let got = codec.receive(&mut input, &mut out);
        assert_eq!(got, Ok(Some(Event::Message(message.clone()))));
        assert_eq!(codec.receive(&mut input, &mut out), Ok(None));
        codec.send(Outgoing::Message(message), &mut out).unwrap();
        codec.send(Outgoing::Message("x".into()), &mut out).unwrap();
        assert_eq!(out.copy_to_bytes(out.len()), &b"\0\xffabx"[..]);
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        assert_eq!(codec.state(), State::Closed);
        let late = codec.send(Outgoing::Message("x".into()), &mut out);
        assert_eq!(late, Err(SendError::Closing));
    }
}
