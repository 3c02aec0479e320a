//! `draftgate connect` on a terminal, which is a pseudo-terminal of script(1):
//! what is typed, edited and shown there.

use std::sync::mpsc::channel;

use crate::{
    child::{Typing, WATCHDOG, draftgate},
    script::{Peer, Script},
};

/// The prompt, drawn with nothing behind it.
const PROMPT: &str = "> \r\x1b[2C";

/// A client at its first prompt, and the script of RFC 6455 that it talks to.
fn typing(flags: &[&str], script: impl FnOnce(&mut Peer) + Send + 'static) -> (Typing, Script) {
    let script = Script::start(move |peer| {
        peer.open_13("");
        script(peer);
    });
    let url = script.url("/");
    let arguments = ["connect"].iter().chain(flags).copied().chain([&*url]);
    let mut typing = draftgate(arguments).start_in_terminal("echo code $?; stty -a");
    typing.until("connected to ws://127.0.0.1:");
    typing.until("draftgate: /help lists");
    typing.until(PROMPT);
    (typing, script)
}

/// Waits for the end: the exit code, and that the terminal is as it was.
fn ended(typing: Typing, said: &str, code: &str) {
    let shown = typing.finish();
    assert!(shown.contains(said), "{said:?} is not in {shown:?}");
    assert!(shown.contains(&format!("code {code}\r\n")), "{shown:?}");
    for setting in ["\nisig icanon ", " echo ", " icrnl "] {
        assert!(shown.contains(setting), "{setting}: {shown:?}");
    }
}

#[test]
fn what_comes_stands_above_the_line_that_is_being_typed() {
    let (typed, half) = channel();
    let (mut typing, script) = typing(&[], move |peer| {
        half.recv_timeout(WATCHDOG).unwrap();
        peer.say(b"\x81\x09one\x1b[31m!");
        assert_eq!(peer.frame(), (0x81, "Hell\u{f6}!".as_bytes().to_vec()));
        peer.close_13();
    });
    typing.press("Hell\u{f6}");
    typing.until("Hell\u{f6}");
    typed.send(()).unwrap();
    // The line is taken away, the message printed, the line drawn again.
    let before = typing.until("< one\\u{1b}[31m!\r\n");
    assert!(before.ends_with("\r\x1b[K"), "{before:?}");
    typing.until("> Hell\u{f6}");
    typing.press("!\r");
    typing.until(PROMPT);
    typing.press("\x04");
    ended(typing, "closed by us, code 1000", "0");
    script.finish();
}

#[test]
fn lines_are_edited_and_come_again_from_the_history() {
    let (mut typing, script) = typing(&[], |peer| {
        for text in ["Hello", "Hello", "Hallo"] {
            assert_eq!(peer.frame(), (0x81, text.as_bytes().to_vec()));
            peer.say(b"\x81\x01.");
        }
        peer.close_13();
    });
    // Home, delete, end; the whole line once more; the line before changed.
    for keys in [
        "xHell\x1b[H\x1b[3~\x1b[Fo\r",
        "\x1b[A\r",
        "\x1b[A\x02\x02\x02\x02\x1b[3~a\r",
    ] {
        typing.press(keys);
        typing.until("< .\r\n");
        typing.until(PROMPT);
    }
    typing.press("\x03");
    ended(typing, "closed by us, code 1000", "0");
    script.finish();
}

