//! Every frame that the drafts and RFC 6455 §5.7 work out, written and read,
//! octet for octet.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Close, Draft, Event, Message, Notice, Outbox, Outgoing, Role};
use draftgate_testkit::codecs::{hear, hear_every_cut, hex};

use crate::{
    close_of, codec,
    common::frames::{from_peer, masked_with},
    drafts, events, everywhere, written,
};

/// One thing to say, as the client says it under the examples' key and as the
/// server says it.
struct Example {
    what: Outgoing,
    client: &'static str,
    server: &'static str,
}

fn hello() -> Bytes {
    Bytes::from_static(b"Hello")
}

fn close() -> Close {
    Close::new(1000, "")
}

/// In the order text, ping, pong, close, close without a code.
fn said(draft: Draft) -> [Outgoing; 5] {
    [
        Outgoing::Message("Hello".into()),
        Outgoing::Ping(hello()),
        Outgoing::Pong(hello()),
        Outgoing::Close(close_of(draft, close())),
        Outgoing::Close(None),
    ]
}

fn examples(draft: Draft) -> Vec<Example> {
    let client_and_server = match draft {
        Draft::Hybi01 | Draft::Hybi02 | Draft::Hybi03 => [
            ("04 05 48 65 6c 6c 6f", "04 05 48 65 6c 6c 6f"),
            ("02 05 48 65 6c 6c 6f", "02 05 48 65 6c 6c 6f"),
            ("03 05 48 65 6c 6c 6f", "03 05 48 65 6c 6c 6f"),
            ("01 00", "01 00"),
            ("01 00", "01 00"),
        ],
        Draft::Hello00 => [
            ("84 05 48 65 6c 6c 6f", "84 05 48 65 6c 6c 6f"),
            ("82 05 48 65 6c 6c 6f", "82 05 48 65 6c 6c 6f"),
            ("83 05 48 65 6c 6c 6f", "83 05 48 65 6c 6c 6f"),
            ("81 00", "81 00"),
            ("81 00", "81 00"),
        ],
        // Under the key of the connection in `common::frames`.
        Draft::Hybi04 => [
            ("37 fa 21 3d 5b 4b d6 a7 38 a0 31", "84 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d 5d 4b d6 a7 38 a0 31", "82 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d 5c 4b d6 a7 38 a0 31", "83 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d 5e 4e", "81 00"),
            ("37 fa 21 3d 5e 4e", "81 00"),
        ],
        Draft::Hybi05 => [
            ("37 fa 21 3d b3 ff 69 58 5b 96 4e", "84 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d b5 ff 69 58 5b 96 4e", "82 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d b4 ff 69 58 5b 96 4e", "83 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d b6 fb 62", "81 01 53"),
            ("37 fa 21 3d b6 fb 62", "81 01 53"),
        ],
        Draft::Hybi06 => [
            ("37 fa 21 3d b3 ff 69 58 5b 96 4e", "84 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d b5 ff 69 58 5b 96 4e", "82 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d b4 ff 69 58 5b 96 4e", "83 05 48 65 6c 6c 6f"),
            ("37 fa 21 3d b6 f8 22 d5", "81 02 03 e8"),
            ("37 fa 21 3d b6 fa", "81 00"),
        ],
        draft if draft >= Draft::Hybi07 => [
            ("81 85 37 fa 21 3d 7f 9f 4d 51 58", "81 05 48 65 6c 6c 6f"),
            ("89 85 37 fa 21 3d 7f 9f 4d 51 58", "89 05 48 65 6c 6c 6f"),
            ("8a 85 37 fa 21 3d 7f 9f 4d 51 58", "8a 05 48 65 6c 6c 6f"),
            ("88 82 37 fa 21 3d 34 12", "88 02 03 e8"),
            ("88 80 37 fa 21 3d", "88 00"),
        ],
        draft => panic!("write down the examples of {draft}"),
    };
    said(draft)
        .into_iter()
        .zip(client_and_server)
        .map(|(what, (client, server))| Example {
            what,
            client,
            server,
        })
        .collect()
}

fn heard_as(what: Outgoing) -> Event {
    match what {
        Outgoing::Message(message) => Event::Message(message),
        Outgoing::Ping(body) => Event::Ping(body),
        Outgoing::Pong(_) => Event::Notice(Notice::UnsolicitedPong),
        Outgoing::Close(close) => Event::Close(close),
        Outgoing::Filler => panic!("no draft with a version has a filler"),
    }
}

