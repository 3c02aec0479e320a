//! Back-pressure from end to end: who is not read from is stopped, the gateway
//! holds no more than its queues, and nothing is lost or out of order.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Message, Outbox, Outgoing};
use peak_alloc::PeakAlloc;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::tcp::{OwnedReadHalf, OwnedWriteHalf},
    task::JoinHandle,
};

use crate::{
    common::{Client, announced, soon},
    stage::Stage,
    vitals::{Vitals, alone_on_threads, rest},
};

/// Octets of a message.
const LENGTH: usize = 64 << 10;
/// Messages that differ; they come again and again.
const CYCLE: usize = 16;
/// How often, a mebibyte each: several times what the sockets on the way hold,
/// and 256 MiB with optimisation, which takes as long.
const ROUNDS: usize = if cfg!(debug_assertions) { 24 } else { 256 };
/// The room in the queue of the route.
const QUEUE: usize = 256 << 10;
/// What the gateway may hold for each direction that stands still: the queue,
/// a message on top, and what was read last and is written next.
const HELD: usize = QUEUE + LENGTH + 2 * (64 << 10);
/// Each thread reads into a buffer that it keeps.
const THREADS: usize = 3 * (64 << 10);

fn text(n: usize) -> Message {
    let mut text = format!("{n} of {CYCLE} ");
    text.push_str(&"0123456789abcdef".repeat(LENGTH / 16)[text.len()..]);
    text.as_str().into()
}

/// One end of a connection, in two halves.
struct End {
    /// What it says in each round, encoded.
    cycle: Bytes,
    codec: Box<dyn Codec>,
    read: BytesMut,
    halves: (OwnedReadHalf, OwnedWriteHalf),
}

impl End {
    fn new(mut client: Client) -> Self {
        let mut out = Outbox::new();
        for n in 0..CYCLE {
            client
                .codec
                .send(Outgoing::Message(text(n)), &mut out)
                .unwrap();
        }
        let (tcp, codec, read) = client.into_parts();
        Self {
            cycle: out.take_all(),
            codec,
            read,
            halves: tcp.into_split(),
        }
    }
}

/// Says all of it, as fast as it is taken.
struct Writing {
    written: Arc<AtomicUsize>,
    task: JoinHandle<OwnedWriteHalf>,
}

impl Writing {
    fn start(mut half: OwnedWriteHalf, cycle: Bytes) -> Self {
        let written = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&written);
        let task = tokio::spawn(async move {
            for _ in 0..ROUNDS {
                let mut rest = &cycle[..];
                while !rest.is_empty() {
                    let count = half.write(rest).await.unwrap();
                    counted.fetch_add(count, Relaxed);
                    rest = &rest[count..];
                }
            }
            half
        });
        Self { written, task }
    }

    /// Waits until nothing more is taken. Too early only on a machine that
    /// stands still, and then less is held than could be.
    async fn stands(&self) {
        let mut before = 0;
        soon("it stands still", async {
            loop {
                tokio::time::sleep(Duration::from_millis(100)).await;
                let now = self.written.load(Relaxed);
                if now == before && now > 0 {
                    break;
                }
                before = now;
            }
        })
        .await;
        assert!(!self.task.is_finished(), "all of it was taken");
    }
}

/// Hears all of it: each message as it was said, in order.
async fn hears(
    mut codec: Box<dyn Codec>,
    mut read: BytesMut,
    mut half: OwnedReadHalf,
) -> OwnedReadHalf {
    let cycle: Vec<Message> = (0..CYCLE).map(text).collect();
    let mut out = Outbox::new();
    let mut heard = 0;
    while heard < ROUNDS * CYCLE {
        match codec.receive(&mut read, &mut out).unwrap() {
            Some(Event::Message(message)) => {
                assert!(message == cycle[heard % CYCLE], "message {heard}");
                heard += 1;
            }
            Some(_) => {}
            None => {
                read.reserve(LENGTH);
                let count = soon("read", half.read_buf(&mut read)).await.unwrap();
                assert!(count > 0, "ended after {heard}");
            }
        }
    }
    half
}

/// Each draft once on either side.
fn some_pairs() -> impl Iterator<Item = (Draft, Draft)> {
    let drafts = announced();
    let others: Vec<Draft> = drafts
        .iter()
        .cycle()
        .skip(1)
        .take(drafts.len())
        .copied()
        .collect();
    drafts.into_iter().zip(others)
}

async fn stage() -> Stage {
    Stage::new(|route| route.queue = QUEUE).await
}

/// What is held more than before, and the most that was.
fn held(before: usize) -> (usize, usize) {
    let more = |now: usize| now.saturating_sub(before);
    (
        more(PeakAlloc.current_usage()),
        more(PeakAlloc.peak_usage()),
    )
}

#[test]
fn what_is_said_to_one_who_does_not_read_is_bounded_and_arrives_whole() {
    alone_on_threads(async {
        let stage = stage().await;
        for (near, far) in some_pairs() {
            for upwards in [true, false] {
                let (client, upstream) = stage.open(near, far).await;
                let (client, upstream) = (End::new(client), End::new(upstream));
                let (speaks, listens) = match upwards {
                    true => (client, upstream),
                    false => (upstream, client),
                };
                let before = Vitals::now();
                PeakAlloc.reset_peak_usage();
                let (silent, speaking) = speaks.halves;
                let writing = Writing::start(speaking, speaks.cycle.clone());
                writing.stands().await;
                let taken = writing.written.load(Relaxed);
                let (now, most) = held(before.octets());
                println!(
                    "{near} to {far}, upwards {upwards}: {taken} octets were taken, {now} are held, {most} at most"
                );
                assert!(
                    most <= HELD + THREADS,
                    "{near}, {far}, {upwards}: {most} of {HELD}"
                );
                // Now it reads.
                let (reads, still) = listens.halves;
                let reads = hears(listens.codec, listens.read, reads).await;
                let speaking = soon("the writer", writing.task).await.unwrap();
                let (_, most) = held(before.octets());
                // The test's own: what it reads, and what it compares with.
                let own = CYCLE * (LENGTH + 4096) + 8 * LENGTH;
                assert!(
                    most <= HELD + THREADS + own,
                    "{near}, {far}, {upwards}: {most}"
                );
                drop((silent, speaking, reads, still));
                rest(&stage.running).await;
            }
        }
    });
}

#[test]
fn both_sides_may_speak_without_reading_and_lose_nothing() {
    alone_on_threads(async {
        let stage = stage().await;
        for (near, far) in some_pairs() {
            let (client, upstream) = stage.open(near, far).await;
            let (client, upstream) = (End::new(client), End::new(upstream));
            let before = Vitals::now();
            PeakAlloc.reset_peak_usage();
            let (client_reads, client_writes) = client.halves;
            let (upstream_reads, upstream_writes) = upstream.halves;
            let up = Writing::start(client_writes, client.cycle.clone());
            let down = Writing::start(upstream_writes, upstream.cycle.clone());
            up.stands().await;
            down.stands().await;
            let (now, most) = held(before.octets());
            println!("{near} and {far}: {now} octets are held, {most} at most");
            assert!(most <= 2 * HELD + THREADS, "{near}, {far}: {most}");
            let halves = tokio::join!(
                hears(client.codec, client.read, client_reads),
                hears(upstream.codec, upstream.read, upstream_reads)
            );
            let writers = (up.task.await.unwrap(), down.task.await.unwrap());
            drop((halves, writers));
            rest(&stage.running).await;
        }
    });
}
