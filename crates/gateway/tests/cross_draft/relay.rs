//! The same cells through a proxy: each draft in front of each draft, what
//! either side says and how either side ends, over sockets on both sides. One
//! gateway for a policy, with a route to each draft, and one upstream, which is
//! this test and knows no codec behind the opening.

use draftgate_client::Drafts;
use draftgate_core::{Close, Draft, Traits};
use draftgate_gateway::{
    Running,
    config::{self, BinaryPolicy, Route},
};
use draftgate_translate::{
    Side,
    table::{Arrival, Case, Ending, PING, Parted, Parting, REASON, Reply, declared, parted},
};
use tokio::net::TcpListener;

use crate::{
    common::{config, gateway, until},
    endings::nearest,
    octets::{self, LIMIT},
    peer::Peer,
    scene::message,
};

#[test]
fn how_a_pair_ends_is_declared_as_it_was_decided_on() {
    for parting in Parting::all() {
        for side in [Side::Client, Side::Upstream] {
            for from in draftgate_drafts::traits() {
                for to in draftgate_drafts::traits() {
                    assert_eq!(
                        parted(parting, side, &from, &to),
                        wanted(parting, side, from.draft, to.draft),
                        "{parting}: {side:?}, {} to {}",
                        from.draft,
                        to.draft
                    );
                }
            }
        }
    }
}

/// Written down a second time, by the drafts' names.
fn wanted(parting: Parting, side: Side, from: Draft, to: Draft) -> Option<Parted> {
    use Draft::{Hixie75, Hixie76, Hybi05, Hybi06, Hybi08, Hybi13};
    let end = |draft, close: Option<Close>| match draft {
        Hixie75 => Ending::Tcp,
        Hixie76 => Ending::Marker,
        Hybi05 => Ending::Letter,
        old if old < Hybi06 => Ending::Frame(None),
        _ => Ending::Frame(close),
    };
    let told =
        |code: u16, reason: &str| end(to, nearest(code, to).map(|code| Close::new(code, reason)));
    let lost = match side {
        Side::Client => told(1006, "the client is gone"),
        Side::Upstream => told(1006, "the upstream is gone"),
    };
    let broke = |code: u16, reason: &str| {
        let other = match side {
            Side::Client => lost.clone(),
            Side::Upstream => told(1011, "the upstream broke its draft"),
        };
        let back = Some(end(from, Some(Close::new(code, reason))));
        Some(Parted { other, back })
    };
    match parting {
        Parting::Code(_) if from < Hybi06 => None,
        Parting::Code(code) if nearest(code, from) != Some(code) => None,
        Parting::Code(code) => {
            let there = match to {
                old if old < Hybi06 => code,
                _ => nearest(code, to).unwrap(),
            };
            let again = nearest(there, from).unwrap();
            Some(Parted {
                other: told(code, REASON),
                back: Some(end(from, Some(Close::new(again, "")))),
            })
        }
        Parting::NoCode => Some(Parted {
            other: match from {
                old if Hixie76 <= old && old < Hybi06 => told(1000, ""),
                _ => end(to, None),
            },
            back: Some(end(from, None)),
        }),
        Parting::Fin if from == Hixie75 => None,
        Parting::Fin => Some(Parted {
            other: lost,
            back: Some(Ending::Tcp),
        }),
        Parting::Rst => Some(Parted {
            other: lost,
            back: None,
        }),
        Parting::NotUtf8 if from < Hybi08 => None,
        Parting::NotUtf8 => broke(1007, "a text message is not UTF-8"),
        Parting::TooBig => {
            let code = if from < Hybi13 { 1004 } else { 1009 };
            broke(code, "the message is larger than the limit for messages")
        }
    }
}

/// A gateway in front of an upstream.
struct Stage {
    policy: BinaryPolicy,
    running: Running,
    listener: TcpListener,
}

/// Both sides of a relayed connection.
struct Pair {
    near: Peer,
    far: Peer,
}

