//! What was counted, as it is kept: sums that can be added to each other, so
//! that a process adds what it counted to what others did.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{
    Family, Served,
    when::{DAY, LONGEST, NO_CLOCK, Seconds, day},
};

/// Families that peers made up and that are kept apart in one place.
const MADE_UP: usize = 64;

/// Refusals that are told apart in one family: more than there are codes.
const CODES: usize = 128;

/// Places that are kept apart: drafts on routes, those of earlier
/// configurations too.
const PLACES: usize = 4_096;

/// Days that are told apart: those one can look back, and one of a clock that
/// runs ahead.
const DAYS: usize = LONGEST as usize + 2;

/// The family of those that found no room.
pub(crate) const OTHERS: &str = "others";

/// Everything that was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct State {
    /// When counting began; `None`: nothing was counted.
    pub(crate) since: Option<Seconds>,
    /// The days on which somebody counted, oldest first.
    #[serde(default)]
    pub(crate) days: Days,
    /// By draft and route.
    pub(crate) places: Vec<Place>,
}

/// A draft on a route.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Place {
    /// The draft's name; `None`: the request was of none.
    pub(crate) draft: Option<String>,
    /// The route's path pattern; `None`: no route takes the path.
    pub(crate) route: Option<String>,
    /// Since when the configuration has it; `None`: it does not.
    #[serde(default)]
    pub(crate) served: Option<Seconds>,
    /// Whether it is under observation.
    #[serde(default)]
    pub(crate) observed: bool,
    #[serde(default)]
    pub(crate) peak: Peak,
    pub(crate) families: BTreeMap<String, Counts>,
}

/// One family in a place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Counts {
    /// Whether the name is ours, and not made up by a peer.
    #[serde(default)]
    pub(crate) known: bool,
    /// What one of them showed.
    #[serde(default)]
    pub(crate) evidence: String,
    pub(crate) opened: u64,
    #[serde(default)]
    pub(crate) first: Option<Seconds>,
    #[serde(default)]
    pub(crate) last: Option<Seconds>,
    #[serde(default)]
    pub(crate) peak: Peak,
    /// Openings by day.
    #[serde(default)]
    pub(crate) days: Days,
    /// By code.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) refused: BTreeMap<String, Refused>,
}

/// Refusals with one code.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Refused {
    pub(crate) count: u64,
    pub(crate) last: Seconds,
}

/// The most that were open at once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Peak {
    pub(crate) count: u32,
    pub(crate) at: Seconds,
}

/// How often something happened on each of the last days, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Days(Vec<(u32, u64)>);

impl Days {
    /// Counts `count` on a day.
    pub(crate) fn add(&mut self, day: u32, count: u64) {
        match self.0.binary_search_by_key(&day, |(day, _)| *day) {
            Ok(at) => self.0[at].1 = self.0[at].1.saturating_add(count),
            Err(at) => self.0.insert(at, (day, count)),
        }
        // By number and not from the newest: a clock that was wrong once makes
        // one day that does not exist, and costs one that does.
        self.0.drain(..self.0.len().saturating_sub(DAYS));
    }

    /// Drops what lies behind a day; whether there was anything.
    fn cut(&mut self, last: u32) -> bool {
        let before = self.0.len();
        self.0.retain(|(day, _)| *day <= last);
        let cut = self.0.len() < before;
        self.0.drain(..self.0.len().saturating_sub(DAYS));
        cut
    }

    /// Whether it happened on a day.
    pub(crate) fn has(&self, day: u32) -> bool {
        self.0.binary_search_by_key(&day, |(day, _)| *day).is_ok()
    }

    /// How often it happened from a day on.
    pub(crate) fn since(&self, first: u32) -> u64 {
        let later = self.0.iter().filter(|(day, _)| *day >= first);
        later.map(|(_, count)| count).sum()
    }

    /// On how many days from one on it happened.
    pub(crate) fn count(&self, first: u32) -> u32 {
        let later = self.0.iter().filter(|(day, _)| *day >= first);
        u32::try_from(later.count()).unwrap_or(u32::MAX)
    }

    fn merge(&mut self, other: &Self) {
        for (day, count) in &other.0 {
            self.add(*day, *count);
        }
    }
}

impl Peak {
    pub(crate) fn raise(&mut self, count: u32, at: Seconds) {
        if count > self.count {
            *self = Self { count, at };
        }
    }
}

impl Counts {
    fn merge(&mut self, other: &Self) {
        self.known |= other.known;
        if !other.evidence.is_empty() {
            self.evidence.clone_from(&other.evidence);
        }
        self.opened = self.opened.saturating_add(other.opened);
        self.first = [self.first, other.first].into_iter().flatten().min();
        self.last = self.last.max(other.last);
        self.peak.raise(other.peak.count, other.peak.at);
        self.days.merge(&other.days);
        for (code, refused) in &other.refused {
            self.refuse(code, refused.count, refused.last);
        }
    }

    pub(crate) fn refuse(&mut self, code: &str, count: u64, at: Seconds) {
        if !self.refused.contains_key(code) && self.refused.len() == CODES {
            return;
        }
        let refused = self.refused.entry(code.to_owned()).or_default();
        refused.count = refused.count.saturating_add(count);
        refused.last = refused.last.max(at);
    }

    /// How often it came, whatever became of it.
    fn came(&self) -> u64 {
        let refused: u64 = self.refused.values().map(|refused| refused.count).sum();
        self.opened.saturating_add(refused)
    }

