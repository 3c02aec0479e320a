//! `draftgate connect` on its way to a server: which drafts it tries, what it
//! forgives, through which proxy it goes, what it says of TLS.

use crate::{
    child::draftgate,
    script::{Script, field},
};

#[test]
fn drafts_are_tried_in_their_order_and_each_refusal_is_told() {
    let script = Script::start_in_turn(vec![
        Box::new(|peer| {
            assert_eq!(field(&peer.head(), "Sec-WebSocket-Version"), "13");
            peer.say("HTTP/1.1 400 Bad Request\r\nContent-Length: 2\r\n\r\nno");
            peer.end();
            peer.expect_any();
        }),
        Box::new(|peer| {
            peer.open_75("/");
            peer.expect(b"\0Hello\xff");
            peer.expect_end();
        }),
    ]);
    let arguments = ["connect", "-v", "--draft", "13,hixie-75", &script.url("/")];
    let ended = draftgate(arguments).run_with("Hello");
    script.finish();
    let said = [
        "hybi-13 was not accepted: the server did not switch protocols",
        "\n  no\n",
        "in hixie-75\n",
    ];
    ended.expect(0, &said);
}

#[test]
fn a_list_of_versions_is_followed() {
    let script = Script::start_in_turn(vec![
        Box::new(|peer| {
            peer.head();
            peer.say("HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 8, 7\r\n\r\n");
            peer.end();
            peer.expect_any();
        }),
        Box::new(|peer| {
            let head = peer.open_13("");
            assert_eq!(field(&head, "Sec-WebSocket-Version"), "8");
            peer.close_13();
        }),
    ]);
    let ended = draftgate(["connect", "-v", "--draft", "auto", &script.url("/")]).run();
    script.finish();
    ended.expect(0, &["it speaks versions 8, 7", "in hybi-08 = hybi-12"]);
}

#[test]
fn what_is_forgiven_is_told() {
    let script = |lenient: bool| {
        Script::start(move |peer| {
            peer.head();
            peer.say(
                "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
                 Connection: Upgrade\r\nWebSocket-Origin: null\r\n\
                 WebSocket-Location: wss://public.example/\r\n\r\n",
            );
            match lenient {
                true => peer.expect_end(),
                false => peer.expect_any(),
            }
        })
    };
    let connect = |url: &str, checks| {
        let flags = [
            "--draft",
            "75",
            "--origin",
            "null",
            "--answer-checks",
            checks,
        ];
        draftgate(["connect"].into_iter().chain(flags).chain([url])).run()
    };
    let refusing = script(false);
    let ended = connect(&refusing.url("/"), "strict");
    refusing.finish();
    ended.expect(77, &["websocket-location is `wss://public.example/`"]);
    let forgiving = script(true);
    let ended = connect(&forgiving.url("/"), "lenient");
    forgiving.finish();
    ended.expect(
        0,
        &[
            "forgiven: the server's Location is not the URL",
            "websocket-location is `wss://public.example/`",
            "[answer-location]",
        ],
    );
}

#[test]
fn fields_and_a_password_are_sent() {
    let script = Script::start(|peer| {
        let head = peer.open_13("");
        assert_eq!(field(&head, "X-Device"), "7: b");
        assert_eq!(field(&head, "Cookie"), "a=b");
        assert_eq!(field(&head, "Authorization"), "Basic bWU6cHc=");
        assert_eq!(field(&head, "Origin"), "http://tv");
        assert_eq!(field(&head, "Sec-WebSocket-Protocol"), "a, b");
        peer.close_13();
    });
    let url = format!("ws://me:pw@127.0.0.1:{}/", script.port);
    let flags = [
        "-v",
        "-H",
        "X-Device: 7: b",
        "-H",
        "Cookie:a=b",
        "-o",
        "http://tv",
        "-s",
        "a",
        "-s",
        "b",
    ];
    let ended = draftgate(["connect"].into_iter().chain(flags).chain([&*url])).run();
    script.finish();
    ended.expect(0, &["connected to ws://127.0.0.1:"]);
    assert!(!ended.stderr.contains("pw@"), "{}", ended.stderr);
}