#[test]
fn the_examples_are_written_octet_for_octet() {
    for draft in drafts() {
        for Example {
            what,
            client,
            server,
        } in examples(draft)
        {
            let by = |role| written(draft, role, what.clone());
            assert_eq!(by(Role::Client), hex(client), "{draft} {what:?}");
            assert_eq!(by(Role::Server), hex(server), "{draft} {what:?}");
        }
    }
}

#[test]
fn the_examples_are_read_at_every_cut() {
    for draft in drafts() {
        for Example {
            what,
            client,
            server,
        } in examples(draft)
        {
            for (reader, octets) in [(Role::Server, client), (Role::Client, server)] {
                let heard = hear_every_cut(|| codec(draft, reader), &hex(octets));
                assert_eq!(heard.events, [heard_as(what.clone())], "{draft} {reader:?}");
                assert_eq!(heard.violation, None);
            }
        }
    }
}

/// The frames that every other test of this suite writes by one function.
#[test]
fn the_examples_are_what_the_tests_take_for_a_peers_frames() {
    for draft in drafts() {
        let texts = ["81 05 48 65 6c 6c 6f", "89 05 48 65 6c 6c 6f"];
        for (example, unmasked) in examples(draft).iter().zip(texts) {
            let unmasked = hex(unmasked);
            assert_eq!(
                from_peer(draft, Role::Server, &unmasked),
                hex(example.client)
            );
            assert_eq!(
                from_peer(draft, Role::Client, &unmasked),
                hex(example.server)
            );
        }
    }
}

#[test]
fn a_message_in_two_fragments_is_one() {
    for draft in drafts() {
        let (client, server) = match draft {
            Draft::Hybi01 | Draft::Hybi02 | Draft::Hybi03 => {
                ("84 03 48 65 6c 00 02 6c 6f", "84 03 48 65 6c 00 02 6c 6f")
            }
            Draft::Hello00 => ("04 03 48 65 6c 80 02 6c 6f", "04 03 48 65 6c 80 02 6c 6f"),
            Draft::Hybi04 => (
                "37 fa 21 3d db 4d d6 a7 38 \
                 37 fa 21 3d 5f 4c f2 ad",
                "04 03 48 65 6c 80 02 6c 6f",
            ),
            Draft::Hybi05 | Draft::Hybi06 => (
                "37 fa 21 3d 33 f9 69 58 5b 37 fa 21 3d b7 f8 4d 52",
                "04 03 48 65 6c 80 02 6c 6f",
            ),
            _ => (
                "01 83 37 fa 21 3d 7f 9f 4d 80 82 37 fa 21 3d 5b 95",
                "01 03 48 65 6c 80 02 6c 6f",
            ),
        };
        for (reader, octets) in [(Role::Server, client), (Role::Client, server)] {
            let heard = hear_every_cut(|| codec(draft, reader), &hex(octets));
            let hello = Event::Message("Hello".into());
            assert_eq!(heard.events, [hello], "{draft} {reader:?}");
        }
    }
}

/// em-websocket's tests use a key that leaves all but every fourth octet alone.
#[test]
fn hybi_05_and_06_under_the_key_of_em_websockets_tests() {
    for (octets, event) in [
        (
            "00 00 01 00 84 05 49 65 6c 6c 6e",
            Event::Message("Hello".into()),
        ),
        ("00 00 01 00 81 02 02 e8", Event::Close(Some(close()))),
        (
            "00 00 01 00 81 02 0e a4",
            Event::Close(Some(Close::new(4004, ""))),
        ),
    ] {
        let heard = hear_every_cut(|| codec(Draft::Hybi06, Role::Server), &hex(octets));
        assert_eq!(heard.events, [event], "{octets}");
    }
    let octets = hex("00 00 01 00 84 05 49 65 6c 6c 6e");
    let heard = hear_every_cut(|| codec(Draft::Hybi05, Role::Server), &octets);
    assert_eq!(heard.events, [Event::Message("Hello".into())]);
}

