//! The one state machine of all drafts: opening proof, fragments, control
//! frames, closing, limits.
//!
//! It is generic over the framing alone; everything else in which drafts
//! differ is a field of the [`Dialect`] or an opening [`Proof`].

use std::{fmt::Debug, mem};

use byteorder::{BigEndian, ByteOrder};
use bytes::{Bytes, BytesMut};
use draftgate_core::{
    BadUtf8, COPIED, Capabilities, Close, Closing, Codec, Draft, Event, Limits, Message,
    MessageRef, Notice, Outbox, Outgoing, Passed, Role, Rule, SendError, State, Text, Violation,
    WireClass,
};

use crate::{
    Breach, Dialect, Frame, Framing, Header, Opcode, Part,
    assembly::{Assembly, Finished, unfragmented},
    utf8::{is_utf8, repair},
};

/// How much longer a Close's reason may become by its repair: one that fits a
/// control frame of 125 octets always can.
pub(crate) const REASON_GROWTH: usize = 256;

/// What a peer has to prove after the heads, before messages may flow.
pub trait Proof: Debug + Send {
    /// Writes what it sends without being asked.
    fn start(&mut self, _: &mut Outbox) {}

    /// Takes what it can from `input` and answers into `out`; whether it is done.
    ///
    /// # Errors
    /// The peer's proof is wrong.
    fn receive(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<bool, Violation>;
}

/// What is needed for a moment only, and never together.
#[derive(Debug)]
enum Aside {
    /// What the peer has to prove before messages may flow.
    Proof(Box<dyn Proof>),
    /// What a notice was told of, until its turn comes.
    Waiting(Event),
    /// The body of the peer's Close, which ours is to repeat.
    Echo(Bytes),
}

/// A [`Codec`] for any draft.
#[derive(Debug)]
pub struct Machine<F> {
    dialect: &'static Dialect,
    framing: F,
    limits: Limits,
    aside: Option<Box<Aside>>,
    state: State,
    /// On the heap, like what waits: a connection says nothing for most of its
    /// time.
    assembly: Option<Box<Assembly>>,
    /// Whether the frame that is being read ends its message.
    last_fragment: bool,
    pings: u32,
}

impl<F: Framing> Machine<F> {
    /// A connection whose heads are exchanged.
    pub fn new(dialect: &'static Dialect, framing: F, limits: Limits) -> Self {
        Self {
            dialect,
            framing,
            limits,
            aside: None,
            state: State::Opening,
            assembly: None,
            last_fragment: false,
            pings: 0,
        }
    }

    /// The same, where the peer has something to prove first.
    #[must_use]
    pub fn after(mut self, proof: impl Proof + 'static) -> Self {
        self.aside = Some(Box::new(Aside::Proof(Box::new(proof))));
        self
    }

    fn open(&mut self, input: &mut BytesMut, out: &mut Outbox) -> Result<Option<Event>, Violation> {
        if let Some(Aside::Proof(proof)) = self.aside.as_deref_mut()
            && !proof.receive(input, out)?
        {
            return Ok(None);
        }
        self.aside = None;
        self.state = State::Open;
        Ok(Some(Event::Opened))
    }

    fn whole(&mut self, frame: Frame, out: &mut Outbox) -> Result<Option<Event>, Violation> {
        if frame.opcode.is_control() {
            return self.control(frame.opcode, frame.payload.freeze(), out);
        }
        let header = Header {
            opcode: frame.opcode,
            fin: frame.fin,
            reserved: frame.reserved,
            length: Some(frame.payload.len() as u64),
        };
        if frame.fin && frame.opcode != Opcode::Continuation && self.assembly.is_none() {
            let binary = frame.opcode == Opcode::Binary;
            let payload = frame.payload.freeze();
            let done = unfragmented(payload, binary, self.dialect.bad_utf8, &self.limits)?;
            return Ok(Some(self.message(done)));
        }
        self.begin(header)?;
        self.data(frame.payload)?;
        self.end_of_frame()
    }

