//! A gateway with an admin listener, and one request to that, in octets: what
//! is tested is what stands on the wire.

use std::net::SocketAddr;

use draftgate_gateway::{
    Running,
    config::{Admin, Config, Token},
};
use serde_json::Value;

use crate::common::{Raw, gateway};

pub(crate) const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A gateway whose operators are answered.
pub(crate) struct Rig {
    pub(crate) running: Running,
    pub(crate) address: SocketAddr,
    pub(crate) admin: SocketAddr,
}

/// An answer: status, head, body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The stable code of what was wrong.
    pub(crate) fn code(&self) -> String {
        self.json()["code"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn rig(config: Config) -> Rig {
    rig_with(config, |_| {})
}

pub(crate) fn rig_with(mut config: Config, change: impl FnOnce(&mut Admin)) -> Rig {
    let mut admin = Admin {
        address: ([127, 0, 0, 1], 0).into(),
        ..Admin::default()
    };
    change(&mut admin);
    config.admin = Some(admin);
    let (running, address) = gateway(config);
    let admin = running.admin_addr().unwrap();
    Rig {
        running,
        address,
        admin,
    }
}

pub(crate) fn token() -> Token {
    Token::new(TOKEN).unwrap()
}

impl Rig {
    pub(crate) async fn get(&self, path: &str) -> Value {
        let answer = ask(self.admin, "GET", path, "").await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    }

    /// What is answered to a method, with these lines in the head.
    pub(crate) async fn ask(&self, method: &str, path: &str, lines: &str) -> Answer {
        ask(self.admin, method, path, lines).await
    }

    /// One metric's value, by the text in front of it.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let scraped = ask(self.admin, "GET", "/metrics", "").await.body;
        value(&scraped, name).unwrap_or_else(|| panic!("{name} is missing: {scraped}"))
    }
}

/// A metric's value in what was scraped.
pub(crate) fn value(scraped: &str, name: &str) -> Option<f64> {
    let mut lines = scraped.lines();
    let said = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?;
    said.parse().ok()
}

pub(crate) async fn ask(admin: SocketAddr, method: &str, path: &str, lines: &str) -> Answer {
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {admin}\r\n{lines}\r\n");
    said(admin, &request).await
}

/// The answer to `request`, and that nothing follows it.
pub(crate) async fn said(admin: SocketAddr, request: &str) -> Answer {
    let mut raw = Raw::say(admin, request).await;
    let (head, body) = raw.refusal().await;
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Answer { status, head, body }
}
