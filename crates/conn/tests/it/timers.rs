//! Every timer that is not an opening's or a close's.

use std::time::Duration;

use draftgate_conn::{By, Heartbeat, Settings, Why};
use draftgate_core::{Message, Outgoing};
use draftgate_testkit::io::settle;
use tokio::time::{Instant, sleep};

use crate::{
    fake::{PING, absent, close, coded, fragment, marker, text},
    rig::{Rig, run},
};

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

fn beating(what: Outgoing) -> Settings {
    Settings {
        heartbeat: Some(Heartbeat {
            every: seconds(30),
            what,
        }),
        ..Settings::server()
    }
}

/// When each write came, in whole seconds, while the peer says something
/// every 20 s to stay alive.
async fn writes(rig: &Rig, over: u64) -> Vec<u64> {
    let begun = Instant::now();
    let mut seen = Vec::new();
    while begun.elapsed() < seconds(over) {
        sleep(seconds(1)).await;
        if begun.elapsed().as_secs().is_multiple_of(20) {
            rig.probe.feed(&text("alive"));
        }
        if !rig.probe.writes().is_empty() {
            seen.push(begun.elapsed().as_secs());
        }
    }
    seen
}

#[tokio::test(start_paused = true)]
async fn a_server_pings_every_25_s() {
    let rig = run(coded(), Settings::server());
    sleep(Duration::from_millis(24_990)).await;
    assert_eq!(rig.probe.written(), b"");
    sleep(Duration::from_millis(20)).await;
    assert_eq!(rig.probe.written(), PING);
    sleep(seconds(25)).await;
    assert_eq!(rig.probe.written(), PING);
    rig.probe.end();
    assert_eq!(rig.closed().await.stats.pings_out, 2);
}

#[tokio::test(start_paused = true)]
async fn a_client_pings_every_50_s() {
    let rig = run(coded(), Settings::client());
    assert_eq!(writes(&rig, 160).await, [51, 101, 151]);
}

#[tokio::test(start_paused = true)]
async fn a_draft_without_ping_is_sent_none_and_may_be_silent_for_ever() {
    for (codec, opening) in [(marker(), &b"KEY3"[..]), (absent(), b"")] {
        let rig = run(codec, Settings::server());
        rig.probe.feed(opening);
        settle().await;
        rig.probe.writes();
        sleep(seconds(1_000_000)).await;
        assert_eq!(rig.probe.written(), b"");
        assert!(!rig.sender.is_ended());
    }
}

#[tokio::test(start_paused = true)]
async fn no_ping_is_sent_where_none_is_wished() {
    let settings = Settings {
        keep_alive: None,
        idle_timeout: None,
        ..Settings::server()
    };
    let rig = run(coded(), settings);
    sleep(seconds(1_000_000)).await;
    assert_eq!(rig.probe.written(), b"");
    assert!(!rig.sender.is_ended());
}

#[tokio::test(start_paused = true)]
async fn a_peer_silent_for_120_s_is_closed() {
    let begun = Instant::now();
    let rig = run(coded(), Settings::server());
    sleep(seconds(60)).await;
    rig.probe.feed(&text("here"));
    sleep(seconds(119)).await;
    rig.probe.writes();
    assert!(!rig.sender.is_ended());
    sleep(seconds(2)).await;
    assert!(rig.probe.written().starts_with(&[b'C', 0]));
    let closed = rig.closed().await;
    assert_eq!((closed.by, closed.why), (By::Us, Why::IdleTimeout));
    assert_eq!(closed.code, Some(1001));
    assert_eq!(begun.elapsed().as_secs(), 60 + 120 + 5);
}

#[tokio::test(start_paused = true)]
async fn a_peer_whose_last_words_come_late_was_idle_all_the_same() {
    let rig = run(coded(), Settings::server());
    sleep(seconds(121)).await;
    rig.probe.feed(&close(1001));
    let closed = rig.closed().await;
    assert_eq!((closed.by, closed.why), (By::Us, Why::IdleTimeout));
}

