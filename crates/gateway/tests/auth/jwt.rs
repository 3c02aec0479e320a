//! JSON Web Tokens: good ones in every draft, and those that must not let in.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use draftgate_core::{Close, Closing, Draft, Message};
use ring::{rand::SystemRandom, rsa::KeyPair, signature::RSA_PKCS1_SHA256};
use serde_json::{Value, json};

use crate::{
    common::{self, announced, captured},
    stage::{Opening, SECRET, file, gateway, hs256, in_seconds, signed, unsigned},
};

/// A route `/echo` that takes tokens as `jwt` says.
fn echo(jwt: &str) -> String {
    format!(
        "[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n[routes.auth.jwt]\nleeway = \"0s\"\n{jwt}\n"
    )
}

fn hs(more: &str) -> String {
    echo(&format!(
        "algorithm = \"HS256\"\nsecret = \"{SECRET}\"\n{more}"
    ))
}

/// A token of RS256 by the tests' own key.
fn rs256(head: &Value, claims: &Value) -> String {
    let pem = std::fs::read_to_string(file("signing-key.pem")).unwrap();
    let base64: String = pem.lines().filter(|line| !line.starts_with('-')).collect();
    let der = base64::engine::general_purpose::STANDARD
        .decode(base64)
        .unwrap();
    let key = KeyPair::from_pkcs8(&der).unwrap();
    let said = unsigned(head, claims);
    let mut signature = vec![0; key.public().modulus_len()];
    key.sign(
        &RSA_PKCS1_SHA256,
        &SystemRandom::new(),
        said.as_bytes(),
        &mut signature,
    )
    .unwrap();
    format!("{said}.{}", URL_SAFE_NO_PAD.encode(signature))
}

fn good() -> Value {
    json!({"sub": "tv-17", "exp": in_seconds(3600)})
}

#[tokio::test]
async fn a_good_token_lets_in_in_every_draft() {
    let (lines, _guard) = captured();
    let routes = [
        hs(""),
        echo(&format!(
            "algorithm = \"RS256\"\npublic-key = {:?}",
            file("verifying-key.pem")
        )),
        echo(&format!(
            "algorithm = \"RS256\"\njwks-file = {:?}",
            file("keys.json")
        )),
    ];
    let tokens = [
        hs256(&good()),
        rs256(&json!({"alg": "RS256"}), &good()),
        rs256(&json!({"alg": "RS256", "kid": "next"}), &good()),
    ];
    for (route, token) in routes.iter().zip(&tokens) {
        let (_running, address) = gateway(route);
        for draft in announced() {
            let mut client = Opening::new(draft, "/echo")
                .bearer(token)
                .open(address)
                .await;
            client.send("hello").await;
            assert_eq!(client.message().await, Message::from("hello"), "{draft}");
            client.close(None).await;
            client.end().await;
        }
        // What is signed by another algorithm does not.
        let alg = |token: &str| token.len() > 500;
        for other in tokens.iter().filter(|other| alg(other) != alg(token)) {
            let opening = Opening::new(Draft::Hybi13, "/echo").bearer(other);
            opening.refused(address).await.is(401, "auth-wrong");
        }
    }
    let seen = || lines.with("user", "tv-17").len();
    lines
        .until("the lines", || seen() >= 3 * announced().len())
        .await;
}

#[tokio::test]
async fn a_token_that_is_good_almost_for_ever_lets_in() {
    let route = hs("").replace("leeway = \"0s\"", "leeway = \"1h\"");
    let (_running, address) = gateway(&route);
    for exp in [1 << 62, 1 << 63, u64::MAX - 2047, u64::MAX] {
        let token = hs256(&json!({"exp": exp}));
        let opening = Opening::new(Draft::Hybi13, "/echo").bearer(&token);
        let mut client = opening.open(address).await;
        client.send("hello").await;
        assert_eq!(client.message().await, Message::from("hello"), "{exp}");
    }
}

