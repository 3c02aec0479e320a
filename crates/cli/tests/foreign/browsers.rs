//! Real browsers: PhantomJS 1.9.8, a WebKit of 2011 that speaks hixie-76, and
//! today's Chromium. Both sit at the chat page and read each other; and the old
//! one speaks to `/echo` by itself, without the page's JavaScript in between.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::json;

use crate::child::Child;
use crate::gateway::Gateway;
use crate::programs::{chromium, folder, phantomjs};

/// A browser, what the page says it speaks, and what its person says.
struct Visitor {
    name: &'static str,
    browser: Command,
    draft: &'static str,
    shown: &'static str,
    says: &'static str,
}

#[test]
fn foreign_browsers_of_2011_and_of_today_read_each_other() {
    let mut gateway = Gateway::start();
    let visitors = [
        Visitor {
            name: "PhantomJS",
            browser: phantomjs("phantom-chat.js"),
            draft: "hixie-76",
            shown: "hixie-76 = hybi-00",
            says: "Good evening from 2011",
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
        let picture = screenshots.join(format!("{}.png", visitor.name.to_lowercase()));
        // The picture of an earlier run must not pass for this one's.
        let _ = fs::remove_file(&picture);
        picture
    });
    let [one, other] = visitors
        .each_ref()
        .map(|visitor| (visitor.draft, visitor.says));
    let heard = [other, one];

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

    let mut drafts = [gateway.access_line(), gateway.access_line()].map(|line| {
        assert_eq!(line["subprotocol"], "draftgate.envelope", "{line}");
        line["draft"].clone()
    });
    drafts.sort_by_key(ToString::to_string);
    assert_eq!(drafts, [json!("hixie-76"), json!("hybi-13")]);
}

#[test]
fn foreign_phantomjs_speaks_hixie_76_to_echo() {
    let mut gateway = Gateway::start();
    let mut command = phantomjs("phantom-echo.js");
    let mut browser = Child::start("PhantomJS", command.arg(gateway.url("/echo")));
    browser.event("open");
    for text in ["Hello", "", "Grüße ✓ 𝄞"] {
        assert_eq!(
            browser.event("message"),
            json!({"event": "message", "text": text})
        );
    }
    for length in [200, 70_000] {
        assert_eq!(
            browser.event("message"),
            json!({"event": "message", "length": length})
        );
    }
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
