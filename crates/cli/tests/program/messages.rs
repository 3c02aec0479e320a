//! How `draftgate connect` takes lines, octets and commands for messages, and
//! how it prints what comes back: by our own echo in every draft, and by scripts
//! that see what goes over the wire.

use draftgate_core::Draft;

use crate::{
    child::{Ended, draftgate},
    script::{Peer, Script},
    serve::{Gateway, gateway},
};

/// An echo of every draft.
pub(crate) fn echo() -> (Gateway, String) {
    let gateway = gateway(&["echo"]);
    let url = format!("ws://{}/", gateway.address);
    (gateway, url)
}

/// Every draft that is served, and whether it has this.
pub(crate) fn drafts_with(
    able: impl Fn(&draftgate_core::Capabilities) -> bool,
) -> Vec<(Draft, bool)> {
    draftgate_drafts::traits()
        .map(|traits| (traits.draft, able(&traits.capabilities)))
        .collect()
}

/// Connects to a script of RFC 6455 with `flags` and `input`.
fn converse(
    flags: &[&str],
    input: impl AsRef<[u8]>,
    script: impl FnOnce(&mut Peer) + Send + 'static,
) -> Ended {
    let script = Script::start(move |peer| {
        peer.open_13("");
        script(peer);
    });
    let url = script.url("/");
    let arguments = ["connect"].iter().chain(flags).copied().chain([&*url]);
    let ended = draftgate(arguments).run_with(input);
    script.finish();
    ended
}

/// Octets that repeat nothing.
fn noise(count: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..count).map(next).collect()
}

#[test]
fn lines_of_octets_go_and_come_in_every_draft_that_has_binary() {
    let (gateway, url) = echo();
    for (draft, able) in drafts_with(|it| it.binary) {
        for (flag, input, output) in [
            (
                "--hex",
                &b"00ff0a\n 48 69 \n\n"[..],
                &b"00ff0a\n4869\n\n"[..],
            ),
            ("--base64", b"AP8K\nSGk\n\n", b"AP8K\nSGk=\n\n"),
            ("--binary", b"\0\xff\r\nHi\n\n", b"\0\xff\r\nHi\n\n"),
            ("-b", b"no end", b"no end\n"),
        ] {
            let arguments = ["connect", "--draft", draft.name(), flag, &url];
            if able {
                let (code, printed) = draftgate(arguments).run_octets(input.to_vec());
                assert_eq!((code, &*printed), (Some(0), output), "{draft} {flag}");
            } else {
                let ended = draftgate(arguments).run_with(input);
                let said = format!("{draft} has no binary messages; send text");
                ended.expect(2, &[&said]);
                assert_eq!(ended.stdout, "");
            }
        }
    }
    gateway.stop();
}

#[test]
fn binary_is_shown_as_its_lines_are_written_and_text_always_as_it_is() {
    for (flags, shown) in [
        (&[][..], "t\u{e4}xt\n<binary, 2 octets: 00ff>\n"),
        (&["--hex"], "t\u{e4}xt\n00ff\n"),
        (&["--base64"], "t\u{e4}xt\nAP8=\n"),
    ] {
        let ended = converse(flags, "", |peer| {
            peer.say("\u{81}".chars().map(|c| c as u8).collect::<Vec<_>>());
            peer.say(b"\x05t\xc3\xa4xt\x82\x02\x00\xff");
            peer.close_13();
        });
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, shown);
    }
}

#[test]
fn raw_input_comes_back_octet_for_octet_in_every_draft() {
    let (gateway, url) = echo();
    let noise = noise(1 << 20);
    let text: String = "Gr\u{fc}\u{df}e \u{1f600}\r\n\0\t\u{20ac}\n"
        .repeat(60_000)
        .split_inclusive('\n')
        .collect();
    assert!(text.len() > 1 << 20);
    for (draft, binary) in drafts_with(|it| it.binary) {
        let raw = |flags: &[&str], input: &[u8]| {
            let flags = ["connect", "--raw", "--draft", draft.name()]
                .into_iter()
                .chain(flags.iter().copied());
            let (code, printed) = draftgate(flags.chain([&*url])).run_octets(input.to_vec());
            assert_eq!(code, Some(0), "{draft}");
            assert!(printed == input, "{draft} {:?}", printed.len());
        };
        for chunk in [None, Some("all"), Some("1000B"), Some("70000B")] {
            let flags: Vec<_> = chunk.iter().flat_map(|size| ["--chunk", size]).collect();
            if binary {
                raw(&flags, &noise);
            }
            raw(&[&flags[..], &["--text"]].concat(), text.as_bytes());
        }
        if !binary {
            let arguments = ["connect", "--raw", "--draft", draft.name(), &url];
            let ended = draftgate(arguments).run();
            let said = format!("{draft} has no binary messages; send text with --text");
            ended.expect(2, &[&said]);
        }
    }
    gateway.stop();
}

