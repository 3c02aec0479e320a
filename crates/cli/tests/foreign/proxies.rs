//! draftgate behind Debian's HAProxy and nginx, with the recipes of
//! docs/operating.md: every draft goes through, the access line names the
//! client and not the proxy, and a silent hixie-76 client outlives the proxy's
//! idle timeout by its heartbeat.

use std::net::SocketAddr;

use draftgate_core::{Draft, Message};
use draftgate_testkit::documents::holds;
use serde_json::{Value, json};

use crate::gateway::Gateway;
use crate::octets::{Client, OURS, Octets};
use crate::proxy::{Proxy, block, certificate};

/// The opening request of hixie-76 §1.2's example; key3 and the answer to it.
const HIXIE_76: &str = "GET /bus/chat HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\
     Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://example.com\r\n\r\n";
const KEY3: &[u8] = b"^n:ds[4U";
const ANSWER: &[u8] = b"8jKS'y:G*Co,Wxa-";

/// draftgate as the recipe has it, with `changes`.
fn draftgate(name: &str, changes: &[(&str, &str)]) -> Gateway {
    let mut text = block("draftgate behind tcp");
    for (written, ours) in changes {
        assert!(text.contains(written), "the recipe has no `{written}`");
        text = text.replace(written, ours);
    }
    Gateway::with(name, &text)
}

/// Where the recipes expect draftgate.
pub(crate) const INNER: &str = "127.0.0.1:8081";

/// Pages of every host may connect, and a client hears itself: the tests have
/// one client each.
const ECHOING: (&str, &str) = (
    "service = \"bus\"",
    "service = \"bus\"\ninclude-sender = true\norigins = [\"any\"]",
);

/// The next access line; what the proxy's own connections did left none.
fn access_line(gateway: &mut Gateway) -> Value {
    let line = gateway.line();
    assert_eq!(line["target"], "draftgate::access", "{line}");
    line
}

fn is_of(line: &Value, client: SocketAddr) {
    assert_eq!(line["peer"], client.to_string(), "{line}");
    let via: SocketAddr = line["via"].as_str().unwrap().parse().unwrap();
    assert!(via.ip().is_loopback() && via != client, "{line}");
}

/// Every draft has a conversation through the proxy at `address`.
fn every_draft_goes_through(gateway: &mut Gateway, address: &str) {
    for draft in draftgate_drafts::announced() {
        let (octets, ours) = Octets::connect(address);
        let mut client = Client::open(octets, false, address, draft, "/bus/chat")
            .unwrap_or_else(|error| panic!("{draft}: {error}"));
        for text in ["Hello", "", "Grüße ✓ 𝄞", &"b".repeat(70_000)] {
            client.send(text);
            assert_eq!(client.message(), Message::from(text), "{draft}");
        }
        client.close(None);
        drop(client);
        let line = access_line(gateway);
        assert_eq!(line["draft"], draft.name(), "{line}");
        assert_eq!(line["messages_in"], json!(4), "{line}");
        is_of(&line, ours);
    }
}

/// key3 comes with its head, and in a segment of its own once the answer's
/// head is there: then nothing else can have brought it.
fn key3_comes_when_it_likes(gateway: &mut Gateway, address: &str) {
    let (mut octets, ours) = Octets::connect(address);
    octets.write(&[HIXIE_76.as_bytes(), KEY3, b"\x00early\xff"].concat());
    let location = "\r\nSec-WebSocket-Location: ws://example.com/bus/chat\r\n";
    assert!(octets.head().contains(location));
    assert_eq!(octets.exactly(16), ANSWER);
    assert_eq!(octets.exactly(7), b"\x00early\xff");
    drop(octets);
    is_of(&access_line(gateway), ours);

    let (mut octets, ours) = Octets::connect(address);
    octets.write(HIXIE_76.as_bytes());
    assert!(octets.head().contains(location));
    octets.write(KEY3);
    assert_eq!(octets.exactly(16), ANSWER);
    octets.write(b"\x00late\xff");
    assert_eq!(octets.exactly(6), b"\x00late\xff");
    drop(octets);
    is_of(&access_line(gateway), ours);
}

