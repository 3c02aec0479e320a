//! Times of what every message goes through, per draft and size, for whoever
//! changes one of these routines. `memcpy` at the end of each size is the
//! yardstick of the same run; ratios that hold are the program `ratios`'s.

use std::fmt;

use bytes::{Bytes, BytesMut};
use divan::{Bencher, black_box, counter::BytesCount};
use draftgate_bench::{
    ends::{decode, encode, frame, pair},
    keep_memory,
    payload::{Copied, SIZES, Size, ascii, mixed},
};
use draftgate_core::{Codec, Draft, Message, Outbox};
use draftgate_drafts::{RandomKeys, spoken};
use draftgate_wire::{Utf8, mask};

fn main() {
    keep_memory();
    divan::main();
}

/// A draft and a payload's size.
struct Case(Draft, Size);

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0, self.1)
    }
}

fn cases() -> Vec<Case> {
    let sizes = |draft| SIZES.map(|size| Case(draft, size));
    spoken().flat_map(sizes).collect()
}

#[divan::bench(args = SIZES)]
fn memcpy(bencher: Bencher<'_, '_>, size: &Size) {
    let from = vec![b'x'; size.0];
    let mut copied = Copied::new(&from);
    bencher
        .counter(BytesCount::new(size.0))
        .bench_local(|| copied.copy());
}

#[divan::bench(name = "mask", args = SIZES)]
fn masking(bencher: Bencher<'_, '_>, size: &Size) {
    let mut octets = mixed(*size).into_bytes();
    let key = [0x37, 0xfa, 0x21, 0x3d];
    bencher
        .counter(BytesCount::new(size.0))
        .bench_local(|| mask(black_box(&mut octets), black_box(key), black_box(0)));
}

#[divan::bench(args = SIZES)]
fn validate_ascii(bencher: Bencher<'_, '_>, size: &Size) {
    validate(bencher, &ascii(*size));
}

#[divan::bench(args = SIZES)]
fn validate_mixed_text(bencher: Bencher<'_, '_>, size: &Size) {
    validate(bencher, &mixed(*size));
}

fn validate(bencher: Bencher<'_, '_>, text: &str) {
    bencher
        .counter(BytesCount::of_str(text))
        .bench_local(|| Utf8::default().push(black_box(text.as_bytes())));
}

#[divan::bench(args = SIZES)]
fn search_the_sentinel(bencher: Bencher<'_, '_>, size: &Size) {
    let mut octets = ascii(*size).into_bytes();
    octets.push(0xff);
    bencher
        .counter(BytesCount::new(size.0))
        .bench_local(|| memchr::memchr(0xff, black_box(&octets)));
}

#[divan::bench(args = cases())]
fn encode_as_client(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut client, _) = pair(case.0, &mut RandomKeys);
    encode_text(bencher, &mut *client, case.1);
}

#[divan::bench(args = cases())]
fn encode_as_server(bencher: Bencher<'_, '_>, case: &Case) {
    let (_, mut server) = pair(case.0, &mut RandomKeys);
    encode_text(bencher, &mut *server, case.1);
}

fn encode_text(bencher: Bencher<'_, '_>, end: &mut dyn Codec, size: Size) {
    let message = Message::from(mixed(size));
    let mut out = Outbox::new();
    bencher
        .counter(BytesCount::new(size.0))
        .bench_local(|| encode(end, black_box(&message), &mut out));
}

#[divan::bench(args = cases())]
fn decode_as_client(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut client, mut server) = pair(case.0, &mut RandomKeys);
    let octets = frame(&mut *server, mixed(case.1).into());
    decode_text(bencher, &mut *client, &octets);
}

#[divan::bench(args = cases())]
fn decode_as_server(bencher: Bencher<'_, '_>, case: &Case) {
    let (mut client, mut server) = pair(case.0, &mut RandomKeys);
    let octets = frame(&mut *client, mixed(case.1).into());
    decode_text(bencher, &mut *server, &octets);
}

/// Text with one octet in a thousand that is not UTF-8. All drafts that put
/// U+FFFD in its place do it by one routine; hixie's frames are those that need
/// no codec to be written wrong.
#[divan::bench(args = SIZES)]
fn decode_and_repair(bencher: Bencher<'_, '_>, size: &Size) {
    let mut octets = vec![0];
    octets.extend(mixed(*size).into_bytes());
    for octet in octets.iter_mut().skip(8).step_by(1000) {
        *octet = 0xfe;
    }
    octets.push(0xff);
    let (_, mut server) = pair(Draft::Hixie76, &mut RandomKeys);
    decode_text(bencher, &mut *server, &Bytes::from(octets));
}

fn decode_text(bencher: Bencher<'_, '_>, end: &mut dyn Codec, octets: &Bytes) {
    let (mut input, mut out) = (BytesMut::new(), Outbox::new());
    bencher
        .counter(BytesCount::new(octets.len()))
        .bench_local(|| decode(end, black_box(octets), &mut input, &mut out));
}
