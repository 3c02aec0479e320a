//! Which pages may publish and read: those of other sites, those without an
//! origin, those whose name was turned to this machine.

use draftgate_gateway::config::{Origins, Token};

use crate::{
    client::{Reader, ask, get, post},
    common,
    who::{TOKEN, publish, read, refused, with, with_token},
};

#[tokio::test]
async fn a_page_of_another_site_neither_publishes_nor_reads() {
    for config in [common::config(), with_token()] {
        let (running, address) = common::gateway(config);
        let mut reader = Reader::open(address, "/bus/chat").await;
        for page in [
            "Origin: https://evil.example",
            "Origin: https://evil.example\r\nSec-Fetch-Site: same-origin",
            "Origin: http://127.0.0.1.evil.example",
            // Browsers that leave Origin away, and say so otherwise.
            "Sec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-site",
            "Sec-Fetch-Site: none\r\nSec-Fetch-Site: cross-site",
            "Sec-Fetch-Site: same-origin\r\nSec-Fetch-Site: cross-site",
            "Referer: https://evil.example/page",
        ] {
            let fields = format!("{page}\r\nContent-Type: text/plain\r\n");
            let told = publish(address, &fields).await;
            refused(&told, 403, "origin-refused");
            assert_eq!(told.field("access-control-allow-origin"), None, "{page}");
            let told = read(address, &fields).await;
            refused(&told, 403, "origin-refused");
        }
        // Forms of browsers that know none of these; that of the third takes anything.
        for browser in [
            "Accept: text/html,application/xhtml+xml",
            "User-Agent: Mozilla/5.0 (X11; Linux) Gecko",
            "Accept: image/gif, image/jpeg, */*\r\nUser-Agent: Mozilla/4.0 (compatible; MSIE 8.0; Windows NT 5.1)",
            "Accept-Language: de",
            "Accept-Language: de\r\nAuthorization: Basic dXNlcjpwYXNzd29yZA==",
        ] {
            for kind in [
                "text/plain",
                "application/x-www-form-urlencoded",
                "Multipart/Form-Data; boundary=x",
            ] {
                let form = format!("{browser}\r\nContent-Type: {kind}\r\n");
                refused(&publish(address, &form).await, 403, "origin-refused");
            }
        }
        assert_eq!(running.counts().published, 0);
        // What programs say of themselves.
        for program in [
            "",
            "User-Agent: curl/7.88.1\r\nAccept: */*\r\nContent-Type: application/x-www-form-urlencoded\r\n",
            "User-Agent: node\r\nAccept-Language: *\r\nSec-Fetch-Mode: cors\r\nContent-Type: text/plain;charset=UTF-8\r\n",
            "User-Agent: Wget/1.21\r\nContent-Type: text/plain\r\n",
            "User-Agent: Mozilla/5.0 (Windows NT) WindowsPowerShell/5.1\r\nContent-Type: application/json\r\n",
        ] {
            assert_eq!(publish(address, program).await.status, 200, "{program}");
            assert_eq!(reader.data().await, "x");
        }
    }
}

#[tokio::test]
async fn a_page_without_an_origin_publishes_with_the_token_alone() {
    for origin in ["null", "NULL", "file://", "file:///a"] {
        // Both are let in without a file, to read.
        let (_running, address) = common::gateway(with(|route| {
            if origin.ends_with('a') {
                route.origins = Origins::any();
            }
        }));
        let told = publish(address, &format!("Origin: {origin}\r\n")).await;
        refused(&told, 403, "token-unset");
        let told = read(address, &format!("Origin: {origin}\r\n")).await;
        assert_eq!(told.status, 204, "{origin}");
        let (_running, address) = common::gateway(with_token());
        let told = publish(address, &format!("Origin: {origin}\r\n")).await;
        if !origin.ends_with('a') {
            refused(&told, 401, "token-missing");
            let fields = format!("Origin: {origin}\r\nAuthorization: Bearer {TOKEN}\r\n");
            assert_eq!(publish(address, &fields).await.status, 200, "{origin}");
        }
    }
}

#[tokio::test]
async fn the_token_does_not_stand_in_for_the_origin_of_a_page() {
    let (_running, address) = common::gateway(with_token());
    let fields = format!("Origin: https://evil.example\r\nAuthorization: Bearer {TOKEN}\r\n");
    refused(&publish(address, &fields).await, 403, "origin-refused");
}

