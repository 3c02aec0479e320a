//! The recorded clients of the archive, octet for octet, against a running
//! gateway: where the recorded server gave back what it was sent, the gateway
//! sends the same octets. For hybi-06, which no client speaks any more, this
//! is what shows that a client of 2011 would be served.

#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod common;

use std::{collections::BTreeMap, path::Path, time::Duration};

use common::{PATIENCE, Raw, announced, config, gateway, until};
use draftgate_core::{Draft, Event, Notice, Role};
use draftgate_drafts::{compression, hangs_on_nonce, opening::RefusalKind};
use draftgate_gateway::{
    Counts,
    config::{Config, OriginRule, Origins},
    refusal_table,
};
use draftgate_vectors::{Ends, Kind, Vector, load_dir};
use tokio::{io::AsyncReadExt, time::timeout};

/// The archive's paths, open to every origin.
fn echoes() -> Config {
    let mut config = config();
    let mut echo = config.routes[0].clone();
    echo.origins = Origins::new([OriginRule::Any]);
    config.routes = ["/echo", "/demo"]
        .map(|path| {
            echo.path = path.parse().unwrap();
            echo.clone()
        })
        .to_vec();
    config
}

/// What `role` must hear, where the connection opens and no rule is broken;
/// without what differs from server to server, the Close and notices of it.
fn heard(vector: &Vector, role: Role) -> Option<Vec<&Event>> {
    let stated = vector.expectation(role).stated()?;
    let sound = matches!(stated.ends, Ends::Open | Ends::Closed);
    let echoed = |event: &&Event| match event {
        Event::Opened | Event::Close(_) | Event::Notice(Notice::Tolerated { .. }) => false,
        Event::Message(_) | Event::Ping(_) | Event::Pong(_) | Event::Notice(_) => true,
    };
    sound.then(|| stated.events.iter().filter(echoed).collect())
}

/// Whether the recorded server gave back all that it was sent.
fn is_echo(vector: &Vector) -> bool {
    let (Some(asked), Some(said)) = (heard(vector, Role::Server), heard(vector, Role::Client))
    else {
        return false;
    };
    let answers = |(asked, said): (&&Event, &&Event)| match (asked, said) {
        (Event::Ping(_), Event::Notice(Notice::UnsolicitedPong)) => true,
        (Event::Message(asked), Event::Message(said)) => asked == said,
        _ => false,
    };
    asked.len() == said.len() && asked.iter().zip(&said).all(answers)
}

/// Whether the stream that `role` reads ends with a Close.
fn closes(vector: &Vector, role: Role) -> bool {
    let stated = vector.expectation(role).stated();
    stated.is_some_and(|stated| stated.ends == Ends::Closed)
}

/// The recorded server's frames, and hixie-76's 16 octets, up to its Close.
fn answer(vector: &Vector) -> Vec<u8> {
    let mut steps: Vec<_> = vector
        .steps
        .iter()
        .filter(|step| step.from == Role::Server)
        .skip(1)
        .collect();
    if closes(vector, Role::Client) {
        steps.pop();
    }
    let octets = steps
        .iter()
        .filter_map(|step| Some(&step.content()?.octets[..]));
    octets.collect::<Vec<&[u8]>>().concat()
}

#[tokio::test]
async fn recorded_clients_get_what_their_servers_gave_them() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let (running, address) = gateway(echoes());
    let mut counted = BTreeMap::<Draft, usize>::new();
    for vector in load_dir(archive).unwrap() {
        let spoken = announced().contains(&vector.about.draft);
        // A client of hybi-04 masked for the nonce of that one server, one of hello-00
        // proved with it.
        let to_all = spoken && !hangs_on_nonce(vector.about.draft);
        let [client, server] = [Role::Client, Role::Server].map(|side| vector.octets(side));
        if compression::recorded(&client, &server).is_some() {
            // What another compressor makes of the same message is as right.
            continue;
        }
        if vector.about.kind != Kind::Captured || !to_all || !is_echo(&vector) {
            continue;
        }
        // In one write: the frames come with the request, before its answer.
        let mut raw = Raw::say(address, vector.octets(Role::Client)).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{}: {head}", vector.name);
        let stated = vector.expectation(Role::Server).stated().unwrap();
        if let Some(accept) = &stated.answer.accept {
            assert!(head.contains(accept.as_str()), "{}: {head}", vector.name);
        }
        let expected = answer(&vector);
        let sent = raw.exactly(expected.len()).await;
        assert!(sent == expected, "{}: {sent:02x?}", vector.name);
        if closes(&vector, Role::Server) {
            // Ours follows, and TCP ends.
            assert!(!raw.rest().await.is_empty(), "{}", vector.name);
        }
        *counted.entry(vector.about.draft).or_default() += 1;
    }
    until("they have gone", || running.counts().connections == 0).await;
    for draft in announced() {
        let served = counted.get(&draft).copied().unwrap_or(0);
        let enough = match draft {
            Draft::Hybi02 | Draft::Hello00 | Draft::Hybi04 => 0,
            Draft::Hybi03 => 2,
            Draft::Hybi06 => 40,
            _ => 5,
        };
        assert!(served >= enough, "{draft}: {served} clients served");
        assert_eq!(running.counts().upgrades_in(draft), served as u64);
    }
}

/// The head and the body of the answer to `request`.
async fn refused(request: &[u8], address: std::net::SocketAddr) -> (String, String) {
    let mut raw = Raw::say(address, request).await;
    let head = raw.head().await;
    let length = head.to_ascii_lowercase();
    let length = length.split("content-length: ").nth(1).unwrap_or("0");
    let length = length.split("\r\n").next().unwrap().parse().unwrap();
    let body = String::from_utf8(raw.exactly(length).await).unwrap();
    (head, body)
}

