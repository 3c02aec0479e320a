//! `draftgate record` as a process, before a gateway: what goes through it is
//! recorded, can be replayed, and is then recorded again as the same.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    thread,
};

use draftgate_core::Role;
use draftgate_vectors::{Action, Content, Service, Step, Vector, load_dir};

use crate::{
    child::{Program, Running, WATCHDOG, directory, draftgate},
    serve::{Gateway, drafts, gateway},
};

/// A tap that runs.
struct Tap {
    process: Running,
    address: String,
    dir: PathBuf,
}

fn before(upstream: &str, more: &[&str]) -> Tap {
    let dir = directory();
    let listen = [
        "record",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        upstream,
        "-o",
        ".",
    ];
    let arguments = listen.into_iter().chain(more.iter().copied());
    started(draftgate(arguments).directory(&dir), dir)
}

fn started(program: Program, dir: PathBuf) -> Tap {
    let mut process = program.start();
    let line = process.stdout.line_with("listening on ");
    let (_, rest) = line.split_once("listening on ").unwrap();
    let (address, _) = rest.split_once(',').unwrap();
    Tap {
        address: address.to_owned(),
        process,
        dir,
    }
}

impl Tap {
    fn stop(self) -> Vec<Vector> {
        self.process.signal("INT");
        self.process.finish().expect(0, &[]);
        load_dir(&self.dir).unwrap()
    }
}

/// Sends `Hello` and leaves when it has come back.
fn hello(draft: &str, address: &str) {
    let url = format!("ws://{address}/echo");
    let mut client = draftgate(["connect", "--draft", draft, &url]).start();
    client.write("Hello\n");
    client.stdout.line_with("Hello");
    client.end_input();
    client.finish().expect(0, &[]);
}

/// Plays the recordings in `dir` through the tap.
fn replay(dir: &Path, address: &str, how: &str) {
    let target = format!("ws://{address}/echo");
    let dir = dir.to_str().unwrap();
    let ended = draftgate(["replay", dir, how, "--target", &target, "--jobs", "1"]).run();
    ended.expect(0, &[]);
    assert!(ended.stdout.contains("all as expected"), "{}", ended.stdout);
}

/// Waits until the exchange that a line of the tap tells of says `what`.
fn recorded(tap: &mut Tap, what: &str) {
    tap.process.stdout.line_with(what);
}

/// The steps without times, the ends of both halves behind all else: who is
/// quicker to end its own is chance.
fn in_order(vector: &Vector) -> Vec<Step> {
    let mut steps = vector.steps.clone();
    steps.iter_mut().for_each(|step| step.pause = None);
    steps.sort_by_key(|step| match step.action {
        Action::Eof if step.from == Role::Client => 1,
        Action::Eof => 2,
        _ => 0,
    });
    steps
}

/// `content` with the names of its placeholders for what was recorded.
fn pattern(content: &Content) -> String {
    let mut pattern = String::new();
    let mut at = 0;
    for slot in &content.slots {
        let before = content.octets[at..slot.range.start].escape_ascii();
        pattern += &format!("{before}<{}>", slot.placeholder);
        at = slot.range.end;
    }
    pattern + &content.octets[at..].escape_ascii().to_string()
}

#[test]
fn recorded_replayed_and_recorded_again_it_is_the_same() {
    let gateway = gateway(&["echo"]);
    // What a client of hybi-04 or hello-00 sent is noise on another connection.
    let nonces = ["hybi-04", "hello-00"];
    for draft in drafts().into_iter().filter(|it| !nonces.contains(it)) {
        // The recorded octets against a server that has no masks and no dates.
        let (first, second) = twice(&gateway, draft, "--exact");
        assert_eq!(in_order(&first), in_order(&second), "{draft}");
        assert_eq!(first.about, second.about, "{draft}");
        for role in [Role::Client, Role::Server] {
            assert_eq!(first.expectation(role), second.expectation(role), "{draft}");
        }

        // New keys and masks: all but placeholders and times.
        let (first, second) = twice(&gateway, draft, "--fresh");
        let patterns = |vector: &Vector| -> Vec<_> {
            let steps = in_order(vector).into_iter();
            steps
                .map(|step| (step.from, step.content().map(pattern), step.note))
                .collect()
        };
        assert_eq!(patterns(&first), patterns(&second), "{draft}");
        if first.about.draft.version().is_some() {
            assert_ne!(
                first.octets(Role::Client),
                second.octets(Role::Client),
                "{draft}"
            );
        }
    }
    gateway.stop();
}

/// A conversation in `draft`, and its replay, both recorded at one address.
fn twice(gateway: &Gateway, draft: &str, how: &str) -> (Vector, Vector) {
    let mut tap = before(&gateway.address, &[]);
    hello(draft, &tap.address);
    recorded(&mut tap, draft);
    let first = directory();
    for file in fs::read_dir(&tap.dir).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), first.join(file.file_name())).unwrap();
    }
    replay(&first, &tap.address, how);
    recorded(&mut tap, draft);
    let mut vectors = tap.stop();
    // Who plays may look first whether there is a server.
    vectors.retain(|vector| !vector.octets(Role::Client).is_empty());
    let second = vectors.pop().unwrap();
    let first = vectors.pop().unwrap();
    assert_eq!(vectors.len(), 0);
    assert_eq!(first.about.draft.name(), draft);
    assert_eq!(first.about.service, Some(Service::Echo));
    (first, second)
}

