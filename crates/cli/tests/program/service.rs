//! `draftgate serve` as a service manager runs it: told to read its
//! configuration again, started with sockets, watched, and replaced by another
//! process of its kind.

use std::{
    fs,
    net::TcpListener,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
        mpsc::channel,
    },
    time::Duration,
};

use draftgate_client::{Client, Options};
use tokio::{
    runtime::Runtime,
    task::JoinSet,
    time::{interval, timeout},
};

use crate::{
    child::{Running, WATCHDOG, directory, draftgate},
    serve::Gateway,
};

/// A configuration whose one route echoes under `path`.
fn echoing(path: &str) -> String {
    format!(
        "drafts = \"all\"\norigins = [\"any\"]\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\
         [[routes]]\npath = \"{path}\"\nservice = \"echo\"\n"
    )
}

/// A gateway with `text` as its file, which is to be written anew.
fn configured(text: &str) -> (Gateway, PathBuf) {
    let directory = directory();
    let file = directory.join("draftgate.toml");
    fs::write(&file, text).unwrap();
    let process = draftgate(["serve"]).directory(&directory).start();
    (listening(process), file)
}

/// `process`, whose banner is still to be read.
fn listening(mut process: Running) -> Gateway {
    let line = process.stdout.line_with("ws://127.0.0.1:");
    let address = line.split('/').nth(2).unwrap().to_owned();
    Gateway { process, address }
}

fn echoes(gateway: &Gateway, path: &str) -> bool {
    let ended = draftgate(["connect", &gateway.url(path)]).run_with("Hi\n");
    match ended.code {
        Some(0) => ended.stdout == "Hi\n",
        code => {
            assert_eq!(code, Some(77), "{ended:?}");
            assert!(ended.stderr.contains("path-unknown"), "{ended:?}");
            false
        }
    }
}

#[test]
fn a_hang_up_reads_the_configuration_again() {
    let (mut gateway, file) = configured(&echoing("/one"));
    let mut open = draftgate(["connect", &gateway.url("/one")]).start();
    open.write("before\n");
    assert_eq!(open.stdout.line(), "before");
    fs::write(&file, echoing("/two")).unwrap();
    gateway.process.signal("HUP");
    gateway.process.stderr.line_with("was read again");
    assert!(echoes(&gateway, "/two") && !echoes(&gateway, "/one"));
    open.write("after\n");
    assert_eq!(open.stdout.line(), "after");
    drop(open);
    gateway.stop();
}

#[test]
fn a_bad_file_keeps_the_configuration_and_its_line_is_told() {
    let (mut gateway, file) = configured(&echoing("/one"));
    let bad = echoing("/two").replace("service =", "servise =");
    fs::write(&file, bad).unwrap();
    gateway.process.signal("HUP");
    let told = gateway.process.stderr.line_with("reload-failed");
    assert!(
        told.contains("draftgate.toml:7:1") && told.contains("did you mean `service`?"),
        "{told}"
    );
    assert!(echoes(&gateway, "/one"));
    fs::remove_file(&file).unwrap();
    fs::write(&file, echoing("/three")).unwrap();
    gateway.process.signal("HUP");
    gateway.process.stderr.line_with("was read again");
    assert!(echoes(&gateway, "/three"));
    gateway.process.signal("TERM");
    let ended = gateway.process.finish();
    ended.expect(0, &["1 reloads, 1 failed"]);
}

#[test]
fn the_level_of_the_log_follows_the_file() {
    let quiet = format!("{}[log]\nlevel = \"error\"\n", echoing("/one"));
    let (mut gateway, file) = configured(&quiet);
    assert!(echoes(&gateway, "/one"));
    fs::write(&file, echoing("/one")).unwrap();
    gateway.process.signal("HUP");
    // The first word of all: nothing was said of the connection before.
    let line = gateway.process.stderr.line();
    assert!(line.contains("was read again"), "{line}");
    assert!(echoes(&gateway, "/one"));
    gateway.process.stderr.line_with("draftgate::access");
    gateway.stop();
}

#[test]
fn keys_that_take_a_restart_say_so() {
    let (mut gateway, file) = configured(&echoing("/one"));
    let directory = file.parent().unwrap().join("recordings");
    let text = format!(
        "threads = 3\n{}[record]\ndir = \"{}\"\n",
        echoing("/one"),
        directory.display()
    );
    fs::write(&file, text).unwrap();
    gateway.process.signal("HUP");
    for key in ["threads", "record"] {
        let told = gateway.process.stderr.line_with("takes a restart");
        assert!(told.contains(&format!("\"keys\":\"{key}\"")), "{told}");
    }
    gateway.stop();
}

/// A service manager's socket in `directory`.
fn manager(directory: &Path) -> (UnixDatagram, String) {
    let path = directory.join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(WATCHDOG)).unwrap();
    (socket, path.display().to_string())
}

/// The next message that has `line` in it.
fn told(manager: &UnixDatagram, line: &str) -> String {
    let mut octets = [0; 4096];
    loop {
        let length = manager.recv(&mut octets).unwrap();
        let text = String::from_utf8(octets[..length].to_vec()).unwrap();
        if text.lines().any(|it| it.starts_with(line)) {
            return text;
        }
    }
}

