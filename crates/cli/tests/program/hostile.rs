//! `draftgate replay` against servers that mean no good, and where no client
//! comes: it ends, with a verdict, whatever the other end does.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    thread,
};

use draftgate_drafts::opening::Keyed;

use crate::child::{Ended, draftgate};

const EXCHANGE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../interop-vectors/hybi-13/close.client-node-worlize.server-ruby-em-websocket.toml"
);

/// A replay against a server that treats each connection so.
fn against(server: impl Fn(TcpStream) + Send + Clone + 'static) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let server = server.clone();
            thread::spawn(move || server(stream));
        }
    });
    draftgate(["replay", EXCHANGE, "--target", &url, "--timeout", "1s"]).run()
}

/// Answers the request as it should be; then `octets`, for ever.
fn opened_then(mut stream: TcpStream, octets: &[u8]) {
    let mut head = Vec::new();
    let mut octet = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|n| n > 0) {
        head.push(octet[0]);
    }
    let head = String::from_utf8_lossy(&head);
    let key = head
        .lines()
        .find_map(|it| it.strip_prefix("Sec-WebSocket-Key: "));
    let Some(key) = key.and_then(Keyed::from_key) else {
        return;
    };
    let accept = key.accept();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let _ = stream.write_all(answer.as_bytes());
    for_ever(stream, octets);
}

fn for_ever(mut stream: TcpStream, octets: &[u8]) {
    let many = octets.repeat(10_000);
    while stream.write_all(&many).is_ok() {}
}

#[test]
fn frames_without_end_are_a_mismatch_and_not_listed_one_by_one() {
    for frame in [&b"\x81\x00"[..], b"\x81\x02hi", b"\x89\x02hi", b"\x8a\x00"] {
        let ended = against(move |stream| opened_then(stream, frame));
        ended.expect(1, &["1 of 1 replays are not as expected"]);
        assert!(
            ended.stdout.contains("messages that come back"),
            "{ended:#?}"
        );
        assert!(ended.stdout.len() < 4000, "{ended:#?}");
    }
}

#[test]
fn servers_that_speak_no_websocket_are_mismatches() {
    for (octets, said) in [
        (&b"\0\xffgarbage"[..], "answer-too-long"),
        (b"HTTP/1.1 101 Switching Protocols\r\n", "answer-too-long"),
        (
            b"HTTP/1.1 400 No\r\nContent-Length: 99999999999\r\n\r\n",
            "answer-status",
        ),
    ] {
        let ended = against(move |stream| for_ever(stream, octets));
        ended.expect(1, &["1 of 1 replays are not as expected"]);
        assert!(ended.stdout.contains(said), "{ended:#?}");
    }
    let ended = against(drop);
    ended.expect(1, &[]);
    assert!(
        ended.stdout.contains("the end of the connection"),
        "{ended:#?}"
    );
    let ended = against(|stream| {
        let mut octets = Vec::new();
        let _ = { stream }.read_to_end(&mut octets);
    });
    ended.expect(1, &[]);
    assert!(ended.stdout.contains("nothing in time"), "{ended:#?}");
}

#[test]
fn no_client_is_waited_for_longer_than_is_said() {
    let arguments = [
        "replay",
        EXCHANGE,
        "--listen",
        "127.0.0.1:0",
        "--wait",
        "100ms",
    ];
    let ended = draftgate(arguments).run();
    ended.expect(2, &["waiting for clients at ws://", "nothing was replayed"]);
    assert!(ended.stdout.contains("no client came"), "{ended:#?}");
}

#[test]
fn clients_that_never_stop_to_talk_run_out_of_time() {
    let arguments = [
        "replay",
        EXCHANGE,
        "--listen",
        "127.0.0.1:0",
        "--timeout",
        "1s",
    ];
    let mut replay = draftgate(arguments).start();
    let line = replay.stderr.line_with("waiting for clients at ws://");
    let (_, address) = line.split_once("ws://").unwrap();
    let mut client = TcpStream::connect(address.trim_end_matches('/')).unwrap();
    client.write_all(b"GET / HTTP/1.1\r\n").unwrap();
    for_ever(client, b"a: b\r\n");
    let ended = replay.finish();
    ended.expect(1, &[]);
    assert!(ended.stdout.contains("1 mismatch"), "{ended:#?}");
}
