//! Messages that were said in one breath, on their way to many peers.
//!
//! A subscriber takes all of them at once and is written all of them at once,
//! so that sixteen messages cost it little more than one. They are joined once
//! for each [`WireClass`]; whoever cannot take them together (its socket is
//! full, its draft cannot say one of them) has them [one by one](Batch::items).

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};

use crate::{Message, Rendering, SendError, Shared, WireClass};

/// What a message is shared by, whatever else travels with it.
pub type Sharing = Arc<dyn AsRef<Shared> + Send + Sync>;

/// Messages in one rendering, in their order.
pub struct Batch {
    rendering: Rendering,
    items: Vec<(Sharing, Message)>,
    payload: usize,
    binary: usize,
    joined: Mutex<Vec<(WireClass, Option<Arc<Joined>>)>>,
}

/// A batch as peers of one class are sent it.
#[derive(Debug, PartialEq, Eq)]
pub struct Joined {
    /// The encodings, one behind the other.
    pub octets: Bytes,
    /// Where each message ends in them.
    pub ends: Vec<usize>,
}

impl Batch {
    /// Each message with what shares it; the message is what
    /// [`Shared::rendered`] gives for `rendering`.
    pub fn new(rendering: Rendering, items: Vec<(Sharing, Message)>) -> Self {
        Self {
            rendering,
            payload: items.iter().map(|(_, message)| message.len()).sum(),
            binary: items
                .iter()
                .filter(|(_, message)| matches!(message, Message::Binary(_)))
                .count(),
            items,
            joined: Mutex::default(),
        }
    }

    /// The form that all of them are in.
    pub fn rendering(&self) -> Rendering {
        self.rendering
    }

    /// The messages.
    pub fn items(&self) -> &[(Sharing, Message)] {
        &self.items
    }

    /// Octets of all payloads.
    pub fn payload(&self) -> usize {
        self.payload
    }

    /// How many of them are binary.
    pub fn binary(&self) -> usize {
        self.binary
    }

    /// The octets of all of them for peers of `class`, made on first use out of
    /// what `encode` makes of each; `None` if one of them cannot be said.
    pub fn joined(
        &self,
        class: WireClass,
        mut encode: impl FnMut(&Message) -> Result<Bytes, SendError>,
    ) -> Option<Arc<Joined>> {
        // The list is whole after every push, so a panic elsewhere harms nothing.
        let mut made = self.joined.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, joined)) = made.iter().find(|(of, _)| *of == class) {
            return joined.clone();
        }
        let mut octets = BytesMut::with_capacity(self.payload + 16 * self.items.len());
        let mut ends = Vec::with_capacity(self.items.len());
        let said = self.items.iter().try_for_each(|(sharing, message)| {
            let shared = (**sharing).as_ref();
            octets.extend_from_slice(&shared.encoded(class, self.rendering, || encode(message))?);
            ends.push(octets.len());
            Ok::<_, SendError>(())
        });
        let joined = said.ok().map(|()| {
            let octets = octets.freeze();
            Arc::new(Joined { octets, ends })
        });
        made.push((class, joined.clone()));
        joined
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let messages = self.items.iter().map(|(_, message)| message);
        f.debug_struct("Batch")
            .field("rendering", &self.rendering)
            .field("messages", &messages.collect::<Vec<_>>())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Alone(Shared);

    impl AsRef<Shared> for Alone {
        fn as_ref(&self) -> &Shared {
            &self.0
        }
    }

    fn batch(messages: &[Message]) -> Batch {
        let item = |message: &Message| {
            let sharing: Sharing = Arc::new(Alone(Shared::new(message.clone())));
            (sharing, message.clone())
        };
        Batch::new(Rendering::AsIs, messages.iter().map(item).collect())
    }

    #[test]
    fn it_is_joined_once_for_each_class() {
        let batch = batch(&["Hel".into(), Message::Binary(Bytes::from_static(b"lo"))]);
        assert_eq!((batch.payload(), batch.binary()), (5, 1));
        let mut calls = 0;
        for _ in 0..3 {
            for class in [WireClass::Sentinel, WireClass::Hybi07] {
                let joined = batch.joined(class, |message| {
                    calls += 1;
                    Ok(Bytes::copy_from_slice(message.payload()))
                });
                let joined = joined.unwrap();
                assert_eq!(
                    (&joined.octets[..], &joined.ends[..]),
                    (&b"Hello"[..], &[3, 5][..])
                );
            }
        }
        assert_eq!(calls, 4);
    }

    #[test]
    fn where_one_cannot_be_said_nothing_is_joined() {
        let batch = batch(&["a".into(), "b".into()]);
        for _ in 0..2 {
            let joined = batch.joined(WireClass::Hybi07, |message| match &**message.payload() {
                b"b" => Err(SendError::Closing),
                _ => Ok(Bytes::new()),
            });
            assert_eq!(joined, None);
        }
        let first = batch.items()[0].0.as_ref().as_ref();
        assert_eq!(first.encodings(), 1);
    }
}
