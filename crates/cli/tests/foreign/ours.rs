//! Our client role as a library, on a blocking socket: what `draftgate connect`
//! cannot be told to say (binary, pings, a code of one's own choice). The codec
//! alone, without the driver, which `draftgate connect` has.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::BytesMut;
use draftgate_core::{Codec, Draft, Event, Limits, Outbox, Outgoing};
use draftgate_drafts::RandomKeys;
use draftgate_drafts::opening::{Ask, LengthFrames, Offer, Refusal};

/// The watchdog.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) struct Ours {
    stream: TcpStream,
    codec: Box<dyn Codec>,
    received: BytesMut,
    out: Outbox,
}

/// What to write first, and who reads the answer.
pub(crate) fn offer(draft: Draft, host: &str, resource: &str, subprotocols: &[&str]) -> Offer {
    let origin = format!("http://{host}");
    let ask = Ask {
        secure: false,
        host,
        resource,
        origin: draftgate_drafts::demands_origin(draft).then_some(origin.as_str()),
        subprotocols,
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap()
}

impl Ours {
    /// Connects to `host` in `draft`; the server must agree to `subprotocol`. What is
    /// refused of its answer is for the caller to judge.
    pub(crate) fn open(
        draft: Draft,
        host: &str,
        subprotocol: Option<&str>,
    ) -> Result<Self, Refusal> {
        let subprotocols: Vec<&str> = subprotocol.into_iter().collect();
        let Offer {
            request,
            mut pending,
        } = offer(draft, host, "/echo", &subprotocols);
        let mut stream = TcpStream::connect(host).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(&request).unwrap();
        let mut received = BytesMut::new();
        let connected = loop {
            read(&mut stream, &mut received);
            if let Some(connected) = pending.answer(&mut received)? {
                break connected;
            }
        };
        assert_eq!(connected.subprotocol.as_deref(), subprotocol);
        let mut ours = Self {
            stream,
            codec: connected.codec,
            received,
            out: Outbox::new(),
        };
        ours.codec.start(&mut ours.out);
        assert_eq!(ours.hear(), Event::Opened);
        Ok(ours)
    }

    pub(crate) fn say(&mut self, what: Outgoing) {
        self.codec.send(what, &mut self.out).unwrap();
        self.flush();
    }

    /// The next event.
    pub(crate) fn hear(&mut self) -> Event {
        loop {
            let event = self.codec.receive(&mut self.received, &mut self.out);
            self.flush();
            match event.unwrap() {
                Some(event) => return event,
                None => read(&mut self.stream, &mut self.received),
            }
        }
    }

    /// Waits for the server to end TCP, as is its part, and ends it too.
    pub(crate) fn end(mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
    }

    fn flush(&mut self) {
        self.stream.write_all(&self.out.take_all()).unwrap();
    }
}

fn read(stream: &mut TcpStream, received: &mut BytesMut) {
    let mut octets = [0; 16 << 10];
    let count = stream.read(&mut octets).unwrap();
    assert_ne!(count, 0, "the server ended the connection too early");
    received.extend_from_slice(&octets[..count]);
}
