//! The census as sentences: whether anybody still uses a draft, and no more
//! than the time that was counted can prove.

use std::fmt::Write as _;

use crate::{
    FamilyReport, PlaceReport, Report,
    when::{Seconds, Window, ago, date},
};

/// Families and reasons that a sentence names; the rest is summed up.
const NAMED: usize = 5;

impl Report {
    /// One sentence for each draft on each route, with who uses it, who was
    /// refused, and what is observed. `window` is how long nobody must have
    /// used a draft.
    pub fn sentences(&self, window: Window) -> String {
        let mut text = self.counted(window);
        for place in &self.places {
            text.push('\n');
            self.place(&mut text, place, window);
        }
        if self.places.is_empty() {
            text += "\nNobody was seen, and the configuration has no route.\n";
        }
        text
    }

    /// Since when counting goes on, and what that is too short for.
    fn counted(&self, window: Window) -> String {
        let Some(since) = self.since else {
            return "Nothing was counted yet.\n".to_owned();
        };
        let passed = self.at.saturating_sub(since);
        let mut text = format!("Counted since {} ({})", date(since), lasting(passed));
        if passed < window.seconds() {
            let _ = write!(text, "; nothing can be said of {window}");
        } else if self.days_counted < Window::DAYS_90.days() {
            let _ = write!(
                text,
                ", on {} of the last {} days",
                self.days_counted,
                Window::DAYS_90.days()
            );
        }
        text + ".\n"
    }

    // Writing to a String cannot fail.
    fn place(&self, text: &mut String, place: &PlaceReport, window: Window) {
        let draft = place.draft.as_deref().unwrap_or("no draft");
        let name = match &place.route {
            Some(route) => format!("{draft} on {route}"),
            None => format!("{draft} outside of every route"),
        };
        if place.opened == 0 && place.served_since.is_none() {
            let _ = writeln!(text, "{name}: refused only.");
        } else if place.is_unused(window, self.at) {
            let _ = writeln!(text, "{}", self.unused(&name, place, window));
        } else {
            let _ = writeln!(text, "{}", self.used(&name, place));
        }
        if place.opened > 0 && place.served_since.is_none() {
            text.push_str("  The configuration does not have it any more.\n");
        }
        if place.observed {
            let _ = writeln!(text, "  {}", observed(place));
        }
        self.refused(text, place);
    }

    fn used(&self, name: &str, place: &PlaceReport) -> String {
        let mut facts = Vec::new();
        if self.live {
            facts.push(format!("{} now", place.now));
        }
        if let Some(at) = place.peak_at {
            facts.push(format!("{} at most ({})", place.peak, date(at)));
        }
        if let (0, Some(last)) = (place.now, place.last_seen) {
            facts.push(format!("last seen {}", ago(last, self.at)));
        }
        let opened = place.families.iter().filter(|it| it.opened > 0);
        let listed = list(opened, |family| (family.name.clone(), family.opened));
        let s = if place.opened == 1 { "" } else { "s" };
        let facts = facts.join(", ");
        format!("{name}: {facts}; {} connection{s}: {listed}.", place.opened)
    }

    fn unused(&self, name: &str, place: &PlaceReport, window: Window) -> String {
        let last = match place.last_seen {
            Some(last) => format!(" (last seen on {})", date(last)),
            None => String::new(),
        };
        let counted = self.since.max(place.served_since);
        let passed = self.at.saturating_sub(counted.unwrap_or(self.at));
        if place.last_seen.is_some() || passed >= window.seconds() {
            return format!("Nobody has used {name} for {window}{last}.");
        }
        let since = match place.served_since > self.since {
            true => "since it was configured",
            false => "since counting began",
        };
        format!(
            "Nobody has used {name} {since} ({}); nothing can be said of {window}.",
            ago(counted.unwrap_or(self.at), self.at)
        )
    }

    fn refused(&self, text: &mut String, place: &PlaceReport) {
        let mut reasons: Vec<(&str, u64, Seconds, &FamilyReport)> = Vec::new();
        for family in &place.families {
            for refused in &family.refused {
                let known = reasons.iter_mut().find(|(code, ..)| *code == refused.code);
                match known {
                    Some((_, count, last, latest)) => {
                        *count += refused.count;
                        if refused.last > *last {
                            (*last, *latest) = (refused.last, family);
                        }
                    }
                    None => reasons.push((&refused.code, refused.count, refused.last, family)),
                }
            }
        }
        reasons.sort_by_key(|(_, count, ..)| std::cmp::Reverse(*count));
        for (code, count, last, family) in reasons {
            let _ = writeln!(
                text,
                "  Refused {count} with {code}, the last {}: {}",
                ago(last, self.at),
                match family.evidence.as_str() {
                    "" => family.name.clone(),
                    evidence => format!("{} ({evidence})", family.name),
                }
            );
        }
    }
}

fn observed(place: &PlaceReport) -> String {
    let told: Vec<String> = place
        .used
        .iter()
        .map(|used| {
            let families = match used.families {
                1 => "1 family".to_owned(),
                families => format!("{families} families"),
            };
            let s = if used.connections == 1 { "" } else { "s" };
            let connections = format!("{} connection{s}", used.connections);
            format!("{connections} of {families} in {}", days(used.days))
        })
        .collect();
    match place.used.last() {
        Some(used) if used.connections > 0 => format!(
            "Observed: switched off, it would have refused {}.",
            told.join(", ")
        ),
        _ if place.now > 0 => {
            "Observed: switched off, it would refuse those that are connected when they come back."
                .to_owned()
        }
        _ => "Observed: switched off, it would have refused nobody.".to_owned(),
    }
}

