//! What a client may do: vanish, at every point; both sides at once; and the
//! gateway that is drained meanwhile.

use std::time::Duration;

use draftgate_conn::Settings;
use draftgate_core::{Close, Draft};
use draftgate_gateway::config::Timeouts;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinSet,
    time::{Instant, timeout},
};

use crate::{
    common::{Client, HIXIE_76, Raw, announced, soon},
    stage::{Stage, asking, farewell, frame, half_a_frame, has_codes, pairs, reset},
    vitals::{Vitals, alone, rest, steady},
};

#[test]
fn a_client_that_goes_inside_a_frame_leaves_nothing() {
    alone(async {
        let stage = Stage::new(|_| {}).await;
        for by_reset in [true, false] {
            steady("in a frame", &stage.running, async || {
                for (near, far) in pairs() {
                    let (mut client, mut upstream) = stage.open(near, far).await;
                    let half = half_a_frame(&mut client);
                    client.tcp.write_all(&half).await.unwrap();
                    match by_reset {
                        true => reset(client.tcp),
                        false => drop(client),
                    }
                    farewell(&mut upstream).await;
                }
            })
            .await;
        }
    });
}

#[test]
fn a_client_that_goes_during_its_opening_leaves_nothing() {
    alone(async {
        let stage = Stage::new(|_| {}).await;
        for by_reset in [true, false] {
            steady("in its head", &stage.running, async || {
                for (near, far) in pairs() {
                    let octets = asking(near, far);
                    let half = &octets[..octets.len() / 2];
                    let client = Raw::say(stage.address, half).await;
                    match by_reset {
                        true => reset(client.tcp),
                        false => drop(client),
                    }
                }
            })
            .await;
            steady("before its key3", &stage.running, async || {
                for far in announced() {
                    let head = HIXIE_76.replace("/echo", &format!("/{far}/x"));
                    let client = Raw::say(stage.address, head + "^n:").await;
                    match by_reset {
                        true => reset(client.tcp),
                        false => drop(client),
                    }
                }
            })
            .await;
        }
    });
}

#[test]
fn a_client_that_goes_while_its_upstream_hangs_takes_that_with_it() {
    alone(async {
        let stage = Stage::new(|_| {}).await;
        steady("in the upstream's opening", &stage.running, async || {
            for (near, far) in pairs() {
                let client = Raw::say(stage.address, asking(near, far)).await;
                let mut hung = stage.accept().await;
                reset(client.tcp);
                let mut rest = Vec::new();
                let _ = soon("the gateway goes", hung.read_to_end(&mut rest)).await;
            }
        })
        .await;
    });
}

#[test]
fn an_upstream_that_hangs_for_good_is_left_in_time_after_its_client() {
    alone(async {
        // Of the client's listener; the upstream has no other.
        let stage = Stage::with(|_| {}, |it| it.close = Duration::from_millis(50)).await;
        let begun = Instant::now();
        steady("open", &stage.running, async || {
            for (near, far) in pairs() {
                let (client, upstream) = stage.open(near, far).await;
                drop((client, upstream));
            }
        })
        .await;
        let before = Vitals::now();
        let mut hung = Vec::new();
        for (near, far) in pairs() {
            let (client, upstream) = stage.open(near, far).await;
            reset(client.tcp);
            // Open, and never looked at again.
            hung.push(upstream);
        }
        rest(&stage.running).await;
        drop(hung);
        before.again("all were left").await;
        assert!(
            begun.elapsed() < Settings::client().close_timeout,
            "in time"
        );
    });
}

/// More than all that is on the way takes.
async fn says_until_cut(mut peer: Client) {
    let octets = frame(&mut peer, 60_000).repeat(16);
    while peer.tcp.write_all(&octets).await.is_ok() {}
}

#[test]
fn whoever_takes_nothing_is_left_in_time_and_so_is_the_other() {
    alone(async {
        let brief = |it: &mut Timeouts| {
            it.write = Duration::from_millis(200);
            it.close = Duration::from_millis(200);
        };
        let stage = Stage::with(|route| route.queue = 64 << 10, brief).await;
        let every = async || {
            let (mut speaking, mut deaf) = (JoinSet::new(), Vec::new());
            for draft in announced() {
                let (client, deaf_upstream) = stage.open(draft, draft).await;
                let (deaf_client, upstream) = stage.open(draft, draft).await;
                speaking.spawn(says_until_cut(client));
                speaking.spawn(says_until_cut(upstream));
                deaf.push((deaf_client, deaf_upstream));
            }
            soon("all are cut", speaking.join_all()).await;
        };
        let begun = Instant::now();
        steady("deaf", &stage.running, every).await;
        let none = Settings::client().write_timeout;
        assert!(begun.elapsed() < none, "in time, and not after {none:?}");
    });
}

#[test]
fn a_client_that_goes_while_its_upstream_takes_nothing_is_noticed() {
    alone(async {
        let brief = |it: &mut Timeouts| {
            it.write = Duration::from_millis(200);
            it.close = Duration::from_millis(200);
        };
        let stage = Stage::with(|route| route.queue = 64 << 10, brief).await;
        steady("stalled", &stage.running, async || {
            for draft in announced() {
                let (mut client, deaf) = stage.open(draft, draft).await;
                let octets = frame(&mut client, 60_000).repeat(16);
                let moment = Duration::from_millis(100);
                while timeout(moment, client.tcp.write_all(&octets)).await.is_ok() {}
                reset(client.tcp);
                rest(&stage.running).await;
                drop(deaf);
            }
        })
        .await;
    });
}

#[test]
fn both_sides_that_go_at_once_leave_nothing() {
    alone(async {
        let stage = Stage::new(|_| {}).await;
        steady("both", &stage.running, async || {
            for (near, far) in pairs() {
                let (mut client, mut upstream) = stage.open(near, far).await;
                for peer in [&mut client, &mut upstream] {
                    let half = half_a_frame(peer);
                    peer.tcp.write_all(&half).await.unwrap();
                }
                reset(client.tcp);
                reset(upstream.tcp);
            }
        })
        .await;
    });
}

#[test]
fn a_drain_tells_both_sides_of_every_pair() {
    alone(async {
        drained().await;
        let before = Vitals::now();
        drained().await;
        before.again("drained").await;
    });
}

async fn drained() {
    let stage = Stage::new(|_| {}).await;
    let mut tasks = Vec::new();
    for (near, far) in pairs() {
        let (client, upstream) = stage.open(near, far).await;
        for (mut peer, draft) in [(client, near), (upstream, far)] {
            tasks.push(tokio::spawn(async move {
                let told = farewell(&mut peer).await;
                let want = match draft {
                    Draft::Hixie75 => None,
                    draft if has_codes(draft) => {
                        Some(Some(Close::new(1001, "the gateway is shutting down")))
                    }
                    _ => Some(None),
                };
                assert_eq!(told, want, "{near} to {far}, {draft}");
            }));
        }
    }
    // One more is still being opened.
    let _late = Raw::say(stage.address, asking(Draft::Hybi13, Draft::Hybi13)).await;
    let _hung = stage.accept().await;
    soon("the drain", stage.running.drain()).await;
    for task in tasks {
        task.await.unwrap();
    }
}
