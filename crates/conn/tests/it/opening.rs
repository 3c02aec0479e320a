//! The beginning: early octets, the adaptive head, the handler's `opened`.

use std::time::Duration;

use draftgate_conn::{By, Settings, Why};
use draftgate_core::Message;
use draftgate_testkit::io::settle;
use tokio::time::{Instant, sleep};

use crate::{
    fake::{absent, coded, marker, text},
    rig::{answer, run},
};

#[tokio::test(start_paused = true)]
async fn head_and_challenge_answer_leave_in_one_write_if_key3_was_received() {
    let rig = answer(marker(), b"HEAD", b"KEY3");
    settle().await;
    assert_eq!(rig.probe.writes(), ["HEADKEY!"]);
    assert_eq!(rig.heard(), ["opened"]);
}

#[tokio::test(start_paused = true)]
async fn head_and_challenge_answer_leave_in_one_write_if_key3_comes_within_50_ms() {
    let rig = answer(marker(), b"HEAD", b"KE");
    sleep(Duration::from_millis(40)).await;
    assert_eq!(rig.probe.written(), b"");
    rig.probe.feed(b"Y3");
    settle().await;
    assert_eq!(rig.probe.writes(), ["HEADKEY!"]);
}

#[tokio::test(start_paused = true)]
async fn the_head_leaves_alone_after_50_ms_and_the_rest_follows() {
    let rig = answer(marker(), b"HEAD", b"");
    sleep(Duration::from_millis(49)).await;
    assert_eq!(rig.probe.written(), b"");
    sleep(Duration::from_millis(3)).await;
    assert_eq!(rig.probe.writes(), ["HEAD"]);
    assert_eq!(rig.heard(), Vec::<String>::new());
    sleep(Duration::from_secs(4)).await;
    rig.probe.dribble(b"KEY3");
    settle().await;
    assert_eq!(rig.probe.writes(), ["KEY!"]);
    assert_eq!(rig.heard(), ["opened"]);
}

#[tokio::test(start_paused = true)]
async fn a_draft_without_challenge_sends_its_head_at_once() {
    let rig = answer(coded(), b"HEAD", b"");
    tokio::task::yield_now().await;
    assert_eq!(rig.probe.writes(), ["HEAD"]);
    assert_eq!(rig.heard(), ["opened"]);
}

#[tokio::test(start_paused = true)]
async fn early_octets_are_never_lost_however_they_are_cut() {
    let all = [b"KEY3".to_vec(), text("one"), text("two")].concat();
    for cut in 0..=all.len() {
        let rig = answer(marker(), b"HEAD", &all[..cut]);
        rig.probe.dribble(&all[cut..]);
        settle().await;
        assert_eq!(rig.heard(), ["opened", "one", "two"], "cut at {cut}");
        assert_eq!(rig.probe.written(), b"HEADKEY!", "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_before_the_opening_waits_for_it() {
    let rig = answer(marker(), b"HEAD", b"");
    rig.sender.send(Message::from("early")).unwrap();
    sleep(Duration::from_secs(1)).await;
    assert_eq!(rig.probe.written(), b"HEAD");
    rig.probe.feed(b"KEY3");
    settle().await;
    assert_eq!(rig.probe.written(), [&b"KEY!"[..], &text("early")].concat());
}

#[tokio::test(start_paused = true)]
async fn an_opening_that_is_not_finished_in_5_s_ends() {
    let begun = Instant::now();
    let rig = answer(marker(), b"HEAD", b"KEY");
    let probe = rig.probe.clone();
    let closed = rig.closed().await;
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!((closed.by, closed.why), (By::Us, Why::OpeningTimeout));
    assert!(!closed.opened);
    assert_eq!(probe.written(), b"HEAD");
    assert!(probe.is_shut() && probe.is_dropped());
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_goes_before_the_opening_is_gone_in_every_draft() {
    let without_close = crate::fake::Fake {
        challenge: true,
        ..absent()
    };
    for codec in [marker(), without_close] {
        let rig = answer(codec, b"HEAD", b"KE");
        rig.probe.end();
        let probe = rig.probe.clone();
        let closed = rig.closed().await;
        assert_eq!((closed.by, closed.why), (By::Peer, Why::PeerGone));
        assert!(!closed.opened);
        assert_eq!(probe.written(), b"");
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_before_the_opening_ends_tcp_without_a_word() {
    let with_head = answer(marker(), b"HEAD", b"");
    for rig in [run(marker(), Settings::server()), with_head] {
        settle().await;
        let begun = Instant::now();
        rig.sender.close(None);
        let probe = rig.probe.clone();
        let closed = rig.closed().await;
        assert_eq!((closed.by, closed.why), (By::Us, Why::Requested));
        assert_eq!(probe.written(), b"");
        assert!(probe.is_shut());
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
