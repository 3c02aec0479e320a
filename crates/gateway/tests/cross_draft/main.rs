//! Every cell of the table in docs/translation.md, played over sockets: each
//! draft says each case to each draft under each policy for binary. What the
//! table declares is compared with what was decided on (`wanted`), the octets
//! with an encoder of this test's own (`octets`), and the gateway's books with
//! both.
//!
//! A gateway runs a policy; a channel holds a sender, a receiver of each draft
//! and a witness, who must notice nothing of what the others do.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

#[path = "../common/mod.rs"]
mod common;
mod endings;
mod layouts;
mod octets;
mod peer;
mod relay;
mod scene;
mod stage;
mod wanted;

use draftgate_core::Traits;
use draftgate_gateway::config::BinaryPolicy;
use draftgate_translate::table::{Case, declared};
use stage::Stage;
use wanted::wanted;

#[test]
fn the_table_declares_what_was_decided_on() {
    let drafts: Vec<Traits> = draftgate_drafts::traits().collect();
    for policy in BinaryPolicy::ALL {
        for case in Case::ALL {
            for from in &drafts {
                for to in &drafts {
                    assert_eq!(
                        declared(case, from, to, policy),
                        wanted(case, from.draft, to.draft, policy),
                        "{case:?} from {} to {}, {policy}",
                        from.draft,
                        to.draft
                    );
                }
            }
        }
    }
}

/// Every case between every two drafts.
async fn every_cell_under(policy: BinaryPolicy) {
    let drafts: Vec<Traits> = draftgate_drafts::traits().collect();
    let mut stage = Stage::new(policy);
    let mut cells = 0;
    for from in &drafts {
        stage.enter(*from, &drafts).await;
        for case in Case::ALL {
            cells += stage.play(case).await;
        }
        stage.leave().await;
    }
    assert_eq!(cells, drafts.len() * drafts.len() * Case::ALL.len());
}

#[tokio::test]
async fn every_cell_where_binary_is_base64() {
    every_cell_under(BinaryPolicy::Base64).await;
}

#[tokio::test]
async fn every_cell_where_binary_is_text_if_it_can_be() {
    every_cell_under(BinaryPolicy::TextIfUtf8).await;
}

#[tokio::test]
async fn every_cell_where_binary_is_hex() {
    every_cell_under(BinaryPolicy::Hex).await;
}

#[tokio::test]
async fn every_cell_where_binary_has_a_length() {
    every_cell_under(BinaryPolicy::LengthFrame).await;
}

#[tokio::test]
async fn every_cell_where_binary_is_dropped() {
    every_cell_under(BinaryPolicy::Drop).await;
}

#[tokio::test]
async fn every_cell_where_binary_closes() {
    every_cell_under(BinaryPolicy::Close).await;
}

#[test]
fn every_policy_has_its_test() {
    // A policy more is a test more.
    assert_eq!(BinaryPolicy::ALL.len(), 6);
}
