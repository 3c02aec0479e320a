//! The end, from either side and in every state.

use std::{io::ErrorKind, time::Duration};

use draftgate_conn::{By, Closed, Fate, Settings, Why};
use draftgate_core::{Close, Draft, Message, Rule};
use draftgate_testkit::io::{Probe, settle};
use tokio::time::{Instant, sleep};

use crate::{
    fake::{BREACH, CLOSE, Fake, PING, absent, close, coded, frame, marker, text},
    rig::{Book, Recorder, Rig, echo, idle, run, spawn},
};

/// An open connection that has written nothing yet.
async fn open(codec: Fake, settings: Settings) -> Rig {
    let challenge = codec.challenge;
    let rig = run(codec, settings);
    if challenge {
        rig.probe.feed(b"KEY3");
    }
    settle().await;
    rig.probe.writes();
    rig
}

async fn ended(rig: Rig) -> (Closed, Probe) {
    let probe = rig.probe.clone();
    (rig.closed().await, probe)
}

fn outcome(closed: &Closed) -> (By, Why, Option<u16>) {
    (closed.by, closed.why, closed.code)
}

#[tokio::test(start_paused = true)]
async fn a_peers_close_is_answered_with_its_code_and_a_server_closes_tcp_at_once() {
    let begun = Instant::now();
    let rig = open(coded(), Settings::server()).await;
    rig.probe.feed(&close(4321));
    let told = rig.told.clone();
    let (closed, probe) = ended(rig).await;
    assert_eq!(probe.written(), close(4321));
    assert!(probe.is_shut() && probe.is_dropped());
    assert_eq!(outcome(&closed), (By::Peer, Why::PeerClosed, Some(4321)));
    assert_eq!(*told.lock().unwrap(), ["opened", "closing Some(4321)"]);
    assert_eq!(begun.elapsed().as_secs(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_code_that_the_draft_lacks_becomes_the_nearest_it_has() {
    for (draft, told) in [
        (Draft::Hybi06, 1002),
        (Draft::Hybi08, 1002),
        (Draft::Hybi13, 1008),
    ] {
        let codec = Fake { draft, ..coded() };
        let rig = open(codec, Settings::server()).await;
        rig.probe.feed(b"T");
        let (closed, probe) = ended(rig).await;
        // Pings came before it.
        let said = &probe.written()[2 * PING.len()..];
        let code = u16::from_be_bytes([said[3], said[4]]);
        assert_eq!((said[0], code), (b'C', told), "{draft}");
        // The log has what was meant.
        let want = (By::Us, Why::MessageTimeout, Some(1008));
        assert_eq!(outcome(&closed), want);
    }
}

#[tokio::test(start_paused = true)]
async fn a_code_that_must_not_be_sent_is_answered_without_one() {
    for code in [1005, 1006, 1015, 999, 1004] {
        let rig = open(coded(), Settings::server()).await;
        rig.probe.feed(&close(code));
        let (closed, probe) = ended(rig).await;
        assert_eq!(probe.written(), CLOSE, "{code}");
        assert_eq!(closed.code, Some(code));
    }
    let rig = open(coded(), Settings::server()).await;
    rig.probe.feed(&CLOSE);
    let (closed, probe) = ended(rig).await;
    assert_eq!(probe.written(), CLOSE);
    assert_eq!(outcome(&closed), (By::Peer, Why::PeerClosed, None));
}

#[tokio::test(start_paused = true)]
async fn what_is_queued_is_sent_before_our_answer_to_a_close() {
    let rig = open(coded(), Settings::server()).await;
    let book = Book::default();
    rig.probe.accept(Some(0));
    for n in 0..100 {
        rig.sender.send(book.item(n, 1000)).unwrap();
    }
    rig.probe.feed(&close(1000));
    settle().await;
    // The queue is still half full: nothing more goes in.
    assert!(rig.sender.queued_octets() > 0);
    assert!(rig.sender.send(Message::from("late")).is_err());
    rig.probe.accept(None);
    let (closed, probe) = ended(rig).await;
    let want = [text(&"m".repeat(1000)).repeat(100), close(1000)].concat();
    assert_eq!(probe.written(), want);
    assert!(book.fates().iter().all(|(_, fate)| *fate == Fate::Sent));
    assert_eq!(closed.stats.lost, 0);
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_choose_the_answer_to_a_close() {
    let (conn, probe) = idle(coded(), Settings::server());
    let recorder = Recorder {
        answer: Some(Close::new(4444, "")),
        ..Recorder::default()
    };
    let rig = spawn(conn, probe, recorder);
    rig.probe.feed(&close(1000));
    let (closed, probe) = ended(rig).await;
    assert_eq!(probe.written(), close(4444));
    assert_eq!(outcome(&closed), (By::Peer, Why::PeerClosed, Some(1000)));
}

#[tokio::test(start_paused = true)]
async fn our_close_comes_behind_what_is_queued_and_the_peers_answer_ends_it() {
    let rig = open(coded(), Settings::server()).await;
    rig.sender.send(Message::from("last")).unwrap();
    rig.sender.close(Some(Close::new(1001, "drain")));
    rig.sender.close(Some(Close::new(4000, "second")));
    settle().await;
    let bye = frame(b'C', b"\x03\xe9drain");
    assert_eq!(rig.probe.writes(), [[text("last"), bye].concat()]);
    assert!(!rig.probe.is_shut());
    // What the peer still has to say is heard.
    rig.probe.feed(&[text("still"), close(1001)].concat());
    let told = rig.told.clone();
    let (closed, probe) = ended(rig).await;
    assert_eq!(outcome(&closed), (By::Us, Why::Requested, Some(1001)));
    assert_eq!(closed.reason.as_str(), "drain");
    assert_eq!(told.lock().unwrap()[1..], ["still", "closing Some(1001)"]);
    assert_eq!(probe.written(), b"");
    assert!(probe.is_shut());
}

#[tokio::test(start_paused = true)]
async fn a_handler_may_close() {
    let rig = echo(coded(), Settings::server());
    rig.probe.feed(&text("bye"));
    settle().await;
    let want = [text("bye"), frame(b'C', b"\x0f\xa1as you wish")].concat();
    assert_eq!(rig.probe.written(), want);
}

#[tokio::test(start_paused = true)]
async fn a_close_is_said_in_the_words_that_the_draft_has() {
    // No codes in this draft.
    let rig = open(marker(), Settings::server()).await;
    rig.sender.close(Some(Close::new(1001, "drain")));
    settle().await;
    assert_eq!(rig.probe.written(), CLOSE);
    // A reason too long, codes that must not be sent.
    for (asked, said) in [
        (Close::new(1001, "x".repeat(124)), close(1001)),
        (Close::new(1004, ""), close(1009)),
        (Close::new(1005, ""), CLOSE.to_vec()),
    ] {
        let rig = open(coded(), Settings::server()).await;
        rig.sender.close(Some(asked.clone()));
        settle().await;
        assert_eq!(rig.probe.written(), said);
        rig.probe.feed(&CLOSE);
        assert_eq!(rig.closed().await.code, Some(asked.code));
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_that_is_not_answered_ends_after_5_s() {
    let rig = open(coded(), Settings::server()).await;
    let begun = Instant::now();
    rig.sender.close(None);
    let (closed, probe) = ended(rig).await;
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(outcome(&closed), (By::Us, Why::CloseTimeout, None));
    assert!(probe.is_shut() && probe.is_dropped());
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_never_answers_the_marker_is_closed_after_2_s() {
    let rig = open(marker(), Settings::server()).await;
    let begun = Instant::now();
    rig.sender.close(Some(Close::new(1001, "")));
    let (closed, probe) = ended(rig).await;
    assert_eq!(begun.elapsed().as_secs(), 2);
    assert_eq!(outcome(&closed), (By::Us, Why::CloseTimeout, Some(1001)));
    assert_eq!(probe.written(), CLOSE);
    assert!(probe.is_shut());
}

#[tokio::test(start_paused = true)]
async fn a_browser_that_answers_the_marker_by_fin_has_closed_as_asked() {
    let rig = open(marker(), Settings::server()).await;
    rig.sender.close(None);
    settle().await;
    rig.probe.end();
    let (closed, _) = ended(rig).await;
    assert_eq!(outcome(&closed), (By::Us, Why::Requested, None));
}

#[tokio::test(start_paused = true)]
async fn a_draft_without_closing_handshake_is_closed_by_fin() {
    let rig = open(absent(), Settings::server()).await;
    rig.sender.send(Message::from("last")).unwrap();
    rig.sender.close(Some(Close::new(1001, "")));
    settle().await;
    assert_eq!(rig.probe.written(), text("last"));
    // Our half is ended; what comes is thrown away until the peer's ends too.
    assert!(rig.probe.is_shut() && !rig.probe.is_dropped());
    rig.probe.feed(&text("late"));
    settle().await;
    assert!(!rig.probe.is_dropped());
    rig.probe.end();
    let told = rig.told.clone();
    let (closed, _) = ended(rig).await;
    assert_eq!(outcome(&closed), (By::Us, Why::Requested, Some(1001)));
    assert_eq!(*told.lock().unwrap(), ["opened"]);
}

#[tokio::test(start_paused = true)]
async fn a_client_waits_for_the_server_to_close_tcp() {
    for (ends, seconds) in [(true, 1), (false, 5)] {
        let rig = open(coded(), Settings::client()).await;
        let begun = Instant::now();
        rig.probe.feed(&close(1000));
        sleep(Duration::from_secs(1)).await;
        assert_eq!(rig.probe.written(), close(1000));
        assert!(!rig.probe.is_shut() && !rig.probe.is_dropped());
        if ends {
            rig.probe.end();
        }
        let (closed, _) = ended(rig).await;
        assert_eq!(begun.elapsed().as_secs(), seconds);
        assert_eq!(outcome(&closed), (By::Peer, Why::PeerClosed, Some(1000)));
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sent_the_marker_first_ends_tcp_when_it_is_answered() {
    let rig = open(marker(), Settings::client()).await;
    let begun = Instant::now();
    rig.sender.close(None);
    settle().await;
    assert!(!rig.probe.is_shut());
    rig.probe.feed(&CLOSE);
    let (closed, probe) = ended(rig).await;
    assert_eq!(begun.elapsed().as_secs(), 0);
    assert_eq!(outcome(&closed), (By::Us, Why::Requested, None));
    assert!(probe.is_shut() && probe.is_dropped());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_answered_the_marker_leaves_the_end_of_tcp_to_the_server() {
    let rig = open(marker(), Settings::client()).await;
    rig.probe.feed(&CLOSE);
    settle().await;
    assert_eq!(rig.probe.written(), CLOSE);
    assert!(!rig.probe.is_shut() && !rig.probe.is_dropped());
    rig.probe.end();
    let (closed, _) = ended(rig).await;
    assert_eq!((closed.by, closed.why), (By::Peer, Why::PeerClosed));
}

#[tokio::test(start_paused = true)]
async fn a_breach_is_answered_flushed_and_lingered_over() {
    let rig = open(coded(), Settings::server()).await;
    let begun = Instant::now();
    rig.probe.feed(&BREACH);
    settle().await;
    assert_eq!(rig.probe.written(), close(1002));
    assert!(rig.probe.is_shut() && !rig.probe.is_dropped());
    // The peer was in the middle of something: it is read and thrown away.
    rig.probe.feed(&[0; 100_000]);
    settle().await;
    assert_eq!(rig.probe.unread(), 0);
    let (closed, _) = ended(rig).await;
    let why = Why::Violation(Rule::UnknownOpcode);
    assert_eq!(outcome(&closed), (By::Us, why, Some(1002)));
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_writes_without_end_after_a_breach_is_left() {
    let rig = open(coded(), Settings::server()).await;
    let begun = Instant::now();
    rig.probe.feed(&BREACH);
    let chunk = vec![0; 1 << 20];
    for _ in 0..17 {
        rig.probe.feed(&chunk);
    }
    ended(rig).await;
    assert!(begun.elapsed().as_secs() < 1);
}

#[tokio::test(start_paused = true)]
async fn a_breach_that_only_the_handler_sees_ends_it_the_same_way() {
    let rig = run(coded(), Settings::server());
    rig.probe.feed(&text("not base64"));
    settle().await;
    rig.probe.end();
    let (closed, probe) = ended(rig).await;
    let why = Why::Violation(Rule::NotBase64);
    assert_eq!(outcome(&closed), (By::Us, why, Some(1007)));
    assert_eq!(probe.written(), close(1007));
}

#[tokio::test(start_paused = true)]
async fn a_breach_towards_a_peer_that_does_not_read_ends_in_time() {
    let rig = open(coded(), Settings::server()).await;
    let begun = Instant::now();
    rig.probe.accept(Some(0));
    rig.probe.feed(&BREACH);
    rig.probe.feed(&[0; 100_000]);
    settle().await;
    // Perhaps it reads when it has written all it wants to write.
    assert_eq!(rig.probe.unread(), 0);
    let (closed, _) = ended(rig).await;
    assert_eq!(closed.why, Why::Violation(Rule::UnknownOpcode));
    assert_eq!(begun.elapsed().as_secs(), 5);
}

#[tokio::test(start_paused = true)]
async fn fin_without_a_close_is_1006_where_there_is_a_close_and_the_close_where_there_is_none() {
    for (codec, why, code) in [
        (coded(), Why::PeerGone, Some(1006)),
        (marker(), Why::PeerGone, Some(1006)),
        (absent(), Why::PeerClosed, None),
    ] {
        let rig = open(codec, Settings::server()).await;
        rig.probe.end();
        let (closed, probe) = ended(rig).await;
        assert_eq!(outcome(&closed), (By::Peer, why, code));
        assert!(closed.opened && probe.is_dropped());
    }
}

#[tokio::test(start_paused = true)]
async fn what_came_before_fin_is_answered() {
    let rig = echo(absent(), Settings::server());
    rig.probe.feed(&text("one"));
    rig.probe.feed(&text("two"));
    rig.probe.end();
    let (closed, probe) = ended(rig).await;
    assert_eq!(probe.written(), [text("one"), text("two")].concat());
    assert_eq!(closed.stats.messages_in, 2);
}

#[tokio::test(start_paused = true)]
async fn fin_behind_a_close_still_lets_the_queue_out() {
    let rig = open(coded(), Settings::server()).await;
    rig.probe.accept(Some(0));
    let book = Book::default();
    for n in 0..80 {
        rig.sender.send(book.item(n, 1000)).unwrap();
    }
    rig.probe.feed(&close(1000));
    rig.probe.end();
    settle().await;
    rig.probe.accept(None);
    let (closed, probe) = ended(rig).await;
    assert_eq!(outcome(&closed), (By::Peer, Why::PeerClosed, Some(1000)));
    assert!(probe.written().ends_with(&close(1000)));
    assert_eq!(closed.stats.lost, 0);
    assert_eq!(book.fates().len(), 80);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_and_does_not_read_is_left_after_5_s() {
    let rig = open(coded(), Settings::server()).await;
    rig.probe.accept(Some(0));
    rig.sender.send(Message::from("never read")).unwrap();
    rig.probe.feed(&close(1000));
    let begun = Instant::now();
    let (closed, _) = ended(rig).await;
    assert_eq!(outcome(&closed), (By::Peer, Why::CloseTimeout, Some(1000)));
    assert_eq!(begun.elapsed().as_secs(), 5);
    assert_eq!(closed.stats.lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_and_reads_slowly_gets_all_that_is_queued() {
    let rig = open(coded(), Settings::server()).await;
    rig.probe.accept(Some(0));
    for _ in 0..100 {
        rig.sender.send(Message::from("m".repeat(1000))).unwrap();
    }
    rig.probe.feed(&close(1000));
    for _ in 0..26 {
        sleep(Duration::from_secs(4)).await;
        rig.probe.accept(Some(4000));
    }
    let (closed, probe) = ended(rig).await;
    assert_eq!(outcome(&closed), (By::Peer, Why::PeerClosed, Some(1000)));
    let want = [text(&"m".repeat(1000)).repeat(100), close(1000)].concat();
    assert_eq!(probe.written(), want);
}

#[tokio::test(start_paused = true)]
async fn a_failing_transport_is_to_blame() {
    let rig = open(coded(), Settings::server()).await;
    rig.probe.fail_read(ErrorKind::ConnectionReset);
    let (closed, _) = ended(rig).await;
    let why = Why::Io(ErrorKind::ConnectionReset);
    assert_eq!(outcome(&closed), (By::Transport, why, None));

    let rig = open(coded(), Settings::server()).await;
    rig.probe.fail_writes(ErrorKind::BrokenPipe);
    rig.sender.send(Message::from("x")).unwrap();
    let (closed, _) = ended(rig).await;
    assert_eq!(closed.why, Why::Io(ErrorKind::BrokenPipe));
    assert_eq!(closed.stats.lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_reset_after_the_peers_close_changes_nothing() {
    let rig = open(coded(), Settings::server()).await;
    rig.probe.fail_writes(ErrorKind::ConnectionReset);
    rig.probe.feed(&close(1000));
    let (closed, _) = ended(rig).await;
    assert_eq!(outcome(&closed), (By::Peer, Why::PeerClosed, Some(1000)));
}

#[tokio::test(start_paused = true)]
async fn abort_ends_at_once_in_every_state() {
    for octets in [vec![], close(1000), BREACH.to_vec()] {
        for codec in [coded(), absent()] {
            let rig = open(codec, Settings::server()).await;
            rig.probe.accept(Some(0));
            rig.sender.send(Message::from("x")).unwrap();
            settle().await;
            rig.probe.feed(&octets);
            settle().await;
            let begun = Instant::now();
            rig.sender.abort();
            let (closed, probe) = ended(rig).await;
            assert_eq!(closed.by, By::Us);
            assert_eq!(closed.why, Why::Aborted);
            assert_eq!(begun.elapsed(), Duration::ZERO);
            assert!(probe.is_dropped() && !probe.is_shut());
            assert_eq!(probe.written(), b"");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_stays_after_a_breach_is_left_in_its_drafts_time() {
    for (codec, seconds) in [(marker(), 2), (coded(), 5), (absent(), 5)] {
        let begun = Instant::now();
        let closing = codec.closing;
        let rig = open(codec, Settings::server()).await;
        rig.probe.feed(&BREACH);
        let (closed, _) = ended(rig).await;
        assert_eq!(closed.why, Why::Violation(Rule::UnknownOpcode));
        assert_eq!(begun.elapsed().as_secs(), seconds, "{closing:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn abort_ends_an_opening_and_a_lingering_too() {
    let rig = run(marker(), Settings::server());
    settle().await;
    rig.sender.abort();
    assert_eq!(rig.closed().await.why, Why::Aborted);

    let rig = open(coded(), Settings::server()).await;
    rig.probe.feed(&BREACH);
    settle().await;
    assert!(rig.probe.is_shut());
    let begun = Instant::now();
    rig.sender.abort();
    // It had ended already; abort only spares us the wait.
    let closed = rig.closed().await;
    assert_eq!(closed.why, Why::Violation(Rule::UnknownOpcode));
    assert_eq!(begun.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn both_ends_may_close_at_the_same_time() {
    let rig = open(coded(), Settings::server()).await;
    rig.probe.feed(&close(1000));
    rig.sender.close(Some(Close::new(1001, "")));
    let (closed, probe) = ended(rig).await;
    // Each side sends one Close, whichever came first.
    assert_eq!(probe.written(), close(1001));
    assert_eq!(closed.by, By::Peer);
}
