//! `draftgate connect` through Debian's tinyproxy, and by OpenSSL's TLS, which
//! HAProxy speaks in front of a gateway: every draft that is spoken.

use std::process::Command;

use crate::child::{Child, Ended};
use crate::gateway::{Gateway, draftgate};
use crate::proxy::{Proxy, block, certificate};

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
fn foreign_tinyproxy_tunnels_every_draft() {
    let gateway = Gateway::start();
    let url = gateway.url("/echo");
    let proxy = Proxy::tinyproxy("me pw");
    let known = format!("http://me:pw@{}", proxy.address);
    for draft in draftgate_drafts::spoken() {
        echoed(["--proxy", &known, "--draft", draft.name(), &url]);
    }
}

#[test]
fn foreign_tinyproxy_refuses_and_is_understood() {
    let gateway = Gateway::start();
    let url = gateway.url("/echo");
    let proxy = Proxy::tinyproxy("me pw");
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
    for draft in draftgate_drafts::spoken() {
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
