//! What operators order is done.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use draftgate_core::{Close, Closing, Draft};
use draftgate_gateway::{LogSwitch, config::LogLevel};

use crate::{
    asking::{ask, rig},
    common::{Client, announced, config, soon, until},
};

#[tokio::test]
async fn one_connection_is_closed_in_the_words_of_its_draft() {
    let rig = rig(config());
    for draft in announced() {
        let mut client = Client::open(rig.address, draft, "/echo").await;
        let mut other = Client::open(rig.address, draft, "/echo").await;
        let listed = rig.get(&format!("/api/connections?draft={draft}")).await;
        let id = listed["connections"][0]["id"].as_str().unwrap().to_owned();
        let path = format!("/api/connections/{id}?code=4321&reason=maintenance");
        let answer = rig.ask("DELETE", &path, "").await;
        assert_eq!((answer.status, &answer.json()["closing"]), (202, &1.into()));
        let closed = client.end().await;
        if client.codec.capabilities().closing == Closing::Coded {
            let close = closed.flatten().unwrap();
            let reason = close.reason.to_string();
            assert_eq!(
                (close.code, reason.as_str()),
                (4321, "maintenance"),
                "{draft}"
            );
        }
        other.send("still here").await;
        other.message().await;
    }
}

#[tokio::test]
async fn many_are_closed_by_filter_and_none_by_mistake() {
    let rig = rig(config());
    let mut echoes = Vec::new();
    for draft in announced() {
        echoes.push(Client::open(rig.address, draft, "/echo").await);
    }
    let mut stays = Client::open(rig.address, Draft::Hybi13, "/bus/a").await;
    for wrong in [
        "",
        "?code=1000",
        "?all=false",
        "?ruote=/echo",
        "?path=/echo&code=1005",
        "?path=/echo&code=999",
    ] {
        let answer = rig
            .ask("DELETE", &format!("/api/connections{wrong}"), "")
            .await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (400, "admin-query"),
            "{wrong}"
        );
    }
    assert_eq!(rig.running.counts().open as usize, announced().len() + 1);
    let answer = rig
        .ask("DELETE", "/api/connections?route=/echo&within=100ms", "")
        .await;
    assert_eq!(answer.json()["closing"], announced().len());
    for client in &mut echoes {
        client.end().await;
    }
    drop(echoes);
    until("they are gone", || rig.running.counts().open == 1).await;
    stays
        .say(draftgate_core::Outgoing::Message("x".into()))
        .await;
    let answer = rig.ask("DELETE", "/api/connections?all=true", "").await;
    assert_eq!(answer.json()["closing"], 1);
    let close = stays.end().await.flatten().unwrap();
    assert_eq!(close.code, Close::GOING_AWAY);
}

#[tokio::test]
async fn a_drain_is_asked_for_and_seen() {
    let mut config = config();
    config.drain = Duration::from_secs(3600);
    config.listeners[0].timeouts.close = Duration::from_secs(3600);
    let rig = rig(config);
    let mut client = Client::open(rig.address, Draft::Hybi13, "/echo").await;
    let ready = rig.ask("GET", "/readyz", "").await;
    assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
    assert_eq!(rig.metric("draftgate_ready").await, 1.0);
    let asked = rig.running.asked_to_drain();
    let answer = rig.ask("PUT", "/api/drain?within=30s", "").await;
    assert_eq!(answer.status, 202);
    soon("whoever runs it hears of it", asked).await;
    let admin = rig.admin;
    let drain = tokio::spawn(rig.running.drain());
    // A client that does not answer its Close keeps the drain waiting.
    while client.codec.state() == draftgate_core::State::Open {
        let draftgate_core::Event::Close(Some(close)) = client.event().await.unwrap() else {
            continue;
        };
        assert_eq!(close.code, 1001);
    }
    let ready = ask(admin, "GET", "/readyz", "").await;
    assert_eq!(ready.status, 503);
    assert!(ready.body.starts_with("draining: "), "{ready:?}");
    assert_eq!(ask(admin, "GET", "/healthz", "").await.status, 200);
    assert!(
        ask(admin, "GET", "/metrics", "")
            .await
            .body
            .contains("draftgate_ready 0\n")
    );
    drop(client);
    soon("the drain ends", drain).await.unwrap();
    assert!(tokio::net::TcpStream::connect(admin).await.is_err());
}

