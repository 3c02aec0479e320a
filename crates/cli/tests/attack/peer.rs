//! An attacker's end of a connection: an opening in any draft whose octets the
//! attack may send as it likes, and what came back until TCP ended. Masking
//! keys are zero, so that a frame's octets lie as its header has them and an
//! attack can change them without knowing the draft.

use std::{
    future::Future,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Close, Codec, Draft, Event, Limits, Outbox, Outgoing};
use draftgate_drafts::{
    FixedKeys,
    opening::{Ask, LengthFrames, Pending},
};
use http::HeaderValue;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
    time::timeout,
};

/// What a client of any draft asks for.
pub(crate) fn ask<'a>(
    host: &'a str,
    path: &'a str,
    fields: &'a [(&'a str, HeaderValue)],
) -> Ask<'a> {
    Ask {
        secure: false,
        host,
        resource: path,
        origin: Some("http://localhost"),
        subprotocols: &[],
        fields,
        limits: Limits::default(),
        length_frames: LengthFrames {
            send: true,
            accept: true,
        },
        extensions: None,
    }
}

/// An opening request that is not sent yet.
#[derive(Debug)]
pub(crate) struct Opening {
    /// Up to the empty line.
    pub(crate) head: Bytes,
    /// What the draft sends behind it: key3 of hixie-76.
    pub(crate) rest: Bytes,
    pending: Box<dyn Pending>,
}

impl Opening {
    pub(crate) fn of(
        gateway: SocketAddr,
        draft: Draft,
        path: &str,
        fields: &[(&'static str, &'static str)],
    ) -> Self {
        let host = gateway.to_string();
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (*name, HeaderValue::from_static(value)))
            .collect();
        let ask = ask(&host, path, &fields);
        let offer = draftgate_drafts::offer(draft, &ask, &mut FixedKeys::new([0])).unwrap();
        let mut head = offer.request;
        let end = head.windows(4).position(|w| w == b"\r\n\r\n").unwrap() + 4;
        let rest = head.split_off(end);
        Self {
            head,
            rest,
            pending: offer.pending,
        }
    }
}

/// A connection from `127.0.0.n`, which Linux lets anyone call their own.
pub(crate) async fn connect_from(gateway: SocketAddr, n: u8) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    let source = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, n)), 0);
    socket.bind(source).unwrap();
    let tcp = socket.connect(gateway).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp
}

/// A connection.
pub(crate) async fn connect(gateway: SocketAddr) -> TcpStream {
    connect_from(gateway, 1).await
}

/// One that takes in little before it is full.
pub(crate) async fn connect_narrow(gateway: SocketAddr) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 << 10).unwrap();
    let tcp = socket.connect(gateway).await.unwrap();
    tcp.set_nodelay(true).unwrap();
    tcp
}

/// What came before TCP ended, by FIN or by RST.
#[derive(Debug)]
pub(crate) struct End {
    pub(crate) octets: Vec<u8>,
}

/// Reads `tcp` to its end, writing nothing.
pub(crate) async fn watch(tcp: &mut TcpStream) -> End {
    let mut octets = Vec::new();
    let _ = tcp.read_to_end(&mut octets).await;
    End { octets }
}

/// Writes `octets` one by one, waiting for an answer to each for `pause`, and
/// reads until TCP ends.
pub(crate) async fn dribble(
    tcp: &mut TcpStream,
    octets: impl IntoIterator<Item = u8>,
    pause: Duration,
) -> End {
    let mut came = Vec::new();
    for octet in octets {
        if tcp.write_all(&[octet]).await.is_err() {
            break;
        }
        if let Ok(Ok(0) | Err(_)) = timeout(pause, tcp.read_buf(&mut came)).await {
            return End { octets: came };
        }
    }
    let _ = tcp.read_to_end(&mut came).await;
    End { octets: came }
}

impl End {
    /// The code of a refusal, as its body tells it.
    pub(crate) fn refusal(&self) -> Option<String> {
        let text = String::from_utf8_lossy(&self.octets);
        let (_, rest) = text.split_once("\nCode: ")?;
        rest.lines().next().map(str::to_owned)
    }
}

/// An attacker whose connection is open.
#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) draft: Draft,
    pub(crate) tcp: TcpStream,
    pub(crate) codec: Box<dyn Codec>,
    read: BytesMut,
}

impl Peer {
    pub(crate) async fn open(gateway: SocketAddr, draft: Draft, path: &str) -> Self {
        Self::open_on(connect(gateway).await, gateway, draft, path).await
    }

    /// The same over a connection that is there already.
    pub(crate) async fn open_on(
        mut tcp: TcpStream,
        gateway: SocketAddr,
        draft: Draft,
        path: &str,
    ) -> Self {
        let mut opening = Opening::of(gateway, draft, path, &[]);
        let request = [&opening.head[..], &opening.rest].concat();
        tcp.write_all(&request).await.unwrap();
        let mut read = BytesMut::new();
        let mut codec = loop {
            match opening.pending.answer(&mut read) {
                Ok(Some(connected)) => break connected.codec,
                Ok(None) => {}
                Err(refusal) => panic!("{draft}: {refusal}: {read:?}"),
            }
            let count = tcp.read_buf(&mut read).await.unwrap();
            assert!(count > 0, "{draft}: closed inside the answer: {read:?}");
        };
        let mut out = Outbox::new();
        codec.start(&mut out);
        let opened = codec.receive(&mut read, &mut out).unwrap();
        assert_eq!(opened, Some(Event::Opened), "{draft}");
        // A HELLO, in the draft that has one.
        tcp.write_all(&out.take_all()).await.unwrap();
        Self {
            draft,
            tcp,
            codec,
            read,
        }
    }

    /// The octets in which the draft says `what`.
    pub(crate) fn octets(&mut self, what: Outgoing) -> Bytes {
        let mut out = Outbox::new();
        self.codec.send(what, &mut out).unwrap();
        out.take_all()
    }

    /// Writes `octets`. Whether they went out: the gateway may have had enough.
    pub(crate) async fn write(&mut self, octets: &[u8]) -> bool {
        self.tcp.write_all(octets).await.is_ok()
    }

    /// The next event; `None` when TCP has ended. Nothing is answered.
    pub(crate) async fn event(&mut self) -> Option<Event> {
        loop {
            let mut out = Outbox::new();
            if let Some(event) = self.codec.receive(&mut self.read, &mut out).unwrap() {
                return Some(event);
            }
            match self.tcp.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return None,
                Ok(_) => {}
            }
        }
    }

    /// Reads to the end of TCP: the gateway's Close, if it said one.
    pub(crate) async fn end(&mut self) -> Option<Option<Close>> {
        let mut closed = None;
        while let Some(event) = self.event().await {
            if let Event::Close(close) = event {
                closed = Some(close);
            }
        }
        closed
    }
}

/// Runs `count` attackers at once and gathers what they bring back.
pub(crate) async fn swarm<T: Send + 'static, F>(
    count: usize,
    attacker: impl Fn(usize) -> F,
) -> Vec<T>
where
    F: Future<Output = T> + Send + 'static,
{
    let mut swarm = JoinSet::new();
    for n in 0..count {
        swarm.spawn(attacker(n));
    }
    swarm.join_all().await
}
