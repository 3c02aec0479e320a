//! An upstream: which of its addresses is next, and what is done where it does
//! not answer.
//!
//! Only connections that fail before the server's answer are made anew
//! elsewhere. An answer of HTTP is an answer, be it 503: whoever is behind the
//! address has been asked, and may have done something.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use draftgate_client::{
    Answered, Client, ConnectError, Connection, Options, Request, Stream, TlsFailure,
};
use draftgate_core::Draft;
use draftgate_drafts::opening::Refusal;
use tokio::{
    sync::Mutex,
    time::{Instant, sleep},
};

use crate::{
    Address, Ask, Attempt, Failure, Settings, Slot, end_to_end, health::Health, memory::Memory,
    proxy_header, slots::Slots, told::told,
};

/// An upstream that may be connected to.
#[derive(Debug)]
pub struct Upstream {
    settings: Settings,
    client: Client,
    places: Vec<Place>,
    slots: Slots,
    /// Where the next connection begins to look.
    next: AtomicUsize,
    next_source: AtomicUsize,
}

/// An address and what is known of it.
#[derive(Debug)]
struct Place {
    address: Address,
    /// As it is told.
    name: String,
    health: Health,
    memory: Memory,
    /// Held during the opening where only one at a time may go to a host.
    opening: Arc<Mutex<()>>,
}

impl Place {
    fn worked(&self) {
        if self.health.worked() {
            tracing::info!(upstream = self.name, "upstream is back");
        }
    }
}

/// A connection to an upstream.
#[derive(Debug)]
pub struct Reached {
    /// The address that was connected to, without name and password.
    pub address: String,
    /// The connection.
    pub link: Link,
    /// To be held as long as the connection lives: when it is dropped, the next
    /// that waits is let in.
    pub slot: Slot,
    /// The addresses that failed before, in order.
    pub failed: Vec<Attempt>,
}

/// What is spoken over a connection.
#[derive(Debug)]
pub enum Link {
    /// WebSocket, from behind the opening handshake on.
    WebSocket(Box<Connection>),
    /// Octets as they come: the address is `tcp://`.
    Raw(Stream),
}

/// Why one address gave no connection.
enum NotReached {
    /// It failed: another may not.
    Failed(ConnectError),
    Answered(Draft, Box<Answered>),
    Unspeakable(Refusal),
}

impl Upstream {
    /// An upstream that does as `settings` say.
    pub fn new(settings: Settings) -> Self {
        let mut openings: HashMap<String, Arc<Mutex<()>>> = HashMap::new();
        let places = settings.addresses.iter().map(|address| Place {
            address: address.clone(),
            name: address.to_string(),
            health: Health::default(),
            memory: Memory::default(),
            opening: {
                let host = match address {
                    Address::Unix { socket, .. } => socket.display().to_string(),
                    _ => address.url().name.to_ascii_lowercase(),
                };
                Arc::clone(openings.entry(host).or_default())
            },
        });
        Self {
            client: Client::new(Options {
                pause: settings.pause,
                ..settings.client.clone()
            }),
            places: places.collect(),
            slots: Slots::new(&settings),
            next: AtomicUsize::new(0),
            next_source: AtomicUsize::new(0),
            settings,
        }
    }

    /// Reads the certificates, if an address needs them: what is wrong with
    /// them is better known before the first connection.
    ///
    /// # Errors
    /// There are none, or a file is none.
    pub fn prepare(&self) -> Result<(), TlsFailure> {
        match self.places.iter().any(|place| place.address.url().secure) {
            true => self.client.prepare_tls(),
            false => Ok(()),
        }
    }

    /// What it was told.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// How many connections there are; `None` where they are not bounded, and
    /// so not counted.
    pub fn connections(&self) -> Option<usize> {
        self.slots.taken()
    }

    /// How many wait for a connection to end.
    pub fn waiting(&self) -> usize {
        self.slots.waiting()
    }

    /// The draft that is remembered for each address that has one.
    pub fn remembered(&self) -> impl Iterator<Item = (&str, Draft)> {
        let remember = self.settings.remember;
        self.places
            .iter()
            .filter_map(move |place| Some((place.name.as_str(), place.memory.recall(remember)?)))
    }

