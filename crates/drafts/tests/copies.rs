//! A large payload is sent by reference. One test alone in its file, because
//! the allocator counts for the whole process.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod common;

use common::end;
use draftgate_core::{Limits, Message, Outbox, Outgoing, Role};
use draftgate_drafts::spoken;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

#[test]
fn sending_copies_no_large_payload() {
    for draft in spoken() {
        let (mut server, _) = end(draft, Role::Server, Limits::default());
        let message = Message::from("x".repeat(1 << 20));
        let mut out = Outbox::new();
        let before = PeakAlloc.current_usage();
        for _ in 0..100 {
            server
                .send(Outgoing::Message(message.clone()), &mut out)
                .unwrap();
        }
        let grown = PeakAlloc.current_usage() - before;
        assert!(
            grown < 64 << 10,
            "{draft}: {grown} octets for a hundred references"
        );
    }
}
