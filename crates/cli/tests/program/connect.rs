//! `draftgate connect` once the connection is open: lines to messages and
//! back, and every way in which it ends.

use std::sync::mpsc::channel;

use crate::{
    child::{Ended, WATCHDOG, draftgate},
    script::{Peer, Script},
};

/// Connects to a script with `input`.
fn converse(
    draft: &str,
    input: impl AsRef<[u8]>,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> Ended {
    let script = Script::start(script);
    let ended = draftgate(["connect", "--draft", draft, &script.url("/")]).run_with(input);
    script.finish();
    ended
}

#[test]
fn hixie_75_sends_lines_closes_by_fin_and_still_prints_what_comes() {
    let ended = converse("hixie-75", "Hello\n\nGrüße", |peer| {
        peer.open_75("/");
        peer.expect("\0Hello".as_bytes());
        peer.expect(b"\xff\0\xff\0");
        peer.expect("Grüße".as_bytes());
        peer.expect(b"\xff");
        peer.expect_end();
        peer.say(b"\0after your FIN\xff");
        peer.end();
    });
    ended.expect(0, &[]);
    assert_eq!((&*ended.stdout, &*ended.stderr), ("after your FIN\n", ""));
}

#[test]
fn who_ended_hixie_75_first_is_told() {
    let script = Script::start(|peer| {
        peer.open_75("/");
        peer.expect_end();
        peer.end();
    });
    let ended = draftgate(["connect", "-v", "--draft", "75", &script.url("/")]).run_with("");
    script.finish();
    ended.expect(0, &["draftgate: closed by us: closed on request"]);

    let script = Script::start(|peer| {
        peer.open_75("/");
        peer.end();
    });
    let mut running = draftgate(["connect", "-v", "--draft", "75", &script.url("/")]).start();
    running.stderr.line_with("draftgate: closed by the peer");
    script.finish();
}

#[test]
fn hixie_76_sends_lines_and_closes_by_ff_00() {
    let ended = converse("hixie-76", "Hello\nyou", |peer| {
        peer.open_76("/");
        peer.expect(b"\0Hello\xff\0you\xff\xff\0");
        peer.say(b"\0late\xff\xff\0");
        peer.end();
        peer.expect_end();
    });
    ended.expect(0, &[]);
    assert_eq!((&*ended.stdout, &*ended.stderr), ("late\n", ""));
}

#[test]
fn hybi_13_sends_lines_and_closes_by_1000() {
    let ended = converse("hybi-13", "Hello\r\n\nyou\n", |peer| {
        peer.open_13("");
        assert_eq!(peer.frame(), (0x81, b"Hello\r".to_vec()));
        assert_eq!(peer.frame(), (0x81, Vec::new()));
        assert_eq!(peer.frame(), (0x81, b"you".to_vec()));
        // Text in two fragments, then binary.
        peer.say(b"\x01\x03one\x80\x04\ntwo\x82\x03\x00\xff\x0a");
        peer.close_13();
    });
    ended.expect(0, &[]);
    let printed = "one\ntwo\n<binary, 3 octets: 00ff0a>\n";
    assert_eq!((&*ended.stdout, &*ended.stderr), (printed, ""));
}

#[test]
fn compression_is_offered_where_it_is_asked_for() {
    let script = Script::start(|peer| {
        let head = peer.open_13("Sec-WebSocket-Extensions: permessage-deflate\r\n");
        let offer = "\r\nSec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
        assert!(head.contains(offer), "{head}");
        let (first, payload) = peer.frame();
        assert_eq!((first, payload.len() < 30), (0xc1, true), "{payload:02x?}");
        peer.say(b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00");
        peer.close_13();
    });
    let url = script.url("/");
    let ended = draftgate(["connect", "--compress", &url]).run_with("Hello ".repeat(50));
    script.finish();
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "Hello\n");
}

#[test]
fn compressed_frames_are_shown_as_they_were() {
    for (draft, agreed, said) in [
        (
            "hybi-13",
            "permessage-deflate",
            &b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"[..],
        ),
        (
            "hybi-08",
            "deflate-frame",
            b"\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00",
        ),
    ] {
        let script = Script::start(move |peer| {
            peer.open_13(&format!("Sec-WebSocket-Extensions: {agreed}\r\n"));
            assert_eq!(peer.frame().0, 0xc1);
            peer.say(said);
            peer.close_13();
        });
        let url = script.url("/");
        let connect = [
            "connect",
            "--draft",
            draft,
            "--compress",
            "--show-frames",
            &url,
        ];
        let ended = draftgate(connect).run_with("Hello ".repeat(50));
        script.finish();
        ended.expect(
            0,
            &[
                "  holds 5 octets: \"Hello\"",
                "  holds 300 octets: \"Hello Hello",
            ],
        );
        assert!(!ended.stderr.contains("reserved-bits"), "{ended:#?}");
    }
}

#[test]
fn a_complaint_that_crosses_our_close_is_told() {
    let close = |octets: &'static [u8]| {
        converse("hybi-13", "Hello", move |peer| {
            peer.open_13("");
            assert_eq!(peer.frame(), (0x81, b"Hello".to_vec()));
            assert_eq!(peer.frame().0, 0x88);
            peer.say(octets);
            peer.end();
        })
    };
    close(b"\x88\x05\x03\xf1\x1b[m")
        .expect(76, &["closed with code 1009 (\\u{1b}[m) while we closed"]);
    close(b"\x88\x06\x03\xf1long").expect(76, &["closed with code 1009 (long) while we closed"]);
    close(b"\x88\x02\x03\xf1").expect(76, &["closed with code 1009 while we closed"]);
    // An answer is what repeats our code, has none, or one that nobody may send.
    for answer in [&b"\x88\x02\x03\xe8"[..], b"\x88\0", b"\x88\x02\x02\xe5"] {
        let ended = close(answer);
        ended.expect(0, &[]);
        assert_eq!(ended.stderr, "");
    }
}

