//! Answers that open, but not as a draft's own client would have it: what differs
//! is found in the drafts that it is about, and what can be forgiven is.

use draftgate_core::Draft;
use draftgate_drafts::opening::Head;
use draftgate_probe::{FindingKind as Kind, Term, Verdict};
use http::HeaderValue;

use crate::server::{Server, accepted, end, finding, going_on, head, spoken};

fn set(head: &mut Head, name: &str, value: &str) {
    let field = head
        .fields
        .iter_mut()
        .find(|(own, _)| own.eq_ignore_ascii_case(name));
    if let Some((_, own)) = field {
        *own = HeaderValue::from_str(value).unwrap();
    }
}

fn remove(head: &mut Head, name: &str) {
    head.fields
        .retain(|(own, _)| !own.eq_ignore_ascii_case(name));
}

/// Whether a client of `draft` compares Origin and Location. Those of hello-00 are
/// given both, and none that is known looks at them.
fn has_location(draft: Draft) -> bool {
    draftgate_drafts::demands_origin(draft) && !draftgate_drafts::has_hello(draft)
}

/// With `change` each draft that `is` concerned works if it is judged leniently,
/// and `kind` is found; all others work.
async fn forgiven(change: fn(&mut Head), is: fn(Draft) -> bool, kind: Kind, seen: &str) {
    let server = Server::with(move |_: &_, _, head: &mut Head| change(head)).await;
    for draft in spoken() {
        let report = server.probed(draft).await;
        let verdict = &report.drafts[0].verdict;
        if !is(draft) {
            assert_eq!(
                (verdict, report.findings.len()),
                (&Verdict::Works, 0),
                "{draft}"
            );
            continue;
        }
        let found = finding(&report, kind);
        assert!(found.seen.contains(seen), "{draft}: {}", found.seen);
        let lenient = Verdict::WorksIf(vec![Term::Lenient]);
        assert_eq!(verdict, &lenient, "{draft}");
        assert_eq!(report.advice.terms, [Term::Lenient]);
    }
}

#[tokio::test]
async fn a_location_is_compared_part_by_part() {
    for (change, seen) in [
        (
            (|h| set_location(h, |l| l.replacen("ws:", "wss:", 1))) as fn(&mut Head),
            "scheme `wss` instead of `ws`",
        ),
        (
            |h| set_location(h, |l| l.replace("127.0.0.1", "10.0.0.7")),
            "host `10.0.0.7` instead of `127.0.0.1`",
        ),
        (
            |h| set_location(h, |l| format!("{}/x?y=1", l.rsplit_once(':').unwrap().0)),
            "port `80 (none is written)`",
        ),
        (
            |h| set_location(h, |l| l.replace("/x", "/")),
            "path `/` instead of `/x`",
        ),
        (
            |h| set_location(h, |l| l.replace("?y=1", "")),
            "no query, instead of `y=1`",
        ),
    ] {
        forgiven(change, has_location, Kind::LocationMismatch, seen).await;
    }
}

fn set_location(head: &mut Head, change: impl Fn(&str) -> String) {
    for (name, value) in &mut head.fields {
        if name.to_ascii_lowercase().ends_with("location") {
            *value = HeaderValue::from_str(&change(value.to_str().unwrap())).unwrap();
        }
    }
}

#[tokio::test]
async fn another_origin_in_the_answer_is_found() {
    let change = |head: &mut Head| {
        set(head, "sec-websocket-origin", "http://other");
        set(head, "websocket-origin", "http://other");
    };
    forgiven(change, has_location, Kind::OriginEchoed, "http://other").await;
}

#[tokio::test]
async fn a_field_that_is_missing_is_named() {
    let change = |head: &mut Head| {
        remove(head, "sec-websocket-origin");
        remove(head, "websocket-origin");
    };
    forgiven(
        change,
        has_location,
        Kind::FieldMissing,
        "origin is missing",
    )
    .await;
}

#[tokio::test]
async fn a_head_that_was_rewritten_is_shown_octet_by_octet() {
    let change = |head: &mut Head| {
        head.fields
            .insert(0, ("Server".into(), HeaderValue::from_static("nginx")));
    };
    // hixie-75 alone compares octets.
    let is = |draft| draft == draftgate_drafts::WITHOUT_KEYS;
    let seen = "octet 44 differs: \"Server: nginx\\r\\nU\"";
    forgiven(change, is, Kind::AnswerRewritten, seen).await;
}