#[tokio::test]
async fn the_token_lets_a_program_in_where_only_pages_are_listed() {
    let (_running, address) = common::gateway(with(|route| {
        route.http.token = Some(Token::new(TOKEN).unwrap());
        route.origins = Origins::new(["https://example.com".parse().unwrap()]);
    }));
    refused(&publish(address, "").await, 403, "origin-refused");
    refused(&read(address, "").await, 403, "origin-refused");
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    assert_eq!(publish(address, &token).await.status, 200);
    assert_eq!(read(address, &token).await.status, 204);
}

#[tokio::test]
async fn a_page_that_is_accepted_may_read_the_answer_and_its_browser_is_told_before() {
    let (_running, address) = common::gateway(common::config());
    let origin = "http://localhost:3000";
    for answer in [
        publish(address, &format!("Origin: {origin}\r\n")).await,
        read(address, &format!("Origin: {origin}\r\n")).await,
        // It may read what is wrong, too.
        ask(
            address,
            &get(
                address,
                "/bus/chat?poll=x",
                &format!("Origin: {origin}\r\n"),
            ),
        )
        .await,
    ] {
        assert_eq!(answer.field("access-control-allow-origin"), Some(origin));
        assert_eq!(
            answer.field("access-control-expose-headers"),
            Some("Last-Event-ID")
        );
        assert_eq!(answer.field("vary"), Some("Origin"));
    }
    let reader = Reader::open_with(address, "/bus/chat", &format!("Origin: {origin}\r\n")).await;
    assert_eq!(reader.field("access-control-allow-origin"), Some(origin));
    let preflight = |origin: &str| {
        format!(
            "OPTIONS /bus/chat HTTP/1.1\r\nHost: {address}\r\nOrigin: {origin}\r\nAccess-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: authorization,content-type\r\nAccess-Control-Request-Private-Network: true\r\n\r\n"
        )
    };
    let told = ask(address, &preflight(origin)).await;
    assert_eq!(
        (told.status, told.field("access-control-allow-origin")),
        (204, Some(origin))
    );
    assert_eq!(
        told.field("access-control-allow-methods"),
        Some("GET, POST")
    );
    assert_eq!(
        told.field("access-control-allow-private-network"),
        Some("true")
    );
    assert!(
        told.field("access-control-allow-headers")
            .unwrap()
            .contains("Authorization")
    );
    let told = ask(address, &preflight("https://evil.example")).await;
    refused(&told, 403, "origin-refused");
    for name in [
        "access-control-allow-origin",
        "access-control-allow-methods",
        "access-control-allow-private-network",
    ] {
        assert_eq!(told.field(name), None);
    }
}

#[tokio::test]
async fn a_name_that_is_turned_to_loopback_opens_nothing() {
    for (config, same_host) in [
        (common::config(), false),
        (with(|route| route.origins = Origins::default()), true),
    ] {
        let (_running, address) = common::gateway(config);
        let rebound = |request: String| request.replace(&address.to_string(), "evil.example");
        // An old browser's page, which names no origin within its own site.
        let told = ask(address, &rebound(get(address, "/bus/chat?poll=0", ""))).await;
        refused(&told, 403, "host-foreign");
        let told = ask(address, &rebound(post(address, "/bus/chat", "", "x"))).await;
        refused(&told, 403, "host-foreign");
        // So it is where the browser says that it is within its own site.
        for told in [
            "Origin: http://evil.example",
            "Referer: http://evil.example/page",
            "Sec-Fetch-Site: same-origin",
        ] {
            let fields = format!("{told}\r\n");
            let request = rebound(get(address, "/bus/chat?poll=0", &fields));
            let told = ask(address, &request).await;
            let code = match same_host {
                true => "host-foreign",
                false => "origin-refused",
            };
            refused(&told, 403, code);
        }
        // With a named origin it is of its own host, and still not of this machine.
        let origin = "Origin: http://evil.example\r\n";
        let told = ask(address, &rebound(post(address, "/bus/chat", origin, "x"))).await;
        assert_eq!(told.status, 403, "{told:?}");
    }
    // A page that is listed by its name is not let in by the name it calls us.
    let (_running, address) = common::gateway(with(|route| {
        route.origins = Origins::new(["http://gate.example".parse().unwrap()]);
    }));
    let request = get(
        address,
        "/bus/chat?poll=0",
        "Origin: http://gate.example\r\n",
    );
    let request = request.replace(&address.to_string(), "gate.example");
    assert_eq!(ask(address, &request).await.status, 204);
    for host in [
        "localhost",
        "LOCALHOST:80",
        "127.0.0.1",
        "127.1.2.3:9",
        "[::1]:8080",
    ] {
        let (_running, address) = common::gateway(common::config());
        let request = post(address, "/bus/chat", "", "x").replace(&address.to_string(), host);
        assert_eq!(ask(address, &request).await.status, 200, "{host}");
    }
}
