//! The tap in front of a server: nobody notices it, and it notices everything.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{
    fs, io,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use draftgate_core::Role;
use draftgate_record::{Bound, Facts, Options, Recorder, Report, Trouble, relay};
use draftgate_vectors::{Action, Ending, Vector, load_dir};
use proptest::{
    prelude::*,
    test_runner::{Config, TestRunner},
};
use socket2::SockRef;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot},
    task::JoinHandle,
};

/// A relay to a server that the test is.
struct Tap {
    server: TcpListener,
    address: SocketAddr,
    recorder: Arc<Recorder>,
    dir: PathBuf,
    reports: Arc<Mutex<Vec<Report>>>,
    troubles: Arc<Mutex<Vec<Trouble>>>,
    reported: Arc<Notify>,
    stop: oneshot::Sender<()>,
    relay: JoinHandle<()>,
}

impl Tap {
    async fn new(name: &str, change: impl FnOnce(&mut Options)) -> Self {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let upstream = server.local_addr().unwrap().to_string();
        Self::before(name, upstream, server, change).await
    }

    async fn before(
        name: &str,
        upstream: String,
        server: TcpListener,
        change: impl FnOnce(&mut Options),
    ) -> Self {
        let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _ = fs::remove_dir_all(&dir);
        let mut options = Options::new(&dir, Facts::new("a test"));
        change(&mut options);
        let reports = Arc::new(Mutex::new(Vec::new()));
        let troubles = Arc::new(Mutex::new(Vec::new()));
        let (told, telling) = (Arc::clone(&reports), Arc::clone(&troubles));
        let reported = Arc::new(Notify::new());
        let reporting = Arc::clone(&reported);
        let report = move |it| {
            told.lock().unwrap().push(it);
            reporting.notify_one();
        };
        let recorder = Recorder::start(options, report).unwrap();
        let recorder = Arc::new(recorder);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let relay = tokio::spawn(relay(
            listener,
            upstream,
            Arc::clone(&recorder),
            move |it| telling.lock().unwrap().push(it),
            async {
                let _ = stopped.await;
            },
        ));
        Self {
            server,
            address,
            recorder,
            dir,
            reports,
            troubles,
            reported,
            stop,
            relay,
        }
    }

    /// A client's end and a server's.
    async fn connect(&self) -> (TcpStream, TcpStream) {
        let client = TcpStream::connect(self.address).await.unwrap();
        let (server, _) = self.server.accept().await.unwrap();
        (client, server)
    }

    /// Waits until `count` exchanges are written.
    async fn written(&self, count: u64) {
        let wait = async {
            while self.recorder.recorded().written < count {
                self.reported.notified().await;
            }
        };
        let waited = tokio::time::timeout(Duration::from_secs(60), wait).await;
        waited.unwrap_or_else(|_| panic!("{:?}", self.recorder.recorded()));
    }

    /// Stops it; what was recorded.
    async fn stop(self) -> Vec<Vector> {
        self.stop.send(()).unwrap();
        self.relay.await.unwrap();
        self.recorder.finish();
        assert_eq!(self.recorder.recorded().failed, 0, "{:?}", self.reports);
        load_dir(&self.dir).unwrap()
    }
}

/// Writes `pieces` one by one, and then ends its half.
async fn say(to: &mut (impl AsyncWriteExt + Unpin), pieces: &[Vec<u8>]) {
    for piece in pieces {
        to.write_all(piece).await.unwrap();
        // So that pieces do not become one by chance alone.
        tokio::task::yield_now().await;
    }
    to.shutdown().await.unwrap();
}

async fn rest(from: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut octets = Vec::new();
    from.read_to_end(&mut octets).await.unwrap();
    octets
}

#[test]
fn every_octet_goes_through_in_any_pieces_both_ways_at_once() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    let piece = prop::collection::vec(any::<u8>(), 0..3000);
    let pieces = prop::collection::vec(piece, 0..20);
    let config = Config {
        failure_persistence: None,
        ..Config::with_cases(40)
    };
    let mut runner = TestRunner::new(config);
    let run = |(asked, given): (Vec<Vec<u8>>, Vec<Vec<u8>>)| {
        runtime.block_on(async {
            let tap = Tap::new("transparent", |_| {}).await;
            let (mut client, mut server) = tap.connect().await;
            let (mut client_reads, mut client_writes) = client.split();
            let (mut server_reads, mut server_writes) = server.split();
            let ((), (), at_client, at_server) = tokio::join!(
                say(&mut client_writes, &asked),
                say(&mut server_writes, &given),
                rest(&mut client_reads),
                rest(&mut server_reads),
            );
            assert_eq!(at_server, asked.concat());
            assert_eq!(at_client, given.concat());
            tap.written(1).await;
            let vectors = tap.stop().await;
            assert_eq!(vectors.len(), 1);
            assert_eq!(vectors[0].octets(Role::Client), at_server);
            assert_eq!(vectors[0].octets(Role::Server), at_client);
            assert_eq!(vectors[0].about.partial, None);
        });
        Ok(())
    };
    runner.run(&(pieces.clone(), pieces), run).unwrap();
}

