//! Listeners that are held to what a server of the time could do.

use bytes::BytesMut;
use draftgate_core::{
    Capabilities, Close, Codec, Draft, Event, Limits, Message, Outbox, Outgoing, Rule, SendError,
    State, Violation, WireClass,
};
use draftgate_drafts::WITH_HELLO;

use crate::config::Profile;

/// The longest text of Microsoft's prototype, in octets: it knew one form of the
/// length.
const LONGEST: usize = 125;

/// Whether a server of `profile` speaks `draft`.
pub(crate) fn speaks(profile: Option<Profile>, draft: Draft) -> bool {
    match profile {
        None => true,
        Some(Profile::Html5Labs2010) => draft == WITH_HELLO,
    }
}

/// How much a client may send to a server of `profile` on a route with `limits`.
pub(crate) fn bounded(profile: Option<Profile>, limits: Limits) -> Limits {
    match profile {
        None => limits,
        Some(Profile::Html5Labs2010) => Limits {
            frame: limits.frame.min(LONGEST as u64),
            message: limits.message.min(LONGEST as u64),
            fragments: 1,
            ..limits
        },
    }
}

/// `codec`, which says and hears no more than a server of `profile` did.
pub(crate) fn held(profile: Option<Profile>, codec: Box<dyn Codec>) -> Box<dyn Codec> {
    match profile {
        None => codec,
        Some(Profile::Html5Labs2010) => Box::new(ShortText(codec)),
    }
}

/// What a client of a server of `profile` can be told, of what its draft has.
pub(crate) fn capabilities(profile: Option<Profile>, of_draft: Capabilities) -> Capabilities {
    match profile {
        None => of_draft,
        Some(Profile::Html5Labs2010) => Capabilities {
            binary: false,
            ..of_draft
        },
    }
}

/// A connection on which nothing goes but text of up to [`LONGEST`] octets.
#[derive(Debug)]
struct ShortText(Box<dyn Codec>);

impl Codec for ShortText {
    fn draft(&self) -> Draft {
        self.0.draft()
    }

    fn capabilities(&self) -> Capabilities {
        capabilities(Some(Profile::Html5Labs2010), self.0.capabilities())
    }

    /// None: what others of the draft are sent may be longer.
    fn wire_class(&self) -> Option<WireClass> {
        None
    }

    fn state(&self) -> State {
        self.0.state()
    }

    fn is_within_message(&self) -> bool {
        self.0.is_within_message()
    }

    fn detach(&mut self) {
        self.0.detach();
    }

    fn start(&mut self, out: &mut Outbox) {
        self.0.start(out);
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Outbox,
    ) -> Result<Option<Event>, Violation> {
        match self.0.receive(input, out)? {
            Some(Event::Message(Message::Binary(_))) => Err(Rule::UnknownOpcode.into()),
            event => Ok(event),
        }
    }

    fn send(&mut self, what: Outgoing, out: &mut Outbox) -> Result<(), SendError> {
        match &what {
            Outgoing::Message(Message::Binary(_)) => Err(SendError::NoBinary(self.draft())),
            Outgoing::Message(message) if message.len() > LONGEST => {
                Err(SendError::MessageTooLong(message.len()))
            }
            _ => self.0.send(what, out),
        }
    }

    fn fail(&mut self, violation: &Violation, out: &mut Outbox) {
        self.0.fail(violation, out);
    }

    fn end(&mut self) -> Option<Close> {
        self.0.end()
    }
}
