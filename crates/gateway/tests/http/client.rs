//! A client of HTTP that knows no more than these tests need: answers with a
//! length, and streams of events in chunks.

use std::net::SocketAddr;

use serde_json::Value;

use crate::common::Raw;

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.body) {
            Ok(json) => json,
            Err(error) => panic!("{error}: {self:?}"),
        }
    }

    /// The code of a refusal.
    pub(crate) fn code(&self) -> Option<&str> {
        self.body
            .lines()
            .find_map(|line| line.strip_prefix("Code: "))
    }
}

fn field<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines().find_map(|line| {
        let (found, value) = line.split_once(':')?;
        found.eq_ignore_ascii_case(name).then(|| value.trim())
    })
}

/// Reads one answer with a length, or without a body.
pub(crate) async fn answer(raw: &mut Raw) -> Answer {
    let mut head = raw.head().await;
    while head.starts_with("HTTP/1.1 100 ") {
        head = raw.head().await;
    }
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    let length = field(&head, "content-length").map_or(0, |length| length.parse().unwrap());
    let body = String::from_utf8(raw.exactly(length).await).unwrap();
    Answer { status, head, body }
}

/// Asks on a connection of its own.
pub(crate) async fn ask(address: SocketAddr, request: &str) -> Answer {
    let mut raw = Raw::say(address, request).await;
    answer(&mut raw).await
}

/// `POST` of `body` with `fields`, each with its line break.
pub(crate) fn post(address: SocketAddr, path: &str, fields: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Length: {length}\r\n{fields}\r\n{body}"
    )
}

pub(crate) fn get(address: SocketAddr, target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: {address}\r\n{fields}\r\n")
}

pub(crate) async fn publish(address: SocketAddr, path: &str, text: &str) -> Value {
    let answer = ask(address, &post(address, path, "", text)).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// One event as a reader has it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Event {
    pub(crate) kind: String,
    pub(crate) data: String,
    /// The id that counts from here on.
    pub(crate) id: String,
}

/// A reader of events.
#[derive(Debug)]
pub(crate) struct Reader {
    pub(crate) raw: Raw,
    head: String,
    text: String,
    pub(crate) id: String,
    pub(crate) retry: Option<u64>,
    pub(crate) comments: usize,
}

impl Reader {
    pub(crate) async fn open(address: SocketAddr, target: &str) -> Self {
        Self::open_with(address, target, "").await
    }

    /// Opens a stream; the first block, which says where it stands, is read.
    pub(crate) async fn open_with(address: SocketAddr, target: &str, fields: &str) -> Self {
        let fields = format!("Accept: text/event-stream\r\n{fields}");
        let mut raw = Raw::say(address, get(address, target, &fields)).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
        assert_eq!(field(&head, "content-type"), Some("text/event-stream"));
        let mut reader = Self {
            raw,
            head,
            text: String::new(),
            id: String::new(),
            retry: None,
            comments: 0,
        };
        while reader.id.is_empty() {
            let block = reader.block().await.unwrap();
            assert_eq!(reader.take(&block), None, "{block}");
        }
        reader
    }

    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        field(&self.head, name)
    }

    /// The next event; `None` when the stream has ended as it should.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            let block = self.block().await?;
            if let Some(event) = self.take(&block) {
                return Some(event);
            }
        }
    }

    /// Waits until so many comments have come, and nothing else.
    pub(crate) async fn comments(&mut self, count: usize) {
        while self.comments < count {
            let block = self.block().await.unwrap();
            assert_eq!(self.take(&block), None, "{block}");
        }
    }

    pub(crate) async fn data(&mut self) -> String {
        let event = self.event().await.unwrap();
        assert_eq!(event.kind, "message", "{event:?}");
        event.data
    }

    /// What HTML says of a block of lines.
    fn take(&mut self, block: &str) -> Option<Event> {
        let mut event = Event::default();
        let mut data = Vec::new();
        for line in block.lines() {
            let (name, value) = line.split_once(':').unwrap_or((line, ""));
            let value = value.strip_prefix(' ').unwrap_or(value);
            match name {
                "" => self.comments += 1,
                "id" => value.clone_into(&mut self.id),
                "event" => value.clone_into(&mut event.kind),
                "retry" => self.retry = Some(value.parse().unwrap()),
                "data" => data.push(value),
                other => panic!("{other} in {block:?}"),
            }
        }
        if data.is_empty() {
            return None;
        }
        if event.kind.is_empty() {
            "message".clone_into(&mut event.kind);
        }
        event.data = data.join("\n");
        event.id.clone_from(&self.id);
        Some(event)
    }

    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.text.find("\n\n") {
                let block = self.text[..at].to_owned();
                self.text.drain(..at + 2);
                return Some(block);
            }
            let chunk = self.chunk().await;
            if chunk.is_empty() {
                assert_eq!(self.text, "", "the stream ends within an event");
                return None;
            }
            self.text.push_str(&chunk);
        }
    }

    async fn chunk(&mut self) -> String {
        let mut size = String::new();
        while !size.ends_with("\r\n") {
            let octet = self.raw.exactly(1).await[0];
            size.push(octet.into());
        }
        let size = usize::from_str_radix(size.trim(), 16).unwrap();
        let mut chunk = self.raw.exactly(size + 2).await;
        chunk.truncate(size);
        String::from_utf8(chunk).unwrap()
    }
}
