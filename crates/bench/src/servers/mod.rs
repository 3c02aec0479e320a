//! The servers that draftgate is measured next to, written in Rust: the raw
//! sockets of tokio, which are the floor, a bare upgrade by hyper, and the
//! WebSocket libraries. Each is written as its library's own examples write a
//! server, with the settings that make it fastest where it has any, said there.
//! All run on one thread, in the runtime that calls them, and none logs: what
//! the program `peer` costs is what its library costs. The foreign ones, npm's
//! and uWebSockets, are in `crates/bench/peers`.

mod fastwebsockets;
mod hyper;
mod opening;
mod raw;
mod tokio_websockets;
mod tungstenite;

use std::io;
use std::net::SocketAddr;

use clap::ValueEnum;
use tokio::net::{TcpListener, TcpSocket, TcpStream};

/// How many connections may wait to be accepted: a storm's worth, as far as the
/// system allows.
const BACKLOG: u32 = 32 << 10;

/// How many messages a subscriber of a broadcaster may be behind: far more than
/// any burst that is measured, so that none is lost.
const BEHIND: usize = 4096;

/// A server to be measured next to.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Server {
    /// A task for each socket that writes what it reads. No WebSocket.
    RawEcho,
    /// The same, with a buffer only while there is something to read.
    RawIdle,
    /// A task for each socket; what one reads, all write. No WebSocket.
    RawBroadcast,
    /// hyper's upgrade with the accept key, and then silence.
    HyperUpgrade,
    /// `tokio-tungstenite`.
    TokioTungstenite,
    /// `fastwebsockets`.
    Fastwebsockets,
    /// `tokio-websockets`.
    TokioWebsockets,
}

/// What a WebSocket server does with a message.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Service {
    /// Sends it back.
    Echo,
    /// Sends it to every connection, to its sender too.
    Broadcast,
}

/// A socket that listens on a free port of the loopback.
///
/// # Errors
/// When the system has none.
pub fn listen() -> io::Result<TcpListener> {
    let socket = TcpSocket::new_v4()?;
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0)))?;
    socket.listen(BACKLOG)
}

/// Serves until the listener fails.
///
/// # Errors
/// When a connection cannot be accepted.
pub async fn serve(server: Server, service: Service, listener: TcpListener) -> io::Result<()> {
    match (server, service) {
        (Server::RawEcho, _) => accept(listener, raw::echo).await,
        (Server::RawIdle, _) => accept(listener, raw::idle).await,
        (Server::RawBroadcast, _) => accept(listener, raw::broadcast()).await,
        (Server::HyperUpgrade, _) => accept(listener, hyper::upgrade).await,
        (Server::TokioTungstenite, Service::Echo) => accept(listener, tungstenite::echo).await,
        (Server::TokioTungstenite, Service::Broadcast) => {
            accept(listener, tungstenite::broadcast()).await
        }
        (Server::Fastwebsockets, Service::Echo) => accept(listener, fastwebsockets::echo).await,
        (Server::Fastwebsockets, Service::Broadcast) => {
            accept(listener, fastwebsockets::broadcast()).await
        }
        (Server::TokioWebsockets, Service::Echo) => accept(listener, tokio_websockets::echo).await,
        (Server::TokioWebsockets, Service::Broadcast) => {
            accept(listener, tokio_websockets::broadcast()).await
        }
    }
}

/// One task for each connection. How it ends is nobody's business: whoever
/// measures notices what is missing.
async fn accept<C, F, E>(listener: TcpListener, connection: C) -> io::Result<()>
where
    C: Fn(TcpStream) -> F,
    F: Future<Output = Result<(), E>> + Send + 'static,
    E: Send + 'static,
{
    loop {
        let (socket, _) = listener.accept().await?;
        socket.set_nodelay(true)?;
        let connection = connection(socket);
        tokio::spawn(async move {
            let _ = connection.await;
        });
    }
}

#[cfg(test)]
mod tests {
    use draftgate_client::{Client, Options};
    use draftgate_conn::{Conn, Handler, Peer, Settings};
    use draftgate_core::{Message, Outgoing};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    const LONG: usize = 300_000;