#[test]
fn raw_input_is_cut_where_it_is_asked_to() {
    let input = "ab\r\ncd\n";
    for (flags, frames) in [
        (&["--raw"][..], vec![(0x82, input)]),
        (&["--raw", "--text"], vec![(0x81, input)]),
        (&["--raw", "--chunk", "all"], vec![(0x82, input)]),
        (
            &["--raw", "--chunk", "4B"],
            vec![(0x82, "ab\r\n"), (0x82, "cd\n")],
        ),
        (
            &["--raw", "--binary", "--chunk", "1KiB"],
            vec![(0x82, input)],
        ),
    ] {
        let ended = converse(flags, input, move |peer| {
            for (first, payload) in frames {
                assert_eq!(peer.frame(), (first, payload.as_bytes().to_vec()));
            }
            // Text and binary are printed alike, and nothing between them.
            peer.say(b"\x81\x02a\n\x82\x01\x00\x81\x00");
            peer.close_13();
        });
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, "a\n\0");
    }
}

#[test]
fn raw_text_that_is_none_is_told() {
    let ended = converse(&["--raw", "--text"], b"a\xff", |peer| peer.close_13());
    ended.expect(1, &["piece 1 of standard input is not UTF-8 (octet 2"]);
}

#[test]
fn messages_of_the_command_line_are_sent_in_their_order_and_no_input_is_read() {
    let script = Script::start(|peer| {
        peer.open_13("");
        assert_eq!(peer.frame(), (0x81, b"one".to_vec()));
        assert_eq!(peer.frame(), (0x81, b"/two\n".to_vec()));
        peer.say(b"\x81\x06answer");
        peer.close_13();
    });
    let arguments = [
        "connect",
        "-x",
        "one",
        "--execute",
        "/two\n",
        &script.url("/"),
    ];
    // Standard input stays open: two seconds later it ends by itself.
    let ended = draftgate(arguments).start().finish();
    script.finish();
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "answer\n");
    let ended = converse(&["--hex", "-x", "00 ff", "--count", "1"], "", |peer| {
        assert_eq!(peer.frame(), (0x82, vec![0, 0xff]));
        peer.say(b"\x82\x01\x0a");
        peer.close_13();
    });
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "0a\n");
}

#[test]
fn commands_are_taken_from_input_where_that_is_asked_for() {
    let input = "/ping still there?\n//path\n/binary 00 ff\n/pong x\n/help\n/close 4000 all done\n";
    let ended = converse(&["--slash"], input, |peer| {
        assert_eq!(peer.frame(), (0x89, b"still there?".to_vec()));
        peer.say(b"\x8a\x0cstill there?");
        assert_eq!(peer.frame(), (0x81, b"/path".to_vec()));
        assert_eq!(peer.frame(), (0x82, vec![0, 0xff]));
        assert_eq!(peer.frame(), (0x8a, b"x".to_vec()));
        assert_eq!(peer.frame(), (0x88, b"\x0f\xa0all done".to_vec()));
        peer.say(b"\x88\x02\x0f\xa0");
        peer.end();
        peer.expect_end();
    });
    ended.expect(0, &["draftgate: pong \"still there?\" after ", "\n/help  "]);
    // Without --slash they are text.
    let ended = converse(&[], "/close\n", |peer| {
        assert_eq!(peer.frame(), (0x81, b"/close".to_vec()));
        peer.close_13();
    });
    ended.expect(0, &[]);
}

