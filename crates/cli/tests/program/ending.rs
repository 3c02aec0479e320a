//! When `draftgate connect` ends, how it closes then, and with which exit code.

use std::sync::mpsc::channel;

use draftgate_core::Closing;

use crate::{
    child::{WATCHDOG, draftgate},
    messages::{drafts_with, echo},
    script::{Peer, Script},
};

/// A script of RFC 6455.
fn script(script: impl FnOnce(&mut Peer) + Send + 'static) -> Script {
    Script::start(move |peer| {
        peer.open_13("");
        script(peer);
    })
}

#[test]
fn so_many_messages_are_printed_and_no_more_in_every_draft() {
    let (gateway, url) = echo();
    for (draft, _) in drafts_with(|_| true) {
        let connect = |flags: &[&str], input: &str| {
            let arguments = ["connect", "--draft", draft.name()].into_iter();
            let arguments = arguments.chain(flags.iter().copied()).chain([&*url]);
            draftgate(arguments).run_with(input)
        };
        for (flags, input) in [
            (&["--count", "2"][..], "one\ntwo\nthree\n"),
            (
                &["--count", "2", "-x", "one", "-x", "two", "-x", "three"],
                "",
            ),
        ] {
            let ended = connect(flags, input);
            ended.expect(0, &[]);
            assert_eq!(ended.stdout, "one\ntwo\n", "{draft}");
        }
        // The end of input is not the end.
        let ended = connect(&["--count", "1"], "one\n");
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, "one\n", "{draft}");
    }
    gateway.stop();
}

#[test]
fn fewer_messages_than_wanted_are_a_failure() {
    let script = script(|peer| {
        peer.say(b"\x81\x01a\x88\x02\x03\xe8");
        peer.frame();
        peer.end();
        peer.expect_end();
    });
    let ended = draftgate(["connect", "--count", "2", &script.url("/")]).run();
    script.finish();
    ended.expect(
        1,
        &["closed by the peer, code 1000", "1 of 2 messages came"],
    );
    assert_eq!(ended.stdout, "a\n");
}

#[test]
fn what_comes_after_the_last_message_wanted_is_not_printed() {
    let script = script(|peer| {
        peer.say(b"\x81\x01a\x81\x01b\x81\x01c");
        peer.close_13();
    });
    let ended = draftgate(["connect", "--count", "1", &script.url("/")]).run();
    script.finish();
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "a\n");
}

#[test]
fn however_the_server_leaves_the_messages_wanted_have_come() {
    // What is said of it depends on who closed first.
    for octets in [
        &b"\x81\x01a"[..],
        b"\x81\x01a\x88\x02\x03\xf3",
        b"\x81\x01a\x83\x00",
    ] {
        let script = script(move |peer| {
            peer.say(octets);
            peer.end();
            peer.expect_any();
        });
        let ended = draftgate(["connect", "--count", "1", &script.url("/")]);
        let ended = ended.start().finish();
        script.finish();
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, "a\n");
    }
}

#[test]
fn out_of_time_it_closes_as_the_draft_closes() {
    let (gateway, url) = echo();
    for (draft, _) in drafts_with(|_| true) {
        let arguments = [
            "connect",
            "-v",
            "--timeout",
            "1s",
            "--draft",
            draft.name(),
            &url,
        ];
        // Standard input stays open.
        let ended = draftgate(arguments).start().finish();
        ended.expect(124, &["connected to", "1s are over (--timeout)"]);
    }
    gateway.stop();
    let script = script(|peer| peer.close_13());
    let ended = draftgate([
        "connect",
        "--timeout",
        "100ms",
        "--count",
        "3",
        &script.url("/"),
    ])
    .run();
    script.finish();
    ended.expect(124, &["0 of 3 messages came"]);
}

#[test]
fn out_of_time_while_connecting_is_told_from_no_answer() {
    for (flag, code, said) in [
        (
            "--timeout",
            124,
            "100ms are over (--timeout): the connection is not open",
        ),
        (
            "--connect-timeout",
            69,
            "did not finish the opening handshake in 100ms",
        ),
    ] {
        let script = Script::start(|peer| peer.expect_any());
        let ended = draftgate(["connect", flag, "100ms", &script.url("/")]).run();
        script.finish();
        ended.expect(code, &[said]);
    }
}

#[test]
fn it_waits_behind_the_end_of_input_where_that_is_asked_for() {
    for flags in [
        &["--wait", "1h"][..],
        &["-w", "1h", "-x", "Hello"],
        &["--exit-on-close"],
        &["--no-close"],
        &["--exit-on-close", "-x", "Hello"],
        &["--count", "9", "--close", "1000", ""],
    ] {
        let script = script(|peer| {
            assert_eq!(peer.frame(), (0x81, b"Hello".to_vec()));
            peer.say(b"\x81\x05later\x88\x02\x03\xe8");
            assert_eq!(peer.frame(), (0x88, vec![0x03, 0xe8]));
            peer.end();
            peer.expect_end();
        });
        let url = script.url("/");
        let arguments = ["connect"].iter().chain(flags).copied().chain([&*url]);
        let ended = draftgate(arguments).run_with("Hello\n");
        script.finish();
        let wanted = i32::from(flags[0] == "--count");
        ended.expect(wanted, &["closed by the peer, code 1000"]);
        assert_eq!(ended.stdout, "later\n");
    }
}

