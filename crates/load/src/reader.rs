//! What comes is compared with what should: first as octets, with the frames
//! that this draft's server would send, and only where it differs by the
//! draft's codec, from the last message boundary on. A server may cut messages
//! into fragments, write longer lengths than it must, ping, close.

use std::sync::Arc;

use bytes::BytesMut;
use draftgate_core::{Codec, Event, Message, Outbox};

use crate::{error::Fault, kit::Kit};

/// How many messages of which sender a read completed.
pub(crate) type Tally = Vec<(usize, u64)>;

/// One connection's incoming side.
pub(crate) struct Reader {
    kit: Arc<Kit>,
    /// The place in its ring of the next message of each sender.
    next: Box<[usize]>,
    /// Whose message the next octets are of.
    sender: usize,
    /// So many octets of it were there, all as they should be.
    part: usize,
    /// None for what has no frames.
    codec: Option<Box<dyn Codec>>,
    /// What the codec has not taken, while it is the one that reads.
    input: BytesMut,
    /// The first octets of a message that may be of more than one sender.
    held: Vec<u8>,
    by_codec: bool,
    /// Messages that the codec read.
    pub(crate) decoded: u64,
}

impl Reader {
    /// `codec` is open.
    pub(crate) fn new(kit: Arc<Kit>, codec: Option<Box<dyn Codec>>) -> Self {
        Self {
            next: vec![0; kit.rings.len()].into(),
            kit,
            sender: 0,
            part: 0,
            codec,
            input: BytesMut::new(),
            held: Vec::new(),
            by_codec: false,
            decoded: 0,
        }
    }

    /// Takes what was read. What it completed is added to `tally`; what the
    /// draft demands as an answer goes to `out`.
    ///
    /// # Errors
    /// It is not what should have come.
    pub(crate) fn take(
        &mut self,
        input: &[u8],
        tally: &mut Tally,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        if self.held.is_empty() {
            return self.take_next(input, tally, out);
        }
        let mut all = std::mem::take(&mut self.held);
        all.extend_from_slice(input);
        self.take_next(&all, tally, out)
    }

    fn take_next(
        &mut self,
        mut input: &[u8],
        tally: &mut Tally,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        if self.kit.only_counts() {
            self.count(input.len(), tally);
            return Ok(());
        }
        while !input.is_empty() {
            if self.by_codec {
                return self.decode(input, tally, out);
            }
            if self.part == 0 && self.next.len() > 1 && !self.choose(input) {
                self.held.extend_from_slice(input);
                return Ok(());
            }
            let run = &self.kit.expected[self.sender];
            let at = self.next[self.sender] * run.each + self.part;
            // With one sender there is nobody to change to at the boundary.
            let end = match self.next.len() {
                1 => run.octets.len(),
                _ => at + run.each - self.part,
            };
            let wanted = &run.octets[at..end.min(at + input.len())];
            let (now, later) = input.split_at(wanted.len());
            if now != wanted {
                self.by_codec = true;
                self.input
                    .extend_from_slice(&run.octets[at - self.part..at]);
                self.part = 0;
                continue;
            }
            let (whole, part) = divided(self.part + now.len(), run.each);
            self.part = part;
            self.completed(self.sender, whole, tally);
            input = later;
        }
        Ok(())
    }

    /// Finds out whose message begins with these octets. False if they are too few
    /// to tell.
    fn choose(&mut self, input: &[u8]) -> bool {
        let senders = self.next.len();
        let is_next = |sender: &usize| {
            let run = &self.kit.expected[*sender];
            let at = self.next[*sender] * run.each;
            let frame = &run.octets[at..at + run.each];
            let octets = frame.len().min(input.len());
            frame[..octets] == input[..octets]
        };
        let is_cut = |sender: &usize| input.len() < self.kit.expected[*sender].each;
        let turn = (1..=senders).map(|further| (self.sender + further) % senders);
        let mut fitting = turn.filter(is_next);
        let first = fitting.next();
        let others = fitting.next().is_some();
        if others && first.as_ref().is_some_and(is_cut) {
            return false;
        }
        self.sender = first.unwrap_or(self.sender);
        true
    }

