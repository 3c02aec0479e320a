//! TLS of the gateway's own with other people's clients: OpenSSL in every
//! version, curl, and today's Chromium, all at one port.

use std::io::Write;
use std::path::Path;
use std::process::Stdio;

use draftgate_core::Message;
use draftgate_drafts::announced;

use crate::child::Child;
use crate::gateway::Gateway;
use crate::octets::{Client, Octets};
use crate::programs::{chromium, curl, folder};
use crate::proxy::certificate;

/// A gateway with TLS by `pem`; `more` stands in its table `tls`.
fn secure(name: &str, pem: &Path, more: &str) -> Gateway {
    let toml = format!(
        "drafts = \"all\"\n\
         origins = [\"any\"]\n\
         [[listeners]]\n\
         address = \"127.0.0.1:0\"\n\
         page = true\n\
         tls = {{ certificate = {:?}{more} }}\n\
         [[routes]]\n\
         path = \"/echo\"\n\
         service = \"echo\"\n\
         [[routes]]\n\
         path = \"/bus/{{channel}}\"\n\
         service = \"bus\"\n\
         subprotocols = [\"draftgate.envelope\"]\n",
        pem.display().to_string()
    );
    Gateway::with(name, &toml)
}

/// The versions that OpenSSL's client can be held to, and the flags for it.
const VERSIONS: [(&str, &[&str]); 2] = [("1.2", &["-tls1_2"]), ("1.3", &["-tls1_3"])];

#[test]
fn foreign_openssl_carries_every_draft_over_tls_of_today() {
    let pem = certificate();
    let mut gateway = secure("secure-openssl", &pem, "");
    every_draft(&mut gateway, &VERSIONS);
}

#[cfg(feature = "legacy-tls")]
#[test]
fn foreign_openssl_carries_every_draft_over_every_version_to_one_port() {
    const OLD: &str = "ALL:@SECLEVEL=0";
    let pem = certificate();
    let mut gateway = secure("secure-old", &pem, ", profile = \"legacy-1.0\"");
    let warned = gateway.line();
    assert_eq!(warned["level"], "WARN", "{warned}");
    let sentence = warned["message"].as_str().unwrap();
    assert!(sentence.contains("speaks TLS 1.0 and 1.1"), "{sentence}");
    let old: [(&str, &[&str]); 4] = [
        ("1.0", &["-tls1", "-cipher", OLD]),
        // As a device of 2010 does it: no name, no ticket, RSA and AES.
        (
            "1.0",
            &[
                "-tls1",
                "-noservername",
                "-no_ticket",
                "-cipher",
                "AES128-SHA:@SECLEVEL=0",
            ],
        ),
        ("1.1", &["-tls1_1", "-cipher", OLD]),
        ("1.2", &["-tls1_2", "-cipher", "AES128-SHA:@SECLEVEL=0"]),
    ];
    every_draft(&mut gateway, &old);
    every_draft(&mut gateway, &VERSIONS);
}

/// An echo in every draft over `versions`. The codecs of hixie demand `wss` of
/// the Location themselves.
fn every_draft(gateway: &mut Gateway, versions: &[(&str, &[&str])]) {
    let host = gateway.host().to_owned();
    for (version, flags) in versions {
        for draft in announced() {
            let octets = Octets::connect_tls_with(&host, flags);
            let mut client = Client::open(octets, true, &host, draft, "/echo")
                .unwrap_or_else(|why| panic!("{draft} over TLS {version}: {why}"));
            client.send("Grüße");
            assert_eq!(client.message(), Message::from("Grüße"), "{draft}");
            client.close(None);
            drop(client);
            let line = gateway.access_line();
            assert_eq!(line["tls"], *version, "{line}");
            assert_eq!(line["draft"], draft.name(), "{line}");
        }
    }
}

/// What OpenSSL's client says when its person asks it to renegotiate.
#[cfg(feature = "legacy-tls")]
#[test]
fn foreign_openssl_may_not_renegotiate() {
    use crate::programs::installed;
    use std::process::Command;

    let pem = certificate();
    let gateway = secure("secure-again", &pem, ", profile = \"legacy-1.0\"");
    for version in ["-tls1", "-tls1_1", "-tls1_2"] {
        let mut command = Command::new(installed("/usr/bin/openssl"));
        command.args(["s_client", version, "-connect", gateway.host()]);
        command.args(["-cipher", "AES128-SHA:@SECLEVEL=0"]);
        let mut client = Child::start("openssl s_client", &mut command);
        while !client.line().contains("Verify return code") {}
        client.say("R");
        while !client.line_of_stderr().contains("no renegotiation") {}
    }
}

