//! A peer that breaks its draft is ended as the draft says, and nobody else
//! notices.

mod common;

use common::{
    Client, HIXIE_75, HIXIE_76, HYBI_13, KEY3, Raw, announced, config, gateway, is_challenged,
    opening, until, with_route,
};
use draftgate_core::Message;

#[tokio::test]
async fn a_breach_ends_its_own_connection_and_no_other() {
    let (running, address) = gateway(config());
    let mut others = Vec::new();
    for draft in announced() {
        others.push(Client::open(address, draft, "/bus/a").await);
    }
    let opening = HYBI_13.replace("/echo", "/bus/a");
    for (octets, code) in [
        // Unmasked, an unknown opcode, a reserved bit, 2^63 octets announced.
        (&b"\x81\x05Hello"[..], 1002_u16),
        (b"\x83\x80\x00\x00\x00\x00", 1002),
        (b"\xc1\x80\x00\x00\x00\x00", 1002),
        (
            b"\x82\xff\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
            1002,
        ),
        // 17 MiB announced, and text that is not UTF-8.
        (
            b"\x82\xff\x00\x00\x00\x00\x01\x10\x00\x00\x00\x00\x00\x00",
            1009,
        ),
        (b"\x81\x81\x00\x00\x00\x00\xff", 1007),
    ] {
        let mut raw = Raw::say(address, [opening.as_bytes(), octets].concat()).await;
        raw.head().await;
        let rest = raw.rest().await;
        assert_eq!(rest[0], 0x88, "{octets:x?} {rest:x?}");
        assert_eq!(rest[2..4], code.to_be_bytes(), "{octets:x?} {rest:x?}");
    }
    for octets in [
        &b"\x80\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"[..],
        b"\xff\x80\x80\x80\x80",
    ] {
        let request = HIXIE_76.replace("/echo", "/bus/a");
        let mut raw = Raw::say(address, [request.as_bytes(), KEY3, octets].concat()).await;
        raw.head().await;
        raw.exactly(16).await;
        drop(raw);
    }
    until("they have gone", || {
        running.counts().open == others.len() as u64
    })
    .await;
    others[0].send("Hello").await;
    for other in &mut others[1..] {
        assert_eq!(other.message().await, Message::from("Hello"));
    }
    assert!(running.ledger().balances(), "{}", running.ledger());
}

#[tokio::test]
async fn a_message_over_the_limit_ends_its_sender() {
    let (_running, address) = gateway(with_route("/echo", |route| {
        route.limits.message = 10;
        route.limits.frame = 10;
    }));
    for opening in [
        HIXIE_75.as_bytes().to_vec(),
        [HIXIE_76.as_bytes(), KEY3].concat(),
    ] {
        let mut raw = Raw::say(address, [&opening[..], b"\x000123456789\xff"].concat()).await;
        raw.head().await;
        if opening.ends_with(KEY3) {
            raw.exactly(16).await;
        }
        assert_eq!(raw.exactly(12).await, b"\x000123456789\xff");
        raw.write(b"\x000123456789a\xff").await;
        let rest = raw.rest().await;
        assert!(rest.is_empty() || rest == b"\xff\x00", "{rest:x?}");
    }
}

#[tokio::test]
async fn random_octets_hurt_nobody() {
    let (running, address) = gateway(config());
    let mut other = Client::open(address, announced()[1], "/echo").await;
    // A small generator with a fixed seed: the same octets in every run.
    let mut seed = 1_u64;
    let mut octet = || {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        (seed >> 32) as u8
    };
    let mut openings = vec![Vec::new()];
    for draft in announced() {
        let key3: &[u8] = if is_challenged(draft) { KEY3 } else { b"" };
        openings.push([opening(draft).as_bytes(), key3].concat());
    }
    for begun in openings.iter().cycle().take(100) {
        let noise: Vec<u8> = (0..300).map(|_| octet()).collect();
        drop(Raw::say(address, [&begun[..], &noise].concat()).await);
    }
    until("they came", || running.counts().accepted == 101).await;
    until("they have gone", || running.counts().connections == 1).await;
    other.send("Hello").await;
    assert_eq!(other.message().await, Message::from("Hello"));
}
