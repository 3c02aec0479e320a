//! What the tests of the gateway share: a gateway on a free port, a raw socket
//! that writes and reads octets, and a client of any draft, which is the
//! project's own codec in the client's role.
#![allow(dead_code, reason = "each test file uses its own part")]
#![allow(unused_imports, reason = "and some look at no lines of the log")]
#![allow(clippy::unwrap_used, reason = "helpers of tests fail like tests")]

mod lines;
mod offered;

use std::{collections::VecDeque, future::Future, net::SocketAddr, sync::Arc, time::Duration};

use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{Close, Closing, Codec, Draft, Event, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys,
    opening::{Ask, LengthFrames, Terms},
};
use draftgate_gateway::{
    Gateway, Running,
    config::{Config, Route},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

pub(crate) use lines::{Lines, captured};
use offered::Offered;

/// The drafts that are spoken, oldest first.
pub(crate) fn spoken() -> Vec<Draft> {
    draftgate_drafts::spoken().collect()
}

/// Those that a server knows by the request alone.
pub(crate) fn announced() -> Vec<Draft> {
    draftgate_drafts::announced().collect()
}

/// Far beyond everything that a test waits for: only a hang reaches it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// The opening request of hixie-76 §1.2's example without its key3, which is
/// [`KEY3`] and is answered by [`ANSWER`].
pub(crate) const HIXIE_76: &str = "GET /echo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n\
     Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\
     Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://localhost\r\n\r\n";
pub(crate) const KEY3: &[u8; 8] = b"^n:ds[4U";
pub(crate) const ANSWER: &[u8; 16] = b"8jKS'y:G*Co,Wxa-";

/// The answer's head to [`HIXIE_76`].
pub(crate) const HIXIE_76_HEAD: &str = "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Origin: http://localhost\r\n\
     Sec-WebSocket-Location: ws://example.com/echo\r\n\r\n";

pub(crate) const HIXIE_75: &str = "GET /echo HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
     Host: example.com\r\nOrigin: http://localhost\r\n\r\n";

/// RFC 6455 §1.2's example on `/echo`.
pub(crate) const HYBI_13: &str = "GET /echo HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
     Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
     Origin: http://localhost\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// The opening of hello-00, whose nonce is that of Microsoft's client.
pub(crate) const HELLO_00: &str = "GET /echo HTTP/1.1\r\nHost: example.com\r\nUpgrade: WebSocket\r\n\
     Connection: Upgrade\r\nOrigin: http://localhost\r\nSec-WebSocket-Draft: 3\r\n\
     Sec-WebSocket-Nonce: A23F2BCA452DDE01\r\n\r\n";

/// The opening request of `draft` on `/echo`, hixie-76's without its key3.
pub(crate) fn opening(draft: Draft) -> String {
    match draft {
        Draft::Hixie75 => HIXIE_75.to_owned(),
        Draft::Hixie76 | Draft::Hybi01 => HIXIE_76.to_owned(),
        Draft::Hybi02 => challenged("2"),
        Draft::Hybi03 => challenged("3"),
        Draft::Hello00 => HELLO_00.to_owned(),
        draft => versioned(draft),
    }
}

/// The opening of hixie-76 with this number of a draft.
fn challenged(number: &str) -> String {
    HIXIE_76.replace(
        "\r\n\r\n",
        &format!("\r\nSec-WebSocket-Draft: {number}\r\n\r\n"),
    )
}

/// Whether key3 belongs to the opening of `draft`.
pub(crate) fn is_challenged(draft: Draft) -> bool {
    (Draft::Hixie76..=Draft::Hybi03).contains(&draft)
}

/// RFC 6455's opening under the version of `draft` and its name of the origin.
pub(crate) fn versioned(draft: Draft) -> String {
    let version = draft.version().unwrap();
    let request = HYBI_13.replace("Version: 13", &format!("Version: {version}"));
    match draft < Draft::Hybi13 {
        true => request.replace("Origin: ", "Sec-WebSocket-Origin: "),
        false => request,
    }
}

/// The embedded configuration on a free port.
pub(crate) fn config() -> Config {
    let mut config = Config::default();
    config.listeners[0].address = ([127, 0, 0, 1], 0).into();
    config
}

/// [`config`] with one route changed, found by its pattern.
pub(crate) fn with_route(path: &str, change: impl FnOnce(&mut Route)) -> Config {
    let mut config = config();
    let route = config
        .routes
        .iter_mut()
        .find(|r| r.path.to_string() == path);
    change(route.expect("a route of the embedded configuration"));
    config
}

pub(crate) fn gateway(config: Config) -> (Running, SocketAddr) {
    let running = Gateway::bind(config).unwrap();
    let address = running.addrs()[0];
    (running, address)
}

/// Ends the test if `future` hangs.
pub(crate) async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("nothing happened for {PATIENCE:?}: {what}"),
    }
}

/// Waits until `condition` holds. Counters tell nobody that they have changed, so
/// they are looked at again and again.
pub(crate) async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_so(what, async || condition()).await;
}

