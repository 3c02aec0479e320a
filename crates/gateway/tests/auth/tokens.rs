//! Tokens of the configuration, in every place and every draft.

use draftgate_core::{Draft, Message};

use crate::{
    common::{self, announced, captured},
    stage::{Does, Opening, Scripted, TOKEN, config, field, gateway},
};

const PLACES: [&str; 5] = [
    "header",
    "header:X-Token",
    "query:token",
    "cookie:session",
    "subprotocol:bearer.",
];

/// An opening that shows `token` in `place`.
fn showing(draft: Draft, path: &str, place: &str, token: &str) -> Opening {
    let opening = Opening::new(draft, path);
    match place {
        "header" => opening.bearer(token),
        "header:X-Token" => opening.field("X-Token", token),
        "query:token" => Opening {
            path: format!("{path}?a=1&token={token}"),
            ..opening
        },
        "cookie:session" => opening.field("Cookie", format!("a=b; session={token}")),
        _ => opening.subprotocol(format!("bearer.{token}")),
    }
}

fn echo(place: &str) -> String {
    format!(
        "[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n[routes.auth]\ntokens = [{{ token = \"{TOKEN}\", name = \"tv\" }}]\nfrom = \"{place}\"\n"
    )
}

#[tokio::test]
async fn a_token_lets_in_from_every_place_in_every_draft() {
    let (lines, _guard) = captured();
    let mut opened = 0;
    for place in PLACES {
        let (running, address) = gateway(&echo(place));
        for draft in announced() {
            let mut client = showing(draft, "/echo", place, TOKEN).open(address).await;
            client.send("hello").await;
            assert_eq!(
                client.message().await,
                Message::from("hello"),
                "{draft} {place}"
            );
            client.close(None).await;
            client.end().await;
            opened += 1;

            let told = Opening::new(draft, "/echo").refused(address).await;
            told.is(401, "auth-missing");
            assert_eq!(
                told.field("WWW-Authenticate"),
                Some("Bearer realm=\"draftgate\"")
            );
            for wrong in [
                "let-me-in-0123456788",
                "let-me-in-012345678",
                "let-me-in-01234567899",
            ] {
                let told = showing(draft, "/echo", place, wrong).refused(address).await;
                told.is(401, "auth-wrong");
                assert!(
                    told.field("WWW-Authenticate")
                        .unwrap()
                        .contains("invalid_token")
                );
                assert!(!told.body.contains(wrong), "{told:?}");
            }
        }
        assert_eq!(
            running.counts().refused_for("auth-wrong"),
            3 * announced().len() as u64
        );
    }
    lines
        .until("the lines of all connections", || {
            lines.with("user", "tv").len() >= opened
        })
        .await;
    let log = serde_json::to_string(&lines.all()).unwrap();
    assert!(!log.contains("let-me-in"), "a token is in the log");
}

#[tokio::test]
async fn a_token_elsewhere_than_where_it_is_looked_for_is_none() {
    for place in PLACES {
        let (_running, address) = gateway(&echo(place));
        for other in PLACES.into_iter().filter(|other| *other != place) {
            let opening = showing(Draft::Hybi13, "/echo", other, TOKEN);
            opening.refused(address).await.is(401, "auth-missing");
        }
    }
}

#[tokio::test]
async fn a_token_is_no_subprotocol_unless_it_is_the_only_one() {
    let route = |more: &str| format!("{}{more}", echo("subprotocol:bearer."));
    let bearer = format!("bearer.{TOKEN}");
    for draft in announced() {
        let (_running, address) = gateway(&route(""));
        let alone = Opening::new(draft, "/echo").subprotocol(&bearer);
        // A browser that is answered without it closes.
        assert_eq!(
            alone.open(address).await.subprotocol,
            Some(bearer.clone()),
            "{draft}"
        );
        if draftgate_drafts::asks_for_one_subprotocol(draft) {
            continue;
        }
        for asked in [["chat", &bearer], [&bearer, "chat"]] {
            let mut opening = Opening::new(draft, "/echo");
            opening.subprotocols = asked.map(str::to_owned).to_vec();
            let chosen = opening.open(address).await.subprotocol;
            assert_eq!(chosen.as_deref(), Some("chat"), "{draft}");
        }
    }
}

#[tokio::test]
async fn who_shows_what_is_in_the_log_by_name() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(
        "[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n\
         [[routes.auth.tokens]]\ntoken = \"let-me-in-0123456789\"\nname = \"tv\"\n\
         [[routes.auth.tokens]]\ntoken = \"let-me-in-9876543210\"\nname = \"radio\"\n",
    );
    for (token, name) in [("let-me-in-9876543210", "radio"), (TOKEN, "tv")] {
        let mut client = Opening::new(Draft::Hybi13, "/echo")
            .bearer(token)
            .open(address)
            .await;
        client.close(None).await;
        client.end().await;
        lines
            .until(name, || !lines.with("user", name).is_empty())
            .await;
    }
}

