//! Who may come in, judged by others: tokens that foreign libraries signed let
//! in or do not, and a server decides for nginx's `auth_request` and for
//! draftgate alike.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::gateway::{Gateway, draftgate};
use crate::octets::Octets;
use crate::programs::{chromium, node, phantomjs, phantomjs_2, python};
use crate::proxy::Proxy;

const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// A file of the gateway's own tests.
fn key(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../gateway/tests/auth");
    path.join(name).display().to_string()
}

/// A token of `claims` that a foreign library signs.
fn signed(library: &str, algorithm: &str, claims: &Value, key: &str) -> String {
    let mut command = match library {
        "jsonwebtoken" => node("jsonwebtoken.js"),
        _ => python("pyjwt.py"),
    };
    let done = command
        .args([algorithm, &claims.to_string(), key])
        .output()
        .unwrap();
    assert!(done.status.success(), "{library} {algorithm}: {done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// `draftgate connect` in `draft`: what it printed, if it was let in.
fn connect(draft: &str, url: &str) -> Result<String, String> {
    let mut command = draftgate("connect");
    command.args(["--draft", draft, "-x", "hello", "--count", "1", url]);
    let done = command.output().unwrap();
    match done.status.success() {
        true => Ok(String::from_utf8(done.stdout).unwrap()),
        false => Err(String::from_utf8(done.stderr).unwrap()),
    }
}

#[test]
fn foreign_tokens_let_in_if_they_are_good_and_not_if_they_are_not() {
    let route = |jwt: &str| {
        format!(
            "drafts = \"all\"\norigins = [\"any\"]\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n\
             [routes.auth]\nfrom = \"query:token\"\n[routes.auth.jwt]\nissuer = \"login\"\naudience = \"tv\"\n{jwt}\n"
        )
    };
    let hs256 = route(&format!("algorithm = \"HS256\"\nsecret = \"{SECRET}\""));
    let rs256 = route(&format!(
        "algorithm = \"RS256\"\njwks-file = {:?}",
        key("keys.json")
    ));
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_secs()).unwrap();
    let good = json!({"sub": "tv-17", "iss": "login", "aud": "tv", "exp": now + 3600});
    let with = |name: &str, value: Value| {
        let mut claims = good.clone();
        claims[name] = value;
        claims
    };
    let private = key("signing-key.pem");
    let public = std::fs::read_to_string(key("verifying-key.pem")).unwrap();
    for (name, config, library, algorithm, key) in [
        ("jwt-pyjwt", &hs256, "PyJWT", "HS256", SECRET),
        ("jwt-node", &hs256, "jsonwebtoken", "HS256", SECRET),
        ("jwt-node-rs", &rs256, "jsonwebtoken", "RS256", &*private),
    ] {
        let mut gateway = Gateway::with(name, config);
        let url = |token: &str| gateway.url(&format!("/echo?token={token}"));
        let sign = |claims: &Value| signed(library, algorithm, claims, key);
        let token = sign(&good);
        for draft in draftgate_drafts::announced() {
            let said = connect(draft.name(), &url(&token));
            assert_eq!(said.as_deref(), Ok("hello\n"), "{library} {draft}");
        }
        for (token, code) in [
            (sign(&with("exp", json!(now - 3600))), "auth-expired"),
            (sign(&with("nbf", json!(now + 3600))), "auth-wrong"),
            (sign(&with("iss", json!("other"))), "auth-wrong"),
            (sign(&with("aud", json!(["radio"]))), "auth-wrong"),
            (signed("PyJWT", "none", &good, ""), "auth-wrong"),
            (signed("jsonwebtoken", "HS512", &good, SECRET), "auth-wrong"),
            (
                signed("jsonwebtoken", "HS256", &good, &public),
                "auth-wrong",
            ),
        ] {
            let told = connect("hybi-13", &url(&token)).unwrap_err();
            assert!(told.contains(code), "{library} {code}: {told}");
        }
        let line = gateway.access_line();
        assert_eq!(line["user"], "tv-17", "{line}");
    }
}

/// The browser of 2011 can put its token into the URL alone; today's offers it as a
/// subprotocol, and takes no answer that lacks what it asked for.
#[test]
fn foreign_browsers_show_tokens_where_they_can() {
    const TOKEN: &str = "let-me-in-0123456789";
    let config = format!(
        "drafts = \"all\"\norigins = [\"any\"]\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n\
         [routes.auth]\ntokens = [{{ token = \"{TOKEN}\", name = \"tv\" }}]\n\
         from = [\"query:token\", \"subprotocol:bearer.\"]\n"
    );
    let mut gateway = Gateway::with("browsers-with-tokens", &config);
    let shown = format!("/echo?token={TOKEN}");
    for (script, hybi) in [(phantomjs as fn(&str) -> _, false), (phantomjs_2, true)] {
        let run = |path: &str| {
            let mut command: Command = script("phantom-echo.js");
            command.arg(gateway.url(path));
            command.args(hybi.then_some("--hybi")).output().unwrap()
        };
        let done = run(&shown);
        assert!(done.status.success(), "{done:?}");
        let refused = run("/echo");
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
    }
    let bearer = format!("bearer.{TOKEN}");
    for (first, asks, lets_in) in [
        (Some(&*bearer), "chat", true),
        (None, &*bearer, true),
        (Some("bearer.let-me-in-9876543210"), "chat", false),
        (None, "chat", false),
    ] {
        let mut command = chromium("chromium-client.js");
        command.args([&gateway.url("/echo"), "--subprotocol", asks]);
        if let Some(first) = first {
            command.env("OFFERS_FIRST", first);
        }
        let done = command.output().unwrap();
        assert_eq!(done.status.success(), lets_in, "{first:?} {asks}: {done:?}");
    }
    for _ in 0..4 {
        let line = gateway.access_line();
        assert_eq!(line["user"], "tv", "{line}");
        assert!(!line.to_string().contains("let-me-in"), "{line}");
    }
}

/// A server that answers what the cookie of a question asks for, and keeps the heads.
struct Decides {
    address: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Decides {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = Self {
            address: listener.local_addr().unwrap().to_string(),
            asked: Arc::default(),
        };
        let asked = Arc::clone(&server.asked);
        thread::spawn(move || {
            for tcp in listener.incoming().map_while(Result::ok) {
                let asked = Arc::clone(&asked);
                thread::spawn(move || Self::serve(tcp, &asked));
            }
        });
        server
    }

    fn serve(tcp: TcpStream, asked: &Mutex<Vec<String>>) {
        let mut lines = BufReader::new(tcp.try_clone().unwrap());
        let mut tcp = tcp;
        loop {
            let mut head = String::new();
            while !head.ends_with("\r\n\r\n") {
                match lines.read_line(&mut head) {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
            asked.lock().unwrap().push(head.clone());
            let wanted = head.split("says=").nth(1).unwrap_or("200");
            let wanted = &wanted[..3];
            let more = match wanted {
                "401" => "WWW-Authenticate: Basic realm=\"decides\"\r\n",
                "302" => "Location: /login\r\n",
                _ => "",
            };
            // Without a body: a 204 has none in any case.
            let length = if wanted == "204" {
                ""
            } else {
                "Content-Length: 0\r\n"
            };
            let answer =
                format!("HTTP/1.1 {wanted} As Asked\r\nX-User: alice\r\n{more}{length}\r\n");
            if tcp.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }

    /// The value of `name` in the last question that `by` caused.
    fn told(&self, by: &str, name: &str) -> Option<String> {
        let asked = self.asked.lock().unwrap();
        let head = asked
            .iter()
            .rev()
            .find(|head| head.contains(&format!("by={by}")))
            .unwrap();
        head.lines().find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found
                .eq_ignore_ascii_case(name)
                .then(|| value.trim().to_owned())
        })
    }
}

/// The status and the challenge that an opening at `address` gets, whose cookie
/// is `cookie`.
fn asked(address: &str, cookie: &str) -> (u16, Option<String>) {
    let (mut octets, _) = Octets::connect(address);
    octets.write(
        format!(
            "GET /echo?a=b HTTP/1.1\r\nHost: example.com\r\nCookie: {cookie}\r\nUser-Agent: tv\r\n\
             Authorization: Bearer abc\r\nOrigin: http://localhost\r\nUpgrade: websocket\r\n\
             Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
        .as_bytes(),
    );
    let head = octets.head();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let challenge = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("www-authenticate")
            .then(|| value.trim().to_owned())
    });
    (status, challenge)
}

#[test]
fn foreign_nginx_and_draftgate_let_a_server_decide_alike() {
    let server = Decides::start();
    let mut ours = Gateway::with(
        "auth-request",
        &format!(
            "drafts = \"all\"\norigins = [\"any\"]\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n\
             [routes.auth]\nurl = \"http://{}/check?by=draftgate\"\nuser-field = \"X-User\"\n",
            server.address
        ),
    );
    let behind = Gateway::with(
        "auth-behind",
        "drafts = \"all\"\norigins = [\"any\"]\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n",
    );
    let nginx = Proxy::nginx_with(&format!(
        "events {{}}\nhttp {{\n access_log off;\n server {{\n  listen LISTEN;\n\
         location /echo {{\n auth_request /check;\n proxy_pass http://{};\n proxy_http_version 1.1;\n\
         proxy_set_header Upgrade $http_upgrade;\n proxy_set_header Connection upgrade;\n }}\n\
         location = /check {{\n internal;\n proxy_pass http://{}/check?by=nginx;\n proxy_pass_request_body off;\n\
         proxy_set_header Content-Length \"\";\n proxy_set_header X-Original-URI $request_uri;\n }}\n }}\n}}\n",
        behind.host(),
        server.address
    ));
    for (says, theirs, ours_status) in [
        ("200", 101, 101),
        ("204", 101, 101),
        ("401", 401, 401),
        ("403", 403, 403),
        // There nginx says that it is at fault; we say that it may be tried again.
        ("302", 500, 503),
        ("404", 500, 503),
        ("500", 500, 503),
    ] {
        let cookie = format!("says={says}");
        let (status, challenge) = asked(&nginx.address, &cookie);
        assert_eq!(status, theirs, "nginx, {says}");
        let (own, own_challenge) = asked(ours.host(), &cookie);
        assert_eq!(own, ours_status, "draftgate, {says}");
        assert_eq!(challenge, own_challenge, "{says}");
        for name in [
            "Cookie",
            "Authorization",
            "Origin",
            "X-Original-URI",
            "User-Agent",
            "Content-Length",
        ] {
            let (nginx, draftgate) = (server.told("nginx", name), server.told("draftgate", name));
            assert_eq!(nginx, draftgate, "{says} {name}");
        }
    }
    assert_eq!(ours.access_line()["user"], "alice");
}