#[tokio::test]
async fn a_half_close_is_a_half_close_on_the_other_side() {
    let tap = Tap::new("half-close", |_| {}).await;
    let (mut client, mut server) = tap.connect().await;
    say(&mut client, &[b"only this".to_vec()]).await;
    assert_eq!(rest(&mut server).await, b"only this");
    // The other half is open as long as it likes.
    server.write_all(b"one").await.unwrap();
    let mut got = [0; 3];
    client.read_exact(&mut got).await.unwrap();
    say(&mut server, &[b"two".to_vec()]).await;
    assert_eq!(rest(&mut client).await, b"two");
    tap.written(1).await;
    let vectors = tap.stop().await;
    let done: Vec<_> = vectors[0]
        .steps
        .iter()
        .map(|step| (step.from, step.action == Action::Eof))
        .collect();
    let (c, s) = (Role::Client, Role::Server);
    assert_eq!(done, [(c, false), (c, true), (s, false), (s, true)]);
}

#[tokio::test]
async fn a_reset_is_a_reset_on_the_other_side() {
    for from_client in [true, false] {
        let tap = Tap::new(&format!("reset-{from_client}"), |_| {}).await;
        let (client, server) = tap.connect().await;
        let (mut goes, mut stays) = if from_client {
            (client, server)
        } else {
            (server, client)
        };
        goes.write_all(b"last").await.unwrap();
        let mut got = [0; 4];
        stays.read_exact(&mut got).await.unwrap();
        SockRef::from(&goes)
            .set_linger(Some(Duration::ZERO))
            .unwrap();
        drop(goes);
        let error = stays.read(&mut got).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        tap.written(1).await;
        let vectors = tap.stop().await;
        let last = vectors[0].steps.last().unwrap();
        assert_eq!(last.action, Action::Close(Ending::Reset));
        assert_eq!(last.from == Role::Client, from_client);
    }
}

#[tokio::test]
async fn who_writes_to_a_side_that_is_gone_is_reset_as_without_a_tap() {
    let tap = Tap::new("gone", |_| {}).await;
    let (client, mut server) = tap.connect().await;
    drop(client);
    assert_eq!(rest(&mut server).await, b"");
    let failed = async {
        let octets = [0; 4096];
        loop {
            if let Err(error) = server.write_all(&octets).await {
                break error;
            }
        }
    };
    let error = tokio::time::timeout(Duration::from_secs(60), failed)
        .await
        .unwrap();
    assert!(
        matches!(
            error.kind(),
            io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
        ),
        "{error}"
    );
    tap.written(1).await;
    let vectors = tap.stop().await;
    let last = vectors[0].steps.last().unwrap();
    assert_eq!(
        (last.from, &last.action),
        (Role::Client, &Action::Close(Ending::Reset))
    );
}

#[tokio::test]
async fn a_side_is_read_no_faster_than_the_other_takes_it() {
    let tap = Tap::new("back-pressure", |options| options.max_octets = 1000).await;
    let (client, mut server) = tap.connect().await;
    // Nobody reads, so that it stands still sooner or later.
    let mut sent = 0;
    loop {
        match client.try_write(&[7; 65_536]) {
            Ok(count) => sent += count,
            Err(_) => {
                let more = tokio::time::timeout(Duration::from_secs(1), client.writable()).await;
                if more.is_err() {
                    break;
                }
            }
        }
        assert!(sent < 256 << 20, "{sent} octets went into nothing");
    }
    drop(client);
    let mut left = 0;
    let mut octets = vec![0; 65_536];
    loop {
        match server.read(&mut octets).await.unwrap() {
            0 => break,
            count => left += count,
        }
    }
    assert_eq!(left, sent);
    tap.stop().await;
}

#[tokio::test]
async fn beyond_its_bound_a_connection_goes_on_and_its_recording_does_not() {
    let tap = Tap::new("bounded", |options| options.max_octets = 1000).await;
    let (mut client, mut server) = tap.connect().await;
    client.write_all(&[b'a'; 900]).await.unwrap();
    let mut got = vec![0; 900];
    server.read_exact(&mut got).await.unwrap();
    server.write_all(&[b'b'; 5000]).await.unwrap();
    let mut got = vec![0; 5000];
    client.read_exact(&mut got).await.unwrap();
    // It is written although the connection is open.
    tap.written(1).await;
    client.write_all(b"still there").await.unwrap();
    let mut got = [0; 11];
    server.read_exact(&mut got).await.unwrap();
    drop((client, server));
    let vectors = tap.stop().await;
    assert_eq!(vectors.len(), 1);
    assert_eq!(vectors[0].octets(Role::Client), [b'a'; 900][..]);
    assert_eq!(vectors[0].octets(Role::Server), [b'b'; 100][..]);
    let partial = vectors[0].about.partial.as_deref();
    assert_eq!(partial, Some("recorded up to 1000 octets and no further"));
    let gaps = vectors[0]
        .steps
        .iter()
        .filter(|s| matches!(s.action, Action::Gap(_)));
    assert_eq!(gaps.count(), 2);
}

