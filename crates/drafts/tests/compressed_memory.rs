//! What compression makes a connection allocate. One test alone in its file,
//! because the allocator counts for the whole process.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use std::sync::Arc;

use bytes::BytesMut;
use common::pair_that;
use draftgate_core::{Codec, Draft, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::compression::{Offers, Settings};
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const MIB: usize = 1 << 20;

const LIMITS: Limits = Limits {
    frame: 16 << 20,
    message: 1 << 20,
    fragments: 1000,
    strictness: draftgate_core::Strictness::STRICT,
};

fn pair(takeover: bool) -> (Box<dyn Codec>, Box<dyn Codec>) {
    let settings = Settings {
        takeover,
        ..Settings::default()
    };
    let offers = Arc::new(Offers { settings });
    pair_that(Draft::Hybi13, LIMITS, &[0], Some(offers), Some(settings))
}

fn say(codec: &mut dyn Codec, length: usize) -> BytesMut {
    let mut out = Outbox::new();
    let message = Message::Binary(vec![0; length].into());
    codec.send(Outgoing::Message(message), &mut out).unwrap();
    BytesMut::from(&out.take_all()[..])
}

/// What `codec` allocates at most while it takes `octets`, and what it keeps.
fn taken(codec: &mut dyn Codec, mut octets: BytesMut) -> (usize, usize, bool) {
    let before = PeakAlloc.current_usage();
    PeakAlloc.reset_peak_usage();
    let mut failed = false;
    loop {
        match codec.receive(&mut octets, &mut Outbox::new()) {
            Ok(Some(_)) => {}
            Ok(None) => break,
            Err(breach) => {
                codec.fail(&breach, &mut Outbox::new());
                failed = true;
                break;
            }
        }
    }
    drop(octets);
    let after = PeakAlloc.current_usage();
    let peak = PeakAlloc.peak_usage().saturating_sub(before);
    (peak, after.saturating_sub(before), failed)
}

#[test]
fn a_bomb_costs_the_limit_for_messages_and_who_keeps_no_context_keeps_nothing() {
    for takeover in [false, true] {
        let (mut client, mut server) = pair(takeover);
        // What the thread lends is made on first use.
        let (_, first, failed) = taken(&mut *client, say(&mut *server, MIB / 2));
        assert!(!failed);
        let (_, second, _) = taken(&mut *client, say(&mut *server, MIB / 2));
        assert!(second == 0, "{takeover}: {second} octets more");
        assert!(first < 128 << 10, "{takeover}: {first} octets");
        // 64 times the limit in less than 70 KiB.
        let bomb = say(&mut *server, 64 * MIB);
        assert!(bomb.len() < 70 << 10, "{}", bomb.len());
        let (peak, _, failed) = taken(&mut *client, bomb);
        assert!(failed);
        let most = 2 * MIB + (128 << 10);
        assert!(peak <= most, "{takeover}: {peak} octets");
    }
    // Any number of connections whose messages stand alone.
    let mut ends: Vec<_> = (0..100).map(|_| pair(false)).collect();
    let (mut client, mut server) = pair(false);
    taken(&mut *client, say(&mut *server, 1000));
    let before = PeakAlloc.current_usage();
    for (client, server) in &mut ends {
        let octets = say(&mut **server, 1000);
        let (_, _, failed) = taken(&mut **client, octets);
        assert!(!failed);
    }
    let kept = PeakAlloc.current_usage().saturating_sub(before);
    assert!(kept < 16 << 10, "{kept} octets for {} pairs", ends.len());
}