#[tokio::test]
async fn openings_written_to_be_refused_are_refused_with_the_archives_codes() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let mut config = config();
    for route in &mut config.routes {
        route.origins = Origins::new([OriginRule::SameHost, OriginRule::Missing]);
    }
    // What waits for a timeout need not wait for long.
    config.listeners[0].timeouts.head = Duration::from_millis(500);
    config.listeners[0].timeouts.key3 = Duration::from_millis(500);
    let (_running, address) = gateway(config);
    let (mut front_end, mut drafts) = (0, 0);
    for vector in load_dir(archive).unwrap() {
        let stated = vector.expectation(Role::Server).stated();
        let rules = stated.and_then(|stated| Some(&stated.refused.as_ref()?.rules));
        let Some(rules) = rules.filter(|_| vector.about.kind == Kind::Constructed) else {
            continue;
        };
        if rules.iter().any(|rule| rule == "hello-invalid") {
            // Behind the head, without a word: the server's own HELLO, and the end.
            let mut raw = Raw::say(address, vector.octets(Role::Client)).await;
            assert!(raw.head().await.starts_with("HTTP/1.1 101 "));
            assert_eq!(raw.rest().await.len(), 26, "{}", vector.name);
            drafts += 1;
            continue;
        }
        let (head, body) = refused(&vector.octets(Role::Client), address).await;
        let told = body.split("Code: ").nth(1).and_then(|c| c.lines().next());
        if told == Some("draft-not-built") && !announced().contains(&vector.about.draft) {
            continue;
        }
        let named = told.is_some_and(|code| rules.iter().any(|rule| rule == code));
        assert!(named, "{}: {rules:?}, but {head}{body}", vector.name);
        match vector.about.tags.iter().any(|tag| tag == "front-end") {
            true => front_end += 1,
            false => drafts += 1,
        }
    }
    assert!(front_end >= 10 && drafts >= 50, "{front_end}, {drafts}");
}

/// All that is answered to what the archive's clients wrote, with `ahead` in
/// front of each request, and what was counted.
async fn answers(ahead: &[u8]) -> (Vec<(String, Vec<u8>)>, Counts) {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let mut config = echoes();
    // What waits for a timeout need not wait for long.
    let timeouts = &mut config.listeners[0].timeouts;
    timeouts.head = Duration::from_millis(300);
    timeouts.key3 = Duration::from_millis(300);
    timeouts.close = Duration::from_millis(300);
    timeouts.close_hixie_76 = Duration::from_millis(300);
    let (running, address) = gateway(config);
    let mut answers = Vec::new();
    for vector in load_dir(archive).unwrap() {
        let octets = vector.octets(Role::Client);
        if vector.head(Role::Client).is_none() {
            // It would be waited for.
            continue;
        }
        let mut raw = Raw::say(address, [ahead, &octets].concat()).await;
        let mut answer = Vec::new();
        while memchr::memmem::find(&answer, b"\r\n\r\n").is_none() {
            let read = timeout(PATIENCE, raw.tcp.read_buf(&mut answer)).await;
            if read.expect("an answer comes, or an end").unwrap_or(0) == 0 {
                break;
            }
        }
        if !answer.starts_with(b"HTTP/1.1 101 ") {
            answer.extend(raw.rest().await);
        } else if let Some(head) = memchr::memmem::find(&answer, b"\r\n\r\n") {
            // How much of what follows came with it is chance.
            answer.truncate(head);
        }
        answers.push((vector.name.clone(), answer));
    }
    until("they have gone", || running.counts().connections == 0).await;
    (answers, running.counts())
}

#[tokio::test]
async fn a_request_is_answered_alike_whether_or_not_hyper_reads_it() {
    // An empty line in front, which hyper passes over, takes a request there.
    let ((whole, counted), (heard, counted_there)) = tokio::join!(answers(b""), answers(b"\r\n"));
    for ((name, ours), (_, theirs)) in whole.iter().zip(&heard) {
        let [ours, theirs] = [ours, theirs].map(|octets| {
            let head = String::from_utf8_lossy(octets).into_owned();
            // Another one for each connection.
            match head.split_once("Sec-WebSocket-Nonce: ") {
                Some((front, nonce)) => {
                    let behind = nonce.split_once("\r\n").map(|(_, behind)| behind);
                    format!("{front}{behind:?}")
                }
                None => head,
            }
        });
        assert_eq!(ours, theirs, "{name}");
    }
    assert!(whole.len() > 400 && whole.len() == heard.len());
    assert_eq!(counted, counted_there);
}

#[test]
fn every_code_of_a_refusal_stands_in_the_archive_or_is_said_to_be_out_of_reach() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let readme = std::fs::read_to_string(archive.join("README.md")).unwrap();
    let out_of_reach = readme
        .split("### What octets cannot provoke")
        .nth(1)
        .unwrap();
    let out_of_reach = out_of_reach.split("The same holds").next().unwrap();
    let vectors = load_dir(archive).unwrap();
    let table = refusal_table();
    let own = table.lines().filter_map(|row| row.split('`').nth(1));
    let drafts = RefusalKind::ALL.iter().map(|kind| kind.code());
    for code in own.chain(drafts) {
        let expected = |v: &&Vector| {
            let roles = [Role::Client, Role::Server].into_iter();
            let stated = roles.filter_map(|role| v.expectation(role).stated());
            let mut refused = stated.filter_map(|stated| stated.refused.as_ref());
            refused.any(|refused| refused.rules.iter().any(|rule| rule == code))
        };
        let expected = vectors.iter().filter(expected).count();
        let listed = out_of_reach.contains(&format!("`{code}`"));
        assert!(
            (expected > 0) != listed,
            "{code}: expected {expected} times"
        );
    }
}