#[test]
fn messages_are_printed_as_they_come_and_lines_sent_as_they_are_typed() {
    let script = Script::start(|peer| {
        peer.open_13("");
        peer.say(b"\x81\x03one");
        assert_eq!(peer.frame(), (0x81, b"two".to_vec()));
        peer.say(b"\x89\x01p\x81\x05three");
        assert_eq!(peer.frame(), (0x8a, b"p".to_vec()));
        peer.close_13();
    });
    let mut running = draftgate(["connect", &script.url("/")]).start();
    assert_eq!(running.stdout.line(), "one");
    running.write("two\n");
    assert_eq!(running.stdout.line(), "three");
    running.end_input();
    running.finish().expect(0, &[]);
    script.finish();
}

#[test]
fn much_and_long_input_arrives_whole() {
    // The send queue holds 1 MiB; a line may be longer than it.
    let long = "x".repeat(3 << 20);
    let mut input = String::new();
    for line in 0..20_000 {
        input += &format!("{line} {}\n", "y".repeat(200));
    }
    input += &long;
    let ended = converse("hybi-13", input, move |peer| {
        peer.open_13("");
        for line in 0..20_000 {
            let (_, payload) = peer.frame();
            assert!(payload.starts_with(format!("{line} y").as_bytes()));
        }
        assert!(
            peer.frame() == (0x81, long.into_bytes()),
            "the long line differs"
        );
        peer.close_13();
    });
    ended.expect(0, &[]);
}

#[test]
fn a_line_that_is_not_utf8_ends_the_connection_properly() {
    let ended = converse("hybi-13", b"good\nb\xffd\nnever sent\n", |peer| {
        peer.open_13("");
        assert_eq!(peer.frame(), (0x81, b"good".to_vec()));
        peer.close_13();
    });
    ended.expect(
        1,
        &[
            "line 2 of standard input is not UTF-8 (octet 2 of the line)",
            "iconv",
        ],
    );
}

#[test]
fn a_close_by_the_server_is_told_with_code_and_reason() {
    for (code, reason, exit) in [
        (1000, "bye", 0),
        (1001, "", 0),
        (1011, "oops", 76),
        (4001, "who?", 76),
    ] {
        let script = Script::start(move |peer| {
            peer.open_13("");
            let length = 2 + u8::try_from(reason.len()).unwrap();
            peer.say(
                [
                    &[0x88, length][..],
                    &u16::to_be_bytes(code),
                    reason.as_bytes(),
                ]
                .concat(),
            );
            assert_eq!(peer.frame(), (0x88, code.to_be_bytes().to_vec()));
            peer.end();
        });
        // Standard input stays open: it does not keep the program alive.
        let running = draftgate(["connect", &script.url("/")]).start();
        let ended = running.finish();
        ended.expect(exit, &[&format!("closed by the peer, code {code}"), reason]);
        script.finish();
    }
}

