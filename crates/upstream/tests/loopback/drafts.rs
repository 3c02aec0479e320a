//! Which draft is spoken with an upstream, and what of that is remembered.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::BytesMut;
use draftgate_client::{Drafts, Options};
use draftgate_core::Draft;
use draftgate_drafts::{Detection, detect, opening::parts};
use draftgate_upstream::{Ask, Settings, Upstream};
use tokio::{io::AsyncReadExt, time::advance};

use crate::{
    logged::Lines,
    server::{Server, connect, converse, echo, settings, websocket},
};

/// Every draft, newest first.
fn all() -> Vec<Draft> {
    let mut drafts: Vec<Draft> = draftgate_drafts::announced().collect();
    drafts.reverse();
    drafts
}

/// An upstream at `server` in `drafts`.
fn upstream(server: &Server, drafts: Drafts) -> Upstream {
    let settings = settings(&[server.ws("")]);
    Upstream::new(Settings {
        client: Options {
            drafts,
            ..settings.client
        },
        remember: Duration::from_secs(600),
        ..settings
    })
}

/// A server of one draft, which may be another one later.
async fn of_one(draft: Draft) -> (Server, Arc<Mutex<Draft>>) {
    let speaks = Arc::new(Mutex::new(draft));
    let shared = Arc::clone(&speaks);
    let server = Server::start(move |tcp, seen| {
        let speaks = *shared.lock().unwrap();
        async move { echo(tcp, BytesMut::new(), seen, &[speaks], b"").await }
    })
    .await;
    (server, speaks)
}

/// Connects and talks; in which draft, and by how many connections.
async fn spoken(upstream: &Upstream, server: &Server) -> (Draft, usize) {
    let before = server.count();
    let (connection, _slot) = websocket(connect(upstream).await.unwrap());
    let draft = connection.draft();
    converse(connection, "Grüße").await;
    (draft, server.count() - before)
}

#[tokio::test(start_paused = true)]
async fn the_draft_that_worked_is_tried_first_for_its_time() {
    for (at, draft) in all().into_iter().enumerate() {
        let (server, _) = of_one(draft).await;
        let upstream = upstream(&server, Drafts::Named(all()));
        let (lines, _guard) = Lines::caught();
        for _ in 0..2 {
            assert_eq!(spoken(&upstream, &server).await, (draft, at + 1));
            let known: Vec<_> = upstream.remembered().collect();
            assert_eq!(known, [(server.ws("").as_str(), draft)]);
            for _ in 0..3 {
                assert_eq!(spoken(&upstream, &server).await, (draft, 1));
            }
            advance(Duration::from_secs(601)).await;
            assert_eq!(upstream.remembered().count(), 0);
        }
        let told = lines.with("upstream speaks this draft");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(draft.name()), "{told:?}");
    }
}

#[tokio::test]
async fn a_draft_that_works_no_more_is_forgotten_and_all_are_tried() {
    let drafts = all();
    for was in &drafts {
        for is in drafts.iter().filter(|is| *is != was) {
            let (server, speaks) = of_one(*was).await;
            let upstream = upstream(&server, Drafts::Named(drafts.clone()));
            let (lines, _guard) = Lines::caught();
            assert_eq!(spoken(&upstream, &server).await.0, *was);
            *speaks.lock().unwrap() = *is;
            let at = drafts.iter().position(|draft| draft == is).unwrap();
            // Once in vain in the old one, then as if nothing were known.
            assert_eq!(spoken(&upstream, &server).await, (*is, 1 + at + 1));
            assert_eq!(spoken(&upstream, &server).await, (*is, 1));
            assert_eq!(lines.with("upstream speaks this draft").len(), 2);
        }
    }
}

#[tokio::test]
async fn a_draft_that_was_named_alone_is_not_remembered_and_auto_names_those_with_a_version() {
    for draft in all() {
        let (server, _) = of_one(draft).await;
        let named = upstream(&server, Drafts::Named(vec![draft]));
        assert_eq!(spoken(&named, &server).await, (draft, 1));
        assert_eq!(named.remembered().count(), 0);
        let auto = upstream(&server, Drafts::Auto);
        match draft.version() {
            Some(_) => assert_eq!(spoken(&auto, &server).await.0, draft),
            None => assert!(connect(&auto).await.is_err()),
        }
    }
}

