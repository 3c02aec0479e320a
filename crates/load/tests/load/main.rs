//! The generator against servers on the loopback, good ones and bad ones. Every
//! run is bounded by a count of messages, never by a time, but for the waits
//! that end in an error.

#![allow(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]

mod server;

use std::{process, time::Duration};

use draftgate_load::{
    Control, Echo, FanOut, Fault, Idle, LoadError, Openings, Report, Scenario, Settings, Speech,
    Storm, Target, run,
};
use server::{Manners, server};

fn drafts() -> Vec<Speech> {
    draftgate_drafts::announced().map(Speech::Draft).collect()
}

fn settings(manners: Manners) -> Settings {
    let url = format!("ws://{}/load", server(manners));
    let target = Target::find(url.parse().unwrap(), false).unwrap();
    Settings {
        warm_up: Duration::ZERO,
        messages: Some(300),
        ..Settings::new(target)
    }
}

fn measured(settings: &Settings, scenario: &Scenario) -> Result<Report, LoadError> {
    run(settings, scenario, &Control::default())
}

fn echo(connections: usize, window: usize) -> Scenario {
    Scenario::Echo(Echo {
        connections,
        window,
        rate: None,
    })
}

fn fan_out(publishers: usize, subscribers: usize, channels: usize, burst: usize) -> Scenario {
    Scenario::FanOut(FanOut {
        publishers,
        subscribers,
        channels,
        burst,
        rate: None,
    })
}

/// What is wrong with a connection, if that is what ended it.
fn fault(error: LoadError) -> Fault {
    match error {
        LoadError::Connection { fault, .. } => fault,
        other => panic!("{other}"),
    }
}

#[test]
fn every_draft_is_echoed_in_windows_and_one_by_one() {
    for speech in drafts() {
        for (window, payload) in [(1, 16), (64, 0), (64, 125), (7, 1024), (2, 1 << 20)] {
            let settings = Settings {
                speeches: vec![speech],
                payload,
                messages: Some(20),
                ..settings(Manners::Echo)
            };
            let report = measured(&settings, &echo(3, window)).unwrap();
            assert!(report.messages >= 20, "{}: {report:?}", speech.name());
            assert_eq!(report.decoded, 0, "{}: {report:?}", speech.name());
            assert_eq!(report.latency.count(), report.messages);
        }
    }
}

#[test]
fn binary_messages_go_where_the_draft_has_them() {
    for traits in draftgate_drafts::traits() {
        let settings = Settings {
            speeches: vec![Speech::Draft(traits.draft)],
            binary: true,
            ..settings(Manners::Echo)
        };
        match measured(&settings, &echo(1, 4)) {
            Ok(report) => assert!(traits.capabilities.binary && report.messages >= 300),
            Err(error) => assert!(
                !traits.capabilities.binary && matches!(error, LoadError::NoBinary(_)),
                "{error}"
            ),
        }
    }
}

#[test]
fn raw_octets_are_echoed_without_an_opening() {
    let settings = Settings {
        speeches: vec![Speech::Raw],
        ..settings(Manners::RawEcho)
    };
    let report = measured(&settings, &echo(4, 16)).unwrap();
    assert!(report.messages >= 300);
    // 2 octets of header, a length that fits them, 4 of the mask.
    assert_eq!(report.octets.1 % (125 + 6), 0);
}

#[test]
fn a_rate_is_kept_and_counted_from_when_messages_are_due() {
    let settings = Settings {
        messages: Some(200),
        ..settings(Manners::Echo)
    };
    let scenario = Scenario::Echo(Echo {
        connections: 4,
        window: 64,
        rate: Some(2000.0),
    });
    let report = measured(&settings, &scenario).unwrap();
    assert!(report.messages >= 200);
    assert!(report.elapsed >= Duration::from_millis(90), "{report:?}");
    assert!(report.lag.count() > 0 && report.latency.count() > 0);
    assert_eq!(report.window, None);
}

#[test]
fn several_threads_share_the_connections() {
    let settings = Settings {
        threads: 3,
        ..settings(Manners::Echo)
    };
    let report = measured(&settings, &echo(7, 8)).unwrap();
    assert_eq!((report.threads, report.connections), (3, 7));
    assert!(report.latency.count() > 0);
}

