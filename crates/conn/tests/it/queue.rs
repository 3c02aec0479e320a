//! The send queue: bounds, overflow policies, receipts, back-pressure.

use std::time::Duration;

use draftgate_conn::{By, Fate, Loss, Overflow, Queued, Refused, Settings, Why};
use draftgate_core::{Close, Draft, Message, Outgoing, SendError};
use draftgate_testkit::io::settle;
use tokio::time::{Instant, timeout};

use crate::{
    fake::{absent, close, coded, marker, text},
    rig::{Book, Recorder, idle, run, spawn},
};

const SENT: Fate = Fate::Sent;
const OVERFLOW: Fate = Fate::Lost(Loss::Overflow);
const ENDED: Fate = Fate::Lost(Loss::Ended);

/// Room for three messages of 1,000 octets.
fn three(overflow: Overflow) -> Settings {
    Settings {
        queue: 4000,
        overflow,
        ..Settings::server()
    }
}

#[tokio::test(start_paused = true)]
async fn drop_newest_refuses_what_does_not_fit() {
    let book = Book::default();
    let (conn, probe) = idle(coded(), three(Overflow::DropNewest));
    let sender = conn.sender();
    let results = [1, 2, 3, 4, 5].map(|n| sender.send(book.item(n, 1000)));
    let full = Err(Refused::Overflow);
    assert_eq!(results, [Ok(()), Ok(()), Ok(()), full, full]);
    assert_eq!(book.fates(), [(4, OVERFLOW), (5, OVERFLOW)]);

    let rig = spawn(conn, probe, Recorder::default());
    settle().await;
    assert_eq!(rig.probe.written().len(), 3 * 1003);
    assert_eq!(book.fates()[2..], [(1, SENT), (2, SENT), (3, SENT)]);
    rig.probe.end();
    let closed = rig.closed().await;
    assert_eq!((closed.stats.dropped, closed.stats.lost), (2, 0));
    assert_eq!(closed.why, Why::PeerGone);
}

#[tokio::test(start_paused = true)]
async fn messages_of_no_length_fill_a_queue_too() {
    let (conn, _probe) = idle(coded(), three(Overflow::DropNewest));
    let sender = conn.sender();
    let taken = (0..100).take_while(|_| sender.send(Message::from("")).is_ok());
    // Each takes more memory for itself than most messages do.
    assert_eq!(taken.count(), 4000 / 256);
}

#[tokio::test(start_paused = true)]
async fn drop_oldest_makes_room_for_what_is_new() {
    let book = Book::default();
    let (conn, probe) = idle(coded(), three(Overflow::DropOldest));
    let sender = conn.sender();
    for n in 1..=4 {
        assert_eq!(sender.send(book.item(n, 1000)), Ok(()));
    }
    assert_eq!(book.fates(), [(1, OVERFLOW)]);
    // One that needs the room of two.
    assert_eq!(sender.send(book.item(5, 2000)), Ok(()));
    assert_eq!(book.fates()[1..], [(2, OVERFLOW), (3, OVERFLOW)]);

    let rig = spawn(conn, probe, Recorder::default());
    settle().await;
    assert_eq!(book.fates()[3..], [(4, SENT), (5, SENT)]);
    assert_eq!(rig.probe.written().len(), 1003 + 2003);
    rig.probe.end();
    assert_eq!(rig.closed().await.stats.dropped, 3);
}

#[tokio::test(start_paused = true)]
async fn close_ends_a_peer_that_reads_too_slowly() {
    let book = Book::default();
    let rig = run(coded(), three(Overflow::Close));
    // What the driver holds is no longer in the queue: 65 messages and a part of one.
    rig.probe.accept(Some(500));
    let mut n = 0;
    let refused = loop {
        n += 1;
        if let Err(refused) = rig.sender.send(book.item(n, 1000)) {
            break refused;
        }
        settle().await;
        assert!(n < 100, "the queue has no bound");
    };
    assert_eq!(refused, Refused::Overflow);
    assert_eq!(n, 66 + 4);
    let lost: Vec<_> = (67..=69).chain([70]).map(|n| (n, OVERFLOW)).collect();
    let mut fates = book.fates();
    fates.sort_by_key(|(name, _)| *name);
    assert_eq!(fates, lost);
    assert_eq!(rig.sender.send(book.item(71, 1)), Err(Refused::Closing));

    rig.probe.accept(None);
    rig.probe.feed(&close(1008));
    let probe = rig.probe.clone();
    let closed = rig.closed().await;
    assert_eq!((closed.by, closed.why), (By::Us, Why::SlowConsumer));
    assert_eq!((closed.code, closed.stats.dropped), (Some(1008), 4));
    let written = probe.written();
    let reason = b"too slow to read what it is sent";
    assert!(written.ends_with(reason), "no Close at the end");
    assert_eq!(written.len(), 66 * 1003 + 3 + 2 + reason.len());
    assert_eq!(book.fates().iter().filter(|(_, f)| *f == SENT).count(), 66);
}