    /// Connects to one of the addresses: to the one whose turn it is, and where
    /// that fails before it has answered, to the next. Those that have failed
    /// lately come last, the one whose time is over soonest first; behind them
    /// those where another connection finds out whether they are back.
    ///
    /// Dropping the future gives up the slot, the place in the queue and the
    /// connection that was being made; nothing else changes.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn connect(&self, ask: &Ask<'_>) -> Result<Reached, Failure> {
        let slot = self.slots.take().await?;
        let mut failed = Vec::new();
        let turns = self.in_turn().into_iter().map(|place| (place, false));
        let mut turns = VecDeque::from_iter(turns);
        while let Some((place, put_off)) = turns.pop_front() {
            let probe = place.health.probe();
            // Somebody else has begun to find out since: one that waits for its
            // time-out is enough, while there are others.
            if probe.is_none() && !put_off && !turns.is_empty() {
                turns.push_back((place, true));
                continue;
            }
            let begun = Instant::now();
            let reached = self.attempt(place, ask).await;
            let address = || place.name.clone();
            match reached {
                Ok(link) => {
                    place.worked();
                    return Ok(Reached {
                        address: address(),
                        link,
                        slot,
                        failed,
                    });
                }
                Err(NotReached::Failed(why)) => {
                    self.note_failure(place, begun, &why);
                    failed.push(Attempt {
                        address: address(),
                        why,
                    });
                }
                Err(NotReached::Answered(draft, answer)) => {
                    place.worked();
                    return Err(Failure::Answered {
                        address: address(),
                        draft,
                        answer,
                    });
                }
                Err(NotReached::Unspeakable(refusal)) => {
                    return Err(Failure::Unspeakable {
                        address: address(),
                        refusal,
                    });
                }
            }
        }
        Err(Failure::Unreachable(failed))
    }

    /// The addresses in the order in which this connection tries them. Those
    /// that are up take turns among themselves: whoever stands behind one that
    /// is passed over does not get its share.
    fn in_turn(&self) -> Vec<&Place> {
        let now = Instant::now();
        let out = |place: &Place| (place.health.is_probed(), place.health.out_until(now));
        let (mut order, mut passed_over): (Vec<_>, Vec<_>) = self
            .places
            .iter()
            .partition(|place| out(place) == (false, None));
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let up = order.len().max(1);
        order.rotate_left(turn % up);
        passed_over.sort_by_key(|place| out(place));
        order.append(&mut passed_over);
        order
    }

    fn note_failure(&self, place: &Place, begun: Instant, why: &ConnectError) {
        if let Some(delay) = place.health.failed(begun, self.settings.back_off) {
            let delay_ms = u64::try_from(delay.as_millis()).unwrap_or(u64::MAX);
            tracing::warn!(
                upstream = place.name,
                why = told(why),
                delay_ms,
                "upstream failed and is passed over"
            );
        }
    }

    async fn attempt(&self, place: &Place, ask: &Ask<'_>) -> Result<Link, NotReached> {
        let _turn = match self.settings.one_at_a_time {
            true => Some(place.opening.lock().await),
            false => None,
        };
        let preface = match self.settings.proxy_protocol {
            true => proxy_header::header(ask.peers),
            false => Vec::new(),
        };
        let sources = self.sources();
        let resource = ask.resource_at(&place.address);
        let request = Request {
            resource: Some(&resource),
            host: ask.host,
            origin: ask.origin,
            subprotocols: Some(ask.subprotocols),
            fields: ask.fields,
            socket: match &place.address {
                Address::Unix { socket, .. } => Some(socket),
                _ => None,
            },
            sources: &sources,
            preface: &preface,
        };
        let url = place.address.url();
        if !place.address.is_websocket() {
            let stream = self.client.dial_with(url, &request).await;
            return stream.map(Link::Raw).map_err(NotReached::Failed);
        }
        let connection = self.open(place, &request).await?;
        Ok(Link::WebSocket(Box::new(connection)))
    }

    /// Opens in the draft that worked before, else in those that were named.
    async fn open(&self, place: &Place, request: &Request<'_>) -> Result<Connection, NotReached> {
        let url = place.address.url();
        let drafts = self.settings.client.drafts.in_order();
        let Some(&first) = drafts.first() else {
            return Err(NotReached::Failed(ConnectError::NoDraftNamed));
        };
        let several = drafts.len() > 1;
        // What stands at the address may be another server than before. Nobody
        // waits longer for that to be found out than for one that was down.
        let renew = || place.memory.renew(self.settings.back_off.longest);
        let known = place.memory.recall(self.settings.remember);
        let known = known.or_else(|| place.memory.last().filter(|_| !renew()));
        if let Some(draft) = known.filter(|_| several) {
            let opened = self.client.connect_in_with(draft, url, request).await;
            let error = match opened {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            let without_a_word = is_without_a_word(&error);
            if was_the_draft(&error) && !without_a_word {
                place.memory.forget(draft);
            }
            if !error.may_be_the_draft() || without_a_word && !renew() {
                return Err(NotReached::new(draft, error));
            }
            sleep(self.settings.pause).await;
        }
        match self.client.connect_with(url, request).await {
            Ok(connection) => {
                let draft = connection.draft();
                if several && place.memory.learn(draft) {
                    tracing::info!(
                        upstream = place.name,
                        draft = draft.name(),
                        "upstream speaks this draft"
                    );
                }
                Ok(connection)
            }
            // One error alone is of the first try.
            Err(error) => Err(NotReached::new(first, error)),
        }
    }

    /// The addresses of ours, the one whose turn it is first.
    fn sources(&self) -> Vec<IpAddr> {
        let mut sources = self.settings.sources.clone();
        if !sources.is_empty() {
            let turn = self.next_source.fetch_add(1, Ordering::Relaxed);
            let turn = turn % sources.len();
            sources.rotate_left(turn);
        }
        sources
    }
}

