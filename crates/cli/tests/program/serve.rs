//! `draftgate serve` and `echo` as processes: what they print, and what
//! signals do.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
};

use draftgate_core::Draft;

use crate::child::{Running, WATCHDOG, directory, draftgate};

/// The names of the drafts that are spoken.
pub(crate) fn drafts() -> Vec<&'static str> {
    draftgate_drafts::announced().map(Draft::name).collect()
}

/// A gateway on a port of its own.
pub(crate) struct Gateway {
    pub(crate) process: Running,
    /// `127.0.0.1:port`
    pub(crate) address: String,
}

/// Starts one and reads where it listens.
pub(crate) fn gateway(arguments: &[&str]) -> Gateway {
    let arguments = arguments.iter().copied();
    let mut process = draftgate(arguments.chain(["--listen", "127.0.0.1:0"])).start();
    let line = process.stdout.line_with("ws://127.0.0.1:");
    let (_, rest) = line.split_once("ws://").unwrap();
    let (address, _) = rest.split_once('/').unwrap();
    Gateway {
        address: address.to_owned(),
        process,
    }
}

impl Gateway {
    pub(crate) fn url(&self, path: &str) -> String {
        format!("ws://{}{path}", self.address)
    }

    fn stream(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        stream
    }

    /// Ends it, and sees that it ends well.
    pub(crate) fn stop(self) {
        self.process.signal("TERM");
        self.process.finish().expect(0, &[]);
    }
}

#[test]
fn the_printed_port_serves_the_page() {
    let gateway = gateway(&[]);
    let mut stream = gateway.stream();
    let request = format!(
        "GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
        gateway.address
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.contains("<!DOCTYPE html>") || answer.contains("<!doctype html>"));
    gateway.stop();
}

#[test]
#[cfg(target_os = "linux")]
fn octets_are_moved_by_as_many_threads_as_were_asked_for() {
    for (asked, workers) in [("1", 0), ("3", 3)] {
        let gateway = gateway(&["serve", "--threads", asked]);
        draftgate(["connect", &gateway.url("/echo")]).run_with("Hi");
        let tasks = format!("/proc/{}/task", gateway.process.id());
        let names = fs::read_dir(tasks).unwrap().map(|task| {
            let name = task.unwrap().path().join("comm");
            fs::read_to_string(name).unwrap_or_default()
        });
        let found = names.filter(|name| name.starts_with("tokio-rt-worker"));
        // With one it is the first thread that does it.
        assert_eq!(found.count(), workers, "--threads {asked}");
        gateway.stop();
    }
}

#[test]
fn what_is_printed_leads_everywhere() {
    let mut process = draftgate(["serve", "--listen", "127.0.0.1:0"]).start();
    let printed: Vec<String> = (0..5).map(|_| process.stdout.line()).collect();
    let address = printed[1]
        .split("http://")
        .nth(1)
        .unwrap()
        .trim_end_matches('/');
    let drafts = "(every draft, hixie-75 to hybi-13 = RFC 6455)";
    assert_eq!(
        printed,
        [
            format!(
                "draftgate {} serves the built-in configuration (no file was found)",
                env!("CARGO_PKG_VERSION")
            ),
            format!("  page  http://{address}/"),
            format!("  echo  ws://{address}/echo  {drafts}"),
            format!("  bus   ws://{address}/bus/{{channel}}  {drafts}"),
            format!("  try   draftgate connect --draft hixie-76 ws://{address}/bus/chat"),
        ]
    );
}

#[test]
fn every_draft_is_echoed() {
    let gateway = gateway(&["serve"]);
    for draft in drafts() {
        let ended = draftgate(["connect", "--draft", draft, &gateway.url("/echo")])
            .run_with("Hello\nGrüße\n\nlast");
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, "Hello\nGrüße\n\nlast\n", "{draft}");
    }
    gateway.stop();
}