impl Stage {
    async fn new(policy: BinaryPolicy) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let mut config = config();
        config.routes.clear();
        for far in draftgate_drafts::spoken() {
            for taken in [false, true] {
                let address = format!("ws://{at}").parse().unwrap();
                let path = format!("{}{{rest}}", path(far, taken)).parse().unwrap();
                let near = draftgate_drafts::spoken().collect();
                let mut route = Route::new(path, config::Service::Proxy, near);
                let mut upstream = config::Upstream::new(vec![address]);
                upstream.drafts = Drafts::Named(vec![far]);
                route.upstream = Some(Box::new(upstream));
                route.origins = config::Origins::any();
                route.binary = policy;
                route.accept_length_frames = taken;
                route.limits.message = LIMIT as u64;
                route.limits.frame = 2 * LIMIT as u64;
                config.routes.push(route);
            }
        }
        let (running, _) = gateway(config);
        Self {
            policy,
            running,
            listener,
        }
    }

    async fn open(&self, near: Draft, far: Draft, taken: bool) -> Pair {
        let path = format!("{}x", path(far, taken));
        let address = self.running.addrs()[0];
        let (near, far) = tokio::join!(
            Peer::open(address, near, &path),
            Peer::accept(&self.listener, far)
        );
        Pair { near, far }
    }

    /// What either side says, each draft to each draft.
    async fn messages(self, cases: &[Case]) {
        for near in draftgate_drafts::traits() {
            for far in draftgate_drafts::traits() {
                for taken in [false, true] {
                    let mut pair = self.open(near.draft, far.draft, taken).await;
                    for &case in cases {
                        if taken != (case == Case::LengthFrameAccepted) {
                            continue;
                        }
                        for (from, to, upwards) in [(near, far, true), (far, near, false)] {
                            if self.say(case, &from, &to, upwards, &mut pair).await {
                                pair = self.open(near.draft, far.draft, taken).await;
                            }
                        }
                    }
                    pair.leave().await;
                }
            }
        }
        self.end().await;
    }

    /// One side says `case`, and one thing more. Whether that ended the pair.
    async fn say(
        &self,
        case: Case,
        from: &Traits,
        to: &Traits,
        upwards: bool,
        pair: &mut Pair,
    ) -> bool {
        let what = format!(
            "{case:?} from {} to {}, {}",
            from.draft, to.draft, self.policy
        );
        let what = format!("{what}, {}", if upwards { "upwards" } else { "downwards" });
        let cell = declared(case, from, to, self.policy);
        let (a, b) = match upwards {
            true => (&mut pair.near, &mut pair.far),
            false => (&mut pair.far, &mut pair.near),
        };
        let Some(said) = octets::of(a.role, case, from.draft) else {
            assert_eq!(cell.reply, Reply::Unsayable, "{what}");
            return false;
        };
        if matches!(cell.reply, Reply::Failed { .. }) {
            // A breach, in this draft: one of the partings.
            return false;
        }
        // Both at once: neither end may wait for the other to read.
        let mark = format!("behind {case:?}");
        let writing = async {
            a.write(said).await;
            a.say(&mark).await;
            a
        };
        let wanted = match &cell.arrival {
            Arrival::Message(change) => message(case, *change, to.draft),
            Arrival::Nothing | Arrival::Dropped(_) => Vec::new(),
            Arrival::Closed(told) => octets::ending_to(b.role, told, to.draft),
        };
        let reading = async {
            b.hears(&wanted, &what).await;
            b
        };
        let (a, b) = tokio::join!(writing, reading);
        if let Arrival::Closed(told) = &cell.arrival {
            // Both are told, each in the words that its draft has.
            let reason = "a binary message came, which this draft cannot carry";
            let back = Ending::told(Some(Close::new(1003, reason)), from);
            b.part(told, &what).await;
            a.hears(&octets::ending_to(a.role, &back, from.draft), &what)
                .await;
            a.part(&back, &what).await;
            return true;
        }
        b.hears(&octets::text_to(mark.as_bytes(), to.draft), &what)
            .await;
        if cell.reply == Reply::Pong {
            let pong = octets::pong_to(PING, from.draft);
            a.hears(&pong, &what).await;
        }
        // Nothing came back: what the other says next is the next that is heard.
        b.say("back").await;
        a.hears(&octets::text_to(b"back", from.draft), &what).await;
        false
    }

    /// How either side ends, each draft before each draft.
    async fn partings(self, side: Side) {
        let mut cells = 0;
        for near in draftgate_drafts::traits() {
            for far in draftgate_drafts::traits() {
                let (from, to) = match side {
                    Side::Client => (near, far),
                    Side::Upstream => (far, near),
                };
                for parting in Parting::all() {
                    if let Some(parted) = parted(parting, side, &from, &to) {
                        let pair = self.open(near.draft, far.draft, false).await;
                        let what = format!("{side:?} {parting}, {} to {}", from.draft, to.draft);
                        pair.end(side, parting, parted, &what).await;
                        cells += 1;
                    }
                }
            }
        }
        assert!(cells > 300, "{cells}");
        self.end().await;
    }

    async fn end(self) {
        until("all have left", || {
            let counts = self.running.counts();
            counts.connections == 0 && counts.upstream == 0
        })
        .await;
        self.running.shutdown().await;
    }
}

fn path(far: Draft, taken: bool) -> String {
    format!("/{far}/{}/", if taken { "taken" } else { "plain" })
}

