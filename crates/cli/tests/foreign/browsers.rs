//! Real browsers: PhantomJS 1.9.8, a WebKit of 2011 that speaks hixie-76,
//! PhantomJS 2.1.1 and QtWebKit 5.212, of 2013 and 2016, which speak hybi-13, and
//! today's Chromium. All sit at the chat page and read each other; and the oldest
//! speak to `/echo` by themselves, without the page's JavaScript in between.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use draftgate_core::{Capabilities, Draft};
use draftgate_gateway::config::EMBEDDED;
use serde_json::json;

use crate::child::Child;
use crate::gateway::Gateway;
use crate::programs::{chromium, folder, phantomjs, phantomjs_2, qtwebkit};
use crate::servers::started;
use crate::{clients, peers};

/// A browser, what the page says it speaks, and what its person says.
struct Visitor {
    name: &'static str,
    browser: Command,
    draft: &'static str,
    shown: &'static str,
    says: &'static str,
}

#[test]
fn foreign_browsers_of_2011_of_2013_of_2016_and_of_today_read_each_other() {
    read_each_other("", Gateway::start(), [None; 4]);
}

/// That of 2011 compresses nothing, those of 2013 and 2016 per frame, today's per
/// message.
#[test]
fn foreign_browsers_read_each_other_whatever_each_compresses() {
    let bus = "service = \"bus\"\n";
    let compressed = format!("{bus}compression = true\ncompression-least = 1\n");
    for context in ["", "compression-context = true\n"] {
        let text = embedded(bus, &format!("{compressed}{context}"));
        let gateway = Gateway::with("browsers-compressed", &text);
        let webkit = Some("x-webkit-deflate-frame");
        let agreed = [None, Some("permessage-deflate"), webkit, webkit];
        read_each_other("compressed-", gateway, agreed);
    }
}

#[test]
fn foreign_phantomjs_2_speaks_to_echo_compressed_per_frame() {
    let echo = "service = \"echo\"\n";
    let compressed = format!("{echo}compression = true\ncompression-least = 1\n");
    let text = embedded(echo, &compressed);
    let mut gateway = Gateway::with("phantomjs-2-compressed", &text);
    let mut command = phantomjs_2("phantom-echo.js");
    command.args([&gateway.url("/echo"), "--hybi"]);
    let mut browser = Child::start("PhantomJS 2", &mut command);
    let agreed = &browser.event("open")["extensions"];
    assert_eq!(agreed, "x-webkit-deflate-frame");
    hears_echoes(&mut browser);
    assert_eq!(browser.event("binary")["length"], 256);
    assert_eq!(browser.event("close")["code"], 4000);
    browser.end_well();
    let line = gateway.access_line();
    assert_eq!(
        (&line["messages_in"], &line["messages_out"]),
        (&json!(6), &json!(6)),
        "{line}"
    );
    // The 70,000 octets of one letter took next to nothing, in both directions.
    for octets in ["octets_in", "octets_out"] {
        assert!(line[octets].as_u64().unwrap() < 2_000, "{line}");
    }
}

/// The embedded configuration on a free port, with `route` put otherwise.
fn embedded(route: &str, otherwise: &str) -> String {
    assert!(EMBEDDED.contains(route) && EMBEDDED.contains(":8080"));
    let text = EMBEDDED.replacen(route, otherwise, 1);
    text.replace(":8080", ":0")
}

