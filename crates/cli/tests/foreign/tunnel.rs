//! `draftgate connect` through Debian's tinyproxy and squid, and by OpenSSL's TLS,
//! which HAProxy speaks in front of a gateway: every draft that is spoken. And a
//! proxy route that reaches its upstream in this way.

use std::process::Command;

use crate::child::{Child, Ended};
use crate::gateway::{Gateway, draftgate};
use crate::ladder::Relay;
use crate::peers;
use crate::proxy::{Proxy, block, certificate};
use crate::servers::started;

/// Says one line over `draftgate connect` with these arguments and hears it
/// again; how it ended.
fn echoed<'a>(arguments: impl IntoIterator<Item = &'a str>) {
    let mut child = Child::start("draftgate connect", &mut connect(arguments));
    child.say("Grüße ✓ 𝄞");
    assert_eq!(child.line(), "Grüße ✓ 𝄞");
    child.end_stdin();
    child.end_well();
}

fn refused<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Ended {
    let mut child = Child::start("draftgate connect", &mut connect(arguments));
    child.end()
}

fn connect<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Command {
    let mut command = draftgate("connect");
    command.args(arguments);
    command
}

#[test]
fn foreign_tinyproxy_and_squid_tunnel_every_draft() {
    let gateway = Gateway::start();
    let url = gateway.url("/echo");
    for proxy in [Proxy::tinyproxy, Proxy::squid] {
        let proxy = proxy(Some("me pw"));
        let known = format!("http://me:pw@{}", proxy.address);
        for draft in draftgate_drafts::announced() {
            echoed(["--proxy", &known, "--draft", draft.name(), &url]);
        }
    }
}

/// em-websocket speaks nearly every draft, but no TLS: HAProxy does for it. It knows
/// nothing of that: its hixie Location is that of the client, who came without.
#[test]
fn foreign_a_proxy_route_reaches_its_upstream_through_tinyproxy_and_squid() {
    let em_websocket = peers::servers().find(|it| it.peer.name == "em_websocket");
    let em_websocket = em_websocket.unwrap();
    let (_server, host) = started("em-websocket", &mut em_websocket.command());
    let pem = certificate();
    let changes = [
        ("127.0.0.1:8081", &*host),
        ("/etc/haproxy/example.com.pem", pem.to_str().unwrap()),
        (" send-proxy-v2-ssl", ""),
    ];
    let tls = Proxy::haproxy("haproxy with tls", &changes);
    let ways = [Proxy::tinyproxy, Proxy::squid];
    let users = [None, Some("me pw")];
    for (proxy, user) in ways
        .iter()
        .flat_map(|way| users.map(|user| (way(user), user)))
    {
        // Counts: what went past the proxy would be missing.
        let relay = Relay::to(proxy.address.clone());
        let login = user.map_or("", |_| "me:pw@");
        let via = format!("http://{login}{}", relay.address);
        let mut text = "drafts = \"all\"\norigins = [\"any\"]\n\n\
            [[listeners]]\naddress = \"127.0.0.1:0\"\n"
            .to_owned();
        let mut route = |path: &str, upstream: &str, more: &str| {
            text += &format!(
                "\n[[routes]]\npath = \"{path}\"\nservice = \"proxy\"\nupstream = \"{upstream}\"\n{more}\n"
            );
        };
        for draft in em_websocket.drafts() {
            let name = draft.name();
            let drafts = format!("upstream-drafts = \"{name}\"\nupstream-proxy = \"{via}\"");
            route(&format!("/ws/{name}"), &format!("ws://{host}"), &drafts);
            let upstream = format!("wss://{}", tls.address);
            let drafts = format!("{drafts}\nupstream-insecure = true");
            route(&format!("/wss/{name}"), &upstream, &drafts);
        }
        let wrong = via.replace("me:pw@", "").replace("//", "//me:wrong@");
        let wrong = format!("upstream-proxy = \"{wrong}\"");
        route("/wrong", &format!("ws://{host}"), &wrong);
        let mut gateway = Gateway::with("way-out", &text);
        let mut count = 0;
        for scheme in ["ws", "wss"] {
            for draft in em_websocket.drafts() {
                echoed([&*gateway.url(&format!("/{scheme}/{}", draft.name()))]);
                count += 1;
                assert_eq!(relay.connections(), count, "{scheme} {draft}");
            }
        }
        if user.is_some() {
            let ended = refused([&*gateway.url("/wrong")]);
            assert!(ended.stderr.contains("502 Bad Gateway"), "{}", ended.stderr);
            let line = gateway.refusal_line().to_string();
            assert!(
                line.contains("does not take this name and password"),
                "{line}"
            );
            assert!(!line.contains("wrong@"), "{line}");
        }
    }
}

#[test]
fn foreign_tinyproxy_refuses_and_is_understood() {
    let gateway = Gateway::start();
    let url = gateway.url("/echo");
    let proxy = Proxy::tinyproxy(Some("me pw"));
    let known = format!("http://me:pw@{}", proxy.address);
    let wrong = format!("http://me:wrong@{}", proxy.address);
    for (user, target, said) in [
        (
            proxy.address.as_str(),
            url.as_str(),
            "wants a name and a password",
        ),
        (&wrong, &url, "does not take this name and password"),
        (&known, "ws://127.0.0.1:1/", "it answers `HTTP/1.1 500"),
    ] {
        let ended = refused(["--proxy", user, target]);
        assert_eq!(ended.code, Some(69), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(!ended.stderr.contains("wrong@"), "{}", ended.stderr);
    }
}

#[test]
fn foreign_openssl_speaks_tls_with_every_draft() {
    let written = "service = \"bus\"";
    let text = block("draftgate behind tcp");
    assert!(text.contains(written));
    let ours = "service = \"bus\"\ninclude-sender = true\norigins = [\"any\"]";
    let gateway = Gateway::with("connect-tls", &text.replace(written, ours));
    let pem = certificate();
    let pem = pem.to_str().unwrap();
    let changes = [
        ("127.0.0.1:8081", gateway.host()),
        ("/etc/haproxy/example.com.pem", pem),
    ];
    let proxy = Proxy::haproxy("haproxy with tls", &changes);
    let url = format!("wss://{}/bus/chat", proxy.address);
    for draft in draftgate_drafts::announced() {
        echoed(["--insecure", "--draft", draft.name(), &url]);
    }
    for (arguments, said) in [
        (vec![url.as_str()], "no TLS with 127."),
        (vec!["--cacert", pem, &url], "no TLS with 127."),
    ] {
        let ended = refused(arguments);
        assert_eq!(ended.code, Some(69), "{}", ended.stderr);
        assert!(ended.stderr.contains(said), "{}", ended.stderr);
        assert!(ended.stderr.contains("its certificate"), "{}", ended.stderr);
    }
}
