//! `draftgate probe` of other people's servers, of proxies in front of them, and
//! of OpenSSL with a TLS of the time: what it says is what is known of each.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use draftgate_core::Draft;
use serde_json::Value;

use crate::child::Child;
use crate::expected;
use crate::gateway::{Gateway, draftgate};
use crate::peers::{self, Meeting};
use crate::programs::installed;
use crate::proxy::{Proxy, block, certificate};

/// Where the recipes expect a server.
const INNER: &str = "127.0.0.1:8081";

/// What `draftgate probe` says of `url`.
fn probed(url: &str, arguments: &[&str]) -> Value {
    let mut command = draftgate("probe");
    command.args(["--format", "json", "--proxy", "none", "--timeout", "3s"]);
    command.args(arguments).arg(url);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{url}: {error}: {said}"))
}

/// The verdict on `draft`, and why if it fails.
fn verdict(report: &Value, draft: Draft) -> String {
    let mut drafts = report["drafts"].as_array().unwrap().iter();
    let tried = drafts.find(|tried| tried["draft"] == draft.name()).unwrap();
    let because = tried["because"].as_str().unwrap_or_default();
    format!("{} {because}", tried["verdict"].as_str().unwrap())
        .trim_end()
        .to_owned()
}

/// The codes that were found about `draft` alone or among others.
fn found(report: &Value, draft: Draft) -> Vec<&str> {
    let about = |finding: &&Value| {
        let drafts = finding["drafts"].as_array().unwrap();
        drafts.is_empty() || drafts.iter().any(|name| name == draft.name())
    };
    let findings = report["findings"].as_array().unwrap().iter();
    findings
        .filter(about)
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

/// A server of somebody's, and where it listens.
fn start(meeting: &Meeting) -> (Child, String) {
    let mut server = Child::start(
        &format!("the server {}", meeting.name()),
        &mut meeting.command(),
    );
    let line = server.line();
    match line.strip_prefix("PORT ") {
        Some(port) => (server, format!("127.0.0.1:{port}")),
        None => server.fail("its first line is not its port"),
    }
}

fn without_version() -> impl Iterator<Item = Draft> {
    draftgate_drafts::announced().filter(|draft| draft.version().is_none())
}

fn with_version() -> impl Iterator<Item = Draft> {
    draftgate_drafts::announced().filter(|draft| draft.version().is_some())
}

/// What the document says that others do with a request in `draft`: HAProxy,
/// nginx, a server for RFC 6455.
fn documented(draft: Draft) -> [String; 3] {
    let table = draftgate_probe::others_table();
    let row = format!("| {} |", draft.with_alias());
    let line = table.lines().find(|line| line.starts_with(&row)).unwrap();
    let cells: Vec<&str> = line.split('|').map(str::trim).collect();
    [2, 3, 4].map(|cell| cells[cell].to_owned())
}

/// Whether octets follow the head of a request of `draft`.
fn goes_on(draft: Draft) -> bool {
    let acceptor = draftgate_drafts::acceptor(draft).unwrap();
    acceptor.octets_after_head() > 0
}

#[test]
fn foreign_servers_work_in_the_drafts_that_they_speak() {
    let mut servers: BTreeMap<&str, Vec<Meeting>> = BTreeMap::new();
    for meeting in peers::servers() {
        servers.entry(meeting.peer.name).or_default().push(meeting);
    }
    assert!(servers.len() > 5, "{} servers", servers.len());
    for (name, meetings) in servers {
        let (_server, host) = start(&meetings[0]);
        for Meeting { draft, .. } in &meetings {
            let url = format!("ws://{host}/echo");
            // One that strips key3 reads one in twenty wrongly.
            let report = (0..5)
                .map(|_| probed(&url, &["--draft", draft.name(), "--send", "Grüße"]))
                .find(|report| !found(report, *draft).contains(&"challenge-wrong"))
                .unwrap_or_else(|| panic!("{name} strips key3 too often for chance"));
            let verdict = verdict(&report, *draft);
            if expected::failures().server(name, draft.name()).is_some() {
                assert_ne!(verdict, "works", "{name} in {draft}: {report:#}");
                continue;
            }
            assert_eq!(verdict, "works", "{name} in {draft}: {report:#}");
            let said = &report["drafts"][0]["conversation"]["first-messages"][0];
            assert_eq!(said, "\"Grüße\"", "{name} in {draft}");
        }
    }
}

#[test]
fn foreign_ws_opens_two_drafts_and_answers_400_to_the_rest() {
    let (_server, host) = start(&peers::server("ws", "hybi_13"));
    let report = probed(&format!("ws://{host}/"), &[]);
    for draft in draftgate_drafts::announced() {
        let (wanted, does) = match draft.version() {
            None => (
                "fails version-refused",
                "answers 400 for want of Sec-WebSocket-Key",
            ),
            Some(8 | 13) => ("works", "opens"),
            Some(_) => ("fails versions-listed", "answers 400 and lists 13, 8"),
        };
        assert_eq!(verdict(&report, draft), wanted, "{draft}: {report:#}");
        assert_eq!(documented(draft)[2], does);
    }
    assert_eq!(report["advice"]["drafts"][1], "hybi-08");
}

#[test]
fn foreign_haproxy_is_known_by_its_400_and_passes_the_rest() {
    let gateway = Gateway::start();
    let proxy = Proxy::haproxy("haproxy for http", &[(INNER, gateway.host())]);
    let report = probed(&format!("ws://{}/echo", proxy.address), &[]);
    for draft in without_version() {
        assert_eq!(
            verdict(&report, draft),
            "fails haproxy-refuses",
            "{report:#}"
        );
        assert_eq!(found(&report, draft), ["haproxy-refuses"]);
        assert_eq!(documented(draft)[0], "answers 400 itself");
    }
    for draft in with_version() {
        assert_eq!(verdict(&report, draft), "works", "{draft}: {report:#}");
        assert_eq!(documented(draft)[0], "passes it on");
    }
}

#[test]
fn foreign_haproxy_in_tcp_mode_is_not_to_be_noticed() {
    let gateway = Gateway::with("probe-tcp", &block("draftgate behind tcp"));
    let proxy = Proxy::haproxy("haproxy", &[(INNER, gateway.host())]);
    let report = probed(&format!("ws://{}/bus/chat", proxy.address), &[]);
    assert_eq!(report["findings"], Value::Array(Vec::new()), "{report:#}");
    for draft in draftgate_drafts::announced() {
        assert_eq!(verdict(&report, draft), "works", "{draft}");
    }
}

/// nginx for HTTP in front of `inner`, which it gives up after two seconds.
fn nginx(inner: &str) -> Proxy {
    // As another user than root it may write to none of its folders.
    let folder = env!("CARGO_TARGET_TMPDIR");
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {folder}/probe-{kind};"))
        .collect();
    let http = format!("http {{ access_log off; {paths}");
    let changes = [
        (INNER, inner),
        ("http {", &*http),
        ("proxy_read_timeout 1h;", "proxy_read_timeout 2s;"),
    ];
    Proxy::nginx("nginx for http", &changes)
}

#[test]
fn foreign_nginx_writes_its_own_head_and_lets_key3_through_once_there_is_an_answer() {
    let gateway = Gateway::with("probe-http", &block("draftgate behind http"));
    let proxy = nginx(gateway.host());
    let report = probed(&format!("ws://{}/bus/chat", proxy.address), &[]);
    // hello-00 has no field that nginx changes.
    let rewritten = |draft: &Draft| !goes_on(*draft) && !draftgate_drafts::has_hello(*draft);
    for draft in without_version().filter(rewritten) {
        assert_eq!(verdict(&report, draft), "works-if", "{draft}: {report:#}");
        assert_eq!(found(&report, draft), ["answer-rewritten"]);
        assert!(documented(draft)[1].ends_with("before those that are compared"));
    }
    for draft in with_version().chain(without_version().filter(|draft| !rewritten(draft))) {
        assert_eq!(verdict(&report, draft), "works", "{draft}: {report:#}");
    }
    assert_eq!(
        report["front"]["server"]
            .as_str()
            .unwrap()
            .split('/')
            .next(),
        Some("nginx")
    );
}

#[test]
fn foreign_nginx_holds_key3_back_from_a_server_that_waits_for_it() {
    let (_server, host) = start(&peers::server("em_websocket", "hixie_76"));
    let proxy = nginx(&host);
    let names: Vec<&str> = without_version().map(Draft::name).collect();
    let url = format!("ws://{}/echo", proxy.address);
    let report = probed(&url, &["--draft", &names.join(",")]);
    let direct = probed(&format!("ws://{host}/echo"), &["--draft", &names.join(",")]);
    for draft in without_version().filter(|draft| goes_on(*draft)) {
        assert_eq!(verdict(&direct, draft), "works", "{direct:#}");
        // Its parser takes octets that come by themselves for another request,
        // and fails or not by what they are.
        let late = found(&direct, draft);
        let known = [["key3-awaited"], ["key3-alone"]];
        assert!(known.iter().any(|known| late == known), "{direct:#}");
        assert_eq!(verdict(&report, draft), "fails key3-held", "{report:#}");
        assert!(documented(draft)[1].contains("holds the eight octets back"));
        let finding = &report["findings"].as_array().unwrap().iter();
        let held = finding.clone().find(|f| f["code"] == "key3-held").unwrap();
        assert_eq!(held["shown"], true, "{held:#}");
        assert!(held["seen"].as_str().unwrap().contains("504"), "{held:#}");
        assert!(held["fix"].as_str().unwrap().contains("nginx `stream`"));
    }
}

#[test]
fn foreign_tls_that_ends_in_front_of_a_server_shows_in_its_location() {
    let (_server, host) = start(&peers::server("websocket_driver", "hixie_76"));
    let pem = certificate();
    let changes = [
        // Nobody tells the server.
        (" send-proxy-v2-ssl", ""),
        (INNER, &host),
        ("/etc/haproxy/example.com.pem", pem.to_str().unwrap()),
    ];
    let proxy = Proxy::haproxy("haproxy with tls", &changes);
    let report = probed(&format!("wss://{}/echo", proxy.address), &["--insecure"]);
    // The server takes hello-00 for hixie-75, and no HELLO comes.
    for draft in without_version().filter(|draft| !draftgate_drafts::has_hello(*draft)) {
        assert_eq!(verdict(&report, draft), "works-if", "{draft}: {report:#}");
        assert!(
            found(&report, draft).contains(&"location-mismatch"),
            "{draft}"
        );
    }
    let findings = report["findings"].as_array().unwrap();
    let mismatch = |finding: &&Value| finding["code"] == "location-mismatch";
    for finding in findings.iter().filter(mismatch) {
        let seen = finding["seen"].as_str().unwrap();
        assert!(seen.ends_with("scheme `ws` instead of `wss`"), "{seen}");
        assert!(finding["fix"].as_str().unwrap().contains("`public-url`"));
    }
}

#[test]
fn foreign_openssl_with_a_tls_of_the_time_is_too_old() {
    let pem = certificate();
    for (flag, version) in [("-tls1", "TLS 1.0"), ("-tls1_1", "TLS 1.1")] {
        let (_server, address) = s_server(&pem, &[flag, "-cipher", "ALL:@SECLEVEL=0"]);
        let report = probed(&format!("wss://{address}/"), &["--insecure"]);
        let finding = &report["findings"][0];
        assert_eq!(finding["code"], "tls-too-old", "{report:#}");
        let seen = finding["seen"].as_str().unwrap();
        assert!(
            seen.contains(&format!("it answers with {version}")),
            "{seen}"
        );
        let report = probed(&format!("ws://{address}/"), &[]);
        assert_eq!(report["findings"][0]["code"], "tls-expected", "{report:#}");
    }
    let too_new = |report: &Value| {
        let mut findings = report["findings"].as_array().unwrap().iter();
        findings.any(|finding| finding["code"] == "tls-too-new")
    };
    let old = ["-min_protocol", "TLSv1", "-cipher", "ALL:@SECLEVEL=0"];
    for (flags, version, refuses) in [
        (&["-tls1_2"][..], "TLS 1.2", true),
        (&["-tls1_3"], "TLS 1.3", true),
        (&old, "TLS 1.3", false),
    ] {
        let (_server, address) = s_server(&pem, flags);
        let report = probed(&format!("wss://{address}/"), &["--insecure"]);
        assert_eq!(report["front"]["tls"], version, "{report:#}");
        assert_eq!(too_new(&report), refuses, "{flags:?}: {report:#}");
        let report = probed(&format!("wss://{address}/"), &[]);
        // What `openssl req -x509` makes is an authority's.
        let finding = &report["findings"][0];
        assert_eq!(finding["code"], "certificate-other", "{report:#}");
        assert!(finding["fix"].as_str().unwrap().contains("CA:FALSE"));
        let report = probed(&format!("ws://{address}/"), &[]);
        assert_eq!(report["findings"][0]["code"], "tls-expected", "{report:#}");
    }
}

/// `openssl s_server` with these arguments, and where it listens.
fn s_server(pem: &Path, arguments: &[&str]) -> (Child, String) {
    assert!(fs::metadata(pem).is_ok());
    let mut command = Command::new(installed("/usr/bin/openssl"));
    command
        .args(["s_server", "-www", "-accept", "127.0.0.1:0", "-cert"])
        .arg(pem)
        .arg("-key")
        .arg(pem)
        .args(arguments);
    let mut server = Child::start("openssl s_server", &mut command);
    loop {
        if let Some(address) = server.line().strip_prefix("ACCEPT ") {
            return (server, address.to_owned());
        }
    }
}
