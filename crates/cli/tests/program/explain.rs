//! `draftgate explain`: octets in, every field named; where they break, code
//! and section on standard error.

use std::path::Path;

use draftgate_core::Draft;

use crate::child::{directory, draftgate};

const REQUEST: &str = "GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://example.com\r\n\r\n^n:ds[4U";

const ANSWER: &str = "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Origin: http://example.com\r\n\
    Sec-WebSocket-Location: ws://example.com/demo\r\n\r\n8jKS'y:G*Co,Wxa-";

fn root() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

#[track_caller]
fn says(stdout: &str, texts: &[&str]) {
    for text in texts {
        assert!(stdout.contains(text), "`{text}` is missing in:\n{stdout}");
    }
}

#[test]
fn a_frame_on_the_command_line_is_named_field_by_field() {
    for octets in [
        &["8105", "48656c6c6f"][..],
        &["81 05 48 65 6c 6c 6f"],
        &["0x81,0x05,0x48,0x65,0x6c,0x6c,0x6f"],
    ] {
        let ended = draftgate(["explain"].into_iter().chain(octets.iter().copied())).run();
        ended.expect(0, &[]);
        says(
            &ended.stdout,
            &[
                "FIN 1",
                "opcode 1 (text)",
                "payload length 5",
                "\"Hello\"",
                "nothing is wrong",
            ],
        );
        says(
            &ended.stdout,
            &["Read as hybi-13 from the server", "hybi-07 from the server"],
        );
        assert!(!ended.stdout.contains('\u{1b}'), "colours in a pipe");
    }
}

#[test]
fn a_request_tells_its_draft_and_frames_may_follow() {
    let octets = [REQUEST.as_bytes(), b"\0Hi\xff\xff\0"].concat();
    let ended = draftgate(["explain", "-"]).run_with(&octets);
    ended.expect(0, &[]);
    says(
        &ended.stdout,
        &[
            "The request is in hixie-76 = hybi-00.",
            "1299853100 / 5 spaces = 259970620",
            "key3: \"^n:ds[4U\"",
            "\"Hi\"",
            "the closing handshake",
            "2 frames: nothing is wrong",
        ],
    );
    let file = directory().join("request.bin");
    std::fs::write(&file, &octets).unwrap();
    let from_file = draftgate(["explain", file.to_str().unwrap()]).run();
    assert_eq!(from_file.stdout, ended.stdout);
}

#[test]
fn what_holds_no_stream_is_told_what_to_do_with_it() {
    let folder = directory();
    draftgate(["explain", "-"])
        .run_with("")
        .expect(2, &["standard input holds no octets"]);
    draftgate(["explain", folder.to_str().unwrap()])
        .run()
        .expect(2, &["is a directory"]);
    let capture = folder.join("a.pcap");
    std::fs::write(&capture, [0xd4, 0xc3, 0xb2, 0xa1, 2, 0, 4, 0]).unwrap();
    let path = capture.to_str().unwrap();
    draftgate(["explain", path])
        .run()
        .expect(2, &["draftgate vectors import"]);
    let raw = ["explain", "--raw", "--draft", "hixie-76", path];
    let ended = draftgate(raw).run();
    assert!(ended.stdout.contains("  d4 "), "{ended:#?}");
}

#[test]
fn what_is_compressed_is_shown_as_it_was() {
    let hello = "c1 07 f2 48 cd c9 c9 07 00";
    let explain = |arguments: &[&str]| {
        let mut words = vec!["explain"];
        words.extend(arguments);
        draftgate(words).run()
    };
    let said = explain(&["--extensions", "permessage-deflate", hello]);
    said.expect(0, &[]);
    assert!(
        said.stdout.starts_with("Read as hybi-13 from the server."),
        "{said:#?}"
    );
    assert!(
        said.stdout
            .contains("  RSV1: the message is compressed\n\n  holds 5 octets: \"Hello\"\n")
    );
    let said = explain(&["--draft", "hybi-13", "--from", "server", hello]);
    said.expect(1, &["reserved-bits"]);
    assert!(
        said.stdout
            .contains("RSV1: under permessage-deflate the message is"),
        "{said:#?}"
    );
    explain(&[hello]).expect(2, &["with --extensions what they agreed on"]);
    explain(&["--extensions", "x-other", hello]).expect(2, &["it must be as a server answers"]);
    explain(&[
        "--extensions",
        "permessage-deflate",
        "--draft",
        "hybi-08",
        "--from",
        "server",
        hello,
    ])
    .expect(2, &["hybi-08 has no permessage-deflate"]);
    for (name, holds) in [
        (
            "hybi-13/example.permessage-deflate",
            "holds 5 octets: \"Hello\"",
        ),
        (
            "hybi-08/example.x-webkit-deflate-frame",
            "RSV1: the frame is compressed",
        ),
        (
            "hybi-06/example.deflate-stream",
            "within it: frame from the client, octets 0 to 10, hybi-06",
        ),
        ("hybi-04/example.deflate-stream", "\"Hello\""),
    ] {
        let path = format!(
            "{}/../../interop-vectors/{name}.toml",
            env!("CARGO_MANIFEST_DIR")
        );
        let said = explain(&[&path]);
        said.expect(0, &[]);
        assert!(said.stdout.contains(holds), "{name}: {said:#?}");
        assert_eq!(
            said.stdout.matches("nothing is wrong.").count(),
            2,
            "{said:#?}"
        );
    }
}