#[test]
fn echo_serves_its_drafts_and_no_others() {
    let gateway = gateway(&["echo", "--drafts", "76,75"]);
    for path in ["/", "/any"] {
        let ended = draftgate(["connect", "--draft", "76", &gateway.url(path)]).run_with("Hi");
        ended.expect(0, &[]);
        assert_eq!(ended.stdout, "Hi\n");
    }
    draftgate(["connect", "--draft", "13", &gateway.url("/")])
        .run()
        .expect(77, &["[answer-status]", "draft-not-enabled"]);
    gateway.stop();
}

#[test]
fn a_flag_wins_over_the_file() {
    let directory = directory();
    let text = "drafts = \"all\"\n[[listeners]]\naddress = \"127.0.0.1:1\"\n\
                [[routes]]\npath = \"/only\"\nservice = \"echo\"\n";
    fs::write(directory.join("draftgate.toml"), text).unwrap();
    let mut process = draftgate(["--listen", "127.0.0.1:0"])
        .directory(&directory)
        .start();
    assert!(process.stdout.line().ends_with("serves draftgate.toml"));
    let line = process.stdout.line();
    assert!(
        line.contains("/only  (every draft, hixie-75 to ") && !line.contains("127.0.0.1:1/"),
        "{line}"
    );
}

#[test]
fn on_a_network_pages_are_same_host_and_that_is_warned_of() {
    let foreign = |address: &str| {
        let url = format!("ws://{address}/echo");
        draftgate(["connect", "--origin", "http://other.example", &url]).run_with("Hi")
    };
    let mut process = draftgate(["--listen", "0.0.0.0:0"]).start();
    let line = process.stdout.line_with("ws://127.0.0.1:");
    let address = line.split('/').nth(2).unwrap();
    process.stderr.line_with("same host");
    foreign(address).expect(77, &["[answer-status]", "403"]);

    let mut process = draftgate(["--listen", "0.0.0.0:0", "--any-origin"]).start();
    let line = process.stdout.line_with("ws://127.0.0.1:");
    foreign(line.split('/').nth(2).unwrap()).expect(0, &[]);
}

/// The soft and the hard limit of open files of a process.
fn open_files(pid: u32) -> (String, String) {
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let line = limits
        .lines()
        .find(|line| line.starts_with("Max open files"));
    let mut words = line.unwrap().split_whitespace().skip(3).map(str::to_owned);
    (words.next().unwrap(), words.next().unwrap())
}

#[test]
fn the_soft_limit_of_open_files_is_raised_and_too_few_are_warned_of() {
    let mut process = draftgate(["--listen", "127.0.0.1:0"])
        .limited("-Sn 100")
        .start();
    process.stdout.line_with("ws://");
    let (soft, hard) = open_files(process.id());
    assert_eq!(soft, hard);
    let mut process = draftgate(["--listen", "127.0.0.1:0"])
        .limited("-n 300")
        .start();
    process.stderr.line_with("max-connections");
    process.stdout.line_with("ws://");
    assert_eq!(
        open_files(process.id()),
        ("300".to_owned(), "300".to_owned())
    );
    let ended = draftgate(["check"]).limited("-n 300").run();
    assert!(
        ended.stdout.contains("can have only 300 open"),
        "{}",
        ended.stdout
    );
}

#[test]
fn a_port_that_is_taken_is_told() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    draftgate(["--listen", &address]).run().expect(
        1,
        &[
            "cannot listen on",
            &address,
            "another program has this port",
        ],
    );
}

