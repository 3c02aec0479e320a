//! Recording of every connection of the gateway: what was said is in the files,
//! in whatever draft, refused or not, and nobody waits for it.
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use common::{HYBI_13, Raw, announced, config, gateway, soon, until};
use draftgate_core::{Draft, Event, Message, Role};
use draftgate_gateway::{
    Gateway, Running,
    config::{Config, Record},
};
use draftgate_record::UNJUDGED;
use draftgate_vectors::{Action, Ends, Vector, load_dir};
use tokio::io::AsyncWriteExt;

fn directory(name: &str) -> PathBuf {
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR"))
        .join("recording")
        .join(name);
    let _ = fs::remove_dir_all(&dir);
    dir
}

/// A configuration that records into a directory of its own.
fn recording(name: &str, change: impl FnOnce(&mut Record)) -> (Config, PathBuf) {
    let dir = directory(name);
    let mut config = config();
    config.record.dir = Some(dir.clone());
    change(&mut config.record);
    (config, dir)
}

async fn written(running: &Running, count: u64) {
    until("it is written", || running.recorded().written >= count).await;
}

async fn hello(address: SocketAddr, draft: Draft) {
    let mut client = common::Client::open(address, draft, "/echo").await;
    client.send("Hello").await;
    assert_eq!(client.message().await, Message::from("Hello"), "{draft}");
    client.close(None).await;
}

#[tokio::test]
async fn every_draft_is_recorded_and_read_again_as_it_was_said() {
    let (config, dir) = recording("drafts", |_| {});
    let (running, address) = gateway(config);
    for (count, draft) in (1..).zip(announced()) {
        hello(address, draft).await;
        written(&running, count).await;
    }
    running.drain().await;
    let vectors = load_dir(&dir).unwrap();
    let drafts: Vec<_> = vectors.iter().map(|vector| vector.about.draft).collect();
    assert_eq!(drafts, announced());
    for vector in &vectors {
        let draft = vector.about.draft;
        assert!(vector.about.server.starts_with("draftgate "), "{draft}");
        assert_eq!(vector.about.tags, [UNJUDGED]);
        assert!(
            vector
                .about
                .note
                .as_deref()
                .unwrap()
                .starts_with("The client was 127.0.0.1:")
        );
        for role in [Role::Client, Role::Server] {
            let read = vector.expectation(role).stated().unwrap();
            let hello = Event::Message("Hello".into());
            assert!(read.events.contains(&hello), "{draft} {role}: {read:?}");
            assert!(
                matches!(read.ends, Ends::Open | Ends::Closed),
                "{draft} {role}"
            );
        }
        let eofs = vector
            .steps
            .iter()
            .filter(|step| step.action == Action::Eof);
        assert!(
            (1..=2).contains(&eofs.count()),
            "{draft}: {:?}",
            vector.steps
        );
    }
}

#[tokio::test]
async fn refused_handshakes_are_recorded_and_secrets_are_not() {
    let (config, dir) = recording("refused", |record| record.redact = vec!["token".to_owned()]);
    let (running, address) = gateway(config);
    let request = HYBI_13.replace("/echo", "/nowhere?token=s3cret-1").replace(
        "\r\n\r\n",
        "\r\nCookie: s3cret-2\r\nAuthorization: s3cret-3\r\n\r\n",
    );
    let mut raw = Raw::say(address, request.as_bytes()).await;
    assert!(raw.head().await.starts_with("HTTP/1.1 404 "));
    drop(raw);
    written(&running, 1).await;
    for octets in [&b"\x16\x03\x01"[..], b"no HTTP\r\n\r\n"] {
        Raw::say(address, octets).await.rest().await;
    }
    written(&running, 3).await;
    running.drain().await;
    let vectors = load_dir(&dir).unwrap();
    let said: Vec<_> = vectors.iter().map(|v| v.octets(Role::Client)).collect();
    assert!(
        said[0].starts_with(b"GET /nowhere?token=redacted HTTP/1.1\r\n"),
        "{:?}",
        said[0]
    );
    assert_eq!(said[1], &b"\x16\x03\x01"[..]);
    assert_eq!(said[2], &b"no HTTP\r\n\r\n"[..]);
    let answered = vectors[0].head(Role::Server).unwrap();
    assert!(answered.first_line().contains("404"));
    for file in fs::read_dir(&dir).unwrap() {
        let text = fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
    }
}

