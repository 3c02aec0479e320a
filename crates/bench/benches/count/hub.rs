//! A message on its way to many: the hub, the translation, one encoding for
//! each class of drafts, and each subscriber's outbox.

use std::hint::black_box;

use draftgate_bench::{
    fanout::{Audience, Encoding},
    payload::{Size, ascii},
};
use draftgate_core::{Draft, Message};
use draftgate_drafts::spoken;

use crate::Case;

/// Subscribers, their drafts in turn.
const SUBSCRIBERS: usize = 120;

pub(crate) fn cases() -> Vec<Case> {
    let case = |size: Size| {
        let name = format!("hub/{SUBSCRIBERS}-subscribers/{}", size.0);
        Case::new(name, move || publish(size))
    };
    [Size(16), Size(1 << 10), Size(16 << 10)].map(case).into()
}

fn publish(size: Size) -> impl FnMut() {
    let drafts: Vec<Draft> = spoken().collect();
    let audience = Audience::new(SUBSCRIBERS, &drafts, Encoding::Shared);
    let message = Message::from(ascii(size));
    move || {
        audience.publish(black_box(&message).clone());
    }
}
