//! Peers that write anything: before the opening, inside it, and behind it.

use draftgate_drafts::announced;
use tokio::io::AsyncWriteExt;

use crate::{
    peer::{Opening, connect, swarm, watch},
    siege::{Rules, Siege},
};

/// The same octets in every run, others for every `seed`.
fn noise(seed: usize, count: usize) -> Vec<u8> {
    let mut state = seed as u64 + 1;
    let octet = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    std::iter::repeat_with(octet).take(count).collect()
}

#[test]
fn noise_anywhere_ends_its_own_connection_only() {
    const EACH: usize = 60;
    let siege = Siege::lay(
        "noise before, inside and behind openings",
        Rules {
            timeouts: "head = \"500ms\"\nkey3 = \"500ms\"\nmessage = \"500ms\"\n\
                       close = \"500ms\"\nclose-hixie-76 = \"500ms\"",
            ..Rules::default()
        },
    );
    let gateway = siege.gateway();
    let drafts: Vec<_> = announced().collect();
    let count = drafts.len();
    let held = siege.attack(swarm(EACH * count, |n| {
        let opening = Opening::of(gateway, drafts[n % count], "/echo", &[]);
        async move {
            let whole = [&opening.head[..], &opening.rest].concat();
            let cut = n * 7 % whole.len();
            let before = match n / count % 3 {
                0 => &[][..],
                1 => &whole[..cut],
                _ => &whole[..],
            };
            let mut tcp = connect(gateway).await;
            // Wherever the noise ends, it ends in the middle of something.
            let octets = [before, &noise(n, 2000), b"\0x"].concat();
            let _ = tcp.write_all(&octets).await;
            if n % 2 == 0 {
                // Noise may be whole messages and nothing else.
                let _ = tcp.shutdown().await;
            }
            let end = watch(&mut tcp).await;
            (tcp, end)
        }
    }));
    siege.lift("a refusal, a violation, or its own FIN", held);
}
