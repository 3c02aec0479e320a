//! A thousand pairs of connections that end at a random octet of what one side
//! says, its opening included, by an RST or by the end of TCP, in every two
//! drafts. The other side is honest: it hears all that comes, and answers.

use std::net::SocketAddr;

use bytes::{Buf, BytesMut};
use draftgate_core::{Codec, Draft, Event, Limits, Outbox, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys,
    opening::{Ask, LengthFrames, Terms},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};

use crate::{
    common::{parsed, soon},
    stage::{Noise, Stage, frame, pairs, reset},
    vitals::{alone_on_threads, steady},
};

/// Of every two drafts: 36 times 28 are a thousand.
const CUTS: usize = 28;

/// Where one of the two ends, and how. It stands in the query of the request,
/// so that the upstream knows it, too.
#[derive(Debug, Clone, Copy)]
struct Cut {
    of_client: bool,
    by_reset: bool,
    /// Which part of its octets it says, in thousandths.
    at: usize,
}

impl Cut {
    fn random(noise: &mut Noise) -> Self {
        Self {
            of_client: noise.below(2) == 0,
            by_reset: noise.below(2) == 0,
            at: noise.below(1001),
        }
    }

    fn query(self) -> String {
        format!("{}-{}-{}", self.of_client, self.by_reset, self.at)
    }

    fn read(query: &str) -> Self {
        let parts: Vec<&str> = query.split('-').collect();
        Self {
            of_client: parts[0] == "true",
            by_reset: parts[1] == "true",
            at: parts[2].parse().unwrap(),
        }
    }

    /// Says as much of `octets` as it does, and ends.
    async fn off(self, mut tcp: TcpStream, octets: &[u8]) {
        let front = &octets[..octets.len() * self.at / 1000];
        let _ = soon("write", tcp.write_all(front)).await;
        match self.by_reset {
            true => reset(tcp),
            false => drop(tcp),
        }
    }
}

#[test]
fn a_thousand_pairs_cut_at_random_octets_leave_nothing() {
    alone_on_threads(async {
        let stage = Stage::new(|_| {}).await;
        // What clients say behind their openings, made once.
        let mut said = Vec::new();
        for (near, far) in pairs() {
            let (mut client, _upstream) = stage.open(near, far).await;
            let frames = [frame(&mut client, 10), frame(&mut client, 3000)].concat();
            said.push((near, far, frames));
        }
        let Stage {
            running,
            address,
            listener,
        } = stage;
        let serving = tokio::spawn(serve(listener));
        steady("cut", &running, async || {
            let mut noise = Noise(0x75_76_06_07);
            for (near, far, frames) in &said {
                let mut clients = JoinSet::new();
                for _ in 0..CUTS {
                    let cut = Cut::random(&mut noise);
                    clients.spawn(client(address, *near, *far, frames.clone(), cut));
                }
                let what = format!("{near} to {far}");
                while let Some(ended) = soon(&what, clients.join_next()).await {
                    ended.unwrap();
                }
            }
        })
        .await;
        serving.abort();
    });
}

async fn client(address: SocketAddr, near: Draft, far: Draft, frames: Vec<u8>, cut: Cut) {
    let resource = format!("/{far}/x?{}", cut.query());
    let host = address.to_string();
    let ask = Ask {
        secure: false,
        host: &host,
        resource: &resource,
        origin: Some("http://localhost"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let mut offer = draftgate_drafts::offer(near, &ask, &mut RandomKeys).unwrap();
    let octets = [&offer.request[..], &frames[..]].concat();
    let mut tcp = TcpStream::connect(address).await.unwrap();
    if cut.of_client {
        return cut.off(tcp, &octets).await;
    }
    let _ = soon("write", tcp.write_all(&octets)).await;
    let mut read = BytesMut::new();
    let connected = loop {
        match offer.pending.answer(&mut read) {
            Ok(Some(connected)) => break connected,
            Ok(None) => {}
            // Its upstream was cut inside its answer: it is refused.
            Err(_) => return until_the_end(tcp).await,
        }
        if !more(&mut tcp, &mut read).await {
            return;
        }
    };
    let (mut codec, mut out) = (connected.codec, Outbox::new());
    codec.start(&mut out);
    until_closed(tcp, codec, read).await;
}

async fn serve(listener: TcpListener) {
    loop {
        let (tcp, _) = listener.accept().await.unwrap();
        tokio::spawn(upstream(tcp));
    }
}

async fn upstream(mut tcp: TcpStream) {
    let mut read = BytesMut::new();
    let at = loop {
        match memchr::memmem::find(&read, b"\r\n\r\n") {
            Some(at) => break at + 4,
            None if more(&mut tcp, &mut read).await => {}
            None => return,
        }
    };
    let request = parsed(&read.split_to(at));
    let cut = Cut::read(request.uri.query().unwrap());
    let draft = draftgate_drafts::detect(&request, Detection::default()).unwrap();
    let host = request.headers["host"].to_str().unwrap();
    let terms = Terms {
        subprotocol: None,
        public_url: &format!("ws://{host}{}", request.uri),
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = draftgate_drafts::accept(draft, &request, &terms, &mut RandomKeys).unwrap();
    let (mut codec, mut out) = (accepted.codec, Outbox::new());
    out.put(&accepted.head.to_bytes());
    codec.start(&mut out);
    while codec.receive(&mut read, &mut out) != Ok(Some(Event::Opened)) {
        // The other side may wait for a HELLO.
        let _ = soon("write", tcp.write_all(&out.take_all())).await;
        if !more(&mut tcp, &mut read).await {
            return;
        }
    }
    for length in [10, 3000] {
        let text = Outgoing::Message("m".repeat(length).as_str().into());
        codec.send(text, &mut out).unwrap();
    }
    let octets = out.take_all();
    if !cut.of_client {
        return cut.off(tcp, &octets).await;
    }
    let _ = soon("write", tcp.write_all(&octets)).await;
    until_closed(tcp, codec, read).await;
}

/// Hears all that comes up to a Close, which is answered, or to the end.
async fn until_closed(mut tcp: TcpStream, mut codec: Box<dyn Codec>, mut read: BytesMut) {
    let mut out = Outbox::new();
    loop {
        match codec.receive(&mut read, &mut out) {
            Ok(Some(Event::Close(_))) => {
                let _ = codec.send(Outgoing::Close(None), &mut out);
                let _ = soon("write", tcp.write_all(&out.copy_to_bytes(out.len()))).await;
                return;
            }
            Ok(Some(_)) => {}
            Ok(None) if more(&mut tcp, &mut read).await => {}
            Ok(None) => return,
            Err(breach) => panic!("the gateway broke the draft: {breach:?}"),
        }
    }
}

async fn until_the_end(mut tcp: TcpStream) {
    let mut rest = Vec::new();
    let _ = soon("the end", tcp.read_to_end(&mut rest)).await;
}

async fn more(tcp: &mut TcpStream, read: &mut BytesMut) -> bool {
    matches!(soon("read", tcp.read_buf(read)).await, Ok(1..))
}
