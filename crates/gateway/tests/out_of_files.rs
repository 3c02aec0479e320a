//! The process has no file left: the listener waits and goes on. Alone in its
//! file, because the limit holds for a whole process.

mod common;

use std::fs::File;

use common::{Client, HYBI_13, Lines, Raw, announced, captured, config, gateway, until};
use draftgate_core::{Draft, Message};
use tokio::time::Instant;

fn warned(lines: &Lines, text: &str) -> usize {
    let mut lines = lines.with("level", "WARN");
    lines.retain(|line| {
        line["message"]
            .as_str()
            .is_some_and(|m| m.starts_with(text))
    });
    lines.len()
}

#[tokio::test]
async fn a_listener_without_files_waits_and_goes_on() {
    const TOLD: &str = "no connection can be accepted";
    let (lines, _guard) = captured();
    let in_use = File::open("/dev/null").unwrap();
    let limit = rlimit::Resource::NOFILE;
    // The hard limit, too: binding raises the soft one as far as it goes.
    limit.set(64, 64).unwrap();
    let (running, address) = gateway(config());
    let fewer = "the system lets this process open fewer files";
    assert_eq!(warned(&lines, fewer), 1, "{:?}", lines.all());
    let mut open = Vec::new();
    for draft in announced() {
        open.push(Client::open(address, draft, "/echo").await);
    }

    let mut files = vec![in_use];
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    // One for our end of the connection, none for the gateway's.
    files.pop();
    let began = Instant::now();
    let mut raw = Raw::say(address, HYBI_13).await;
    lines.until("it is told", || warned(&lines, TOLD) > 0).await;
    // Those that are open do not notice.
    for client in &mut open {
        client.send("still here").await;
        assert_eq!(client.message().await, Message::from("still here"));
    }
    until("it has tried again", || running.counts().accept_errors >= 4).await;
    let (tried, took) = (running.counts().accept_errors, began.elapsed());
    // Five times a second at most, and told every ten seconds.
    assert!(
        u128::from(tried) <= took.as_millis() / 200 + 1,
        "{tried} times in {took:?}"
    );
    let told = warned(&lines, TOLD) as u64;
    assert!(told <= took.as_secs() / 10 + 1, "{told} times in {took:?}");

    drop(files);
    // Who waited is served, and whoever comes now.
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
    for draft in announced() {
        let mut client = Client::open(address, draft, "/echo").await;
        client.send("hello").await;
        assert_eq!(client.message().await, Message::from("hello"));
    }
    let there = open.len() as u64 + 1;
    until("the others left", || running.counts().open == there).await;
    let counts = running.counts();
    assert!(counts.refused.is_empty(), "{:?}", counts.refused);
    assert!(counts.upgrades_in(Draft::Hixie76) >= 2);
}
