//! Metrics are what really happened, and never go back.

use std::collections::BTreeMap;

use draftgate_core::{Close, Closing, Draft, Message};
use draftgate_gateway::config::{Quirk, QuirkFor};

use crate::{
    asking::{ask, rig, value},
    common::{Client, HIXIE_76, KEY3, Raw, announced, config, gateway, opening, soon, until},
};

#[tokio::test]
async fn a_quirk_is_counted_where_it_is_applied() {
    let mut config = config();
    for route in &mut config.routes {
        *route.quirks.of_mut(Quirk::LocationWithoutQuery) = QuirkFor::All;
    }
    let rig = rig(config);
    for draft in [Draft::Hixie75, Draft::Hixie75, Draft::Hybi13] {
        Raw::say(rig.address, opening(draft)).await.head().await;
    }
    for (quirk, count) in [
        ("location-without-query", 2.0),
        ("short-key", 0.0),
        ("mask-of-connection", 0.0),
        ("unmasked", 0.0),
    ] {
        let name = format!("draftgate_quirks_total{{quirk=\"{quirk}\"}}");
        assert_eq!(rig.metric(&name).await, count, "{quirk}");
    }
}

#[tokio::test]
async fn counters_are_what_happened_in_every_draft() {
    let rig = rig(config());
    let mut octets: BTreeMap<Draft, f64> = BTreeMap::new();
    for (index, draft) in announced().into_iter().enumerate() {
        let mut client = Client::open(rig.address, draft, "/echo").await;
        let texts = index + 1;
        for _ in 0..texts {
            client.send("text").await;
            client.message().await;
        }
        let binary = client.codec.capabilities().binary;
        if binary {
            client.send(Message::Binary(vec![0; 300].into())).await;
            client.message().await;
        }
        let labels = |rest: &str| format!("{{draft=\"{draft}\",{rest}}}");
        for direction in ["in", "out"] {
            let text = labels(&format!("direction=\"{direction}\",type=\"text\""));
            let told = rig.metric(&format!("draftgate_messages_total{text}")).await;
            assert_eq!(told, texts as f64, "{draft}");
            let other = labels(&format!("direction=\"{direction}\",type=\"binary\""));
            let told = rig
                .metric(&format!("draftgate_messages_total{other}"))
                .await;
            assert_eq!(told, f64::from(u8::from(binary)), "{draft}");
        }
        assert_eq!(
            rig.metric(&format!("draftgate_connections{{draft=\"{draft}\"}}"))
                .await,
            1.0
        );
        let closing = client.codec.capabilities().closing;
        let close = (closing == Closing::Coded).then(|| Close::new(1000, ""));
        client.close(close).await;
        client.end().await;
        drop(client);
        until("it is over", || rig.running.counts().open == 0).await;
        assert_eq!(
            rig.metric(&format!("draftgate_connections{{draft=\"{draft}\"}}"))
                .await,
            0.0
        );
        let code = if closing == Closing::Coded {
            "1000"
        } else {
            "none"
        };
        let closed = labels(&format!("code=\"{code}\",initiator=\"peer\""));
        assert_eq!(
            rig.metric(&format!("draftgate_closes_total{closed}")).await,
            1.0
        );
        let accepted = labels("result=\"accepted\"");
        assert_eq!(
            rig.metric(&format!("draftgate_handshakes_total{accepted}"))
                .await,
            1.0
        );
        for histogram in ["handshake", "connection"] {
            let name = format!("draftgate_{histogram}_duration_seconds_count{{draft=\"{draft}\"}}");
            assert_eq!(rig.metric(&name).await, 1.0);
        }
        // What has ended counts as it did while it lasted.
        let text = labels("direction=\"in\",type=\"text\"");
        assert_eq!(
            rig.metric(&format!("draftgate_messages_total{text}")).await,
            texts as f64
        );
        let bytes = labels("direction=\"out\"");
        octets.insert(
            draft,
            rig.metric(&format!("draftgate_bytes_total{bytes}")).await,
        );
    }
    assert!(octets.values().all(|octets| *octets > 100.0), "{octets:?}");
    assert_eq!(
        rig.metric("draftgate_accepted_connections_total").await,
        announced().len() as f64
    );
}

