//! What Flash and Silverlight are told before they connect, octet for octet:
//! on the WebSocket port, on ports of their own, and over HTTP. The requests
//! are the recorded ones; how they are cut in time is tested where they are
//! read, under a clock that stands still.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::net::SocketAddr;

use common::{Client, HIXIE_76, HYBI_13, Raw, captured, config, gateway, until};
use draftgate_core::Message;
use draftgate_gateway::{
    Running,
    config::{Config, Listener, Plugin, Policy},
};
use tokio::{io::AsyncWriteExt, time::Duration};

const FLASH: &[u8] = b"<policy-file-request/>\0";
const SILVERLIGHT: &[u8] = b"<policy-file-request/>";

/// What Flash is told of `ports`, without the NUL.
fn flash(master: bool, ports: &str) -> String {
    let master = match master {
        true => "  <site-control permitted-cross-domain-policies=\"master-only\"/>\n",
        false => "",
    };
    let ports = match ports {
        "" => String::new(),
        ports => format!(" to-ports=\"{ports}\""),
    };
    format!(
        "<?xml version=\"1.0\"?>\n<cross-domain-policy>\n{master}  \
         <allow-access-from domain=\"example.com\"{ports} secure=\"false\"/>\n  \
         <allow-access-from domain=\"*.example.org\"{ports} secure=\"true\"/>\n\
         </cross-domain-policy>\n"
    )
}

/// What Silverlight is told; `more` stands before the ports.
fn silverlight(more: &str) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>
<access-policy>
  <cross-domain-access>
    <policy>
      <allow-from>
        <domain uri=\"http://example.com\"/>
        <domain uri=\"https://example.com\"/>
        <domain uri=\"https://*.example.org\"/>
      </allow-from>
      <grant-to>
{more}        <socket-resource port=\"4502-4534\" protocol=\"tcp\"/>
      </grant-to>
    </policy>
  </cross-domain-access>
</access-policy>
"
    )
}

fn with_nul(text: &str) -> Vec<u8> {
    [text.as_bytes(), b"\0"].concat()
}

fn policy() -> Policy {
    let allow = ["example.com", "https://*.example.org"];
    Policy::new(allow.map(|site| site.parse().unwrap()))
}

fn with_policy() -> Config {
    Config {
        policy: Some(policy()),
        ..config()
    }
}

/// A free port of this machine, with the limits of `config`'s first listener.
fn own(config: &Config) -> Listener {
    Listener {
        address: ([127, 0, 0, 1], 0).into(),
        ..config.listeners[0].clone()
    }
}

fn with_listeners(mut config: Config) -> Config {
    let mut policy = policy();
    policy.flash_listener = Some(own(&config));
    policy.silverlight_listener = Some(own(&config));
    config.policy = Some(policy);
    config
}

async fn answer(address: SocketAddr, request: &[u8]) -> Vec<u8> {
    Raw::say(address, request).await.rest().await
}

fn counted(running: &Running) -> [u64; 2] {
    [Plugin::Flash, Plugin::Silverlight].map(|plugin| running.counts().policies_for(plugin))
}

#[tokio::test]
async fn both_are_answered_on_the_port_of_websocket() {
    let (running, address) = gateway(with_policy());
    let told = flash(false, &address.port().to_string());
    assert_eq!(answer(address, FLASH).await, with_nul(&told));
    assert_eq!(
        answer(address, SILVERLIGHT).await,
        silverlight("").as_bytes()
    );
    let mut closed = Raw::say(address, SILVERLIGHT).await;
    closed.tcp.shutdown().await.unwrap();
    assert_eq!(closed.rest().await, silverlight("").as_bytes());
    assert_eq!(counted(&running), [1, 2]);
    assert!(running.counts().refused.is_empty());
}

#[tokio::test]
async fn a_request_cut_at_each_octet_gets_the_same_answer() {
    let (running, address) = gateway(with_policy());
    let told = with_nul(&flash(false, &address.port().to_string()));
    for cut in 1..FLASH.len() {
        let mut raw = Raw::say(address, &FLASH[..cut]).await;
        // All but the NUL may come as late as it likes.
        if cut < SILVERLIGHT.len() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        raw.write(&FLASH[cut..]).await;
        assert_eq!(raw.rest().await, told, "{cut}");
    }
    assert_eq!(counted(&running), [FLASH.len() as u64 - 1, 0]);
}

#[tokio::test]
async fn each_has_a_listener_of_its_own() {
    let (running, address) = gateway(with_listeners(config()));
    let [
        (Plugin::Flash, flash_port),
        (Plugin::Silverlight, silverlight_port),
    ] = &running.policy_addrs()[..]
    else {
        panic!("{:?}", running.policy_addrs());
    };
    assert_eq!(running.addrs(), [address]);
    let master = with_nul(&flash(true, &address.port().to_string()));
    for request in [FLASH, SILVERLIGHT, b"<policy-file-request/>\r\n"] {
        assert_eq!(answer(*flash_port, request).await, master);
        let told = answer(*silverlight_port, request).await;
        assert_eq!(told, silverlight("").as_bytes());
    }
    assert_eq!(counted(&running), [3, 3]);
    let http = b"GET /crossdomain.xml HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(answer(*flash_port, http).await, b"");
    assert_eq!(running.counts().refused_for("policy-malformed"), 1);
}

