//! Debian's HAProxy and nginx on both sides of a proxy route: in front of the
//! gateway with the recipes of docs/operating.md, and between it and a server
//! that speaks every draft, em-websocket. The access line names the client that
//! stands before them all.

use draftgate_core::{Draft, Message};
use serde_json::json;

use crate::child::Child;
use crate::gateway::Gateway;
use crate::octets::{Client, Octets};
use crate::peers;
use crate::proxies::{INNER, haproxy_of_http, nginx_of_http};
use crate::proxy::Proxy;
use crate::servers::started;

fn em_websocket() -> (Child, String) {
    let any = peers::servers().find(|it| it.peer.name == "em_websocket");
    started("em-websocket", &mut any.unwrap().command())
}

/// The drafts in which something foreign serves.
fn behind() -> Vec<Draft> {
    let served = |draft: &Draft| !peers::WITHOUT_SERVER.contains(draft);
    draftgate_drafts::announced().filter(served).collect()
}

/// The gateway behind something that speaks the PROXY protocol to it, with a
/// route for each of `drafts` to `upstream`.
fn gateway(name: &str, upstream: &str, drafts: &[Draft], more: &str) -> Gateway {
    let mut text = "drafts = \"all\"\norigins = [\"any\"]\n\n[[listeners]]\n\
        address = \"127.0.0.1:0\"\nproxy-protocol = true\ntrusted-proxies = [\"127.0.0.1\"]\n"
        .to_owned();
    for draft in drafts {
        let name = draft.name();
        text += &format!(
            "\n[[routes]]\npath = \"/{name}\"\nservice = \"proxy\"\n\
            upstream = \"ws://{upstream}/echo\"\nupstream-drafts = \"{name}\"\n{more}\n"
        );
    }
    Gateway::with(name, &text)
}

/// Every draft in front meets every one of `drafts` behind, by way of whatever
/// listens at `address` in front of `gateway`.
fn all_meet(gateway: &mut Gateway, address: &str, server: &mut Child, drafts: &[Draft]) {
    for inner in draftgate_drafts::announced() {
        for outer in drafts {
            let (octets, ours) = Octets::connect(address);
            let path = format!("/{}", outer.name());
            let mut client = Client::open(octets, false, address, inner, &path)
                .unwrap_or_else(|why| panic!("{inner} to {outer}: {why}"));
            assert_eq!(server.event("open")["draft"], outer.name());
            for text in ["Hello", "", "Grüße ✓ 𝄞", &"b".repeat(70_000)] {
                client.send(text);
                assert_eq!(client.message(), Message::from(text), "{inner} to {outer}");
            }
            client.close(None);
            drop(client);
            server.event("close");
            let line = gateway.access_line();
            let drafts = (&line["draft"], &line["upstream_draft"]);
            let spoken = (&json!(inner.name()), &json!(outer.name()));
            assert_eq!(drafts, spoken, "{line}");
            assert_eq!(line["peer"], ours.to_string(), "{line}");
            assert_eq!(line["messages_in"], json!(4), "{line}");
        }
    }
}

#[test]
fn foreign_haproxy_in_front_and_nginx_behind() {
    let (mut server, host) = em_websocket();
    let plain = [(INNER, &*host), ("proxy_protocol on;", "")];
    let nginx = Proxy::nginx("nginx", &plain);
    let drafts = behind();
    let mut gateway = gateway("haproxy-nginx", &nginx.address, &drafts, "");
    let haproxy = Proxy::haproxy("haproxy", &[(INNER, gateway.host())]);
    all_meet(&mut gateway, &haproxy.address, &mut server, &drafts);
}

/// HAProxy behind takes nobody who does not begin with the PROXY protocol.
#[test]
fn foreign_nginx_in_front_and_haproxy_with_the_proxy_protocol_behind() {
    let (mut server, host) = em_websocket();
    let accepting = [
        (INNER, &*host),
        (
            "frontend websocket\n",
            "frontend websocket\n    tcp-request connection expect-proxy layer4\n",
        ),
        (" send-proxy-v2", ""),
    ];
    let haproxy = Proxy::haproxy("haproxy", &accepting);
    let drafts = behind();
    let more = "upstream-proxy-protocol = true";
    let mut gateway = gateway("nginx-haproxy", &haproxy.address, &drafts, more);
    let nginx = Proxy::nginx("nginx", &[(INNER, gateway.host())]);
    all_meet(&mut gateway, &nginx.address, &mut server, &drafts);
}

/// They pass what they understand: drafts with a version.
#[test]
fn foreign_http_proxies_behind_pass_drafts_with_a_version() {
    let mut drafts = behind();
    drafts.retain(|draft| draft.version().is_some());
    for (name, hop) in [
        ("http-nginx", nginx_of_http as fn(&str) -> Proxy),
        ("http-haproxy", haproxy_of_http),
    ] {
        let (mut server, host) = em_websocket();
        let hop = hop(&host);
        let mut gateway = gateway(name, &hop.address, &drafts, "");
        let haproxy = Proxy::haproxy("haproxy", &[(INNER, gateway.host())]);
        all_meet(&mut gateway, &haproxy.address, &mut server, &drafts);
    }
}