    fn begin(&mut self, header: Header) -> Result<(), Violation> {
        match (&self.assembly, header.opcode) {
            (None, Opcode::Continuation) => return Err(Rule::ContinuationWithoutStart.into()),
            (Some(_), Opcode::Text | Opcode::Binary) => {
                return Err(Rule::InterleavedMessage.into());
            }
            _ => {}
        }
        self.last_fragment = header.fin;
        self.assembly
            .get_or_insert_with(|| Box::new(Assembly::new(header.opcode == Opcode::Binary)))
            .fragment(header.length, &self.limits)
    }

    fn data(&mut self, run: BytesMut) -> Result<(), Violation> {
        match &mut self.assembly {
            Some(assembly) => assembly.push(run, self.dialect.bad_utf8, &self.limits),
            None => Ok(()),
        }
    }

    fn end_of_frame(&mut self) -> Result<Option<Event>, Violation> {
        if !self.last_fragment {
            return Ok(None);
        }
        match self.assembly.take() {
            Some(assembly) => {
                let done = assembly.finish(self.dialect.bad_utf8, &self.limits)?;
                Ok(Some(self.message(done)))
            }
            None => Ok(None),
        }
    }

    fn take_waiting(&mut self) -> Option<Event> {
        let waits = |aside: &mut Box<Aside>| matches!(**aside, Aside::Waiting(_));
        match *self.aside.take_if(waits)? {
            Aside::Waiting(event) => Some(event),
            Aside::Proof(_) | Aside::Echo(_) => None,
        }
    }

    /// One event a call: the notice first, the repaired message next.
    fn message(&mut self, (message, replacements): Finished) -> Event {
        if replacements == 0 {
            return Event::Message(message);
        }
        self.aside = Some(Box::new(Aside::Waiting(Event::Message(message))));
        Event::Notice(Notice::Repaired { replacements })
    }

    fn control(
        &mut self,
        opcode: Opcode,
        body: Bytes,
        out: &mut Outbox,
    ) -> Result<Option<Event>, Violation> {
        match opcode {
            Opcode::Ping => {
                // After our Close nothing more is sent (RFC 6455 §5.5.1).
                if self.state == State::Open {
                    self.framing.write(Opcode::Pong, &body, out);
                }
                Ok(Some(Event::Ping(body)))
            }
            Opcode::Pong if self.pings == 0 => Ok(Some(Event::Notice(Notice::UnsolicitedPong))),
            Opcode::Pong => {
                // One pong may answer several pings (RFC 6455 §5.5.3).
                self.pings = 0;
                Ok(Some(Event::Pong(body)))
            }
            _ => {
                let (close, notice) = self.parse_close(&body)?;
                if self.dialect.closing == Closing::Echoed && self.state == State::Open {
                    let body = Bytes::copy_from_slice(&body);
                    self.aside = Some(Box::new(Aside::Echo(body)));
                }
                self.assembly = None;
                self.state = match self.state {
                    State::ClosingByUs => State::Closed,
                    _ => State::ClosingByPeer,
                };
                let event = Event::Close(close);
                Ok(Some(match notice {
                    None => event,
                    Some(notice) => {
                        self.aside = Some(Box::new(Aside::Waiting(event)));
                        Event::Notice(notice)
                    }
                }))
            }
        }
    }

    /// RFC 6455 §5.5.1. In an answer to our own Close any body will do: peers
    /// of 2011 answer 1000 with 741, and the connection is over either way.
    fn parse_close(&self, body: &Bytes) -> Result<(Option<Close>, Option<Notice>), Violation> {
        if self.dialect.closing != Closing::Coded || body.is_empty() {
            return Ok((None, None));
        }
        let answer = self.state == State::ClosingByUs;
        if body.len() < 2 {
            return match answer {
                true => Ok((None, None)),
                false => Err(Rule::CloseBodyTooShort.into()),
            };
        }
        let code = BigEndian::read_u16(body);
        // A copy: it outlives what was read, and is short.
        let reason = Bytes::copy_from_slice(&body[2..]);
        let (reason, replacements) = match self.reason(reason) {
            Ok(reason) => reason,
            Err(_) if answer => (Text::default(), 0),
            Err(violation) => return Err(violation),
        };
        if answer {
            return Ok((Some(Close { code, reason }), None));
        }
        let mut notice = (replacements > 0).then_some(Notice::Repaired { replacements });
        if !Close::may_be_sent(code, self.dialect.draft) {
            let rule = Rule::CloseCode;
            match self.dialect.undefined_codes {
                Breach::Fails => return Err(rule.into()),
                Breach::Tolerated => notice = Some(Notice::Tolerated { rule }),
            }
        }
        Ok((Some(Close { code, reason }), notice))
    }