/// `agreed` are the extensions that their lines name, in the order of the alphabet.
fn read_each_other(pictures_of: &str, mut gateway: Gateway, agreed: [Option<&str>; 4]) {
    let visitors = [
        Visitor {
            name: "PhantomJS",
            browser: phantomjs("phantom-chat.js"),
            draft: "hixie-76",
            shown: "hixie-76 = hybi-00",
            says: "Good evening from 2011",
        },
        Visitor {
            name: "PhantomJS-2",
            browser: phantomjs_2("phantom-chat.js"),
            draft: "hybi-13",
            shown: "hybi-13 = RFC 6455",
            says: "Good night from 2013",
        },
        Visitor {
            name: "QtWebKit",
            browser: qtwebkit("qtwebkit-chat.py"),
            draft: "hybi-13",
            shown: "hybi-13 = RFC 6455",
            says: "Good morning from 2016",
        },
        Visitor {
            name: "Chromium",
            browser: chromium("chromium-chat.js"),
            draft: "hybi-13",
            shown: "hybi-13 = RFC 6455",
            says: "Hello from today",
        },
    ];
    let screenshots = folder().join("screenshots");
    fs::create_dir_all(&screenshots).unwrap();
    let pictures = visitors.each_ref().map(|visitor| {
        let name = format!("{pictures_of}{}.png", visitor.name.to_lowercase());
        let picture = screenshots.join(name);
        // The picture of an earlier run must not pass for this one's.
        let _ = fs::remove_file(&picture);
        picture
    });
    // Each is heard by the one before it, the first by the last.
    let mut heard = visitors
        .each_ref()
        .map(|visitor| (visitor.draft, visitor.says));
    heard.rotate_left(1);

    let mut browsers: Vec<Child> = Vec::new();
    for ((mut visitor, picture), (_, expected)) in visitors.into_iter().zip(&pictures).zip(heard) {
        visitor
            .browser
            .args([&gateway.page(), visitor.says, expected])
            .arg(picture);
        let mut browser = Child::start(visitor.name, &mut visitor.browser);
        assert_eq!(
            browser.event("open")["draft"],
            visitor.shown,
            "{}",
            visitor.name
        );
        browsers.push(browser);
    }
    for browser in &mut browsers {
        browser.say("go");
    }
    for (browser, (draft, text)) in browsers.iter_mut().zip(heard) {
        let entry = browser.event("message")["entry"]
            .as_str()
            .unwrap()
            .to_owned();
        assert!(
            entry.contains(draft) && entry.contains(text),
            "{draft}, {text}: {entry}"
        );
        browser.end_well();
    }
    for picture in &pictures {
        assert_eq!(size_of_png(picture), (900, 640), "{}", picture.display());
    }

    let mut drafts = heard.map(|_| {
        let line = gateway.access_line();
        assert_eq!(line["subprotocol"], "draftgate.envelope", "{line}");
        let extension = line["extension"].as_str().map(str::to_owned);
        (line["draft"].as_str().unwrap().to_owned(), extension)
    });
    drafts.sort();
    let wanted = ["hixie-76", "hybi-13", "hybi-13", "hybi-13"].map(str::to_owned);
    let agreed = agreed.map(|name| name.map(str::to_owned));
    assert_eq!(
        drafts.to_vec(),
        wanted.into_iter().zip(agreed).collect::<Vec<_>>()
    );
}

#[test]
fn foreign_phantomjs_speaks_hixie_76_to_echo() {
    let mut gateway = Gateway::start();
    let mut command = phantomjs("phantom-echo.js");
    let mut browser = Child::start("PhantomJS", command.arg(gateway.url("/echo")));
    browser.event("open");
    hears_echoes(&mut browser);
    browser.event("close");
    browser.end_well();
    let line = gateway.access_line();
    assert_eq!(line["draft"], "hixie-76", "{line}");
    assert_eq!(
        (&line["messages_in"], &line["messages_out"]),
        (&json!(5), &json!(5)),
        "{line}"
    );
    // It leaves without the closing handshake, although its draft has one.
    assert_eq!(line["why"], "peer-gone", "{line}");
}

#[test]
fn foreign_phantomjs_2_speaks_hybi_13_to_echo_without_the_compression_it_offers() {
    assert!(request_of_phantomjs_2().contains("x-webkit-deflate-frame"));

    let mut gateway = Gateway::start();
    let mut command = phantomjs_2("phantom-echo.js");
    command.args([&gateway.url("/echo"), "--hybi"]);
    let mut browser = Child::start("PhantomJS 2", &mut command);
    assert_eq!(browser.event("open")["extensions"], "");
    hears_echoes(&mut browser);
    assert_eq!(browser.event("binary")["length"], 256);
    let close = json!({"event": "close", "done": true, "code": 4000, "clean": true});
    assert_eq!(browser.event("close"), close);
    browser.end_well();
    let line = gateway.access_line();
    assert_eq!(line["draft"], "hybi-13", "{line}");
    assert_eq!(
        (&line["messages_in"], &line["messages_out"]),
        (&json!(6), &json!(6)),
        "{line}"
    );
    assert_eq!(
        (&line["why"], &line["code"]),
        (&json!("peer-closed"), &json!(4000)),
        "{line}"
    );
}

