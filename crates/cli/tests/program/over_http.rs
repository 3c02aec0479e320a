//! The examples of docs/bus-over-http.md, with Debian's curl: run as they are
//! written, and what they print is what the page shows. Named as all tests are
//! that need what is installed.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{self, Command, Stdio},
    sync::mpsc::{self, RecvTimeoutError},
    thread,
    time::Duration,
};

use crate::{
    child::WATCHDOG,
    documents::{holds, printed, root},
    serve::gateway,
};

const PAGE: &str = "docs/bus-over-http.md";

#[test]
fn foreign_curl_prints_what_the_page_on_the_bus_over_http_shows() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let file = |name: &str| folder.join(format!("{name}-{}", process::id()));
    let token = file("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    let token = token.to_str().unwrap();
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let configs: Vec<&str> = page
        .split("```toml\n")
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap())
        .collect();
    assert_eq!(configs.len(), 2);
    let serve = |name: &str, config: &str| {
        let path = file(name);
        fs::write(&path, config.replace("/etc/draftgate/token", token)).unwrap();
        gateway(&["serve", "--config", path.to_str().unwrap()])
    };
    let plain = gateway(&[]);
    let guarded = serve("guarded.toml", configs[0]);
    let clock = serve("clock.toml", configs[1]);
    let blocks = holds(PAGE, &["curl"], |command| {
        let at = match command {
            tick if tick.contains("/clock") => &clock,
            other if other.contains(":8081") => &guarded,
            _ => &plain,
        };
        let run = command
            .replace("127.0.0.1:8080", &at.address)
            .replace("127.0.0.1:8081", &at.address)
            .replace("/etc/draftgate/token", token)
            // A machine under load takes its time.
            .replace("sleep 1", "sleep 3")
            .replace("--max-time 3", "--max-time 8");
        same_every_time(&printed(&run))
    });
    assert_eq!(blocks, 8, "examples were found");
    for gateway in [plain, guarded, clock] {
        gateway.stop();
    }
}

#[test]
fn foreign_curl_polls_in_a_loop_and_hears_everything() {
    let page = fs::read_to_string(root().join(PAGE)).unwrap();
    let (_, script) = page.split_once("```sh\n").unwrap();
    let (script, _) = script.split_once("```").unwrap();
    let gateway = gateway(&[]);
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("poll-{}", process::id()));
    fs::create_dir_all(&folder).unwrap();
    let mut polling = Command::new("sh")
        .args(["-c", &script.replace("127.0.0.1:8080", &gateway.address)])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let (line, lines) = mpsc::channel();
    let stdout = polling.stdout.take().unwrap();
    thread::spawn(move || {
        for read in BufReader::new(stdout).lines().map_while(Result::ok) {
            let _ = line.send(read);
        }
    });
    let publish = |text: &str| {
        printed(&format!(
            "curl -s --data '{text}' http://{}/bus/chat",
            gateway.address
        ));
    };
    // Until it polls for the first time, nobody remembers anything for it.
    let mut heard = loop {
        publish("hello");
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => break line,
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => panic!("the loop has ended"),
        }
    };
    for number in 1..=20 {
        publish(&format!("<{number}>"));
    }
    while !heard.contains("<20>") {
        heard += &lines.recv_timeout(WATCHDOG).unwrap();
    }
    let places: Vec<_> = (1..=20)
        .map(|number| heard.find(&format!("<{number}>")))
        .collect();
    assert!(places.is_sorted() && places[0].is_some(), "{heard}");
    assert!(
        !heard.contains(r#""missed":1"#) && !heard.contains("null,\"mess"),
        "{heard}"
    );
    polling.kill().unwrap();
    polling.wait().unwrap();
    gateway.stop();
}

/// What differs from run to run, as the page has it: the first half of ids, the
/// number of a connection, the time.
fn same_every_time(printed: &str) -> String {
    let mut ticks = 24..;
    let line = |line: &str| -> String {
        if let Some(time) = line
            .strip_prefix("data: 20")
            .filter(|rest| rest.ends_with('Z'))
        {
            assert_eq!(time.len(), "26-11-21T17:29:24.000Z".len(), "{time}");
            return format!("data: 2026-11-21T17:29:{}.000Z\n", ticks.next().unwrap());
        }
        if line.starts_with("Id: c") {
            return "Id: c7\n".to_owned();
        }
        let is_id = |c: char| c.is_ascii_hexdigit() || c == '-';
        let mut out = String::new();
        let mut rest = line;
        while let Some(at) = rest.find(is_id) {
            let end = rest[at..]
                .find(|c| !is_id(c))
                .map_or(rest.len(), |end| at + end);
            let word = &rest[at..end];
            out.push_str(&rest[..at]);
            match word.split_once('-') {
                Some((epoch, number))
                    if epoch.len() >= 8 && number.bytes().all(|octet| octet.is_ascii_digit()) =>
                {
                    out.push_str("9c1d02e5-");
                    out.push_str(number);
                }
                _ => out.push_str(word),
            }
            rest = &rest[end..];
        }
        out + rest + "\n"
    };
    let mut lines = line;
    printed.lines().map(&mut lines).collect()
}