    fn completed(&mut self, sender: usize, messages: usize, tally: &mut Tally) {
        if messages == 0 {
            return;
        }
        let ring = self.kit.rings[sender].len();
        let next = &mut self.next[sender];
        *next += messages;
        if *next >= ring {
            *next %= ring;
        }
        add(tally, sender, messages as u64);
    }

    fn count(&mut self, octets: usize, tally: &mut Tally) {
        let (whole, part) = divided(self.part + octets, self.kit.expected[0].each);
        self.part = part;
        add(tally, 0, whole as u64);
    }

    /// Reads by the draft's codec until it stands between two messages.
    fn decode(&mut self, input: &[u8], tally: &mut Tally, out: &mut Outbox) -> Result<(), Fault> {
        let Some(mut codec) = self.codec.take() else {
            return Err(Fault::Wrong("other octets than were sent".into()));
        };
        self.input.extend_from_slice(input);
        let done = self.decode_with(&mut *codec, tally, out);
        self.codec = Some(codec);
        done
    }

    fn decode_with(
        &mut self,
        codec: &mut dyn Codec,
        tally: &mut Tally,
        out: &mut Outbox,
    ) -> Result<(), Fault> {
        loop {
            let event = codec.receive(&mut self.input, out);
            match event.map_err(|violation| Fault::Violation(violation.to_string()))? {
                None => return Ok(()),
                Some(Event::Message(message)) => {
                    let sender = self.sender_of(&message)?;
                    self.decoded += 1;
                    self.completed(sender, 1, tally);
                }
                Some(Event::Close(close)) => return Err(Fault::Closed(close.map(|c| c.code))),
                Some(_) => {}
            }
            if self.input.is_empty() && !codec.is_within_message() {
                self.by_codec = false;
                self.input = BytesMut::new();
                return Ok(());
            }
        }
    }

    fn sender_of(&self, message: &Message) -> Result<usize, Fault> {
        let is_next = |sender: &usize| self.kit.rings[*sender][self.next[*sender]] == *message;
        (0..self.next.len()).find(is_next).ok_or_else(|| {
            let begin = &message.payload()[..message.len().min(24)];
            let begin = String::from_utf8_lossy(begin).escape_debug().to_string();
            Fault::Wrong(format!("{} octets, `{begin}`…", message.len()))
        })
    }

    /// The codec, to close with.
    pub(crate) fn codec(&mut self) -> Option<&mut dyn Codec> {
        match &mut self.codec {
            Some(codec) => Some(&mut **codec),
            None => None,
        }
    }
}

/// Quotient and remainder, without a division where there is less than one.
fn divided(octets: usize, each: usize) -> (usize, usize) {
    match octets < each {
        true => (0, octets),
        false => (octets / each, octets % each),
    }
}

fn add(tally: &mut Tally, sender: usize, messages: u64) {
    if messages == 0 {
        return;
    }
    match tally.last_mut() {
        Some((last, count)) if *last == sender => *count += messages,
        _ => tally.push((sender, messages)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        kit::{Speech, ring},
        target::Target,
    };

    #[test]
    fn messages_of_several_senders_may_be_cut_anywhere() {
        let target = Target::find("ws://127.0.0.1/bus/x".parse().unwrap(), false).unwrap();
        for draft in draftgate_drafts::spoken() {
            let rings = (0..3).map(|sender| ring(sender, 16, 2, false)).collect();
            let kit = Kit::new(Speech::Draft(draft), rings, &target).unwrap();
            let mut next = [0; 3];
            let mut octets = Vec::new();
            for sender in [1, 0, 2, 2, 1, 0] {
                let run = &kit.expected[sender];
                octets.extend_from_slice(&run.octets[next[sender] * run.each..][..run.each]);
                next[sender] += 1;
            }
            for size in 1..=octets.len() {
                let mut reader = Reader::new(Arc::clone(&kit), None);
                let (mut tally, mut out) = (Tally::new(), Outbox::new());
                for part in octets.chunks(size) {
                    reader.take(part, &mut tally, &mut out).unwrap();
                }
                let mut counted = [0; 3];
                tally.iter().for_each(|(of, count)| counted[*of] += count);
                assert_eq!(counted, [2, 2, 2], "{draft}, {size}");
            }
        }
    }
}
