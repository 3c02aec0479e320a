//! What becomes of everything that a client may say, declared: for every draft
//! it may speak, every draft of the one who listens, and every policy.
//!
//! No cell is written down. Each is worked out by the functions that the
//! gateway goes by ([`message`](crate::message()), [`close`](crate::close()),
//! [`logged`]) from what is particular about the two drafts; the
//! matches have no default, so that a case nobody thought of does not compile.
//! A test of the gateway plays every cell over sockets against this.

mod case;
mod fold;
mod markdown;
mod pairs;
mod relay;

use std::fmt;

use draftgate_core::{
    BadUtf8, Close, Closing, Message, Rendering, Rule, Shared, Traits, Violation,
};

use crate::{BinaryPolicy, DropReason, Outcome, Policy, close, logged, message};

pub use case::{CLOSE_CODE, Case, PING, REASON};
pub use markdown::{code_table, message_table, policy_table, reply_table};
pub use pairs::{answer_table, parting_table};
pub use relay::{CODES, Parted, Parting, parted};

/// What becomes of one case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// What its sender gets back.
    pub reply: Reply,
    /// How many notices it leaves in the sender's access line.
    pub notices: u64,
    /// What the receiver gets.
    pub arrival: Arrival,
}

/// What the sender gets back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// There is no such case: its draft cannot say it.
    Unsayable,
    /// Nothing.
    Nothing,
    /// A pong with the octets of its ping.
    Pong,
    /// Its close is answered.
    Closed {
        /// With this.
        told: Ending,
        /// The code in its access line.
        logged: Option<u16>,
    },
    /// It broke a rule, or a limit, and is closed.
    Failed {
        /// Which; it stands in its access line.
        rule: Rule,
        /// With this.
        told: Ending,
    },
}

/// What the receiver gets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Arrival {
    /// Nothing: what was said ends at the gateway.
    Nothing,
    /// The message, changed as [`Change`] says.
    Message(Change),
    /// Nothing, which is counted.
    Dropped(DropReason),
    /// The end of its connection; the message is counted as dropped.
    Closed(Ending),
}

/// How a message differs from what was sent. The default is: not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// It came in fragments and goes in one frame.
    pub joined: bool,
    /// What was not UTF-8 became U+FFFD.
    pub repaired: bool,
    /// Put into another form.
    pub rendering: Rendering,
    /// Binary as it is, in the length-prefixed frame of a draft without binary.
    pub length_frame: bool,
}

/// How a draft says that a connection ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// By the end of TCP alone.
    Tcp,
    /// By `FF 00`.
    Marker,
    /// By a frame with a letter for who closes.
    Letter,
    /// By a frame, with a code and a reason or without.
    Frame(Option<Close>),
}

impl Ending {
    fn new(close: Option<Close>, closing: Closing) -> Self {
        match closing {
            Closing::Absent => Self::Tcp,
            Closing::Marker => Self::Marker,
            Closing::Lettered => Self::Letter,
            Closing::Echoed | Closing::Coded => Self::Frame(close),
        }
    }

    /// How a peer of a draft with these traits is told of `what`.
    pub fn told(what: Option<Close>, to: &Traits) -> Self {
        let said = close(what, &to.capabilities, to.draft);
        Self::new(said, to.capabilities.closing)
    }
}

/// What becomes of `case` when a client of draft `from` says it on a bus whose
/// route has this `policy`, for a client of draft `to`. Neither has agreed on a
/// subprotocol of the gateway's own.
pub fn declared(case: Case, from: &Traits, to: &Traits, policy: BinaryPolicy) -> Declared {
    let (reply, said) = taken(case, from);
    Declared {
        reply,
        notices: match case {
            // A pong that answers no ping of ours.
            Case::Pong if from.capabilities.ping => 1,
            Case::NotUtf8 if said.is_some() => 1,
            Case::LengthFrame if has_length_frames(from) => 1,
            _ => 0,
        },
        arrival: match said {
            Some((message, change)) => arrival(&message, change, to, policy),
            None => Arrival::Nothing,
        },
    }
}