#[tokio::test(start_paused = true)]
async fn a_slow_peer_that_reads_a_little_does_not_outlive_the_close_timeout() {
    let book = Book::default();
    let rig = run(coded(), three(Overflow::Close));
    rig.probe.accept(Some(0));
    settle().await;
    for n in 0..100 {
        let _ = rig.sender.send(book.item(n, 1000));
        settle().await;
    }
    let slow = Instant::now();
    while !rig.sender.is_ended() {
        rig.probe.accept(Some(1));
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert!(
            slow.elapsed().as_secs() < 10,
            "one octet at a time keeps it alive"
        );
    }
    assert_eq!(rig.closed().await.why, Why::SlowConsumer);
    assert_eq!(book.fates().len(), 100);
    assert!(book.fates().iter().all(|(_, fate)| *fate != SENT));
}

#[tokio::test(start_paused = true)]
async fn a_message_larger_than_the_queue_is_sent_if_the_queue_is_empty() {
    let rig = run(coded(), three(Overflow::Close));
    let book = Book::default();
    assert_eq!(rig.sender.send(book.item(1, 60_000)), Ok(()));
    settle().await;
    assert_eq!(rig.sender.send(book.item(2, 60_000)), Ok(()));
    settle().await;
    assert_eq!(book.fates(), [(1, SENT), (2, SENT)]);
}