#[test]
fn terminate_and_interrupt_end_every_draft_as_it_ends() {
    for signal in ["TERM", "INT"] {
        let gateway = gateway(&[]);
        let start = |draft| {
            let mut client =
                draftgate(["connect", "-v", "--draft", draft, &gateway.url("/bus/x")]).start();
            client.stderr.line_with("connected to");
            (draft, client)
        };
        let clients: Vec<_> = drafts().into_iter().map(start).collect();
        gateway.process.signal(signal);
        for (draft, client) in clients {
            let said = match draft {
                _ if draft.parse::<Draft>().unwrap() < Draft::Hybi06 => {
                    "closed by the peer: the peer closed"
                }
                _ => "closed by the peer, code 1001",
            };
            client.finish().expect(0, &[said]);
        }
        let upgraded: Vec<String> = drafts().iter().map(|draft| format!("1 {draft}")).collect();
        let counted = format!(
            "in all: {} connections; upgraded: {}; on the bus: 0 published",
            drafts().len(),
            upgraded.join(", ")
        );
        let ended = gateway.process.finish();
        ended.expect(0, &[&counted, "\"stopped\""]);
    }
}

/// A client of RFC 6455 that answers nothing, the close included.
fn silent_client(gateway: &Gateway) -> TcpStream {
    let mut stream = gateway.stream();
    let request = format!(
        "GET /echo HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n",
        gateway.address
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    while !answer.ends_with(b"\r\n\r\n") {
        let mut octet = [0];
        stream.read_exact(&mut octet).unwrap();
        answer.push(octet[0]);
    }
    assert!(answer.starts_with(b"HTTP/1.1 101 "));
    stream
}

#[test]
fn a_second_interrupt_quits_at_once() {
    let mut gateway = gateway(&[]);
    let mut client = silent_client(&gateway);
    gateway.process.signal("INT");
    gateway.process.stderr.line_with("draining");
    // The close came, so the drain now waits for its answer.
    let mut close = [0; 4];
    client.read_exact(&mut close).unwrap();
    assert_eq!((close[0], &close[2..]), (0x88, &[0x03, 0xe9][..]));
    gateway.process.signal("INT");
    gateway.process.finish().expect(1, &["interrupted again"]);
}

#[test]
fn the_log_is_json_where_it_is_no_terminal() {
    let mut served = gateway(&["serve"]);
    draftgate(["connect", "--draft", "76", &served.url("/echo")]).run_with("Hi");
    let line = served.process.stderr.line_with("draftgate::access");
    assert!(
        line.starts_with('{') && line.contains("\"draft\":\"hixie-76\""),
        "{line}"
    );
    served.stop();
    let mut served = gateway(&["serve", "--log-format", "human"]);
    draftgate(["connect", &served.url("/echo")]).run_with("Hi");
    let line = served.process.stderr.line_with("hybi-13");
    assert!(!line.starts_with('{') && line.contains("INFO"), "{line}");
    served.stop();
}

#[test]
fn a_log_that_nobody_reads_stops_nobody() {
    const CLIENTS: usize = 600;
    let (mut process, log) =
        draftgate(["serve", "--listen", "127.0.0.1:0", "--log-format", "json"])
            .env("DRAFTGATE_LOG__RATE", "unlimited")
            .start_unread();
    let line = process.stdout.line_with("http://");
    let address = line.split("http://").nth(1).unwrap().trim_matches('/');
    // A line each, together several times what a pipe holds.
    for _ in 0..CLIENTS {
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(WATCHDOG)).unwrap();
        let path = "none/".repeat(60);
        let request = format!("GET /{path} HTTP/1.1\r\nHost: a\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    }
    // Nothing was lost meanwhile.
    let mut said = BufReader::new(log).lines().map(Result::unwrap);
    let refused = said.by_ref().filter(|l| l.contains("path-unknown"));
    assert_eq!(refused.take(CLIENTS).count(), CLIENTS);
    process.signal("TERM");
    assert!(said.last().unwrap().contains("stopped"));
    process.finish().expect(0, &[]);
}

#[test]
fn the_level_of_the_flag_holds() {
    let gateway = gateway(&["serve", "--log", "error"]);
    draftgate(["connect", &gateway.url("/echo")])
        .run_with("Hi")
        .expect(0, &[]);
    gateway.process.signal("TERM");
    let ended = gateway.process.finish();
    assert_eq!((ended.code, &*ended.stderr), (Some(0), ""));
}
