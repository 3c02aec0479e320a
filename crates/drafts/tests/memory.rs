//! What a peer can make a codec allocate: never more than twice what it sent
//! and one chunk. One test alone in its file, because the allocator counts for
//! the whole process.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use bytes::{Buf, BytesMut};
use common::{ROLES, end, pair_with};
use draftgate_core::{Codec, Draft, Limits, Outbox, Role, Strictness};
use draftgate_drafts::spoken;
use draftgate_testkit::forged::{Kind, announcing, frame, has_headers};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// One read of the driver.
const CHUNK: usize = 64 << 10;

/// Handles of shared buffers: no octets of the peer's.
const BOOKKEEPING: usize = 128;

/// Before hybi-08, control frames up to this length are taken, and a header
/// with its key before it.
const LONGEST_CONTROL: usize = 0xffff + 14;

/// The most that was allocated beyond what `octets`, fed in runs of `size`,
/// take themselves; and how many were fed before the codec had enough.
fn peak(codec: &mut dyn Codec, octets: &[u8], size: usize) -> (usize, usize) {
    let mut out = Outbox::new();
    let mut fed = 0;
    let before = PeakAlloc.current_usage();
    PeakAlloc.reset_peak_usage();
    let mut input = BytesMut::new();
    'feed: for run in octets.chunks(size) {
        match input.is_empty() {
            true => input = BytesMut::from(run),
            false => input.extend_from_slice(run),
        }
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
            input.len() < LONGEST_CONTROL,
            "a codec leaves no more than a control frame"
        );
    }
    (PeakAlloc.peak_usage().saturating_sub(before), fed)
}

const MIB: usize = 1 << 20;

/// Below the defaults, to be reached sooner.
const LIMITS: Limits = Limits {
    frame: 4 << 20,
    message: 4 << 20,
    fragments: 65_536,
    strictness: Strictness::STRICT,
};

/// What is tried on the end of `draft` that plays `role`.
fn attacks(draft: Draft, role: Role) -> Vec<(&'static str, Vec<u8>)> {
    let (client, server) = pair_with(draft, LIMITS, &[0]);
    let mut attacker = match role {
        Role::Client => server,
        Role::Server => client,
    };
    let codec = &mut *attacker;
    if !has_headers(codec) {
        return vec![
            ("an endless text", [&[0][..], &vec![b'x'; 2 * MIB]].concat()),
            (
                "a long text",
                [&[0][..], &vec![b'x'; 2 * MIB], &[0xff]].concat(),
            ),
            (
                "a text of nothing but bad octets",
                [&[0][..], &vec![0xfe; MIB / 2], &[0xff]].concat(),
            ),
            (
                "a text with as many bad octets as are repaired",
                [&[0][..], &vec![0xfe; 16 << 10], &vec![b'x'; MIB], &[0xff]].concat(),
            ),
            (
                "an endless unknown frame",
                [&[1][..], &vec![b'x'; 2 * MIB]].concat(),
            ),
            ("an endless length", vec![0x80; MIB]),
            (
                "a giant that is discarded",
                [&[0x80, 0x81, 0x80, 0x80, 0x00][..], &vec![0; 2 * MIB]].concat(),
            ),
            (
                "a giant that is announced",
                vec![0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
            ),
            ("a hundred thousand empty texts", [0, 0xff].repeat(100_000)),
        ];
    }
    let mut fragments = |kind, payload: &[u8], count: usize| {
        let first = frame(codec, kind, payload, false);
        let next = frame(codec, Kind::Continuation, payload, false);
        let last = frame(codec, Kind::Continuation, payload, true);
        [first, next.repeat(count), last].concat()
    };
    let (text, binary) = (Kind::Text, Kind::Binary);
    let mut all = vec![
        ("empty fragments", fragments(binary, b"", 70_000)),
        ("empty fragments of text", fragments(text, b"", 70_000)),
        ("some fragments of text", fragments(text, b"x", 10_000)),
        ("fragments of one octet", fragments(text, b"x", 70_000)),
        ("fragments of 125", fragments(binary, &[b'x'; 125], 30_000)),
        (
            "fragments across reads",
            fragments(binary, &[7; 2500], 1500),
        ),
        ("long fragments", fragments(binary, &[7; 33_000], 100)),
        ("fragments of bad text", fragments(text, &[0xfe; 2500], 200)),
    ];
    for (name, length) in [
        ("a giant that is announced", (1 << 63) - 1),
        ("a giant beyond 63 bits", 1 << 63),
        ("the greatest giant", u64::MAX),
        ("a frame one above the limit", (4 * MIB + 1) as u64),
        ("the largest frame, announced", 4 * MIB as u64),
    ] {
        all.push((name, announcing(codec, length)));
    }
    let announced = announcing(codec, 4 * MIB as u64);
    let half = [announced, vec![b'x'; 2 * MIB]].concat();
    all.push(("the largest frame, half of it", half));
    for (name, kind, octet, length) in [
        ("the largest frame", binary, b'x', 4 * MIB),
        ("a long text", text, b'x', 2 * MIB),
        ("a text of bad octets", text, 0xfe, MIB / 2),
        ("a ping beyond its length", Kind::Ping, b'p', 126),
        ("a ping of 65,535 octets", Kind::Ping, b'p', 0xffff),
        ("a pong of 64 KiB", Kind::Pong, b'p', CHUNK),
    ] {
        all.push((name, frame(codec, kind, &vec![octet; length], true)));
    }
    let mut many =
        |kind, length, count| frame(codec, kind, &vec![b'p'; length], true).repeat(count);
    let pings = many(Kind::Ping, 0, 10_000);
    all.extend([
        ("long pings", many(Kind::Ping, 125, 10_000)),
        ("pings of 65,535 octets", many(Kind::Ping, 0xffff, 20)),
        ("pongs that answer nothing", many(Kind::Pong, 125, 10_000)),
    ]);
    let begun = frame(codec, text, &[b'x'; 30_000], false);
    all.push(("pings inside a message", [&begun[..], &pings].concat()));
    all.push(("pings", pings));
    all
}

#[test]
fn no_peer_makes_us_allocate_more_than_twice_what_it_sent_and_a_chunk() {
    for draft in spoken() {
        for role in ROLES {
            for (attack, octets) in attacks(draft, role) {
                // Long inputs octet by octet cost minutes and show nothing new.
                let sizes: &[usize] = if octets.len() > 128 << 10 {
                    &[CHUNK, 4096, 1400]
                } else {
                    &[CHUNK, 4096, 1400, 1]
                };
                for size in sizes {
                    let (mut codec, _) = end(draft, role, LIMITS);
                    let (peak, fed) = peak(&mut *codec, &octets, *size);
                    let allowed = 2 * fed + CHUNK + BOOKKEEPING;
                    assert!(
                        peak <= allowed,
                        "{draft} as {role:?}, {attack} in runs of {size}: {peak} for {fed}"
                    );
                }
            }
        }
    }
}