/// Whether the server ended the connection and said nothing: that is as well one
/// that has as many connections as it may as one that does not know the draft.
fn is_without_a_word(error: &ConnectError) -> bool {
    matches!(
        error,
        ConnectError::Ended { octets: 0, .. } | ConnectError::Broken { .. }
    )
}

/// Whether `error` says that the draft that worked before works no more: the
/// server was reached, and did not answer as one that speaks it.
fn was_the_draft(error: &ConnectError) -> bool {
    match error {
        ConnectError::OpeningTimeout { .. } => true,
        ConnectError::Refused { answer: None, .. } => true,
        other => other.may_be_the_draft(),
    }
}

impl NotReached {
    /// What `error` is, of a try in `draft`.
    fn new(draft: Draft, error: ConnectError) -> Self {
        match error {
            ConnectError::Refused {
                answer: Some(mut answer),
                ..
            } => {
                answer.fields = end_to_end(&answer.fields);
                // Of a body that could not be read, nothing is there to decode.
                if answer.body.is_empty() && !answer.whole {
                    let codes = |name: &str| name.eq_ignore_ascii_case("content-encoding");
                    answer.fields.retain(|(name, _)| !codes(name));
                }
                Self::Answered(draft, answer)
            }
            ConnectError::Unspeakable { refusal } => Self::Unspeakable(refusal),
            ConnectError::NoDraft(tried) => Self::of_several(tried),
            other => Self::Failed(other),
        }
    }

    /// What it is that no draft was taken: the last answer, if the server was
    /// there to the end.
    fn of_several(mut tried: Vec<(Draft, ConnectError)>) -> Self {
        let is_answer = |error: &ConnectError| {
            matches!(
                error,
                ConnectError::Refused {
                    answer: Some(_),
                    ..
                }
            )
        };
        let ends = |error: &ConnectError| {
            is_answer(error)
                || error.may_be_the_draft()
                || matches!(error, ConnectError::Unspeakable { .. })
        };
        let there = tried.last().is_some_and(|(_, last)| ends(last));
        let answer = tried.iter().rposition(|(_, error)| is_answer(error));
        match answer.filter(|_| there) {
            Some(at) => {
                let (draft, error) = tried.swap_remove(at);
                Self::new(draft, error)
            }
            None => Self::Failed(ConnectError::NoDraft(tried)),
        }
    }
}
