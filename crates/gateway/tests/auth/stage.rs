//! What the tests share: a gateway of a few lines of configuration, openings
//! with fields, a server that is asked and does what it is told, and tokens.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering::SeqCst},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    RandomKeys,
    opening::{Ask, LengthFrames},
};
use draftgate_gateway::{
    Running,
    config::{Config, Environment},
};
use http::HeaderValue;
use ring::hmac;
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::common::{self, Client, Raw, soon};

pub(crate) const TOKEN: &str = "let-me-in-0123456789";

/// A gateway with `routes`, open to every origin.
pub(crate) fn gateway(routes: &str) -> (Running, SocketAddr) {
    common::gateway(config(routes))
}

pub(crate) fn config(routes: &str) -> Config {
    let text = format!(
        "drafts = \"all\"\norigins = [\"any\"]\nlisteners = [{{ address = \"127.0.0.1:0\" }}]\n{routes}"
    );
    let spoken = common::spoken();
    Config::parse(&text, "the test", &spoken, &Environment::default())
        .unwrap_or_else(|error| panic!("{error}"))
}

/// The path of a file beside this one.
pub(crate) fn file(name: &str) -> String {
    format!("{}/tests/auth/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// An opening that is about to be tried.
#[derive(Debug, Clone)]
pub(crate) struct Opening {
    pub(crate) draft: Draft,
    pub(crate) path: String,
    pub(crate) fields: Vec<(&'static str, String)>,
    pub(crate) subprotocols: Vec<String>,
}

impl Opening {
    pub(crate) fn new(draft: Draft, path: &str) -> Self {
        Self {
            draft,
            path: path.to_owned(),
            fields: Vec::new(),
            subprotocols: Vec::new(),
        }
    }

    pub(crate) fn field(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.fields.push((name, value.into()));
        self
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.field("Authorization", format!("Bearer {token}"))
    }

    pub(crate) fn subprotocol(mut self, name: impl Into<String>) -> Self {
        self.subprotocols.push(name.into());
        self
    }

    /// The request's octets, with what belongs to it behind its head.
    pub(crate) fn request(&self, address: SocketAddr) -> Vec<u8> {
        let fields: Vec<(&str, HeaderValue)> = self
            .fields
            .iter()
            .map(|(name, value)| (*name, HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect();
        let subprotocols: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
        let host = address.to_string();
        let ask = Ask {
            secure: false,
            host: &host,
            resource: &self.path,
            origin: Some("http://localhost"),
            subprotocols: &subprotocols,
            fields: &fields,
            limits: Limits::default(),
            length_frames: LengthFrames::default(),
            extensions: None,
        };
        let offer = draftgate_drafts::offer(self.draft, &ask, &mut RandomKeys).unwrap();
        offer.request.to_vec()
    }

    /// Opens it; anything but an open connection fails the test.
    pub(crate) async fn open(&self, address: SocketAddr) -> Client {
        let fields: Vec<(&str, HeaderValue)> = self
            .fields
            .iter()
            .map(|(name, value)| (*name, HeaderValue::from_bytes(value.as_bytes()).unwrap()))
            .collect();
        let subprotocols: Vec<&str> = self.subprotocols.iter().map(String::as_str).collect();
        let tcp = soon("connect", TcpStream::connect(address)).await.unwrap();
        let host = address.to_string();
        Client::over_with(tcp, &host, self.draft, &self.path, &subprotocols, &fields).await
    }

    /// The head of whatever is answered.
    pub(crate) async fn head(&self, address: SocketAddr) -> String {
        Raw::say(address, self.request(address)).await.head().await
    }

    /// The refusal that it gets.
    pub(crate) async fn refused(&self, address: SocketAddr) -> Told {
        let mut raw = Raw::say(address, self.request(address)).await;
        let (head, body) = raw.refusal().await;
        Told { head, body }
    }
}

/// What somebody was told who was not let in.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Told {
    #[track_caller]
    pub(crate) fn is(&self, status: u16, code: &str) -> &Self {
        let found = self
            .body
            .lines()
            .find_map(|line| line.strip_prefix("Code: "));
        assert_eq!((self.status(), found), (status, Some(code)), "{self:?}");
        self
    }

    pub(crate) fn status(&self) -> u16 {
        self.head.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }
}

/// The value of a field of a head, in any letter case.
pub(crate) fn field<'h>(head: &'h str, name: &str) -> Option<&'h str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// What a server does about a question.
#[derive(Debug, Clone)]
pub(crate) enum Does {
    /// Answers this and waits for the next.
    Says(String),
    /// Answers this and ends.
    SaysAndEnds(String),
    /// Nothing, for ever.
    Hangs,
    /// Ends TCP.
    Ends,
    /// Ends TCP with a reset.
    Resets,
}

/// An answer without a body.
pub(crate) fn says(status: &str, fields: &str) -> Does {
    Does::Says(format!(
        "HTTP/1.1 {status}\r\n{fields}Content-Length: 0\r\n\r\n"
    ))
}

/// A server that is asked about openings, or connected to as an upstream.
#[derive(Debug)]
pub(crate) struct Scripted {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    connections: Arc<AtomicUsize>,
}

impl Scripted {
    /// One that does with each request's head as `script` says.
    pub(crate) async fn start(script: impl Fn(&str) -> Does + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let server = Self {
            address: listener.local_addr().unwrap(),
            asked: Arc::default(),
            connections: Arc::default(),
        };
        let script = Arc::new(script);
        let (asked, connections) = (server.asked.clone(), server.connections.clone());
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                connections.fetch_add(1, SeqCst);
                let (script, asked) = (script.clone(), asked.clone());
                tokio::spawn(async move { serve(tcp, &*script, &asked).await });
            }
        });
        server
    }

    /// The heads of all requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }

    /// How many connections it had so far.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }

    /// The next head after those `before`.
    pub(crate) async fn question(&self, before: usize) -> String {
        common::until("a question", || self.asked().len() > before).await;
        self.asked()[before].clone()
    }
}

