//! What the census knows at a moment, for programs and for the sentences.

use serde::{Deserialize, Serialize};

use crate::{
    State,
    state::{Counts, Place},
    when::{Seconds, Window},
};

/// Everything that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// When this was so, in seconds since 1970.
    pub at: Seconds,
    /// Whether it is known who is connected: a file does not say.
    pub live: bool,
    /// When counting began.
    pub since: Option<Seconds>,
    /// On how many of the last 90 days somebody counted.
    pub days_counted: u32,
    /// Drafts on routes, in the order of routes and drafts.
    pub places: Vec<PlaceReport>,
}

/// A draft on a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlaceReport {
    /// The draft's name; `None`: the requests were of none.
    pub draft: Option<String>,
    /// The route's path pattern; `None`: no route takes the paths.
    pub route: Option<String>,
    /// Since when the configuration has it, as far as that was counted; `None`:
    /// it does not.
    pub served_since: Option<Seconds>,
    /// Whether it is under observation.
    pub observed: bool,
    /// Connections open now.
    pub now: u32,
    /// The most that were open at once, and when.
    pub peak: u32,
    /// See [`peak`](Self::peak).
    pub peak_at: Option<Seconds>,
    /// Connections that were opened.
    pub opened: u64,
    /// When one was opened first.
    pub first_seen: Option<Seconds>,
    /// When one was open last.
    pub last_seen: Option<Seconds>,
    /// What went on lately: one entry for each of [`Window::ALL`].
    pub used: Vec<Used>,
    /// Requests that were refused.
    pub refused: u64,
    /// By family, those with most connections first.
    pub families: Vec<FamilyReport>,
}

/// What went on in a number of days: what would have been refused if the draft
/// had been switched off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Used {
    /// So many days, today included.
    pub days: u32,
    /// Connections that were opened on them.
    pub connections: u64,
    /// Families that opened them.
    pub families: usize,
}

/// A family of clients in one place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FamilyReport {
    /// What it is called.
    pub name: String,
    /// What one of them showed: its `User-Agent`, or the names of its fields.
    pub evidence: String,
    /// Connections open now.
    pub now: u32,
    /// The most that were open at once.
    pub peak: u32,
    /// Connections that were opened.
    pub opened: u64,
    /// When one was opened first.
    pub first_seen: Option<Seconds>,
    /// When one was open last.
    pub last_seen: Option<Seconds>,
    /// Why requests were refused, by code.
    pub refused: Vec<RefusedReport>,
}

/// Requests that were refused with one code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RefusedReport {
    /// The code, as in the log and in the answers.
    pub code: String,
    /// How many.
    pub count: u64,
    /// The last one.
    pub last: Seconds,
}

impl Report {
    /// What a state says; nothing is open in it.
    pub fn new(state: &State, now: Seconds) -> Self {
        let mut places: Vec<PlaceReport> = state
            .places
            .iter()
            .filter(|place| place.served.is_some() || !place.families.is_empty())
            .map(|place| PlaceReport::new(place, now))
            .collect();
        places.sort_by(|one, other| (&one.route, &one.draft).cmp(&(&other.route, &other.draft)));
        Self {
            at: now,
            live: false,
            since: state.since,
            days_counted: state.days.count(Window::DAYS_90.first(now)),
            places,
        }
    }
}

impl Report {
    /// Leaves what the configuration has and nobody had open in the window.
    pub fn keep_unused(&mut self, window: Window) {
        let at = self.at;
        let places = &mut self.places;
        places.retain(|place| place.served_since.is_some() && place.is_unused(window, at));
    }
}

impl PlaceReport {
    fn new(place: &Place, now: Seconds) -> Self {
        let counts = || place.families.values();
        let window = |window: Window| {
            let first = window.first(now);
            Used {
                days: window.days(),
                connections: place.opened(first),
                families: counts().filter(|it| it.days.since(first) > 0).count(),
            }
        };
        let mut families: Vec<FamilyReport> = place
            .families
            .iter()
            .map(|(name, counts)| FamilyReport::new(name, counts))
            .collect();
        families.sort_by_key(|family| std::cmp::Reverse(family.opened));
        let refused = families.iter().flat_map(|it| &it.refused);
        Self {
            draft: place.draft.clone(),
            route: place.route.clone(),
            served_since: place.served,
            observed: place.observed,
            now: 0,
            peak: place.peak.count,
            peak_at: (place.peak.count > 0).then_some(place.peak.at),
            opened: counts().map(|counts| counts.opened).sum(),
            first_seen: counts().filter_map(|counts| counts.first).min(),
            last_seen: counts().filter_map(|counts| counts.last).max(),
            used: Window::ALL.map(window).to_vec(),
            refused: refused.map(|refused| refused.count).sum(),
            families,
        }
    }

    /// What went on in one of [`Window::ALL`], or in the next longer one.
    pub fn used(&self, window: Window) -> Used {
        let mut used = self.used.iter();
        let longer = used.find(|used| used.days >= window.days()).copied();
        longer.unwrap_or_else(|| Used {
            days: window.days(),
            connections: self.opened,
            families: self.families.len(),
        })
    }

    /// Whether nobody had it open in the window before `now`.
    pub fn is_unused(&self, window: Window, now: Seconds) -> bool {
        let first = now.saturating_sub(window.seconds());
        self.now == 0 && self.last_seen.is_none_or(|last| last < first)
    }
}

impl FamilyReport {
    fn new(name: &str, counts: &Counts) -> Self {
        let refused = counts.refused.iter();
        let refused = refused.map(|(code, refused)| RefusedReport {
            code: code.clone(),
            count: refused.count,
            last: refused.last,
        });
        Self {
            name: name.to_owned(),
            evidence: counts.evidence.clone(),
            now: 0,
            peak: counts.peak.count,
            opened: counts.opened,
            first_seen: counts.first,
            last_seen: counts.last,
            refused: refused.collect(),
        }
    }
}
