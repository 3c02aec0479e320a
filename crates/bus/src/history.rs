//! What a channel remembers of its last messages, and the name that a message
//! keeps for a reader that comes back.
//!
//! A history is filled under the channel's turn, as a delivery is, so that it
//! has the channel's order and a reader that joins with it misses nothing in
//! between. It holds copies of its own: an envelope keeps alive whatever was
//! encoded of it, and a slice the buffer that it was read into. It is no
//! subscriber and stands in no ledger: what is remembered is owed to nobody.

use std::{
    collections::VecDeque,
    fmt,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
};

use draftgate_core::{Message, Shared, Text};

use crate::Envelope;

/// How much is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Most messages of one channel.
    pub messages: usize,
    /// Most octets of one channel, [`REMEMBERED`] more for each message.
    pub octets: usize,
    /// Most octets of all channels of the hub that remember. Beyond them a
    /// channel forgets its own.
    pub total: usize,
}

/// What a remembered message costs besides its payload, in octets.
pub const REMEMBERED: usize = 128;

/// Where a reader stands in a channel: behind the message of this number, in
/// this life of the channel. Numbers start anew when a channel has become
/// empty or the process began again, and the other half says so.
///
/// ```
/// use draftgate_bus::Mark;
/// let mark: Mark = "1f-7".parse()?;
/// assert_eq!((mark.epoch, mark.sequence), (0x1f, 7));
/// assert_eq!(mark.to_string(), "1f-7");
/// # Ok::<(), draftgate_bus::NotAMark>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Mark {
    /// The channel's life.
    pub epoch: u64,
    /// The message, 0 before the first.
    pub sequence: u64,
}

/// A text is no [`Mark`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is not the id of a message: hexadecimal digits, `-`, and a number")]
pub struct NotAMark;

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.epoch, self.sequence)
    }
}

impl FromStr for Mark {
    type Err = NotAMark;

    fn from_str(text: &str) -> Result<Self, NotAMark> {
        let (epoch, sequence) = text.split_once('-').ok_or(NotAMark)?;
        // Rust's own parser would take a sign.
        if !epoch.bytes().all(|octet| octet.is_ascii_hexdigit())
            || !sequence.bytes().all(|octet| octet.is_ascii_digit())
        {
            return Err(NotAMark);
        }
        Ok(Self {
            epoch: u64::from_str_radix(epoch, 16).map_err(|_| NotAMark)?,
            sequence: sequence.parse().map_err(|_| NotAMark)?,
        })
    }
}

/// What a reader missed that says where it stood.
#[derive(Debug, Clone)]
pub struct Missed {
    /// Where the channel stands now; what is delivered is behind that.
    pub now: Mark,
    /// The messages in between that are remembered, in order.
    pub messages: Vec<Arc<Envelope>>,
    /// Messages in between that are not.
    pub gap: Gap,
}

/// What lies between where a reader stood and what it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// Nothing.
    None,
    /// So many messages.
    Messages(u64),
    /// Nobody knows: it stood in another life of the channel.
    Unknown,
}

/// The last messages of one channel.
#[derive(Debug)]
pub(crate) struct History {
    bounds: Bounds,
    messages: VecDeque<Arc<Envelope>>,
    octets: usize,
    /// The last message that is not held.
    forgotten: u64,
    /// What all histories of the hub hold.
    total: Arc<AtomicUsize>,
}

impl History {
    /// Remembers what comes after message `sequence`.
    pub(crate) fn new(bounds: Bounds, sequence: u64, total: Arc<AtomicUsize>) -> Self {
        Self {
            bounds,
            messages: VecDeque::new(),
            octets: 0,
            forgotten: sequence,
            total,
        }
    }

    /// Remembers `envelope`, the next one, and forgets what that is too much for.
    pub(crate) fn push(&mut self, envelope: &Envelope) {
        let cost = cost(envelope);
        if self.bounds.messages == 0 || cost > self.bounds.octets {
            self.clear(envelope.sequence);
            return;
        }
        while self.messages.len() >= self.bounds.messages || self.octets + cost > self.bounds.octets
        {
            self.forget();
        }
        self.octets += cost;
        self.total.fetch_add(cost, Relaxed);
        self.messages.push_back(Arc::new(copy(envelope)));
        while self.total.load(Relaxed) > self.bounds.total && !self.messages.is_empty() {
            self.forget();
        }
    }

    fn forget(&mut self) {
        if let Some(oldest) = self.messages.pop_front() {
            let cost = cost(&oldest);
            self.octets -= cost;
            self.total.fetch_sub(cost, Relaxed);
            self.forgotten = oldest.sequence;
        }
    }

    fn clear(&mut self, forgotten: u64) {
        while !self.messages.is_empty() {
            self.forget();
        }
        self.forgotten = forgotten;
    }

    /// What whoever stands at `mark` missed, the channel being at `now`.
    pub(crate) fn after(&self, mark: Mark, now: Mark) -> Missed {
        let foreign = mark.epoch != now.epoch || mark.sequence > now.sequence;
        let gap = match mark.sequence {
            _ if foreign => Gap::Unknown,
            stood if stood < self.forgotten => Gap::Messages(self.forgotten - stood),
            _ => Gap::None,
        };
        let is_new = |e: &&Arc<Envelope>| foreign || e.sequence > mark.sequence;
        Missed {
            now,
            messages: self.messages.iter().filter(is_new).cloned().collect(),
            gap,
        }
    }
}

impl Drop for History {
    fn drop(&mut self) {
        self.total.fetch_sub(self.octets, Relaxed);
    }
}

/// What whoever stands at `mark` missed of a channel that remembers nothing.
pub(crate) fn forgotten(mark: Option<Mark>, now: Mark) -> Missed {
    let gap = match mark {
        None => Gap::None,
        Some(mark) if mark.epoch != now.epoch || mark.sequence > now.sequence => Gap::Unknown,
        Some(mark) if mark.sequence == now.sequence => Gap::None,
        Some(mark) => Gap::Messages(now.sequence - mark.sequence),
    };
    Missed {
        now,
        messages: Vec::new(),
        gap,
    }
}

fn cost(envelope: &Envelope) -> usize {
    envelope.shared.message().len() + REMEMBERED
}

fn copy(envelope: &Envelope) -> Envelope {
    let copied = |octets: &[u8]| octets.to_vec().into();
    let message = match envelope.shared.message() {
        Message::Text(text) => Message::Text(Text::from_validated(copied(text.as_bytes()))),
        Message::Binary(octets) => Message::Binary(copied(octets)),
    };
    Envelope {
        shared: Shared::new(message),
        sender: envelope.sender.clone(),
        sequence: envelope.sequence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written_and_nothing_else_is_one() {
        for mark in [
            Mark {
                epoch: 0,
                sequence: 0,
            },
            Mark {
                epoch: u64::MAX,
                sequence: u64::MAX,
            },
            Mark {
                epoch: 0xabc,
                sequence: 12,
            },
        ] {
            assert_eq!(mark.to_string().parse(), Ok(mark));
        }
        for text in [
            "",
            "-",
            "1",
            "1-",
            "-1",
            "+1-1",
            "1-+1",
            "g-1",
            "1-a",
            "1-1-1",
            " 1-1",
            "1-1 ",
            "10000000000000000-1",
            "1-18446744073709551616",
            "é-1",
        ] {
            assert_eq!(text.parse::<Mark>(), Err(NotAMark), "{text:?}");
        }
    }
}