#[test]
fn recordings_of_every_draft_can_be_read_again_offline() {
    let gateway = gateway(&["echo"]);
    let mut tap = before(
        &gateway.address,
        &["--client", "draftgate connect", "--scenario", "text"],
    );
    for draft in drafts() {
        hello(draft, &tap.address);
        recorded(&mut tap, draft);
    }
    let dir = tap.dir.clone();
    let vectors = tap.stop();
    let recorded: Vec<_> = vectors
        .iter()
        .map(|vector| vector.about.draft.name())
        .collect();
    assert_eq!(recorded, drafts());
    for vector in &vectors {
        assert_eq!(vector.about.client, "draftgate connect");
        assert_eq!(vector.about.scenario, "text");
        assert_eq!(vector.about.partial, None);
    }
    draftgate(["vectors", "check", dir.to_str().unwrap()])
        .run()
        .expect(0, &[]);
    let ended = draftgate(["replay", dir.to_str().unwrap(), "--split", "each"]).run();
    ended.expect(0, &[]);
    assert!(ended.stdout.contains("all as expected"), "{}", ended.stdout);
    gateway.stop();
}

/// A server that answers every request with a cookie, and closes.
fn server() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut octets = Vec::new();
            let mut octet = [0];
            while !octets.ends_with(b"\r\n\r\n") && stream.read(&mut octet).is_ok_and(|n| n > 0) {
                octets.push(octet[0]);
            }
            let _ = stream.write_all(
                b"HTTP/1.1 200 OK\r\nSet-Cookie: c=Answer-S3cret\r\nContent-Length: 0\r\n\r\n",
            );
        }
    });
    address
}

/// Asks with secrets, and reads the answer.
fn ask(address: &str) {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WATCHDOG)).unwrap();
    let request = b"GET /?key=Query-S3cret HTTP/1.1\r\nHost: h\r\nCOOKIE: c=Request-S3cret\r\nAuthorization: Basic Auth-S3cret\r\nX-Own: Own-S3cret\r\n\r\n";
    stream.write_all(request).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    assert!(
        String::from_utf8_lossy(&answer).contains("Answer-S3cret"),
        "it passes all the same"
    );
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(dir).unwrap();
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn secrets_are_in_no_file_unless_they_are_kept() {
    let server = server();
    let mut tap = before(&server, &["--redact", "x-own", "--redact", "key"]);
    ask(&tap.address);
    recorded(&mut tap, ".toml");
    let dir = tap.dir.clone();
    tap.stop();
    assert_eq!(files(&dir).len(), 1);
    for file in files(&dir) {
        let octets = fs::read(&file).unwrap();
        let text = String::from_utf8_lossy(&octets);
        assert!(!text.contains("S3cret"), "{text}");
        assert!(
            text.contains("Authorization, COOKIE, Set-Cookie, X-Own, key"),
            "{text}"
        );
    }

    let mut tap = before(&server, &["--keep-secrets"]);
    ask(&tap.address);
    recorded(&mut tap, ".toml");
    let dir = tap.dir.clone();
    tap.stop();
    for file in files(&dir) {
        let text = fs::read_to_string(&file).unwrap();
        assert_eq!(text.matches("S3cret").count(), 5, "{text}");
        draftgate(["vectors", "check", file.to_str().unwrap()])
            .run()
            .expect(0, &[]);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
    }
}

#[test]
fn killed_it_leaves_no_half_file_under_a_final_name() {
    let server = server();
    for _ in 0..5 {
        let mut tap = before(&server, &[]);
        let address = tap.address.clone();
        // Until nobody answers any more.
        let asking: Vec<_> = (0..4)
            .map(|_| {
                let address = address.clone();
                thread::spawn(move || {
                    while let Ok(mut stream) = TcpStream::connect(&address) {
                        let large = vec![b'x'; 200_000];
                        let _ = stream
                            .write_all(&large)
                            .and_then(|()| stream.write_all(b"\r\n\r\n"));
                        let _ = stream.read(&mut [0; 100]);
                    }
                })
            })
            .collect();
        recorded(&mut tap, ".toml");
        recorded(&mut tap, ".toml");
        tap.process.signal("KILL");
        assert_eq!(tap.process.finish().code, None);
        asking.into_iter().for_each(|asking| asking.join().unwrap());
        let vectors = load_dir(&tap.dir).unwrap();
        assert!(vectors.len() >= 2);
        for file in files(&tap.dir) {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            let whole = name.ends_with(".toml") || name.ends_with(".bin");
            assert!(
                whole || (name.starts_with('.') && name.ends_with(".part")),
                "{name}"
            );
        }
    }
}

