//! The tables, in Markdown, as they are printed and as they stand in
//! docs/performance.md: draftgate next to its goals, and then everybody.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use crate::results::{Outcome, median};

/// draftgate and its goals.
pub(crate) fn goals(outcomes: &[Outcome]) -> String {
    let mut text = String::from(
        "| scenario | floor | draftgate | uWebSockets | best Rust library | goal | |\n\
         | --- | ---: | ---: | ---: | ---: | ---: | --- |\n",
    );
    for outcome in outcomes {
        let shown = |value: f64| shown(outcome, value);
        let floor = match outcome.floor.is_empty() {
            true => "–".to_owned(),
            false => quantity(median(outcome.floor.clone()), &outcome.unit),
        };
        let uws = outcome
            .peer("uWebSockets")
            .map_or_else(|| "–".to_owned(), shown);
        let rust = outcome.best_rust().map_or_else(
            || "–".to_owned(),
            |(label, value)| format!("{} {label}", shown(value)),
        );
        let goal = match outcome.goal {
            Some(goal) if outcome.absolute => format!("≤ {}", quantity(goal, &outcome.unit)),
            Some(goal) => format!("≤ {goal}"),
            None => "none refused".into(),
        };
        let verdict = match (outcome.met(), outcome.load_bound) {
            (true, false) => "met",
            (true, true) => "met ¹",
            (false, false) => "**missed**",
            (false, true) => "**missed** ¹",
        };
        let ours = shown(outcome.standing(&outcome.ours));
        let title = &outcome.title;
        let _ = writeln!(
            text,
            "| {title} | {floor} | {ours} | {uws} | {rust} | {goal} | {verdict} |"
        );
    }
    if outcomes.iter().any(|outcome| outcome.load_bound) {
        text.push_str(
            "\n¹ The load generator was the bottleneck in at least one turn: draftgate had time \
             to spare.\n",
        );
    }
    text
}

/// Every server, where there are others.
pub(crate) fn everybody(outcomes: &[Outcome]) -> String {
    let labels: BTreeSet<&str> = outcomes
        .iter()
        .flat_map(|outcome| &outcome.peers)
        .map(|peer| peer.label.as_str())
        .collect();
    let mut text = String::from("| scenario | draftgate |");
    for label in &labels {
        let _ = write!(text, " {label} |");
    }
    text.push_str("\n| --- | ---: |");
    text.push_str(&" ---: |".repeat(labels.len()));
    text.push('\n');
    for outcome in outcomes.iter().filter(|outcome| !outcome.peers.is_empty()) {
        let ours = shown(outcome, outcome.standing(&outcome.ours));
        let _ = write!(text, "| {} | {ours} |", outcome.title);
        for label in &labels {
            let value = outcome
                .peer(label)
                .map_or_else(|| "–".to_owned(), |value| shown(outcome, value));
            let _ = write!(text, " {value} |");
        }
        text.push('\n');
    }
    text
}

fn shown(outcome: &Outcome, value: f64) -> String {
    match outcome.absolute {
        true => quantity(value, &outcome.unit),
        false if value >= 10.0 => format!("{value:.1}"),
        false => format!("{value:.2}"),
    }
}

/// A value with its unit, and with no more digits than it deserves.
pub(crate) fn quantity(value: f64, unit: &str) -> String {
    match unit {
        "ns" if value >= 1e6 => format!("{:.2} ms", value / 1e6),
        "ns" if value >= 1e4 => format!("{:.1} µs", value / 1e3),
        "µs" if value >= 1e4 => format!("{:.1} ms", value / 1e3),
        "s" => format!("{value:.2} s"),
        _ => format!("{} {unit}", thousands(value)),
    }
}

/// `12,345`.
pub(crate) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::results::tests::outcome;

    #[test]
    fn a_row_has_the_medians_and_the_verdict() {
        let table = goals(&[outcome("echo")]);
        let row = table.lines().last().unwrap();
        let expected = "| echo | 200 ns | 1.50 | 1.40 | 1.90 tokio-websockets | ≤ 1.5 | met |";
        assert_eq!(row, expected);
    }

    #[test]
    fn a_missed_goal_and_a_generator_that_was_too_slow_are_said() {
        let mut outcome = outcome("echo");
        outcome.goal = Some(1.2);
        outcome.load_bound = true;
        let table = goals(&[outcome]);
        assert!(table.contains("| ≤ 1.2 | **missed** ¹ |"), "{table}");
        assert!(table.ends_with("time to spare.\n"), "{table}");
    }

    #[test]
    fn memory_and_storms_are_shown_as_they_are() {
        let mut memory = outcome("memory");
        memory.absolute = true;
        memory.unit = "B".into();
        memory.goal = Some(1536.0);
        memory.ours = vec![1500.4];
        assert!(goals(&[memory]).contains("| 1,500 B | 280 B |"));
        let mut storm = outcome("storm");
        (storm.absolute, storm.goal, storm.unit) = (true, None, "s".into());
        (storm.floor, storm.peers, storm.ours) = (Vec::new(), Vec::new(), vec![2.5]);
        let table = goals(&[storm]);
        assert!(
            table.contains("| – | 2.50 s | – | – | none refused | met |"),
            "{table}"
        );
    }

    #[test]
    fn everybody_stands_in_the_second_table() {
        let mut alone = outcome("alone");
        alone.peers.clear();
        let table = everybody(&[outcome("echo"), alone]);
        let expected = "| scenario | draftgate | fastwebsockets | tokio-websockets | uWebSockets |\n\
            | --- | ---: | ---: | ---: | ---: |\n| echo | 1.50 | 2.00 | 1.90 | 1.40 |\n";
        assert_eq!(table, expected);
    }

    #[test]
    fn quantities_have_the_unit_that_fits() {
        let all = [
            (5.0, "ns"),
            (12_345.0, "ns"),
            (2.5e6, "ns"),
            (22_000.0, "µs"),
            (1536.0, "B"),
        ];
        let shown = all.map(|(value, unit)| quantity(value, unit));
        assert_eq!(shown, ["5 ns", "12.3 µs", "2.50 ms", "22.0 ms", "1,536 B"]);
    }
}