    /// A Close's reason, and how many U+FFFD were put in.
    fn reason(&self, reason: Bytes) -> Result<(Text, u64), Violation> {
        if is_utf8(&reason) {
            return Ok((Text::from_validated(reason), 0));
        }
        match self.dialect.bad_utf8 {
            BadUtf8::Fail => Err(Rule::CloseReasonNotUtf8.into()),
            BadUtf8::Repair => {
                let most = (reason.len() + REASON_GROWTH) as u64;
                let (text, replacements) = repair(&reason, most).ok_or(Rule::CloseReasonNotUtf8)?;
                Ok((Text::from_validated(text), replacements))
            }
        }
    }

    fn write_close(&mut self, close: Option<&Close>, out: &mut Outbox) {
        let body = self.close_body(close);
        self.framing.write(Opcode::Close, &body, out);
        self.state = match (self.state, self.dialect.closing) {
            (State::ClosingByPeer, _) | (_, Closing::Absent) => State::Closed,
            _ => State::ClosingByUs,
        };
    }

    /// What the draft says in a Close: a code and a reason, which end sends it
    /// (hybi-05), what the peer said in its own (hybi-03), or nothing.
    fn close_body(&mut self, close: Option<&Close>) -> Bytes {
        if let Some(close) = close {
            let mut body = BytesMut::zeroed(2);
            BigEndian::write_u16(&mut body, close.code);
            body.extend_from_slice(close.reason.as_bytes());
            return body.freeze();
        }
        match (self.dialect.closing, self.framing.role()) {
            (Closing::Lettered, Some(Role::Client)) => Bytes::from_static(b"C"),
            (Closing::Lettered, Some(Role::Server)) => Bytes::from_static(b"S"),
            _ => match self.aside.take().map(|aside| *aside) {
                Some(Aside::Echo(body)) => body,
                _ => Bytes::new(),
            },
        }
    }

    fn may_say(&self) -> Result<(), SendError> {
        match self.state {
            State::Opening => Err(SendError::Opening),
            State::ClosingByUs | State::Closed => Err(SendError::Closing),
            State::Open | State::ClosingByPeer => Ok(()),
        }
    }

    fn may_close_with(&self, close: Option<&Close>) -> Result<(), SendError> {
        let Some(close) = close else {
            return Ok(());
        };
        if self.dialect.closing != Closing::Coded {
            return Err(SendError::NoCloseCode(self.dialect.draft));
        }
        if !Close::may_be_sent(close.code, self.dialect.draft) {
            return Err(SendError::CloseCode(close.code));
        }
        self.may_control(close.reason.len() + 2)
    }

    fn may_control(&self, length: usize) -> Result<(), SendError> {
        match self.framing.control() {
            None => Err(SendError::NoPing(self.dialect.draft)),
            Some(most) if length > most => Err(SendError::ControlTooLong(length)),
            Some(_) => Ok(()),
        }
    }
}

impl<F: Framing> Codec for Machine<F> {
    fn draft(&self) -> Draft {
        self.dialect.draft
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            binary: self.framing.binary(),
            ping: self.framing.control().is_some(),
            fragments: self.framing.fragments(),
            closing: self.dialect.closing,
        }
    }

    fn wire_class(&self) -> Option<WireClass> {
        self.framing.class()
    }

    fn connection_mask(&self) -> Option<[u8; 20]> {
        self.framing.connection_mask()
    }

    fn state(&self) -> State {
        self.state
    }

    fn is_within_message(&self) -> bool {
        self.assembly.is_some()
    }

    fn detach(&mut self) {
        if let Some(assembly) = &mut self.assembly {
            assembly.detach();
        }
    }