#[test]
fn what_strictness_lets_pass_is_no_fault() {
    for (draft, words, rule, octets) in [
        (
            "hybi-08",
            "hybi-08",
            "reserved-bits",
            "c1 81 00 00 00 00 61",
        ),
        ("hybi-08", "hybi-08", "not-utf8", "81 82 00 00 00 00 c3 28"),
        (
            "hybi-13",
            "lenient",
            "length-not-minimal",
            "81 fe 00 01 00 00 00 00 61",
        ),
    ] {
        let read = ["explain", "--draft", draft, "--from", "client", octets];
        draftgate(read).run().expect(1, &[rule]);
        for words in [words, "lenient,hybi-08"] {
            let loosely = read.into_iter().chain(["--strictness", words]);
            draftgate(loosely).run().expect(0, &[]);
        }
    }
    let ended = draftgate(["explain", "--strictness", "strict", "81 00"]).run();
    ended.expect(2, &["`strict` is neither `hybi-08` nor `lenient`"]);
}

#[test]
fn a_refused_request_tells_why_and_what_to_do() {
    let squeezed = REQUEST.replace("Y3 1  .P00", "Y3 1 . P 00");
    let ended = draftgate(["explain", "-"]).run_with(squeezed);
    ended.expect(1, &["challenge-key-invalid", "hixie-76 §5.2"]);
    says(
        &ended.stdout,
        &[
            "The request is refused: challenge-key-invalid",
            "What to do: each key needs",
            "^^^^",
        ],
    );
    let no_head = draftgate(["explain", "-"]).run_with("GET / HTTP/1.1\r\nno colon\r\n\r\n");
    no_head.expect(1, &["head-malformed"]);
}

#[test]
fn an_answer_is_read_in_the_drafts_that_answer_so() {
    let ended = draftgate(["explain", "-"]).run_with(ANSWER);
    ended.expect(0, &[]);
    says(
        &ended.stdout,
        &["hixie-76 from the server", "challenge response"],
    );
    let refused =
        draftgate(["explain", "-"]).run_with("HTTP/1.1 400 Bad Request\r\nDate: x\r\n\r\nsorry");
    refused.expect(0, &[]);
    says(
        &refused.stdout,
        &["HTTP/1.1 400 Bad Request", "this is its body"],
    );
}

#[test]
fn where_a_stream_breaks_is_told_with_the_section() {
    let arguments = [
        "explain",
        "--draft",
        "13",
        "--from",
        "client",
        "81 05 48 65 6c 6c 6f",
    ];
    let ended = draftgate(arguments).run();
    ended.expect(1, &["mask-missing", "RFC 6455 §5.1", "at octet 1"]);
    says(&ended.stdout, &["! MASK 0", "1 fault."]);
    let second = [
        "explain",
        "--draft",
        "rfc6455",
        "--from=server",
        "8900 c105 48656c6c6f",
    ];
    draftgate(second)
        .run()
        .expect(1, &["reserved-bits", "RFC 6455 §5.2", "at octet 2"]);
}

#[test]
fn octets_that_no_draft_reads_ask_for_their_draft() {
    draftgate(["explain", "c1 05 48 65 6c 6c 6f"]).run().expect(
        2,
        &["say of which they are with --draft (hixie-75", "--from"],
    );
}

#[test]
fn what_is_neither_file_nor_octets_is_wrong_usage() {
    for words in [&["no/such/file"][..], &["81", "0"], &["xyz"], &[""]] {
        draftgate(["explain"].into_iter().chain(words.iter().copied()))
            .run()
            .expect(2, &["neither a file nor hexadecimal"]);
    }
    draftgate(["explain"]).run().expect(2, &["FILE|HEX|-"]);
    draftgate(["explain", "--draft", "hixie-77", "00"])
        .run()
        .expect(2, &["`hixie-77` is no draft"]);
}

#[test]
fn what_is_cut_off_is_said_and_is_no_fault() {
    let ended = draftgate(["explain", "81 05 48"]).run();
    ended.expect(0, &[]);
    says(
        &ended.stdout,
        &["cut off", "nothing is wrong up to where it is cut off"],
    );
}

#[test]
fn an_archived_exchange_is_explained_from_both_sides() {
    for draft in draftgate_drafts::announced() {
        let dir = root().join("interop-vectors").join(draft.name());
        let mut files: Vec<_> = std::fs::read_dir(dir)
            .unwrap()
            .map(|f| f.unwrap().path())
            .collect();
        files.retain(|f| {
            f.file_name()
                .unwrap()
                .to_str()
                .unwrap()
                .starts_with("text.")
                // Of libwebsockets' own mask in hybi-04 no server makes sense.
                && std::fs::read_to_string(f).unwrap().contains("[expect.server]")
        });
        files.sort();
        // Of some drafts nobody recorded a text.
        let Some(file) = files.first().map(|file| file.to_str().unwrap()) else {
            assert!(draft < Draft::Hybi06, "{draft}");
            continue;
        };
        let both = draftgate(["explain", file]).run();
        both.expect(0, &[]);
        let named = format!("The request is in {}.", draft.with_alias());
        says(
            &both.stdout,
            &[
                &named,
                "answer from the server",
                "octets from the client,",
                "octets from the server,",
            ],
        );
        let one = draftgate(["explain", "--from", "server", file]).run();
        assert!(!one.stdout.contains("from the client"), "{}", one.stdout);
    }
}

#[test]
fn colours_come_on_demand_and_change_no_text() {
    let plain = draftgate(["explain", "8100"]).run().stdout;
    let coloured = draftgate(["explain", "8100"])
        .env("CLICOLOR_FORCE", "1")
        .run()
        .stdout;
    assert!(coloured.contains("\u{1b}["));
    let never = draftgate(["explain", "8100"])
        .env("CLICOLOR_FORCE", "1")
        .env("NO_COLOR", "1")
        .run();
    assert_eq!(never.stdout, plain);
}