#[test]
fn foreign_haproxy_passes_every_draft_through() {
    let mut gateway = draftgate("haproxy", &[ECHOING]);
    let proxy = Proxy::haproxy("haproxy", &[(INNER, gateway.host())]);
    every_draft_goes_through(&mut gateway, &proxy.address);
    key3_comes_when_it_likes(&mut gateway, &proxy.address);
}

#[test]
fn foreign_nginx_passes_every_draft_through() {
    let mut gateway = draftgate("nginx", &[ECHOING]);
    let proxy = Proxy::nginx("nginx", &[(INNER, gateway.host())]);
    every_draft_goes_through(&mut gateway, &proxy.address);
    key3_comes_when_it_likes(&mut gateway, &proxy.address);
}

#[test]
fn foreign_haproxy_ends_tls_and_the_location_says_so() {
    let mut gateway = draftgate("haproxy-tls", &[ECHOING]);
    let pem = certificate();
    let changes = [
        (INNER, gateway.host()),
        ("/etc/haproxy/example.com.pem", pem.to_str().unwrap()),
    ];
    let proxy = Proxy::haproxy("haproxy with tls", &changes);
    let mut octets = Octets::connect_tls(&proxy.address);
    octets.write(&[HIXIE_76.as_bytes(), KEY3].concat());
    let head = octets.head();
    let location = "\r\nSec-WebSocket-Location: wss://example.com/bus/chat\r\n";
    assert!(head.contains(location), "{head}");
    assert_eq!(octets.exactly(16), ANSWER);
    drop(octets);
    let line = access_line(&mut gateway);
    assert_eq!(line["draft"], "hixie-76", "{line}");
    assert!(line["via"].is_string(), "{line}");

    // Our own client of each draft compares the Location with its URL.
    for draft in draftgate_drafts::announced() {
        let octets = Octets::connect_tls(&proxy.address);
        let mut client = Client::open(octets, true, &proxy.address, draft, "/bus/chat")
            .unwrap_or_else(|error| panic!("{draft}: {error}"));
        client.send("Hello");
        assert_eq!(client.message(), Message::from("Hello"), "{draft}");
        client.close(None);
        drop(client);
        assert_eq!(access_line(&mut gateway)["draft"], draft.name());
    }
}

/// A silent hixie-76 client behind the proxy that `start`s in front of an
/// address and cuts connections after 4 s of silence.
fn outlives_by_its_heartbeat(name: &str, start: impl Fn(&str) -> Proxy) {
    // Far more often than it must, for a machine under load.
    let often = "heartbeat-interval = \"200ms\"";
    let beating = [("heartbeat-interval = \"25s\"", often), ECHOING];
    let mut gateway = draftgate(name, &beating);
    let proxy = start(gateway.host());
    let (octets, ours) = Octets::connect(&proxy.address);
    let mut client =
        Client::open(octets, false, &proxy.address, Draft::Hixie76, "/bus/chat").unwrap();
    // 5 s of them.
    for _ in 0..25 {
        assert_eq!(client.message(), Message::from("tick"));
    }
    client.send("Hello");
    while client.message() != Message::from("Hello") {}
    drop(client);
    is_of(&access_line(&mut gateway), ours);
}

/// The same without a heartbeat, and a proxy that is not so patient.
fn is_cut_without_a_heartbeat(name: &str, start: impl Fn(&str) -> Proxy) {
    let silent = [("heartbeat = { text = \"tick\" }", ""), ECHOING];
    let mut gateway = draftgate(name, &silent);
    let proxy = start(gateway.host());
    let (octets, ours) = Octets::connect(&proxy.address);
    let mut client =
        Client::open(octets, false, &proxy.address, Draft::Hixie76, "/bus/chat").unwrap();
    assert!(!client.capabilities().ping);
    assert_eq!(client.event(), None);
    let line = access_line(&mut gateway);
    is_of(&line, ours);
    assert_eq!(line["code"], json!(1006), "{line}");
}