#[tokio::test]
async fn refused_and_abandoned_handshakes_are_counted_by_draft_and_code() {
    let mut config = config();
    config.listeners[0].timeouts.key3 = std::time::Duration::from_millis(50);
    let rig = rig(config);
    for draft in announced() {
        let foreign = opening(draft).replace("http://localhost", "http://evil.example");
        let mut raw = Raw::say(rig.address, &foreign).await;
        if foreign.contains("Key1") {
            raw.write(KEY3).await;
        }
        raw.refusal().await;
        let refused = format!("draftgate_handshakes_total{{draft=\"{draft}\",result=\"refused\"}}");
        assert_eq!(rig.metric(&refused).await, 1.0, "{draft}");
    }
    let code = "draftgate_refusals_total{code=\"origin-refused\"}";
    assert_eq!(rig.metric(code).await, announced().len() as f64);
    // Told by the driver, when the head had been answered.
    Raw::say(rig.address, HIXIE_76).await.rest().await;
    let late = "draftgate_refusals_total{code=\"opening-timeout\"}";
    until("the timeout", || {
        rig.running.counts().refused_for("opening-timeout") == 1
    })
    .await;
    assert_eq!(rig.metric(late).await, 1.0);
    drop(Raw::say(rig.address, HIXIE_76).await);
    until("it is gone", || rig.running.counts().connections == 0).await;
    let abandoned = "draftgate_handshakes_total{draft=\"hixie-76\",result=\"abandoned\"}";
    assert_eq!(rig.metric(abandoned).await, 1.0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_counter_goes_back_while_connections_come_and_go() {
    let rig = rig(config());
    let (address, admin) = (rig.address, rig.admin);
    let clients: Vec<_> = announced()
        .into_iter()
        .map(|draft| {
            tokio::spawn(async move {
                for _ in 0..30 {
                    let mut client = Client::open(address, draft, "/echo").await;
                    client.send("one").await;
                    client.message().await;
                    client.close(None).await;
                    client.end().await;
                }
            })
        })
        .collect();
    let scrapers: Vec<_> = (0..2)
        .map(|_| {
            tokio::spawn(async move {
                let mut before: BTreeMap<String, f64> = BTreeMap::new();
                let mut scrapes = 0;
                loop {
                    let scraped = ask(admin, "GET", "/metrics", "").await.body;
                    scrapes += 1;
                    for line in scraped.lines().filter(|line| !line.starts_with('#')) {
                        let (name, now) = line.rsplit_once(' ').unwrap();
                        let now: f64 = now.parse().unwrap();
                        let counts = name.contains("_total") || name.contains("_count");
                        let was = before.insert(name.to_owned(), now);
                        assert!(
                            !counts || was.is_none_or(|was| was <= now),
                            "{name}: {was:?}, {now}"
                        );
                    }
                    for (name, _) in before.iter().filter(|(name, _)| name.contains("_total")) {
                        assert!(value(&scraped, name).is_some(), "{name} has gone");
                    }
                    let done = before.get("draftgate_accepted_connections_total").copied();
                    if done == Some((30 * announced().len()) as f64) {
                        return scrapes;
                    }
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    for scraper in scrapers {
        assert!(scraper.await.unwrap() > 1);
    }
    until("all are over", || rig.running.counts().open == 0).await;
    for draft in announced() {
        let text = format!("{{draft=\"{draft}\",direction=\"in\",type=\"text\"}}");
        assert_eq!(
            rig.metric(&format!("draftgate_messages_total{text}")).await,
            30.0
        );
    }
}

#[tokio::test]
async fn a_scrape_is_in_the_format_that_is_asked_for_and_has_every_metric() {
    let rig = rig(config());
    let classic = rig.ask("GET", "/metrics", "").await;
    assert!(
        classic
            .head
            .contains("\r\ncontent-type: text/plain; version=0.0.4"),
        "{classic:?}"
    );
    assert!(!classic.body.contains("# EOF"));
    let accept = "Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n";
    let open = rig.ask("GET", "/metrics", accept).await;
    assert!(
        open.head
            .contains("\r\ncontent-type: application/openmetrics-text; version=1.0.0"),
        "{open:?}"
    );
    assert!(open.body.ends_with("# EOF\n"));
    let table = draftgate_gateway::metrics_table();
    let mut listed = 0;
    for row in table.lines().skip(2) {
        let name = row.split('`').nth(1).unwrap();
        assert!(
            classic.body.contains(&format!("\n# TYPE {name} "))
                || classic.body.contains(&format!("# TYPE {name} ")),
            "{name}"
        );
        listed += 1;
    }
    assert_eq!(classic.body.matches("# TYPE ").count(), listed);
}

#[tokio::test]
async fn a_census_that_cannot_be_written_is_told() {
    let metric = "draftgate_census_last_write_successful";
    assert_eq!(rig(config()).metric(metric).await, 1.0);
    let mut config = config();
    // There is no folder of the name of a file.
    let program = std::env::current_exe().unwrap();
    config.census.file = Some(program.join("census.json"));
    let rig = rig(config);
    soon("the metric", async {
        while rig.metric(metric).await != 0.0 {}
    })
    .await;
}

#[tokio::test]
async fn without_an_admin_listener_nothing_is_kept_for_one() {
    let (running, address) = gateway(config());
    assert_eq!(running.admin_addr(), None);
    let mut client = Client::open(address, Draft::Hybi13, "/echo").await;
    client.send("text").await;
    client.message().await;
    assert_eq!(running.counts().open, 1);
}