#[test]
fn what_is_cut_into_pieces_is_put_together() {
    for manners in [Manners::Dribbles, Manners::Fragments] {
        let settings = Settings {
            messages: Some(40),
            payload: 40,
            ..settings(manners)
        };
        let report = measured(&settings, &echo(2, 4)).unwrap();
        assert!(report.messages >= 40, "{report:?}");
        let by_codec = manners == Manners::Fragments;
        assert_eq!(report.decoded > 0, by_codec, "{report:?}");
    }
}

#[test]
fn pings_are_answered_and_nothing_is_lost() {
    for speech in drafts() {
        let settings = Settings {
            speeches: vec![speech],
            ..settings(Manners::Pings)
        };
        let report = measured(&settings, &echo(2, 8)).unwrap();
        assert!(report.messages >= 300, "{}: {report:?}", speech.name());
    }
}

#[test]
fn a_message_with_another_letter_is_found() {
    for speech in drafts() {
        let settings = Settings {
            speeches: vec![speech],
            ..settings(Manners::Altered)
        };
        let wrong = fault(measured(&settings, &echo(1, 4)).unwrap_err());
        assert!(matches!(wrong, Fault::Wrong(_)), "{wrong}");
    }
}

#[test]
fn a_message_too_many_is_found() {
    let error = measured(&settings(Manners::Doubled), &echo(1, 1)).unwrap_err();
    let fault = fault(error);
    assert!(
        matches!(fault, Fault::Wrong(_) | Fault::Unasked(_)),
        "{fault}"
    );
}

#[test]
fn a_server_that_closes_or_ends_is_no_result() {
    let closed = fault(measured(&settings(Manners::Closes), &echo(1, 1)).unwrap_err());
    assert!(matches!(closed, Fault::Closed(_)), "{closed}");
    let ended = fault(measured(&settings(Manners::Ends), &echo(1, 1)).unwrap_err());
    assert!(matches!(ended, Fault::Ended | Fault::Broken(_)), "{ended}");
}

#[test]
fn silence_is_not_waited_out_for_ever() {
    let settings = Settings {
        within: Duration::from_millis(200),
        ..settings(Manners::Silent)
    };
    let error = measured(&settings, &echo(2, 3)).unwrap_err();
    assert!(
        matches!(error, LoadError::Silent { missing: 6, .. }),
        "{error}"
    );
}

#[test]
fn a_refusal_is_told_with_its_status() {
    let error = measured(&settings(Manners::Refuses), &echo(2, 3)).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("503"), "{text}");
    assert!(matches!(fault(error), Fault::Refused(_)));
}

#[test]
fn nobody_there_is_told_apart_from_a_refusal() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", port.local_addr().unwrap());
    drop(port);
    let target = Target::find(url.parse().unwrap(), false).unwrap();
    let error = measured(&Settings::new(target), &echo(1, 1)).unwrap_err();
    assert!(matches!(fault(error), Fault::Connect(_)));
}

#[test]
fn subscribers_of_all_drafts_get_what_is_published() {
    for (publishers, subscribers, burst) in [(1, 6, 1), (1, 12, 16), (3, 7, 4)] {
        let settings = Settings {
            speeches: drafts(),
            messages: Some(60),
            ..settings(Manners::Broadcast)
        };
        let report = measured(&settings, &fan_out(publishers, subscribers, 1, burst)).unwrap();
        assert!(report.messages >= 60, "{report:?}");
        assert!(
            report.deliveries >= 60 * (subscribers as u64 - 1),
            "{report:?}"
        );
        assert_eq!(report.latency.count(), report.messages);
    }
}

#[test]
fn a_raw_broadcaster_is_measured_by_octets() {
    for publishers in [1, 2] {
        let settings = Settings {
            speeches: vec![Speech::Raw],
            messages: Some(60),
            ..settings(Manners::RawBroadcast)
        };
        let report = measured(&settings, &fan_out(publishers, 5, 1, 8)).unwrap();
        assert!(report.messages >= 60, "{report:?}");
    }
}

#[test]
fn several_channels_need_a_place_for_their_number() {
    let error = measured(&settings(Manners::Broadcast), &fan_out(2, 4, 2, 1)).unwrap_err();
    assert!(error.to_string().contains("{n}"), "{error}");
    let error = measured(&settings(Manners::Broadcast), &fan_out(1, 4, 2, 1)).unwrap_err();
    assert!(error.to_string().contains("a publisher"), "{error}");
}

