//! One report in its three forms.

use draftgate_core::Role;

use super::*;
use crate::Mismatch;

fn report() -> Report {
    let mismatch = Box::new(Mismatch {
        what: "the events are not the expected ones".to_owned(),
        how: "octet by octet".to_owned(),
        expected: vec![
            "Opened".to_owned(),
            "text of 1 octets \"<\u{1}>\"".to_owned(),
        ],
        seen: vec!["Opened".to_owned()],
        fields: vec!["payload".to_owned()],
        octets: "00 01\n".to_owned(),
    });
    let judged = |name: &str, outcome| Judged {
        name: name.to_owned(),
        draft: Draft::Hybi13,
        role: Role::Server,
        outcome,
    };
    Report {
        against: Against::Server("ws://a/".to_owned()),
        peer: Some("x".to_owned()),
        took: Duration::from_millis(1500),
        judged: vec![
            judged("a", Outcome::Passed),
            judged("b", Outcome::Mismatch(mismatch.clone())),
            judged("c", Outcome::Skipped("no <answer>".to_owned())),
            judged(
                "d",
                Outcome::Deviation {
                    reason: "it is like that".to_owned(),
                    mismatch,
                },
            ),
            judged("e", Outcome::UnexpectedlyFine("was bad".to_owned())),
        ],
    }
}

#[test]
fn the_table_counts_all_and_shows_what_differs() {
    let text = report().table().to_string();
    for line in [
        "hybi-13   server         1        1 (1 fine)           1        1",
        "mismatch: b, as server (octet by octet): the events are not the expected ones",
        "  differs in: payload",
        "    00 01",
        "known deviation: it is like that\n  d",
        "unexpectedly fine: was bad\n  e",
        "    1  no <answer>",
        "4 replays against the server at ws://a/ in 1.5 s: 1 mismatch",
    ] {
        assert!(text.contains(line), "{line}:\n{text}");
    }
    assert!(
        text.contains("  ! expected text of 1 octets") && text.contains("    seen     nothing")
    );
}

#[test]
fn json_says_the_same() {
    let text = report().json().unwrap();
    let value: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["counts"]["mismatches"], 1);
    assert_eq!(value["counts"]["unexpectedly-fine"], 1);
    assert_eq!(value["exchanges"][1]["mismatch"]["fields"][0], "payload");
    assert_eq!(value["exchanges"][3]["outcome"], "deviation");
    assert_eq!(value["exchanges"][2]["reason"], "no <answer>");
}

#[test]
fn junit_is_read_back_with_the_same_counts() {
    let text = report().junit().unwrap();
    let read = quick_junit::Report::deserialize_from_str(&text).unwrap();
    assert_eq!((read.tests, read.failures), (5, 1), "{text}");
    assert!(text.contains("skipped=\"2\""), "{text}");
    assert_eq!(read.test_suites[0].test_cases.len(), 5);
    assert!(
        !text.contains('\u{1}'),
        "a control character has no place in XML"
    );
}