#[tokio::test]
async fn configured_ports_take_the_place_of_those_of_the_listeners() {
    let mut config = with_policy();
    let policy = config.policy.as_mut().unwrap();
    policy.flash_ports = Some(["8000-8010", "80", "80"].map(|p| p.parse().unwrap()).into());
    policy.silverlight_ports = ["4502", "4510-4512"].map(|p| p.parse().unwrap()).into();
    let (_running, address) = gateway(config);
    assert_eq!(
        answer(address, FLASH).await,
        with_nul(&flash(false, "80,8000-8010"))
    );
    let told = String::from_utf8(answer(address, SILVERLIGHT).await).unwrap();
    let ports = "        <socket-resource port=\"4502\" protocol=\"tcp\"/>\n        \
                 <socket-resource port=\"4510-4512\" protocol=\"tcp\"/>\n      </grant-to>";
    assert!(told.contains(ports), "{told}");
}

#[tokio::test]
async fn flash_is_told_the_ports_that_clients_know() {
    let mut config = with_policy();
    config.listeners[0].public_url = Some("wss://push.example.com".parse().unwrap());
    let second = Listener {
        public_url: Some("ws://push.example.com:8081".parse().unwrap()),
        ..config.listeners[0].clone()
    };
    config.listeners.push(second);
    let (_running, address) = gateway(config);
    assert_eq!(
        answer(address, FLASH).await,
        with_nul(&flash(false, "443,8081"))
    );
}

#[tokio::test]
async fn the_files_are_read_over_http_and_the_connection_goes_on() {
    let (running, address) = gateway(with_policy());
    let grant = "        <resource path=\"/\" include-subpaths=\"true\"/>\n";
    let mut raw = Raw::connect(address).await;
    for (path, file) in [
        ("/crossdomain.xml", flash(true, "")),
        ("/clientaccesspolicy.xml", silverlight(grant)),
        ("/crossdomain.xml?ts=1", flash(true, "")),
    ] {
        for method in ["HEAD", "GET"] {
            let request = format!("{method} {path} HTTP/1.1\r\nHost: example.com\r\n\r\n");
            raw.write(request).await;
            let head = raw.head().await.to_lowercase();
            assert!(head.starts_with("http/1.1 200 ok\r\n"), "{head}");
            for field in [
                "content-type: text/xml; charset=utf-8",
                "x-content-type-options: nosniff",
                &format!("content-length: {}", file.len()),
            ] {
                assert!(head.contains(&format!("\r\n{field}\r\n")), "{field} {head}");
            }
            if method == "GET" {
                assert_eq!(raw.exactly(file.len()).await, file.as_bytes());
            }
        }
    }
    assert_eq!(counted(&running), [4, 2]);
    raw.write(HYBI_13).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
}

#[tokio::test]
async fn without_a_policy_nothing_is_answered_and_the_log_says_what_to_do() {
    let (lines, _guard) = captured();
    let (running, address) = gateway(config());
    for request in [FLASH, SILVERLIGHT, b"<"] {
        assert_eq!(answer(address, request).await, b"");
    }
    assert_eq!(running.counts().refused_for("policy-request"), 3);
    let told = lines.with("code", "policy-request");
    assert_eq!(told.len(), 3, "{told:?}");
    let message = told[0]["message"].as_str().unwrap();
    assert!(message.contains("set `policy.allow`"), "{message}");
    for path in ["/crossdomain.xml", "/clientaccesspolicy.xml"] {
        let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
        let (head, body) = Raw::say(address, request).await.refusal().await;
        assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
        assert!(body.contains("Code: path-unknown"), "{body}");
    }
    assert_eq!(counted(&running), [0, 0]);
}

#[tokio::test]
async fn what_is_no_request_for_a_file_is_told_why() {
    let (_running, address) = gateway(with_policy());
    for (request, status, code) in [
        (
            "POST / HTTP/1.1\r\nHost: a\r\n\r\n",
            "405",
            "method-not-allowed",
        ),
        ("GET / HTTP/1.1\r\n\r\n", "400", "host-missing"),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx",
            "400",
            "body-unexpected",
        ),
    ] {
        for path in ["/crossdomain.xml", "/clientaccesspolicy.xml"] {
            let request = request.replacen('/', path, 1);
            let (head, body) = Raw::say(address, &request).await.refusal().await;
            assert!(
                head.starts_with(&format!("HTTP/1.1 {status} ")),
                "{request}{head}"
            );
            assert!(body.contains(&format!("Code: {code}")), "{request}{body}");
        }
    }
    let websocket = HIXIE_76.replace("/echo", "/crossdomain.xml");
    let (_, body) = Raw::say(address, websocket).await.refusal().await;
    assert!(body.contains("Code: path-unknown"), "{body}");
}

