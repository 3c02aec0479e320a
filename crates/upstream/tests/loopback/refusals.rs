//! What a server answers that does not want a connection: it is passed on whole.

use draftgate_client::{Answered, Drafts, Options};
use draftgate_core::Draft;
use draftgate_upstream::{Ask, Failure, Settings, Upstream};
use http::HeaderValue;

use crate::server::{Server, connect, nobody, settings};

/// What an upstream in `drafts` makes of a server with this `answer`.
async fn answered(answer: impl Into<Vec<u8>>, drafts: Drafts) -> (Draft, Box<Answered>) {
    let server = Server::answering(answer).await;
    let settings = settings(&[server.ws("/plc")]);
    let upstream = Upstream::new(Settings {
        client: Options {
            drafts,
            ..settings.client
        },
        ..settings
    });
    match connect(&upstream).await {
        Err(Failure::Answered {
            address,
            draft,
            answer,
        }) => {
            assert_eq!(address, server.ws("/plc"));
            (draft, answer)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_is_not_said_to_be_encoded() {
    for (coding, body, told) in [
        ("gzip, chunked", "", None),
        ("chunked", "abc", Some("gzip")),
    ] {
        let answer = format!(
            "HTTP/1.1 403 No\r\nContent-Encoding: gzip\r\nTransfer-Encoding: {coding}\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        );
        let (_, answer) = answered(answer, Drafts::Auto).await;
        assert_eq!(answer.body, body);
        let mut fields = answer
            .fields
            .iter()
            .map(|(name, value)| (name.as_str(), value));
        let told = told.map(HeaderValue::from_static);
        assert_eq!(
            fields.next(),
            told.as_ref().map(|told| ("Content-Encoding", told))
        );
        assert_eq!(fields.next(), None);
    }
}

#[tokio::test]
async fn status_reason_fields_and_body_are_handed_back_in_every_draft() {
    let head = "HTTP/1.1 401 Who are you\r\nWWW-Authenticate: Basic realm=\"plc\"\r\n\
        Content-Type: text/html\r\nSet-Cookie: a=b\r\nset-cookie: c=d\r\nRetry-After: 7\r\n\
        Location: /login\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n";
    let plain = format!("{head}Content-Length: 9\r\n\r\n<p>who?\r\n");
    let chunked =
        format!("{head}Transfer-Encoding: chunked\r\n\r\n4\r\n<p>w\r\n5\r\nho?\r\n\r\n0\r\n\r\n");
    let to_the_end = format!("{head}\r\n<p>who?\r\n");
    for draft in draftgate_drafts::announced() {
        for answer in [&plain, &chunked, &to_the_end] {
            let (in_draft, answer) = answered(answer.as_str(), Drafts::Named(vec![draft])).await;
            assert_eq!(in_draft, draft);
            assert_eq!(
                (answer.status, answer.reason.as_str()),
                (401, "Who are you")
            );
            let fields: Vec<String> = answer
                .fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.to_str().unwrap()))
                .collect();
            let wanted = [
                "WWW-Authenticate: Basic realm=\"plc\"",
                "Content-Type: text/html",
                "Set-Cookie: a=b",
                "set-cookie: c=d",
                "Retry-After: 7",
                "Location: /login",
            ];
            assert_eq!(fields, wanted, "{draft}");
            assert_eq!(
                (&answer.body[..], answer.whole),
                (&b"<p>who?\r\n"[..], true)
            );
        }
    }
}

#[tokio::test]
async fn of_a_body_of_1_mib_64_kib_are_handed_back() {
    let body = vec![b'x'; 1 << 20];
    for head in [
        "Content-Length: 1048576\r\n",
        "",
        "Transfer-Encoding: chunked\r\n",
    ] {
        let size = if head.starts_with('T') {
            "100000\r\n"
        } else {
            ""
        };
        let head = format!("HTTP/1.1 500 Error\r\n{head}\r\n{size}");
        let answer = [head.as_bytes(), &body].concat();
        let (_, answer) = answered(answer, Drafts::Auto).await;
        assert_eq!(
            (answer.body.len(), answer.whole),
            (64 << 10, false),
            "{head}"
        );
        assert!(answer.body.iter().all(|octet| *octet == b'x'));
    }
}

#[tokio::test]
async fn of_several_drafts_the_last_answer_counts() {
    let all = || Drafts::Named(draftgate_drafts::announced().collect());
    let last = draftgate_drafts::announced().last().unwrap();
    let (draft, answer) = answered("HTTP/1.1 400 Bad\r\n\r\nwhat?", all()).await;
    assert_eq!((draft, &answer.body[..]), (last, &b"what?"[..]));
    let (draft, answer) = answered("HTTP/1.1 404 Not\r\n\r\n", all()).await;
    let first = draftgate_drafts::announced().next().unwrap();
    assert_eq!((draft, answer.status), (first, 404));
}

#[tokio::test]
async fn what_cannot_be_asked_for_is_told_and_is_nobodys_failure() {
    let server = Server::of_all().await;
    let upstream = Upstream::new(settings(&[server.ws(""), nobody().await]));
    let fields = [("Upgrade".to_owned(), HeaderValue::from_static("h2c"))];
    for ask in [
        Ask {
            resource: "/a b",
            ..Ask::default()
        },
        Ask {
            fields: &fields,
            ..Ask::default()
        },
    ] {
        let failure = upstream.connect(&ask).await.unwrap_err();
        assert_eq!(
            (failure.code(), failure.status()),
            ("upstream-unspeakable", 502)
        );
    }
    assert_eq!(server.count(), 0);
}
