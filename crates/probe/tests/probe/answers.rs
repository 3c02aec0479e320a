//! Answers that open nothing: each is told with its meaning.

use draftgate_core::Draft;
use draftgate_drafts::opening::Head;
use draftgate_probe::{FindingKind as Kind, Term, Verdict};

use crate::server::{Deaf, Server, accepted, end, finding, head, spoken};

/// What HAProxy 2.6 answers to a request without a key.
const HAPROXY: &str = "HTTP/1.1 400 Bad request\r\nContent-length: 90\r\nCache-Control: no-cache\r\n\
    Connection: close\r\nContent-Type: text/html\r\n\r\n\
    <html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n";

/// Every draft gets `answer`: each fails for the reason `kind`, and `seen` is
/// quoted.
async fn answered(answer: &str, kind: Kind, seen: &str) {
    let server = Server::answering(answer).await;
    for draft in spoken() {
        let report = server.probed(draft).await;
        let found = finding(&report, kind);
        assert!(found.seen.contains(seen), "{draft}: {}", found.seen);
        assert_eq!(report.drafts[0].verdict, Verdict::Fails(kind), "{draft}");
        assert!(!report.works());
    }
}

#[tokio::test]
async fn each_status_is_told_with_its_meaning() {
    for (answer, kind, seen) in [
        (
            "301 Moved\r\nLocation: https://b.example/x",
            Kind::Redirect,
            "https://b.example/x",
        ),
        (
            "401 No\r\nWWW-Authenticate: Basic realm=\"plc\"",
            Kind::Authentication,
            "it asks for Basic realm",
        ),
        ("407 No", Kind::Authentication, "407 No"),
        ("403 No", Kind::Forbidden, "403 No"),
        ("404 No", Kind::NotFound, "404 No"),
        ("200 Ok\r\nServer: plc/1", Kind::NotUpgraded, "by plc/1"),
        (
            "502 Bad\r\nServer: nginx/1.22.1",
            Kind::GatewayError,
            "by nginx/1.22.1",
        ),
        ("400 Bad Request", Kind::VersionRefused, "400 Bad Request"),
        ("500 Oops", Kind::StatusOther, "500 Oops"),
        ("101 Ok\r\nno field", Kind::AnswerMalformed, "no field"),
    ] {
        let answer = format!("HTTP/1.1 {answer}\r\n\r\n");
        answered(&answer, kind, seen).await;
    }
}

#[tokio::test]
async fn haproxy_is_known_by_its_body() {
    answered(HAPROXY, Kind::HaproxyRefuses, "octet by octet").await;
    let server = Server::answering(HAPROXY).await;
    for draft in spoken() {
        // A request that has a key it refuses for another reason.
        let shown = finding(&server.probed(draft).await, Kind::HaproxyRefuses).shown;
        assert_eq!(shown, draft.version().is_none(), "{draft}");
    }
    // Another body is another's.
    let other = HAPROXY.replace("Your browser", "My browser");
    answered(&other, Kind::VersionRefused, "My browser").await;
}

#[tokio::test]
async fn a_redirect_names_the_url_to_probe() {
    let answer = "HTTP/1.1 302 Found\r\nLocation: https://b.example/x\r\n\r\n";
    let server = Server::answering(answer).await;
    let report = server.probed(Draft::Hybi13).await;
    let fix = finding(&report, Kind::Redirect).fix();
    assert!(fix.contains("wss://b.example/x"), "{fix}");
}

#[tokio::test]
async fn versions_that_are_listed_are_named_as_drafts() {
    let answer = "HTTP/1.1 426 No\r\nSec-WebSocket-Version: 8, 7\r\n\r\n";
    let server = Server::answering(answer).await;
    for draft in spoken() {
        let report = server.probed(draft).await;
        let found = finding(&report, Kind::VersionsListed);
        let own = draft.version().is_some_and(|own| own == 8 || own == 7);
        let named = found.fix().contains("hybi-08 or hybi-07");
        assert_eq!(named, !own, "{draft}: {}", found.fix());
    }
}

#[tokio::test]
async fn an_answer_in_http_1_0_is_found() {
    let answer = "HTTP/1.0 404 Not Found\r\n\r\n";
    let server = Server::answering(answer).await;
    for draft in spoken() {
        finding(&server.probed(draft).await, Kind::HttpOld);
    }
}

#[tokio::test]
async fn an_origin_that_is_refused_is_found_by_asking_again() {
    for wanted in ["null", "own"] {
        let server = Server::start(move |mut tcp| async move {
            let Some((request, mut received)) = head(&mut tcp).await else {
                return;
            };
            let field = |name| request.headers.get(name).and_then(|v| v.to_str().ok());
            let origin = field("origin").or_else(|| field("sec-websocket-origin"));
            let own = format!("http://{}", field("host").unwrap());
            let welcome = match wanted {
                "null" => origin.is_none_or(|origin| origin == "null"),
                _ => origin == Some(&own),
            };
            let answer = accepted(&request, "ws", &|_: &_, _, _: &mut Head| ());
            let Some((answer, codec)) = answer.filter(|_| welcome) else {
                return end(tcp, b"HTTP/1.1 403 Forbidden\r\n\r\n").await;
            };
            let start = draftgate_conn::Start {
                codec,
                head: Some(answer.to_bytes()),
                received: received.split(),
            };
            let conn = draftgate_conn::Conn::new(tcp, start, draftgate_conn::Settings::server());
            conn.run(&mut Deaf).await;
        })
        .await;
        for draft in spoken() {
            let report = server
                .probed_with(draft, |options, _| {
                    if wanted == "null" {
                        options.origin = Some("http://elsewhere".into());
                    }
                })
                .await;
            let own = draftgate_drafts::demands_origin(draft);
            if wanted == "own" && own {
                assert_eq!(report.findings, [], "{draft}: it is claimed anyway");
                continue;
            }
            if wanted == "null" {
                // Neither the one that was given nor its own page is let in.
                finding(&report, Kind::Forbidden);
                continue;
            }
            let found = finding(&report, Kind::OriginRefused);
            assert!(
                found.seen.starts_with("403 as asked, 101 with"),
                "{}",
                found.seen
            );
            let verdict = &report.drafts[0].verdict;
            assert!(
                matches!(verdict, Verdict::WorksIf(terms) if matches!(terms[..], [Term::Origin(Some(_))]))
            );
        }
    }
}
