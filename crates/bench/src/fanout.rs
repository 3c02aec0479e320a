//! A channel with many subscribers, as the gateway has one, but for sockets:
//! each translates, encodes once per class, and puts the octets where a write
//! would take them from.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::{Buf, Bytes};
use draftgate_bus::{Channel, Delivery, Envelope, Hub, Reason, Subscription, Verdict};
use draftgate_core::{Codec, Draft, Message, Outbox, Outgoing, SendError, Speaker};
use draftgate_drafts::RandomKeys;
use draftgate_translate::{self as translate, BinaryPolicy, Outcome, Policy};

use crate::ends::pair;

/// Binary goes to everyone: as base64 where a draft has none.
const POLICY: Policy = Policy {
    binary: BinaryPolicy::Base64,
    base64: false,
    envelope: false,
};

/// Whether what peers of one class are sent is made once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Once per class, as the gateway does.
    Shared,
    /// Anew for each subscriber, to compare with.
    Each,
}

/// A hub with one channel.
#[derive(Debug)]
pub struct Audience {
    hub: Hub,
    channel: Channel,
    _places: Vec<Subscription>,
}

impl Audience {
    /// `count` subscribers, whose drafts are `drafts` in turn.
    ///
    /// # Panics
    /// If there are no drafts.
    pub fn new(count: usize, drafts: &[Draft], encoding: Encoding) -> Self {
        let hub = Hub::new();
        let channel: Channel = "chat".parse().expect("a good name");
        let places = (0..count).map(|i| {
            let draft = drafts[i % drafts.len()];
            let (_, codec) = pair(draft, &mut RandomKeys);
            let out = Outbox::new();
            let seat = Seat {
                encoding,
                writer: Mutex::new(Writer { codec, out }),
            };
            let speaker = Speaker::new(format!("c{i}"), draft);
            hub.subscribe(&channel, speaker, seat)
        });
        Self {
            _places: places.collect(),
            hub,
            channel,
        }
    }

    /// Publishes `message`, and returns how many got it.
    pub fn publish(&self, message: Message) -> u64 {
        self.hub.publish(&self.channel, message, None).delivered
    }
}

struct Seat {
    encoding: Encoding,
    writer: Mutex<Writer>,
}

struct Writer {
    codec: Box<dyn Codec>,
    out: Outbox,
}

impl Writer {
    fn encode(&mut self, message: Message) -> Result<Bytes, SendError> {
        let mut scratch = Outbox::new();
        self.codec.send(Outgoing::Message(message), &mut scratch)?;
        Ok(scratch.take_all())
    }

    /// Takes `octets`, and forgets them as if a socket had taken them.
    fn write(&mut self, octets: &Bytes) {
        self.out.put_shared(octets);
        self.out.advance(self.out.len());
    }
}

impl Delivery for Seat {
    fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let message = envelope.shared.message();
        let capabilities = writer.codec.capabilities();
        let decided = translate::message(&envelope.shared, &capabilities, &POLICY);
        let Outcome::Send(rendering) = decided else {
            return Verdict::Dropped(Reason::NoBinary);
        };
        let render = |message: &Message| translate::render(message, rendering, None);
        let octets = match (self.encoding, writer.codec.wire_class()) {
            (Encoding::Shared, Some(class)) => {
                let message = envelope.shared.rendered(rendering, render);
                envelope
                    .shared
                    .encoded(class, rendering, || writer.encode(message))
            }
            _ => writer.encode(render(message)),
        };
        match octets {
            Ok(octets) => writer.write(&octets),
            Err(_) => return Verdict::Dropped(Reason::Unsendable),
        }
        Verdict::Delivered
    }
}

#[cfg(test)]
mod tests {
    use draftgate_drafts::spoken;

    use super::*;

    #[test]
    fn text_and_binary_reach_every_subscriber_of_mixed_drafts() {
        let drafts: Vec<Draft> = spoken().collect();
        for encoding in [Encoding::Shared, Encoding::Each] {
            let audience = Audience::new(20, &drafts, encoding);
            assert_eq!(audience.publish("Hello".into()), 20);
            let binary = Message::Binary(Bytes::from_static(b"\xca\xfe"));
            assert_eq!(audience.publish(binary), 20, "{encoding:?}");
        }
    }
}
