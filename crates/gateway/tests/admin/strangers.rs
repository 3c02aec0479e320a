//! Who may not ask is not answered, and cannot hurt those who are connected.

use draftgate_core::Draft;

use crate::{
    asking::{TOKEN, ask, rig, rig_with, said, token},
    common::{Client, Raw, config, soon},
};

#[tokio::test]
async fn what_a_page_in_a_browser_sends_is_refused_and_does_nothing() {
    let rig = rig(config());
    let mut client = Client::open(rig.address, Draft::Hybi13, "/echo").await;
    for lines in [
        "Origin: http://evil.example\r\n",
        "Origin: null\r\n",
        "Sec-Fetch-Site: cross-site\r\n",
        "Sec-Fetch-Site: same-site\r\n",
    ] {
        for (method, path) in [
            ("GET", "/api/connections"),
            ("GET", "/metrics"),
            ("DELETE", "/api/connections?all=true"),
            ("PUT", "/api/drain"),
            ("OPTIONS", "/api/drain"),
        ] {
            let answer = rig.ask(method, path, lines).await;
            assert_eq!(
                (answer.status, answer.code().as_str()),
                (403, "admin-cross-site"),
                "{lines}"
            );
            assert!(!answer.head.contains("access-control"), "{answer:?}");
        }
    }
    // A form of a page, in a browser that says nothing of that.
    for path in [
        "/api/drain",
        "/api/connections?all=true",
        "/api/log?level=trace",
    ] {
        let form = "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 0\r\n";
        assert_eq!(rig.ask("POST", path, form).await.status, 405, "{path}");
    }
    // A page whose name was turned to this machine after it was loaded.
    for host in [
        "rebound.example",
        "rebound.example:8079",
        "127.0.0.1.example",
    ] {
        let request = format!("GET /api/connections HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let answer = said(rig.admin, &request).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (403, "admin-host"),
            "{host}"
        );
    }
    client.send("still here").await;
    client.message().await;
    assert_eq!(rig.ask("GET", "/readyz", "").await.status, 200);
}

#[tokio::test]
async fn without_the_token_only_health_is_told() {
    let rig = rig_with(config(), |admin| admin.token = Some(token()));
    for (path, status) in [
        ("/healthz", 200),
        ("/readyz", 200),
        ("/metrics", 401),
        ("/api", 401),
        ("/api/connections", 401),
        ("/nowhere", 401),
    ] {
        let answer = rig.ask("GET", path, "").await;
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(
            answer.head.contains("\r\nwww-authenticate: Bearer\r\n"),
            status == 401
        );
        let wrong = "Authorization: Bearer 0123456789abcdef0123456789abcdeF\r\n";
        assert_eq!(
            rig.ask("GET", path, wrong).await.code(),
            "admin-token-wrong"
        );
        let right = format!("Authorization: Bearer {TOKEN}\r\n");
        let answer = rig.ask("GET", path, &right).await;
        assert_eq!(answer.status, if path == "/nowhere" { 404 } else { 200 });
    }
    assert_eq!(rig.ask("PUT", "/api/drain", "").await.status, 401);
    assert_eq!(rig.ask("GET", "/readyz", "").await.status, 200);
    let open = rig_with(config(), |admin| {
        admin.token = Some(token());
        admin.open_metrics = true;
    });
    assert_eq!(open.ask("GET", "/metrics", "").await.status, 200);
    assert_eq!(open.ask("GET", "/api/status", "").await.status, 401);
}

#[tokio::test]
async fn a_reload_changes_token_and_address() {
    let rig = rig_with(config(), |admin| admin.token = Some(token()));
    let mut next = config();
    next.listeners[0].address.set_port(0);
    next.admin = Some(draftgate_gateway::config::Admin {
        address: ([127, 0, 0, 1], 0).into(),
        ..Default::default()
    });
    rig.running.reload(next.clone()).unwrap();
    assert_eq!(rig.running.admin_addr(), Some(rig.admin));
    assert_eq!(ask(rig.admin, "GET", "/api/status", "").await.status, 200);
    next.admin = None;
    rig.running.reload(next).unwrap();
    assert_eq!(rig.running.admin_addr(), None);
    soon("the port is closed", async {
        while tokio::net::TcpStream::connect(rig.admin).await.is_ok() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

#[tokio::test]
async fn whatever_comes_there_clients_do_not_feel_it() {
    let rig = rig(config());
    let mut client = Client::open(rig.address, Draft::Hybi13, "/echo").await;
    // As many as are served at once, and more, that say nothing.
    let mut silent = Vec::new();
    for _ in 0..600 {
        silent.push(Raw::connect(rig.admin).await);
    }
    for round in 0..10 {
        client.send(format!("{round}").as_str()).await;
        client.message().await;
    }
    // Nor do those who watch it: silence ends soon.
    assert_eq!(rig.ask("GET", "/healthz", "").await.status, 200);
    drop(silent);
    for garbage in [
        &b"\0\0\0\0\r\n\r\n"[..],
        b"GET / HTTP/9.9\r\n\r\n",
        b"<policy-file-request/>\0",
        b"\x16\x03\x01\x02\x00\x01",
    ] {
        let mut raw = Raw::say(rig.admin, garbage).await;
        tokio::io::AsyncWriteExt::shutdown(&mut raw.tcp)
            .await
            .unwrap();
        raw.rest().await;
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(64 << 10));
    let mut raw = Raw::connect(rig.admin).await;
    // It may be cut before all of it is written.
    let _ = tokio::io::AsyncWriteExt::write_all(&mut raw.tcp, long.as_bytes()).await;
    raw.rest().await;
    let body = format!(
        "PUT /api/log HTTP/1.1\r\nHost: {}\r\nContent-Length: 9999\r\n\r\n{}",
        rig.admin,
        "x".repeat(9999)
    );
    let mut raw = Raw::connect(rig.admin).await;
    let _ = tokio::io::AsyncWriteExt::write_all(&mut raw.tcp, body.as_bytes()).await;
    raw.rest().await;
    assert_eq!(rig.ask("GET", "/healthz", "").await.status, 200);
    client.send("still here").await;
    client.message().await;
}
