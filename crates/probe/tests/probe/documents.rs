//! The tables in docs/probing.md are those of the code.

use draftgate_probe::{finding_table, others_table};
use draftgate_testkit::documents::holds;

#[test]
fn the_findings_are_those_of_the_code() {
    holds("docs/probing.md", "findings", &finding_table());
}

#[test]
fn what_others_do_is_what_the_code_says() {
    holds("docs/probing.md", "others", &others_table());
}
