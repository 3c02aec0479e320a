//! The tables in the documents are the ones that the code makes.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{env, fs, path::Path};

use draftgate_drafts::{capability_table, refusal_table};

/// Compares what stands between `<!-- name -->` and `<!-- /name -->` in `file`
/// with `table`; writes it there if `DRAFTGATE_WRITE_DOCUMENTS` is set.
#[track_caller]
fn holds(file: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let document = fs::read_to_string(&path).unwrap();
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = document.find(&open).unwrap() + open.len();
    let end = document.find(&close).unwrap();
    if env::var_os("DRAFTGATE_WRITE_DOCUMENTS").is_some() {
        let renewed = format!("{}{table}{}", &document[..start], &document[end..]);
        fs::write(&path, renewed).unwrap();
        return;
    }
    assert_eq!(
        &document[start..end],
        table,
        "{file} is out of date: run DRAFTGATE_WRITE_DOCUMENTS=1 cargo test -p draftgate-drafts --test documents"
    );
}

#[test]
fn the_capability_table_stands_in_the_readme() {
    holds("README.md", "capabilities", &capability_table());
}

#[test]
fn the_capability_table_stands_in_the_page_on_drafts() {
    holds("docs/drafts.md", "capabilities", &capability_table());
}

#[test]
fn the_refusals_stand_in_the_page_on_operating() {
    holds("docs/operating.md", "refusals", &refusal_table());
}
