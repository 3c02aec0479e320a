//! What becomes of a pair of connections that are relayed to each other when
//! one of them ends, declared as the rest: what the other side is told, and
//! what the side that ended is answered, if the other does as most do and
//! answers a Close with its code.

use std::fmt;

use draftgate_core::{BadUtf8, Close, Closing, Rule, Traits, Violation};

use super::{Ending, REASON};
use crate::{Side, lost, received};

/// The codes with which a side closes, that the documentation tells.
pub const CODES: [u16; 11] = [
    1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 4999,
];

/// How one side ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Parting {
    /// By a close with this code and [`REASON`].
    Code(u16),
    /// By a close without a code: whatever the draft has.
    NoCode,
    /// By the end of TCP, where the draft would have had a close.
    Fin,
    /// By an RST.
    Rst,
    /// By a text that is not UTF-8.
    NotUtf8,
    /// By a message above the limit.
    TooBig,
}

/// What becomes of the two sides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parted {
    /// What the other side is told.
    pub other: Ending,
    /// What the one that ended hears; `None`: it hears nothing any more.
    pub back: Option<Ending>,
}

impl Parting {
    /// Every parting, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        let codes = CODES.into_iter().map(Self::Code);
        codes.chain([
            Self::NoCode,
            Self::Fin,
            Self::Rst,
            Self::NotUtf8,
            Self::TooBig,
        ])
    }
}

/// What becomes of a pair when `side`, which speaks `from`, ends like that and
/// the other speaks `to`. `None`: there is no such case.
pub fn parted(parting: Parting, side: Side, from: &Traits, to: &Traits) -> Option<Parted> {
    let gone = || Ending::told(Some(lost(side, false)), to);
    let broke = |rule: Rule| {
        let close = Violation::from(rule).close(from.draft);
        Parted {
            other: Ending::told(Some(lost(side, true)), to),
            back: Some(Ending::new(close, from.capabilities.closing)),
        }
    };
    let has_codes = from.capabilities.closing == Closing::Coded;
    Some(match parting {
        Parting::Code(code) if has_codes && Close::may_be_sent(code, from.draft) => {
            closed(Some(Close::new(code, REASON)), from, to)
        }
        Parting::Code(_) => return None,
        Parting::NoCode => closed(None, from, to),
        // There it is the close.
        Parting::Fin if from.capabilities.closing == Closing::Absent => return None,
        Parting::Fin => Parted {
            other: gone(),
            back: Some(Ending::Tcp),
        },
        Parting::Rst => Parted {
            other: gone(),
            back: None,
        },
        Parting::NotUtf8 if from.bad_utf8 == BadUtf8::Repair => return None,
        Parting::NotUtf8 => broke(Rule::NotUtf8),
        Parting::TooBig => broke(Rule::MessageTooBig),
    })
}

fn closed(said: Option<Close>, from: &Traits, to: &Traits) -> Parted {
    let heard = received(said.clone(), &from.capabilities);
    let other = Ending::told(Some(heard), to);
    let without_reason = |close: Option<Close>| close.map(|close| Close::new(close.code, ""));
    let answer = match &other {
        Ending::Frame(told) if to.capabilities.closing == Closing::Coded => {
            let echo = without_reason(told.clone());
            Some(received(echo, &to.capabilities))
        }
        // Its answer says nothing: the code is the closer's own.
        _ => without_reason(said),
    };
    Parted {
        other,
        back: Some(Ending::told(answer, from)),
    }
}

/// The words of the document.
impl fmt::Display for Parting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "closes with {code}"),
            Self::NoCode => f.write_str("closes without a code"),
            Self::Fin => f.write_str("ends TCP without a close"),
            Self::Rst => f.write_str("resets TCP"),
            Self::NotUtf8 => f.write_str("says text that is not UTF-8"),
            Self::TooBig => f.write_str("says a message above `limits.message`"),
        }
    }
}
