//! Which draft is tried after which refusal, each over a connection of its own.

use std::sync::{Arc, Mutex};

use draftgate_client::{AnswerChecks, Client, ConnectError, Drafts, Options, Witness};
use draftgate_core::{Draft, Role};

use crate::server::{Server, converse};

fn client(drafts: Drafts) -> Client {
    Client::new(Options {
        drafts,
        ..Options::default()
    })
}

/// The versions of the requests that a server has heard.
fn versions(server: &Server) -> Vec<String> {
    let version = |head: &String| {
        let (_, rest) = head.split_once("Sec-WebSocket-Version: ")?;
        Some(rest.split("\r\n").next()?.to_owned())
    };
    let heard = server.heard();
    heard
        .iter()
        .map(|head| version(head).unwrap_or_default())
        .collect()
}

#[tokio::test]
async fn a_list_of_versions_takes_one_more_connection() {
    let drafts = Drafts::Auto.in_order();
    for status in ["400 Bad Request", "426 Upgrade Required"] {
        for older in &drafts[1..] {
            let version = older.version().unwrap();
            let refusal =
                format!("HTTP/1.1 {status}\r\nSec-WebSocket-Version: {version}, 0\r\n\r\n");
            let server = Server::echo(vec![*older], refusal).await;
            let url = server.url("ws", "/");
            let connection = client(Drafts::Auto).connect(&url).await.unwrap();
            assert_eq!(connection.draft(), *older);
            assert_eq!(connection.tried.len(), 1);
            assert_eq!(connection.tried[0].0, drafts[0]);
            assert_eq!(versions(&server), ["13", &*version.to_string()]);
            converse(connection, "x").await;
        }
    }
}

/// What was said, by whom, in which draft.
#[derive(Debug, Default)]
struct Seen(Mutex<Vec<(Draft, Role, Vec<u8>)>>);

impl Witness for Seen {
    fn said(&self, draft: Draft, from: Role, octets: &[u8]) {
        self.0.lock().unwrap().push((draft, from, octets.to_vec()));
    }
}

#[tokio::test]
async fn a_witness_sees_every_opening_the_refused_ones_too() {
    let newest = Drafts::Auto.in_order()[0];
    for draft in draftgate_drafts::announced().filter(|draft| *draft != newest) {
        let refusal = "HTTP/1.1 400 Bad Request\r\n\r\n";
        let server = Server::echo(vec![draft], format!("{refusal}never")).await;
        let seen = Arc::new(Seen::default());
        let client = Client::new(Options {
            drafts: Drafts::Named(vec![newest, draft]),
            witness: Some(Arc::clone(&seen) as _),
            ..Options::default()
        });
        let connection = client.connect(&server.url("ws", "/")).await.unwrap();
        let said = std::mem::take(&mut *seen.0.lock().unwrap());
        let who: Vec<_> = said
            .iter()
            .map(|(draft, from, _)| (*draft, *from))
            .collect();
        let both = |draft| [(draft, Role::Client), (draft, Role::Server)];
        assert_eq!(who, [both(newest), both(draft)].concat());
        assert_eq!(said[1].2, refusal.as_bytes());
        assert_eq!(said[2].2, connection.request);
        // With hixie-76's octets behind the head.
        assert!(said[3].2.starts_with(&connection.head), "{draft}");
        let proof = draftgate_drafts::acceptor(draft)
            .unwrap()
            .octets_after_answer();
        assert_eq!(said[3].2.len(), connection.head.len() + proof, "{draft}");
    }
}

#[tokio::test]
async fn a_list_that_does_not_hold_what_it_promises_is_followed_once() {
    let server =
        Server::answering("HTTP/1.1 426 No\r\nSec-WebSocket-Version: 8, 7, 6\r\n\r\n").await;
    let url = server.url("ws", "/");
    let error = client(Drafts::Auto).connect(&url).await.unwrap_err();
    assert_eq!(versions(&server), ["13", "8"]);
    let ConnectError::NoDraft(tried) = &error else {
        panic!("{error}");
    };
    assert_eq!(tried.len(), 2);
    let text = error.to_string();
    assert!(
        text.contains("\n  hybi-13: ") && text.contains("\n  hybi-08: "),
        "{text}"
    );
}