/// The head that a proxied opening becomes, where the upstream answers nothing
/// but a refusal.
async fn upstreams_head(auth: &str, opening: impl Fn(Draft) -> Opening) -> Vec<String> {
    let upstream = Scripted::start(|_| {
        Does::SaysAndEnds("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n".to_owned())
    })
    .await;
    let (_running, address) = gateway(&format!(
        "[[routes]]\npath = \"/{{rest}}\"\nservice = \"proxy\"\nupstream = \"ws://{}\"\nupstream-drafts = [\"13\"]\nupstream-pass = [\"X-Token\", \"X-Other\"]\n[routes.auth]\n{auth}\n",
        upstream.address
    ));
    let mut heads = Vec::new();
    for draft in announced() {
        let head = opening(draft).field("X-Other", "stays").head(address).await;
        assert!(head.starts_with("HTTP/1.1 403"), "{draft}: {head}");
        heads.push(upstream.question(heads.len()).await);
    }
    heads
}

#[tokio::test]
async fn what_lets_in_is_nobody_elses_business() {
    for place in PLACES {
        let auth = format!("token = \"{TOKEN}\"\nfrom = \"{place}\"");
        for head in upstreams_head(&auth, |draft| showing(draft, "/a", place, TOKEN)).await {
            assert!(!head.contains(TOKEN), "{place}: {head}");
            assert_eq!(field(&head, "X-Other"), Some("stays"), "{place}: {head}");
            match place {
                "query:token" => assert!(head.starts_with("GET /a?a=1 HTTP/1.1"), "{head}"),
                "cookie:session" => assert_eq!(field(&head, "Cookie"), Some("a=b"), "{head}"),
                _ => assert!(head.starts_with("GET /a HTTP/1.1"), "{head}"),
            }
        }
        let auth = format!("{auth}\npass = true");
        for head in upstreams_head(&auth, |draft| showing(draft, "/a", place, TOKEN)).await {
            assert!(
                head.contains(TOKEN) || place == "subprotocol:bearer.",
                "{place}: {head}"
            );
        }
    }
}

#[tokio::test]
async fn a_recording_holds_no_token() {
    let folder = std::env::temp_dir().join(format!("draftgate-auth-{}", std::process::id()));
    for place in PLACES {
        let dir = folder.join(place.replace(':', "-"));
        std::fs::create_dir_all(&dir).unwrap();
        let (running, address) = gateway(&format!("record.dir = {dir:?}\n{}", echo(place)));
        for draft in announced() {
            let mut client = showing(draft, "/echo", place, TOKEN).open(address).await;
            client.close(None).await;
            client.end().await;
        }
        let wanted = announced().len() as u64;
        common::until("the recordings", || running.recorded().written == wanted).await;
        let mut read = 0;
        for entry in std::fs::read_dir(&dir).unwrap() {
            let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
            assert!(!text.contains("let-me-in"), "{place}: {text}");
            read += 1;
        }
        assert!(read >= announced().len(), "{read} files");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_reload_that_would_record_tokens_changes_nothing() {
    let dir = std::env::temp_dir().join(format!("draftgate-auth-reload-{}", std::process::id()));
    std::fs::create_dir_all(&dir).unwrap();
    let recorded = |place: &str| format!("record.dir = {dir:?}\n{}", echo(place));
    let (running, address) = gateway(&recorded("header"));
    let error = running
        .reload(config(&recorded("query:token")))
        .unwrap_err();
    assert!(error.to_string().contains("with `token`"), "{error}");
    let opening = showing(Draft::Hybi13, "/echo", "header", TOKEN);
    opening.open(address).await;
    running.reload(config(&recorded("header"))).unwrap();
    drop(running);
    std::fs::remove_dir_all(dir).unwrap();
}

#[tokio::test]
async fn a_reload_says_anew_who_may_come_in_and_keeps_the_service() {
    let routes = |auth: &str| {
        format!(
            "[[routes]]\npath = \"/bus/{{channel}}\"\nservice = \"bus\"\ninclude-sender = true\n[routes.auth]\n{auth}\n"
        )
    };
    let (running, address) = gateway(&routes(&format!("token = \"{TOKEN}\"")));
    let old = Opening::new(Draft::Hybi13, "/bus/a").bearer(TOKEN);
    let new = Opening::new(Draft::Hixie76, "/bus/a").bearer("let-me-in-9876543210");
    let mut member = old.open(address).await;
    new.refused(address).await.is(401, "auth-wrong");
    let next = config(&routes("token = \"let-me-in-9876543210\""));
    let reloaded = running.reload(next).unwrap();
    assert_eq!((reloaded.routes_kept, reloaded.routes_new), (1, 0));
    let address = running.addrs()[0];
    let mut newcomer = new.open(address).await;
    old.refused(address).await.is(401, "auth-wrong");
    // Who was in stays, and both meet.
    newcomer.send("hello").await;
    assert_eq!(member.message().await, Message::from("hello"));
}
