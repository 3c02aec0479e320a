//! What `draftgate connect` is told to do and to show, with other people's
//! servers at the other end: messages of the command line, as many answers,
//! octets as they are, and the frames of both sides.

use std::io::Write;
use std::process::Stdio;

use crate::gateway::draftgate;
use crate::peers::{self, Meeting};
use crate::servers::start;

/// What a run of `draftgate connect` printed; it must have ended well.
struct Printed {
    stdout: Vec<u8>,
    stderr: String,
}

fn connect(meeting: &Meeting, flags: &[&str], host: &str, input: &[u8]) -> Printed {
    let mut command = draftgate("connect");
    let url = format!("ws://{host}/echo");
    command.args(["--timeout", "100s", "--draft", meeting.draft.name()]);
    let command = command.args(flags).arg(url);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writing = std::thread::spawn(move || stdin.write_all(&input));
    let ended = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    let stderr = String::from_utf8(ended.stderr).unwrap();
    assert_eq!(ended.status.code(), Some(0), "{}: {stderr}", meeting.name());
    Printed {
        stdout: ended.stdout,
        stderr,
    }
}

fn is_driven(peer: &str, draft: &str) {
    let meeting = peers::server(peer, draft);
    let (mut server, host) = start(&meeting);
    let name = meeting.name();
    let flags = [
        "-x",
        "Hello",
        "--count",
        "1",
        "--show-handshake",
        "--show-frames",
    ];
    let printed = connect(&meeting, &flags, &host, b"");
    assert_eq!(printed.stdout, b"Hello\n", "{name}");
    let draft = meeting.draft.with_alias();
    for said in [
        "> GET /echo HTTP/1.1\n".to_owned(),
        "\n< HTTP/1.1 101 ".to_owned(),
        "\nframe from the client, octets 0 to ".to_owned(),
        format!(", {draft}\n"),
        "\nframe from the server, octets 0 to 6, ".to_owned(),
        "  \"Hello\"".to_owned(),
    ] {
        assert!(
            printed.stderr.contains(&said),
            "{name}: {said}: {}",
            printed.stderr
        );
    }
    // The server breaks nothing: a fault would stand there with its place.
    assert!(
        !printed.stderr.contains(", at octet "),
        "{name}: {}",
        printed.stderr
    );
    if meeting.capabilities().binary {
        let octets: Vec<u8> = (0..=255).cycle().take(100_000).collect();
        let flags = ["--raw", "--chunk", "30000B", "--count", "4"];
        let printed = connect(&meeting, &flags, &host, &octets);
        assert!(printed.stdout == octets, "{name}: {}", printed.stdout.len());
        let flags = ["--slash", "--count", "1", "--close", "4000", "done"];
        let printed = connect(&meeting, &flags, &host, b"/ping x\n/binary 00 ff\n");
        assert_eq!(printed.stdout, b"<binary, 2 octets: 00ff>\n", "{name}");
        assert!(
            printed.stderr.contains("pong \"x\" after "),
            "{name}: {}",
            printed.stderr
        );
    }
    server.end_stdin();
    server.forget_stdout();
    server.end_well();
}

#[test]
fn foreign_ws_is_driven_by_flags_in_hybi_13() {
    is_driven("ws", "hybi-13");
}

#[test]
fn foreign_websocket_driver_is_driven_by_flags_in_hixie_75() {
    is_driven("websocket_driver", "hixie-75");
}

#[test]
fn foreign_websocket_driver_is_driven_by_flags_in_hixie_76() {
    is_driven("websocket_driver", "hixie-76");
}

#[test]
fn foreign_websocket_driver_is_driven_by_flags_in_hybi_08() {
    is_driven("websocket_driver", "hybi-08");
}
