//! The counts of one process, of two that add to each other, and under a clock
//! that is wrong.

use proptest::prelude::*;

use super::*;
use crate::when::Window;

const NOON: Seconds = 1_793_620_800;

fn family(name: &str) -> Family {
    Family {
        name: name.to_owned(),
        known: false,
        evidence: format!("evidence of {name}"),
    }
}

#[test]
fn what_is_open_is_counted_with_its_peak() {
    let mut census = Census::new(NOON);
    let one = census.opened(Draft::Hixie76, "/tv", &family("a"), NOON + 1);
    let other = census.opened(Draft::Hixie76, "/tv", &family("b"), NOON + 2);
    census.closed(&one, NOON + 3);
    let report = census.report(NOON + 4);
    let [place] = report.places.as_slice() else {
        panic!("{report:?}")
    };
    assert_eq!(
        (place.now, place.peak, place.peak_at),
        (1, 2, Some(NOON + 2))
    );
    assert_eq!(place.last_seen, Some(NOON + 4), "somebody is there");
    census.closed(&other, NOON + 5);
    let report = census.report(NOON + 100);
    assert_eq!(report.places[0].now, 0);
    assert_eq!(report.places[0].last_seen, Some(NOON + 5));
    assert_eq!(report.places[0].opened, 2);
}

#[test]
fn whoever_stays_is_seen_each_time_the_file_is_written() {
    let mut census = Census::new(NOON);
    let _stays = census.opened(Draft::Hybi13, "/a", &family("a"), NOON);
    let mut file = census.take_unsaved(NOON + 100 * DAY);
    let next = census.take_unsaved(NOON + 101 * DAY);
    file.merge(&next);
    let report = Report::new(&file, NOON + 150 * DAY);
    assert_eq!(report.places[0].last_seen, Some(NOON + 101 * DAY));
    assert_eq!(report.places[0].opened, 1);
}

#[test]
fn a_clock_that_ran_ahead_for_a_while_leaves_nothing_behind() {
    let mut census = Census::new(NOON);
    census.opened(Draft::Hixie76, "/tv", &family("a"), NOON);
    let far = NOON + 3_000 * DAY;
    let stays = census.opened(Draft::Hixie76, "/tv", &family("a"), far);
    census.refused(Some(Draft::Hixie76), Some("/tv"), &family("a"), "c", far);
    census.closed(&stays, far + 1);
    let later = NOON + DAY;
    for _ in 0..20 {
        let opened = census.opened(Draft::Hixie76, "/tv", &family("a"), later);
        census.closed(&opened, later);
    }
    let file = census.take_unsaved(later);
    for report in [census.report(later), Report::new(&file, later)] {
        let place = &report.places[0];
        assert_eq!(place.used(Window::DAYS_90).connections, 21, "{report:?}");
        assert_eq!((report.since, place.last_seen), (Some(NOON), Some(later)));
        assert_eq!(place.families[0].refused[0].last, later);
        assert_eq!(place.opened, 22);
    }
}

#[test]
fn a_clock_that_was_not_set_yet_drops_nothing_of_the_file() {
    let mut file = Census::new(NOON);
    file.opened(Draft::Hixie76, "/tv", &family("a"), NOON);
    let mut saved = file.take_unsaved(NOON);
    assert!(!saved.cut(7));
    let mut census = Census::new(7);
    census.resume(saved, 7);
    census.opened(Draft::Hixie76, "/tv", &family("a"), NOON + 60);
    let report = census.report(NOON + 60);
    assert_eq!(report.places[0].used(Window::DAYS_90).connections, 2);
}

#[test]
fn what_was_not_written_is_written_the_next_time() {
    let mut census = Census::new(NOON);
    census.opened(Draft::Hybi13, "/a", &family("a"), NOON);
    let unsaved = census.take_unsaved(NOON + 1);
    census.opened(Draft::Hybi13, "/a", &family("a"), NOON + 2);
    census.not_saved(&unsaved);
    let unsaved = census.take_unsaved(NOON + 3);
    assert_eq!(Report::new(&unsaved, NOON + 3).places[0].opened, 2);
}