#[tokio::test(start_paused = true)]
async fn sent_means_that_the_last_octet_was_taken() {
    let rig = run(coded(), Settings::server());
    let book = Book::default();
    settle().await;
    rig.probe.accept(Some(1002));
    rig.sender.send(book.item(1, 1000)).unwrap();
    rig.sender.send(book.item(2, 1000)).unwrap();
    settle().await;
    assert_eq!(book.fates(), []);
    rig.probe.accept(Some(1));
    settle().await;
    assert_eq!(book.fates(), [(1, SENT)]);
    rig.probe.accept(None);
    settle().await;
    assert_eq!(book.fates(), [(1, SENT), (2, SENT)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_not_sent_at_the_end_is_reported_lost() {
    let rig = run(coded(), Settings::server());
    let book = Book::default();
    rig.probe.accept(Some(1003 + 10));
    for n in 1..=80 {
        rig.sender.send(book.item(n, 1000)).unwrap();
    }
    settle().await;
    // One sent, one half sent, some in the outbox, the others in the queue.
    rig.probe.fail_writes(std::io::ErrorKind::ConnectionReset);
    let sender = rig.sender.clone();
    let closed = rig.closed().await;
    assert_eq!(closed.by, By::Transport);
    assert_eq!(closed.why, Why::Io(std::io::ErrorKind::ConnectionReset));
    assert_eq!(closed.stats.lost, 79);
    let mut fates = book.fates();
    fates.sort_by_key(|(name, _)| *name);
    let want: Vec<_> = (2..=80).map(|n| (n, ENDED)).collect();
    assert_eq!((fates[0], &fates[1..]), ((1, SENT), &want[..]));
    assert_eq!(sender.send(book.item(81, 1)), Err(Refused::Ended));
    assert_eq!(book.fates().last(), Some(&(81, ENDED)));
    assert_eq!((sender.queued_octets(), sender.is_ended()), (0, true));
}

#[tokio::test(start_paused = true)]
async fn dropping_the_task_settles_every_receipt() {
    let rig = run(coded(), Settings::server());
    let book = Book::default();
    rig.probe.accept(Some(0));
    for n in 1..=100 {
        rig.sender.send(book.item(n, 1000)).unwrap();
    }
    settle().await;
    rig.task.abort();
    settle().await;
    assert_eq!(book.fates().len(), 100);
    assert!(book.fates().iter().all(|(_, fate)| *fate == ENDED));
    assert!(rig.sender.is_ended() && rig.probe.is_dropped());
    timeout(Duration::from_secs(1), rig.sender.ended())
        .await
        .expect("whoever waits for the end must be told");
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_never_run_settles_too() {
    let (conn, _probe) = idle(coded(), Settings::server());
    let (book, sender) = (Book::default(), conn.sender());
    sender.send(book.item(1, 1)).unwrap();
    drop(conn);
    assert_eq!(book.fates(), [(1, ENDED)]);
    assert_eq!(sender.send(book.item(2, 1)), Err(Refused::Ended));
}

#[tokio::test(start_paused = true)]
async fn what_the_draft_cannot_say_is_reported_and_harms_nothing() {
    let rig = run(marker(), Settings::server());
    let book = Book::default();
    rig.probe.feed(b"KEY3");
    let binary = Queued::from(Message::Binary("b".into())).with_receipt(book.receipt(1));
    rig.sender.send(binary).unwrap();
    rig.sender.send(book.item(2, 1)).unwrap();
    settle().await;
    let unsayable = Fate::Lost(Loss::Unsayable(SendError::NoBinary(Draft::Hixie76)));
    let mut fates = book.fates();
    fates.sort_by_key(|(name, _)| *name);
    assert_eq!(fates, [(1, unsayable), (2, SENT)]);
    assert_eq!(rig.probe.written(), [&b"KEY!"[..], &text("m")].concat());
    rig.probe.end();
    assert_eq!(rig.closed().await.stats.unsayable, 1);
}

#[tokio::test(start_paused = true)]
async fn a_queued_close_acts_as_close() {
    let rig = run(coded(), Settings::server());
    let book = Book::default();
    rig.sender.send(Message::from("last")).unwrap();
    let bye = Outgoing::Close(Some(Close::new(4000, "")));
    rig.sender.send(bye).unwrap();
    assert_eq!(rig.sender.send(book.item(1, 1)), Err(Refused::Closing));
    assert_eq!(book.fates(), [(1, Fate::Lost(Loss::Closing))]);
    settle().await;
    assert_eq!(rig.probe.written(), [text("last"), close(4000)].concat());
}

#[tokio::test(start_paused = true)]
async fn ready_waits_for_half_of_the_room_and_drained_for_all() {
    let rig = run(coded(), three(Overflow::DropNewest));
    let book = Book::default();
    rig.probe.accept(Some(0));
    let mut n = 0;
    while rig.sender.send(book.item(n, 1000)).is_ok() {
        n += 1;
        settle().await;
    }
    let sender = rig.sender.clone();
    let filler = tokio::spawn(async move {
        sender.ready().await.unwrap();
        let queued = sender.queued_octets();
        sender.drained().await.unwrap();
        (queued, sender.queued_octets())
    });
    settle().await;
    assert!(
        !filler.is_finished(),
        "nothing was read and yet it is ready"
    );
    // Enough for the driver to take two of three out of the queue.
    rig.probe.accept(Some(2 * 1003));
    settle().await;
    assert!(
        !filler.is_finished(),
        "something is queued and yet it is drained"
    );
    rig.probe.accept(None);
    let (queued, after) = filler.await.unwrap();
    assert!((1..=2000).contains(&queued), "{queued} octets are not half");
    assert_eq!(after, 0);
    let written = rig.probe.written();
    assert_eq!(written.len(), n as usize * 1003);
}

#[tokio::test(start_paused = true)]
async fn drained_waits_for_the_outbox_as_well() {
    let rig = run(coded(), Settings::server());
    rig.probe.accept(Some(2));
    rig.sender.send(Message::from("four")).unwrap();
    settle().await;
    assert_eq!(rig.sender.queued_octets(), 0);
    let wait = timeout(Duration::from_secs(1), rig.sender.drained());
    assert!(wait.await.is_err(), "half of it is still in the outbox");
    rig.probe.accept(None);
    rig.sender.drained().await.unwrap();
    assert_eq!(rig.probe.written(), text("four"));
}

#[tokio::test(start_paused = true)]
async fn drained_does_not_wait_for_what_the_draft_cannot_say() {
    let rig = run(absent(), Settings::server());
    settle().await;
    let binary = Message::Binary(b"four"[..].into());
    rig.sender.send(binary).unwrap();
    settle().await;
    let wait = timeout(Duration::from_secs(1), rig.sender.drained());
    assert_eq!(wait.await, Ok(Ok(())));
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_is_told_when_the_connection_ends() {
    let rig = run(coded(), three(Overflow::DropNewest));
    let book = Book::default();
    rig.probe.accept(Some(0));
    while rig.sender.send(book.item(0, 1000)).is_ok() {
        settle().await;
    }
    let sender = rig.sender.clone();
    let ready = tokio::spawn(async move { sender.ready().await });
    let sender = rig.sender.clone();
    let drained = tokio::spawn(async move { sender.drained().await });
    settle().await;
    rig.sender.abort();
    assert_eq!(rig.closed().await.why, Why::Aborted);
    assert!(ready.await.unwrap().is_err());
    assert_eq!(drained.await.unwrap(), Err(Refused::Ended));
}

#[tokio::test]
async fn any_thread_may_send() {
    let rig = run(coded(), Settings::server());
    let threads: Vec<_> = (0..4)
        .map(|_| {
            let sender = rig.sender.clone();
            std::thread::spawn(move || {
                (0..250).for_each(|_| sender.send(Message::from("x")).unwrap());
            })
        })
        .collect();
    threads.into_iter().for_each(|t| t.join().unwrap());
    rig.sender.drained().await.unwrap();
    assert_eq!(rig.probe.written(), text("x").repeat(1000));
    assert_eq!(rig.sender.queued_octets(), 0);
}
