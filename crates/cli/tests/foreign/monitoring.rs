//! The alert rules and the dashboard of docs/monitoring: Debian's promtool reads and
//! plays them, and every metric, label and code that they name is one that the
//! gateway really tells.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::gateway::Gateway;
use crate::package::succeeds;
use crate::programs::installed;
use crate::proxy::{documents, free_address};

fn document(name: &str) -> String {
    fs::read_to_string(documents().join(name)).unwrap()
}

/// Runs promtool on a file in the folder of the rules.
fn promtool(verb: &str, file: &Path) -> String {
    let mut promtool = Command::new(installed("/usr/bin/promtool"));
    promtool.args([verb, "rules"]).arg(file);
    succeeds(promtool.current_dir(documents().join("monitoring")))
}

/// The alerts, in their order.
fn alerts() -> Vec<String> {
    let rules = document("monitoring/alerts.yml");
    let names = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "));
    names.map(str::to_owned).collect()
}

/// The dashboard's expressions, as Grafana would send them.
fn expressions() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&document("monitoring/dashboard.json")).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .filter_map(|panel| panel["targets"].as_array());
    targets
        .flatten()
        .map(|target| target["expr"].as_str().unwrap())
        .map(|expr| {
            expr.replace("$__rate_interval", "5m")
                .replace("$instance", ".*")
        })
        .collect()
}

#[test]
fn foreign_the_alert_rules_hold_what_they_promise() {
    let said = promtool("check", Path::new("alerts.yml"));
    let alerts = alerts();
    assert!(
        said.contains(&format!("{} rules found", alerts.len())),
        "{said}"
    );
    promtool("test", Path::new("alerts.test.yml"));

    let tests = document("monitoring/alerts.test.yml");
    let table = document("monitoring/README.md");
    for alert in alerts {
        let played = [
            format!("alertname: {alert}\n"),
            format!("alertname=\"{alert}\""),
        ];
        assert!(
            played.iter().any(|it| tests.contains(it)),
            "{alert} is not played"
        );
        assert!(
            table.contains(&format!("`{alert}`")),
            "{alert} is not explained"
        );
    }
}

#[test]
fn foreign_the_dashboard_asks_what_prometheus_understands() {
    let rules: String = expressions()
        .iter()
        .enumerate()
        .map(|(at, expr)| {
            let expr = serde_json::to_string(expr).unwrap();
            format!("  - record: dashboard:expression:{at}\n    expr: {expr}\n")
        })
        .collect();
    assert!(!rules.is_empty());
    let path = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let path = path.join(format!("dashboard-{}.yml", std::process::id()));
    fs::write(
        &path,
        format!("groups:\n- name: dashboard\n  rules:\n{rules}"),
    )
    .unwrap();
    promtool("check", &path);
    fs::remove_file(path).unwrap();
}

#[test]
fn foreign_every_metric_that_is_watched_is_told() {
    let told = told();
    let labels = labels();
    let rules = document("monitoring/alerts.yml") + &document("monitoring/alerts.test.yml");
    let watched = rules + &expressions().join("\n");
    let mut seen = 0;
    for (at, _) in watched.match_indices(['d', 'p']) {
        let Some(metric) = metric_at(&watched, at) else {
            continue;
        };
        seen += 1;
        assert!(
            told.contains(metric),
            "{metric} is told by no gateway: {told:?}"
        );
        let Some((selector, _)) = watched[at + metric.len()..]
            .strip_prefix('{')
            .and_then(|rest| rest.split_once('}'))
        else {
            continue;
        };
        for (label, _) in selector.split(',').filter_map(|pair| pair.split_once('=')) {
            let label = label.trim().trim_end_matches('!');
            let known = labels[metric.trim_end_matches("_bucket")].contains(label);
            let by_prometheus = ["job", "instance"].contains(&label);
            assert!(known || by_prometheus, "{metric} has no label {label}");
        }
    }
    assert!(seen > 50, "only {seen} metrics were found");
}

#[test]
fn foreign_every_code_that_is_watched_is_one() {
    let pages = fs::read_dir(documents()).unwrap();
    let pages = pages.map(|page| page.unwrap().path());
    let codes: String = pages
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let rules = document("monitoring/alerts.yml");
    let named = rules
        .split("code")
        .filter_map(|rest| {
            rest.strip_prefix("!~\"")
                .or_else(|| rest.strip_prefix("=~\""))
        })
        .filter_map(|rest| rest.split('"').next());
    let mut seen = 0;
    for code in named.flat_map(|them| them.split('|')) {
        if code == "none" || code.starts_with(|c: char| c.is_ascii_digit()) {
            continue; // a close code
        }
        let known = match code.strip_suffix(".*") {
            Some(beginning) => codes.contains(&format!("| `{beginning}")),
            None => codes.contains(&format!("| `{code}` |")),
        };
        assert!(known, "{code} is no code of a refusal");
        seen += 1;
    }
    assert!(seen > 5, "only {seen} codes were found");
}

/// The metric whose name begins there, if one does.
fn metric_at(text: &str, at: usize) -> Option<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if text[..at].ends_with(is_word) {
        return None;
    }
    let name = text[at..].split(|c| !is_word(c)).next()?;
    let ours = name.starts_with("draftgate_") || name.starts_with("process_");
    ours.then_some(name)
}

/// The names of all metrics of a gateway, as Prometheus stores them.
fn told() -> BTreeSet<String> {
    let admin = free_address();
    let _gateway = Gateway::with(
        "metrics",
        &format!(
            "drafts = \"all\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\
             [admin]\naddress = \"{admin}\"\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n"
        ),
    );
    let text = scraped(&admin);
    let mut names = BTreeSet::new();
    for line in text.lines() {
        let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|rest| rest.split_once(' '))
        else {
            continue;
        };
        let endings: &[&str] = match kind {
            "counter" => &["_total"],
            "histogram" => &["_bucket", "_sum", "_count"],
            _ => &[""],
        };
        names.extend(
            endings
                .iter()
                .map(|ending| format!("{}{ending}", name.trim_end_matches("_total"))),
        );
    }
    names
}

fn scraped(admin: &str) -> String {
    let mut curl = Command::new(installed("/usr/bin/curl"));
    curl.args(["--silent", "--fail", "--noproxy", "*"]);
    succeeds(curl.arg(format!("http://{admin}/metrics")))
}

/// The labels of each metric, as docs/administering.md has them from the code.
fn labels() -> BTreeMap<String, BTreeSet<String>> {
    let table = document("administering.md");
    let (_, table) = table.split_once("<!-- metrics -->").unwrap();
    let (table, _) = table.split_once("<!-- /metrics -->").unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split(" | ").collect();
        let labels = cells[2]
            .split(", ")
            .map(|it| it.trim_matches('`').to_owned());
        (cells[0].trim_end_matches('`').to_owned(), labels.collect())
    })
    .collect()
}