#[test]
fn what_is_under_way_at_the_signal_is_written() {
    let gateway = gateway(&["echo"]);
    let tap = before(&gateway.address, &[]);
    let url = format!("ws://{}/echo", tap.address);
    let mut client = draftgate(["connect", &url]).start();
    client.write("Hello\n");
    client.stdout.line_with("Hello");
    let vectors = tap.stop();
    assert_eq!(vectors.len(), 1);
    let partial = vectors[0].about.partial.as_deref().unwrap();
    assert!(
        partial.contains("stopped while the connection was open"),
        "{partial}"
    );
    gateway.stop();
}

#[test]
fn a_server_that_is_not_there_is_said_and_ends_nothing() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let mut tap = before(&address, &[]);
    for _ in 0..2 {
        let mut stream = TcpStream::connect(&tap.address).unwrap();
        let _ = stream.read(&mut [0; 1]);
        let line = tap.process.stderr.line_with("was turned away");
        assert!(
            line.contains(&format!("cannot connect to {address}")),
            "{line}"
        );
    }
    tap.stop();
}

#[test]
fn it_listens_and_connects_by_ipv6() {
    let Ok(listener) = TcpListener::bind("[::1]:0") else {
        panic!("this machine has no IPv6 on its loopback interface, which the test needs")
    };
    let upstream = listener.local_addr().unwrap().to_string();
    let dir = directory();
    let arguments = [
        "record",
        "--listen",
        "[::1]:0",
        "--upstream",
        &upstream,
        "-o",
        ".",
    ];
    let mut tap = started(draftgate(arguments).directory(&dir), dir);
    assert!(tap.address.starts_with("[::1]:"));
    let mut client = TcpStream::connect(&tap.address).unwrap();
    let (mut server, _) = listener.accept().unwrap();
    client.write_all(b"x").unwrap();
    server.read_exact(&mut [0]).unwrap();
    drop((client, server));
    recorded(&mut tap, ".toml");
    tap.stop();
}

#[test]
fn without_files_for_more_it_waits_and_goes_on() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let upstream = server.local_addr().unwrap().to_string();
    let dir = directory();
    let arguments = [
        "record",
        "--listen",
        "127.0.0.1:0",
        "--upstream",
        &upstream,
        "-o",
        ".",
    ];
    let program = draftgate(arguments).directory(&dir).limited("-n 32");
    let mut tap = started(program, dir);
    let connect = || TcpStream::connect(&tap.address).unwrap();
    let held: Vec<_> = (0..40).map(|_| connect()).collect();
    let line = tap.process.stderr.line_with("");
    assert!(
        line.contains("raise `ulimit -n`") || line.contains("was turned away"),
        "{line}"
    );
    drop(held);
    // As soon as those are gone, there is room again.
    thread::spawn(move || {
        for stream in server.incoming() {
            drop(stream);
        }
    });
    let mut last = connect();
    last.set_read_timeout(Some(WATCHDOG)).unwrap();
    assert_eq!(last.read(&mut [0]).unwrap_or(0), 0);
    // What was accepted is written, too.
    tap.stop();
}

#[test]
fn what_cannot_be_had_is_told() {
    let dir = directory();
    fs::write(dir.join("file"), "").unwrap();
    let arguments = |listen, upstream, output| {
        [
            "record",
            "--listen",
            listen,
            "--upstream",
            upstream,
            "-o",
            output,
        ]
    };
    let run = |arguments| draftgate(arguments).directory(&dir).run();
    run(arguments("127.0.0.1:0", "nowhere", "out")).expect(2, &["write a host and a port"]);
    run(arguments("here", "h:1", "out")).expect(2, &["write an IP address and a port"]);
    run(arguments("127.0.0.1:0", "h:1", "file/out")).expect(1, &["cannot write file/out"]);
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    run(arguments(&taken, "h:1", "out")).expect(1, &["cannot listen on"]);
}

#[test]
fn a_gateway_records_its_own_connections() {
    let dir = directory();
    let gateway = gateway(&["serve", "--record", dir.to_str().unwrap()]);
    for draft in drafts() {
        hello(draft, &gateway.address);
    }
    // Once it has ended all is written.
    gateway.stop();
    let vectors = load_dir(&dir).unwrap();
    assert_eq!(vectors.len(), drafts().len());
    let dir = dir.to_str().unwrap();
    let offline = draftgate(["replay", dir]).run();
    offline.expect(0, &[]);
    let another = crate::serve::gateway(&["echo"]);
    let target = format!("ws://{}/echo", another.address);
    let replayed = draftgate(["replay", dir, "--target", &target]).run();
    replayed.expect(0, &[]);
    // But for hybi-04 and hello-00, whose masks and proofs belong to one connection.
    let all = format!("{} replays", drafts().len() - 2);
    assert!(replayed.stdout.contains(&all), "{}", replayed.stdout);
    another.stop();
}