#[tokio::test]
async fn without_a_list_the_drafts_are_gone_down() {
    for refusal in [
        "HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno.",
        "",
        // A server of another draft that takes the request for one of its own.
        "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
         Connection: Upgrade\r\nSec-WebSocket-Origin: x\r\n\r\n",
    ] {
        let drafts = Drafts::Auto.in_order();
        let oldest = *drafts.last().unwrap();
        let server = Server::echo(vec![oldest], refusal).await;
        let connection = client(Drafts::Auto).connect(&server.url("ws", "/")).await;
        let connection = connection.unwrap();
        assert_eq!(connection.draft(), oldest, "{refusal}");
        assert_eq!(server.heard().len(), drafts.len(), "{refusal}");
        converse(connection, "x").await;
    }
    let another = Server::answering("").await;
    let error = client(Drafts::Auto).connect(&another.url("ws", "/")).await;
    let Err(ConnectError::NoDraft(tried)) = error else {
        panic!("{error:?}");
    };
    let order: Vec<Draft> = tried.iter().map(|(draft, _)| *draft).collect();
    assert_eq!(order, Drafts::Auto.in_order());
}

#[tokio::test]
async fn a_draft_without_a_version_is_reached_only_where_it_is_named() {
    for old in draftgate_drafts::announced().filter(|draft| draft.version().is_none()) {
        for refusal in ["", "HTTP/1.1 400 No\r\nSec-WebSocket-Version: 99\r\n\r\n"] {
            let server = Server::echo(vec![old], refusal).await;
            let url = server.url("ws", "/");
            assert!(client(Drafts::Auto).connect(&url).await.is_err());
            let named = Drafts::Named(vec![Draft::Hybi13, old]);
            let connection = client(named).connect(&url).await.unwrap();
            assert_eq!(connection.draft(), old);
            converse(connection, "x").await;
        }
    }
}

#[tokio::test]
async fn what_means_this_request_in_any_draft_is_not_tried_again() {
    for status in [
        "200 OK",
        "301 Moved",
        "401 Unauthorized",
        "403 Forbidden",
        "404 Not Found",
        "500 Error",
        "503 Unavailable",
    ] {
        let body = "HTTP/1.1 {status}\r\nSec-WebSocket-Version: 8\r\n\r\nwhy \x1b[2J";
        let server = Server::answering(body.replace("{status}", status)).await;
        let error = client(Drafts::Auto).connect(&server.url("ws", "/")).await;
        let error = error.unwrap_err();
        let ConnectError::Refused {
            status: found,
            body,
            ..
        } = &error
        else {
            panic!("{error}");
        };
        assert_eq!(found.unwrap().to_string(), status[..3]);
        assert_eq!(body, "why [2J");
        assert_eq!(server.heard().len(), 1, "{status}");
    }
}

#[tokio::test]
async fn a_lenient_client_still_goes_down_to_the_draft_that_the_server_speaks() {
    // What a server that knows hixie-75 alone answers to anything.
    let server = Server::answering(
        "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
         Connection: Upgrade\r\nWebSocket-Origin: x\r\nWebSocket-Location: y\r\n\r\n",
    )
    .await;
    let drafts: Vec<Draft> = draftgate_drafts::announced().collect();
    let client = Client::new(Options {
        drafts: Drafts::Named(drafts.iter().rev().copied().collect()),
        answer_checks: AnswerChecks::Lenient,
        ..Options::default()
    });
    let connection = client.connect(&server.url("ws", "/")).await.unwrap();
    assert_eq!(connection.draft(), draftgate_drafts::WITHOUT_KEYS);
    assert_eq!(connection.tried.len(), drafts.len() - 1);
}
