//! Which connections are WebSocket, who the client is, and what is left out.

use super::*;
use crate::Why;
use Role::{Client, Server};

fn whole(request: &[u8]) -> Vec<Packet> {
    let mut packets = opened();
    packets.push(client(101, request).ack(201));
    packets.push(server(201, ANSWER).ack(101 + request.len() as u32));
    packets
}

fn why(packets: &[Packet], hints: Hints) -> Vec<Why> {
    let found = found_with(packets, Bounds::default(), hints);
    left_out(&found).iter().map(|it| it.why).collect()
}

fn draft(packets: &[Packet], hints: Hints) -> Draft {
    match &found_with(packets, Bounds::default(), hints)[..] {
        [Found::Conversation(one)] => one.draft,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_request_tells_the_draft() {
    assert_eq!(draft(&whole(REQUEST), Hints::default()), Draft::Hybi13);
    let hybi07 = String::from_utf8_lossy(REQUEST).replace("Version: 13", "Version: 7");
    assert_eq!(
        draft(&whole(hybi07.as_bytes()), Hints::default()),
        Draft::Hybi07
    );
    let hybi07 = whole(hybi07.as_bytes());
    assert_eq!(
        draft(&hybi07, hints()),
        Draft::Hybi07,
        "a hint overrides no request"
    );
}

#[test]
fn what_is_no_websocket_is_left_out() {
    for other in [
        &b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"[..],
        b"POST / HTTP/1.1\r\n",
        b"\x16\x03\x01",
        b"GEX",
    ] {
        assert_eq!(
            why(&whole(other), Hints::default()),
            [Why::NotWebSocket],
            "{other:?}"
        );
    }
    assert_eq!(why(&opened(), Hints::default()), [Why::Empty]);
}

#[test]
fn a_request_that_no_draft_takes_needs_its_draft_named() {
    let unknown = String::from_utf8_lossy(REQUEST).replace("Version: 13", "Version: 99");
    let packets = whole(unknown.as_bytes());
    assert_eq!(why(&packets, Hints::default()), [Why::DraftUnknown]);
    let named = Hints {
        draft: Some(Draft::Hybi08),
        ..Hints::default()
    };
    assert_eq!(draft(&packets, named), Draft::Hybi08);
}

#[test]
fn without_a_request_port_and_draft_must_be_named() {
    let middle = [
        server(9_000, b"xy").ack(4_000),
        client(4_000, b"abc").ack(9_002),
    ];
    assert_eq!(why(&middle, Hints::default()), [Why::MidStream]);
    let port = Hints {
        ports: vec![80],
        draft: None,
    };
    assert_eq!(why(&middle, port), [Why::DraftUnknown]);
    assert_eq!(draft(&middle, hints()), Draft::Hybi13);
    let conversation = conversation(&middle);
    assert_eq!(conversation.client, address("192.0.2.1:50000"));
}

#[test]
fn a_capture_that_begins_with_the_request_is_whole() {
    let packets = [
        client(4_000, REQUEST).ack(9_000),
        server(9_000, ANSWER).ack(4_000 + REQUEST.len() as u32),
    ];
    let found = found(&packets);
    let [Found::Conversation(conversation)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(
        told(conversation),
        [octets(Client, REQUEST), octets(Server, ANSWER)]
    );
    assert_eq!(conversation.partial, None);
    assert_eq!(
        conversation.notes,
        ["the capture begins after the connection was opened"]
    );
}

#[test]
fn addresses_used_again_are_another_connection() {
    let mut packets = whole(REQUEST);
    packets.push(packet(Client, 101 + REQUEST.len() as u32, "R", b""));
    packets.push(packet(Client, 70_000, "S", b""));
    packets.push(packet(Client, 70_000, "S", b"")); // sent again
    packets.push(packet(Server, 80_000, "S", b"").ack(70_001));
    packets.push(client(70_001, REQUEST).ack(80_001));
    let found = found(&packets);
    let [Found::Conversation(one), Found::Conversation(other)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!((one.number, other.number), (1, 2));
    assert_eq!(told(one).len(), 3);
    assert_eq!(told(other), [octets(Client, REQUEST)]);
}

#[test]
fn a_connection_beyond_its_bound_is_left_out_and_the_others_are_whole() {
    let mut packets = whole(REQUEST);
    packets.extend(whole(REQUEST).into_iter().map(|mut packet| {
        packet.ports.0 = 50_001;
        packet
    }));
    for number in 0..100 {
        packets.push(client(
            101 + (REQUEST.len() + number * 1000) as u32,
            &[7; 1000],
        ));
    }
    let small = Bounds {
        connection: 50_000,
        total: 1 << 20,
    };
    let found = found_with(&packets, small, Hints::default());
    assert_eq!(left_out(&found)[..].len(), 1);
    assert_eq!(
        (left_out(&found)[0].number, left_out(&found)[0].why),
        (1, Why::TooLarge)
    );
    assert!(matches!(&found[1], Found::Conversation(it) if told(it).len() == 2));
    let total = Bounds {
        connection: 1 << 20,
        total: 50_000,
    };
    let found = found_with(&packets, total, Hints::default());
    assert_eq!(
        (left_out(&found)[0].number, left_out(&found)[0].why),
        (1, Why::MemoryFull)
    );
    assert!(matches!(&found[1], Found::Conversation(it) if told(it).len() == 2));
}

#[test]
fn connections_without_number_do_not_fill_the_memory() {
    let packets: Vec<_> = (1..20_000u16)
        .map(|port| {
            let mut packet = packet(Client, 1, "S", b"");
            packet.ports.0 = port;
            packet
        })
        .collect();
    let bounds = Bounds {
        connection: 1 << 20,
        total: 100_000,
    };
    let mut import = Import::new(bounds, Hints::default());
    import.read(&file(&packets)[..]).unwrap();
    assert!(import.counts().unnoted > 10_000);
    assert!(import.finish().count() < 700);
}
