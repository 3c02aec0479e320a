//! What half handshakes hold of memory: what came, and a chunk.

use peak_alloc::PeakAlloc;

use crate::{
    authority::{Authority, config},
    common::{Raw, gateway, until},
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

#[tokio::test]
async fn a_hello_that_promises_much_takes_no_memory_for_it() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    // A record of 16 KiB, and a message of as much in it.
    let begin = [0x16, 3, 1, 0x40, 0, 1, 0, 0x3F, 0xFC];
    let one = Raw::say(address, begin).await;
    until("one", || running.counts().connections == 1).await;
    let before = HEAP.current_usage();
    let mut all = vec![one];
    for _ in 0..99 {
        all.push(Raw::say(address, begin).await);
    }
    until("all", || running.counts().connections == 100).await;
    let each = (HEAP.current_usage() - before.min(HEAP.current_usage())) / 99;
    // Both ends are in this process, and other tests run beside.
    assert!(each < 64 << 10, "{each} octets each");
}
