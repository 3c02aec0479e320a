//! What a peer can make the translation allocate. One test alone in its file,
//! because the allocator counts for the whole process.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use draftgate_core::Message;
use draftgate_translate::inbound;
use peak_alloc::PeakAlloc;

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const CHUNK: usize = 64 << 10;

#[test]
fn base64_takes_no_more_than_its_text_again_and_a_chunk() {
    for (what, line) in [
        ("no white space", "AAAA"),
        ("lines", &*["A".repeat(76), "\r\n".into()].concat()),
        ("white space everywhere", "A "),
        ("nothing but white space", "    "),
    ] {
        let text = Message::from(line.repeat((4 << 20) / line.len()));
        let length = text.len();
        let before = PeakAlloc.current_usage();
        PeakAlloc.reset_peak_usage();
        let binary = inbound(text, true).unwrap();
        let peak = PeakAlloc.peak_usage() - before;
        assert!(peak <= length + CHUNK, "{what}: {peak} for {length}");
        drop(binary);
    }
}
