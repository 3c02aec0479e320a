//! A running connection with both of its ends in the test's hands.

use std::sync::{Arc, Mutex};

use bytes::{Bytes, BytesMut};
use draftgate_conn::{Closed, Conn, Fate, Handler, Peer, Queued, Receipt, Sender, Settings, Start};
use draftgate_core::{Close, Message, Notice, Outgoing, Rule};
use draftgate_testkit::io::{Probe, Scripted, scripted};
use tokio::task::JoinHandle;

use crate::fake::Fake;

/// What the handler was told, in a few letters each.
pub(crate) type Told = Arc<Mutex<Vec<String>>>;

#[derive(Debug, Default)]
pub(crate) struct Recorder {
    pub(crate) told: Told,
    /// Send every message back.
    pub(crate) echo: bool,
    /// Answer the peer's Close with this.
    pub(crate) answer: Option<Close>,
}

impl Handler for Recorder {
    fn opened(&mut self, _: &mut Peer<'_>) {
        self.tell("opened".into());
    }

    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        match &message {
            Message::Text(text) if text.as_str() == "not base64" => peer.fail(Rule::NotBase64),
            Message::Text(text) if text.as_str() == "bye" => {
                peer.close(Some(Close::new(4001, "as you wish")));
            }
            _ => {}
        }
        self.tell(String::from_utf8_lossy(message.payload()).into_owned());
        if self.echo {
            peer.send(Outgoing::Message(message)).unwrap();
        }
    }

    fn pong(&mut self, body: Bytes, _: &mut Peer<'_>) {
        self.tell(format!("pong {}", String::from_utf8_lossy(&body)));
    }

    fn notice(&mut self, notice: Notice) {
        self.tell(format!("{notice:?}"));
    }

    fn closing(&mut self, close: Option<&Close>, peer: &mut Peer<'_>) {
        self.tell(format!("closing {:?}", close.map(|close| close.code)));
        if let Some(answer) = self.answer.take() {
            peer.close(Some(answer));
        }
    }
}

impl Recorder {
    fn tell(&self, what: String) {
        self.told.lock().unwrap().push(what);
    }
}

pub(crate) struct Rig {
    pub(crate) probe: Probe,
    pub(crate) sender: Sender,
    pub(crate) task: JoinHandle<Closed>,
    pub(crate) told: Told,
}

/// A connection that is not driven yet.
pub(crate) fn idle(codec: Fake, settings: Settings) -> (Conn<Scripted>, Probe) {
    let (io, probe) = scripted();
    (Conn::new(io, Start::new(codec.boxed()), settings), probe)
}

/// A running connection that echoes.
pub(crate) fn echo(codec: Fake, settings: Settings) -> Rig {
    let recorder = Recorder {
        echo: true,
        ..Recorder::default()
    };
    let (conn, probe) = idle(codec, settings);
    spawn(conn, probe, recorder)
}

/// A running connection that listens.
pub(crate) fn run(codec: Fake, settings: Settings) -> Rig {
    let (conn, probe) = idle(codec, settings);
    spawn(conn, probe, Recorder::default())
}

/// A running connection that has our `head` to send and has `received` some octets.
pub(crate) fn answer(codec: Fake, head: &'static [u8], received: &[u8]) -> Rig {
    let (io, probe) = scripted();
    let start = Start {
        codec: codec.boxed(),
        head: Some(Bytes::from_static(head)),
        received: BytesMut::from(received),
    };
    let conn = Conn::new(io, start, Settings::server());
    spawn(conn, probe, Recorder::default())
}

pub(crate) fn spawn(conn: Conn<Scripted>, probe: Probe, mut recorder: Recorder) -> Rig {
    let (sender, told) = (conn.sender(), Arc::clone(&recorder.told));
    let task = tokio::spawn(async move { conn.run(&mut recorder).await });
    Rig {
        probe,
        sender,
        task,
        told,
    }
}

impl Rig {
    /// What the handler was told so far.
    pub(crate) fn heard(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub(crate) async fn closed(self) -> Closed {
        self.task.await.unwrap()
    }
}

/// What became of each of some items, in the order it became so.
#[derive(Debug, Clone, Default)]
pub(crate) struct Book(Arc<Mutex<Vec<(u32, Fate)>>>);

struct Line(Book, u32);

impl Book {
    /// A message whose fate is booked under `name`.
    pub(crate) fn item(&self, name: u32, octets: usize) -> Queued {
        let message = Message::from("m".repeat(octets));
        Queued::from(message).with_receipt(Arc::new(Line(self.clone(), name)))
    }

    pub(crate) fn receipt(&self, name: u32) -> Arc<dyn Receipt> {
        Arc::new(Line(self.clone(), name))
    }

    pub(crate) fn fates(&self) -> Vec<(u32, Fate)> {
        self.0.lock().unwrap().clone()
    }
}

impl Receipt for Line {
    fn settled(&self, fate: Fate) {
        self.0.0.lock().unwrap().push((self.1, fate));
    }
}