#[tokio::test(start_paused = true)]
async fn any_octet_shows_that_the_peer_is_there() {
    let settings = Settings {
        message_timeout: None,
        ..Settings::server()
    };
    let rig = run(coded(), settings);
    let long = text(&"x".repeat(100));
    for octet in long {
        rig.probe.feed(&[octet]);
        sleep(seconds(119)).await;
    }
    assert_eq!(rig.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_is_sent_only_into_silence() {
    let rig = run(absent(), beating(Outgoing::Filler));
    assert_eq!(writes(&rig, 100).await, [31, 61, 91]);
    sleep(seconds(10)).await;
    rig.sender.send(Message::from("news")).unwrap();
    settle().await;
    assert_eq!(rig.probe.written(), text("news"));
    sleep(seconds(29)).await;
    assert_eq!(rig.probe.written(), b"");
    sleep(seconds(2)).await;
    assert_eq!(rig.probe.written(), b"F\0\0");
}

#[tokio::test(start_paused = true)]
async fn no_heartbeat_is_put_behind_what_is_not_read() {
    let settings = Settings {
        write_timeout: seconds(1000),
        ..beating(Outgoing::Filler)
    };
    let rig = run(absent(), settings);
    rig.probe.accept(Some(1));
    rig.sender.send(Message::from("x")).unwrap();
    sleep(seconds(110)).await;
    rig.probe.accept(None);
    settle().await;
    assert_eq!(rig.probe.written(), text("x"));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_may_be_a_message() {
    let rig = run(absent(), beating(Outgoing::Message("tick".into())));
    sleep(seconds(31)).await;
    assert_eq!(rig.probe.written(), text("tick"));
}

#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_the_draft_cannot_say_is_given_up() {
    let rig = run(marker(), beating(Outgoing::Filler));
    rig.probe.feed(b"KEY3");
    settle().await;
    rig.probe.writes();
    sleep(seconds(1000)).await;
    assert_eq!(rig.probe.written(), b"");
    rig.probe.end();
    assert_eq!(rig.closed().await.stats.unsayable, 1);
}

#[tokio::test(start_paused = true)]
async fn a_draft_with_ping_gets_no_heartbeat() {
    let rig = run(coded(), beating(Outgoing::Message("tick".into())));
    sleep(seconds(60)).await;
    assert_eq!(rig.probe.written(), [PING, PING].concat());
}

#[tokio::test(start_paused = true)]
async fn a_write_without_progress_for_30_s_ends_the_connection() {
    let rig = run(coded(), Settings::server());
    rig.probe.accept(Some(1));
    for _ in 0..5 {
        rig.sender.send(Message::from("x".repeat(60_000))).unwrap();
    }
    // A thousand octets a second are enough, however they come.
    for _ in 0..10 {
        sleep(seconds(29)).await;
        rig.probe.accept(Some(29_000));
        rig.probe.feed(&text("alive"));
    }
    assert!(!rig.sender.is_ended());
    let stuck = Instant::now();
    let closed = rig.closed().await;
    assert_eq!((closed.by, closed.why), (By::Us, Why::WriteTimeout));
    assert_eq!(stuck.elapsed().as_secs(), 30);
    assert_eq!(closed.stats.lost, 1);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_an_octet_now_and_then_takes_too_little() {
    let rig = run(coded(), Settings::server());
    let begun = Instant::now();
    rig.probe.accept(Some(0));
    rig.sender.send(Message::from("x".repeat(1000))).unwrap();
    while !rig.sender.is_ended() {
        sleep(seconds(1)).await;
        rig.probe.accept(Some(10));
    }
    assert_eq!(rig.closed().await.why, Why::WriteTimeout);
    assert_eq!(begun.elapsed().as_secs(), 31);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_drips_in_ends_the_connection() {
    for codec in [coded(), absent()] {
        let rig = run(codec, Settings::server());
        rig.probe.feed(&text("whole"));
        let begun = Instant::now();
        let long = text(&"x".repeat(10_000));
        for octet in long {
            if rig.sender.is_ended() || rig.probe.is_shut() {
                break;
            }
            rig.probe.feed(&[octet]);
            sleep(Duration::from_millis(100)).await;
        }
        rig.probe.end();
        let closed = rig.closed().await;
        assert_eq!((closed.by, closed.why), (By::Us, Why::MessageTimeout));
        // An octet in 100 ms is a hundredth of what is asked for.
        let took = begun.elapsed().as_secs();
        assert!((60..67).contains(&took), "{took}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_in_pieces_may_take_its_time_if_it_comes_at_all() {
    let rig = run(coded(), Settings::server());
    let long = text(&"x".repeat(60_000));
    for piece in long.chunks(5000) {
        rig.probe.feed(piece);
        sleep(seconds(5)).await;
    }
    // Between two messages nothing is waited for, even if they share a read.
    rig.probe.feed(&[text("a"), text("b")].concat());
    sleep(seconds(110)).await;
    assert_eq!(rig.heard().len(), 4);
    // Behind a whole one, the first octet of the next is a beginning.
    rig.probe.feed(&[&text("c")[..], b"T"].concat());
    let begun = Instant::now();
    let closed = rig.closed().await;
    assert_eq!(closed.why, Why::MessageTimeout);
    assert_eq!(closed.code, Some(1008));
    assert_eq!(begun.elapsed().as_secs(), 60 + 5);
}

#[tokio::test(start_paused = true)]
async fn what_comes_between_two_fragments_does_not_finish_their_message() {
    for between in [&PING[..], b"O\0\0", b"N\0\0"] {
        let rig = run(coded(), Settings::server());
        let begun = Instant::now();
        while !rig.sender.is_ended() && begun.elapsed() < seconds(600) {
            rig.probe.feed(&[&fragment("x")[..], between].concat());
            sleep(seconds(10)).await;
            rig.probe.feed(between);
            sleep(seconds(10)).await;
        }
        rig.probe.end();
        let closed = rig.closed().await;
        assert_eq!((closed.by, closed.why), (By::Us, Why::MessageTimeout));
    }
    // One after the message is nobody's beginning.
    let rig = run(coded(), Settings::server());
    let whole = [&fragment("x")[..], &PING, &text("y"), &PING].concat();
    for octet in whole {
        rig.probe.feed(&[octet]);
        sleep(seconds(1)).await;
    }
    sleep(seconds(100)).await;
    assert!(!rig.sender.is_ended());
    assert_eq!(rig.heard().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_long_to_read_is_pinged_and_not_called_idle() {
    let settings = Settings {
        write_timeout: seconds(1000),
        ..Settings::server()
    };
    let rig = run(coded(), settings);
    rig.probe.accept(Some(0));
    let large = "x".repeat(60_000);
    rig.sender.send(Message::from(large.clone())).unwrap();
    rig.sender.send(Message::from(large.clone())).unwrap();
    // 600 s for one octet each.
    for _ in 0..30 {
        sleep(seconds(20)).await;
        rig.probe.accept(Some(1));
    }
    rig.probe.accept(None);
    sleep(seconds(1)).await;
    // A ping every 25 s lies behind all of it.
    let want = [text(&large).repeat(2), PING.repeat(24)].concat();
    assert_eq!(rig.probe.written(), want);
    // Only now its silence counts.
    sleep(seconds(118)).await;
    assert!(!rig.sender.is_ended());
    sleep(seconds(2 + 5)).await;
    assert_eq!(rig.closed().await.why, Why::IdleTimeout);
}

#[tokio::test(start_paused = true)]
async fn timeouts_of_zero_and_of_ages_neither_panic_nor_hang() {
    let ages = Settings {
        opening_timeout: Duration::MAX,
        head_delay: Duration::MAX,
        keep_alive: Some(Duration::MAX),
        idle_timeout: Some(Duration::MAX),
        message_timeout: Some(Duration::MAX),
        close_timeout: Duration::MAX,
        marker_timeout: Duration::MAX,
        write_timeout: Duration::MAX,
        ..Settings::server()
    };
    let rig = run(coded(), ages);
    sleep(seconds(100)).await;
    rig.probe.feed(&close(1000));
    assert_eq!(rig.closed().await.why, Why::PeerClosed);

    let zero = Settings {
        head_delay: Duration::ZERO,
        keep_alive: Some(Duration::ZERO),
        idle_timeout: Some(Duration::ZERO),
        message_timeout: Some(Duration::ZERO),
        heartbeat: Some(Heartbeat {
            every: Duration::ZERO,
            what: Outgoing::Filler,
        }),
        close_timeout: Duration::ZERO,
        marker_timeout: Duration::ZERO,
        write_timeout: Duration::ZERO,
        ..Settings::server()
    };
    assert_eq!(
        run(coded(), zero.clone()).closed().await.why,
        Why::IdleTimeout
    );
    // A heartbeat without end still leaves us our turn.
    let rig = run(absent(), zero.clone());
    sleep(seconds(1)).await;
    rig.sender.abort();
    assert_eq!(rig.closed().await.why, Why::Aborted);
    let never_opens = Settings {
        opening_timeout: Duration::ZERO,
        ..zero
    };
    assert_eq!(
        run(marker(), never_opens).closed().await.why,
        Why::OpeningTimeout
    );
}

#[tokio::test(start_paused = true)]
async fn what_came_in_time_counts_although_it_is_looked_at_late() {
    // Another task held the thread: everything below is due in one turn.
    let rig = run(marker(), Settings::server());
    settle().await;
    rig.probe.feed(b"KEY3");
    tokio::time::advance(seconds(6)).await;
    settle().await;
    assert_eq!(rig.heard(), ["opened"]);

    let rig = run(coded(), Settings::server());
    rig.probe.feed(&text("whole")[..3]);
    settle().await;
    rig.probe.feed(&text("whole")[3..]);
    tokio::time::advance(seconds(61)).await;
    settle().await;
    assert_eq!(rig.heard(), ["opened", "whole"]);

    let rig = run(coded(), Settings::server());
    settle().await;
    rig.sender.close(None);
    settle().await;
    rig.probe.feed(&close(1000));
    tokio::time::advance(seconds(6)).await;
    let closed = rig.closed().await;
    assert_eq!(closed.why, Why::Requested);
}
