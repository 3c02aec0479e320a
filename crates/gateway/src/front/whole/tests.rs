//! Whatever the short way takes, hyper takes for the same request: the
//! archive's, and those cut, spoilt and filled with noise.

use std::{collections::BTreeSet, path::Path, sync::LazyLock};

use draftgate_core::Role;
use draftgate_vectors::load_dir;
use proptest::{prelude::*, sample::Index};
use tokio::{
    net::{TcpListener, TcpStream},
    runtime::Runtime,
    time::Instant,
};

use super::*;
use crate::{
    config::Config,
    front::{Visit, hear::Heard},
    gate::Gate,
    handshake,
    inner::Inner,
    peer::Peer,
    ports::Inherited,
    slot::Slot,
    socket::Socket,
    turn::Turn,
};

/// What the archive's clients wrote.
static RECORDED: LazyLock<Vec<Bytes>> = LazyLock::new(|| {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let vectors = load_dir(archive).unwrap();
    let octets = vectors.iter().map(|vector| vector.octets(Role::Client));
    let different: BTreeSet<Bytes> = octets.filter(|octets| !octets.is_empty()).collect();
    different.into_iter().collect()
});

struct Scene {
    runtime: Runtime,
    sockets: TcpListener,
    visit: Visit,
}

impl Scene {
    fn new() -> Self {
        let runtime = Runtime::new().unwrap();
        let inside = runtime.enter();
        let mut config = Config::default();
        config.listeners[0].address = ([127, 0, 0, 1], 0).into();
        let inner = Inner::new(Box::new(|_| None), None, None);
        inner.follow(config, &mut Inherited::default()).unwrap();
        let rules = inner.rules();
        let mut listener = rules.config.listeners[0].clone();
        // So that some of what was recorded is beyond them.
        listener.limits.head = 1500;
        listener.limits.head_fields = 12;
        let sockets = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let visit = Visit {
            id: "c1".into(),
            number: 1,
            since: Instant::now(),
            peer: Peer::new(([127, 0, 0, 1], 1).into()),
            local: None,
            driven: handshake::driven(&rules.config, &listener),
            listener: listener.into(),
            plugin: None,
            tls: None,
            rules,
            inner,
            place: Gate::new(Default::default()).admit(None).unwrap(),
            opening: None,
        };
        drop(inside);
        Self {
            runtime,
            sockets,
            visit,
        }
    }

    /// Whether the short way takes `octets`; and if it does, hyper agrees.
    fn compare(&self, octets: &[u8]) -> bool {
        let ahead = || BytesMut::from(octets);
        let (request, received) = match whole(ahead(), &self.visit.listener.limits) {
            Ok(taken) => taken,
            Err(left) => {
                assert_eq!(left, octets, "it is left as it was");
                return false;
            }
        };
        let heard = self.runtime.block_on(async {
            let address = self.sockets.local_addr().unwrap();
            let (client, ours) = tokio::join!(TcpStream::connect(address), self.sockets.accept());
            let (_client, (tcp, _)) = (client.unwrap(), ours.unwrap());
            let slot = Slot::new(Turn::new(None));
            self.visit.hear(Socket::from(tcp), ahead(), &slot).await
        });
        let shown = String::from_utf8_lossy(octets);
        let (Heard::Request(theirs), _, left) = heard else {
            panic!("hyper does not take it for a request: {shown:?}");
        };
        assert_eq!(request.parts.method, theirs.parts.method, "{shown:?}");
        assert_eq!(request.parts.uri, theirs.parts.uri, "{shown:?}");
        assert_eq!(request.parts.version, theirs.parts.version, "{shown:?}");
        let fields = |request: &Request| {
            let fields = request.parts.headers.iter();
            let fields = fields.map(|(name, value)| (name.clone(), value.clone()));
            fields.collect::<Vec<_>>()
        };
        assert_eq!(fields(&request), fields(&theirs), "{shown:?}");
        assert_eq!(request.head, theirs.head, "{shown:?}");
        assert!(matches!(request.body, Body::None));
        assert!(matches!(theirs.body, Body::None), "{shown:?}");
        assert_eq!(received, left, "{shown:?}");
        true
    }
}

#[test]
fn what_was_recorded_is_the_same_request_both_ways() {
    let scene = Scene::new();
    let taken = RECORDED.iter().filter(|it| scene.compare(it)).count();
    let all = RECORDED.len();
    assert!(taken * 2 > all && taken < all, "{taken} of {all} are taken");
}