#[tokio::test]
async fn anything_else_that_begins_so_is_closed_and_counted() {
    let (running, address) = gateway(with_listeners(config()));
    let (_, own) = running.policy_addrs()[0];
    let wrong: [&[u8]; 6] = [
        b"<?xml version=\"1.0\"?>",
        b"<html>",
        b"<policy-file-request />\0",
        b"<policy-file-request/>\n",
        b"<policy-file-requests/>\0",
        b"<<",
    ];
    for octets in wrong {
        assert_eq!(answer(address, octets).await, b"", "{octets:?}");
    }
    let on_its_own: [&[u8]; 3] = [
        b"\x16\x03\x01\x00\x05hello",
        b"\0",
        b"<policy-file-requests/>",
    ];
    for octets in on_its_own {
        assert_eq!(answer(own, octets).await, b"", "{octets:?}");
    }
    assert_eq!(running.counts().refused_for("policy-malformed"), 9);
    assert_eq!(counted(&running), [0, 0]);
}

#[tokio::test]
async fn a_request_that_never_ends_is_closed_in_time() {
    let mut config = config();
    config.listeners[0].timeouts.first_octet = Duration::from_millis(50);
    let (running, address) = gateway(with_listeners(config));
    let (_, own) = running.policy_addrs()[0];
    for address in [address, own] {
        for cut in [1, 21] {
            assert_eq!(answer(address, &FLASH[..cut]).await, b"", "{cut}");
        }
    }
    assert_eq!(running.counts().refused_for("policy-timeout"), 4);
    assert_eq!(Raw::connect(own).await.rest().await, b"");
    assert_eq!(running.counts().refused_for("first-octet-timeout"), 1);
}

#[tokio::test]
async fn a_policy_listener_has_limits_and_tells_in_silence() {
    let mut config = config();
    config.listeners[0].limits.per_ip_loopback = Some(1);
    let (running, _) = gateway(with_listeners(config));
    let (_, own) = running.policy_addrs()[0];
    let first = Raw::connect(own).await;
    until("it is let in", || running.counts().connections == 1).await;
    assert_eq!(answer(own, FLASH).await, b"");
    assert_eq!(running.counts().refused_for("too-many-from-address"), 1);
    drop(first);
    until("its place is free", || running.counts().connections == 0).await;
    assert!(!answer(own, FLASH).await.is_empty());
}

#[tokio::test]
async fn a_peer_that_goes_away_anywhere_leaves_nothing_behind() {
    let (running, address) = gateway(with_listeners(config()));
    let (_, own) = running.policy_addrs()[1];
    for cut in 0..=FLASH.len() {
        for address in [address, own] {
            drop(Raw::say(address, &FLASH[..cut]).await);
        }
    }
    let all = 2 * (FLASH.len() as u64 + 1);
    until("all came", || running.counts().accepted == all).await;
    until("all end", || running.counts().connections == 0).await;
    assert!(running.counts().refused.is_empty());
    for draft in common::announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        client.send("Hello").await;
        assert_eq!(client.message().await, Message::from("Hello"), "{draft}");
    }
}

#[tokio::test]
async fn an_answer_reaches_a_peer_that_goes_on_sending() {
    let (_running, address) = gateway(with_policy());
    let mut request = FLASH.to_vec();
    request.resize(100_000, b'x');
    let told = flash(false, &address.port().to_string());
    assert_eq!(answer(address, &request).await, with_nul(&told));
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_request() {
    let (running, address) = gateway(with_listeners(config()));
    let (_, own) = running.policy_addrs()[0];
    let mut raws = [Raw::say(address, b"<pol").await, Raw::say(own, b"").await];
    until("both came", || running.counts().connections == 2).await;
    running.drain().await;
    for raw in &mut raws {
        assert_eq!(raw.rest().await, b"");
    }
}

#[tokio::test]
async fn a_request_behind_a_proxys_header_is_the_announced_clients() {
    let (lines, _guard) = captured();
    let mut config = with_policy();
    config.log.rate = None;
    let listener = &mut config.listeners[0];
    listener.proxy_protocol = true;
    listener.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    let (running, address) = gateway(config);
    let header = b"PROXY TCP4 192.0.2.7 10.0.0.1 4321 843\r\n";
    let told = with_nul(&flash(false, &address.port().to_string()));
    let request = [header, FLASH].concat();
    for cut in 1..request.len() {
        let mut raw = Raw::say(address, &request[..cut]).await;
        raw.write(&request[cut..]).await;
        assert_eq!(raw.rest().await, told, "{cut}");
    }
    let request = [header, SILVERLIGHT].concat();
    assert_eq!(answer(address, &request).await, silverlight("").as_bytes());
    let told = lines.with("code", "policy-answered");
    assert_eq!(told.len(), header.len() + FLASH.len());
    for line in told {
        assert_eq!(line["peer"], "192.0.2.7:4321", "{line}");
    }
    let lines = lines.with("plugin", "Silverlight");
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!(counted(&running)[1], 1);
}