#[test]
fn commands_are_obeyed_and_mistakes_do_not_end_it() {
    let (mut typing, script) = typing(&[], |peer| {
        assert_eq!(peer.frame(), (0x89, b"x".to_vec()));
        peer.say(b"\x8a\x01x");
        assert_eq!(peer.frame(), (0x82, vec![0, 0xff]));
        peer.say(b"\x82\x02\x00\xff");
        assert_eq!(peer.frame(), (0x81, b"/foo".to_vec()));
        assert_eq!(peer.frame(), (0x88, b"\x0f\xa0bye".to_vec()));
        peer.say(b"\x88\x02\x0f\xa0");
        peer.end();
        peer.expect_end();
    });
    for (line, shown) in [
        ("/ping x", "draftgate: pong \"x\" after "),
        (
            "/foo",
            "not sent: this line is no command: /help lists them",
        ),
        ("/binary 0", "not sent: this line is no hexadecimal"),
        ("/help", "/close [CODE [REASON]]"),
        ("/binary 00 ff", "< <binary, 2 octets: 00ff>"),
    ] {
        typing.press(&format!("{line}\r"));
        typing.until(shown);
        typing.until(PROMPT);
    }
    typing.press("//foo\r");
    typing.until(PROMPT);
    typing.press("/close 4000 bye\r");
    ended(typing, "closed by us, code 4000 (bye)", "0");
    script.finish();
}

#[test]
fn a_server_that_ends_it_gives_the_terminal_back() {
    for (octets, said, code) in [
        (
            &b"\x81\x04last\x88\x02\x03\xe8"[..],
            "closed by the peer, code 1000",
            "0",
        ),
        (b"\x81\x04last", "the peer went away without closing", "76"),
        (b"\x81\x04last\x83\x00", "the peer broke its draft", "76"),
    ] {
        let (typed, half) = channel();
        let (mut typing, script) = typing(&[], move |peer| {
            half.recv_timeout(WATCHDOG).unwrap();
            peer.say(octets);
            peer.end();
            peer.expect_any();
        });
        typing.press("half a li");
        typing.until("half a li");
        typed.send(()).unwrap();
        typing.until("< last\r\n");
        ended(typing, said, code);
        script.finish();
    }
}

#[test]
fn what_is_still_said_after_ctrl_d_is_shown_and_ctrl_c_does_not_wait() {
    let (shown, may_end) = channel::<()>();
    let (mut typing, script) = typing(&[], move |peer| {
        assert_eq!(peer.frame(), (0x88, vec![0x03, 0xe8]));
        peer.say(b"\x81\x05later");
        // Until the program has been seen to end.
        let _ = may_end.recv_timeout(WATCHDOG);
    });
    typing.press("\x04");
    // The line is taken from the terminal and given to it again meanwhile: only
    // then is Ctrl-C no signal to everything that runs there.
    if !typing.until("\x1b[?2004h").contains("< later\r\n") {
        typing.until("< later\r\n");
    }
    typing.press("\x03");
    ended(typing, "interrupted: the connection was cut", "1");
    drop(shown);
    script.finish();
}

#[test]
fn frames_are_shown_above_the_line() {
    let (mut typing, script) = typing(&["--show-frames", "--count", "1"], |peer| {
        assert_eq!(peer.frame(), (0x81, b"Hi".to_vec()));
        peer.say(b"\x81\x02Ho");
        peer.close_13();
    });
    typing.press("Hi\r");
    typing.until("frame from the client, octets 0 to 7");
    typing.until("frame from the server, octets 0 to 3");
    typing.until("< Ho\r\n");
    ended(typing, "closed by us, code 1000", "0");
    script.finish();
}

#[test]
fn a_terminal_that_cannot_be_edited_on_is_read_line_by_line() {
    let script = Script::start(|peer| {
        peer.open_13("");
        assert_eq!(peer.frame(), (0x81, b"Hello".to_vec()));
        peer.say(b"\x81\x03a\x07b");
        peer.close_13();
    });
    let url = script.url("/");
    let dumb = draftgate(["connect", "--count", "1", &url]);
    let mut typing = dumb
        .env("TERM", "dumb")
        .start_in_terminal("echo code $?; stty -a");
    typing.until("connected to");
    typing.press("Hello\n");
    typing.until("a\\u{7}b\r\n");
    ended(typing, "closed by us, code 1000", "0");
    script.finish();
}
