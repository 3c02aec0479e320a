//! The tables in the documents are the ones that the code makes, the tests that
//! they name are there, and the examples can be run.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{collections::BTreeSet, env, fs, path::Path};

use draftgate_census::families_table;
use draftgate_conn::Why;
use draftgate_core::{Draft, Rule, Traits};
use draftgate_drafts::opening::RefusalKind;
use draftgate_gateway::{
    Refused, Unanswered, calls_table,
    config::{Config, Environment, KEYS_TABLE},
    ends_table, metrics_table, quirks_table, refusal_table, rules_table, unanswered_table,
};
use draftgate_testkit::documents::holds;
use draftgate_translate::table;

const TROUBLESHOOTING: &str = include_str!("../../../docs/troubleshooting.md");

#[test]
fn the_table_of_keys_stands_in_the_page_on_operating() {
    holds("docs/operating.md", "keys", KEYS_TABLE);
}

#[test]
fn the_families_stand_in_the_page_on_the_census() {
    holds("docs/census.md", "families", &families_table());
}

#[test]
fn the_quirks_stand_in_the_page_on_clients() {
    holds("docs/clients.md", "quirks", &quirks_table());
}

#[test]
fn what_ends_a_connection_stands_in_the_page_on_troubleshooting() {
    let page = "docs/troubleshooting.md";
    holds(page, "ends", &ends_table());
    holds(page, "rules", &rules_table());
}

#[test]
fn the_refusals_of_the_gateway_stand_in_the_page_on_troubleshooting() {
    let page = "docs/troubleshooting.md";
    holds(page, "gateway-refusals", &refusal_table());
    holds(page, "unanswered", &unanswered_table());
}

#[test]
fn what_operators_may_ask_and_count_stands_in_the_page_on_administering() {
    let page = "docs/administering.md";
    holds(page, "calls", &calls_table());
    holds(page, "metrics", &metrics_table());
}

/// The codes that the page on troubleshooting lists by symptom are all that
/// there are: none is missing, and none is there that nothing says.
#[test]
fn every_code_is_listed_by_symptom() {
    let mut known: BTreeSet<&str> = BTreeSet::new();
    known.extend(Refused::own().iter().map(|refused| refused.code));
    known.extend(RefusalKind::ALL.iter().map(|kind| kind.code()));
    known.extend(Unanswered::ALL.map(|it| it.code));
    known.extend(Why::KINDS.map(Why::code));
    known.extend(Rule::ALL.iter().map(|rule| rule.code()));
    let (symptoms, _) = TROUBLESHOOTING.split_once("\n## All codes\n").unwrap();
    let mut listed = BTreeSet::new();
    // From the word to the end of its paragraph.
    for part in symptoms.split("\n\n") {
        let begins = ["Code: ", "Codes: ", "Reason: ", "Reasons: ", "no fault: "];
        let Some(at) = begins.iter().filter_map(|word| part.find(word)).min() else {
            continue;
        };
        listed.extend(part[at..].split('`').skip(1).step_by(2));
    }
    let missing: Vec<&&str> = known.difference(&listed).collect();
    assert!(missing.is_empty(), "without a symptom: {missing:?}");
    let unknown: Vec<&&str> = listed.difference(&known).collect();
    assert!(unknown.is_empty(), "no such code: {unknown:?}");
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

/// `text` with the files of `/etc/draftgate` in `folder`, where each holds a token.
fn with_secrets(text: &str, folder: &Path) -> String {
    const WRITTEN: &str = "\"/etc/draftgate/";
    for (at, _) in text.match_indices(WRITTEN) {
        let name = text[at + WRITTEN.len()..].split('"').next().unwrap();
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "0123456789abcdef".repeat(4)).unwrap();
    }
    text.replace(WRITTEN, &format!("\"{}/", folder.display()))
}

/// What stands there as an example must be one: nothing wrong, nothing that
/// draws a warning.
#[test]
fn the_examples_in_the_pages_are_good_configurations() {
    let spoken: Vec<Draft> = draftgate_drafts::announced().collect();
    let mut examples = 0;
    let pages = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).unwrap();
    let pages: String = pages
        .map(|page| page.unwrap().path())
        // Its blocks are archived exchanges.
        .filter(|path| path.extension().is_some_and(|kind| kind == "md"))
        .filter(|path| !path.ends_with("vectors.md"))
        .map(|path| fs::read_to_string(path).unwrap() + "\n")
        .collect();
    let blocks = pages.split("\n```toml\n").skip(1);
    let secrets = env::temp_dir().join(format!("draftgate-secrets-{}", std::process::id()));
    for block in blocks {
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
        let text = with_secrets(&format!("{text}\n{rest}"), &secrets);
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
    let _ = fs::remove_dir_all(secrets);
    assert!(examples >= 20, "only {examples} examples were found");
}
