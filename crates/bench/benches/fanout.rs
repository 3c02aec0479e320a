//! Times of one message on its way to 1,000 subscribers of mixed drafts: all
//! that the hub, the translation and the codecs do before the sockets.

use divan::{Bencher, black_box, counter::ItemsCount};
use draftgate_bench::{
    fanout::{Audience, Encoding},
    keep_memory,
    payload::{SIZES, Size, mixed},
};
use draftgate_core::{Draft, Message};
use draftgate_drafts::spoken;

const SUBSCRIBERS: usize = 1000;

fn main() {
    keep_memory();
    divan::main();
}

#[divan::bench(args = SIZES)]
fn text_encoded_once_per_class(bencher: Bencher<'_, '_>, size: &Size) {
    publish(bencher, Encoding::Shared, &mixed(*size).into());
}

#[divan::bench(args = SIZES)]
fn text_encoded_for_each(bencher: Bencher<'_, '_>, size: &Size) {
    publish(bencher, Encoding::Each, &mixed(*size).into());
}

/// As base64 where a draft has no binary.
#[divan::bench(args = SIZES)]
fn binary_encoded_once_per_class(bencher: Bencher<'_, '_>, size: &Size) {
    let binary = Message::Binary(mixed(*size).into_bytes().into());
    publish(bencher, Encoding::Shared, &binary);
}

fn publish(bencher: Bencher<'_, '_>, encoding: Encoding, message: &Message) {
    let drafts: Vec<Draft> = spoken().collect();
    let audience = Audience::new(SUBSCRIBERS, &drafts, encoding);
    bencher
        .counter(ItemsCount::new(SUBSCRIBERS))
        .bench_local(|| audience.publish(black_box(message.clone())));
}