#[test]
fn a_file_is_sent_as_binary() {
    let dir = crate::child::directory();
    std::fs::write(dir.join("octets"), b"\x00\n\xff").unwrap();
    let script = Script::start(|peer| {
        peer.open_13("");
        assert_eq!(peer.frame(), (0x82, b"\x00\n\xff".to_vec()));
        peer.close_13();
    });
    let ended = draftgate(["connect", "--slash", &script.url("/")])
        .directory(&dir)
        .run_with("/binary @octets\n");
    script.finish();
    ended.expect(0, &[]);
}

#[test]
fn what_a_draft_cannot_say_is_told_and_the_rest_is_said() {
    let (gateway, url) = echo();
    let ping = drafts_with(|it| it.ping);
    for ((draft, binary), (_, ping)) in drafts_with(|it| it.binary).into_iter().zip(ping) {
        let arguments = ["connect", "--slash", "--draft", draft.name(), &url];
        let ended = draftgate(arguments).run_with("/ping x\n/binary 00\nHello\n");
        for (able, said) in [(binary, "binary messages"), (ping, "ping")] {
            let told = ended
                .stderr
                .contains(&format!("not sent: {draft} has no {said}"));
            assert_eq!(told, !able, "{draft}: {ended:#?}");
        }
        match binary && ping {
            true => ended.expect(0, &[]),
            false => ended.expect(1, &["not everything was sent: 2 things cannot be said"]),
        }
        assert!(ended.stdout.ends_with("Hello\n"), "{draft}: {ended:#?}");
    }
    gateway.stop();
}

#[test]
fn a_draft_that_was_not_the_only_one_is_told_what_it_lacks() {
    let script = Script::start_in_turn(vec![
        Box::new(|peer| {
            peer.head();
            peer.say("HTTP/1.1 400 Bad Request\r\n\r\n");
            peer.end();
            peer.expect_any();
        }),
        Box::new(|peer| {
            peer.open_75("/");
            peer.expect_end();
        }),
    ]);
    let flags = [
        "--hex", "--ping", "1s", "--close", "4000", "done", "--draft", "13,75",
    ];
    let arguments = ["connect"].into_iter().chain(flags);
    let url = script.url("/");
    let ended = draftgate(arguments.chain([&*url])).run_with("00\n");
    script.finish();
    let said = [
        "hixie-75 has no binary messages: what is to be sent as binary is not sent",
        "hixie-75 has no ping: the server is not pinged",
        "a close in hixie-75 carries no status code: it is closed as the draft can",
        "not sent: hixie-75 has no binary messages",
    ];
    ended.expect(1, &said);
}

#[test]
fn a_line_that_is_no_message_is_told_with_its_number() {
    for (flag, input, said) in [
        (
            "--hex",
            "00\n0\n",
            "line 2 of standard input is no hexadecimal",
        ),
        (
            "--base64",
            "AA==\n=\n",
            "line 2 of standard input is no base64",
        ),
        (
            "--slash",
            "a\n/foo\n",
            "line 2 of standard input is no command",
        ),
        (
            "--slash",
            "a\n/close x\n",
            "line 2 of standard input names no status code",
        ),
    ] {
        let ended = converse(&[flag], input, |peer| {
            peer.frame();
            peer.close_13();
        });
        ended.expect(1, &[said]);
    }
}

#[test]
fn flags_that_do_not_go_together_are_wrong_usage() {
    for flags in [
        &["--hex", "--base64"][..],
        &["--raw", "--hex"],
        &["--raw", "-x", "a"],
        &["--raw", "--slash"],
        &["--chunk", "1KiB"],
        &["--text"],
        &["--raw", "--chunk", "0B"],
        &["--raw", "--chunk", "5"],
        &["--show-secrets"],
        &["--exit-on-close", "--wait", "1s"],
        &["--count", "0"],
        &["--ping", "0s"],
        &["--close", "4000"],
    ] {
        let arguments = ["connect"]
            .iter()
            .chain(flags)
            .chain([&"ws://127.0.0.1:1/"]);
        let ended = draftgate(arguments.copied()).run();
        assert_eq!(ended.code, Some(2), "{flags:?}: {ended:#?}");
    }
}