#[test]
fn old_drafts_end_without_a_code() {
    for draft in ["75", "76"] {
        let script = Script::start(move |peer| {
            if draft == "75" {
                peer.open_75("/");
                peer.end();
                peer.expect_end();
            } else {
                peer.open_76("/");
                peer.say([0xff, 0x00]);
                peer.expect(&[0xff, 0x00]);
            }
        });
        let running = draftgate(["connect", "--draft", draft, &script.url("/")]).start();
        running
            .finish()
            .expect(0, &["closed by the peer: the peer closed"]);
        script.finish();
    }
}

#[test]
fn a_server_that_goes_without_closing_is_a_failure() {
    for draft in ["76", "13"] {
        let script = Script::start(move |peer| {
            match draft {
                "76" => peer.open_76("/"),
                _ => peer.open_13(""),
            };
            peer.end();
            peer.expect_any();
        });
        let running = draftgate(["connect", "--draft", draft, &script.url("/")]).start();
        running
            .finish()
            .expect(76, &["the peer went away without closing"]);
        script.finish();
    }
}

#[test]
fn a_server_that_does_not_close_is_left_after_5_seconds() {
    let said = [
        ("75", "did not end the connection within 5s"),
        ("76", "the closing handshake was not finished in time"),
        ("13", "the closing handshake was not finished in time"),
    ];
    let started = said.map(|(draft, said)| {
        let (let_go, held) = channel::<()>();
        let script = Script::start(move |peer| {
            match draft {
                "75" => peer.open_75("/"),
                "76" => peer.open_76("/"),
                _ => peer.open_13(""),
            };
            // Until the test has seen the program end.
            let _ = held.recv_timeout(WATCHDOG);
        });
        let mut running = draftgate(["connect", "--draft", draft, &script.url("/")]).start();
        running.end_input();
        (script, running, said, let_go)
    });
    for (script, running, said, let_go) in started {
        running.finish().expect(76, &[said]);
        drop(let_go);
        script.finish();
    }
}

#[test]
fn a_server_that_breaks_its_draft_is_told_so() {
    let script = Script::start(|peer| {
        peer.open_13("");
        peer.say([0x81, 0x81, 0, 0, 0, 0, b'a']);
        let (first, body) = peer.frame();
        assert_eq!((first, &body[..2]), (0x88, &[0x03, 0xea][..]));
        peer.end();
        peer.expect_end();
    });
    let running = draftgate(["connect", &script.url("/")]).start();
    running
        .finish()
        .expect(76, &["a frame from the server is masked"]);
    script.finish();
}

#[test]
fn an_interrupt_closes_as_the_draft_closes() {
    for signal in ["INT", "TERM"] {
        let script = Script::start(|peer| {
            peer.open_76("/");
            peer.expect(&[0xff, 0x00]);
            peer.say([0xff, 0x00]);
            peer.end();
            peer.expect_end();
        });
        let mut running = draftgate(["connect", "-v", "--draft", "76", &script.url("/")]).start();
        running.stderr.line_with("connected to");
        running.signal(signal);
        running.finish().expect(0, &["closed by us"]);
        script.finish();
    }
}

#[test]
fn a_second_interrupt_does_not_wait_for_the_server() {
    let (closing, heard) = channel();
    let script = Script::start(move |peer| {
        peer.open_76("/");
        peer.expect(&[0xff, 0x00]);
        closing.send(()).unwrap();
        peer.expect_any();
    });
    let mut running = draftgate(["connect", "-v", "--draft", "76", &script.url("/")]).start();
    running.stderr.line_with("connected to");
    running.signal("INT");
    heard.recv_timeout(WATCHDOG).unwrap();
    running.signal("INT");
    running
        .finish()
        .expect(1, &["interrupted: the connection was cut"]);
    script.finish();
}

#[test]
fn a_reader_that_leaves_ends_it_quietly() {
    let (left, may_go_on) = channel();
    let script = Script::start(move |peer| {
        peer.open_13("");
        peer.say(b"\x81\x03one");
        may_go_on.recv_timeout(WATCHDOG).unwrap();
        // Another test's child may hold the pipe for a moment, between its
        // fork and its exec: what is printed then is no error yet.
        let close = loop {
            peer.say(b"\x81\x03two\x89\x00");
            match peer.frame() {
                (0x8a, _) => {}
                other => break other,
            }
        };
        assert_eq!(close, (0x88, vec![0x03, 0xe8]));
        peer.say([0x88, 0x02, 0x03, 0xe8]);
    });
    let ended =
        draftgate(["connect", &script.url("/")]).run_until_first_line(|| left.send(()).unwrap());
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
    assert_eq!(ended.stdout, "one\n");
    script.finish();
}
