//! The process has no file left: the listener waits and goes on. Alone in its
//! file, because the limit holds for a whole process.

mod common;

use std::fs::File;

use common::{HYBI_13, Raw, captured, config, gateway, until};

#[tokio::test]
async fn a_listener_without_files_waits_and_goes_on() {
    let (lines, _guard) = captured();
    let in_use = File::open("/dev/null").unwrap();
    let limit = rlimit::Resource::NOFILE;
    // The hard limit, too: binding raises the soft one as far as it goes.
    limit.set(64, 64).unwrap();
    let (_running, address) = gateway(config());
    let warned = |text: &str| {
        let told = |line: &serde_json::Value| line["message"].as_str().unwrap().starts_with(text);
        lines.all().iter().any(told)
    };
    assert!(
        warned("the system lets this process open fewer files"),
        "{:?}",
        lines.all()
    );

    let mut files = vec![in_use];
    while let Ok(file) = File::open("/dev/null") {
        files.push(file);
    }
    // One for our end of the connection, none for the gateway's.
    files.pop();
    let mut raw = Raw::say(address, HYBI_13).await;
    until("it is told", || warned("no connection can be accepted")).await;
    drop(files);
    assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
}
