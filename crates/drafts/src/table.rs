//! The tables that stand in the documents, made from what the code can do.

use std::fmt::Write;

use draftgate_core::{BadUtf8, Closing, Traits};
use draftgate_wire::opening::RefusalKind;

use crate::{has_hello, number};

/// What each of these drafts can say, as a Markdown table.
pub fn capability_table(drafts: impl IntoIterator<Item = Traits>) -> String {
    let mut table = String::from(
        "| draft | told by | text | binary | ping | fragments | close | text that is not UTF-8 |\n\
         | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for it in drafts {
        let able = it.capabilities;
        let told_by = match (it.draft.version(), able.closing) {
            (Some(version), _) => format!("`Sec-WebSocket-Version: {version}`"),
            (None, _) if has_hello(it.draft) => "`Sec-WebSocket-Nonce`, and no keys".to_owned(),
            (None, Closing::Absent) => "`Origin`, and no key of any kind".to_owned(),
            (None, closing) => match (number(it.draft), closing) {
                (Some(number), _) => format!("`Sec-WebSocket-Draft: {number}`"),
                (None, Closing::Marker) => "`Sec-WebSocket-Key1` and `-Key2`".to_owned(),
                (None, _) => "the same, and its first octet".to_owned(),
            },
        };
        let yes = |able| if able { "yes" } else { "–" };
        let closing = match able.closing {
            Closing::Absent => "TCP only",
            Closing::Marker => "`FF 00`",
            Closing::Echoed => "frame, opaque body",
            Closing::Lettered => "frame, `C` or `S`",
            Closing::Coded => "frame, code and reason",
        };
        let bad_utf8 = match it.bad_utf8 {
            BadUtf8::Repair => "becomes U+FFFD",
            BadUtf8::Fail => "fails, 1007",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| {} | {told_by} | yes | {} | {} | {} | {closing} | {bad_utf8} |",
            it.draft.with_alias(),
            yes(able.binary),
            yes(able.ping),
            yes(able.fragments),
        );
    }
    table
}

/// Every reason for which an opening request is refused, as a Markdown table.
pub fn refusal_table() -> String {
    let mut table =
        String::from("| code | status | what is wrong | what to do |\n| --- | --- | --- | --- |\n");
    let served = RefusalKind::ALL.iter().filter(|kind| kind.status() != 0);
    for kind in served {
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} |",
            kind.code(),
            kind.status(),
            kind.sentence(),
            kind.remedy(),
        );
    }
    table
}

/// What a client refuses of an answer, as a Markdown table.
pub fn answer_refusal_table() -> String {
    let mut table = String::from("| code | what is wrong |\n| --- | --- |\n");
    let answers = RefusalKind::ALL
        .iter()
        .filter(|kind| kind.code().starts_with("answer-"));
    for kind in answers {
        let _ = writeln!(table, "| `{}` | {} |", kind.code(), kind.sentence());
    }
    table
}