async fn serve(
    mut tcp: TcpStream,
    script: &(dyn Fn(&str) -> Does + Send + Sync),
    asked: &Mutex<Vec<String>>,
) {
    let mut read = Vec::new();
    loop {
        while !read.ends_with(b"\r\n\r\n") {
            match tcp.read_u8().await {
                Ok(octet) => read.push(octet),
                Err(_) => return,
            }
        }
        let head = String::from_utf8(std::mem::take(&mut read)).unwrap();
        asked.lock().unwrap().push(head.clone());
        match script(&head) {
            Does::Says(answer) => tcp.write_all(answer.as_bytes()).await.unwrap(),
            Does::SaysAndEnds(answer) => {
                let _ = tcp.write_all(answer.as_bytes()).await;
                return;
            }
            Does::Hangs => {
                // Until the other end has gone.
                let _ = tcp.read_u8().await;
                return;
            }
            Does::Ends => return,
            Does::Resets => {
                socket2::SockRef::from(&tcp)
                    .set_linger(Some(Duration::ZERO))
                    .unwrap();
                return;
            }
        }
    }
}

/// The secret of the tests' own tokens.
pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

/// The time now, in seconds since 1970, and so much more.
pub(crate) fn in_seconds(seconds: i64) -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(now.unwrap().as_secs()).unwrap() + seconds
}

/// A token of `claims` under `head`, signed by [`SECRET`].
pub(crate) fn signed(head: &Value, claims: &Value) -> String {
    let said = unsigned(head, claims);
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = hmac::sign(&key, said.as_bytes());
    format!("{said}.{}", URL_SAFE_NO_PAD.encode(tag))
}

/// What is to be signed.
pub(crate) fn unsigned(head: &Value, claims: &Value) -> String {
    let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(head), part(claims))
}

/// A good one of HS256.
pub(crate) fn hs256(claims: &Value) -> String {
    signed(&serde_json::json!({"alg": "HS256", "typ": "JWT"}), claims)
}