    fn start(&mut self, out: &mut Outbox) {
        if let Some(Aside::Proof(proof)) = self.aside.as_deref_mut() {
            proof.start(out);
        }
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Outbox,
    ) -> Result<Option<Event>, Violation> {
        if let Some(event) = self.take_waiting() {
            return Ok(Some(event));
        }
        loop {
            match self.state {
                State::Opening => return self.open(input, out),
                State::ClosingByPeer | State::Closed => {
                    let octets = input.len() as u64;
                    input.clear();
                    let dropped = Event::Notice(Notice::AfterClose { octets });
                    return Ok((octets > 0).then_some(dropped));
                }
                State::Open | State::ClosingByUs => {}
            }
            let event = match self.framing.read(input, &self.limits)? {
                None => return Ok(None),
                Some(Part::Whole(frame)) => self.whole(frame, out)?,
                Some(Part::Begin(header)) => {
                    self.begin(header)?;
                    None
                }
                Some(Part::Data(run)) => {
                    self.data(run)?;
                    None
                }
                Some(Part::End) => self.end_of_frame()?,
                Some(Part::Skipped { frame_type, octets }) => {
                    Some(Event::Notice(Notice::Discarded { frame_type, octets }))
                }
                Some(Part::Noticed(notice)) => Some(Event::Notice(notice)),
                Some(Part::Decided(dialect)) => {
                    self.dialect = dialect;
                    None
                }
            };
            if event.is_some() {
                return Ok(event);
            }
        }
    }

    fn pass<'i>(&mut self, input: &'i mut [u8]) -> Option<Passed<'i>> {
        if !matches!(self.state, State::Open | State::ClosingByUs)
            || self.assembly.is_some()
            || self.aside.is_some()
        {
            return None;
        }
        let limits = &self.limits;
        let most = limits.frame.min(limits.message).min(COPIED as u64);
        self.framing.pass(input, most as usize)
    }

    fn send(&mut self, what: Outgoing, out: &mut Outbox) -> Result<(), SendError> {
        self.may_say()?;
        match what {
            Outgoing::Message(Message::Text(text)) => {
                self.framing.write(Opcode::Text, text.as_bytes(), out);
            }
            Outgoing::Message(Message::Binary(_)) if !self.framing.binary() => {
                return Err(SendError::NoBinary(self.dialect.draft));
            }
            Outgoing::Message(Message::Binary(octets)) => {
                self.framing.write(Opcode::Binary, &octets, out);
            }
            Outgoing::Ping(body) => {
                self.may_control(body.len())?;
                self.pings += 1;
                self.framing.write(Opcode::Ping, &body, out);
            }
            Outgoing::Pong(body) => {
                self.may_control(body.len())?;
                self.framing.write(Opcode::Pong, &body, out);
            }
            Outgoing::Close(close) => {
                self.may_close_with(close.as_ref())?;
                self.write_close(close.as_ref(), out);
            }
            Outgoing::Filler => match self.framing.filler() {
                Some(octets) => out.put(octets),
                None => return Err(SendError::NoFiller(self.dialect.draft)),
            },
        }
        Ok(())
    }

    fn send_ref(&mut self, message: MessageRef<'_>, out: &mut Outbox) -> Result<(), SendError> {
        self.may_say()?;
        let opcode = match message {
            MessageRef::Text(_) => Opcode::Text,
            MessageRef::Binary(_) if self.framing.binary() => Opcode::Binary,
            MessageRef::Binary(_) => return Err(SendError::NoBinary(self.dialect.draft)),
        };
        self.framing.write_copied(opcode, message.payload(), out);
        Ok(())
    }

    fn fail(&mut self, violation: &Violation, out: &mut Outbox) {
        let before = mem::replace(&mut self.state, State::Closed);
        // What was received so far is not kept while the connection lingers.
        (self.assembly, self.aside) = (None, None);
        if !matches!(before, State::Open | State::ClosingByPeer) {
            return;
        }
        let close = violation.close(self.dialect.draft);
        self.write_close(close.as_ref(), out);
        self.state = State::Closed;
    }

    fn end(&mut self) -> Option<Close> {
        let before = mem::replace(&mut self.state, State::Closed);
        // What never opened has nothing to close.
        let broke_off = matches!(before, State::Open | State::ClosingByUs);
        let handshake = self.dialect.closing != Closing::Absent;
        (broke_off && handshake).then(|| Close::new(Close::ABNORMAL, ""))
    }
}
