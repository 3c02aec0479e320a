//! The tables that stand in the document, made from the code.

use std::fmt::Write;

use crate::{FindingKind, others};

/// Every finding, as a Markdown table.
pub fn finding_table() -> String {
    let mut table = String::from(
        "| code | weight | what is the matter | cause | what to do |\n| --- | --- | --- | --- | --- |\n",
    );
    for kind in FindingKind::ALL {
        let cause = match (kind.cause(), kind.is_shown()) {
            ("", _) => "–".to_owned(),
            (cause, true) => cause.to_owned(),
            (cause, false) => format!("likely: {cause}"),
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}` | {} | {} | {} | {} |",
            kind.code(),
            kind.weight().name(),
            kind.sentence(),
            cause,
            kind.fix(),
        );
    }
    table
}

/// What others do with a request of each draft, as a Markdown table.
pub fn others_table() -> String {
    let mut table = format!(
        "| draft | {} |\n| --- | --- | --- | --- |\n",
        others::ASKED.join(" | ")
    );
    for draft in draftgate_drafts::spoken() {
        let said: Vec<&str> = others::of(draft)
            .into_iter()
            .map(|(_, said)| said)
            .collect();
        let _ = writeln!(table, "| {} | {} |", draft.with_alias(), said.join(" | "));
    }
    table
}