#[test]
fn a_service_manager_is_told_what_happens() {
    let directory = directory();
    let (manager, path) = manager(&directory);
    let process = draftgate(["serve", "--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &path)
        .env("WATCHDOG_USEC", "50000")
        .start();
    let ready = told(&manager, "READY=1");
    assert!(ready.contains("STATUS=serving on 127.0.0.1:"), "{ready}");
    for _ in 0..3 {
        told(&manager, "WATCHDOG=1");
    }
    process.signal("HUP");
    assert!(told(&manager, "RELOADING=1").contains("MONOTONIC_USEC="));
    told(&manager, "READY=1");
    process.signal("TERM");
    assert!(told(&manager, "STOPPING=1").contains("EXTEND_TIMEOUT_USEC="));
    process.finish().expect(0, &[]);
}

#[test]
fn sockets_of_a_service_manager_are_used() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let unwanted = TcpListener::bind("127.0.0.2:0").unwrap();
    let address = socket.local_addr().unwrap().to_string();
    let lost = unwanted.local_addr().unwrap().to_string();
    let process = draftgate(["serve", "--listen", &address])
        .sockets(vec![socket.into(), unwanted.into()])
        .start();
    let mut gateway = listening(process);
    assert_eq!(gateway.address, address);
    let told = gateway.process.stderr.line_with("no listener wants");
    assert!(told.contains(&lost), "{told}");
    assert!(echoes(&gateway, "/echo"));
    gateway.stop();
}

#[test]
fn what_is_no_socket_of_tcp_is_refused() {
    let directory = directory();
    let other = fs::File::create(directory.join("file")).unwrap();
    draftgate(["serve", "--listen", "127.0.0.1:0"])
        .sockets(vec![other.into()])
        .start()
        .finish()
        .expect(1, &["file descriptor 3", "LISTEN_FDS"]);
}

/// The number that a line of the log gives a process.
fn pid(line: &str) -> u32 {
    let line: serde_json::Value = serde_json::from_str(line).unwrap();
    line["pid"].as_u64().unwrap().try_into().unwrap()
}

fn signal(pid: u32, name: &str) {
    let kill = format!("kill -{name} {pid}");
    let status = std::process::Command::new("sh")
        .args(["-c", &kill])
        .status();
    assert!(status.unwrap().success(), "{kill}");
}

#[test]
fn a_successor_that_fails_changes_nothing() {
    let (mut gateway, file) = configured(&echoing("/one"));
    fs::write(&file, "nonsense").unwrap();
    gateway.process.signal("USR2");
    let told = gateway
        .process
        .stderr
        .line_with("no other process takes over");
    assert!(told.contains("exit status: 78"), "{told}");
    assert!(echoes(&gateway, "/one"));
    gateway.stop();
}

#[test]
fn the_manager_learns_which_process_is_the_one_to_watch() {
    let directory = directory();
    let (manager, path) = manager(&directory);
    let mut process = draftgate(["serve", "--listen", "127.0.0.1:0"])
        .env("NOTIFY_SOCKET", &path)
        .start();
    told(&manager, "READY=1");
    process.signal("USR2");
    let main = told(&manager, "MAINPID=");
    let next = pid(&process.stderr.line_with("another process accepts"));
    assert_eq!(main.trim(), format!("MAINPID={next}"));
    signal(next, "TERM");
    told(&manager, "STOPPING=1");
    process.finish().expect(0, &[]);
}

/// Ten times a new process takes over while 200 clients a second come, in turn
/// of every draft; each of them is let in and has its message echoed.
#[test]
fn ten_restarts_under_load_refuse_nobody() {
    const RESTARTS: usize = 10;
    let (mut gateway, _) = configured(&format!("{}[timeouts]\ndrain = \"1s\"\n", echoing("/echo")));
    let url = gateway.url("/echo").parse().unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let over_now = Arc::clone(&over);
    let (counted, opened) = channel();
    let runtime = Runtime::new().unwrap();
    let clients = runtime.spawn(async move {
        let client = Arc::new(Client::new(Options::default()));
        let mut coming = interval(Duration::from_millis(5));
        let mut clients = JoinSet::new();
        for draft in draftgate_drafts::announced()
            .collect::<Vec<_>>()
            .into_iter()
            .cycle()
        {
            if over_now.load(Relaxed) {
                break;
            }
            coming.tick().await;
            let (client, counted) = (Arc::clone(&client), counted.clone());
            let url: draftgate_client::Url = Clone::clone(&url);
            clients.spawn(async move {
                let connected = timeout(WATCHDOG, client.connect_in(draft, &url))
                    .await
                    .unwrap();
                if let Err(error) = connected {
                    panic!("{draft}: {error}");
                }
                let _ = counted.send(());
            });
        }
        clients.join_all().await.len()
    });
    let mut process = gateway.process.id();
    for restart in 0..RESTARTS {
        for _ in 0..20 {
            opened.recv_timeout(WATCHDOG).unwrap();
        }
        signal(process, "USR2");
        let line = gateway.process.stderr.line_with("another process accepts");
        let next = pid(&line);
        assert_ne!(next, process, "restart {restart}");
        process = next;
    }
    over.store(true, Relaxed);
    let came = runtime.block_on(clients).unwrap();
    assert!(came >= 20 * RESTARTS, "{came}");
    signal(process, "TERM");
    let ended = gateway.process.finish();
    ended.expect(0, &[]);
    assert!(!ended.stderr.contains("refused:"), "{}", ended.stderr);
}
