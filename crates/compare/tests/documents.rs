//! The drawing that stands in the documents is the one that the code makes.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{env, fs, path::Path};

use draftgate_compare::{Options, Table, What};

const DRAWING: &str = "docs/compare-hello.svg";

fn file(name: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(name)
}

#[test]
fn hello_in_every_draft_is_drawn_in_the_documents() {
    let hello = What::text("Hello").unwrap();
    let drawing = Table::of(&hello, &Options::default()).unwrap().to_svg();
    if env::var_os("WRITE_DOCUMENTS").is_some() {
        fs::write(file(DRAWING), &drawing).unwrap();
    }
    let stored = fs::read_to_string(file(DRAWING)).unwrap_or_default();
    assert!(
        stored == drawing,
        "{DRAWING} is out of date: run the test once with WRITE_DOCUMENTS=1"
    );
    for (document, link) in [
        ("README.md", "(docs/compare-hello.svg)"),
        ("docs/drafts.md", "(compare-hello.svg)"),
        ("docs/comparing.md", "(compare-hello.svg)"),
    ] {
        let text = fs::read_to_string(file(document)).unwrap();
        assert!(text.contains(link), "{document} does not show {DRAWING}");
    }
}
