//! Every worked example of the text of hixie-76 (= hybi-00), in both roles,
//! whole and cut at each octet.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use bytes::BytesMut;
use draftgate_core::{
    Close, Codec, Draft, Event, Limits, Message, Notice, Outbox, Outgoing, Rule, SendError, State,
};
use draftgate_hixie76::{ACCEPTOR, OFFERER};
use draftgate_testkit::codecs::{Heard, hear, hear_every_cut};
use draftgate_wire::{
    FixedKeys,
    opening::{Accepted, Ask, Connected, LengthFrames, Refusal, RefusalKind, Resume, Terms, parts},
};

/// Key1, Key2, key3, answer: hixie-76 §1.2, §1.3 and §4.1.
const WORKED: [(&str, &str, &[u8; 8], &[u8; 16]); 4] = [
    (
        "4 @1  46546xW%0l 1 5",
        "12998 5 Y3 1  .P00",
        b"^n:ds[4U",
        b"8jKS'y:G*Co,Wxa-",
    ),
    (
        "18x 6]8vM;54 *(5:  {   U1]8  z [  8",
        "1_ tx7X d  <  nw  334J702) 7]o}` 0",
        b"Tm[K T2u",
        b"fQJ,fN/4F4!~K~MH",
    ),
    (
        "3e6b263  4 17 80",
        "17  9 G`ZD9   2 2b 7X 3 /r90",
        b"WjN}|M(6",
        b"n`9eBk9z$R8pOtVb",
    ),
    (
        "P388 O503D&ul7 {K%gX( %7  15",
        "1 N ?|k UT0or 3o  4 I97N 5-S3O 31",
        b"G0\"-Z?GX",
        b"0st3Rl&q-2ZU^weu",
    ),
];

const HEAD: &str = "HTTP/1.1 101 WebSocket Protocol Handshake\r\n\
    Upgrade: WebSocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Origin: http://example.com\r\n\
    Sec-WebSocket-Location: ws://example.com/demo\r\n\
    Sec-WebSocket-Protocol: sample\r\n\r\n";

fn request(key1: &str, key2: &str, key3: &[u8]) -> Vec<u8> {
    let head = format!(
        "GET /demo HTTP/1.1\r\n\
         Host: example.com\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key2: {key2}\r\n\
         Sec-WebSocket-Protocol: sample\r\n\
         Upgrade: WebSocket\r\n\
         Sec-WebSocket-Key1: {key1}\r\n\
         Origin: http://example.com\r\n\r\n"
    );
    [head.as_bytes(), key3].concat()
}