    /// When it came last, whatever became of it.
    fn seen(&self) -> Option<Seconds> {
        let refused = self.refused.values().map(|refused| refused.last).max();
        self.last.max(refused)
    }
}

impl Place {
    /// Whether it is this draft on this route.
    pub(crate) fn is(&self, draft: Option<&str>, route: Option<&str>) -> bool {
        self.draft.as_deref() == draft && self.route.as_deref() == route
    }

    /// A family's counts, and under which name it is counted: where families
    /// that peers made up are many, the one that came least often makes room,
    /// of those the one that was not seen for longest. `busy` are open.
    pub(crate) fn family(
        &mut self,
        name: &str,
        known: bool,
        busy: impl Fn(&str) -> bool,
    ) -> (String, &mut Counts) {
        let mut name = name;
        if !known && !self.families.contains_key(name) {
            let made_up = self.families.iter().filter(|(_, counts)| !counts.known);
            if made_up.clone().count() >= MADE_UP {
                let idle = made_up.filter(|(name, _)| !busy(name));
                let least = idle.min_by_key(|(_, counts)| (counts.came(), counts.seen()));
                match least.map(|(name, _)| name.clone()) {
                    Some(least) => self.fold(&least),
                    None => name = OTHERS,
                }
            }
        }
        let counts = self.families.entry(name.to_owned()).or_default();
        counts.known |= known || name == OTHERS;
        (name.to_owned(), counts)
    }

    /// Counts a family among the others.
    fn fold(&mut self, name: &str) {
        if let Some(counts) = self.families.remove(name) {
            let others = self.families.entry(OTHERS.to_owned()).or_default();
            others.merge(&counts);
            others.known = true;
        }
    }

    fn merge(&mut self, other: &Self) {
        self.peak.raise(other.peak.count, other.peak.at);
        for (name, counts) in &other.families {
            let (_, mine) = self.family(name, counts.known, |_| false);
            mine.merge(counts);
        }
    }

    /// Openings on the days since `first`.
    pub(crate) fn opened(&self, first: u32) -> u64 {
        self.families.values().map(|it| it.days.since(first)).sum()
    }
}

impl State {
    /// Makes good what a clock that was wrong left behind: days in the future
    /// are dropped, and times in the future become `now`. Whether it was more
    /// than processes differ by that write at the same time. A clock that was
    /// never set cuts nothing.
    pub(crate) fn cut(&mut self, now: Seconds) -> bool {
        if now < NO_CLOCK {
            return false;
        }
        let mut cut = self.days.cut(day(now) + 1);
        let mut bound = |at: &mut Seconds| {
            cut |= *at > now + DAY;
            *at = now.min(*at);
        };
        self.since.iter_mut().for_each(&mut bound);
        for place in &mut self.places {
            place.served.iter_mut().for_each(&mut bound);
            bound(&mut place.peak.at);
            for counts in place.families.values_mut() {
                let times = [&mut counts.first, &mut counts.last];
                times.into_iter().flatten().for_each(&mut bound);
                bound(&mut counts.peak.at);
                let refused = counts.refused.values_mut();
                refused.for_each(|refused| bound(&mut refused.last));
                counts.days.cut(day(now) + 1);
            }
        }
        cut
    }

    /// The counts of a draft on a route.
    pub(crate) fn place(&mut self, draft: Option<&str>, route: Option<&str>) -> Option<&mut Place> {
        let at = self.places.iter().position(|place| place.is(draft, route));
        let at = match at {
            Some(at) => at,
            None if self.places.len() >= PLACES => return None,
            None => {
                self.places.push(Place {
                    draft: draft.map(str::to_owned),
                    route: route.map(str::to_owned),
                    ..Place::default()
                });
                self.places.len() - 1
            }
        };
        self.places.get_mut(at)
    }

    /// Adds what somebody else counted. What the configuration has is the
    /// other's word, which is newer.
    pub fn merge(&mut self, other: &Self) {
        self.since = [self.since, other.since].into_iter().flatten().min();
        self.days.merge(&other.days);
        for theirs in &other.places {
            if let Some(mine) = self.place(theirs.draft.as_deref(), theirs.route.as_deref()) {
                mine.merge(theirs);
            }
        }
    }

    /// Notes which places the configuration has.
    pub(crate) fn serves(&mut self, served: &[Served], now: Seconds) {
        for place in &mut self.places {
            let listed = served
                .iter()
                .any(|it| place.is(Some(it.draft.name()), Some(&it.route)));
            if !listed {
                place.served = None;
                place.observed = false;
            }
        }
        for it in served {
            if let Some(place) = self.place(Some(it.draft.name()), Some(&it.route)) {
                place.served = place.served.or(Some(now));
                place.observed = it.observed;
            }
        }
    }

    /// Counts one opening; the name under which it is counted.
    pub(crate) fn opened(
        &mut self,
        draft: &str,
        route: &str,
        family: &Family,
        now: Seconds,
        busy: impl Fn(&str) -> bool,
    ) -> Option<String> {
        let place = self.place(Some(draft), Some(route))?;
        let (name, counts) = place.family(&family.name, family.known, busy);
        counts.opened = counts.opened.saturating_add(1);
        counts.first = counts.first.or(Some(now));
        counts.last = counts.last.max(Some(now));
        counts.days.add(day(now), 1);
        counts.evidence.clone_from(&family.evidence);
        Some(name)
    }
}