#[test]
fn the_wait_has_an_end() {
    let script = script(|peer| {
        assert_eq!(peer.frame(), (0x81, b"Hello".to_vec()));
        peer.close_13();
    });
    let arguments = [
        "connect",
        "-v",
        "-w",
        "50ms",
        "-x",
        "Hello",
        &script.url("/"),
    ];
    draftgate(arguments)
        .run()
        .expect(0, &["closed by us, code 1000"]);
    script.finish();
}

#[test]
fn an_interrupt_ends_the_wait() {
    let (sent, seen) = channel();
    let script = script(move |peer| {
        assert_eq!(peer.frame(), (0x81, b"Hello".to_vec()));
        sent.send(()).unwrap();
        peer.close_13();
    });
    let running = draftgate(["connect", "-w", "1h", "-x", "Hello", &script.url("/")]).start();
    seen.recv_timeout(WATCHDOG).unwrap();
    running.signal("INT");
    running.finish().expect(0, &[]);
    script.finish();
}

#[test]
fn it_closes_with_what_is_asked_for() {
    for (flags, close, answer) in [
        (
            ["--close", "4000", "all done"],
            &b"\x0f\xa0all done"[..],
            &b"\x88\x02\x0f\xa0"[..],
        ),
        (["--close", "1001", ""], b"\x03\xe9", b"\x88\x00"),
    ] {
        let script = script(move |peer| {
            assert_eq!(peer.frame(), (0x88, close.to_vec()));
            peer.say(answer);
            peer.end();
            peer.expect_end();
        });
        let url = script.url("/");
        let arguments = ["connect"].into_iter().chain(flags).chain([&*url]);
        draftgate(arguments).run().expect(0, &[]);
        script.finish();
    }
}

#[test]
fn every_draft_closes_with_a_code_or_says_before_that_it_has_none() {
    let (gateway, url) = echo();
    for (draft, coded) in drafts_with(|it| it.closing == Closing::Coded) {
        let close = |code: &str, reason: &str| {
            let flags = [
                "connect",
                "-v",
                "--draft",
                draft.name(),
                "--close",
                code,
                reason,
                &url,
            ];
            draftgate(flags).run()
        };
        if !coded {
            let said = format!("a close in {draft} carries no status code; leave --close out");
            close("1000", "").expect(2, &[&said]);
            continue;
        }
        close("4000", "bye").expect(0, &["closed by us, code 4000 (bye)"]);
        for code in ["1005", "1006", "999", "65535"] {
            let said = format!("status code {code} must not be sent in a Close frame");
            close(code, "").expect(2, &[&said]);
        }
        close("1000", &"x".repeat(124)).expect(2, &["holds at most 125 octets, this one has 126"]);
        close("soon", "").expect(2, &["`soon` is no status code"]);
    }
    gateway.stop();
}

#[test]
fn the_server_is_pinged_as_often_as_is_asked_for() {
    let script = script(|peer| {
        for _ in 0..3 {
            let (first, body) = peer.frame();
            assert_eq!(first, 0x89);
            peer.say([&[0x8a, u8::try_from(body.len()).unwrap()][..], &body].concat());
        }
        peer.say(b"\x81\x01a");
        // Another ping may come before the close.
        let close = loop {
            match peer.frame() {
                (0x89, _) => {}
                other => break other,
            }
        };
        assert_eq!(close, (0x88, vec![0x03, 0xe8]));
        peer.say([0x88, 0x02, 0x03, 0xe8]);
        peer.end();
        peer.expect_any();
    });
    let ended = draftgate([
        "connect",
        "--ping",
        "50ms",
        "--count",
        "1",
        &script.url("/"),
    ])
    .run();
    script.finish();
    ended.expect(0, &[]);
    for (draft, able) in drafts_with(|it| it.ping) {
        let arguments = [
            "connect",
            "--ping",
            "1s",
            "--draft",
            draft.name(),
            "ws://127.0.0.1:1/",
        ];
        let ended = draftgate(arguments).run();
        match able {
            true => ended.expect(69, &["nothing listens there"]),
            false => ended.expect(2, &[&format!("{draft} has no ping; leave --ping out")]),
        }
        // Not to ping is possible everywhere.
        let arguments = [
            "connect",
            "--ping",
            "off",
            "--draft",
            draft.name(),
            "ws://127.0.0.1:1/",
        ];
        draftgate(arguments).run().expect(69, &[]);
    }
}

#[test]
fn a_refusal_in_every_draft_tried_is_a_refusal() {
    let refuse = || {
        Box::new(|peer: &mut Peer| {
            peer.head();
            peer.say("HTTP/1.1 400 Bad Request\r\n\r\n");
            peer.end();
            peer.expect_any();
        })
    };
    let script = Script::start_in_turn(vec![refuse(), refuse()]);
    let ended = draftgate(["connect", "--draft", "13,8", &script.url("/")]).run();
    script.finish();
    ended.expect(77, &["no draft was accepted", "hybi-13:", "hybi-08:"]);
}

#[test]
fn help_lists_every_exit_code() {
    let ended = draftgate(["connect", "--help"]).run();
    ended.expect(0, &[]);
    for code in [
        "  0  ", "  1  ", "  2  ", "  69 ", "  76 ", "  77 ", "  124 ",
    ] {
        assert!(ended.stdout.contains(code), "{code}: {}", ended.stdout);
    }
}