fn days(days: u32) -> String {
    match days {
        1 => "1 day".to_owned(),
        days => format!("{days} days"),
    }
}

/// `12 days`, `3 hours`.
fn lasting(seconds: Seconds) -> String {
    let many = |count: Seconds, unit: &str| match count {
        1 => format!("1 {unit}"),
        count => format!("{count} {unit}s"),
    };
    match seconds {
        0..120 => many(seconds, "second"),
        120..7_200 => many(seconds / 60, "minute"),
        7_200..172_800 => many(seconds / 3_600, "hour"),
        _ => many(seconds / 86_400, "day"),
    }
}

fn list<'a>(
    items: impl Iterator<Item = &'a FamilyReport>,
    name: impl Fn(&FamilyReport) -> (String, u64),
) -> String {
    let items: Vec<(String, u64)> = items.map(name).collect();
    let mut named: Vec<String> = items
        .iter()
        .take(NAMED)
        .map(|(name, count)| format!("{name} {count}"))
        .collect();
    if let Some(rest) = items.get(NAMED..).filter(|rest| !rest.is_empty()) {
        let count: u64 = rest.iter().map(|(_, count)| count).sum();
        named.push(format!("{} more families {count}", rest.len()));
    }
    named.join(", ")
}

#[cfg(test)]
mod tests {
    use draftgate_core::Draft;

    use super::*;
    use crate::{Census, Family, Served};

    const NOON: Seconds = 1_793_620_800;
    const DAY: Seconds = 86_400;

    fn family(name: &str) -> Family {
        Family {
            name: name.to_owned(),
            known: true,
            evidence: "Upgrade, Host".to_owned(),
        }
    }

    fn census() -> Census {
        let mut census = Census::new(NOON);
        let served = [Draft::Hixie75, Draft::Hixie76].map(|draft| Served::new(draft, "/tv"));
        census.serves(served, NOON);
        census
    }

    #[test]
    fn nobody_for_90_days_is_said_after_90_days() {
        let mut census = census();
        let set = census.opened(Draft::Hixie76, "/tv", &family("a TV"), NOON + DAY);
        census.closed(&set, NOON + DAY);
        let text = census.report(NOON + 12 * DAY).sentences(Window::DAYS_90);
        assert_eq!(
            text,
            "Counted since 2026-11-02 (12 days); nothing can be said of 90 days.\n\
             \nNobody has used hixie-75 on /tv since counting began (12 days ago); nothing can be said of 90 days.\n\
             \nhixie-76 on /tv: 0 now, 1 at most (2026-11-03), last seen 11 days ago; 1 connection: a TV 1.\n"
        );
        let text = census.report(NOON + 92 * DAY).sentences(Window::DAYS_90);
        assert!(
            text.contains("\nNobody has used hixie-75 on /tv for 90 days.\n"),
            "{text}"
        );
        let unused = "\nNobody has used hixie-76 on /tv for 90 days (last seen on 2026-11-03).\n";
        assert!(text.contains(unused), "{text}");
    }

    #[test]
    fn what_was_configured_later_was_counted_for_less() {
        let mut census = census();
        let later = NOON + 89 * DAY;
        census.serves([Served::new(Draft::Hybi07, "/new")], later);
        let text = census.report(NOON + 92 * DAY).sentences(Window::DAYS_90);
        let said = "Nobody has used hybi-07 on /new since it was configured (3 days ago); nothing can be said of 90 days.";
        assert!(text.contains(said), "{text}");
        assert!(
            !text.contains("hixie-75"),
            "nobody serves it any more: {text}"
        );
    }

    #[test]
    fn gaps_in_counting_are_told() {
        let mut census = census();
        census.tick(NOON + DAY);
        let text = census.report(NOON + 95 * DAY).sentences(Window::DAYS_90);
        assert!(text.contains(", on 0 of the last 90 days"), "{text}");
    }

    #[test]
    fn an_observed_draft_says_what_switching_it_off_would_refuse() {
        let mut census = census();
        census.serves([Served::new(Draft::Hixie76, "/tv").observed(true)], NOON);
        let said = |census: &Census, now| census.report(now).sentences(Window::DAYS_90);
        let text = said(&census, NOON);
        assert!(text.contains("it would have refused nobody"), "{text}");
        for (day, name) in [(0, "a"), (25, "b"), (29, "b")] {
            census.opened(Draft::Hixie76, "/tv", &family(name), NOON + day * DAY);
        }
        let text = said(&census, NOON + 29 * DAY);
        let observed = "  Observed: switched off, it would have refused 1 connection of 1 family in 1 day, 2 connections of 1 family in 7 days, 3 connections of 2 families in 30 days, 3 connections of 2 families in 90 days.\n";
        assert!(text.contains(observed), "{text}");
    }

    #[test]
    fn refusals_are_told_with_an_example() {
        let mut census = census();
        let tv = Some("/tv");
        for later in [1, 2] {
            census.refused(
                Some(Draft::Hixie76),
                tv,
                &family("a TV"),
                "origin-missing",
                NOON + later,
            );
        }
        census.refused(None, None, &family("a scanner"), "path-unknown", NOON);
        let text = census.report(NOON + 7_300).sentences(Window::DAYS_90);
        for said in [
            "  Refused 2 with origin-missing, the last 2 hours ago: a TV (Upgrade, Host)\n",
            "no draft outside of every route: refused only.\n",
        ] {
            assert!(text.contains(said), "{text}");
        }
    }
}