#[tokio::test]
async fn a_bound_of_all_together_costs_recordings_and_no_connection() {
    for (bound, change) in [
        (
            Bound::Exchanges,
            (|o| o.max_exchanges = Some(1)) as fn(&mut Options),
        ),
        (Bound::Memory, |o| o.max_memory = 3000),
    ] {
        let tap = Tap::new(&format!("all-{bound:?}"), change).await;
        let mut open = Vec::new();
        for _ in 0..4 {
            let (mut client, mut server) = tap.connect().await;
            client.write_all(b"ping").await.unwrap();
            let mut got = [0; 4];
            server.read_exact(&mut got).await.unwrap();
            open.push((client, server));
        }
        assert!(tap.recorder.recorded().unrecorded >= 2);
        drop(open);
        let reports = Arc::clone(&tap.reports);
        let vectors = tap.stop().await;
        assert!((1..=2).contains(&vectors.len()), "{}", vectors.len());
        let reports = reports.lock().unwrap();
        let full = reports
            .iter()
            .filter(|r| matches!(r, Report::Full(b) if *b == bound));
        assert_eq!(full.count(), 1, "told once: {reports:?}");
    }
}

#[tokio::test]
async fn files_come_to_no_more_than_they_may() {
    let tap = Tap::new("disk", |options| options.max_disk = 3 * 4096).await;
    for _ in 0..8 {
        let (mut client, mut server) = tap.connect().await;
        say(&mut client, &[b"GET / HTTP/1.1\r\n\r\n".to_vec()]).await;
        say(&mut server, &[b"no".to_vec()]).await;
        rest(&mut server).await;
        rest(&mut client).await;
    }
    tap.stop.send(()).unwrap();
    tap.relay.await.unwrap();
    tap.recorder.finish();
    let recorded = tap.recorder.recorded();
    assert!(
        recorded.written >= 1 && recorded.failed >= 1,
        "{recorded:?}"
    );
    // A small file takes a whole block of a disk.
    assert_eq!(fs::read_dir(&tap.dir).unwrap().count(), 3);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_told_and_recorded() {
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstream = nobody.local_addr().unwrap().to_string();
    drop(nobody);
    let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tap = Tap::before("refused", upstream, server, |_| {}).await;
    let mut client = TcpStream::connect(tap.address).await.unwrap();
    let _ = client.write_all(b"GET / HTTP/1.1\r\n\r\n").await;
    let mut octets = Vec::new();
    // By FIN or by RST: it ends.
    let _ = client.read_to_end(&mut octets).await;
    assert_eq!(octets, b"");
    tap.written(1).await;
    assert!(matches!(
        tap.troubles.lock().unwrap()[..],
        [Trouble::Upstream { .. }]
    ));
    let vectors = tap.stop().await;
    let partial = vectors[0].about.partial.as_deref().unwrap();
    assert!(
        partial.starts_with("the server could not be reached: "),
        "{partial}"
    );
}

#[tokio::test]
async fn a_tap_in_front_of_itself_turns_clients_away() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("itself");
    let options = Options::new(dir, Facts::new("a test"));
    let recorder = Arc::new(Recorder::start(options, |_| {}).unwrap());
    let (tell, mut told) = tokio::sync::mpsc::unbounded_channel();
    let tell = move |it| tell.send(it).unwrap();
    let never = std::future::pending();
    let relay = tokio::spawn(relay(listener, address.to_string(), recorder, tell, never));
    let _client = TcpStream::connect(address).await.unwrap();
    let Some(Trouble::Upstream { error, .. }) = told.recv().await else {
        panic!("nothing is said of the server")
    };
    assert!(error.to_string().contains("this tap itself"), "{error}");
    relay.abort();
}

#[tokio::test]
async fn what_is_under_way_when_it_stops_is_written_as_such() {
    let tap = Tap::new("stopped", |_| {}).await;
    let (mut client, mut server) = tap.connect().await;
    client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    let mut got = [0; 18];
    server.read_exact(&mut got).await.unwrap();
    let vectors = tap.stop().await;
    assert_eq!(vectors[0].octets(Role::Client).len(), 18);
    let partial = vectors[0].about.partial.as_deref().unwrap();
    assert!(
        partial.contains("stopped while the connection was open"),
        "{partial}"
    );
}

#[tokio::test]
async fn many_connections_at_once_are_as_many_exchanges_with_names_in_order() {
    const MANY: usize = 100;
    let tap = Tap::new("many", |_| {}).await;
    let mut clients = Vec::new();
    for number in 0..MANY {
        let (mut client, server) = tap.connect().await;
        client
            .write_all(format!("n{number:03}").as_bytes())
            .await
            .unwrap();
        clients.push((client, server));
    }
    for (mut client, mut server) in clients {
        say(&mut client, &[]).await;
        say(&mut server, &[]).await;
        assert_eq!(rest(&mut server).await.len(), 4);
        rest(&mut client).await;
    }
    tap.written(MANY as u64).await;
    let vectors = tap.stop().await;
    let said: Vec<_> = vectors
        .iter()
        .map(|vector| vector.octets(Role::Client))
        .collect();
    assert_eq!(said.len(), MANY);
    assert!(said.is_sorted(), "names sort by time");
}
