//! What `draftgate connect` shows of the wire: both heads, and every frame as
//! `draftgate explain` has it. What went over the wire is seen by a relay
//! between it and the server.

use std::{
    fmt::Write as _,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use draftgate_core::{Draft, Role};

use crate::{
    child::{Ended, WATCHDOG, draftgate},
    messages::{drafts_with, echo},
    script::Script,
};

/// Relays one connection to `server`: where it listens, and what each side said
/// when both have ended.
fn relay(server: &str) -> (String, Receiver<[Vec<u8>; 2]>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let server = server.to_owned();
    let (done, said) = channel();
    thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(server).unwrap();
        let (other, another) = (client.try_clone().unwrap(), server.try_clone().unwrap());
        let asked = thread::spawn(move || passed(client, another));
        let answered = passed(server, other);
        let _ = done.send([asked.join().unwrap(), answered]);
    });
    (address, said)
}

fn passed(mut from: TcpStream, mut to: TcpStream) -> Vec<u8> {
    let mut all = Vec::new();
    let mut octets = [0; 4096];
    while let Ok(count) = from.read(&mut octets)
        && count > 0
    {
        all.extend(&octets[..count]);
        if to.write_all(&octets[..count]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Write);
    all
}

/// Where the head ends.
fn head(octets: &[u8]) -> usize {
    let end = octets.windows(4).position(|end| end == b"\r\n\r\n");
    end.expect("a head ends") + 4
}

/// The lines that a head is shown as, and the octets behind it.
fn shown(sign: char, octets: &[u8], size: usize) -> String {
    let mut text = String::new();
    for line in std::str::from_utf8(&octets[..size])
        .unwrap()
        .split_terminator("\r\n")
    {
        let space = if line.is_empty() { "" } else { " " };
        let _ = writeln!(text, "{sign}{space}{line}");
    }
    text
}

fn hex(octets: &[u8]) -> String {
    let pairs: Vec<String> = octets.iter().map(|octet| format!("{octet:02x}")).collect();
    pairs.join(" ")
}

#[test]
fn both_heads_are_shown_as_they_went_over_the_wire_in_every_draft() {
    let (gateway, url) = echo();
    let server = url
        .trim_start_matches("ws://")
        .trim_end_matches('/')
        .to_owned();
    for (draft, _) in drafts_with(|_| true) {
        let (address, said) = relay(&server);
        let url = format!("ws://{address}/a?b=c");
        let flags = [
            "--show-handshake",
            "--show-secrets",
            "-H",
            "Cookie: a=b",
            "--draft",
        ];
        let arguments = ["connect"].into_iter().chain(flags);
        let ended = draftgate(arguments.chain([draft.name(), &url])).run();
        ended.expect(0, &[]);
        let [asked, answered] = said.recv_timeout(WATCHDOG).unwrap();
        let acceptor = draftgate_drafts::acceptor(draft).unwrap();
        let mut wanted = String::new();
        for (sign, octets, behind) in [
            ('>', &asked, acceptor.octets_after_head()),
            ('<', &answered, acceptor.octets_after_answer()),
        ] {
            let size = head(octets);
            wanted += &shown(sign, octets, size);
            if behind > 0 {
                for line in octets[size..size + behind].chunks(16) {
                    let _ = writeln!(wanted, "{sign} {}", hex(line));
                }
            }
        }
        assert_eq!(ended.stderr, wanted, "{draft}");
        assert!(wanted.contains("> Cookie: a=b\n"), "{wanted}");
    }
    gateway.stop();
}

#[test]
fn secrets_are_hidden_unless_they_are_asked_for() {
    let connect = |flags: &[&str]| {
        let script = Script::start(|peer| {
            peer.open_13("Set-Cookie: session=s3cret\r\nX: y\r\n");
            peer.close_13();
        });
        let url = format!("ws://me:s3cret@127.0.0.1:{}/", script.port);
        let flags = ["connect", "--show-handshake", "-H", "Cookie: id=s3cret"]
            .into_iter()
            .chain(flags.iter().copied());
        let ended = draftgate(flags.chain([&*url])).run();
        script.finish();
        ended.expect(0, &["\n< X: y\n"]);
        ended
    };
    let ended = connect(&[]);
    let hidden = [
        "> Cookie: <9 octets hidden>\n",
        "> Authorization: <18 octets hidden>\n",
        "< Set-Cookie: <14 octets hidden>\n",
    ];
    ended.expect(0, &hidden);
    assert!(!ended.stderr.contains("s3cret"), "{ended:#?}");
    assert!(!ended.stderr.contains("bWU6"), "{ended:#?}");
    let told = [
        "> Cookie: id=s3cret\n",
        "> Authorization: Basic bWU6czNjcmV0\n",
        "< Set-Cookie: session=s3cret\n",
    ];
    connect(&["--show-secrets"]).expect(0, &told);
}

#[test]
fn an_answer_that_refuses_is_shown_as_well() {
    let script = Script::start(|peer| {
        peer.head();
        peer.say("HTTP/1.1 403 Forbidden\r\nX-Why: no\x1b[2J\nContent-Length: 4\r\n\r\nnope");
        peer.end();
        peer.expect_any();
    });
    let ended = draftgate(["connect", "--show-handshake", &script.url("/")]).run();
    script.finish();
    let said = [
        "\n< HTTP/1.1 403 Forbidden\n",
        "< X-Why: no\\u{1b}[2J\\n\n<",
    ];
    ended.expect(77, &said);
    let script = Script::start(|peer| {
        peer.head();
        peer.say("220 mail");
        peer.end();
        peer.expect_any();
    });
    let ended = draftgate(["connect", "--show-handshake", &script.url("/")]).run();
    script.finish();
    ended.expect(69, &["\n< 220 mail (cut off)\n"]);
}

/// What `draftgate explain` says of frames, one by one.
fn explained(draft: &str, from: Role, octets: &[u8]) -> Vec<String> {
    let arguments = [
        "explain",
        "--draft",
        draft,
        "--from",
        from.name(),
        &hex(octets),
    ]
    .map(str::to_owned);
    let Ended { stdout, .. } = draftgate(arguments.iter().map(String::as_str)).run();
    let (frames, _) = stdout.rsplit_once("\n\n").unwrap();
    let begin = "frame from the ";
    let parts = frames.split(begin).skip(1);
    parts
        .map(|part| format!("{begin}{}\n", part.trim_end()))
        .collect()
}

#[test]
fn every_frame_is_shown_as_explain_lays_it_out_in_every_draft() {
    let (gateway, url) = echo();
    let server = url
        .trim_start_matches("ws://")
        .trim_end_matches('/')
        .to_owned();
    for (draft, binary) in drafts_with(|it| it.binary) {
        let (address, said) = relay(&server);
        let url = format!("ws://{address}/");
        let input = match binary {
            true => format!(
                "Hello\n/ping ?\n/binary 00 ff\nGr\u{fc}\u{df}e\n{}\n",
                "x".repeat(70_000)
            ),
            false => format!("Hello\nGr\u{fc}\u{df}e\n{}\n", "x".repeat(70_000)),
        };
        let flags = [
            "connect",
            "--show-frames",
            "--slash",
            "--draft",
            draft.name(),
            &url,
        ];
        let ended = draftgate(flags).run_with(&input);
        ended.expect(0, &[]);
        let [asked, answered] = said.recv_timeout(WATCHDOG).unwrap();
        let acceptor = draftgate_drafts::acceptor(draft).unwrap();
        let mut count = 0;
        for (from, octets, behind) in [
            (Role::Client, &asked, acceptor.octets_after_head()),
            (Role::Server, &answered, acceptor.octets_after_answer()),
        ] {
            // Without both heads nobody can tell what hybi-04 masks.
            if (from, draft) == (Role::Client, Draft::Hybi04) {
                continue;
            }
            let frames = &octets[head(octets) + behind..];
            // As many octets as a command line can hold, and a bit of the last frame.
            let most = frames.len().min(100);
            let mut wanted = explained(draft.name(), from, &frames[..most]);
            if most < frames.len() {
                wanted.pop();
            }
            for frame in &wanted {
                let found = ended.stderr.contains(frame.as_str());
                assert!(found, "{draft}: {frame}\nis not in\n{}", ended.stderr);
            }
            count += wanted.len();
        }
        let both = draft != Draft::Hybi04;
        let least = if binary { 4 } else { 2 } * if both { 2 } else { 1 };
        assert!(count >= least, "{draft}: {count} frames");
        let long = ended.stderr.matches("(70000 octets)").count();
        assert!(long >= 2, "{draft}: {}", ended.stderr);
    }
    gateway.stop();
}

#[test]
fn a_frame_that_breaks_off_or_breaks_the_draft_is_shown_too() {
    for (octets, code, said) in [
        (
            &b"\x81\x05He"[..],
            76,
            "cut off: the octets end before it does",
        ),
        (b"\x83\x00", 76, "unknown-opcode: "),
    ] {
        let script = Script::start(move |peer| {
            peer.open_13("");
            peer.say(octets);
            peer.end();
            peer.expect_any();
        });
        let running = draftgate(["connect", "--show-frames", &script.url("/")]).start();
        running
            .finish()
            .expect(code, &["frame from the server", said]);
        script.finish();
    }
}

#[test]
fn frames_that_come_with_the_answer_are_shown() {
    let script = Script::start(|peer| {
        let head = peer.head();
        let accept = crate::script::accept(crate::script::field(&head, "Sec-WebSocket-Key"));
        let answer = format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        );
        peer.say([answer.as_bytes(), b"\x81\x02Hi"].concat());
        peer.close_13();
    });
    let flags = [
        "connect",
        "--show-handshake",
        "--show-frames",
        "--count",
        "1",
    ];
    let url = script.url("/");
    let ended = draftgate(flags.into_iter().chain([&*url])).run();
    script.finish();
    ended.expect(0, &["\n<\n\nframe from the server, octets 0 to 3, hybi-13"]);
    assert_eq!(ended.stdout, "Hi\n");
}