/// Waits until `condition`, which takes asking somebody, holds.
pub(crate) async fn until_so(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    soon(what, async {
        while !condition().await {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    })
    .await;
}

/// Whether `tcp` takes no octet for a moment. Wrong only in saying that it
/// stalls on a machine that stands still, which a test must bear.
pub(crate) async fn stalled(tcp: &TcpStream) -> bool {
    let moment = Duration::from_millis(300);
    tokio::time::timeout(moment, tcp.writable()).await.is_err()
}

/// A socket that knows no protocol.
#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) tcp: TcpStream,
    read: BytesMut,
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let tcp = soon("connect", TcpStream::connect(address)).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self {
            tcp,
            read: BytesMut::new(),
        }
    }

    /// Connects and writes `octets`.
    pub(crate) async fn say(address: SocketAddr, octets: impl AsRef<[u8]>) -> Self {
        let mut raw = Self::connect(address).await;
        raw.write(octets).await;
        raw
    }

    pub(crate) async fn write(&mut self, octets: impl AsRef<[u8]>) {
        soon("write", self.tcp.write_all(octets.as_ref()))
            .await
            .unwrap();
    }

    /// The next head, its empty line included.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(at) = memchr::memmem::find(&self.read, b"\r\n\r\n") {
                let head = self.read.split_to(at + 4);
                return String::from_utf8(head.to_vec()).unwrap();
            }
            assert!(self.more().await, "closed inside a head: {:?}", self.read);
        }
    }

    /// The next `count` octets.
    pub(crate) async fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more().await, "closed after {:?}", self.read);
        }
        self.read.split_to(count).to_vec()
    }

    /// Everything up to the end of TCP.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        self.read.split().to_vec()
    }

    /// A whole answer that ends the connection: its head and its body.
    pub(crate) async fn refusal(&mut self) -> (String, String) {
        let head = self.head().await;
        let body = String::from_utf8(self.rest().await).unwrap();
        (head, body)
    }

    async fn more(&mut self) -> bool {
        match soon("read", self.tcp.read_buf(&mut self.read)).await {
            Ok(count) => count > 0,
            // A reset is an end, too; what it took with it the test will miss.
            Err(_) => false,
        }
    }
}

/// A request, from the octets of its head.
pub(crate) fn parsed(head: &[u8]) -> http::request::Parts {
    let head = std::str::from_utf8(head).unwrap();
    let mut lines = head.split("\r\n").take_while(|line| !line.is_empty());
    let mut first = lines.next().unwrap().split(' ');
    let mut request = http::Request::builder()
        .method(first.next().unwrap())
        .uri(first.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(':').unwrap();
        request = request.header(name, value.trim());
    }
    request.body(()).unwrap().into_parts().0
}

/// A client of some draft, or the server of one.
#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) tcp: TcpStream,
    pub(crate) codec: Box<dyn Codec>,
    pub(crate) subprotocol: Option<String>,
    read: BytesMut,
    pub(crate) out: Outbox,
    /// What came before it was asked for.
    early: VecDeque<Event>,
}

impl Client {
    /// Opens `path` in `draft`, without a subprotocol.
    pub(crate) async fn open(address: SocketAddr, draft: Draft, path: &str) -> Self {
        Self::open_with(address, draft, path, &[]).await
    }

    pub(crate) async fn open_with(
        address: SocketAddr,
        draft: Draft,
        path: &str,
        subprotocols: &[&str],
    ) -> Self {
        let tcp = soon("connect", TcpStream::connect(address)).await.unwrap();
        Self::over(tcp, &address.to_string(), draft, path, subprotocols).await
    }

    /// Opens `path` at `address`, from where TLS leads on.
    pub(crate) async fn open_secure(address: SocketAddr, draft: Draft, path: &str) -> Self {
        let tcp = soon("connect", TcpStream::connect(address)).await.unwrap();
        let host = address.to_string();
        Self::opened(tcp, true, &host, draft, path, &[], &[]).await
    }

    /// Opens over a connection that is there.
    pub(crate) async fn over(
        tcp: TcpStream,
        host: &str,
        draft: Draft,
        path: &str,
        subprotocols: &[&str],
    ) -> Self {
        Self::over_with(tcp, host, draft, path, subprotocols, &[]).await
    }

    /// The same with more fields in the request.
    pub(crate) async fn over_with(
        tcp: TcpStream,
        host: &str,
        draft: Draft,
        path: &str,
        subprotocols: &[&str],
        fields: &[(&str, http::HeaderValue)],
    ) -> Self {
        Self::opened(tcp, false, host, draft, path, subprotocols, fields).await
    }

