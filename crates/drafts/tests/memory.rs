//! What a peer can make a codec allocate: never more than twice what it sent
//! and one chunk. One test alone in its file, because the allocator counts for
//! the whole process.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use bytes::{Buf, BytesMut};
use common::{ROLES, end};
use draftgate_core::{Codec, Draft, Limits, Outbox, Role};
use draftgate_drafts::spoken;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// One read of the driver.
const CHUNK: usize = 64 << 10;

/// The most that was allocated beyond what `octets`, fed in runs of `size`,
/// take themselves; and how many were fed before the codec had enough.
fn peak(codec: &mut dyn Codec, octets: &[u8], size: usize) -> (usize, usize) {
    let mut out = Outbox::new();
    let mut fed = 0;
    let before = PeakAlloc.current_usage();
    PeakAlloc.reset_peak_usage();
    'feed: for run in octets.chunks(size) {
        let mut input = BytesMut::from(run);
        fed += run.len();
        loop {
            match codec.receive(&mut input, &mut out) {
                // The driver writes, and decodes nothing more above 64 KiB of answers.
                Ok(Some(_)) => out.advance(out.len()),
                Ok(None) => break,
                Err(breach) => {
                    codec.fail(&breach, &mut out);
                    break 'feed;
                }
            }
        }
        assert!(
            input.len() < 200,
            "a codec leaves no more than a control frame"
        );
    }
    (PeakAlloc.peak_usage().saturating_sub(before), fed)
}

fn hybi(role: Role, head: &[u8], length: usize) -> Vec<u8> {
    let mut frame = head.to_vec();
    if role == Role::Server {
        frame[1] |= 0x80;
        frame.extend([0; 4]);
    }
    frame.resize(frame.len() + length, b'x');
    frame
}

fn attacks(draft: Draft, role: Role) -> Vec<(&'static str, Vec<u8>)> {
    const MIB: usize = 1 << 20;
    if draft.version().is_none() {
        return vec![
            ("an endless text", [&[0][..], &vec![b'x'; 8 * MIB]].concat()),
            (
                "a long text",
                [&[0][..], &vec![b'x'; 8 * MIB], &[0xff]].concat(),
            ),
            (
                "a text of nothing but bad octets",
                [&[0][..], &vec![0xfe; 8 * MIB], &[0xff]].concat(),
            ),
            (
                "a text with as many bad octets as are repaired",
                [&[0][..], &vec![0xfe; 16 << 10], &vec![b'x'; MIB], &[0xff]].concat(),
            ),
            (
                "an endless unknown frame",
                [&[1][..], &vec![b'x'; 8 * MIB]].concat(),
            ),
            ("an endless length", vec![0x80; MIB]),
            (
                "a giant that is discarded",
                [&[0x80, 0x87, 0xff, 0xff, 0x7f][..], &vec![0; 8 * MIB]].concat(),
            ),
            (
                "a giant that is announced",
                vec![0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            ),
            ("a million empty texts", [0, 0xff].repeat(MIB)),
        ];
    }
    let giant = [0x82, 127, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let largest = [0x82, 127, 0, 0, 0, 0, 0x01, 0, 0, 0];
    let fragments = |opcode: u8, length: usize, count: usize| {
        let frame = |opcode| match length {
            0..=125 => hybi(role, &[opcode, length as u8], length),
            _ => {
                let [high, low] = (length as u16).to_be_bytes();
                hybi(role, &[opcode, 126, high, low], length)
            }
        };
        [frame(opcode), frame(0).repeat(count), frame(0x80)].concat()
    };
    vec![
        ("a giant that is announced", hybi(role, &giant, 0)),
        ("the largest frame, announced", hybi(role, &largest, 0)),
        (
            "the largest frame, half of it",
            hybi(role, &largest, 8 * MIB),
        ),
        ("the largest frame", hybi(role, &largest, 16 * MIB)),
        ("empty fragments", fragments(2, 0, 70_000)),
        ("fragments of one octet", fragments(1, 1, 70_000)),
        ("fragments of 125 octets", fragments(2, 125, 65_000)),
        ("fragments that lie across reads", fragments(2, 2500, 1500)),
        ("long fragments", fragments(2, 33_000, 100)),
        ("pings", hybi(role, &[0x89, 0], 0).repeat(10_000)),
    ]
}

#[test]
fn no_peer_makes_us_allocate_more_than_twice_what_it_sent_and_a_chunk() {
    for draft in spoken() {
        for role in ROLES {
            for (attack, octets) in attacks(draft, role) {
                // Long inputs octet by octet cost minutes and show nothing new.
                let sizes: &[usize] = if octets.len() > 1 << 20 {
                    &[CHUNK, 4096, 1400]
                } else {
                    &[CHUNK, 4096, 1400, 1]
                };
                for size in sizes {
                    let (mut codec, _) = end(draft, role, Limits::default());
                    let (peak, fed) = peak(&mut *codec, &octets, *size);
                    let allowed = 2 * fed + CHUNK;
                    assert!(
                        peak <= allowed,
                        "{draft} as {role:?}, {attack} in runs of {size}: {peak} for {fed}"
                    );
                }
            }
        }
    }
}