#[test]
fn what_cannot_be_measured_is_refused_in_words() {
    let rates = [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300];
    let echoes = rates.map(|rate| {
        Scenario::Echo(Echo {
            rate: Some(rate),
            ..Echo::default()
        })
    });
    let bursts = rates.map(|rate| match fan_out(1, 1, 1, 1) {
        Scenario::FanOut(fan_out) => Scenario::FanOut(FanOut {
            rate: Some(rate),
            ..fan_out
        }),
        other => other,
    });
    let all = settings(Manners::Echo);
    for scenario in echoes.iter().chain(&bursts) {
        let error = measured(&all, scenario).unwrap_err();
        assert!(error.to_string().contains("0.001 at least"), "{error}");
    }
    let short = Settings { payload: 7, ..all };
    let error = measured(&short, &fan_out(2, 1, 1, 1)).unwrap_err();
    assert!(error.to_string().contains("8 octets at least"), "{error}");
}

#[test]
fn openings_of_every_draft_are_done_one_after_another() {
    for speech in drafts().into_iter().chain([Speech::Raw]) {
        let manners = match speech {
            Speech::Raw => Manners::RawEcho,
            Speech::Draft(_) => Manners::Echo,
        };
        let settings = Settings {
            speeches: vec![speech],
            messages: Some(50),
            ..settings(manners)
        };
        let scenario = Scenario::Openings(Openings { concurrency: 4 });
        let report = measured(&settings, &scenario).unwrap();
        assert!(report.messages >= 50, "{}: {report:?}", speech.name());
        assert!(report.refused.is_empty(), "{report:?}");
    }
}

#[test]
fn openings_that_never_succeed_are_no_measurement() {
    let scenario = Scenario::Openings(Openings { concurrency: 4 });
    let error = measured(&settings(Manners::Refuses), &scenario).unwrap_err();
    assert!(matches!(fault(error), Fault::Refused(_)));
}

#[test]
fn a_storm_says_when_the_last_is_in_or_who_was_refused() {
    let scenario = Scenario::Storm(Storm { connections: 60 });
    let all = Settings {
        speeches: drafts(),
        ..settings(Manners::Echo)
    };
    let report = measured(&all, &scenario).unwrap();
    assert_eq!(report.messages, 60);
    assert!(report.until_all.is_some());
    let report = measured(&settings(Manners::Refuses), &scenario).unwrap();
    assert_eq!((report.messages, report.until_all), (0, None));
    assert_eq!(report.refused.values().sum::<u64>(), 60);
    assert!(report.refused.keys().all(|why| why.contains("503")));
}

#[test]
fn idle_connections_are_weighed_after_they_were_used() {
    for (manners, bus) in [(Manners::Echo, false), (Manners::Broadcast, true)] {
        let idle = |pid| {
            let settings = Settings {
                pid,
                ..settings(manners)
            };
            let scenario = Scenario::Idle(Idle {
                connections: 10,
                used: 3,
                bus,
                settle: Duration::ZERO,
            });
            measured(&settings, &scenario)
        };
        assert!(matches!(idle(None), Err(LoadError::Usage(_))));
        // The server is this very process.
        let report = idle(Some(process::id())).unwrap();
        assert_eq!((report.connections, report.messages), (10, 30));
        assert!(report.server.unwrap().rss_per_connection.is_some());
    }
}

#[test]
fn what_the_server_used_is_read_and_judged() {
    let settings = Settings {
        pid: Some(process::id()),
        ..settings(Manners::Echo)
    };
    let report = measured(&settings, &echo(2, 8)).unwrap();
    let json = report.to_json();
    assert!(json["server"]["cpu_ns"].as_u64().unwrap() > 0, "{json}");
    assert!(json["load"]["cpu_ns"].as_u64().unwrap() > 0, "{json}");
    assert_ne!(json["bottleneck"], "unknown", "{json}");
    assert!(json["headroom"].as_f64().is_some(), "{json}");
}

#[test]
fn who_stops_it_gets_what_was_measured() {
    let settings = Settings {
        messages: Some(u64::MAX),
        ..settings(Manners::Echo)
    };
    let control = Control::default();
    let report = std::thread::scope(|scope| {
        let measuring = scope.spawn(|| run(&settings, &echo(1, 1), &control));
        while control.progress().done < 50 {
            std::thread::yield_now();
        }
        control.stop();
        measuring.join().unwrap().unwrap()
    });
    assert!(report.interrupted);
    assert!(report.messages >= 50);
}
