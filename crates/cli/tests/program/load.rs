//! `draftgate load` against the program's own gateway: what is asked for on the
//! command line, what is printed, and the exit codes. What is measured right and
//! wrong is the crate's to test.

use std::{collections::BTreeSet, net::TcpListener};

use serde_json::Value;

use crate::{
    child::{Ended, draftgate},
    serve::{Gateway, gateway},
};

fn load(arguments: &[&str]) -> Ended {
    draftgate(["load"].into_iter().chain(arguments.iter().copied())).run()
}

/// A measurement of `gateway` that is over soon, as JSON.
fn measured(gateway: &Gateway, path: &str, arguments: &[&str]) -> Value {
    let (pid, url) = (gateway.process.id().to_string(), gateway.url(path));
    let all: Vec<&str> = arguments
        .iter()
        .copied()
        .chain(["--format", "json", "--pid", &pid, &url])
        .collect();
    let ended = load(&all);
    ended.expect(0, &[]);
    serde_json::from_str(&ended.stdout).unwrap()
}

const SOON: [&str; 4] = ["--messages", "200", "--warm-up", "0s"];

#[test]
fn each_scenario_measures_the_gateway_in_all_drafts() {
    let gateway = gateway(&[]);
    let keys = |result: &Value| -> BTreeSet<String> {
        result.as_object().unwrap().keys().cloned().collect()
    };
    let mut all: Option<BTreeSet<String>> = None;
    let mut processor = 0;
    for (path, arguments, timed) in [
        ("/echo", &["echo", "--connections", "12"][..], true),
        (
            "/echo",
            &["echo", "--ping-pong", "--payload", "70000"],
            true,
        ),
        (
            "/echo",
            &[
                "echo",
                "--rate",
                "1000",
                "--threads",
                "2",
                "--connections",
                "6",
            ],
            true,
        ),
        (
            "/bus/load",
            &["fan-out", "--subscribers", "12", "--burst", "3"],
            true,
        ),
        (
            "/bus/load-{n}",
            &[
                "fan-out",
                "--subscribers",
                "6",
                "--publishers",
                "3",
                "--channels",
                "3",
            ],
            true,
        ),
        ("/echo", &["openings", "--concurrency", "6"], true),
        ("/echo", &["storm", "--connections", "30"], false),
        (
            "/echo",
            &[
                "idle",
                "--connections",
                "12",
                "--use",
                "2",
                "--settle",
                "1ms",
            ],
            false,
        ),
        (
            "/bus/idle",
            &[
                "idle",
                "--connections",
                "12",
                "--use",
                "2",
                "--bus",
                "--settle",
                "1ms",
            ],
            false,
        ),
    ] {
        let mut arguments = arguments.to_vec();
        arguments.extend(["--draft", "all"]);
        if timed {
            arguments.extend(SOON);
        }
        let result = measured(&gateway, path, &arguments);
        assert_eq!(result["scenario"], arguments[0]);
        assert!(result["messages"].as_u64().unwrap() > 0, "{result}");
        // What was on its way when the counting began may be all there is to count:
        // of one scenario alone, nothing may be left for the server to do.
        processor += result["server"]["cpu_ns"].as_u64().unwrap();
        assert_eq!(result["errors"]["total"], 0, "{result}");
        assert_eq!(result["refused"]["total"], 0, "{result}");
        // Ours sends what our codec would: nothing has to be decoded.
        assert_eq!(result["decoded"], 0, "{result}");
        // Whoever reads one scenario can read all.
        assert_eq!(*all.get_or_insert_with(|| keys(&result)), keys(&result));
    }
    assert!(processor > 0);
    gateway.stop();
}

/// The prototype of the draft held five. Both sides of a connection take a file, so
/// that the gateway's and the clients' are in processes of their own.
#[test]
fn ten_thousand_clients_of_hello_00_are_open_at_once() {
    let gateway = gateway(&[]);
    let arguments = [
        "idle",
        "--connections",
        "10000",
        "--use",
        "1",
        "--settle",
        "1ms",
    ];
    let arguments = [&arguments[..], &["--draft", "hello-00"]].concat();
    let result = measured(&gateway, "/echo", &arguments);
    assert_eq!(result["messages"], 10_000, "{result}");
    assert_eq!(result["errors"]["total"], 0, "{result}");
    assert_eq!(result["refused"]["total"], 0, "{result}");
    gateway.stop();
}

#[test]
fn the_table_says_who_was_in_the_way() {
    let gateway = gateway(&[]);
    let url = gateway.url("/echo");
    let ended = load(&["echo", "--messages", "100", "--warm-up", "0s", &url]);
    ended.expect(0, &[]);
    for word in ["echoed", "latency", "bottleneck", "--pid"] {
        assert!(ended.stdout.contains(word), "{word}: {}", ended.stdout);
    }
    gateway.stop();
}

#[test]
fn a_stranger_is_not_put_under_load_by_mistake() {
    load(&["echo", "ws://192.0.2.1:80/"]).expect(2, &["not this machine", "--remote"]);
    load(&["storm", "ws://[2001:db8::1]/"]).expect(2, &["--remote"]);
}

#[test]
fn what_contradicts_itself_is_wrong_usage() {
    for (arguments, text) in [
        (
            &["echo", "--rate", "5", "--window", "3", "ws://127.0.0.1:1/"][..],
            "cannot be used with",
        ),
        (
            &["echo", "--rate", "no", "ws://127.0.0.1:1/"],
            "messages a second",
        ),
        (
            &["echo", "--payload", "1GiB", "ws://127.0.0.1:1/"],
            "at most 256MiB",
        ),
        (
            &["echo", "--draft", "hixie-77", "ws://127.0.0.1:1/"],
            "`hixie-77` is no draft",
        ),
        (
            &[
                "echo",
                "--binary",
                "--draft",
                "hixie-76",
                "ws://127.0.0.1:1/",
            ],
            "no binary messages",
        ),
        (&["idle", "ws://127.0.0.1:1/"], "--pid"),
        (
            &["fan-out", "--channels", "2", "ws://127.0.0.1:1/"],
            "each channel",
        ),
        (&["echo"], "<URL>"),
        (&[], "echo"),
    ] {
        load(arguments).expect(2, &[text]);
    }
}

#[test]
fn the_exit_code_says_how_far_it_came() {
    let gateway = gateway(&["echo", "--drafts", "76"]);
    let url = gateway.url("/");
    load(&["echo", &url]).expect(77, &["connection 1 of 1", "400 Bad Request"]);
    load(&["storm", "--connections", "3", &url]).expect(77, &["3 openings did not succeed"]);
    let address = gateway.address.clone();
    gateway.stop();
    load(&["echo", &format!("ws://{address}/")]).expect(69, &["cannot connect"]);
}

#[test]
fn an_interrupt_prints_what_was_measured_so_far() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let arguments = ["load", "echo", "--draft", "raw", "--format", "json", &url];
    let running = draftgate(arguments).start();
    // It has a connection, so it listens to signals; nothing ever comes back.
    let connection = listener.accept().unwrap();
    running.signal("INT");
    let ended = running.finish();
    ended.expect(0, &["stopping"]);
    let result: Value = serde_json::from_str(&ended.stdout).unwrap();
    assert_eq!(result["interrupted"], true);
    drop(connection);
}
