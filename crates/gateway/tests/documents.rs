//! The tables in the page on operating are the ones that the code makes.

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
