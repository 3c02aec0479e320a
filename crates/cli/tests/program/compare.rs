//! `draftgate compare`: what is asked for on the command line, where the answer
//! goes, and in which colours.

use std::fs;

use crate::child::{directory, draftgate};

fn compare(arguments: &[&str]) -> crate::child::Ended {
    draftgate(["compare"].into_iter().chain(arguments.iter().copied())).run()
}

#[test]
fn without_arguments_hello_is_said_in_every_draft() {
    let ended = compare(&[]);
    ended.expect(0, &[]);
    for draft in draftgate_core::Draft::ALL {
        assert!(ended.stdout.contains(draft.name()), "{draft}: {ended:#?}");
    }
    for octets in ["00          48 65 6c 6c 6f  ff", "7f 9f 4d 51 58"] {
        assert!(ended.stdout.contains(octets), "{octets}: {ended:#?}");
    }
}

#[test]
fn what_is_asked_for_wrongly_is_told_with_what_to_write() {
    for (arguments, texts) in [
        (
            &["--binary", "0x"][..],
            &["`x` at character 2", "two digits"][..],
        ),
        (&["--binary", "abc"], &["one digit only"]),
        (&["--mask", "3"], &["--mask", "one digit"]),
        (&["--mask", "37fa21"], &["has 4 octets, this one has 3"]),
        (
            &["--drafts", "hixi-76"],
            &["is no draft", "did you mean `hixie-76`?"],
        ),
        (&["--diff", "hybi-06"], &["--diff", "2 values"]),
        (
            &["--diff", "hybi-06", "hibi-13"],
            &["did you mean `hybi-13`?"],
        ),
        (
            &["--close", "1005"],
            &["1005", "no Close frame", "3000 to 4999"],
        ),
        (&["--close", "many"], &["`many` is no status code"]),
        (&["--close", "1000", LONG], &["at most 123", "has 126"]),
        (&["--ping", LONG], &["at most 125", "has 126"]),
        (&["--fragments", "0"], &["at least one frame"]),
        (&["--fragments", "2", "--ping"], &["control frames"]),
        (&["--bits", "--format", "svg"], &["--bits draws text"]),
        (&["--bits", "--sizes"], &["cannot be used with"]),
        (&["--handshake", "hello"], &["cannot be used with"]),
        (&["--direction", "up"], &["client, server, both"]),
        (&["--formt", "json"], &["'--format'"]),
    ] {
        let ended = compare(arguments);
        ended.expect(2, texts);
        assert_eq!(ended.stdout, "", "{arguments:?}");
    }
}

/// 126 octets.
const LONG: &str = "123456789 123456789 123456789 123456789 123456789 123456789 123456789 \
    123456789 123456789 123456789 123456789 123456789 123456";

#[test]
fn a_binary_message_is_read_from_a_file() {
    let directory = directory();
    fs::write(directory.join("octets"), b"\xca\xfe").unwrap();
    let from_file = draftgate(["compare", "--binary", "@octets"])
        .directory(&directory)
        .run();
    from_file.expect(0, &[]);
    assert_eq!(from_file.stdout, compare(&["--binary", "CA fe"]).stdout);
    compare(&["--binary", "@octets"]).expect(1, &["cannot read octets"]);
}

#[test]
fn the_answer_goes_to_the_file_that_is_named() {
    let directory = directory();
    let arguments = ["compare", "--format", "html", "-o", "hello.html"];
    let ended = draftgate(arguments).directory(&directory).run();
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "");
    let page = fs::read_to_string(directory.join("hello.html")).unwrap();
    assert!(page.starts_with("<!DOCTYPE html>"), "{page}");
    compare(&["-o", "no/such/folder"]).expect(1, &["cannot write no/such/folder"]);
}

#[test]
fn a_pipe_is_plain_unless_colours_are_forced() {
    assert!(!compare(&[]).stdout.contains('\u{1b}'));
    let forced = |no_color: &str| {
        draftgate(["compare"])
            .env("CLICOLOR_FORCE", "1")
            .env("NO_COLOR", no_color)
            .run()
            .stdout
    };
    assert!(forced("").contains("\u{1b}[32m48 65 6c 6c 6f\u{1b}[0m"));
    let directory = directory();
    let file = draftgate(["compare", "-o", "plain"])
        .env("CLICOLOR_FORCE", "1")
        .directory(&directory);
    file.run().expect(0, &[]);
    let written = fs::read_to_string(directory.join("plain")).unwrap();
    assert_eq!(written, compare(&[]).stdout);
}

#[test]
fn random_masks_differ_and_fixed_ones_do_not() {
    let with = |mask| compare(&["--mask", mask, "--direction", "client", "--drafts", "13"]).stdout;
    assert_eq!(with("01020304"), with("01 02 03 04"));
    assert!(with("01020304").contains("clients mask with 01 02 03 04"));
    assert_ne!(with("random"), with("random"));
}

#[test]
fn json_is_one_value_with_a_row_for_each_draft_and_direction() {
    let ended = compare(&["--format", "json", "--fragments", "2"]);
    ended.expect(0, &[]);
    let model: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    let rows = model["rows"].as_array().unwrap();
    assert_eq!(rows.len(), 2 * draftgate_drafts::spoken().count());
    for row in rows {
        let octets = row["bytes"].as_str().unwrap().split(' ').count() as u64;
        let fields = row["fields"].as_array().unwrap();
        let mut bit = 0;
        for field in fields {
            assert_eq!(field["start_bit"], bit, "{row}");
            bit += field["len_bits"].as_u64().unwrap();
        }
        assert_eq!(bit, 8 * octets, "{row}");
    }
}
