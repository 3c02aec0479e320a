//! A server that is true to a draft: it works, and nothing is found.

use draftgate_probe::{Settings, Verdict, probe};

use crate::server::Server;

#[tokio::test]
async fn nothing_is_found_with_a_server_that_is_true_to_every_draft() {
    let server = Server::healthy().await;
    let options = Default::default;
    let settings = Settings {
        send: Some("Grüße".into()),
        second: true,
        ..Settings::default()
    };
    let report = probe(options(), &server.url("ws"), &settings).await;
    assert_eq!(report.findings, [], "{}", report.to_json());
    let spoken: Vec<_> = draftgate_drafts::spoken().collect();
    assert_eq!(report.drafts.len(), spoken.len());
    for tried in &report.drafts {
        assert_eq!(tried.verdict, Verdict::Works, "{tried:?}");
        let seen = tried.conversation.as_ref().unwrap();
        assert_eq!(seen.messages, ["\"Grüße\""], "{tried:?}");
        assert!(seen.reply.is_some() && seen.closing.answered.is_some());
        let pings = draftgate_drafts::has_ping(tried.draft);
        assert_eq!((seen.pinged, seen.pong.is_some()), (pings, pings));
    }
    assert!(report.works());
    // The best first, and none is missing.
    let newest = *spoken.last().unwrap();
    assert_eq!(report.advice.drafts.first(), Some(&newest));
    assert_eq!(report.advice.drafts.len(), spoken.len());
    assert_eq!(report.advice.terms, []);
}

#[tokio::test]
async fn each_draft_is_told_when_it_is_tried() {
    let server = Server::healthy().await;
    let told = std::sync::Mutex::new(Vec::new());
    let tell = |draft| told.lock().unwrap().push(draft);
    let settings = Settings::default();
    let url = server.url("ws");
    draftgate_probe::probe_telling(Default::default(), &url, &settings, &tell).await;
    assert_eq!(told.into_inner().unwrap(), settings.drafts);
}

#[tokio::test]
async fn nothing_is_said_unless_it_was_asked_for() {
    let server = Server::healthy().await;
    for draft in draftgate_drafts::spoken() {
        let report = server.probed(draft).await;
        let seen = report.drafts[0].conversation.as_ref().unwrap();
        assert_eq!((seen.count, seen.reply), (0, None), "an echo of nothing");
    }
}

#[tokio::test]
async fn a_subprotocol_that_is_repeated_is_told_in_every_draft() {
    let server = Server::healthy().await;
    for draft in draftgate_drafts::spoken() {
        let report = server
            .probed_with(draft, |options, _| {
                options.subprotocols = vec!["chat".into()];
            })
            .await;
        assert_eq!(report.findings, [], "{}", report.to_json());
        assert_eq!(report.drafts[0].subprotocol.as_deref(), Some("chat"));
    }
}