#[test]
fn two_processes_add_to_each_other() {
    let (mut old, mut new) = (Census::new(NOON), Census::new(NOON + 50));
    let mut file = State::default();
    old.opened(Draft::Hixie76, "/tv", &family("a"), NOON);
    file.merge(&old.take_unsaved(NOON + 40));
    new.resume(file.clone(), NOON + 50);
    new.opened(Draft::Hixie76, "/tv", &family("a"), NOON + 60);
    old.opened(Draft::Hixie76, "/tv", &family("b"), NOON + 61);
    old.refused(None, None, &family("c"), "draft-unknown", NOON + 62);
    for process in [&mut new, &mut old] {
        file.merge(&process.take_unsaved(NOON + 70));
        process.saved(file.clone());
    }
    file.merge(&new.take_unsaved(NOON + 80));
    new.saved(file);
    let report = new.report(NOON + 90);
    assert_eq!(report.since, Some(NOON));
    let place = |draft: Option<&str>| {
        let mut places = report.places.iter();
        places
            .find(|place| place.draft.as_deref() == draft)
            .unwrap()
    };
    assert_eq!(place(Some("hixie-76")).opened, 3);
    assert_eq!(place(None).families[0].refused[0].count, 1);
}

#[test]
fn names_that_peers_make_up_do_not_push_out_one_that_comes_often() {
    let mut census = Census::new(NOON);
    for second in 0..3 {
        let device = census.opened(Draft::Hixie76, "/tv", &family("device"), NOON + second);
        census.closed(&device, NOON + second);
    }
    for number in 0..2_000 {
        let made_up = family(&format!("made up {number}"));
        if number % 2 == 0 {
            let opened = census.opened(Draft::Hixie76, "/tv", &made_up, NOON + 10 + number);
            census.closed(&opened, NOON + 10 + number);
        } else {
            census.refused(
                Some(Draft::Hixie76),
                Some("/tv"),
                &made_up,
                "origin",
                NOON + number,
            );
        }
    }
    let report = census.report(NOON + 20_000);
    let place = &report.places[0];
    assert!(place.families.len() < 80, "{}", place.families.len());
    let device = place
        .families
        .iter()
        .find(|it| it.name == "device")
        .unwrap();
    assert_eq!(device.opened, 3);
    assert_eq!(place.opened, 1_003, "those that made room are counted on");
    let unsaved = census.take_unsaved(NOON + 20_000);
    assert!(unsaved.places[0].families.len() < 80);
}

#[test]
fn whatever_is_open_keeps_its_name() {
    let mut census = Census::new(NOON);
    let open: Vec<Opened> = (0..200)
        .map(|n| census.opened(Draft::Hixie76, "/tv", &family(&format!("f{n}")), NOON + n))
        .collect();
    assert_eq!(census.report(NOON + 300).places[0].now, 200);
    for opened in &open {
        census.closed(opened, NOON + 400);
    }
    let report = census.report(NOON + 500);
    assert_eq!(report.places[0].now, 0);
    assert!(report.places[0].families.iter().all(|it| it.now == 0));
}

proptest! {
    /// Whatever happens and whenever the file is written, it says what was
    /// counted.
    #[test]
    fn nothing_is_lost_or_counted_twice(
        steps in prop::collection::vec((0_u8..6, 0_u8..3, 0_u64..5), 0..200),
    ) {
        let mut census = Census::new(NOON);
        let (mut file, mut open) = (State::default(), Vec::new());
        let (mut now, mut opened, mut refused) = (NOON, 0_u64, 0_u64);
        for (what, who, later) in steps {
            now += later * 10_000;
            let family = family(["a", "b", "c"][usize::from(who)]);
            match what {
                0 | 1 => {
                    open.push(census.opened(Draft::Hybi07, "/x", &family, now));
                    opened += 1;
                }
                2 => {
                    if let Some(ended) = open.pop() {
                        census.closed(&ended, now);
                    }
                }
                3 => {
                    census.refused(Some(Draft::Hybi07), Some("/x"), &family, "c", now);
                    refused += 1;
                }
                4 => {
                    file.merge(&census.take_unsaved(now));
                    census.saved(file.clone());
                }
                _ => {
                    let unsaved = census.take_unsaved(now);
                    census.not_saved(&unsaved);
                }
            }
        }
        file.merge(&census.take_unsaved(now));
        for report in [census.report(now), Report::new(&file, now)] {
            let place = report.places.iter().find(|it| it.draft.is_some());
            let families = || place.iter().flat_map(|it| &it.families);
            prop_assert_eq!(families().map(|it| it.opened).sum::<u64>(), opened);
            let counted = families().flat_map(|it| &it.refused).map(|it| it.count);
            prop_assert_eq!(counted.sum::<u64>(), refused);
        }
        let report = census.report(now);
        let shown: u32 = report.places.iter().map(|it| it.now).sum();
        prop_assert_eq!(shown as usize, open.len());
        let used = report.places.iter().map(|it| it.used(Window::DAYS_90).connections);
        prop_assert!(used.sum::<u64>() <= opened);
    }
}
