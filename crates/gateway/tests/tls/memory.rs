//! What half handshakes hold of memory: what came, and a chunk.

use peak_alloc::PeakAlloc;

use crate::{
    authority::{Authority, config},
    common::{Raw, gateway, until},
};

#[global_allocator]
static HEAP: PeakAlloc = PeakAlloc;

const MANY: u64 = 100;

#[tokio::test]
async fn a_hello_that_promises_much_takes_no_memory_for_it() {
    let authority = Authority::new();
    let (running, address) = gateway(config(&authority.sign("a", &["localhost"])));
    // A record of 16 KiB, and a message of as much in it.
    let begin = [0x16, 3, 1, 0x40, 0, 1, 0, 0x3F, 0xFC];
    let mut each = Vec::new();
    // Other tests may run beside in this process: one calm moment is enough.
    for _ in 0..20 {
        let before = HEAP.current_usage();
        let mut all = Vec::new();
        for _ in 0..MANY {
            all.push(Raw::say(address, begin).await);
        }
        until("all", || running.counts().connections == MANY).await;
        // Whoever is answered came behind them: by then they have been read.
        Raw::say(address, "GET / HTTP/1.1\r\n\r\n")
            .await
            .refusal()
            .await;
        // Both ends are counted.
        each.push(HEAP.current_usage().saturating_sub(before) / MANY as usize);
        if each.last().is_some_and(|octets| *octets < 32 << 10) {
            return;
        }
        drop(all);
        until("none", || running.counts().connections == 0).await;
    }
    panic!("octets each: {each:?}");
}
