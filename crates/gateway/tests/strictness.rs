//! What `strictness` of a route lets pass, over a socket: that the word reaches
//! the codec of the draft that it is about, and no other draft. What each draft
//! bears, octet by octet, stands in the table of `draftgate-drafts`' tests.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use common::{Raw, captured, gateway, soon, versioned, with_route};
use draftgate_core::{Draft, Strictness};

const HYBI_08: &str = "hybi-08";
const LENIENT: &str = "lenient";

/// A frame that a client sends under a key of zeros, the word that lets it pass in
/// a draft that fails it, if one does, and what `/echo` then sends back.
struct Row {
    client: &'static [u8],
    passes: Option<(Draft, &'static str)>,
    echoed: &'static [u8],
    /// The rule that is broken otherwise, and the code that answers it.
    rule: &'static str,
    code: u16,
}

const ROWS: [Row; 4] = [
    Row {
        client: b"\xc1\x81\0\0\0\0a",
        passes: Some((Draft::Hybi08, HYBI_08)),
        echoed: b"\x81\x01a",
        rule: "reserved-bits",
        code: 1002,
    },
    Row {
        client: b"\x81\x82\0\0\0\0\xc3(",
        passes: Some((Draft::Hybi08, HYBI_08)),
        echoed: b"\x81\x04\xef\xbf\xbd(",
        rule: "not-utf8",
        code: 1007,
    },
    Row {
        client: b"\x81\xfe\0\x01\0\0\0\0a",
        passes: Some((Draft::Hybi13, LENIENT)),
        echoed: b"\x81\x01a",
        rule: "length-not-minimal",
        code: 1002,
    },
    Row {
        client: b"\x83\x80\0\0\0\0",
        passes: None,
        echoed: b"",
        rule: "unknown-opcode",
        code: 1002,
    },
];

/// The drafts whose texts the words are about.
const DRAFTS: [Draft; 2] = [Draft::Hybi08, Draft::Hybi13];

#[tokio::test]
async fn each_word_loosens_its_own_draft_and_the_log_counts_it() {
    let (lines, _guard) = captured();
    let mut passed = 0;
    for words in ["", HYBI_08, LENIENT, "hybi-08,lenient"] {
        let (running, address) = gateway(with_route("/echo", |route| {
            route.limits.strictness = match words {
                "" => Strictness::STRICT,
                words => words.parse().unwrap(),
            };
        }));
        for (row, draft) in ROWS.iter().flat_map(|row| DRAFTS.map(|draft| (row, draft))) {
            // Version 8 never demanded the shortest form.
            let always = draft == Draft::Hybi08 && row.rule == "length-not-minimal";
            let said = row
                .passes
                .is_some_and(|(of, word)| of == draft && words.split(',').any(|w| w == word));
            let before = lines.with("target", "draftgate::access").len();
            let mut raw = Raw::say(address, versioned(draft)).await;
            raw.head().await;
            raw.write(row.client).await;
            let what = format!("{draft}, `{words}`: {}", row.rule);
            if always || said {
                assert_eq!(raw.exactly(row.echoed.len()).await, row.echoed, "{what}");
                raw.write(b"\x88\x82\0\0\0\0\x03\xe8").await;
                passed += usize::from(said);
            }
            let end = raw.exactly(4).await;
            drop(raw);
            let code = if always || said { 1000 } else { row.code };
            assert_eq!(end[2..], code.to_be_bytes(), "{what}: {end:02x?}");
            let access = || lines.with("target", "draftgate::access");
            lines.until("the line", || access().len() > before).await;
            let line = access().pop().unwrap();
            let notices = u64::from(always || said);
            assert_eq!(line["notices"], notices, "{what}");
            let rule = line["rule"].as_str();
            assert_eq!(rule, (notices == 0).then_some(row.rule), "{what}");
        }
        soon("shutdown", running.shutdown()).await;
    }
    // Three rows, each under the two values that have its word.
    assert_eq!(passed, 6);
}