#[tokio::test]
async fn recording_begins_behind_the_header_of_a_proxy() {
    let (mut config, dir) = recording("proxy", |_| {});
    config.listeners[0].proxy_protocol = true;
    config.listeners[0].trusted_proxies =
        vec!["127.0.0.1".parse::<std::net::IpAddr>().unwrap().into()];
    let (running, address) = gateway(config);
    for draft in announced() {
        let mut tcp = soon("connect", tokio::net::TcpStream::connect(address))
            .await
            .unwrap();
        tcp.write_all(b"PROXY TCP4 192.0.2.7 10.0.0.1 4321 80\r\n")
            .await
            .unwrap();
        let mut client = common::Client::over(tcp, &address.to_string(), draft, "/echo", &[]).await;
        client.send("Hello").await;
        assert_eq!(client.message().await, Message::from("Hello"));
        client.close(None).await;
    }
    written(&running, announced().len() as u64).await;
    running.drain().await;
    for vector in load_dir(&dir).unwrap() {
        assert!(
            vector
                .octets(Role::Client)
                .starts_with(b"GET /echo HTTP/1.1\r\n")
        );
        let note = vector.about.note.unwrap();
        let noted = "The client was 192.0.2.7:4321, as the proxy 127.0.0.1:";
        assert!(note.starts_with(noted), "{note}");
    }
}

#[tokio::test]
async fn what_a_bound_leaves_out_goes_on_all_the_same() {
    let (config, dir) = recording("bounds", |record| {
        record.max_octets = 300;
        record.max_exchanges = Some(3);
    });
    let (running, address) = gateway(config);
    for _ in 0..2 {
        for draft in announced() {
            hello(address, draft).await;
        }
    }
    written(&running, 3).await;
    assert_eq!(
        running.recorded().unrecorded,
        2 * announced().len() as u64 - 3
    );
    running.drain().await;
    let vectors = load_dir(&dir).unwrap();
    assert_eq!(vectors.len(), 3);
    let whole = |vector: &Vector| {
        let octets = [Role::Client, Role::Server].map(|side| vector.octets(side).len());
        octets.iter().sum::<usize>()
    };
    assert!(vectors.iter().all(|vector| whole(vector) <= 300));
    assert!(vectors.iter().any(|vector| vector.about.partial.is_some()));
}

#[tokio::test]
async fn connections_that_are_drained_are_written_before_it_ends() {
    let (config, dir) = recording("drained", |_| {});
    let (running, address) = gateway(config);
    let mut clients = Vec::new();
    for draft in announced() {
        let mut client = common::Client::open(address, draft, "/echo").await;
        client.send("Hello").await;
        assert_eq!(client.message().await, Message::from("Hello"));
        clients.push(client);
    }
    running.shutdown().await;
    assert_eq!(load_dir(&dir).unwrap().len(), clients.len());
}

#[tokio::test]
async fn a_directory_that_cannot_be_written_to_is_told_at_once() {
    let (mut config, dir) = recording("taken", |_| {});
    fs::create_dir_all(&dir).unwrap();
    let file = dir.join("file");
    fs::write(&file, "").unwrap();
    config.record.dir = Some(file.join("below"));
    let error = Gateway::bind(config).unwrap_err().to_string();
    assert!(error.starts_with("cannot record: cannot write "), "{error}");
    assert!(error.contains("record.dir"), "{error}");
}