    async fn opened(
        mut tcp: TcpStream,
        secure: bool,
        host: &str,
        draft: Draft,
        path: &str,
        subprotocols: &[&str],
        fields: &[(&str, http::HeaderValue)],
    ) -> Self {
        let ask = Ask {
            secure,
            host,
            resource: path,
            origin: Some("http://localhost"),
            subprotocols,
            fields,
            limits: Limits::default(),
            length_frames: LengthFrames {
                send: false,
                accept: true,
            },
            extensions: Some(Arc::new(Offered)),
        };
        let mut offer = draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap();
        tcp.set_nodelay(true).unwrap();
        soon("write", tcp.write_all(&offer.request)).await.unwrap();
        let mut read = BytesMut::new();
        let connected = loop {
            match offer.pending.answer(&mut read) {
                Ok(Some(connected)) => break connected,
                Ok(None) => {}
                Err(refusal) => panic!("{draft}: {refusal}: {read:?}"),
            }
            let count = soon("read", tcp.read_buf(&mut read)).await.unwrap();
            assert!(count > 0, "{draft}: closed inside the answer: {read:?}");
        };
        let mut client = Self {
            tcp,
            codec: connected.codec,
            subprotocol: connected.subprotocol,
            read,
            out: Outbox::new(),
            early: VecDeque::new(),
        };
        client.codec.start(&mut client.out);
        assert_eq!(client.event().await, Some(Event::Opened), "{draft}");
        if draftgate_drafts::has_hello(draft) {
            // The gateway says nothing when it has read the HELLO: a pong tells.
            client.say(Outgoing::Ping(Bytes::new())).await;
            let mut early = Vec::new();
            while let Some(event) = client.event().await {
                match event {
                    Event::Pong(_) => break,
                    greeting => early.push(greeting),
                }
            }
            client.early.extend(early);
        }
        client
    }

    /// The other end, as a server: answers the opening that comes over `tcp`, in
    /// its draft, with the subprotocol that it asks for last.
    pub(crate) async fn serve(mut tcp: TcpStream) -> Self {
        tcp.set_nodelay(true).unwrap();
        let mut read = BytesMut::new();
        let at = loop {
            match memchr::memmem::find(&read, b"\r\n\r\n") {
                Some(at) => break at + 4,
                None => assert!(
                    soon("read", tcp.read_buf(&mut read)).await.unwrap() > 0,
                    "closed inside a request: {read:?}"
                ),
            }
        };
        let request = parsed(&read.split_to(at));
        let draft = draftgate_drafts::detect(&request, Detection::default()).unwrap();
        let asked = draftgate_drafts::subprotocols(draft, &request.headers);
        let host = request.headers["host"].to_str().unwrap();
        let terms = Terms {
            subprotocol: asked.last().copied(),
            public_url: &format!("ws://{host}{}", request.uri),
            limits: Limits::default(),
            length_frames: LengthFrames {
                send: false,
                accept: true,
            },
            extension: None,
        };
        let accepted =
            draftgate_drafts::accept_any_of(&spoken(), draft, &request, &terms, &mut RandomKeys)
                .unwrap();
        let mut out = Outbox::new();
        out.put(&accepted.head.to_bytes());
        let mut server = Self {
            tcp,
            codec: accepted.codec,
            subprotocol: terms.subprotocol.map(str::to_owned),
            read,
            out,
            early: VecDeque::new(),
        };
        server.codec.start(&mut server.out);
        server.flush().await;
        assert_eq!(server.event().await, Some(Event::Opened), "{draft}");
        server
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        self.say(Outgoing::Message(message.into())).await;
    }

    pub(crate) async fn close(&mut self, close: Option<Close>) {
        self.say(Outgoing::Close(close)).await;
        if self.codec.capabilities().closing == Closing::Absent {
            // The end of TCP is all there is.
            self.tcp.shutdown().await.unwrap();
        }
    }

    pub(crate) async fn say(&mut self, what: Outgoing) {
        self.codec.send(what, &mut self.out).unwrap();
        self.flush().await;
    }

    /// The next event; `None` when TCP has ended.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        if let Some(event) = self.early.pop_front() {
            return Some(event);
        }
        loop {
            let event = self.codec.receive(&mut self.read, &mut self.out).unwrap();
            self.flush().await;
            if event.is_some() {
                return event;
            }
            match soon("read", self.tcp.read_buf(&mut self.read)).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// The next message; pings and notices are passed over.
    pub(crate) async fn message(&mut self) -> Message {
        loop {
            match self.event().await {
                Some(Event::Message(message)) => return message,
                Some(Event::Close(close)) => panic!("closed: {close:?}"),
                None => panic!("TCP ended"),
                Some(_) => {}
            }
        }
    }

    /// Everything up to the end: the peer's Close, if one came.
    pub(crate) async fn end(&mut self) -> Option<Option<Close>> {
        let mut closed = None;
        while let Some(event) = self.event().await {
            if let Event::Close(close) = event {
                closed = Some(close);
            }
        }
        closed
    }

    /// The socket, and what was read of it: from here on without a codec.
    pub(crate) fn into_octets(self) -> (TcpStream, BytesMut) {
        (self.tcp, self.read)
    }

    /// All that it is made of, to be driven by the test itself.
    pub(crate) fn into_parts(self) -> (TcpStream, Box<dyn Codec>, BytesMut) {
        (self.tcp, self.codec, self.read)
    }

    async fn flush(&mut self) {
        while self.out.has_remaining() {
            // The other end may have gone; the next read says so.
            if soon("write", self.tcp.write_buf(&mut self.out))
                .await
                .is_err()
            {
                let left = self.out.remaining();
                self.out.advance(left);
            }
        }
    }
}