#[tokio::test]
async fn a_route_is_advised_for_the_drafts_that_work_on_its_terms() {
    let server = Server::with(|_: &_, _, head: &mut Head| {
        head.fields
            .insert(0, ("Server".into(), HeaderValue::from_static("nginx")));
    })
    .await;
    let settings = draftgate_probe::Settings::default();
    let report = draftgate_probe::probe(Default::default(), &server.url("ws"), &settings).await;
    let advice = &report.advice;
    let bare = draftgate_drafts::WITHOUT_KEYS;
    assert_eq!(advice.drafts.last(), Some(&bare), "it works on terms alone");
    let named = |key: &str| advice.route.iter().find(|(name, _)| *name == key);
    let (_, drafts) = named("upstream-drafts").unwrap();
    assert_eq!(drafts.as_array().unwrap().len(), spoken().count() - 1);
    assert!(named("upstream-answer-checks").is_none());
    let report = server.probed(bare).await;
    let text = report.to_text(draftgate_probe::Look {
        width: 80,
        colour: false,
    });
    for line in [
        "upstream-drafts = [\"hixie-75\"]",
        "upstream-answer-checks = \"lenient\"",
        "--answer-checks lenient",
        "--lenient",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
}

#[tokio::test]
async fn an_upgrade_that_a_proxy_took_out_is_found() {
    let without_connection = |head: &mut Head| remove(head, "connection");
    let without_upgrade = |head: &mut Head| remove(head, "upgrade");
    let proved = |draft: Draft| draft != draftgate_drafts::WITHOUT_KEYS;
    for (change, kind) in [
        (
            without_connection as fn(&mut Head),
            Kind::ConnectionNotUpgrade,
        ),
        (without_upgrade, Kind::UpgradeOther),
    ] {
        let server = Server::with(move |_: &_, _, head: &mut Head| change(head)).await;
        for draft in spoken() {
            let report = server.probed(draft).await;
            finding(&report, kind);
            // Where there is no proof it is never forgiven.
            assert_eq!(report.works(), proved(draft), "{draft}");
        }
    }
}

#[tokio::test]
async fn a_proof_that_is_not_ours_is_found() {
    let server = Server::with(|_: &_, _, head: &mut Head| {
        set(head, "sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    })
    .await;
    for draft in spoken().filter(|draft| draft.version().is_some()) {
        let report = server.probed(draft).await;
        finding(&report, Kind::AcceptWrong);
        assert!(!report.works(), "{draft}");
    }
    let server = Server::start(|mut tcp| async move {
        if let Some((request, _)) = head(&mut tcp).await
            && let Some((head, _)) = accepted(&request, "ws", &|_: &_, _, _: &mut Head| ())
        {
            let octets = [&head.to_bytes()[..], b"sixteen octets!!"].concat();
            end(tcp, &octets).await;
        }
    })
    .await;
    for draft in going_on() {
        let report = server.probed(draft).await;
        let seen = &finding(&report, Kind::ChallengeWrong).seen;
        assert!(seen.contains("73 69 78 74 65 65 6e"), "{seen}");
        assert!(!report.works(), "{draft}");
    }
    let report = server.probed(draftgate_drafts::WITH_HELLO).await;
    let seen = &finding(&report, Kind::HelloWrong).seen;
    assert!(seen.contains("73 69 78 74 65 65 6e"), "{seen}");
    assert!(!report.works());
}

#[tokio::test]
async fn subprotocols_that_were_not_asked_for_are_found_and_missing_ones() {
    let choosing = |name: &'static str| {
        move |_: &_, draft: Draft, head: &mut Head| {
            let field = match draft == draftgate_drafts::WITHOUT_KEYS {
                true => "WebSocket-Protocol",
                false => "Sec-WebSocket-Protocol",
            };
            remove(head, field);
            if !name.is_empty() {
                head.push(field, HeaderValue::from_static(name));
            }
        }
    };
    let asking = |options: &mut draftgate_client::Options, _: &mut _| {
        options.subprotocols = vec!["chat".into()];
    };
    let unasked = Server::with(choosing("plc")).await;
    let none = Server::with(choosing("")).await;
    for draft in spoken() {
        let report = unasked.probed(draft).await;
        let seen = &finding(&report, Kind::SubprotocolUnasked).seen;
        assert!(seen.contains("plc") && report.works(), "{draft}: {seen}");
        let report = unasked.probed_with(draft, asking).await;
        finding(&report, Kind::SubprotocolOther);
        assert!(!report.works(), "{draft}");
        let report = none.probed_with(draft, asking).await;
        finding(&report, Kind::SubprotocolMissing);
        assert!(report.works(), "{draft}");
    }
}

#[tokio::test]
async fn where_one_subprotocol_can_be_asked_for_the_first_is() {
    let server = Server::healthy().await;
    for draft in spoken() {
        let report = server
            .probed_with(draft, |options, _| {
                options.subprotocols = vec!["a".into(), "b".into()];
            })
            .await;
        assert!(report.works());
        let single = report
            .findings
            .iter()
            .any(|finding| finding.kind == Kind::SubprotocolSingle);
        assert_eq!(single, draft.version().is_none(), "{draft}");
    }
}

#[tokio::test]
async fn an_extension_that_was_not_offered_is_found() {
    let server = Server::with(|_: &_, _, head: &mut Head| {
        let value = HeaderValue::from_static("permessage-deflate");
        head.push("Sec-WebSocket-Extensions", value);
    })
    .await;
    for draft in spoken().filter(|draft| draft.version().is_some()) {
        let report = server.probed(draft).await;
        finding(&report, Kind::ExtensionUnasked);
        assert!(!report.works(), "{draft}");
    }
}