#[tokio::test]
async fn a_token_that_is_not_for_us_or_for_now_lets_nobody_in() {
    let more = "issuer = [\"a\", \"b\"]\naudience = \"us\"\n";
    let (running, address) = gateway(&hs(more));
    let claims = |change: Value| {
        let mut claims =
            json!({"sub": "x", "exp": in_seconds(3600), "iss": "a", "aud": ["them", "us"]});
        for (name, value) in change.as_object().unwrap() {
            match value.is_null() {
                true => claims.as_object_mut().unwrap().remove(name),
                false => claims
                    .as_object_mut()
                    .unwrap()
                    .insert(name.clone(), value.clone()),
            };
        }
        hs256(&claims)
    };
    let with = |token: &str| Opening::new(Draft::Hybi13, "/echo").bearer(token);
    with(&claims(json!({}))).open(address).await;
    with(&claims(
        json!({"iss": "b", "aud": "us", "nbf": in_seconds(-5)}),
    ))
    .open(address)
    .await;
    let hs = json!({"alg": "HS256"});
    let all = json!({"exp": in_seconds(3600), "iss": "a", "aud": "us"});
    let huge = json!({"exp": in_seconds(3600), "iss": "a", "aud": "us", "x": "x".repeat(14_000)});
    let half = signed(&hs, &all);
    let (said, signature) = half.rsplit_once('.').unwrap();
    for (token, code, why) in [
        (claims(json!({"exp": in_seconds(-5)})), "auth-expired", ""),
        (
            claims(json!({"exp": null})),
            "auth-wrong",
            "lacks the claim `exp`",
        ),
        (
            claims(json!({"exp": "tomorrow"})),
            "auth-wrong",
            "lacks the claim `exp`",
        ),
        (claims(json!({"exp": -1})), "auth-wrong", ""),
        (
            claims(json!({"nbf": in_seconds(60)})),
            "auth-wrong",
            "not valid yet",
        ),
        (
            claims(json!({"iss": "c"})),
            "auth-wrong",
            "issued by somebody else",
        ),
        (
            claims(json!({"iss": null})),
            "auth-wrong",
            "lacks the claim `iss`",
        ),
        (
            claims(json!({"aud": "them"})),
            "auth-wrong",
            "meant for somebody else",
        ),
        (
            claims(json!({"aud": null})),
            "auth-wrong",
            "lacks the claim `aud`",
        ),
        (
            claims(json!({"aud": 7})),
            "auth-wrong",
            "lacks the claim `aud`",
        ),
        (
            claims(json!({"draftgate": "all"})),
            "auth-wrong",
            "claim `draftgate` is no object",
        ),
        (
            claims(json!({"draftgate": {"publsh": []}})),
            "auth-wrong",
            "`publsh`, which is not known",
        ),
        (
            signed(
                &json!({"alg": "HS256", "crit": ["b64"], "b64": false}),
                &all,
            ),
            "auth-wrong",
            "`crit`",
        ),
        (
            signed(&json!({"alg": "none"}), &all),
            "auth-wrong",
            "no JSON Web Token",
        ),
        (
            signed(&json!({"alg": "NONE"}), &all),
            "auth-wrong",
            "no JSON Web Token",
        ),
        (
            signed(&json!({"alg": "HS384"}), &all),
            "auth-wrong",
            "another algorithm",
        ),
        (
            signed(&json!({"alg": "RS256"}), &all),
            "auth-wrong",
            "another algorithm",
        ),
        (
            signed(&json!({"typ": "JWT"}), &all),
            "auth-wrong",
            "no JSON Web Token",
        ),
        (
            format!("{}.", unsigned(&hs, &all)),
            "auth-wrong",
            "signature",
        ),
        (
            format!("{}.", unsigned(&json!({"alg": "none"}), &all)),
            "auth-wrong",
            "",
        ),
        (unsigned(&hs, &all), "auth-wrong", ""),
        (format!("{said}.{signature}x"), "auth-wrong", ""),
        (format!("{said}.{}", &signature[1..]), "auth-wrong", ""),
        (format!("{said}a.{signature}"), "auth-wrong", ""),
        ("a.b.c".into(), "auth-wrong", "no JSON Web Token"),
        ("....".into(), "auth-wrong", "no JSON Web Token"),
        ("é".into(), "auth-wrong", "no JSON Web Token"),
        (
            format!("{}.{}.x", "[".repeat(3000), "[".repeat(3000)),
            "auth-wrong",
            "",
        ),
        (hs256(&huge), "head-too-large", ""),
    ] {
        let told = with(&token).refused(address).await;
        let status = if code == "head-too-large" { 431 } else { 401 };
        told.is(status, code);
        assert!(told.body.contains(why), "{why}: {}", told.body);
        assert!(!told.body.contains(&token), "{}", told.body);
    }
    assert_eq!(running.counts().refused_for("auth-expired"), 1);
}

#[tokio::test]
async fn a_token_with_an_audience_is_for_somebody_else_where_none_is_set() {
    let (_running, address) = gateway(&hs(""));
    let mut claims = good();
    claims["aud"] = json!("them");
    let told = Opening::new(Draft::Hybi13, "/echo")
        .bearer(&hs256(&claims))
        .refused(address)
        .await;
    assert!(
        told.is(401, "auth-wrong").body.contains("`aud`"),
        "{told:?}"
    );
}

