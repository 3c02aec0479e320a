//! The honest client: hixie-76, the oldest draft with a handshake to get
//! wrong. It runs in a thread of its own with blocking sockets, so that what it
//! measures is the gateway and not the attackers beside it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::mpsc::{self, RecvTimeoutError},
    thread::{self, JoinHandle},
    time::Duration,
};

use bytes::BytesMut;
use draftgate_core::{Codec, Draft, Event, Message, Outbox, Outgoing};
use draftgate_drafts::RandomKeys;
use tokio::time::Instant;

use crate::{child::WATCHDOG, peer::ask};

/// Between two rounds.
const PAUSE: Duration = Duration::from_millis(20);

/// A client that comes anew and echoes, over and over, beside a connection
/// that stays and echoes.
pub(crate) struct Honest {
    /// Dropped, it is the word to stop.
    stop: mpsc::Sender<()>,
    thread: JoinHandle<Served>,
}

/// How long it waited at most.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Served {
    pub(crate) rounds: u32,
    /// For a connection, an opening handshake and an echo.
    pub(crate) fresh: Duration,
    /// For an echo on the connection that stays.
    pub(crate) lasting: Duration,
}

impl Honest {
    pub(crate) fn start(gateway: SocketAddr) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = thread::spawn(move || {
            let mut lasting = Client::open(gateway, Draft::Hixie76);
            let mut served = Served::default();
            loop {
                served.rounds += 1;
                let began = Instant::now();
                let mut fresh = Client::open(gateway, Draft::Hixie76);
                fresh.echo("fresh");
                served.fresh = served.fresh.max(began.elapsed());
                fresh.close();
                let began = Instant::now();
                lasting.echo("lasting");
                served.lasting = served.lasting.max(began.elapsed());
                if stopped.recv_timeout(PAUSE) != Err(RecvTimeoutError::Timeout) {
                    break;
                }
            }
            lasting.close();
            served
        });
        Self { stop, thread }
    }

    /// Ends it and tells how it was served.
    pub(crate) fn end(self) -> Served {
        drop(self.stop);
        self.thread.join().expect("the honest client was served")
    }
}

/// A blocking client of any draft.
pub(crate) struct Client {
    tcp: TcpStream,
    codec: Box<dyn Codec>,
    read: BytesMut,
    out: Outbox,
}

impl Client {
    pub(crate) fn open(gateway: SocketAddr, draft: Draft) -> Self {
        let mut tcp = TcpStream::connect(gateway).unwrap();
        tcp.set_nodelay(true).unwrap();
        tcp.set_read_timeout(Some(WATCHDOG)).unwrap();
        let host = gateway.to_string();
        let ask = ask(&host, "/echo", &[]);
        let mut offer = draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap();
        tcp.write_all(&offer.request).unwrap();
        let mut read = BytesMut::new();
        let connected = loop {
            if let Some(connected) = offer.pending.answer(&mut read).unwrap() {
                break connected;
            }
            more(&mut tcp, &mut read);
        };
        let mut client = Self {
            tcp,
            codec: connected.codec,
            read,
            out: Outbox::new(),
        };
        client.codec.start(&mut client.out);
        assert_eq!(client.event(), Event::Opened, "{draft}");
        client
    }

    pub(crate) fn echo(&mut self, text: &str) {
        self.say(Outgoing::Message(text.into()));
        loop {
            match self.event() {
                Event::Message(message) => {
                    assert_eq!(message, Message::from(text));
                    return;
                }
                Event::Close(close) => panic!("an honest client was closed: {close:?}"),
                _ => {}
            }
        }
    }

    /// Closes as the draft does, and waits for the end of TCP.
    pub(crate) fn close(mut self) {
        self.say(Outgoing::Close(None));
        let _ = self.tcp.shutdown(std::net::Shutdown::Write);
        let mut rest = Vec::new();
        let _ = self.tcp.read_to_end(&mut rest);
    }

    fn say(&mut self, what: Outgoing) {
        self.codec.send(what, &mut self.out).unwrap();
        self.tcp.write_all(&self.out.take_all()).unwrap();
    }

    fn event(&mut self) -> Event {
        loop {
            let event = self.codec.receive(&mut self.read, &mut self.out).unwrap();
            let answers = self.out.take_all();
            self.tcp.write_all(&answers).unwrap();
            if let Some(event) = event {
                return event;
            }
            more(&mut self.tcp, &mut self.read);
        }
    }
}

fn more(tcp: &mut TcpStream, read: &mut BytesMut) {
    let mut octets = [0; 4096];
    let count = tcp.read(&mut octets).expect("an honest client is answered");
    assert!(count > 0, "an honest client was cut off after {read:?}");
    read.extend_from_slice(&octets[..count]);
}