/// What the gateway makes of `case`: what it answers, and what it hands on.
/// Messages are short here: their length decides nothing but whether they are
/// too big.
fn taken(case: Case, from: &Traits) -> (Reply, Option<(Message, Change)>) {
    let able = &from.capabilities;
    let exact = Change::default();
    let joined = Change {
        joined: true,
        ..exact
    };
    let says = |message: Message, change| (Reply::Nothing, Some((message, change)));
    let octets = |octets: &'static [u8]| Message::Binary(octets.into());
    let unsayable = (Reply::Unsayable, None);
    match case {
        Case::Text | Case::LongText | Case::HugeText => says("text".into(), exact),
        Case::EmptyText => says("".into(), exact),
        Case::TextInFragments if able.fragments => says("text".into(), joined),
        Case::NotUtf8 => match from.bad_utf8 {
            BadUtf8::Repair => says(
                "\u{fffd}".into(),
                Change {
                    repaired: true,
                    ..exact
                },
            ),
            BadUtf8::Fail => (failed(Rule::NotUtf8, from), None),
        },
        Case::Binary | Case::LongBinary | Case::HugeBinary if able.binary => {
            says(octets(b"\xff"), exact)
        }
        Case::BinaryUtf8 if able.binary => says(octets(b"text"), exact),
        Case::EmptyBinary if able.binary => says(octets(b""), exact),
        Case::BinaryInFragments if able.binary && able.fragments => says(octets(b"\xff"), joined),
        Case::LengthFrame if has_length_frames(from) => (Reply::Nothing, None),
        Case::LengthFrameAccepted if has_length_frames(from) => says(octets(b"\xff"), exact),
        Case::Ping if able.ping => (Reply::Pong, None),
        Case::Pong if able.ping => (Reply::Nothing, None),
        Case::CloseWithCode if able.closing == Closing::Coded => {
            (closed(Some(Close::new(CLOSE_CODE, REASON)), from), None)
        }
        Case::CloseWithoutCode => (closed(None, from), None),
        Case::TooBig => (failed(Rule::MessageTooBig, from), None),
        Case::TextInFragments
        | Case::Binary
        | Case::LongBinary
        | Case::HugeBinary
        | Case::BinaryUtf8
        | Case::EmptyBinary
        | Case::BinaryInFragments
        | Case::LengthFrame
        | Case::LengthFrameAccepted
        | Case::Ping
        | Case::Pong
        | Case::CloseWithCode => unsayable,
    }
}

/// Whether the draft has length-prefixed frames for want of binary.
fn has_length_frames(draft: &Traits) -> bool {
    draft.with_length_frames.binary && !draft.capabilities.binary
}

fn failed(rule: Rule, from: &Traits) -> Reply {
    let close = Violation::from(rule).close(from.draft);
    Reply::Failed {
        rule,
        told: Ending::new(close, from.capabilities.closing),
    }
}

/// The answer to a close has its code, and no reason.
fn closed(said: Option<Close>, from: &Traits) -> Reply {
    let code = said.as_ref().map(|close| Close::new(close.code, ""));
    Reply::Closed {
        told: Ending::told(code, from),
        logged: logged(said, &from.capabilities),
    }
}

fn arrival(said: &Message, change: Change, to: &Traits, binary: BinaryPolicy) -> Arrival {
    let able = match binary {
        BinaryPolicy::LengthFrame => &to.with_length_frames,
        _ => &to.capabilities,
    };
    let policy = Policy {
        binary,
        ..Policy::default()
    };
    match message(&Shared::new(said.clone()), able, &policy) {
        Outcome::Send(rendering) => Arrival::Message(Change {
            rendering,
            length_frame: rendering == Rendering::AsIs
                && matches!(said, Message::Binary(_))
                && has_length_frames(to),
            ..change
        }),
        Outcome::Drop(why) => Arrival::Dropped(why),
        Outcome::Close(close) => Arrival::Closed(Ending::told(Some(close), to)),
    }
}

impl Default for Change {
    fn default() -> Self {
        Self {
            joined: false,
            repaired: false,
            rendering: Rendering::AsIs,
            length_frame: false,
        }
    }
}

/// The words of the document.
impl fmt::Display for Declared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.arrival {
            Arrival::Nothing if self.reply == Reply::Unsayable => f.write_str("–"),
            Arrival::Nothing => f.write_str("nothing"),
            Arrival::Message(change) => write!(f, "{change}"),
            Arrival::Dropped(why) => write!(f, "dropped: `{why}`"),
            Arrival::Closed(told) => write!(f, "closed: {told}"),
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let form = match self.rendering {
            Rendering::Base64 => "base64",
            Rendering::Hex => "hex",
            Rendering::Utf8 => "as text",
            Rendering::Envelope => "envelope",
            _ if self.length_frame => "`80` frame",
            _ if self.repaired => "with U+FFFD",
            _ if self.joined => "",
            _ => "exact",
        };
        match (self.joined, form) {
            (true, "") => f.write_str("joined"),
            (true, form) => write!(f, "joined, {form}"),
            (false, form) => f.write_str(form),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp => f.write_str("the end of TCP"),
            Self::Marker => f.write_str("`FF 00`"),
            Self::Letter => f.write_str("a Close with `S`"),
            Self::Frame(None) => f.write_str("a Close without a code"),
            Self::Frame(Some(close)) => write!(f, "a Close with {}", close.code),
        }
    }
}
