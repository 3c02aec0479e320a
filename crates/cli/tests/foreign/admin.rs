//! The admin listener before those who really ask it: promtool's lint,
//! Prometheus itself, which wants OpenMetrics and shows a token, and curl with
//! the commands of the page on administering.

use std::io::Write;
use std::{
    fs,
    path::{Path, PathBuf},
    process::{self, Command, Stdio},
};

use crate::{
    gateway::{Gateway, draftgate},
    package::succeeds,
    programs::{curl, installed},
    prometheus::Prometheus,
    proxy::{documents, free_address},
};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A gateway with an admin listener, which wants the token if there is one.
fn administered(name: &str, token: &str) -> (Gateway, String) {
    let admin = free_address();
    let gateway = Gateway::with(
        name,
        &format!(
            "drafts = \"all\"\norigins = \"any\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\
             [admin]\naddress = \"{admin}\"\n{token}\n\
             [[routes]]\npath = \"/bus/{{channel}}\"\nservice = \"bus\"\n"
        ),
    );
    (gateway, admin)
}

/// Something for every metric to count: a connection of each draft, a refusal.
fn busy(gateway: &Gateway) {
    for draft in draftgate_drafts::announced() {
        let mut connect = draftgate("connect");
        connect.args(["--draft", draft.name(), &gateway.url("/bus/a")]);
        let ended = connect.stdin(Stdio::null()).output().unwrap();
        assert!(ended.status.success(), "{draft}: {ended:?}");
    }
    succeeds(curl().args(["--silent", &gateway.http("/nowhere")]));
}

#[test]
fn foreign_promtool_has_no_complaint_about_the_metrics() {
    let (gateway, admin) = administered("lint", "");
    busy(&gateway);
    let scraped = succeeds(curl().args(["--silent", "--fail", &format!("http://{admin}/metrics")]));
    assert!(
        scraped.contains("draftgate_refusals_total{code=\"path-unknown\"} 1\n"),
        "{scraped}"
    );
    let mut lint = Command::new(installed("/usr/bin/promtool"))
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    lint.stdin
        .take()
        .unwrap()
        .write_all(scraped.as_bytes())
        .unwrap();
    let said = lint.wait_with_output().unwrap();
    let words = [said.stdout, said.stderr].concat();
    assert!(
        said.status.success() && words.is_empty(),
        "{}",
        String::from_utf8_lossy(&words)
    );
}

#[test]
fn foreign_prometheus_scrapes_with_the_token() {
    let (gateway, admin) = administered("scraped", &format!("token = \"{TOKEN}\""));
    busy(&gateway);
    let folder =
        PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("prometheus-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let config = folder.join("prometheus.yml");
    let text = format!(
        "global: {{ scrape_interval: 1s }}\nscrape_configs:\n  - job_name: draftgate\n    authorization: {{ credentials: {TOKEN} }}\n    static_configs: [{{ targets: ['{admin}'] }}]\n"
    );
    fs::write(&config, text).unwrap();
    let mut prometheus = Prometheus::start(&config, &folder.join("data"));
    for draft in draftgate_drafts::announced() {
        prometheus.knows(&format!(
            "draftgate_handshakes_total{{draft=\"{draft}\",result=\"accepted\"}} == 1"
        ));
    }
    // As a gauge, a histogram and a name without ours: every type was understood.
    for query in [
        "draftgate_ready == 1",
        "histogram_quantile(0.5, sum by (le) (draftgate_handshake_duration_seconds_bucket)) > 0",
        "process_open_fds > 3",
    ] {
        prometheus.knows(query);
    }
    prometheus.end();
    fs::remove_dir_all(folder).unwrap();
}

#[test]
fn foreign_curl_says_what_the_page_on_administering_says() {
    let (gateway, admin) = administered("curl", "");
    busy(&gateway);
    let page = fs::read_to_string(Path::new(&documents()).join("administering.md")).unwrap();
    let block = page.split("```sh\n").nth(1).unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let mut commands = 0;
    for command in block.lines() {
        let command = command.replace("127.0.0.1:8079", &admin);
        let command = command.replacen("curl ", "/usr/bin/curl --fail --noproxy '*' ", 1);
        let answer = succeeds(Command::new("sh").args(["-c", &command]));
        assert!(answer.starts_with(['{', '#']), "{command}: {answer}");
        commands += 1;
    }
    assert!(commands >= 5, "{block}");
}
