//! The alert rules and the dashboard of docs/monitoring: Debian's promtool reads and
//! plays them, and every metric, label and code that they name is one that the
//! gateway really tells.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::package::succeeds;
use crate::programs::installed;
use crate::proxy::documents;

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
