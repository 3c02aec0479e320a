//! The counts of one process: what is open now, all that is known, and what of
//! it is not yet in the file.

use std::{collections::HashMap, sync::Arc};

use draftgate_core::Draft;

use crate::{
    Family, Report, State,
    state::{Counts, Place},
    when::{Seconds, day},
};

/// Counts who speaks which draft.
#[derive(Debug, Clone)]
pub struct Census {
    /// Everything, also what others counted.
    all: State,
    /// What was counted since the file was written.
    unsaved: State,
    open: HashMap<(&'static str, Arc<str>), Open>,
    served: Vec<Served>,
}

/// What is open in one place.
#[derive(Debug, Clone, Default)]
struct Open {
    count: u32,
    families: HashMap<Arc<str>, u32>,
}

/// A draft on a route that the configuration has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Served {
    pub(crate) draft: Draft,
    pub(crate) route: String,
    pub(crate) observed: bool,
}

impl Served {
    /// This draft on the route with this path pattern.
    pub fn new(draft: Draft, route: impl Into<String>) -> Self {
        Self {
            draft,
            route: route.into(),
            observed: false,
        }
    }

    /// Whether it is this draft, under observation.
    pub fn observes(&self, draft: Draft) -> bool {
        self.observed && self.draft == draft
    }

    /// The same, under observation: what switching it off would refuse is told.
    #[must_use]
    pub fn observed(self, observed: bool) -> Self {
        Self { observed, ..self }
    }
}

/// A connection that was counted as open, for its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened {
    draft: &'static str,
    route: Arc<str>,
    family: Arc<str>,
}

impl Census {
    /// Begins to count.
    pub fn new(now: Seconds) -> Self {
        let mut census = Self {
            all: State::default(),
            unsaved: State::default(),
            open: HashMap::new(),
            served: Vec::new(),
        };
        census.tick(now);
        census
    }

    /// Goes on from what a file says.
    pub fn resume(&mut self, saved: State) {
        self.all = saved;
        self.all.merge(&self.unsaved);
    }

    /// Notes what the configuration has from now on.
    pub fn serves(&mut self, served: impl IntoIterator<Item = Served>, now: Seconds) {
        self.served = served.into_iter().collect();
        self.all.serves(&self.served, now);
    }

    /// Counts a connection that was opened; what it returns ends it.
    pub fn opened(&mut self, draft: Draft, route: &str, family: &Family, now: Seconds) -> Opened {
        let draft = draft.name();
        self.tick(now);
        // Connections share the names of what they are counted under.
        let entry = self.open.entry((draft, route.into()));
        let route = Arc::clone(&entry.key().1);
        let open = entry.or_default();
        let busy = |name: &str| open.families.contains_key(name);
        let name = self.all.opened(draft, &route, family, now, busy);
        self.unsaved.opened(draft, &route, family, now, |_| false);
        let name = name.unwrap_or_else(|| family.name.clone());
        open.count += 1;
        let entry = open.families.entry(name.as_str().into());
        let family = Arc::clone(entry.key());
        let of_family = entry.or_default();
        *of_family += 1;
        let (count, of_family) = (open.count, *of_family);
        self.both(Some(draft), Some(&route), |place| {
            place.peak.raise(count, now);
            if let Some(counts) = place.families.get_mut(&name) {
                counts.peak.raise(of_family, now);
            }
        });
        Opened {
            draft,
            route,
            family,
        }
    }

    /// Counts that a connection has ended.
    pub fn closed(&mut self, ended: &Opened, now: Seconds) {
        let key = (ended.draft, Arc::clone(&ended.route));
        if let Some(open) = self.open.get_mut(&key) {
            open.count = open.count.saturating_sub(1);
            if let Some(count) = open.families.get_mut(&*ended.family) {
                *count = count.saturating_sub(1);
                if *count == 0 {
                    open.families.remove(&*ended.family);
                }
            }
            if open.count == 0 {
                self.open.remove(&key);
            }
        }
        self.seen(ended.draft, &ended.route, &ended.family, now);
    }