#[test]
fn binary_of_256_octets_and_of_64_kib_comes_at_any_cut() {
    everywhere(|draft, role| {
        for (length, head) in [
            (256_usize, "82 7e 01 00"),
            (65_536, "82 7f 00 00 00 00 00 01 00 00"),
        ] {
            let payload: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
            let octets = from_peer(draft, role, &[&hex(head)[..], &payload].concat());
            let binary = Message::Binary(payload.into());
            let sent = written(draft, role.peer(), Outgoing::Message(binary.clone()));
            assert!(
                sent == octets,
                "{draft}: {length} octets are written otherwise"
            );
            let cuts = (1..20).chain([length / 2, octets.len() - 1, octets.len()]);
            for cut in cuts {
                let (front, back) = octets.split_at(cut);
                let heard = hear(&mut *codec(draft, role), [front, back]);
                let want = [Event::Message(binary.clone())];
                assert!(heard.events == want, "{draft}: {length} cut at {cut}");
            }
        }
    });
}

/// hybi-06's key counts on from the first octet of the header, so where the
/// payload stands under it depends on the length's form.
#[test]
fn the_key_begins_anew_with_every_frame_and_runs_through_every_length() {
    for draft in drafts() {
        for length in [0, 1, 2, 3, 4, 5, 125, 126, 127, 65_535, 65_536, 65_537] {
            let text = "x".repeat(length);
            let head = match length {
                0..=125 => vec![0x81, length as u8],
                126..=0xffff => [&[0x81, 126][..], &(length as u16).to_be_bytes()].concat(),
                _ => [&[0x81, 127][..], &(length as u64).to_be_bytes()].concat(),
            };
            let frame = [&head[..], text.as_bytes()].concat();
            // A key of four different octets shows every slip of the phase.
            for key in [[1, 2, 3, 4], [0xff, 0, 0x55, 0xaa]] {
                let octets = masked_with(draft, Role::Server, key, &frame.repeat(2));
                for size in [octets.len(), 4096, 7] {
                    let heard = hear(&mut *codec(draft, Role::Server), octets.chunks(size));
                    let want = Event::Message(text.as_str().into());
                    assert!(
                        heard.events == [want.clone(), want],
                        "{draft}: {length} octets in runs of {size}: {:?}",
                        heard.violation
                    );
                }
            }
        }
    }
}

#[test]
fn a_ping_is_answered_with_its_body_between_fragments() {
    everywhere(|draft, role| {
        let frames = hex("01 03 48 65 6c 89 05 48 65 6c 6c 6f 80 02 6c 6f");
        let heard = hear_every_cut(|| codec(draft, role), &from_peer(draft, role, &frames));
        assert_eq!(
            heard.events,
            [Event::Ping(hello()), Event::Message("Hello".into())],
            "{draft}"
        );
        let pong = hex("8a 05 48 65 6c 6c 6f");
        assert_eq!(heard.wrote, from_peer(draft, role.peer(), &pong), "{draft}");
    });
}

#[test]
fn a_message_is_not_over_because_a_ping_came_between_its_fragments() {
    everywhere(|draft, role| {
        let (mut codec, mut out) = (codec(draft, role), Outbox::new());
        let mut within = Vec::new();
        for frame in ["89 00", "01 03 48 65 6c", "89 00", "8a 00", "80 02 6c 6f"] {
            let octets = from_peer(draft, role, &hex(frame));
            let mut input = BytesMut::from(&octets[..]);
            while codec.receive(&mut input, &mut out).unwrap().is_some() {}
            within.push(codec.is_within_message());
        }
        assert_eq!(within, [false, true, true, true, false], "{draft}");
        // What has come of a frame is of a message, too.
        let part = &from_peer(draft, role, &hex("81 05 48 65"))[..];
        codec.receive(&mut BytesMut::from(part), &mut out).unwrap();
        assert!(codec.is_within_message(), "{draft}");
    });
}

#[test]
fn a_pong_nobody_asked_for_is_a_notice() {
    for draft in drafts() {
        let unsolicited = Event::Notice(Notice::UnsolicitedPong);
        assert_eq!(
            events(draft, &hex("8a 00")),
            std::slice::from_ref(&unsolicited)
        );
        // One pong answers the pings before it, the next one none.
        let (mut client, mut out) = (codec(draft, Role::Client), Outbox::new());
        for _ in 0..2 {
            client.send(Outgoing::Ping(Bytes::new()), &mut out).unwrap();
        }
        let pongs = from_peer(draft, Role::Client, &hex("8a 00 8a 00"));
        let mut input = BytesMut::from(&pongs[..]);
        let mut next = || client.receive(&mut input, &mut out).unwrap();
        assert_eq!(next(), Some(Event::Pong(Bytes::new())), "{draft}");
        assert_eq!(next(), Some(unsolicited), "{draft}");
    }
}
