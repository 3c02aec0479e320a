//! The counts of one process: what is open now, all that is known, and what of
//! it is not yet in the file.

use std::{collections::HashMap, sync::Arc};

use draftgate_core::Draft;

use crate::{
    Family, Report, State,
    state::{Counts, Place},
    when::{DAY, Seconds, day},
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
    /// The latest time that was told.
    latest: Seconds,
}

/// What is open in one place.
#[derive(Debug, Clone, Default)]
struct Open {
    count: u32,
    families: HashMap<Arc<str>, OpenFamily>,
}

/// What is open of a family there.
#[derive(Debug, Clone)]
struct OpenFamily {
    count: u32,
    /// What all its connections share.
    opened: Opened,
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
/// Connections that are counted as the same share it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opened(Arc<Named>);

#[derive(Debug, PartialEq, Eq)]
struct Named {
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
            latest: now,
        };
        census.tick(now);
        census
    }

    /// Goes on from what a file says.
    pub fn resume(&mut self, saved: State, now: Seconds) {
        self.all = saved;
        self.all.merge(&self.unsaved);
        self.all.serves(&self.served, now);
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
        let named = || {
            Opened(Arc::new(Named {
                draft,
                route: Arc::clone(&route),
                family,
            }))
        };
        let of_family = entry.or_insert_with(|| OpenFamily {
            count: 0,
            opened: named(),
        });
        of_family.count += 1;
        let opened = of_family.opened.clone();
        let (count, of_family) = (open.count, of_family.count);
        self.both(Some(draft), Some(&route), |place| {
            place.peak.raise(count, now);
            if let Some(counts) = place.families.get_mut(&name) {
                counts.peak.raise(of_family, now);
            }
        });
        opened
    }

    /// Counts that a connection has ended.
    pub fn closed(&mut self, Opened(ended): &Opened, now: Seconds) {
        let key = (ended.draft, Arc::clone(&ended.route));
        if let Some(open) = self.open.get_mut(&key) {
            open.count = open.count.saturating_sub(1);
            if let Some(family) = open.families.get_mut(&*ended.family) {
                family.count = family.count.saturating_sub(1);
                if family.count == 0 {
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
        if self.latest > now + DAY {
            // The clock was set back: what it said before is not to stay.
            self.all.cut(now);
            self.unsaved.cut(now);
            self.latest = now;
        }
        self.latest = self.latest.max(now);
        for state in [&mut self.all, &mut self.unsaved] {
            state.since = state.since.or(Some(now));
            if !state.days.has(day(now)) {
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
        for Opened(open) in open {
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
                    if let Some(open) = open.families.get(family.name.as_str()) {
                        (family.now, family.last_seen) = (open.count, Some(now));
                    }
                }
            }
        }
        report
    }

    fn open_families(&self) -> impl Iterator<Item = Opened> {
        let families = self.open.values().flat_map(|open| open.families.values());
        families.map(|family| family.opened.clone())
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
mod tests;
