//! A client of some draft, or a server, whose octets are looked at as they come
//! off the socket, and what the gateway must have in its books about it.

use std::{borrow::Cow, net::SocketAddr};

use bytes::{Buf, BytesMut};
use draftgate_core::{Draft, Role};
use draftgate_drafts::{UNANNOUNCED, may_announce};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    common::{Client, soon},
    layouts, octets,
};

#[derive(Debug)]
pub(crate) struct Peer {
    pub(crate) draft: Draft,
    /// Where it connects from.
    pub(crate) address: SocketAddr,
    pub(crate) role: Role,
    tcp: TcpStream,
    /// The key of a connection of hybi-04, which the opening made.
    connection: Option<[u8; 20]>,
    /// What came, without masks.
    read: BytesMut,
    /// Of a server: what came of a frame that is not whole.
    masked: BytesMut,
    /// Messages it said.
    pub(crate) said: u64,
    /// Notices it caused.
    pub(crate) noticed: u64,
    /// Messages it was not sent, because its draft has no binary.
    pub(crate) missed: u64,
}

impl Peer {
    pub(crate) async fn open(address: SocketAddr, draft: Draft, path: &str) -> Self {
        // The opening is other tests' concern; from here on no codec is asked.
        let client = Client::open(address, draft, path).await;
        let mut peer = Self::new(Role::Client, draft, client);
        if draft == UNANNOUNCED {
            // Until it says something it is none to be told from one of hixie-76.
            peer.write(b"\x02\x00").await;
            peer.hears(b"\x03\x00", "the first pong").await;
        }
        peer
    }

    /// The server of `draft` that is connected to next.
    pub(crate) async fn accept(listener: &TcpListener, draft: Draft) -> Self {
        let (tcp, _) = soon("accept", listener.accept()).await.unwrap();
        let served = Client::serve(tcp).await;
        assert!(may_announce(draft, served.codec.draft()), "{draft}");
        Self::new(Role::Server, draft, served)
    }

    fn new(role: Role, draft: Draft, opened: Client) -> Self {
        let connection = opened.codec.connection_mask();
        let (tcp, read) = opened.into_octets();
        let (read, masked) = match role {
            Role::Client => (read, BytesMut::new()),
            Role::Server => (BytesMut::new(), read),
        };
        Self {
            draft,
            role,
            address: tcp.local_addr().unwrap(),
            tcp,
            connection,
            read,
            masked,
            said: 0,
            noticed: 0,
            missed: 0,
        }
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) {
        let sealed = self.sealed(octets);
        soon("write", self.tcp.write_all(&sealed)).await.unwrap();
    }

    pub(crate) async fn say(&mut self, text: &str) {
        self.said += 1;
        self.write(&octets::text_of(self.role, text.as_bytes(), self.draft))
            .await;
    }

    /// Ends TCP by an RST.
    pub(crate) fn reset(self) {
        self.tcp.set_zero_linger().unwrap();
    }

    /// Ends our half of TCP.
    pub(crate) async fn shut(&mut self) {
        self.tcp.shutdown().await.unwrap();
    }

    /// Writes `octets` to one that may have gone.
    pub(crate) async fn answer(&mut self, octets: &[u8]) {
        let sealed = self.sealed(octets);
        let _ = soon("write", self.tcp.write_all(&sealed)).await;
    }

    /// `octets` as they go over the wire.
    fn sealed<'a>(&self, octets: &'a [u8]) -> Cow<'a, [u8]> {
        match (self.role, &self.connection) {
            (Role::Client, Some(key)) => layouts::sealed(octets, key).into(),
            _ => octets.into(),
        }
    }

    /// Ends our half of TCP, if there is still one.
    pub(crate) async fn hang_up(&mut self) {
        let _ = self.tcp.shutdown().await;
    }

    /// The next octets are exactly these.
    pub(crate) async fn hears(&mut self, wanted: &[u8], what: &str) {
        // Each octet is looked at once, however many reads it takes.
        let mut alike = 0;
        loop {
            let there = self.read.len().min(wanted.len());
            if self.read[alike..there] != wanted[alike..there] {
                self.same(&wanted[..there], wanted, what);
            }
            alike = there;
            if there == wanted.len() {
                return self.read.advance(there);
            }
            self.read.reserve(wanted.len() - there);
            if !self.more(what).await {
                self.same(wanted, wanted, what);
            }
        }
    }

    /// Nothing more comes but the end of TCP.
    pub(crate) async fn ends(&mut self, what: &str) {
        while self.more(what).await {}
        self.same(b"", b"", what);
        assert!(
            self.read.is_empty(),
            "{what}: octets behind the end: {:02x?}",
            self.read
        );
    }

    async fn more(&mut self, what: &str) -> bool {
        let into = match self.role {
            Role::Client => &mut self.read,
            Role::Server => &mut self.masked,
        };
        let more = match soon(what, self.tcp.read_buf(into)).await {
            Ok(count) => count > 0,
            Err(error) => panic!("{what}: {error} after {:02x?}", shown(&self.read, 0)),
        };
        if self.role == Role::Server {
            let plain = layouts::unmasked(&mut self.masked, self.draft, self.connection.as_ref());
            self.read.extend_from_slice(&plain);
        }
        more
    }

    /// What was read begins with `front`, the beginning of `wanted`.
    fn same(&self, front: &[u8], wanted: &[u8], what: &str) {
        if self.read.starts_with(front) {
            return;
        }
        let differs = front.iter().zip(&self.read).position(|(a, b)| a != b);
        let at = differs.unwrap_or(self.read.len());
        panic!(
            "{what}: octet {at} of {} differs: {:02x?} came, {:02x?} was wanted",
            wanted.len(),
            shown(&self.read, at),
            shown(wanted, at)
        );
    }
}

fn shown(octets: &[u8], at: usize) -> &[u8] {
    &octets[at.saturating_sub(4).min(octets.len())..octets.len().min(at + 24)]
}
