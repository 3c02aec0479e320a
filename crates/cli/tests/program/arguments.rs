//! What is typed: help, version, and mistakes.

use crate::child::draftgate;

#[test]
fn help_names_every_command_and_every_exit_code() {
    for arguments in [&["--help"][..], &["help"], &["-h"]] {
        let ended = draftgate(arguments.iter().copied()).run();
        ended.expect(0, &[]);
        for text in [
            "serve",
            "check",
            "echo",
            "connect",
            "explain",
            "record",
            "78 wrong configuration",
        ] {
            assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
        }
    }
}

#[test]
fn each_command_has_help_with_examples() {
    for (command, text) in [
        ("serve", "draftgate serve --listen 127.0.0.1:0"),
        ("check", "78"),
        ("echo", "draftgate echo --drafts hixie-75,hixie-76"),
        ("connect", "draftgate connect --draft hixie-76"),
        ("proxy", "draftgate proxy --upstream-draft hixie-76"),
        ("compare", "draftgate compare --diff hybi-06 hybi-13"),
        ("explain", "draftgate explain --draft hixie-76"),
        ("record", "draftgate record --listen 127.0.0.1:8081"),
    ] {
        let ended = draftgate(["help", command]).run();
        ended.expect(0, &[]);
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
}

#[test]
fn the_version_is_the_packages() {
    let ended = draftgate(["--version"]).run();
    ended.expect(0, &[]);
    let version = concat!("draftgate ", env!("CARGO_PKG_VERSION"), "\n");
    assert_eq!(ended.stdout, version);
}

#[test]
fn a_wrong_flag_is_answered_with_the_nearest_one() {
    draftgate(["serve", "--lissen", "127.0.0.1:0"])
        .run()
        .expect(2, &["--lissen", "'--listen'"]);
    draftgate(["conect"]).run().expect(2, &["'connect'"]);
}

#[test]
fn an_address_that_is_none_is_told_what_to_write() {
    for address in ["8080", "localhost:8080", "127.0.0.1:65536"] {
        draftgate(["--listen", address])
            .run()
            .expect(2, &[address, "for example 127.0.0.1:8080"]);
    }
}

#[test]
fn a_draft_that_is_unknown_is_wrong_usage() {
    draftgate(["connect", "--draft", "hixie-77", "ws://a/"])
        .run()
        .expect(2, &["`hixie-77` is no draft"]);
}

#[test]
fn a_url_that_is_none_is_wrong_usage() {
    for (url, text) in [
        ("127.0.0.1:1/", "write `ws://` before the host"),
        ("http://127.0.0.1:1/", "write `ws://` or `wss://`"),
        ("ws://127.0.0.1:99999/", "from 1 to 65535"),
    ] {
        draftgate(["connect", url]).run().expect(2, &[text]);
    }
    draftgate(["connect"]).run().expect(2, &["<URL>"]);
}

#[test]
fn a_time_needs_its_unit() {
    draftgate(["connect", "--timeout", "5", "ws://a/"])
        .run()
        .expect(2, &["the unit is missing"]);
}

#[test]
fn hixie_cannot_ask_for_two_subprotocols() {
    let arguments = [
        "connect",
        "--draft",
        "76",
        "--subprotocol",
        "a",
        "--subprotocol",
        "b",
    ];
    draftgate(arguments.into_iter().chain(["ws://127.0.0.1:1/"]))
        .run()
        .expect(2, &["hixie-76 asks for one subprotocol at most"]);
}