/// A modern back end for a browser of 2011, an old one for the browser of 2013,
/// and one of 2010 for today's.
#[test]
fn foreign_browsers_reach_servers_of_other_drafts_through_the_proxy() {
    let (mut server, mut gateway) = proxied("ws", Draft::Hybi13);
    let mut command = phantomjs("phantom-echo.js");
    let mut browser = Child::start("PhantomJS", command.arg(gateway.url("/echo")));
    assert_eq!(server.event("open")["draft"], "hybi-13");
    browser.event("open");
    hears_echoes(&mut browser);
    browser.event("close");
    browser.end_well();
    // It leaves without the closing handshake: the server hears that it went.
    assert_eq!(server.event("close")["code"], 1001);
    assert_eq!(gateway.access_line()["why"], "peer-gone");

    let (mut server, mut gateway) = proxied("em_websocket", Draft::Hybi06);
    let mut command = phantomjs_2("phantom-echo.js");
    command.args([&gateway.url("/echo"), "--hybi"]);
    let mut browser = Child::start("PhantomJS 2", &mut command);
    assert_eq!(server.event("open")["draft"], "hybi-06");
    browser.event("open");
    hears_echoes(&mut browser);
    assert_eq!(browser.event("binary")["length"], 256);
    assert_eq!(browser.event("close")["code"], 4000);
    browser.end_well();
    assert_eq!(server.event("close")["code"], 4000);
    assert_eq!(gateway.access_line()["why"], "peer-closed");

    for (peer, draft) in [
        ("websocket_driver", Draft::Hixie75),
        ("netty", Draft::Hybi07),
    ] {
        let (mut server, mut gateway) = proxied(peer, draft);
        let able = peers::capabilities(draft);
        let mut command = chromium("chromium-client.js");
        command.args([&gateway.url("/echo"), "--at-once", "100"]);
        command.args(able.binary.then_some("--binary"));
        let mut browser = Child::start("Chromium", &mut command);
        assert_eq!(server.event("open")["draft"], draft.name());
        browser.event("open");
        let at_once: Vec<String> = (1..=100).map(|number| number.to_string()).collect();
        let said = Capabilities {
            ping: false,
            ..able
        };
        for answer in clients::expected_answers(said, usize::MAX, &at_once) {
            let event = browser.event(answer["event"].as_str().unwrap());
            assert_eq!(event, answer);
        }
        assert_eq!(browser.event("close")["code"], 1000);
        browser.end_well();
        server.event("close");
        assert_eq!(gateway.access_line()["why"], "peer-closed");
    }
}

/// A server and a gateway whose `/echo` relays to it in `draft`.
fn proxied(peer: &str, draft: Draft) -> (Child, Gateway) {
    let server = peers::servers().find(|it| it.peer.name == peer && it.draft == draft);
    let (server, host) = started(peer, &mut server.unwrap().command());
    let text = format!(
        "drafts = \"all\"\norigins = [\"any\"]\n\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\n\
        [[routes]]\npath = \"/echo\"\nservice = \"proxy\"\nupstream = \"ws://{host}\"\n\
        upstream-drafts = \"{}\"\n",
        draft.name()
    );
    (server, Gateway::with(&format!("browser-{peer}"), &text))
}

fn hears_echoes(browser: &mut Child) {
    for text in ["Hello", "", "Grüße ✓ 𝄞"] {
        let message = json!({"event": "message", "text": text});
        assert_eq!(browser.event("message"), message);
    }
    for length in [200, 70_000] {
        let message = json!({"event": "message", "length": length});
        assert_eq!(browser.event("message"), message);
    }
}

/// The head of its request, as nobody answers it.
fn request_of_phantomjs_2() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/echo", listener.local_addr().unwrap());
    let mut command = phantomjs_2("phantom-echo.js");
    let _browser = Child::start("PhantomJS 2", command.args([&url, "--hybi"]));
    let head = BufReader::new(listener.accept().unwrap().0).lines();
    let head = head.map(Result::unwrap);
    head.take_while(|line| !line.is_empty()).collect()
}

/// Width and height, out of the first chunk of a whole PNG (its signature in
/// front, its `IEND` at the end).
fn size_of_png(path: &Path) -> (u32, u32) {
    let png = fs::read(path).unwrap();
    assert!(
        png.starts_with(b"\x89PNG\r\n\x1a\n"),
        "{} is no PNG",
        path.display()
    );
    assert_eq!(&png[12..16], b"IHDR");
    assert_eq!(&png[png.len() - 8..png.len() - 4], b"IEND");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}