#[derive(Debug)]
struct Switch(Mutex<LogLevel>);

impl LogSwitch for Switch {
    fn level(&self) -> LogLevel {
        *self.0.lock().unwrap()
    }

    fn set(&self, level: LogLevel) {
        *self.0.lock().unwrap() = level;
    }
}

#[tokio::test]
async fn the_level_of_the_log_is_shown_and_changed() {
    let rig = rig(config());
    let unable = rig.ask("PUT", "/api/log?level=debug", "").await;
    assert_eq!(
        (unable.status, unable.code().as_str()),
        (409, "admin-unable")
    );
    let switch = Arc::new(Switch(Mutex::new(LogLevel::Warn)));
    rig.running.with_log(switch.clone());
    assert_eq!(rig.get("/api/log").await["level"], "warn");
    for level in LogLevel::ALL {
        // As curl -d says it.
        let lines = format!(
            "Content-Length: {}\r\n\r\nlevel={}",
            6 + level.name().len(),
            level.name()
        );
        let request = format!("PUT /api/log HTTP/1.1\r\nHost: {}\r\n{lines}", rig.admin);
        let answer = crate::asking::said(rig.admin, &request).await;
        assert_eq!(answer.json()["level"], level.name());
        assert_eq!(switch.level(), level);
    }
    for wrong in ["", "?level=", "?level=loud", "?level=debug&x=1"] {
        let answer = rig.ask("PUT", &format!("/api/log{wrong}"), "").await;
        assert_eq!(answer.status, 400, "{wrong}");
    }
}

#[tokio::test]
async fn every_call_of_the_list_is_answered_and_nothing_else() {
    let rig = rig(config());
    let _client = Client::open(rig.address, Draft::Hybi13, "/echo").await;
    let calls = rig.get("/api").await;
    for call in calls.as_array().unwrap() {
        let path = call["path"].as_str().unwrap();
        let is_read = |other: &&serde_json::Value| {
            other["path"] == path && other["method"].as_str().unwrap().contains("GET")
        };
        if !calls.as_array().unwrap().iter().any(|it| is_read(&it)) {
            let answer = rig.ask("GET", path, "").await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (405, "admin-method"),
                "{path}"
            );
            continue;
        }
        let answer = rig.ask("GET", &path.replace("{id}", "c1"), "").await;
        // Without a log there is no level, and nothing was refused.
        let expected = match path {
            "/api/log" => 409,
            "/api/handshakes/{id}" => 404,
            _ => 200,
        };
        assert_eq!(answer.status, expected, "{path}: {answer:?}");
        let posted = rig
            .ask("POST", &path.replace("{id}", "c1"), "Content-Length: 0\r\n")
            .await;
        assert_eq!(posted.status, 405, "{path}: {posted:?}");
        assert!(posted.head.contains("\r\nallow: GET"), "{posted:?}");
    }
    // What is like a method is none.
    for method in ["PU", "UT", "ET", "DELET", "GET,", "put", ","] {
        for path in [
            "/api/drain",
            "/api/connections?all=true",
            "/healthz",
            "/api/log?level=info",
        ] {
            let answer = rig.ask(method, path, "").await;
            assert!(
                [400, 405].contains(&answer.status),
                "{method} {path}: {answer:?}"
            );
        }
    }
    assert_eq!(rig.ask("GET", "/readyz", "").await.status, 200);
    for path in [
        "/",
        "/api/",
        "/api/nothing",
        "/metrics/",
        "/api/connections/x",
    ] {
        let answer = rig.ask("GET", path, "").await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, "admin-unknown"),
            "{path}"
        );
    }
    let status = rig.get("/api/status").await;
    assert_eq!(
        (&status["connections"], &status["ready"]),
        (&1.into(), &true.into())
    );
    let routes = rig.get("/api/routes").await;
    assert_eq!(
        (&routes[0]["path"], &routes[0]["connections"]),
        (&"/echo".into(), &1.into())
    );
}
