//! The table as it stands in docs/translation.md: three views of the same
//! cells, and the codes. Writing to a String cannot fail.

use std::fmt::Write;

use draftgate_core::{Close, Traits};

use super::{
    Case, Ending, Reply, declared,
    fold::{CASES, POLICIES, Row, SENDERS, columns, join, rows},
};
use crate::BinaryPolicy;

/// What the receivers get where the policy makes no difference.
pub fn message_table(drafts: &[Traits]) -> String {
    let mut rows = rows(drafts);
    rows.retain(|row| !by_policy(row));
    table(&rows, drafts, &[CASES, SENDERS])
}

/// What the receivers get where the policy decides.
pub fn policy_table(drafts: &[Traits]) -> String {
    let mut rows = rows(drafts);
    rows.retain(by_policy);
    rows.sort_by_key(|row| row.sides[POLICIES][0]);
    table(&rows, drafts, &[POLICIES, CASES, SENDERS])
}

/// What the senders get back, and what stands in their access lines; only
/// cases in which that is anything.
pub fn reply_table(drafts: &[Traits]) -> String {
    let mut rows = Vec::new();
    for (case_at, case) in Case::ALL.into_iter().enumerate() {
        for (from_at, from) in drafts.iter().enumerate() {
            // What a sender is told depends on no receiver and no policy.
            let declared = declared(case, from, from, BinaryPolicy::default());
            let plain = matches!(declared.reply, Reply::Unsayable | Reply::Nothing);
            if plain && declared.notices == 0 {
                continue;
            }
            rows.push(Row {
                sides: [vec![case_at], Vec::new(), vec![from_at]],
                cells: vec![told(&declared.reply), booked(&declared)],
            });
        }
    }
    let rows = join(join(rows, SENDERS), CASES);
    let mut table = String::from(
        "| a client says | in | it gets back | in its access line |\n| --- | --- | --- | --- |\n",
    );
    for row in rows {
        let (cases, from) = (cases(&row.sides[CASES]), names(&row.sides[SENDERS], drafts));
        let _ = writeln!(table, "| {cases} | {from} | {} |", row.cells.join(" | "));
    }
    table
}

/// When the gateway closes a connection itself, and with which code of RFC
/// 6455 it means it.
const CODES: [(u16, &str); 6] = [
    (
        Close::GOING_AWAY,
        "it shuts down, or nothing was heard for `timeouts.idle`",
    ),
    (Close::PROTOCOL_ERROR, "the client broke its draft"),
    (
        Close::UNSUPPORTED_DATA,
        "binary came, and the route has `binary = \"close\"`",
    ),
    (
        Close::INVALID_DATA,
        "text is not UTF-8, or not base64 where that was agreed on",
    ),
    (
        Close::POLICY,
        "the client reads too slowly, or does not finish a message",
    ),
    (
        Close::TOO_BIG,
        "a frame, a message or its fragments exceed a limit",
    ),
];

/// What a client is told when the gateway ends its connection.
pub fn code_table(drafts: &[Traits]) -> String {
    let row = |(code, _): (u16, &str)| Row {
        sides: Default::default(),
        cells: drafts
            .iter()
            .map(|to| match Ending::told(Some(Close::new(code, "")), to) {
                Ending::Frame(Some(close)) => close.code.to_string(),
                other => other.to_string(),
            })
            .collect(),
    };
    let rows = CODES.map(row);
    let columns = columns(&rows);
    let mut table = header(&["because", "meant"], &columns, drafts);
    for ((code, why), row) in CODES.into_iter().zip(&rows) {
        let _ = write!(table, "| {why} | {code} |");
        finish(&mut table, row, &columns);
    }
    table
}

fn by_policy(row: &Row) -> bool {
    row.sides[POLICIES].len() < BinaryPolicy::ALL.len()
}

fn table(rows: &[Row], drafts: &[Traits], sides: &[usize]) -> String {
    let titles: Vec<&str> = sides
        .iter()
        .map(|side| ["a client says", "`binary`", "in"][*side])
        .collect();
    let columns = columns(rows);
    let mut table = header(&titles, &columns, drafts);
    for row in rows {
        table.push('|');
        for side in sides {
            let side = match *side {
                CASES => cases(&row.sides[CASES]),
                POLICIES => policies(&row.sides[POLICIES]),
                _ => names(&row.sides[SENDERS], drafts),
            };
            let _ = write!(table, " {side} |");
        }
        finish(&mut table, row, &columns);
    }
    table
}

pub(super) fn header(titles: &[&str], columns: &[Vec<usize>], drafts: &[Traits]) -> String {
    let mut table = format!("| {} |", titles.join(" | "));
    for column in columns {
        let _ = write!(table, " to {} |", names(column, drafts));
    }
    let _ = write!(
        table,
        "\n|{}",
        " --- |".repeat(titles.len() + columns.len())
    );
    table.push('\n');
    table
}

pub(super) fn finish(table: &mut String, row: &Row, columns: &[Vec<usize>]) {
    for column in columns {
        let _ = write!(table, " {} |", row.cells[column[0]]);
    }
    table.push('\n');
}

fn cases(numbers: &[usize]) -> String {
    let words: Vec<&str> = numbers.iter().map(|at| Case::ALL[*at].words()).collect();
    words.join("; ")
}

fn policies(numbers: &[usize]) -> String {
    let words: Vec<String> = numbers
        .iter()
        .map(|at| format!("`{}`", BinaryPolicy::ALL[*at]))
        .collect();
    words.join(", ")
}

pub(super) fn names(numbers: &[usize], drafts: &[Traits]) -> String {
    if numbers.len() == drafts.len() {
        return "every draft".to_owned();
    }
    let name = |at: usize| drafts[at].draft.name();
    if let [first, _, .., last] = *numbers
        && last - first + 1 == numbers.len()
    {
        return format!("{} … {}", name(first), name(last));
    }
    let names: Vec<&str> = numbers.iter().map(|at| name(*at)).collect();
    names.join(", ")
}

fn told(reply: &Reply) -> String {
    match reply {
        Reply::Unsayable => "–".to_owned(),
        Reply::Nothing => "nothing".to_owned(),
        Reply::Pong => "a pong with the same octets".to_owned(),
        Reply::Closed { told, .. } | Reply::Failed { told, .. } => told.to_string(),
    }
}

fn booked(declared: &super::Declared) -> String {
    match &declared.reply {
        Reply::Closed { logged: None, .. } => "no `code`".to_owned(),
        Reply::Closed {
            logged: Some(code), ..
        } => format!("`code` {code}"),
        Reply::Failed { rule, told } => match told {
            Ending::Frame(Some(close)) => format!("`rule` {}, `code` {}", rule.code(), close.code),
            _ => format!("`rule` {}", rule.code()),
        },
        _ if declared.notices > 0 => format!("`notices` + {}", declared.notices),
        _ => "–".to_owned(),
    }
}