fn accept(request: &[u8]) -> Result<Accepted, Refusal> {
    let terms = Terms {
        subprotocol: Some("sample"),
        public_url: "ws://example.com/demo",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    ACCEPTOR.accept(
        &parts(request).unwrap().unwrap().0,
        &terms,
        &mut FixedKeys::new([0]),
    )
}

fn server() -> Box<dyn Codec> {
    let (key1, key2, key3, _) = WORKED[0];
    accept(&request(key1, key2, key3)).unwrap().codec
}

fn resume(octets: &[u8], answer: &[u8]) -> Result<Option<Connected>, Refusal> {
    let terms = Resume {
        secure: false,
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let mut pending = OFFERER.resume(octets, terms, &mut FixedKeys::new([0]))?;
    pending.answer(&mut BytesMut::from(answer))
}

fn client() -> Box<dyn Codec> {
    let (key1, key2, key3, answer) = WORKED[0];
    let answer = [HEAD.as_bytes(), answer].concat();
    let connected = resume(&request(key1, key2, key3), &answer).unwrap();
    connected.unwrap().codec
}

/// What each role hears of `octets` after its opening; the same for both.
fn hear_in_both_roles(octets: &[u8]) -> Heard {
    let after_key3 = [&WORKED[0].2[..], octets].concat();
    let mut as_server = hear_every_cut(server, &after_key3);
    assert_eq!(&as_server.wrote[..16], WORKED[0].3);
    as_server.wrote = as_server.wrote.slice(16..);
    let as_client = hear_every_cut(client, octets);
    assert_eq!(as_server, as_client);
    as_client
}

fn opened() -> [Box<dyn Codec>; 2] {
    let mut server = server();
    hear(&mut *server, [&WORKED[0].2[..]]);
    let mut client = client();
    hear(&mut *client, []);
    [server, client]
}

#[test]
fn the_four_worked_challenges_as_a_server() {
    for (key1, key2, key3, answer) in WORKED {
        let octets = request(key1, key2, key3);
        let (_, head) = parts(&octets).unwrap().unwrap();
        let heard = hear_every_cut(|| accept(&octets).unwrap().codec, &octets[head..]);
        assert_eq!(
            (&heard.events[..], &heard.wrote[..]),
            (&[Event::Opened][..], &answer[..])
        );
    }
}

#[test]
fn the_four_worked_challenges_as_a_client() {
    for (key1, key2, key3, answer) in WORKED {
        let asked = request(key1, key2, key3);
        let octets = [HEAD.as_bytes(), answer, b"\0Hi\xff"].concat();
        let terms = Resume {
            secure: false,
            limits: Limits::default(),
            length_frames: LengthFrames::default(),
            extensions: None,
        };
        for cut in 0..octets.len() {
            let mut pending = OFFERER
                .resume(&asked, terms.clone(), &mut FixedKeys::new([0]))
                .unwrap();
            let mut input = BytesMut::from(&octets[..cut]);
            let early = pending.answer(&mut input).unwrap();
            input.extend_from_slice(&octets[cut..]);
            let connected = early
                .or_else(|| pending.answer(&mut input).unwrap())
                .unwrap();
            assert_eq!(connected.subprotocol.as_deref(), Some("sample"));
            assert_eq!(&input[..], b"\0Hi\xff", "cut at {cut}");
        }
    }
}

#[test]
fn the_answers_head_is_what_strict_clients_want() {
    let (key1, key2, key3, _) = WORKED[0];
    let head = accept(&request(key1, key2, key3)).unwrap().head.to_bytes();
    assert_eq!(std::str::from_utf8(&head).unwrap(), HEAD);
}

#[test]
fn the_request_we_write_is_answered_by_our_server() {
    for seed in 0..50_u8 {
        let ask = Ask {
            secure: false,
            host: "Example.com",
            resource: "/demo",
            origin: Some("http://example.com"),
            subprotocols: &["sample"],
            fields: &[],
            limits: Limits::default(),
            length_frames: LengthFrames::default(),
            extensions: None,
        };
        let mut keys = FixedKeys::new([seed, 91, seed ^ 0x55, 7, 200, seed.wrapping_mul(37), 3]);
        let mut offer = OFFERER.offer(&ask, &mut keys).unwrap();
        let accepted = accept(&offer.request).unwrap();
        let (_, head) = parts(&offer.request).unwrap().unwrap();
        let mut codec = accepted.codec;
        let heard = hear(&mut *codec, [&offer.request[head..]]);
        let answer = [accepted.head.to_bytes(), heard.wrote].concat();
        let connected = offer.pending.answer(&mut BytesMut::from(&answer[..]));
        assert!(connected.unwrap().is_some(), "seed {seed}");
    }
}

#[test]
fn the_request_has_webkits_fields_and_8_octets_after_them() {
    let ask = Ask {
        secure: false,
        host: "Example.com",
        resource: "/demo",
        origin: None,
        subprotocols: &["sample"],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let mut keys = FixedKeys::new(*b"keys");
    let request = OFFERER.offer(&ask, &mut keys).unwrap().request;
    let (parts, head) = parts(&request).unwrap().unwrap();
    assert_eq!(request.len() - head, 8);
    let fixed = "GET /demo HTTP/1.1\r\n\
        Upgrade: WebSocket\r\n\
        Connection: Upgrade\r\n\
        Host: example.com\r\n\
        Origin: null\r\n\
        Sec-WebSocket-Protocol: sample\r\n\
        Sec-WebSocket-Key1: ";
    assert!(request.starts_with(fixed.as_bytes()), "{request:?}");
    for name in ["sec-websocket-key1", "sec-websocket-key2"] {
        assert!(parts.headers.contains_key(name), "{request:?}");
    }
}

#[test]
fn a_request_without_origin_is_told_null() {
    let (key1, key2, key3, _) = WORKED[0];
    let octets = String::from_utf8(request(key1, key2, key3)).unwrap();
    let octets = octets.replace("Origin: http://example.com\r\n", "");
    let head = accept(octets.as_bytes()).unwrap().head.to_bytes();
    let want = HEAD.replace("http://example.com", "null");
    assert_eq!(std::str::from_utf8(&head).unwrap(), want);
}

#[test]
fn a_client_that_asked_under_the_name_of_75_is_answered_under_that_of_76() {
    let (key1, key2, key3, answer) = WORKED[0];
    let asked = String::from_utf8(request(key1, key2, key3)).unwrap();
    let asked = asked.replace("Sec-WebSocket-Protocol", "WebSocket-Protocol");
    let octets = [HEAD.as_bytes(), answer].concat();
    let connected = resume(asked.as_bytes(), &octets).unwrap().unwrap();
    assert_eq!(connected.subprotocol.as_deref(), Some("sample"));
    let other = HEAD.replace("sample", "simple");
    let refusal = resume(asked.as_bytes(), &[other.as_bytes(), answer].concat()).unwrap_err();
    assert_eq!(refusal.kind, RefusalKind::AnswerSubprotocol);
}

#[test]
fn keys_that_are_none_are_refused() {
    let (key1, key2, key3, _) = WORKED[0];
    for (bad1, bad2) in [("12345", key2), (key1, "1 0 1"), ("a b", key2), (key1, "")] {
        let refusal = accept(&request(bad1, bad2, key3)).unwrap_err();
        assert_eq!(
            refusal.kind,
            RefusalKind::ChallengeKeyInvalid,
            "{bad1} {bad2}"
        );
    }
}

#[test]
fn a_client_checks_every_field_and_all_16_octets() {
    let (key1, key2, key3, answer) = WORKED[0];
    let asked = request(key1, key2, key3);
    for (from, to, kind) in [
        ("101", "200", RefusalKind::AnswerStatus),
        (
            "Upgrade: WebSocket",
            "Upgrade: h2c",
            RefusalKind::AnswerUpgrade,
        ),
        (
            "Connection: Upgrade",
            "Connection: keep-alive, Upgrade",
            RefusalKind::AnswerConnection,
        ),
        (
            "Origin: http://e",
            "Origin: http://f",
            RefusalKind::AnswerOrigin,
        ),
        ("ws://", "wss://", RefusalKind::AnswerLocation),
        ("sample", "simple", RefusalKind::AnswerSubprotocol),
        ("Upgrade: WebSocket\r\n", "", RefusalKind::AnswerField),
        (
            "\r\n\r\n",
            "\r\nUpgrade: WebSocket\r\n\r\n",
            RefusalKind::AnswerField,
        ),
    ] {
        let octets = [HEAD.replacen(from, to, 1).as_bytes(), answer].concat();
        let refusal = resume(&asked, &octets).unwrap_err();
        assert_eq!(refusal.kind, kind, "{from} -> {to}: {refusal}");
    }
    for at in 0..16 {
        let mut wrong = *answer;
        wrong[at] ^= 1;
        let refusal = resume(&asked, &[HEAD.as_bytes(), &wrong].concat()).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::AnswerChallenge, "octet {at}");
    }
}

#[test]
fn hello_and_the_empty_text_are_read_in_both_roles() {
    let heard = hear_in_both_roles(b"\x00Hello\xff\x00\xff");
    assert_eq!(
        heard.events,
        [
            Event::Opened,
            Event::Message("Hello".into()),
            Event::Message("".into())
        ]
    );
}

#[test]
fn ff_00_closes_and_what_follows_is_not_read() {
    let heard = hear_in_both_roles(b"\x00x\xff\xff\x00\x00late\xff");
    assert_eq!(
        heard.events,
        [
            Event::Opened,
            Event::Message("x".into()),
            Event::Close(None)
        ]
    );
}

#[test]
fn other_frames_are_discarded_with_a_notice() {
    let notice = |frame_type, octets| Event::Notice(Notice::Discarded { frame_type, octets });
    let heard = hear_in_both_roles(b"\x7fabc\xff\x80\x01z\xff\x02ab\x00x\xff");
    assert_eq!(
        heard.events,
        [
            Event::Opened,
            notice(0x7f, 3),
            notice(0x80, 1),
            notice(0xff, 2),
            Event::Message("x".into())
        ]
    );
}

#[test]
fn bad_utf8_becomes_replacements() {
    let heard = hear_in_both_roles(b"\x00\xe2\x82\xff");
    let repaired = Event::Notice(Notice::Repaired { replacements: 1 });
    assert_eq!(
        heard.events,
        [Event::Opened, repaired, Event::Message("\u{fffd}".into())]
    );
}

#[test]
fn either_side_may_close_and_the_other_answers() {
    for mut codec in opened() {
        let mut out = Outbox::new();
        codec
            .send(Outgoing::Message("Hello".into()), &mut out)
            .unwrap();
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        assert_eq!(&out.take_all()[..], b"\x00Hello\xff\xff\x00");
        assert_eq!(codec.state(), State::ClosingByUs);
        let late = codec.send(Outgoing::Message("late".into()), &mut out);
        assert_eq!(late, Err(SendError::Closing));
        // What was under way when we closed still arrives.
        let mut input = BytesMut::from(&b"\x00y\xff\xff\x00"[..]);
        let message = codec.receive(&mut input, &mut out).unwrap();
        assert_eq!(message, Some(Event::Message("y".into())));
        let close = codec.receive(&mut input, &mut out).unwrap();
        assert_eq!(
            (close, codec.state()),
            (Some(Event::Close(None)), State::Closed)
        );
        assert_eq!((out.is_empty(), codec.end()), (true, None));
    }
    for mut codec in opened() {
        let mut out = Outbox::new();
        let mut input = BytesMut::from(&b"\xff\x00"[..]);
        codec.receive(&mut input, &mut out).unwrap();
        assert_eq!(
            (codec.state(), out.is_empty()),
            (State::ClosingByPeer, true)
        );
        codec.send(Outgoing::Close(None), &mut out).unwrap();
        assert_eq!(
            (&out.take_all()[..], codec.state()),
            (&b"\xff\x00"[..], State::Closed)
        );
    }
}

#[test]
fn what_cannot_be_said_is_an_error() {
    let draft = Draft::Hixie76;
    for mut codec in opened() {
        let mut out = Outbox::new();
        let empty = bytes::Bytes::new;
        for (what, error) in [
            (Outgoing::Ping(empty()), SendError::NoPing(draft)),
            (
                Outgoing::Message(Message::Binary(empty())),
                SendError::NoBinary(draft),
            ),
            (
                Outgoing::Close(Some(Close::new(1000, ""))),
                SendError::NoCloseCode(draft),
            ),
            // A hixie-76 client reports an error event for an unknown frame.
            (Outgoing::Filler, SendError::NoFiller(draft)),
        ] {
            assert_eq!(codec.send(what, &mut out), Err(error));
        }
        assert!(out.is_empty());
    }
}

#[test]
fn nothing_can_be_sent_before_the_16_octets() {
    let mut codec = server();
    let mut out = Outbox::new();
    hear(&mut *codec, [&WORKED[0].2[..7]]);
    let early = codec.send(Outgoing::Message("x".into()), &mut out);
    assert_eq!((early, out.is_empty()), (Err(SendError::Opening), true));
    codec.fail(&Rule::FrameTooBig.into(), &mut out);
    assert!(
        out.is_empty(),
        "a failure before the opening writes nothing"
    );
}

#[test]
fn nothing_is_delivered_after_a_failure() {
    for mut codec in opened() {
        // The notice comes first, its message waits for the next call.
        let (mut input, mut out) = (BytesMut::from(&b"\x00\xfe\xff"[..]), Outbox::new());
        let notice = codec.receive(&mut input, &mut out).unwrap();
        assert_eq!(
            notice,
            Some(Event::Notice(Notice::Repaired { replacements: 1 }))
        );
        codec.fail(&Rule::MessageTooBig.into(), &mut out);
        assert_eq!(&out.take_all()[..], b"\xff\x00");
        assert_eq!(codec.receive(&mut input, &mut out), Ok(None));
    }
}

#[test]
fn tcp_ending_without_ff_00_is_1006() {
    for mut codec in opened() {
        assert_eq!(codec.end().map(|c| c.code), Some(1006));
    }
}
