//! Channels that connect peers of different drafts: the hub of one process.
//!
//! It opens no socket, starts no task and knows no draft: it hands each
//! message, in the channel's order, to every subscriber's own bounded queue
//! and keeps the ledger of what was delivered and what was lost and why. It
//! does not translate; subscribers do, and share what they made through
//! [`Envelope::shared`].
//!
//! ```
//! use std::sync::{Arc, Mutex};
//! use draftgate_bus::{Delivery, Envelope, Hub, Verdict};
//! use draftgate_core::{Draft, Message, Speaker};
//!
//! #[derive(Default)]
//! struct Queue(Mutex<Vec<Arc<Envelope>>>);
//! impl Delivery for Queue {
//!     fn deliver(&self, envelope: &Arc<Envelope>) -> Verdict {
//!         self.0.lock().unwrap().push(Arc::clone(envelope));
//!         Verdict::Delivered
//!     }
//! }
//!
//! let hub = Hub::new();
//! let channel = "chat".parse()?;
//! let (old, new) = (Arc::new(Queue::default()), Arc::new(Queue::default()));
//! let device = hub.subscribe(&channel, Speaker::new("c1", Draft::Hixie76), old.clone());
//! let browser = hub.subscribe(&channel, Speaker::new("c2", Draft::Hybi13), new.clone());
//! let published = device.publish(Message::from("Hello"), false);
//! assert_eq!((published.delivered, published.dropped), (1, 0));
//! assert_eq!(new.0.lock().unwrap()[0].shared.message(), &Message::from("Hello"));
//! assert!(old.0.lock().unwrap().is_empty() && hub.ledger().balances());
//! # drop(browser);
//! # Ok::<(), draftgate_bus::ChannelError>(())
//! ```

mod channel;
mod envelope;
mod flush;
mod history;
mod hub;
mod ledger;
mod room;

pub use channel::{CHANNEL_OCTETS, Channel, ChannelError};
pub use envelope::{Burst, Delivery, Envelope, Verdict};
pub use flush::Flush;
pub use history::{Bounds, Gap, Mark, Missed, NotAMark, REMEMBERED};
pub use hub::{Hub, Kept, Listening, Subscription};
pub use ledger::{Ledger, Reason};
pub use room::Published;
