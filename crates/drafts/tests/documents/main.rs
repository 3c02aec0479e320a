//! The tables in the documents are the ones that the code makes: those of the
//! library, and two made here by letting the codecs speak.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod breaches;
#[path = "../common/mod.rs"]
mod common;
mod frames;

use draftgate_drafts::{answer_refusal_table, capability_table, refusal_table, traits};
use draftgate_testkit::documents::holds;

#[test]
fn the_capability_table_stands_in_the_readme() {
    holds("README.md", "capabilities", &capability_table(traits()));
}

#[test]
fn the_capability_table_stands_in_the_page_on_drafts() {
    holds(
        "docs/drafts.md",
        "capabilities",
        &capability_table(traits()),
    );
}

#[test]
fn the_refusals_stand_in_the_page_on_operating() {
    holds("docs/troubleshooting.md", "refusals", &refusal_table());
}

#[test]
fn what_a_client_refuses_stands_in_the_page_on_archived_exchanges() {
    holds(
        "docs/vectors.md",
        "answer-refusals",
        &answer_refusal_table(),
    );
}

#[test]
fn the_same_words_in_every_draft_stand_in_the_page_on_drafts() {
    holds("docs/drafts.md", "frames", &frames::table());
}

#[test]
fn what_each_draft_does_about_a_breach_stands_in_the_page_on_drafts() {
    holds("docs/drafts.md", "breaches", &breaches::table());
}