impl Pair {
    async fn leave(mut self) {
        self.near.shut().await;
        self.far.shut().await;
    }

    /// `side` ends like that; the other is told, answers, and all is over.
    async fn end(self, side: Side, parting: Parting, parted: Parted, what: &str) {
        let (mut a, mut b) = match side {
            Side::Client => (self.near, self.far),
            Side::Upstream => (self.far, self.near),
        };
        a.say("last").await;
        let (role, draft) = (a.role, a.draft);
        let said = match parting {
            Parting::Code(code) => octets::close_of(role, Some((code, REASON)), draft),
            Parting::NoCode => octets::close_of(role, None, draft),
            Parting::Fin | Parting::Rst => Vec::new(),
            Parting::NotUtf8 => octets::of(role, Case::NotUtf8, draft).unwrap().to_vec(),
            Parting::TooBig => octets::of(role, Case::TooBig, draft).unwrap().to_vec(),
        };
        // What was said before an RST may go with it: it is heard first.
        b.hears(&octets::text_to(b"last", b.draft), what).await;
        if parting == Parting::Rst {
            a.reset();
            b.hears(&octets::ending_to(b.role, &parted.other, b.draft), what)
                .await;
            return b.part(&parted.other, what).await;
        }
        a.write(&said).await;
        if parting == Parting::Fin || (parting == Parting::NoCode && draft == Draft::Hixie75) {
            a.shut().await;
        }
        b.hears(&octets::ending_to(b.role, &parted.other, b.draft), what)
            .await;
        b.part(&parted.other, what).await;
        let back = parted.back.unwrap();
        if back != Ending::Tcp {
            a.hears(&octets::ending_to(role, &back, draft), what).await;
        }
        a.leave(what).await;
    }
}

impl Peer {
    /// It was told `ending`: answers as most do, with the code, and ends.
    async fn part(&mut self, ending: &Ending, what: &str) {
        let answer = match ending {
            // Before that it would be its own doing.
            Ending::Tcp => return self.ends_and_leaves(what).await,
            Ending::Frame(Some(close)) => {
                octets::close_of(self.role, Some((close.code, "")), self.draft)
            }
            _ => octets::close_of(self.role, None, self.draft),
        };
        self.answer(&answer).await;
        self.leave(what).await;
    }

    async fn ends_and_leaves(&mut self, what: &str) {
        self.ends(what).await;
        self.hang_up().await;
    }

    /// Ends TCP; nothing more came.
    async fn leave(&mut self, what: &str) {
        self.hang_up().await;
        self.ends(what).await;
    }
}

/// Every message in both directions between every two drafts, but for the
/// longest, whose octets are the same under every policy.
async fn every_message_under(policy: BinaryPolicy) {
    let said = |case: &Case| {
        !matches!(
            case,
            Case::HugeText
                | Case::HugeBinary
                | Case::CloseWithCode
                | Case::CloseWithoutCode
                | Case::TooBig
        )
    };
    let cases: Vec<Case> = Case::ALL.into_iter().filter(said).collect();
    Stage::new(policy).await.messages(&cases).await;
}

#[tokio::test]
async fn every_message_through_a_proxy_where_binary_is_base64() {
    every_message_under(BinaryPolicy::Base64).await;
}

#[tokio::test]
async fn every_message_through_a_proxy_where_binary_is_text_if_it_can_be() {
    every_message_under(BinaryPolicy::TextIfUtf8).await;
}

#[tokio::test]
async fn every_message_through_a_proxy_where_binary_is_hex() {
    every_message_under(BinaryPolicy::Hex).await;
}

#[tokio::test]
async fn every_message_through_a_proxy_where_binary_has_a_length() {
    every_message_under(BinaryPolicy::LengthFrame).await;
}

#[tokio::test]
async fn every_message_through_a_proxy_where_binary_is_dropped() {
    every_message_under(BinaryPolicy::Drop).await;
}

#[tokio::test]
async fn every_message_through_a_proxy_where_binary_closes() {
    every_message_under(BinaryPolicy::Close).await;
}

#[tokio::test]
async fn two_megabytes_through_a_proxy_in_both_directions() {
    let stage = Stage::new(BinaryPolicy::LengthFrame).await;
    stage.messages(&[Case::HugeText, Case::HugeBinary]).await;
}

#[tokio::test]
async fn every_end_of_a_client_reaches_its_upstream() {
    Stage::new(BinaryPolicy::Drop)
        .await
        .partings(Side::Client)
        .await;
}

#[tokio::test]
async fn every_end_of_an_upstream_reaches_its_client() {
    let stage = Stage::new(BinaryPolicy::Drop).await;
    stage.partings(Side::Upstream).await;
}
