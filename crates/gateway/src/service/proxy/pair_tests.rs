//! The closing handshake of a pair under a paused clock: every draft in front
//! of every draft, with the drafts' own codecs over scripted transports, whose
//! other ends are codecs, too.

use std::{sync::Arc, time::Duration};

use bytes::{Bytes, BytesMut};
use draftgate_conn::{Conn, Sender, Settings, Spoken, Start};
use draftgate_core::{Close, Closing, Codec, Draft, Event, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys,
    opening::{Accepted, Ask, LengthFrames, Offer, Terms},
};
use draftgate_testkit::io::{Probe, Scripted, scripted, settle};
use draftgate_translate::{Policy, Side};
use http::request::Parts;
use tokio::{
    task::JoinHandle,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{Half, Other};
use crate::{
    config::{self, Route, Timeouts},
    service::{Proxy, Tally},
    tasks::Tasks,
};

/// One end of the pair, in the test's hands.
struct End {
    codec: Box<dyn Codec>,
    probe: Probe,
    read: BytesMut,
    conn: JoinHandle<()>,
}

impl End {
    fn closing(&self) -> Closing {
        self.codec.capabilities().closing
    }

    fn say(&mut self, what: Outgoing) {
        let mut out = Outbox::new();
        self.codec.send(what, &mut out).unwrap();
        self.probe.feed(&out.take_all());
    }

    /// Closes; where the draft has only the end of TCP for that, so.
    fn close(&mut self, code: u16) {
        let close = coded(self.closing(), code);
        self.say(Outgoing::Close(close));
        if self.closing() == Closing::Absent {
            self.probe.end();
        }
    }

    /// What has come.
    fn heard(&mut self) -> Vec<Event> {
        self.read.extend_from_slice(&self.probe.written());
        let mut out = Outbox::new();
        let mut events = Vec::new();
        while let Some(event) = self.codec.receive(&mut self.read, &mut out).unwrap() {
            events.push(event);
        }
        events
    }

    /// The end of both halves.
    async fn over(self) {
        self.probe.end();
        self.conn.await.unwrap();
    }
}

/// A Close of `code`, where there are codes.
fn coded(closing: Closing, code: u16) -> Option<Close> {
    (closing == Closing::Coded).then(|| Close::new(code, ""))
}

fn offer(draft: Draft) -> Offer {
    let ask = Ask {
        secure: false,
        host: "a",
        resource: "/",
        origin: Some("http://a"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap()
}

/// The answer, and what stands behind the request's head.
fn accept(request: &[u8]) -> (Accepted, BytesMut) {
    let at = memchr::memmem::find(request, b"\r\n\r\n").unwrap() + 4;
    let parts = parsed(&request[..at]);
    let draft = draftgate_drafts::detect(&parts, Detection::default()).unwrap();
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://a/",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = draftgate_drafts::accept(draft, &parts, &terms, &mut RandomKeys).unwrap();
    (accepted, BytesMut::from(&request[at..]))
}

fn parsed(head: &[u8]) -> Parts {
    let head = std::str::from_utf8(head).unwrap();
    let fields = head
        .split("\r\n")
        .skip(1)
        .filter_map(|line| line.split_once(':'));
    let request = fields.fold(http::Request::get("/"), |request, (name, value)| {
        request.header(name, value.trim())
    });
    request.body(()).unwrap().into_parts().0
}

fn half(side: Side, sender: Sender, codec: &dyn Codec) -> Half {
    let other = Other {
        sender,
        opened: Spoken {
            draft: codec.draft(),
            capabilities: codec.capabilities(),
        },
        policy: Policy::default(),
    };
    Half::new(side, "c1".into(), other, false, Arc::new(Tally::default()))
}

/// A client of `near`, and its upstream of `far`, both open.
async fn pair(near: Draft, far: Draft) -> (End, End) {
    // The time that these tests wait for is the close timeout's.
    pair_that(near, far, |settings| Settings {
        keep_alive: None,
        idle_timeout: None,
        ..settings
    })
    .await
}

async fn pair_that(near: Draft, far: Draft, settings: impl Fn(Settings) -> Settings) -> (End, End) {
    // The upstream: its codec is the server's, ours the client's.
    let mut offered = offer(far);
    let (accepted, mut read) = accept(&offered.request);
    let (mut server, mut answer) = (accepted.codec, Outbox::new());
    answer.put(&accepted.head.to_bytes());
    server.start(&mut answer);
    let mut far_opened = server.receive(&mut read, &mut answer).unwrap();
    let mut received = BytesMut::from(&answer.take_all()[..]);
    let ours = offered
        .pending
        .answer(&mut received)
        .unwrap()
        .unwrap()
        .codec;
    let route = Route::new("/".parse().unwrap(), config::Service::Proxy, vec![near]);
    let upstream = config::Upstream::new(Vec::new());
    let proxy = Proxy::new(&route, &upstream, Tasks::new(CancellationToken::new())).unwrap();
    let settings_beyond = settings(proxy.driven_for(&Timeouts::default()));
    let (beyond, far_probe, to_far) = conn(ours, received, settings_beyond);

    // The client: its codec is the client's, ours the server's.
    let mut offered = offer(near);
    let (accepted, received) = accept(&offered.request);
    let (front, near_probe, to_near) = conn(accepted.codec, received, settings(Settings::server()));

    let mut to_upstream = half(Side::Client, beyond.sender(), to_far.as_ref());
    let mut to_client = half(Side::Upstream, front.sender(), to_near.as_ref());
    let front = tokio::spawn(async move {
        front.run(&mut to_upstream).await;
    });
    let beyond = tokio::spawn(async move {
        beyond.run(&mut to_client).await;
    });
    settle().await;
    if far_opened.is_none() {
        read.extend_from_slice(&far_probe.written());
        far_opened = server.receive(&mut read, &mut Outbox::new()).unwrap();
    }
    assert_eq!(far_opened, Some(Event::Opened));
    let mut answer = BytesMut::from(&accepted.head.to_bytes()[..]);
    answer.extend_from_slice(&near_probe.written());
    let mut client = offered.pending.answer(&mut answer).unwrap().unwrap().codec;
    let mut out = Outbox::new();
    client.start(&mut out);
    let near_opened = client.receive(&mut answer, &mut out).unwrap();
    assert_eq!(near_opened, Some(Event::Opened));
    near_probe.feed(&out.take_all());
    settle().await;
    let client = End {
        codec: client,
        probe: near_probe,
        read: answer,
        conn: front,
    };
    let upstream = End {
        codec: server,
        probe: far_probe,
        read: BytesMut::new(),
        conn: beyond,
    };
    (client, upstream)
}

/// A codec of the same draft stands for what it can.
fn conn(
    codec: Box<dyn Codec>,
    received: BytesMut,
    settings: Settings,
) -> (Conn<Scripted>, Probe, Box<dyn Codec>) {
    let same = accept(&offer(codec.draft()).request).0.codec;
    let (io, probe) = scripted();
    let start = Start {
        codec,
        head: None,
        received,
    };
    (Conn::new(io, start, settings), probe, same)
}

fn pairs() -> impl Iterator<Item = (Draft, Draft)> {
    draftgate_drafts::announced()
        .flat_map(|near| draftgate_drafts::announced().map(move |far| (near, far)))
}

fn closes(events: &[Event]) -> Vec<Option<Close>> {
    let closes = events.iter().filter_map(|event| match event {
        Event::Close(close) => Some(close.clone()),
        _ => None,
    });
    closes.collect()
}

#[tokio::test(start_paused = true)]
async fn an_upstream_may_be_silent_for_4_s_before_its_last_words() {
    for (near, far) in pairs() {
        let what = format!("{near}, {far}");
        let (mut client, mut upstream) = pair(near, far).await;
        if client.closing() == Closing::Absent || upstream.closing() == Closing::Absent {
            continue;
        }
        client.close(4001);
        sleep(Duration::from_secs(4)).await;
        assert_eq!(client.heard(), [], "{what}");
        assert_eq!(closes(&upstream.heard()).len(), 1, "{what}");
        for n in 0..100 {
            upstream.say(Outgoing::Message(n.to_string().as_str().into()));
        }
        upstream.close(4002);
        settle().await;
        let heard = client.heard();
        assert_eq!(heard.len(), 101, "{what}: {:?}", heard.last());
        for (n, event) in heard[..100].iter().enumerate() {
            let said = Message::from(n.to_string().as_str());
            assert_eq!(*event, Event::Message(said), "{what}");
        }
        let told = match upstream.closing() {
            Closing::Coded => coded(client.closing(), 4002),
            _ => coded(client.closing(), 4001),
        };
        assert_eq!(closes(&heard), [told], "{what}");
        client.over().await;
        upstream.over().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_is_answered_after_5_s_if_its_upstream_is_not_heard_of() {
    for (near, far) in pairs() {
        let what = format!("{near}, {far}");
        let (mut client, upstream) = pair(near, far).await;
        if client.closing() == Closing::Absent {
            continue;
        }
        let begun = Instant::now();
        client.close(4001);
        let mut heard = Vec::new();
        while heard.is_empty() {
            sleep(Duration::from_millis(100)).await;
            heard = client.heard();
        }
        // In hixie-75 the end of our half is all that is to be said.
        let seconds = match upstream.closing() {
            Closing::Absent => 0.0,
            _ => 5.0,
        };
        assert_eq!(begun.elapsed().as_secs_f64().round(), seconds, "{what}");
        assert_eq!(closes(&heard), [coded(client.closing(), 4001)], "{what}");
        client.over().await;
        // Without a word from it: it is left alone.
        let probe = upstream.probe.clone();
        upstream.conn.await.unwrap();
        assert!(probe.is_dropped(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_upstream_is_answered_though_its_client_never_answers() {
    for (near, far) in pairs() {
        let what = format!("{near}, {far}");
        let (client, mut upstream) = pair(near, far).await;
        if upstream.closing() == Closing::Absent {
            continue;
        }
        let begun = Instant::now();
        upstream.close(4003);
        let mut heard = Vec::new();
        while heard.is_empty() {
            sleep(Duration::from_millis(100)).await;
            heard = upstream.heard();
        }
        let seconds = match client.closing() {
            Closing::Absent => 0.0,
            Closing::Marker => 2.0,
            _ => 5.0,
        };
        assert_eq!(begun.elapsed().as_secs_f64().round(), seconds, "{what}");
        assert_eq!(closes(&heard), [coded(upstream.closing(), 4003)], "{what}");
        upstream.over().await;
        let probe = client.probe.clone();
        client.conn.await.unwrap();
        assert!(probe.is_dropped(), "{what}");
    }
}

#[tokio::test(start_paused = true)]
async fn pings_are_each_connections_own() {
    let has_ping = |end: &End| end.codec.capabilities().ping;
    for (near, far) in pairs() {
        let what = format!("{near}, {far}");
        let (mut client, mut upstream) = pair_that(near, far, |settings| settings).await;
        for body in ["near", "far"] {
            let (from, to) = match body {
                "near" => (&mut client, &mut upstream),
                _ => (&mut upstream, &mut client),
            };
            if has_ping(from) {
                from.say(Outgoing::Ping(body.into()));
                settle().await;
                assert_eq!(from.heard(), [Event::Pong(body.into())], "{what}");
                assert_eq!(to.heard(), [], "{what}");
            }
        }
        // The gateway's own come after 25 s and after 50 s.
        for (seconds, end) in [(25, &mut client), (25, &mut upstream)] {
            sleep(Duration::from_secs(seconds)).await;
            let ping = Event::Ping(Bytes::new());
            let want = if has_ping(end) { vec![ping] } else { vec![] };
            assert_eq!(end.heard(), want, "{what}");
        }
        // What answers them goes no further either.
        assert!(client.heard().iter().all(|it| matches!(it, Event::Ping(_))));
        client.conn.abort();
        upstream.conn.abort();
    }
}
