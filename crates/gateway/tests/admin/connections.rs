//! Who is connected.

use crate::{
    asking::{Rig, rig},
    common::{Client, announced, config, until},
};

/// The ids that are listed under `query`.
async fn ids(rig: &Rig, query: &str) -> Vec<String> {
    let listed = rig.get(&format!("/api/connections{query}")).await;
    let listed = listed["connections"].as_array().unwrap().clone();
    let id = |it: &serde_json::Value| it["id"].as_str().unwrap().to_owned();
    listed.iter().map(id).collect()
}

#[tokio::test]
async fn each_connection_is_told_with_what_went_over_it() {
    let rig = rig(config());
    for draft in announced() {
        let mut client = Client::open(rig.address, draft, "/echo?token=s3cret-and-long").await;
        for text in ["one", "two", "three"] {
            client.send(text).await;
            client.message().await;
        }
        let listed = rig.get(&format!("/api/connections?draft={draft}")).await;
        assert_eq!(
            (listed["total"].as_u64(), listed["listed"].as_u64()),
            (Some(1), Some(1))
        );
        let told = &listed["connections"][0];
        assert_eq!(told["draft"], draft.name());
        for (key, value) in [
            ("state", "open"),
            ("route", "/echo"),
            ("path", "/echo"),
            ("origin", "http://localhost"),
        ] {
            assert_eq!(told[key], value, "{told}");
        }
        assert_eq!(told["peer"], client.tcp.local_addr().unwrap().to_string());
        for key in ["text_in", "text_out"] {
            assert_eq!(told[key], 3, "{draft}: {told}");
        }
        assert_eq!(
            (&told["binary_in"], &told["queued_octets"]),
            (&0.into(), &0.into())
        );
        assert!(told["head"].is_null(), "a list has no heads: {told}");
        // One alone is told with its handshake, without its secrets.
        let id = told["id"].as_str().unwrap();
        let whole = rig.get(&format!("/api/connections/{id}")).await;
        let head = whole["head"].as_str().unwrap();
        assert!(
            head.starts_with("GET /echo?token=redacted HTTP/1.1\r\n"),
            "{head}"
        );
        assert!(
            head.ends_with("\r\n\r\n") && head.contains("\r\nHost: "),
            "{head}"
        );
        drop(client);
        until("it is over", || rig.running.counts().open == 0).await;
        let gone = rig.ask("GET", &format!("/api/connections/{id}"), "").await;
        assert_eq!((gone.status, gone.code().as_str()), (404, "admin-unknown"));
    }
}

#[tokio::test]
async fn filters_take_what_fits_all_of_them() {
    let rig = rig(config());
    let mut held = Vec::new();
    for draft in announced() {
        held.push(Client::open(rig.address, draft, "/echo").await);
        held.push(Client::open(rig.address, draft, "/bus/news").await);
    }
    let all = ids(&rig, "").await;
    assert_eq!(all.len(), held.len());
    let drafts = announced().len();
    for (query, count) in [
        ("?route=/echo", drafts),
        ("?route=/bus/%7Bchannel%7D", drafts),
        ("?path=/bus/news", drafts),
        ("?path=/bus/*", drafts),
        ("?path=/bus", 0),
        ("?peer=127.0.0.0/8", 2 * drafts),
        ("?peer=127.0.0.1&path=/echo", drafts),
        ("?peer=192.0.2.1", 0),
        ("?origin=http://localhost", 2 * drafts),
        ("?origin=null", 0),
        ("?user=somebody", 0),
        ("?older=1h", 0),
        ("?draft=hixie-76", 2),
        ("?draft=hybi-00&path=/echo", 1),
    ] {
        assert_eq!(ids(&rig, query).await.len(), count, "{query}");
    }
    // Pages, one after the other, have each once.
    let first = ids(&rig, "?limit=5").await;
    let rest = ids(&rig, &format!("?after={}&limit=10000", first[4])).await;
    assert_eq!([first, rest].concat(), all);
    for wrong in [
        "?draft=hybi-99",
        "?paht=/echo",
        "?peer=x",
        "?limit=-1",
        "?older=5",
        "?path=%zz",
    ] {
        let answer = rig
            .ask("GET", &format!("/api/connections{wrong}"), "")
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "admin-query"),
            "{wrong}"
        );
    }
}

#[tokio::test]
async fn ten_thousand_connections_are_listed_as_far_as_is_asked() {
    let mut config = config();
    config.listeners[0].limits.backlog = 4096;
    let rig = rig(config);
    // Two files each, one of which is the gateway's own: as many as there are.
    let files = rlimit::Resource::NOFILE.get_soft().unwrap();
    let many = usize::try_from((files.saturating_sub(200) / 2).min(10_000)).unwrap();
    let mut held = Vec::with_capacity(many);
    let draft = *announced().last().unwrap();
    for _ in 0..many {
        held.push(Client::open(rig.address, draft, "/echo").await);
    }
    let listed = rig.get("/api/connections").await;
    assert_eq!(listed["total"], many);
    assert_eq!(listed["connections"].as_array().unwrap().len(), 100);
    let listed = rig.get("/api/connections?limit=10000").await;
    assert_eq!(listed["connections"].as_array().unwrap().len(), many);
    let open = format!("draftgate_connections{{draft=\"{draft}\"}}");
    assert_eq!(rig.metric(&open).await, many as f64);
}
