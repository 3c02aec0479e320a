//! Rates and expiry under a paused clock, in every draft.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use bytes::BytesMut;
use draftgate_conn::{Closed, Conn, Settings, Start};
use draftgate_core::{Codec, Event, Limits, Outbox, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys,
    opening::{Ask, LengthFrames, Terms},
};
use draftgate_testkit::io::{Probe, scripted, settle};
use tokio::{task::JoinHandle, time::sleep};

use super::*;

/// Counts what comes.
struct Counts(Arc<AtomicU64>);

impl Handler for Counts {
    fn message(&mut self, _: Message, _: &mut Peer<'_>) {
        self.0.fetch_add(1, Relaxed);
    }
}

/// A client of a gateway's connection.
struct Stage {
    codec: Box<dyn Codec>,
    probe: Probe,
    heard: Arc<AtomicU64>,
    conn: JoinHandle<Closed>,
}

impl Stage {
    /// A client in `draft`, whose messages go at `rate`, for so long.
    async fn new(draft: Draft, rate: Option<Rate>, lasts: Option<Duration>) -> Self {
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
        let mut offer = draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap();
        let at = memchr::memmem::find(&offer.request, b"\r\n\r\n").unwrap() + 4;
        let head = std::str::from_utf8(&offer.request[..at]).unwrap();
        let fields = head.split("\r\n").skip(1);
        let fields = fields.filter_map(|line| line.split_once(':'));
        let request = fields.fold(http::Request::get("/"), |request, (name, value)| {
            request.header(name, value.trim())
        });
        let parts = request.body(()).unwrap().into_parts().0;
        assert_eq!(
            draftgate_drafts::detect(&parts, Detection::default()),
            Ok(draft)
        );
        let terms = Terms {
            subprotocol: None,
            public_url: "ws://a/",
            limits: Limits::default(),
            length_frames: LengthFrames::default(),
            extension: None,
        };
        let accepted = draftgate_drafts::accept(draft, &parts, &terms, &mut RandomKeys).unwrap();
        let (io, probe) = scripted();
        let start = Start {
            head: Some(accepted.head.to_bytes()),
            received: BytesMut::from(&offer.request[at..]),
            ..Start::new(accepted.codec)
        };
        let capabilities = start.codec.capabilities();
        let settings = Settings {
            keep_alive: Some(Duration::from_secs(3)),
            idle_timeout: None,
            ..Settings::server()
        };
        let conn = Conn::new(io, start, settings);
        let heard = Arc::new(AtomicU64::new(0));
        let counts: Box<dyn Handler> = Box::new(Counts(Arc::clone(&heard)));
        let told = Told {
            id: "c1".into(),
            tally: Arc::default(),
            all: Arc::default(),
        };
        let mut session = match rate {
            Some(rate) => Box::new(Paced::new(counts, &rate, told)),
            None => counts,
        };
        let expires = lasts.map(|lasts| Until {
            at: Instant::now() + lasts,
            sender: conn.sender(),
            capabilities,
            draft,
        });
        let conn = tokio::spawn(async move {
            let run = conn.run(&mut *session);
            match expires {
                Some(expires) => until(expires, Box::pin(run)).await,
                None => run.await,
            }
        });
        settle().await;
        let mut answer = BytesMut::from(&probe.written()[..]);
        let connected = offer.pending.answer(&mut answer).unwrap().unwrap();
        let mut codec = connected.codec;
        let mut out = Outbox::new();
        codec.start(&mut out);
        assert_eq!(
            codec.receive(&mut answer, &mut out),
            Ok(Some(Event::Opened))
        );
        // A HELLO, in the draft that has one.
        probe.feed(&out.take_all());
        settle().await;
        Self {
            codec,
            probe,
            heard,
            conn,
        }
    }

    fn say(&mut self, text: &str) {
        let mut out = Outbox::new();
        let message = Outgoing::Message(Message::from(text));
        self.codec.send(message, &mut out).unwrap();
        self.probe.feed(&out.take_all());
    }

    /// What the gateway has said since.
    fn events(&mut self) -> Vec<Event> {
        let mut read = BytesMut::from(&self.probe.written()[..]);
        let mut out = Outbox::new();
        let mut events = Vec::new();
        while let Some(event) = self.codec.receive(&mut read, &mut out).unwrap() {
            events.push(event);
        }
        events
    }
}

/// What happens in no time takes a millisecond or two here.
const LITTLE: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn who_sends_too_fast_is_read_at_his_rate_and_pinged_all_the_same() {
    for draft in draftgate_drafts::announced() {
        let rate = Rate {
            per_second: 2,
            burst: 3,
            excess: Excess::Wait,
        };
        let mut stage = Stage::new(draft, Some(rate), None).await;
        let begun = Instant::now();
        for _ in 0..20 {
            stage.say("hello");
        }
        settle().await;
        assert_eq!(stage.heard.load(Relaxed), 3, "{draft}");
        let mut pings = 0;
        for half in 1..=17 {
            let due = begun + Duration::from_millis(500) * half;
            sleep_until(due - LITTLE).await;
            assert_eq!(stage.heard.load(Relaxed), u64::from(2 + half), "{draft}");
            sleep_until(due + LITTLE).await;
            assert_eq!(stage.heard.load(Relaxed), u64::from(3 + half), "{draft}");
            let events = stage.events();
            pings += events
                .iter()
                .filter(|it| matches!(it, Event::Ping(_)))
                .count();
        }
        if draftgate_drafts::has_ping(draft) {
            assert!(pings > 0, "{draft}: nobody was pinged in 8.5 s");
        }
        stage.probe.end();
        stage.conn.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_close_of_ours_goes_out_while_messages_wait() {
    for draft in draftgate_drafts::announced() {
        let rate = Rate {
            per_second: 1,
            burst: 1,
            excess: Excess::Wait,
        };
        let mut stage = Stage::new(draft, Some(rate), Some(Duration::from_secs(2))).await;
        for _ in 0..1000 {
            stage.say("hello");
        }
        sleep(Duration::from_secs(2)).await;
        let closes = |event: &Event| matches!(event, Event::Close(_));
        if stage.codec.capabilities().closing != draftgate_core::Closing::Absent {
            assert!(stage.events().iter().any(closes), "{draft}");
        }
        // Nobody answers it: the close timeout ends that, and not 1000 s.
        let begun = Instant::now();
        stage.probe.end();
        stage.conn.await.unwrap();
        assert!(begun.elapsed() <= Duration::from_secs(10), "{draft}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_connection_lasts_as_long_as_its_token_and_no_longer() {
    for draft in draftgate_drafts::announced() {
        let begun = Instant::now();
        let minute = Duration::from_secs(60);
        let mut stage = Stage::new(draft, None, Some(minute)).await;
        sleep_until(begun + minute - LITTLE).await;
        stage.say("hello");
        settle().await;
        assert_eq!(stage.heard.load(Relaxed), 1, "{draft}");
        assert!(!stage.conn.is_finished(), "{draft}");
        sleep_until(begun + minute + LITTLE).await;
        stage.probe.end();
        let closed = stage.conn.await.unwrap();
        let told = Close::nearest_code(Close::POLICY, draft);
        assert!(
            closed.code == told || closed.code == Some(Close::POLICY),
            "{draft} {closed:?}"
        );
    }
}
