//! Exports, as tshark dissects them: without options, since servers are where
//! it looks for HTTP.

use std::{collections::BTreeSet, path::Path, process::Command};

use draftgate_core::{Draft, Event, Message, Role};
use draftgate_pcap::export;
use draftgate_vectors::Vector;

use crate::{Folder, archive};

/// What `tshark -r file` prints for `arguments`, line by line.
fn tshark(file: &Path, arguments: &[&str]) -> Vec<String> {
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args([
            "-o",
            "tcp.check_checksum:TRUE",
            "-o",
            "ip.check_checksum:TRUE",
        ])
        .args(arguments)
        .output()
        .expect("tshark cannot be started; `cargo xtask test` installs it");
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let stdout = String::from_utf8(output.stdout).unwrap();
    stdout.lines().map(str::to_owned).collect()
}

/// The draft that became RFC 6455, the one that tshark knows.
fn of_the_rfc(vector: &Vector) -> bool {
    vector.about.draft == Draft::Hybi13
}

/// The texts that `vector` says the two sides sent, whole and in one frame or more.
fn texts(vector: &Vector) -> Option<BTreeSet<String>> {
    let mut texts = BTreeSet::new();
    for role in [Role::Client, Role::Server] {
        for event in &vector.expectation(role).stated()?.events {
            if let Event::Message(Message::Text(text)) = event {
                texts.insert(text.to_string());
            }
        }
    }
    Some(texts)
}

#[test]
fn foreign_tshark_shows_the_payloads_of_every_exchange_of_rfc_6455() {
    let folder = Folder::new("payloads");
    let mut expected = Vec::new();
    for vector in archive().into_iter().filter(of_the_rfc) {
        let answer = vector.head(Role::Server);
        let switched = answer.is_some_and(|it| it.first_line().starts_with("HTTP/1.1 101 "));
        let texts = texts(&vector).filter(|texts| switched && !texts.is_empty());
        expected.extend(texts.map(|texts| (vector, texts)));
    }
    let file = folder.file("a.pcapng");
    let exchanges = expected.iter().map(|(vector, _)| vector);
    export(exchanges, &mut std::fs::File::create(&file).unwrap()).unwrap();
    let fields = ["-e", "tcp.stream", "-e", "websocket.payload.text"];
    let shown = tshark(
        &file,
        &[&["-Y", "websocket", "-T", "fields"], &fields[..]].concat(),
    );
    assert!(expected.len() > 3, "{}", expected.len());
    for (stream, (vector, texts)) in expected.iter().enumerate() {
        let of_stream = |line: &&String| line.split('\t').next() == Some(&stream.to_string());
        let shown: Vec<_> = shown.iter().filter(of_stream).collect();
        for text in texts {
            // Long ones are shown by their beginning.
            let begin: String = text
                .chars()
                .take(30)
                .take_while(|c| !c.is_control())
                .collect();
            let there = shown.iter().any(|line| line.contains(&begin));
            assert!(there, "{}: `{begin}` is not in {shown:?}", vector.name);
        }
    }
}

#[test]
fn foreign_tshark_finds_nothing_wrong_with_the_archive_as_a_capture() {
    let folder = Folder::new("whole");
    let archive = archive();
    let file = folder.file("a.pcapng");
    export(&archive, &mut std::fs::File::create(&file).unwrap()).unwrap();
    let connections: BTreeSet<String> = tshark(&file, &["-T", "fields", "-e", "tcp.stream"])
        .into_iter()
        .collect();
    assert_eq!(connections.len(), archive.len());
    for wrong in [
        "tcp.checksum.status != 1 || ip.checksum.status != 1",
        "tcp.analysis.flags && !tcp.analysis.reused_ports",
    ] {
        let found = tshark(&file, &["-Y", wrong]);
        assert!(found.is_empty(), "{wrong}: {found:#?}");
    }
    let comments = tshark(&file, &["-T", "fields", "-e", "frame.comment"]).join("\n");
    for vector in &archive {
        assert!(comments.contains(&vector.about.source), "{}", vector.name);
    }
}

#[test]
fn foreign_tshark_sees_a_gap_as_a_segment_that_was_not_captured() {
    let folder = Folder::new("gap");
    let text = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign/gap.toml"),
    );
    std::fs::write(folder.file("gap.toml"), text.unwrap()).unwrap();
    let vector = draftgate_vectors::load(folder.file("gap.toml")).unwrap();
    let file = folder.file("a.pcapng");
    export([&vector], &mut std::fs::File::create(&file).unwrap()).unwrap();
    let lost = tshark(
        &file,
        &[
            "-Y",
            "tcp.analysis.lost_segment || tcp.analysis.ack_lost_segment",
        ],
    );
    assert!(!lost.is_empty());
    let snapped = tshark(&file, &["-Y", "frame.len > frame.cap_len"]);
    assert_eq!(snapped.len(), 1, "{snapped:#?}");
}