/// What a server does for now.
#[derive(Debug, Clone, Copy)]
enum Mood {
    Speaks(Draft),
    Answers(&'static str),
    Silent,
}

async fn moody(mood: Mood) -> (Server, Arc<Mutex<Mood>>) {
    let now = Arc::new(Mutex::new(mood));
    let shared = Arc::clone(&now);
    let server = Server::start(move |mut tcp, seen| {
        let mood = *shared.lock().unwrap();
        async move {
            let input = BytesMut::new();
            match mood {
                Mood::Speaks(draft) => echo(tcp, input, seen, &[draft], b"").await,
                Mood::Answers(answer) => echo(tcp, input, seen, &[], answer.as_bytes()).await,
                Mood::Silent => {
                    let _ = tcp.read_to_end(&mut Vec::new()).await;
                }
            }
        }
    })
    .await;
    (server, now)
}

#[tokio::test]
async fn an_answer_about_something_else_forgets_nothing() {
    let old = all().pop().unwrap();
    let (server, mood) = moody(Mood::Speaks(old)).await;
    let upstream = upstream(&server, Drafts::Named(all()));
    assert_eq!(spoken(&upstream, &server).await.0, old);
    for answer in ["HTTP/1.1 403 No\r\n\r\n", "HTTP/1.1 503 Busy\r\n\r\n"] {
        *mood.lock().unwrap() = Mood::Answers(answer);
        let before = server.count();
        assert_eq!(
            connect(&upstream).await.unwrap_err().code(),
            "upstream-answered"
        );
        assert_eq!(server.count(), before + 1);
        *mood.lock().unwrap() = Mood::Speaks(old);
        assert_eq!(spoken(&upstream, &server).await, (old, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn silence_in_the_draft_that_worked_makes_it_forgotten() {
    let (newest, old) = (all()[0], all().pop().unwrap());
    let (server, mood) = moody(Mood::Speaks(old)).await;
    let upstream = upstream(&server, Drafts::Named(all()));
    assert_eq!(spoken(&upstream, &server).await.0, old);
    *mood.lock().unwrap() = Mood::Silent;
    let before = server.count();
    assert_eq!(
        connect(&upstream).await.unwrap_err().code(),
        "upstream-timeout"
    );
    assert_eq!(server.count(), before + 1);
    assert_eq!(upstream.remembered().count(), 0);
    // It came back as another one, and is not asked in the old one's draft.
    *mood.lock().unwrap() = Mood::Speaks(newest);
    assert_eq!(spoken(&upstream, &server).await, (newest, 1));
}

/// Ends connections without a word, by FIN or by RST, while it is told to.
async fn curt(draft: Draft, reset: bool) -> (Server, Arc<AtomicBool>) {
    let full = Arc::new(AtomicBool::new(false));
    let shared = Arc::clone(&full);
    let server = Server::start(move |mut tcp, seen| {
        let full = shared.load(Ordering::Relaxed);
        async move {
            match full {
                false => echo(tcp, BytesMut::new(), seen, &[draft], b"").await,
                // What is unread makes it a reset.
                true if reset => tcp.readable().await.unwrap(),
                true => while tcp.read(&mut [0; 4096]).await.unwrap() == 4096 {},
            }
        }
    })
    .await;
    (server, full)
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ends_connections_without_a_word_is_asked_in_its_draft_alone() {
    for (at, draft) in all().into_iter().enumerate() {
        for reset in [false, true] {
            let (server, full) = curt(draft, reset).await;
            let upstream = upstream(&server, Drafts::Named(all()));
            assert_eq!(spoken(&upstream, &server).await, (draft, at + 1));
            for wait in [1, 60, 601, 60] {
                full.store(true, Ordering::Relaxed);
                advance(Duration::from_secs(wait)).await;
                // One finds out whether it is another server.
                assert!(connect(&upstream).await.is_err());
                let before = server.count();
                for _ in 0..20 {
                    let failure = connect(&upstream).await.unwrap_err();
                    assert_eq!(failure.code(), "upstream-unreachable", "{draft}");
                }
                assert_eq!(server.count() - before, 20, "{draft}, {wait} s");
                full.store(false, Ordering::Relaxed);
                assert_eq!(spoken(&upstream, &server).await, (draft, 1));
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_was_exchanged_for_one_without_a_word_is_met_within_a_minute() {
    let (newest, old) = (all()[0], all().pop().unwrap());
    let (server, speaks) = of_one(old).await;
    let upstream = upstream(&server, Drafts::Named(all()));
    assert_eq!(spoken(&upstream, &server).await.0, old);
    *speaks.lock().unwrap() = newest;
    assert_eq!(spoken(&upstream, &server).await.0, newest);
    *speaks.lock().unwrap() = old;
    assert!(connect(&upstream).await.is_err());
    advance(Duration::from_secs(60)).await;
    assert_eq!(spoken(&upstream, &server).await.0, old);
}

#[tokio::test]
async fn a_draft_that_asks_for_one_subprotocol_asks_for_the_first() {
    let subprotocols = ["first".to_owned(), "second".to_owned()];
    for draft in all() {
        let (server, _) = of_one(draft).await;
        let upstream = upstream(&server, Drafts::Named(vec![draft]));
        let ask = Ask {
            subprotocols: &subprotocols,
            ..Ask::default()
        };
        let (connection, _slot) = websocket(upstream.connect(&ask).await.unwrap());
        // The server takes the last that it is asked for.
        let one = draftgate_drafts::asks_for_one_subprotocol(draft);
        let wanted = if one { "first" } else { "second" };
        assert_eq!(connection.subprotocol.as_deref(), Some(wanted), "{draft}");
        assert!(connection.fields().iter().any(|(_, value)| value == wanted));
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_waits_for_what_only_its_draft_sends_is_reached_where_that_is_named() {
    for old in all().into_iter().filter(|draft| draft.version().is_none()) {
        let server = Server::start(move |mut tcp, seen| async move {
            let mut input = BytesMut::new();
            while parts(&input).unwrap().is_none() {
                if tcp.read_buf(&mut input).await.unwrap() == 0 {
                    return;
                }
            }
            let (request, _) = parts(&input).unwrap().unwrap();
            if detect(&request, Detection::default()) == Ok(old) {
                echo(tcp, input, seen, &[old], b"").await;
            } else {
                let _ = tcp.read_to_end(&mut Vec::new()).await;
            }
        })
        .await;
        let newest = all()[0];
        let upstream = upstream(&server, Drafts::Named(vec![newest, old]));
        assert_eq!(spoken(&upstream, &server).await, (old, 2));
        assert_eq!(spoken(&upstream, &server).await, (old, 1));
    }
}