#[test]
fn fields_that_a_draft_writes_or_that_are_none_are_wrong_usage() {
    for (value, said) in [
        ("Host: a", "Host is written by the draft itself"),
        ("X", "there is no colon"),
        ("X: a\nb", "control character"),
        ("a b: c", "no name of a field"),
    ] {
        let ended = draftgate(["connect", "-H", value, "ws://127.0.0.1:1/"]).run();
        ended.expect(2, &[said]);
    }
}

/// Opens a tunnel and is the server at its end.
fn tunnel() -> Script {
    Script::start(|peer| {
        let head = peer.head();
        assert!(head.starts_with("CONNECT plc.example:8080 HTTP/1.1\r\n"));
        assert_eq!(field(&head, "Proxy-Authorization"), "Basic bWU6cHc=");
        peer.say("HTTP/1.1 200 Connection established\r\n\r\n");
        assert_eq!(field(&peer.open_13(""), "Host"), "plc.example:8080");
        peer.close_13();
    })
}

#[test]
fn a_proxy_is_named_by_a_flag_or_by_the_environment() {
    let url = "ws://plc.example:8080/";
    let script = tunnel();
    let proxy = format!("http://me:pw@127.0.0.1:{}", script.port);
    let ended = draftgate(["connect", "--proxy", &proxy, url]).run();
    script.finish();
    ended.expect(0, &[]);
    for name in ["http_proxy", "all_proxy", "ALL_PROXY"] {
        let script = tunnel();
        let proxy = format!("http://me:pw@127.0.0.1:{}", script.port);
        let ended = draftgate(["connect", url]).env(name, &proxy).run();
        script.finish();
        ended.expect(0, &[]);
    }
}

#[test]
fn a_proxy_is_left_out_for_what_is_excepted() {
    let direct = || {
        Script::start(|peer| {
            peer.open_13("");
            peer.close_13();
        })
    };
    let script = direct();
    draftgate(["connect", &script.url("/")])
        .env("ALL_PROXY", "127.0.0.1:1")
        .env("NO_PROXY", "example.com, 127.0.0.0/8")
        .run()
        .expect(0, &[]);
    script.finish();
    let script = direct();
    draftgate(["connect", "--proxy", "none", &script.url("/")])
        .env("ALL_PROXY", "127.0.0.1:1")
        .run()
        .expect(0, &[]);
    script.finish();
    draftgate(["connect", "ws://127.0.0.1:1/"])
        .env("ALL_PROXY", "socks5://127.0.0.1:1")
        .run()
        .expect(69, &["the environment variable ALL_PROXY: `socks5://`"]);
}

#[test]
fn a_proxy_that_wants_a_password_is_told_apart_from_the_server() {
    let script = Script::start(|peer| {
        peer.head();
        peer.say("HTTP/1.1 407 Who\r\nProxy-Authenticate: Basic realm=x\r\n\r\n");
        peer.end();
        peer.expect_any();
    });
    let proxy = format!("127.0.0.1:{}", script.port);
    let ended = draftgate(["connect", "--proxy", &proxy, "ws://a.example/"]).run();
    script.finish();
    let said = [
        "makes no tunnel to a.example:80: 407, it wants a name and a password",
        "(it asks for Basic)",
    ];
    ended.expect(69, &said);
}

#[test]
fn a_plain_server_behind_wss_is_told() {
    let script = Script::start(|peer| {
        peer.say("HTTP/1.1 400 Bad Request\r\n\r\n");
        peer.end();
        peer.expect_any();
    });
    let url = script.url("/").replace("ws://", "wss://");
    let ended = draftgate(["connect", "--insecure", &url]).run();
    script.finish();
    ended.expect(
        69,
        &["no TLS with 127.0.0.1: what answers there does not speak TLS"],
    );
    draftgate([
        "connect",
        "--cacert",
        "/nonexistent.pem",
        "wss://127.0.0.1:1/",
    ])
    .run()
    .expect(69, &["nothing listens there"]);
}
