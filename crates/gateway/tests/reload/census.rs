//! Who speaks which draft is counted, in every draft, and known across
//! restarts and from one process to the next.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::Relaxed},
};

use draftgate_census::{PlaceReport, Report, Store, Window};
use draftgate_core::Draft;
use draftgate_gateway::{Gateway, config::Config};

use crate::common::{
    Client, HIXIE_76, KEY3, Raw, announced, captured, config, gateway, is_challenged, opening,
    soon, until,
};

/// A folder that goes with the test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Relaxed);
        let name = format!("draftgate-counted-{}-{count}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("census.json")
    }

    fn config(&self) -> Config {
        let mut config = config();
        config.census.file = Some(self.file());
        config
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn in_file(path: &Path) -> Report {
    Report::new(&Store::new(path).read().unwrap(), 0)
}

fn place(report: &Report, draft: Draft, route: &str) -> PlaceReport {
    let is = |place: &&PlaceReport| {
        place.draft.as_deref() == Some(draft.name()) && place.route.as_deref() == Some(route)
    };
    report.places.iter().find(is).cloned().unwrap()
}

#[tokio::test]
async fn each_draft_is_counted_by_route_and_family() {
    let (running, address) = gateway(config());
    for draft in announced() {
        let unused = place(&running.census(), draft, "/echo");
        assert_eq!((unused.now, unused.opened), (0, 0), "{draft}");
        let one = Client::open(address, draft, "/echo").await;
        let other = Client::open(address, draft, "/echo").await;
        until("both are counted", || {
            place(&running.census(), draft, "/echo").now == 2
        })
        .await;
        drop((one, other));
        until("both are gone", || {
            place(&running.census(), draft, "/echo").now == 0
        })
        .await;
        let used = place(&running.census(), draft, "/echo");
        assert_eq!((used.peak, used.opened), (2, 2), "{draft}");
        let [family] = used.families.as_slice() else {
            panic!("{draft}: {:?}", used.families)
        };
        assert!(!family.evidence.is_empty(), "{draft}: {family:?}");
        let bus = place(&running.census(), draft, "/bus/{channel}");
        assert_eq!(bus.opened, 0, "{draft}");
    }
    let text = running.census().sentences(Window::DAYS_90);
    assert!(text.contains("nothing can be said of 90 days"), "{text}");
}

#[tokio::test]
async fn refusals_are_counted_with_who_was_refused() {
    let mut config = config();
    config.listeners[0].timeouts.key3 = std::time::Duration::from_millis(50);
    let (running, address) = gateway(config);
    for draft in announced() {
        let asks = opening(draft).replace("http://localhost", "http://elsewhere.example");
        let mut raw = Raw::say(address, asks).await;
        if is_challenged(draft) {
            raw.write(KEY3).await;
        }
        raw.refusal().await;
        let refused = place(&running.census(), draft, "/echo");
        assert_eq!((refused.opened, refused.refused), (0, 1), "{draft}");
        let reason = &refused.families[0].refused[0];
        assert_eq!(reason.code, "origin-refused", "{draft}");
    }
    // Its answer went, but key3 never came.
    let mut raw = Raw::say(address, HIXIE_76).await;
    raw.rest().await;
    let late = || place(&running.census(), Draft::Hixie76, "/echo");
    until("it is counted", || late().refused == 2).await;
    let family = late()
        .families
        .iter()
        .find(|it| it.refused.len() == 2)
        .cloned();
    assert!(
        family.is_some(),
        "of the same family: {:?}",
        late().families
    );
    // What asks for no WebSocket is no client of a draft.
    let asks = "GET /nowhere HTTP/1.1\r\nHost: a\r\nUser-Agent: scanner/1\r\n\r\n";
    Raw::say(address, asks).await.refusal().await;
    let report = running.census();
    let outside = report.places.iter().find(|place| place.route.is_none());
    let families = outside.map(|place| place.families.clone()).unwrap();
    assert_eq!(families[0].name, "agent scanner");
}

#[tokio::test]
async fn a_restart_keeps_the_counts() {
    let folder = Folder::new();
    for round in 1..=2 {
        let (running, address) = gateway(folder.config());
        for draft in announced() {
            let client = Client::open(address, draft, "/echo").await;
            drop(client);
        }
        until("all are gone", || running.counts().connections == 0).await;
        soon("it stops", running.drain()).await;
        let report = in_file(&folder.file());
        for draft in announced() {
            let counted = place(&report, draft, "/echo");
            assert_eq!((counted.opened, counted.peak), (round, 1), "{draft}");
        }
    }
    // It is known again before anybody comes.
    let (running, _) = gateway(folder.config());
    for draft in announced() {
        until("what the file says is known", || {
            place(&running.census(), draft, "/echo").opened == 2
        })
        .await;
    }
}

#[tokio::test]
async fn a_hand_over_loses_no_count() {
    let folder = Folder::new();
    let (old, address) = gateway(folder.config());
    let before = Client::open(address, Draft::Hixie76, "/echo").await;
    let mut config = folder.config();
    config.routes[0].observe = vec![Draft::Hixie76];
    let new = Gateway::bind(config).unwrap();
    let after = Client::open(new.addrs()[0], Draft::Hixie76, "/echo").await;
    let leaves = tokio::spawn(old.hand_over());
    drop(before);
    soon("the old one ends", leaves).await.unwrap();
    drop(after);
    until("it is gone", || new.counts().connections == 0).await;
    soon("the new one ends", new.drain()).await;
    let counted = place(&in_file(&folder.file()), Draft::Hixie76, "/echo");
    assert_eq!(counted.opened, 2);
    assert!(counted.observed, "the new one says what is configured");
}

#[tokio::test]
async fn a_damaged_file_is_put_aside_and_everybody_served() {
    let folder = Folder::new();
    fs::write(folder.file(), "{ \"version\": 1, \"cen").unwrap();
    let (lines, _guard) = captured();
    let (running, address) = gateway(folder.config());
    let client = Client::open(address, Draft::Hybi13, "/echo").await;
    drop(client);
    until("it is gone", || running.counts().connections == 0).await;
    soon("it stops", running.drain()).await;
    assert_eq!(
        place(&in_file(&folder.file()), Draft::Hybi13, "/echo").opened,
        1
    );
    let aside = lines
        .all()
        .into_iter()
        .find(|line| line["aside"].is_string());
    let aside = aside.unwrap()["aside"].as_str().unwrap().to_owned();
    assert_eq!(
        fs::read_to_string(aside).unwrap(),
        "{ \"version\": 1, \"cen"
    );
}

#[tokio::test]
async fn a_file_that_cannot_be_written_harms_nobody() {
    let folder = Folder::new();
    let mut config = config();
    config.census.file = Some(folder.0.join("nowhere").join("census.json"));
    let (lines, _guard) = captured();
    let (running, address) = gateway(config);
    let _client = Client::open(address, Draft::Hybi13, "/echo").await;
    let warned = || {
        lines.all().iter().any(|line| {
            line["message"]
                .as_str()
                .is_some_and(|it| it.contains("stays in memory"))
        })
    };
    until("it is said", warned).await;
    until("it is counted", || {
        place(&running.census(), Draft::Hybi13, "/echo").now == 1
    })
    .await;
}

#[tokio::test]
async fn what_is_observed_is_served_and_told() {
    let (lines, _guard) = captured();
    let mut config = config();
    let observed = announced();
    config.routes[0].observe.clone_from(&observed);
    let (running, address) = gateway(config);
    for draft in announced() {
        let client = Client::open(address, draft, "/echo").await;
        let elsewhere = Client::open(address, draft, "/bus/a").await;
        let told = || {
            let told = lines.with("code", "observed-draft");
            told.iter().filter(|it| it["draft"] == draft.name()).count()
        };
        until("it is told", || told() == 1).await;
        let counted = place(&running.census(), draft, "/echo");
        assert!(counted.observed);
        let lately = counted.used(Window::DAYS_90);
        assert_eq!((lately.connections, lately.families), (1, 1), "{draft}");
        assert!(!place(&running.census(), draft, "/bus/{channel}").observed);
        drop((client, elsewhere));
    }
    let text = running.census().sentences(Window::DAYS_90);
    let said = "Observed: switched off, it would have refused 1 connection of 1 family in 1 day";
    assert_eq!(text.matches(said).count(), observed.len(), "{text}");
}