    /// Says three messages, keeps what it hears, and closes after as many.
    #[derive(Default)]
    struct Three(Vec<Message>);

    fn three() -> [Message; 3] {
        [
            Message::from("Hello"),
            Message::Binary(vec![7; 200].into()),
            Message::from("long ".repeat(LONG / 5)),
        ]
    }

    impl Handler for Three {
        fn opened(&mut self, peer: &mut Peer<'_>) {
            for message in three() {
                peer.send(Outgoing::Message(message)).unwrap();
            }
        }

        fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
            self.0.push(peer.keep(message));
            if self.0.len() == three().len() {
                peer.send(Outgoing::Close(None)).unwrap();
            }
        }
    }

    async fn started(server: Server, service: Service) -> SocketAddr {
        let listener = listen().unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(server, service, listener));
        address
    }

    async fn heard(address: SocketAddr) -> Vec<Message> {
        let client = Client::new(Options::default());
        let url = format!("ws://{address}/").parse().unwrap();
        let (stream, start) = client.connect(&url).await.unwrap().start();
        let mut three = Three::default();
        Conn::new(stream, start, Settings::client())
            .run(&mut three)
            .await;
        three.0
    }

    #[tokio::test]
    async fn libraries_send_every_message_back() {
        for server in [
            Server::TokioTungstenite,
            Server::Fastwebsockets,
            Server::TokioWebsockets,
        ] {
            for service in [Service::Echo, Service::Broadcast] {
                let address = started(server, service).await;
                assert_eq!(heard(address).await, three(), "{server:?} {service:?}");
            }
        }
    }

    #[tokio::test]
    async fn broadcasters_send_to_all() {
        for server in [
            Server::RawBroadcast,
            Server::TokioTungstenite,
            Server::Fastwebsockets,
            Server::TokioWebsockets,
        ] {
            let address = started(server, Service::Broadcast).await;
            let mut sockets = Vec::new();
            for _ in 0..3 {
                let mut socket = TcpStream::connect(address).await.unwrap();
                if server != Server::RawBroadcast {
                    open(&mut socket).await;
                }
                sockets.push(socket);
            }
            // A raw connection is one once it has been accepted, which nothing
            // tells; what is sent comes back when it has.
            let mut all = sockets.into_iter().rev();
            let mut last = all.next().unwrap();
            last.write_all(MASKED).await.unwrap();
            let expected = match server {
                Server::RawBroadcast => MASKED,
                _ => UNMASKED,
            };
            for mut socket in std::iter::once(last).chain(all) {
                let mut octets = vec![0; expected.len()];
                socket.read_exact(&mut octets).await.unwrap();
                assert_eq!(octets, expected, "{server:?}");
            }
        }
    }

    #[tokio::test]
    async fn raw_servers_send_octets_back() {
        for server in [Server::RawEcho, Server::RawIdle] {
            let address = started(server, Service::Echo).await;
            let mut socket = TcpStream::connect(address).await.unwrap();
            socket.write_all(MASKED).await.unwrap();
            let mut octets = vec![0; MASKED.len()];
            socket.read_exact(&mut octets).await.unwrap();
            assert_eq!(octets, MASKED, "{server:?}");
        }
    }

    #[tokio::test]
    async fn a_bare_upgrade_is_a_correct_answer() {
        let address = started(Server::HyperUpgrade, Service::Echo).await;
        let client = Client::new(Options::default());
        let url = format!("ws://{address}/").parse().unwrap();
        client.connect(&url).await.unwrap(); // checks the accept key
    }

    /// RFC 6455, section 5.7: "Hello", masked and not.
    const MASKED: &[u8] = b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58";
    const UNMASKED: &[u8] = b"\x81\x05Hello";

    /// RFC 6455, section 1.2.
    async fn open(socket: &mut TcpStream) {
        let request = "GET /chat HTTP/1.1\r\nHost: example.com\r\nUpgrade: websocket\r\n\
            Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
            Sec-WebSocket-Version: 13\r\n\r\n";
        socket.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\n") {
            assert_ne!(socket.read_buf(&mut answer).await.unwrap(), 0);
        }
        let answer = String::from_utf8(answer).unwrap();
        assert!(answer.contains("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{answer}");
    }
}
