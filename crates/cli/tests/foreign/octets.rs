//! A connection of octets, and our own codec in the client's role on top of
//! it: what a test sends through somebody else's proxy. Synchronous, with a
//! thread that reads, so that TCP and the pipes of `openssl s_client` look the
//! same and every wait has an end.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use draftgate_core::{Capabilities, Close, Codec, Draft, Event, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::RandomKeys;
use draftgate_drafts::opening::{Ask, LengthFrames};
use http::HeaderValue;
use socket2::{Domain, Socket, Type};

/// Far beyond everything that is waited for: only a hang reaches it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where clients come from: another address than any proxy's.
pub(crate) const OURS: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 9);

/// A connection that knows no protocol.
pub(crate) struct Octets {
    write: Box<dyn Write>,
    incoming: Receiver<Vec<u8>>,
    read: BytesMut,
    end: Box<dyn FnMut()>,
}

impl Octets {
    /// Over TCP, from [`OURS`]; and the address that we have there.
    pub(crate) fn connect(address: &str) -> (Self, SocketAddr) {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from((OURS, 0)).into()).unwrap();
        let address: SocketAddr = address.parse().unwrap();
        socket.connect(&address.into()).unwrap();
        let tcp = TcpStream::from(socket);
        tcp.set_nodelay(true).unwrap();
        let ours = tcp.local_addr().unwrap();
        let ending = tcp.try_clone().unwrap();
        let octets = Self {
            incoming: read_on(tcp.try_clone().unwrap()),
            write: Box::new(tcp),
            read: BytesMut::new(),
            end: Box::new(move || drop(ending.shutdown(Shutdown::Both))),
        };
        (octets, ours)
    }

    /// Over TLS, which OpenSSL's own client speaks for us.
    pub(crate) fn connect_tls(address: &str) -> Self {
        Self::connect_tls_with(address, &[])
    }

    /// The same with `arguments` of its own.
    pub(crate) fn connect_tls_with(address: &str, arguments: &[&str]) -> Self {
        let mut client = Command::new("/usr/bin/openssl")
            .args(["s_client", "-quiet", "-connect", address])
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        Self {
            write: Box::new(client.stdin.take().unwrap()),
            incoming: read_on(client.stdout.take().unwrap()),
            read: BytesMut::new(),
            end: Box::new(move || {
                let _ = client.kill();
                let _ = client.wait();
            }),
        }
    }

    pub(crate) fn write(&mut self, octets: &[u8]) {
        self.write.write_all(octets).unwrap();
        self.write.flush().unwrap();
    }

    /// The next head, its empty line included.
    pub(crate) fn head(&mut self) -> String {
        loop {
            let end = self.read.windows(4).position(|at| at == b"\r\n\r\n");
            if let Some(at) = end {
                let head = self.read.split_to(at + 4);
                return String::from_utf8(head.to_vec()).unwrap();
            }
            assert!(self.more(), "ended inside a head: {:?}", self.read);
        }
    }

    /// The next `count` octets.
    pub(crate) fn exactly(&mut self, count: usize) -> Vec<u8> {
        while self.read.len() < count {
            assert!(self.more(), "ended after {:?}", self.read);
        }
        self.read.split_to(count).to_vec()
    }

    /// Whether more came, and not the end.
    fn more(&mut self) -> bool {
        match self.incoming.recv_timeout(PATIENCE) {
            Ok(octets) => {
                self.read.extend_from_slice(&octets);
                true
            }
            Err(RecvTimeoutError::Disconnected) => false,
            Err(RecvTimeoutError::Timeout) => panic!("nothing came behind {:?}", self.read),
        }
    }
}

impl Drop for Octets {
    fn drop(&mut self) {
        (self.end)();
    }
}

fn read_on(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut octets = [0; 4096];
        while let Ok(count @ 1..) = from.read(&mut octets) {
            if sender.send(octets[..count].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A client of some draft.
pub(crate) struct Client {
    octets: Octets,
    codec: Box<dyn Codec>,
    out: Outbox,
    /// What the server chose.
    pub(crate) subprotocol: Option<String>,
}

impl Client {
    /// Opens `path` of `host` in `draft` over `octets`, with a field in which
    /// it claims another address.
    ///
    /// # Errors
    /// Why the answer is none to such a request.
    pub(crate) fn open(
        octets: Octets,
        secure: bool,
        host: &str,
        draft: Draft,
        path: &str,
    ) -> Result<Self, String> {
        Self::open_asking(octets, secure, host, draft, path, &[])
    }

    /// The same, asking for `subprotocols`.
    ///
    /// # Errors
    /// As [`open`](Self::open).
    pub(crate) fn open_asking(
        mut octets: Octets,
        secure: bool,
        host: &str,
        draft: Draft,
        path: &str,
        subprotocols: &[&str],
    ) -> Result<Self, String> {
        let ask = Ask {
            secure,
            host,
            resource: path,
            origin: Some("http://localhost"),
            subprotocols,
            fields: &[("X-Forwarded-For", HeaderValue::from_static("198.51.100.1"))],
            limits: Limits::default(),
            length_frames: LengthFrames {
                send: false,
                accept: true,
            },
            extensions: None,
        };
        let mut offer = draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap();
        octets.write(&offer.request);
        let connected = loop {
            match offer.pending.answer(&mut octets.read) {
                Ok(Some(connected)) => break connected,
                Ok(None) if octets.more() => {}
                Ok(None) => return Err(format!("it ended: {:?}", octets.read)),
                Err(refusal) => return Err(refusal.to_string()),
            }
        };
        let mut client = Self {
            octets,
            codec: connected.codec,
            out: Outbox::new(),
            subprotocol: connected.subprotocol,
        };
        client.codec.start(&mut client.out);
        match client.event() {
            Some(Event::Opened) => Ok(client),
            other => Err(format!("{other:?} in place of the opening's end")),
        }
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        self.codec.capabilities()
    }

    pub(crate) fn send(&mut self, message: impl Into<Message>) {
        self.say(Outgoing::Message(message.into()));
    }

    pub(crate) fn close(&mut self, close: Option<Close>) {
        self.say(Outgoing::Close(close));
    }

    /// The next message; pings are answered and passed over.
    pub(crate) fn message(&mut self) -> Message {
        loop {
            match self.event() {
                Some(Event::Message(message)) => return message,
                Some(Event::Close(close)) => panic!("closed: {close:?}"),
                None => panic!("the connection ended"),
                Some(_) => {}
            }
        }
    }

    /// The next event; `None` when the connection has ended.
    pub(crate) fn event(&mut self) -> Option<Event> {
        loop {
            let event = self
                .codec
                .receive(&mut self.octets.read, &mut self.out)
                .unwrap();
            self.flush();
            if event.is_some() {
                return event;
            }
            if !self.octets.more() {
                return None;
            }
        }
    }

    fn say(&mut self, what: Outgoing) {
        self.codec.send(what, &mut self.out).unwrap();
        self.flush();
    }

    fn flush(&mut self) {
        while self.out.has_remaining() {
            let octets = self.out.chunk().to_vec();
            self.octets.write(&octets);
            self.out.advance(octets.len());
        }
    }
}