fn haproxy_cutting(inner: &str, after: &str) -> Proxy {
    let timeout = format!("timeout tunnel {after}");
    Proxy::haproxy(
        "haproxy",
        &[(INNER, inner), ("timeout tunnel 1h", &timeout)],
    )
}

fn nginx_cutting(inner: &str, after: &str) -> Proxy {
    let timeout = format!("proxy_timeout {after};");
    Proxy::nginx("nginx", &[(INNER, inner), ("proxy_timeout 1h;", &timeout)])
}

#[test]
fn foreign_a_silent_hixie_76_client_outlives_haproxy_by_its_heartbeat() {
    outlives_by_its_heartbeat("haproxy-beating", |inner| haproxy_cutting(inner, "4s"));
}

#[test]
fn foreign_a_silent_hixie_76_client_outlives_nginx_by_its_heartbeat() {
    outlives_by_its_heartbeat("nginx-beating", |inner| nginx_cutting(inner, "4s"));
}

#[test]
fn foreign_without_a_heartbeat_haproxy_cuts_a_silent_hixie_76_client() {
    is_cut_without_a_heartbeat("haproxy-silent", |inner| haproxy_cutting(inner, "2s"));
}

#[test]
fn foreign_without_a_heartbeat_nginx_cuts_a_silent_hixie_76_client() {
    is_cut_without_a_heartbeat("nginx-silent", |inner| nginx_cutting(inner, "2s"));
}

/// Which drafts get through `proxy`, as the document's table has it. The
/// client is the one that the proxy saw, whatever the request claims.
fn got_through(name: &str, proxy: impl Fn(&str) -> Proxy) -> Vec<bool> {
    let text = block("draftgate behind http").replace(ECHOING.0, ECHOING.1);
    let mut gateway = Gateway::with(name, &text);
    let proxy = proxy(gateway.host());
    let through = |draft| {
        let (octets, _) = Octets::connect(&proxy.address);
        let opened = Client::open(octets, false, &proxy.address, draft, "/bus/chat");
        let Ok(mut client) = opened else {
            return false;
        };
        client.send("Hello");
        assert_eq!(client.message(), Message::from("Hello"), "{draft}");
        drop(client);
        let line = loop {
            let line = gateway.access_line();
            // An answer that was no use to its client left a line before.
            if line["draft"] == draft.name() {
                break line;
            }
        };
        assert_eq!(line["peer"], OURS.to_string(), "{line}");
        assert!(
            line["via"].as_str().unwrap().starts_with("127.0.0.1:"),
            "{line}"
        );
        true
    };
    draftgate_drafts::announced().map(through).collect()
}

/// nginx that understands HTTP, in front of `inner`.
pub(crate) fn nginx_of_http(inner: &str) -> Proxy {
    // As another user than root it may write to none of its folders.
    let folder = env!("CARGO_TARGET_TMPDIR");
    let paths: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|kind| format!("{kind}_temp_path {folder}/nginx-{kind};"))
        .collect();
    let http = format!("http {{ access_log off; {paths}");
    Proxy::nginx("nginx for http", &[(INNER, inner), ("http {", &http)])
}

/// HAProxy that understands HTTP, in front of `inner`.
pub(crate) fn haproxy_of_http(inner: &str) -> Proxy {
    Proxy::haproxy("haproxy for http", &[(INNER, inner)])
}

#[test]
fn foreign_http_proxies_pass_what_the_document_says() {
    let nginx = got_through("nginx-http", nginx_of_http);
    let haproxy = got_through("haproxy-http", haproxy_of_http);
    let mut table =
        "| draft | nginx, `proxy_pass` | HAProxy, `mode http` |\n| --- | --- | --- |\n".to_owned();
    let word = |passes| if passes { "passes" } else { "does not" };
    for ((draft, nginx), haproxy) in draftgate_drafts::announced().zip(nginx).zip(haproxy) {
        let (nginx, haproxy) = (word(nginx), word(haproxy));
        table += &format!("| {} | {nginx} | {haproxy} |\n", draft.with_alias());
    }
    holds("docs/operating.md", "http-proxies", &table);
}
