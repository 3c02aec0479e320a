//! Who may subscribe and publish on which channel, in every draft.

use draftgate_core::{Draft, Event, Message};
use serde_json::json;

use crate::{
    common::{self, announced, captured},
    stage::{Opening, SECRET, Scripted, gateway, hs256, in_seconds, says},
};

const BUS: &str = "[[routes]]\npath = \"/bus/{channel}\"\nservice = \"bus\"\n";

fn jwt(route: &str) -> String {
    format!("{BUS}{route}\n[routes.auth.jwt]\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\"\n")
}

fn granted(draft: Draft, channel: &str, grant: serde_json::Value) -> Opening {
    let claims = json!({"sub": "x", "exp": in_seconds(3600), "draftgate": grant});
    Opening::new(draft, &format!("/bus/{channel}")).bearer(&hs256(&claims))
}

#[tokio::test]
async fn rights_hold_in_every_draft() {
    let (running, address) = gateway(&jwt(""));
    for draft in announced() {
        let open = async |grant| granted(draft, "news.a", grant).open(address).await;
        let mut reader = open(json!({"publish": "none"})).await;
        let mut writer = open(json!({"subscribe": []})).await;
        let mut both = open(json!({"subscribe": ["news.*"], "publish": ["*.a"]})).await;
        let channel = "news.a".parse().unwrap();
        // The writer is none of them.
        common::until("two listen", || running.hub().subscribers(&channel) == 2).await;
        writer.send("of the writer").await;
        for hears in [&mut reader, &mut both] {
            let heard = hears.message().await;
            assert_eq!(heard, Message::from("of the writer"), "{draft}");
        }
        let muted = running.counts().muted;
        reader.send("of the reader").await;
        common::until("it is dropped", || running.counts().muted == muted + 1).await;
        both.send("of both").await;
        assert_eq!(reader.message().await, Message::from("of both"), "{draft}");
        writer.send("again").await;
        assert_eq!(both.message().await, Message::from("again"), "{draft}");
        writer.close(None).await;
        while let Some(event) = writer.event().await {
            assert!(!matches!(event, Event::Message(_)), "{draft} {event:?}");
        }
        drop((reader, both));
        common::until("all have gone", || running.hub().subscribers(&channel) == 0).await;
    }
}

#[tokio::test]
async fn who_may_not_publish_is_dropped_counted_and_logged_once() {
    let (lines, _guard) = captured();
    let (running, address) = gateway(&jwt("publish = [\"chat.*\"]"));
    let mut sent = 0;
    for draft in announced() {
        for (channel, grant, may) in [
            ("chat.a", json!({}), true),
            ("news.a", json!({}), false),
            ("news.a", json!({"publish": ["news.*"]}), true),
            ("chat.a", json!({"publish": "none"}), false),
        ] {
            let mut listener = granted(Draft::Hybi13, channel, json!({}))
                .open(address)
                .await;
            let mut client = granted(draft, channel, grant.clone()).open(address).await;
            let name = channel.parse().unwrap();
            common::until("both listen", || running.hub().subscribers(&name) == 2).await;
            for text in ["one", "two"] {
                client.send(text).await;
                match may {
                    true => assert_eq!(
                        listener.message().await,
                        Message::from(text),
                        "{draft} {grant}"
                    ),
                    false => {
                        sent += 1;
                        common::until("it is counted", || running.counts().muted == sent).await;
                    }
                }
            }
            drop((client, listener));
            common::until("both have gone", || running.hub().subscribers(&name) == 0).await;
        }
    }
    assert_eq!(running.ledger().published(), announced().len() as u64 * 4);
    assert_eq!(lines.with("code", "muted").len(), announced().len() * 2);
}

#[tokio::test]
async fn who_may_nothing_is_refused_before_the_upgrade() {
    let (running, address) = gateway(&jwt("subscribe = \"none\"\npublish = \"none\""));
    for draft in announced() {
        for grant in [
            json!({}),
            json!({"subscribe": ["news"]}),
            json!({"publish": ["other.*"]}),
        ] {
            let told = granted(draft, "news.a", grant).refused(address).await;
            assert!(
                told.is(403, "auth-forbidden")
                    .body
                    .contains("the channel `news.a` may be neither"),
                "{told:?}"
            );
        }
        granted(draft, "news.a", json!({"subscribe": "all"}))
            .open(address)
            .await;
        granted(draft, "news.a", json!({"publish": "all"}))
            .open(address)
            .await;
    }
    assert_eq!(
        running.counts().refused_for("auth-forbidden"),
        3 * announced().len() as u64
    );
}

#[tokio::test]
async fn a_route_without_auth_has_rights_for_everybody() {
    let (running, address) = gateway(&format!(
        "{BUS}subscribe = [\"open.*\"]\npublish = [\"*.in\"]\n"
    ));
    for draft in announced() {
        let told = Opening::new(draft, "/bus/closed").refused(address).await;
        told.is(403, "auth-forbidden");
        Opening::new(draft, "/bus/open.a").open(address).await;
        let mut writer = Opening::new(draft, "/bus/a.in").open(address).await;
        let before = running.ledger().published();
        writer.send("hello").await;
        common::until("it is published", || {
            running.ledger().published() == before + 1
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_grants_rights_too() {
    let server = Scripted::start(|head| {
        let grant = match head.contains("X-Draftgate-Channel: news")
            || head.contains("x-draftgate-channel: news")
        {
            true => "{\"subscribe\":[\"news\"],\"publish\":\"none\"}",
            false => "{\"subscribe\":[\"news\"],\"publish\":[]}",
        };
        says("200 OK", &format!("X-Draftgate-Rights: {grant}\r\n"))
    })
    .await;
    let (_running, address) = gateway(&format!(
        "{BUS}[routes.auth]\nurl = \"http://{}/\"\nrights-field = \"X-Draftgate-Rights\"\n",
        server.address
    ));
    for draft in announced() {
        Opening::new(draft, "/bus/news").open(address).await;
        let told = Opening::new(draft, "/bus/other").refused(address).await;
        told.is(403, "auth-forbidden");
    }
}

#[tokio::test]
async fn a_clock_is_heard_by_those_who_may() {
    let (_running, address) = gateway(&format!(
        "[[routes]]\npath = \"/clock\"\nservice = \"clock\"\ninterval = \"10ms\"\n[routes.auth.jwt]\nalgorithm = \"HS256\"\nsecret = \"{SECRET}\"\n"
    ));
    for draft in announced() {
        let with = |grant| Opening {
            path: "/clock".into(),
            ..granted(draft, "x", grant)
        };
        let mut client = with(json!({"subscribe": ["clock"]})).open(address).await;
        client.message().await;
        with(json!({"subscribe": ["other"], "publish": "all"}))
            .refused(address)
            .await
            .is(403, "auth-forbidden");
    }
}
