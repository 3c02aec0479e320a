//! The tables in the documents are the ones that the code makes, and the tests
//! that they name are there.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{fs, path::Path};

use draftgate_gateway::{config::KEYS_TABLE, refusal_table};
use draftgate_testkit::documents::holds;

#[test]
fn the_table_of_keys_stands_in_the_page_on_operating() {
    holds("docs/operating.md", "keys", KEYS_TABLE);
}

#[test]
fn the_refusals_of_the_gateway_stand_in_the_page_on_operating() {
    holds("docs/operating.md", "gateway-refusals", &refusal_table());
}

#[test]
fn each_test_that_the_page_on_security_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut code = String::new();
    sources(&root.join("crates"), &mut code);
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    // What is in backticks and reads as a sentence is the name of a test.
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() > 2)
        .collect();
    assert!(named.len() > 30, "{named:?}");
    for name in named {
        assert!(code.contains(&format!("fn {name}(")), "`{name}` is no test");
    }
}

/// The text of every Rust file under `folder`.
fn sources(folder: &Path, code: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, code);
        } else if path.extension().is_some_and(|e| e == "rs") {
            code.push_str(&fs::read_to_string(&path).unwrap());
        }
    }
}
