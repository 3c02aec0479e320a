//! A client of HTTP/2: h2's, and the project's own codec in the client's role.

use std::net::SocketAddr;

use bytes::{Buf, Bytes, BytesMut};
use draftgate_conn::Stream;
use draftgate_core::{Close, Codec, Draft, Event, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::{
    RandomKeys,
    opening::{Ask, Keyed, LengthFrames},
};
use h2::client::{ResponseFuture, SendRequest};
use http::{Request, Response};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use crate::common::soon;

/// A connection.
pub(crate) struct Session {
    pub(crate) send: SendRequest<Bytes>,
    pub(crate) driver: JoinHandle<Result<(), h2::Error>>,
    scheme: &'static str,
}

impl Session {
    /// In clear.
    pub(crate) async fn open(address: SocketAddr) -> Self {
        let tcp = soon("connect", TcpStream::connect(address)).await.unwrap();
        tcp.set_nodelay(true).unwrap();
        Self::over(tcp, "http").await
    }

    pub(crate) async fn over<Io>(io: Io, scheme: &'static str) -> Self
    where
        Io: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut builder = h2::client::Builder::new();
        builder.initial_connection_window_size(1 << 20);
        let (send, mut connection) = builder.handshake(io).await.unwrap();
        let mut pings = connection.ping_pong().unwrap();
        let driver = tokio::spawn(connection);
        // Behind its answer, the server's settings are known.
        let pong = pings.ping(h2::Ping::opaque());
        soon("settings", pong).await.unwrap();
        let send = soon("ready", send.ready()).await.unwrap();
        Self {
            send,
            driver,
            scheme,
        }
    }

    /// The head of a request for a WebSocket on `path`.
    pub(crate) fn connect(&self, path: &str) -> http::request::Builder {
        Request::connect(format!("{}://example.com{path}", self.scheme))
            .extension(h2::ext::Protocol::from_static("websocket"))
            .header("sec-websocket-version", "13")
            .header("origin", "http://localhost")
    }

    /// The head of another request.
    pub(crate) fn request(&self, method: &str, path: &str) -> http::request::Builder {
        let uri = format!("{}://127.0.0.1{path}", self.scheme);
        Request::builder().method(method).uri(uri)
    }

    /// Sends a head, and says whether it is all.
    pub(crate) async fn begin(
        &self,
        head: http::request::Builder,
        ends: bool,
    ) -> (ResponseFuture, h2::SendStream<Bytes>) {
        let mut send = soon("a free stream", self.send.clone().ready())
            .await
            .unwrap();
        send.send_request(head.body(()).unwrap(), ends).unwrap()
    }

    /// The whole answer to a request with a body.
    pub(crate) async fn ask(&self, head: http::request::Builder, body: &str) -> Response<String> {
        let (answer, mut sending) = self.begin(head, body.is_empty()).await;
        if !body.is_empty() {
            let body = Bytes::copy_from_slice(body.as_bytes());
            sending.send_data(body, true).unwrap();
        }
        let (parts, mut body) = soon("an answer", answer).await.unwrap().into_parts();
        let mut text = Vec::new();
        while let Some(octets) = soon("a body", body.data()).await {
            let octets = octets.unwrap();
            body.flow_control().release_capacity(octets.len()).unwrap();
            text.extend_from_slice(&octets);
        }
        Response::from_parts(parts, String::from_utf8(text).unwrap())
    }

    /// The answer to a request for a WebSocket that is refused.
    pub(crate) async fn refused(&self, head: http::request::Builder) -> Response<String> {
        let (answer, sending) = self.begin(head, false).await;
        let (parts, mut body) = soon("an answer", answer).await.unwrap().into_parts();
        let mut text = Vec::new();
        while let Some(octets) = soon("a body", body.data()).await {
            text.extend_from_slice(&octets.unwrap());
        }
        drop(sending);
        Response::from_parts(parts, String::from_utf8(text).unwrap())
    }

    /// The stream of a WebSocket on `path`, and the answer's head.
    pub(crate) async fn stream(
        &self,
        head: http::request::Builder,
    ) -> (http::response::Parts, Stream) {
        let (answer, sending) = self.begin(head, false).await;
        let (parts, receiving) = soon("an answer", answer).await.unwrap().into_parts();
        assert_eq!(parts.status, 200);
        (parts, Stream::new(sending, receiving))
    }

    /// A WebSocket on `path`.
    pub(crate) async fn websocket(&self, path: &str) -> Ws {
        let head = self.connect(path);
        let (_, stream) = self.stream(head).await;
        Ws::new(stream)
    }
}

/// A WebSocket over a stream.
pub(crate) struct Ws {
    pub(crate) stream: Stream,
    pub(crate) codec: Box<dyn Codec>,
    read: BytesMut,
}

impl Ws {
    pub(crate) fn new(stream: Stream) -> Self {
        Self {
            stream,
            codec: codec(),
            read: BytesMut::new(),
        }
    }

    pub(crate) async fn say(&mut self, what: Outgoing) {
        let mut out = Outbox::new();
        self.codec.send(what, &mut out).unwrap();
        self.write(out).await;
    }

    async fn write(&mut self, mut out: Outbox) {
        let octets = out.copy_to_bytes(out.remaining());
        soon("write", self.stream.write_all(&octets)).await.unwrap();
        self.stream.flush().await.unwrap();
    }

    pub(crate) async fn send(&mut self, message: impl Into<Message>) {
        self.say(Outgoing::Message(message.into())).await;
    }

    pub(crate) async fn close(&mut self, code: u16) {
        self.say(Outgoing::Close(Some(Close::new(code, "bye"))))
            .await;
    }

    /// The next event; `None` at the end of the stream.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            let mut out = Outbox::new();
            let event = self.codec.receive(&mut self.read, &mut out).unwrap();
            if !out.is_empty() {
                self.write(out).await;
            }
            match event {
                Some(event) => return Some(event),
                None => {
                    let count = soon("read", self.stream.read_buf(&mut self.read)).await;
                    if count.unwrap() == 0 {
                        return None;
                    }
                }
            }
        }
    }

    pub(crate) async fn message(&mut self) -> Message {
        match self.event().await {
            Some(Event::Message(message)) => message,
            other => panic!("no message: {other:?}"),
        }
    }

    /// Sends `text` and gets it back.
    pub(crate) async fn echoes(&mut self, text: &str) {
        self.send(text).await;
        assert_eq!(self.message().await, Message::from(text));
    }
}

/// What a client speaks, whose opening was accepted: a stream needs no proof, and
/// the codec has no other way to be made than by one.
fn codec() -> Box<dyn Codec> {
    let ask = Ask {
        secure: false,
        host: "example.com",
        resource: "/",
        origin: None,
        subprotocols: &[],
        extensions: None,
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
    };
    let mut offer = draftgate_drafts::offer(Draft::Hybi13, &ask, &mut RandomKeys).unwrap();
    let request = crate::common::parsed(&offer.request);
    let key = request.headers["sec-websocket-key"].to_str().unwrap();
    let accept = Keyed::from_key(key).unwrap().accept();
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    );
    let mut answer = BytesMut::from(answer.as_bytes());
    let mut codec = offer.pending.answer(&mut answer).unwrap().unwrap().codec;
    codec.start(&mut Outbox::new());
    let event = codec.receive(&mut BytesMut::new(), &mut Outbox::new());
    assert_eq!(event, Ok(Some(Event::Opened)));
    codec
}
