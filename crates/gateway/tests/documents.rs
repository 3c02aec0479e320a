//! The table of configuration keys in the documents is the one that the code
//! is held to.

use draftgate_gateway::config::KEYS_TABLE;
use draftgate_testkit::documents::holds;

#[test]
fn the_table_of_keys_stands_in_the_page_on_operating() {
    holds("docs/operating.md", "keys", KEYS_TABLE);
}