/// What makes a request another.
const NOISE: [&[u8]; 24] = [
    b"\r\n",
    b"\n",
    b"\r",
    b" ",
    b"\t",
    b":",
    b"\0",
    b"\xff",
    b"GET ",
    b"HEAD",
    b"HTTP/1.0",
    b" HTTP/1.1\r\n",
    b"http://other",
    b"//",
    b"#",
    b"\r\nContent-Length: 8\r\n",
    b"\r\nContent-Length: 0\r\n",
    b"\r\nTransfer-Encoding: chunked\r\n",
    b"\r\nExpect: 100-continue\r\n",
    b"\r\nConnection: close\r\n",
    b"\r\nUpgrade: websocket\r\n",
    b"\r\nUpgrade: h2c\r\n",
    b"\r\n folded\r\n",
    b"\r\nX: y\r\nX: z\r\n",
];

#[derive(Debug, Clone)]
enum Spoil {
    Cut(Index),
    Insert(Index, &'static [u8]),
    Replace(Index, u8),
    /// Lines change places.
    Swap(Index, Index),
    Repeat(Index),
    Behind(Vec<u8>),
}

impl Spoil {
    fn apply(&self, octets: &mut Vec<u8>) {
        let within = |at: &Index, octets: &[u8]| at.index(octets.len() + 1);
        let lines = |octets: &[u8]| {
            let lines = octets.split_inclusive(|octet| *octet == b'\n');
            lines.map(<[u8]>::to_vec).collect::<Vec<_>>()
        };
        match self {
            Self::Cut(at) => octets.truncate(within(at, octets)),
            Self::Insert(at, noise) => {
                let at = within(at, octets);
                octets.splice(at..at, noise.iter().copied());
            }
            Self::Replace(at, octet) if !octets.is_empty() => {
                let at = at.index(octets.len());
                octets[at] = *octet;
            }
            Self::Swap(one, other) if !octets.is_empty() => {
                let mut lines = lines(octets);
                let count = lines.len();
                lines.swap(one.index(count), other.index(count));
                *octets = lines.concat();
            }
            Self::Repeat(at) if !octets.is_empty() => {
                let mut lines = lines(octets);
                let at = at.index(lines.len());
                lines.insert(at, lines[at].clone());
                *octets = lines.concat();
            }
            Self::Behind(more) => octets.extend_from_slice(more),
            _ => {}
        }
    }
}

fn spoils() -> impl Strategy<Value = Vec<Spoil>> {
    let spoil = prop_oneof![
        1 => any::<Index>().prop_map(Spoil::Cut),
        6 => (any::<Index>(), prop::sample::select(&NOISE)).prop_map(|(at, it)| Spoil::Insert(at, it)),
        3 => (any::<Index>(), any::<u8>()).prop_map(|(at, it)| Spoil::Replace(at, it)),
        2 => (any::<Index>(), any::<Index>()).prop_map(|(one, other)| Spoil::Swap(one, other)),
        2 => any::<Index>().prop_map(Spoil::Repeat),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Spoil::Behind),
    ];
    prop::collection::vec(spoil, 1..4)
}

#[test]
fn what_was_spoilt_is_the_same_request_both_ways_or_left_to_hyper() {
    let scene = Scene::new();
    let cases = (any::<Index>(), spoils());
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig::with_cases(2000));
    let ran = runner.run(&cases, |(which, spoils)| {
        let mut octets = which.get(&RECORDED).to_vec();
        for spoil in spoils {
            spoil.apply(&mut octets);
        }
        scene.compare(&octets);
        Ok(())
    });
    ran.unwrap();
    // Not all of it is spoilt beyond the short way.
    let spoil = Spoil::Behind(b"more".to_vec());
    let mut with_more = RECORDED.iter().map(|it| it.to_vec());
    assert!(with_more.any(|mut octets| {
        spoil.apply(&mut octets);
        scene.compare(&octets)
    }));
}

#[test]
fn what_hyper_is_for_is_left_to_it() {
    let scene = Scene::new();
    const SOUND: &str = "GET /echo HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    assert!(scene.compare(SOUND.as_bytes()));
    for (from, to) in [
        ("GET", "POST"),
        ("GET", "\r\nGET"),
        ("HTTP/1.1", "HTTP/1.0"),
        ("\r\n\r\n", "\r\n"),
        ("websocket", "h2c"),
        ("Host: a", "Host: a\r\nContent-Length: 0"),
        ("Host: a", "Host: a\r\nTransfer-Encoding: chunked"),
        ("Host: a", "Host: a\r\nExpect: 100-continue"),
        (
            "Host: a",
            "Host: a\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:\r\nX:",
        ),
        ("Host: a", "Host"),
        ("/echo", "/ech\u{1}"),
    ] {
        let request = SOUND.replacen(from, to, 1);
        assert!(!scene.compare(request.as_bytes()), "{request:?}");
    }
    let long = SOUND.replace("Host: a", &format!("Host: {}", "a".repeat(1500)));
    assert!(!scene.compare(long.as_bytes()));
}
