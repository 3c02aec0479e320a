//! The bus over HTTP with real browsers: EventSource of 2011, of 2013 and of
//! today read what a client of an old draft and curl say; and what a page of
//! another site tries in today's Chromium reaches nobody.

use serde_json::{Value, json};

use crate::child::Child;
use crate::gateway::Gateway;
use crate::programs::{chromium, curl, phantomjs, phantomjs_2};
use crate::proxies::{haproxy_of_http, nginx_of_http};
use crate::proxy::{Proxy, block};

/// Publishes with curl: the answer.
fn publish(url: &str, body: &str, kind: &str) -> Value {
    let done = curl()
        .args(["-s", "--data-binary", body, "-H"])
        .arg(format!("Content-Type: {kind}"))
        .arg(url)
        .output()
        .unwrap();
    serde_json::from_slice(&done.stdout).unwrap()
}

#[test]
fn foreign_event_sources_of_2011_and_of_2013_read_the_bus() {
    for (name, command) in [
        ("PhantomJS", phantomjs as fn(&str) -> _),
        ("PhantomJS-2", phantomjs_2),
    ] {
        let gateway = Gateway::start();
        let url = gateway.http("/bus/events");
        let mut command = command("phantom-events.js");
        let mut reader = Child::start(name, command.args([&url, "3"]));
        reader.event("open");
        for (body, kind, heard, data) in [
            (
                "Grüße\nvon heute",
                "text/plain",
                "message",
                "Grüße\nvon heute",
            ),
            ("abc", "application/octet-stream", "binary", "YWJj"),
            ("{}", "application/json", "message", "{}"),
        ] {
            let told = publish(&url, body, kind);
            assert_eq!(told["delivered"], 1, "{name}");
            let event = reader.event("message");
            assert_eq!(
                (&event["kind"], &event["data"]),
                (&json!(heard), &json!(data)),
                "{name}"
            );
            assert_eq!(event["id"], told["id"], "{name}");
        }
        reader.end_well();
    }
}

#[test]
fn foreign_chromium_reads_and_publishes_and_a_page_of_another_site_does_neither() {
    let mut gateway = Gateway::start();
    let url = gateway.http("/bus/events");
    let mut command = chromium("chromium-events.js");
    let mut browser = Child::start("Chromium", command.args([&url, "2"]));
    browser.event("open");
    // In whatever order the page hears of them.
    let mut published = Value::Null;
    let mut heard = Vec::new();
    while published.is_null() || heard.is_empty() {
        let event: Value = serde_json::from_str(&browser.line()).unwrap();
        match event["event"].as_str() {
            Some("published") => published = event,
            Some("message") => heard.push(event),
            _ => panic!("{event}"),
        }
    }
    assert_eq!(published["status"], 200, "{published}");
    assert_eq!(heard[0]["data"], "\"from the page\"");
    assert_eq!(heard[0]["id"], published["id"]);
    publish(&url, "from curl", "text/plain");
    assert_eq!(browser.event("message")["data"], "from curl");
    // Nobody else says anything from here on.
    let watch = curl()
        .args([
            "-sN",
            "--max-time",
            "60",
            "-H",
            "Accept: text/event-stream",
            &url,
        ])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut tried = Vec::new();
    for _ in 0..8 {
        let event = browser.event("tried");
        let way = event["way"].as_str().unwrap().to_owned();
        let got = event["got"].as_str().unwrap().to_owned();
        tried.push((way, got));
    }
    browser.end_well();
    for (way, got) in &tried {
        let blind = ["opaque", "true", "loaded", "sent"].contains(&got.as_str());
        assert!(blind || got.starts_with("error"), "{way}: {got}");
    }
    publish(&url, "the end", "text/plain");
    gateway.terminate();
    gateway.end_well();
    let seen = String::from_utf8(watch.wait_with_output().unwrap().stdout).unwrap();
    assert!(
        seen.contains("data: the end") && !seen.contains("evil"),
        "{seen}"
    );
}

/// Through a proxy that understands HTTP: an event comes when it is said and
/// not when a buffer is full, and who asks is whom the proxy names.
#[test]
fn foreign_nginx_and_haproxy_let_streams_of_events_through() {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    // The proxies notice only when something is said that their client has gone.
    let keys = format!("http = {{ token = \"{TOKEN}\", keep-alive = \"500ms\" }}");
    let config = format!("{keys}\n{}", block("draftgate behind http"));
    type Fronted = fn(&str) -> Proxy;
    let proxies: [(&str, Fronted); 2] = [
        ("events-nginx", nginx_of_http),
        ("events-haproxy", haproxy_of_http),
    ];
    for (name, proxy) in proxies {
        let mut gateway = Gateway::with(name, &config);
        let proxy = proxy(gateway.host());
        let url = format!("http://{}/bus/events", proxy.address);
        let mut watch = Child::start(
            "curl",
            curl().args(["-sN", "-H", "Accept: text/event-stream", &url]),
        );
        assert_eq!(watch.line(), "retry: 2000", "{name}");
        let token = format!("Authorization: Bearer {TOKEN}");
        for text in ["one", "two"] {
            let publish = |more: &[&str]| {
                let mut curl = curl();
                curl.args(["-s", "--data", text]).args(more).arg(&url);
                String::from_utf8(curl.output().unwrap().stdout).unwrap()
            };
            let refused = publish(&[]);
            assert!(refused.contains("Code: token-missing"), "{name}: {refused}");
            let told: Value = serde_json::from_str(&publish(&["-H", &token])).unwrap();
            assert_eq!(told["delivered"], 1, "{name}");
            while watch.line() != format!("data: {text}") {}
        }
        drop(watch);
        let line = gateway.access_line();
        assert_eq!(
            (&line["draft"], &line["messages_out"]),
            (&json!("events"), &json!(2))
        );
        assert!(line["via"].is_string(), "{line}");
    }
}
