//! `draftgate connect` until the connection is open: the request octet for
//! octet, and every way in which the answer can be wrong.

use std::net::TcpListener;

use crate::{
    child::{Ended, draftgate},
    script::{Peer, Script, accept, field},
};

/// Connects to a script with nothing to say.
fn connect(flags: &[&str], script: impl FnOnce(&mut Peer) + Send + 'static) -> Ended {
    let script = Script::start(script);
    let url = script.url("/chat?x=1");
    let ended = draftgate(
        ["connect"]
            .into_iter()
            .chain(flags.iter().copied())
            .chain([url.as_str()]),
    )
    .run();
    script.finish();
    ended
}

#[test]
fn hixie_75_asks_octet_for_octet() {
    connect(&["--draft", "hixie-75"], |peer| {
        let head = peer.open_75("/chat?x=1");
        let host = field(&head, "Host").to_owned();
        assert!(host.starts_with("127.0.0.1:"));
        assert_eq!(
            head,
            format!(
                "GET /chat?x=1 HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                 Host: {host}\r\nOrigin: http://{host}\r\n\r\n"
            )
        );
        peer.expect_end();
    })
    .expect(0, &[]);
}

#[test]
fn hixie_76_asks_octet_for_octet() {
    connect(&["--draft", "hybi-00"], |peer| {
        let head = peer.open_76("/chat?x=1");
        let host = field(&head, "Host");
        let key1 = field(&head, "Sec-WebSocket-Key1");
        let key2 = field(&head, "Sec-WebSocket-Key2");
        assert_eq!(
            head,
            format!(
                "GET /chat?x=1 HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
                 Host: {host}\r\nOrigin: http://{host}\r\n\
                 Sec-WebSocket-Key1: {key1}\r\nSec-WebSocket-Key2: {key2}\r\n\r\n"
            )
        );
        peer.expect(&[0xff, 0x00]);
        peer.say([0xff, 0x00]);
        peer.end();
        peer.expect_end();
    })
    .expect(0, &[]);
}

#[test]
fn hybi_13_asks_octet_for_octet_and_claims_no_origin() {
    connect(&[], |peer| {
        let head = peer.open_13("");
        let host = field(&head, "Host");
        let key = field(&head, "Sec-WebSocket-Key");
        assert_eq!(
            head,
            format!(
                "GET /chat?x=1 HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\n\
                 Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\n\
                 Sec-WebSocket-Version: 13\r\n\r\n"
            )
        );
        peer.close_13();
    })
    .expect(0, &[]);
}

#[test]
fn origin_and_subprotocols_are_asked_for_and_the_choice_is_told() {
    let flags = [
        "-v",
        "--origin",
        "http://tv.example",
        "--subprotocol",
        "a",
        "--subprotocol",
        "b",
    ];
    let ended = connect(&flags, |peer| {
        let head = peer.open_13("Sec-WebSocket-Protocol: b\r\n");
        assert_eq!(field(&head, "Origin"), "http://tv.example");
        assert_eq!(field(&head, "Sec-WebSocket-Protocol"), "a, b");
        peer.close_13();
    });
    ended.expect(
        0,
        &[
            "connected to ws://127.0.0.1:",
            "in hybi-13 = RFC 6455, subprotocol b",
        ],
    );
}

#[test]
fn an_origin_that_was_given_takes_the_place_of_the_derived_one() {
    connect(&["--draft", "76", "--origin", "null"], |peer| {
        let head = peer.open_76("/chat?x=1");
        assert_eq!(field(&head, "Origin"), "null");
        peer.expect(&[0xff, 0x00]);
        peer.say([0xff, 0x00]);
    })
    .expect(0, &[]);
}

#[test]
fn frames_that_come_with_the_answer_are_printed() {
    let ended = connect(&["--draft", "76"], |peer| {
        let (_, mut answer) = peer.answer_76("/chat?x=1");
        answer.extend_from_slice(b"\x00early\xff\xff\x00");
        peer.say(answer);
        peer.expect(&[0xff, 0x00]);
    });
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "early\n");
}

#[test]
fn a_wrong_answer_to_the_challenge_is_refused() {
    connect(&["--draft", "76"], |peer| {
        let (_, mut answer) = peer.answer_76("/chat?x=1");
        *answer.last_mut().unwrap() ^= 1;
        peer.say(answer);
        peer.expect_end();
    })
    .expect(
        77,
        &[
            "16 octets do not answer our challenge",
            "[answer-challenge]",
        ],
    );
}

#[test]
fn a_wrong_accept_is_refused() {
    connect(&[], |peer| {
        let head = peer.head();
        let wrong = accept(&field(&head, "Sec-WebSocket-Key").to_lowercase());
        peer.say(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Accept: {wrong}\r\n\r\n"
        ));
        peer.expect_end();
    })
    .expect(77, &["[answer-accept]"]);
}

#[test]
fn a_wrong_location_is_refused() {
    connect(&["--draft", "75"], |peer| {
        peer.open_75("/other");
        peer.expect_end();
    })
    .expect(77, &["[answer-location]", "/other"]);
}

#[test]
fn a_subprotocol_nobody_asked_for_is_refused() {
    connect(&["--subprotocol", "a"], |peer| {
        peer.open_13("Sec-WebSocket-Protocol: c\r\n");
        peer.expect_end();
    })
    .expect(77, &["[answer-subprotocol]", "`c`"]);
}

#[test]
fn a_refusal_is_shown_with_its_body() {
    for ending in [
        "Content-Length: 20\r\n\r\nno such\x1b[2J channel!and more",
        "\r\nno such\x1b[2J channel!",
    ] {
        connect(&[], move |peer| {
            peer.head();
            peer.say(format!("HTTP/1.1 404 Not Found\r\n{ending}"));
            peer.end();
            peer.expect_end();
        })
        .expect(
            77,
            &[
                "(HTTP/1.1 404 Not Found)",
                "[answer-status]\n  no such[2J channel!\n",
            ],
        );
    }
}

#[test]
fn a_server_of_another_protocol_is_refused() {
    connect(&[], |peer| {
        peer.say("220 mail.example ESMTP\r\n\r\n");
        peer.expect_any();
    })
    .expect(77, &["[answer-malformed]"]);
}

#[test]
fn a_server_that_hangs_up_is_named() {
    for draft in ["75", "76", "13"] {
        connect(&["--draft", draft], |peer| {
            peer.head();
            peer.say("HTTP/1.1 101 ");
            peer.end();
            peer.expect_any();
        })
        .expect(
            69,
            &["closed the connection without an answer (13 octets came)"],
        );
    }
}

#[test]
fn a_server_that_never_answers_is_left() {
    connect(&["--connect-timeout", "2s"], |peer| {
        peer.head();
        peer.expect_end();
    })
    .expect(
        69,
        &["did not finish the opening handshake in 2s (0 octets came)"],
    );
}

#[test]
fn a_port_where_nothing_listens_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    draftgate(["connect", &format!("ws://{address}/")])
        .run()
        .expect(
            69,
            &["cannot connect to 127.0.0.1:", "nothing listens there"],
        );
}

#[test]
fn an_interrupt_during_the_opening_ends_it() {
    let (came, waits) = std::sync::mpsc::channel();
    let script = Script::start(move |peer| {
        peer.head();
        came.send(()).unwrap();
        peer.expect_end();
    });
    let running = draftgate(["connect", &script.url("/")]).start();
    waits.recv_timeout(crate::child::WATCHDOG).unwrap();
    running.signal("INT");
    running
        .finish()
        .expect(1, &["interrupted before the connection was open"]);
    script.finish();
}