    /// Counts a request that was refused. `code` is one of the gateway's, and
    /// `route` the pattern of the route that takes the path, if one does.
    pub fn refused(
        &mut self,
        draft: Option<Draft>,
        route: Option<&str>,
        family: &Family,
        code: &str,
        now: Seconds,
    ) {
        let draft = draft.map(Draft::name);
        self.tick(now);
        for state in [&mut self.all, &mut self.unsaved] {
            let Some(place) = state.place(draft, route) else {
                continue;
            };
            let open = draft
                .zip(route)
                .and_then(|(draft, route)| self.open.get(&(draft, route.into())));
            let busy = |name: &str| open.is_some_and(|open| open.families.contains_key(name));
            let (_, counts) = place.family(&family.name, family.known, busy);
            counts.refuse(code, 1, now);
            counts.evidence.clone_from(&family.evidence);
        }
    }

    /// Notes that counting goes on: a day without anybody was counted too.
    pub fn tick(&mut self, now: Seconds) {
        for state in [&mut self.all, &mut self.unsaved] {
            state.since = state.since.or(Some(now));
            if state.days.count(day(now)) == 0 {
                state.days.add(day(now), 1);
            }
        }
    }

    /// Whether the file does not say it yet, or somebody is connected, who is
    /// seen each time it is written.
    pub fn is_to_be_saved(&self) -> bool {
        self.unsaved != State::default() || !self.open.is_empty()
    }

    /// What is to be added to the file; [`saved`](Self::saved) or
    /// [`not_saved`](Self::not_saved) has to follow. Whoever is still connected
    /// was seen just now.
    pub fn take_unsaved(&mut self, now: Seconds) -> State {
        self.tick(now);
        let open: Vec<Opened> = self.open_families().collect();
        for open in open {
            self.seen(open.draft, &open.route, &open.family, now);
        }
        std::mem::take(&mut self.unsaved)
    }

    /// The file says `saved` now.
    pub fn saved(&mut self, saved: State) {
        self.all = saved;
        let unsaved = self.unsaved.clone();
        self.all.merge(&unsaved);
    }

    /// What was to be added could not be written, and is kept for the next time.
    pub fn not_saved(&mut self, unsaved: &State) {
        self.unsaved.merge(unsaved);
    }

    /// What the configuration has, for [`Store::save`](crate::Store::save).
    pub fn served(&self) -> &[Served] {
        &self.served
    }

    /// What is known now.
    pub fn report(&self, now: Seconds) -> Report {
        let mut report = Report::new(&self.all, now);
        report.live = true;
        for place in &mut report.places {
            let (Some(draft), Some(route)) = (&place.draft, &place.route) else {
                continue;
            };
            let mut open = self.open.iter();
            let open = open.find(|((name, path), _)| *name == draft && **path == **route);
            if let Some((_, open)) = open {
                place.now = open.count;
                place.last_seen = Some(now);
                for family in &mut place.families {
                    if let Some(count) = open.families.get(family.name.as_str()) {
                        (family.now, family.last_seen) = (*count, Some(now));
                    }
                }
            }
        }
        report
    }

    fn open_families(&self) -> impl Iterator<Item = Opened> {
        self.open.iter().flat_map(|((draft, route), open)| {
            open.families.keys().map(|family| Opened {
                draft,
                route: Arc::clone(route),
                family: Arc::clone(family),
            })
        })
    }

    /// Notes that somebody of a family was connected at this time.
    fn seen(&mut self, draft: &'static str, route: &str, family: &str, now: Seconds) {
        for state in [&mut self.all, &mut self.unsaved] {
            if let Some(place) = state.place(Some(draft), Some(route)) {
                // It was counted under this name before, so that it is no new one.
                let (_, counts): (_, &mut Counts) = place.family(family, false, |_| false);
                counts.last = counts.last.max(Some(now));
            }
        }
    }

    fn both(&mut self, draft: Option<&str>, route: Option<&str>, change: impl Fn(&mut Place)) {
        for state in [&mut self.all, &mut self.unsaved] {
            if let Some(place) = state.place(draft, route) {
                change(place);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::when::Window;

    const NOON: Seconds = 1_793_620_800;
    const DAY: Seconds = 86_400;

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
        new.resume(file.clone());
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
}
