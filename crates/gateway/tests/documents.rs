//! The tables in the documents are the ones that the code makes, the tests that
//! they name are there, and the examples can be run.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{fs, path::Path};

use draftgate_census::families_table;
use draftgate_core::{Draft, Traits};
use draftgate_gateway::{
    config::{Config, Environment, KEYS_TABLE},
    ends_table, refusal_table, rules_table,
};
use draftgate_testkit::documents::holds;
use draftgate_translate::table;

const OPERATING: &str = include_str!("../../../docs/operating.md");
const CENSUS: &str = include_str!("../../../docs/census.md");
const PROXYING: &str = include_str!("../../../docs/proxying.md");
const AUTHORIZING: &str = include_str!("../../../docs/authorizing.md");

#[test]
fn the_table_of_keys_stands_in_the_page_on_operating() {
    holds("docs/operating.md", "keys", KEYS_TABLE);
}

#[test]
fn the_families_stand_in_the_page_on_the_census() {
    holds("docs/census.md", "families", &families_table());
}

#[test]
fn what_ends_a_connection_stands_in_the_page_on_operating() {
    let page = "docs/operating.md";
    holds(page, "ends", &ends_table());
    holds(page, "rules", &rules_table());
}

#[test]
fn the_refusals_of_the_gateway_stand_in_the_page_on_operating() {
    holds("docs/operating.md", "gateway-refusals", &refusal_table());
}

#[test]
fn what_every_draft_is_told_stands_in_the_page_on_translation() {
    let drafts: Vec<Traits> = draftgate_drafts::traits().collect();
    for (name, table) in [
        ("messages", table::message_table(&drafts)),
        ("policies", table::policy_table(&drafts)),
        ("replies", table::reply_table(&drafts)),
        ("codes", table::code_table(&drafts)),
        ("partings", table::parting_table(&drafts)),
        ("answers", table::answer_table(&drafts)),
    ] {
        holds("docs/translation.md", name, &table);
    }
}

#[test]
fn the_example_stands_in_the_page_on_embedding() {
    let code = include_str!("../examples/quotes.rs");
    let lines = code.lines().filter(|line| !line.is_empty()).count();
    assert!(lines <= 40, "{lines} lines are no short example");
    let block = format!("```rust\n{code}```\n");
    holds("docs/embedding.md", "quotes", &block);
}

#[test]
fn each_test_that_the_page_on_security_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut code = String::new();
    sources(&root.join("crates"), &mut code);
    let page = fs::read_to_string(root.join("docs/security.md")).unwrap();
    // What is in backticks and reads as a sentence is the name of a test;
    // variables of the environment are in capitals.
    let named: Vec<&str> = page
        .split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| word.matches('_').count() > 2 && !word.starts_with(char::is_uppercase))
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

/// What stands there as an example must be one: nothing wrong, nothing that
/// draws a warning.
#[test]
fn the_examples_in_the_pages_are_good_configurations() {
    let spoken: Vec<Draft> = draftgate_drafts::spoken().collect();
    let mut examples = 0;
    let blocks =
        [OPERATING, PROXYING, AUTHORIZING, CENSUS].map(|page| page.split("\n```toml\n").skip(1));
    for block in blocks.into_iter().flatten() {
        let (text, _) = block.split_once("\n```\n").expect("the end of the block");
        let has_old_tls = text.contains("profile = \"legacy-1.0\"");
        if has_old_tls && !cfg!(feature = "legacy-tls") {
            continue; // such builds say that they lack it
        }
        // A part of a file is shown alone where the rest does not matter.
        let rest = match text.contains("[[routes]]") {
            true => "",
            false => "\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\ndrafts = \"all\"\n",
        };
        let text = format!("{text}\n{rest}");
        match Config::parse(&text, "the page", &spoken, &Environment::default()) {
            Ok(config) => {
                // Old TLS draws a warning wherever it is asked for.
                let warnings = config.validate(None);
                let wanted = usize::from(has_old_tls);
                assert_eq!(warnings.len(), wanted, "{warnings:?}: {text}");
            }
            Err(error) => panic!("{error}"),
        }
        examples += 1;
    }
    assert!(examples >= 2, "only {examples} examples were found");
}
