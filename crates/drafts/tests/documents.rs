//! The tables in the documents are the ones that the code makes.

use draftgate_drafts::{capability_table, refusal_table};
use draftgate_testkit::documents::holds;

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