/// The oldest trick: the public key, which everybody has, as the secret of HS256.
#[tokio::test]
async fn a_public_key_is_no_secret() {
    let pem = std::fs::read_to_string(file("verifying-key.pem")).unwrap();
    for key in [
        format!("public-key = {:?}", file("verifying-key.pem")),
        format!("jwks-file = {:?}", file("keys.json")),
    ] {
        let (_running, address) = gateway(&echo(&format!("algorithm = \"RS256\"\n{key}")));
        for secret in [pem.as_bytes(), pem.trim().as_bytes(), b""] {
            let said = unsigned(&json!({"alg": "HS256", "kid": "now"}), &good());
            let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret);
            let tag = URL_SAFE_NO_PAD.encode(ring::hmac::sign(&key, said.as_bytes()));
            let opening = Opening::new(Draft::Hybi13, "/echo").bearer(&format!("{said}.{tag}"));
            let told = opening.refused(address).await;
            assert!(
                told.is(401, "auth-wrong").body.contains("algorithm"),
                "{told:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_set_of_keys_is_asked_by_name() {
    let (_running, address) = gateway(&echo(&format!(
        "algorithm = \"RS256\"\njwks-file = {:?}",
        file("keys.json")
    )));
    for (head, lets_in) in [
        (json!({"alg": "RS256", "kid": "now"}), true),
        (json!({"alg": "RS256", "kid": "next"}), true),
        // For encryption alone, of another kind, unknown, and none.
        (json!({"alg": "RS256", "kid": "enc"}), false),
        (json!({"alg": "RS256", "kid": "other"}), false),
        (json!({"alg": "RS256", "kid": "../now"}), false),
        (json!({"alg": "RS256"}), false),
    ] {
        let opening = Opening::new(Draft::Hybi13, "/echo").bearer(&rs256(&head, &good()));
        match lets_in {
            true => drop(opening.open(address).await),
            false => assert!(
                opening
                    .refused(address)
                    .await
                    .is(401, "auth-wrong")
                    .body
                    .contains("`kid`")
            ),
        }
    }
}

#[tokio::test]
async fn keys_that_protect_nobody_are_refused_with_the_configuration() {
    use draftgate_gateway::config::{Config, Environment};

    for (keys, why) in [
        (
            format!(
                "algorithm = \"RS256\"\npublic-key = {:?}",
                file("short-key.pem")
            ),
            "fewer than 2048 bits",
        ),
        (
            format!(
                "algorithm = \"RS256\"\npublic-key = {:?}",
                file("signing-key.pem")
            ),
            "is a private key",
        ),
        (
            format!(
                "algorithm = \"RS256\"\npublic-key = {:?}",
                file("keys.json")
            ),
            "is no public key of RSA",
        ),
        (
            format!(
                "algorithm = \"RS256\"\njwks-file = {:?}",
                file("verifying-key.pem")
            ),
            "is no JWK set",
        ),
        (
            format!(
                "algorithm = \"HS256\"\nsecret = {{ file = {:?} }}",
                "/nowhere"
            ),
            "cannot be read from /nowhere",
        ),
    ] {
        let text = format!("drafts = \"all\"\n{}", echo(&keys));
        let error =
            Config::parse(&text, "a.toml", &common::spoken(), &Environment::default()).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
        assert!(!error.to_string().contains("MII"), "{error}");
    }
}

#[tokio::test]
async fn a_connection_ends_when_its_token_expires() {
    let (lines, _guard) = captured();
    let (_running, address) = gateway(&hs(""));
    let mut clients = Vec::new();
    let exp = in_seconds(2);
    for draft in announced() {
        let claims = json!({"sub": draft.to_string(), "exp": exp});
        let opening = Opening::new(draft, "/echo").bearer(&hs256(&claims));
        clients.push((draft, opening.open(address).await));
    }
    for (draft, mut client) in clients {
        let closing = client.codec.capabilities().closing;
        let closed = client.end().await;
        assert!(in_seconds(0) >= exp, "{draft} ended before");
        let code = Close::nearest_code(Close::POLICY, draft);
        match closing {
            Closing::Coded => assert_eq!(closed.unwrap().map(|it| it.code), code, "{draft}"),
            Closing::Absent => assert_eq!(closed, None, "{draft}"),
            _ => assert_eq!(closed, Some(None), "{draft}"),
        }
        let user = draft.to_string();
        lines
            .until("its line", || !lines.with("user", &user).is_empty())
            .await;
        // Some wait for an answer to their Close that this client does not give.
        let line = &lines.with("user", &user)[0];
        assert_eq!(line["by"], json!("us"), "{line}");
        assert!(
            line["code"] == json!(1008) || line["code"] == json!(code),
            "{line}"
        );
    }
}

#[tokio::test]
async fn a_connection_outlives_its_token_where_it_may() {
    let (_running, address) = gateway(&hs("at-expiry = \"keep\""));
    let exp = in_seconds(2);
    let mut clients = Vec::new();
    for draft in announced() {
        let token = hs256(&json!({"exp": exp}));
        let opening = Opening::new(draft, "/echo").bearer(&token);
        clients.push((draft, opening.open(address).await));
    }
    common::until("it has expired", || in_seconds(0) > exp + 1).await;
    for (draft, mut client) in clients {
        client.send("hello").await;
        assert_eq!(client.message().await, Message::from("hello"), "{draft}");
    }
}