#[test]
fn foreign_curl_reads_and_publishes_over_https() {
    let pem = certificate();
    let gateway = secure("secure-curl", &pem, "");
    let port = gateway.host().rsplit(':').next().unwrap();
    let url = |path: &str| format!("https://localhost:{port}{path}");
    let ask = |arguments: &[&str]| {
        let mut command = curl();
        command
            .args(["-s", "--max-time", "60", "--cacert"])
            .arg(&pem);
        command.args(arguments);
        command
    };
    let page = ask(&[&url("/")]).output().unwrap();
    assert!(page.stdout.starts_with(b"<!DOCTYPE html>"), "{page:?}");

    let mut command = ask(&["-N", "-H", "Accept: text/event-stream", &url("/bus/news")]);
    let mut reader = Child::start("curl", &mut command);
    while !reader.line().starts_with("retry: ") {}
    let told = ask(&["--data-binary", "Hello", &url("/bus/news")])
        .output()
        .unwrap();
    let told = String::from_utf8(told.stdout).unwrap();
    assert!(told.contains("\"delivered\":1"), "{told}");
    while reader.line() != "data: Hello" {}

    // The same without TLS is told what it lacks, and so is TLS without trust.
    let plain = curl().args(["-s", &gateway.http("/")]).output().unwrap();
    let plain = String::from_utf8(plain.stdout).unwrap();
    assert!(plain.contains("this port speaks TLS"), "{plain}");
    let strange = curl().args(["-sS", &url("/")]).output().unwrap();
    assert_eq!(strange.status.code(), Some(60), "{strange:?}");
}

#[test]
fn foreign_chromium_reads_events_and_publishes_over_https() {
    let pem = certificate();
    let gateway = secure("secure-events", &pem, "");
    let mut command = chromium("chromium-events.js");
    command.args([&format!("https://{}/bus/news", gateway.host()), "1"]);
    let mut reader = Child::start("Chromium", &mut command);
    reader.event("open");
    let (mut published, mut heard) = (None, None);
    while published.is_none() || heard.is_none() {
        let event = reader.any_event();
        match event["event"].as_str() {
            Some("published") => published = Some(event["id"].clone()),
            Some("message") => heard = Some((event["data"].clone(), event["id"].clone())),
            _ => reader.fail("an answer and a message were expected"),
        }
    }
    let (data, id) = heard.unwrap();
    assert_eq!(data, "\"from the page\"");
    assert_eq!(Some(id), published);
}

#[test]
fn foreign_chromium_reads_over_wss_what_its_page_over_https_opened() {
    let pem = certificate();
    let mut gateway = secure("secure-chromium", &pem, "");
    let picture = folder().join("screenshots/chromium-secure.png");
    std::fs::create_dir_all(picture.parent().unwrap()).unwrap();
    let mut command = chromium("chromium-chat.js");
    let page = format!("https://{}/", gateway.host());
    command.args([&page, "Hello from the page", "Hello from curl"]);
    command.arg(&picture);
    let mut browser = Child::start("Chromium", &mut command);
    assert_eq!(browser.event("open")["draft"], "hybi-13 = RFC 6455");
    browser.say("go");
    let mut publisher = curl()
        .args(["-sk", "--data-binary", "@-"])
        .arg(format!("https://{}/bus/chat", gateway.host()))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let mut stdin = publisher.stdin.take().unwrap();
    stdin.write_all(b"Hello from curl").unwrap();
    drop(stdin);
    assert!(publisher.wait().unwrap().success());
    let entry = browser.event("message")["entry"].to_string();
    assert!(entry.contains("Hello from curl"), "{entry}");
    browser.end_well();
    let line = gateway.access_line();
    assert_eq!(
        (&line["tls"], &line["draft"]),
        (&"1.3".into(), &"hybi-13".into()),
        "{line}"
    );
    // The page came over HTTP/2, and so its WebSocket did (RFC 8441).
    assert_eq!(line["http"], "2", "{line}");
}
