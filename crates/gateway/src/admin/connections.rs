//! The connections that there are, as operators see them: which ones, and what
//! of each.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use draftgate_conn::Traffic;
use draftgate_core::{Close, Draft};
use ipnet::IpNet;
use serde::Serialize;
use tokio::time::Instant;

use super::{answer::Fault, params::Params, when::moment};
use crate::registry::Entry;

/// How many are listed where nothing is said, and at most.
const LISTED: usize = 100;
const MOST_LISTED: usize = 10_000;

/// Which connections are meant.
#[derive(Debug, Default)]
pub(super) struct Filter {
    draft: Option<Draft>,
    route: Option<String>,
    /// A path; with `*` at its end, everything that begins so.
    path: Option<String>,
    peer: Option<IpNet>,
    origin: Option<String>,
    user: Option<String>,
    /// Open for longer than this.
    older: Option<Duration>,
}

impl Filter {
    /// What `params` say.
    ///
    /// # Errors
    /// Something of it is not understood.
    pub(super) fn read(params: &mut Params<'_>) -> Result<Self, Fault> {
        Ok(Self {
            draft: params.draft()?,
            route: params.text("route"),
            path: params.text("path"),
            peer: params.network("peer")?,
            origin: params.text("origin"),
            user: params.text("user"),
            older: params.duration("older")?,
        })
    }

    /// Whether every connection is meant.
    pub(super) fn is_empty(&self) -> bool {
        let Self {
            draft,
            route,
            path,
            peer,
            origin,
            user,
            older,
        } = self;
        let texts = [route, path, origin, user];
        texts.iter().all(|text| text.is_none())
            && draft.is_none()
            && peer.is_none()
            && older.is_none()
    }

    /// Whether `entry` is meant.
    pub(super) fn takes(&self, entry: &Entry) -> bool {
        let about = &entry.about;
        let is = |wanted: &Option<String>, text: Option<&str>| {
            wanted.as_deref().is_none_or(|it| Some(it) == text)
        };
        let path = self
            .path
            .as_deref()
            .is_none_or(|it| match it.strip_suffix('*') {
                Some(beginning) => about.said.path().starts_with(beginning),
                None => about.said.path() == it,
            });
        let client = entry.peer().client.ip();
        path && self.draft.is_none_or(|it| it == about.draft)
            && self.peer.is_none_or(|it| it.contains(&client))
            && self.older.is_none_or(|it| entry.since.elapsed() >= it)
            && is(&self.origin, about.said.origin())
            && is(&self.user, user(entry))
            && (self.route.is_none() || is(&self.route, Some(&entry.route().path.to_string())))
    }
}

/// Some connections of all that were meant.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// How many were meant.
    total: usize,
    /// How many of them are told.
    listed: usize,
    connections: Vec<Told>,
}

/// Those of `entries` that `params` ask for, the oldest first; `limit` of
/// them, and those behind `after`.
///
/// # Errors
/// Something of it is not understood.
pub(super) fn listed(entries: Vec<Arc<Entry>>, params: &mut Params<'_>) -> Result<Listed, Fault> {
    let filter = Filter::read(params)?;
    let limit = params.count("limit")?.unwrap_or(LISTED).min(MOST_LISTED);
    let after = params.read_as("after", "a connection's id such as c7", number)?;
    let meant: Vec<_> = entries
        .into_iter()
        .filter(|entry| filter.takes(entry))
        .collect();
    let behind = |entry: &&Arc<Entry>| after.is_none_or(|after| entry.number > after);
    let connections: Vec<Told> = meant
        .iter()
        .filter(behind)
        .take(limit)
        .map(|entry| Told::new(entry))
        .collect();
    Ok(Listed {
        total: meant.len(),
        listed: connections.len(),
        connections,
    })
}

/// The number in a connection's id.
pub(super) fn number(id: &str) -> Option<u64> {
    id.strip_prefix('c')?.parse().ok()
}

/// What is told of a connection.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    id: String,
    /// Whether its opening is done.
    state: &'static str,
    peer: String,
    /// The proxy that speaks for it.
    via: Option<String>,
    listener: String,
    tls: bool,
    draft: &'static str,
    route: String,
    path: String,
    channel: Option<String>,
    origin: Option<String>,
    subprotocol: Option<String>,
    user: Option<String>,
    /// When its opening was answered.
    since: String,
    seconds: f64,
    upstream: Option<Upstream>,
    #[serde(flatten)]
    traffic: Went,
    /// Messages dropped because its queue was full.
    dropped: u64,
    /// What waits in its queue.
    queued_octets: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
}

#[derive(Debug, Serialize)]
struct Upstream {
    address: String,
    draft: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct Went {
    text_in: u64,
    text_out: u64,
    binary_in: u64,
    binary_out: u64,
    octets_in: u64,
    octets_out: u64,
}

/// A head as it came, without its secrets.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub(super) enum Head {
    Text(String),
    /// What is no UTF-8, in hexadecimal digits.
    Octets {
        hex: String,
    },
}

impl Head {
    pub(super) fn new(octets: &[u8]) -> Self {
        use std::fmt::Write;

        match std::str::from_utf8(octets) {
            Ok(text) => Self::Text(text.to_owned()),
            Err(_) => {
                let mut hex = String::with_capacity(2 * octets.len());
                for octet in octets {
                    // Writing to a String cannot fail.
                    let _ = write!(hex, "{octet:02x}");
                }
                Self::Octets { hex }
            }
        }
    }
}

impl Told {
    /// What a list tells of `entry`.
    fn new(entry: &Entry) -> Self {
        let about = &entry.about;
        let route = &entry.route().path;
        let (peer, lasted) = (entry.peer(), entry.since.elapsed());
        let channel = route.matches(about.said.path()).flatten();
        let channel = channel.or_else(|| entry.route().channel.as_deref());
        let upstream = about.tally.upstream().map(|(address, draft)| Upstream {
            address: address.to_owned(),
            draft: draft.map(Draft::name),
        });
        let Traffic {
            text_in,
            text_out,
            binary_in,
            binary_out,
            octets_in,
            octets_out,
        } = entry.sender.traffic();
        Self {
            id: entry.id(),
            state: if entry.is_open() { "open" } else { "opening" },
            peer: peer.to_string(),
            via: peer.via.map(|via| via.to_string()),
            listener: entry.listener.address.to_string(),
            tls: peer.tls,
            draft: about.draft.name(),
            route: route.to_string(),
            path: about.said.path().to_owned(),
            channel: channel.map(str::to_owned),
            origin: about.said.origin().map(str::to_owned),
            subprotocol: about.said.subprotocol().map(str::to_owned),
            user: user(entry).map(str::to_owned),
            since: moment(SystemTime::now() - lasted),
            seconds: (lasted.as_secs_f64() * 1e3).round() / 1e3,
            upstream,
            traffic: Went {
                text_in,
                text_out,
                binary_in,
                binary_out,
                octets_in,
                octets_out,
            },
            dropped: entry.sender.dropped(),
            queued_octets: entry.sender.queued_octets(),
            head: None,
        }
    }

    /// All of it.
    pub(super) fn whole(entry: &Entry) -> Self {
        Self {
            head: entry.head.as_deref().map(|head| Head::new(head)),
            ..Self::new(entry)
        }
    }
}

/// Who the connection is, where the route asks for that.
fn user(entry: &Entry) -> Option<&str> {
    entry.about.said.user()
}

/// What is said to connections that an operator closes.
#[derive(Debug)]
pub(super) struct Words(Close);

impl Words {
    /// What `params` say; 1001 and a sentence, if nothing.
    ///
    /// # Errors
    /// No Close can say it.
    pub(super) fn read(params: &mut Params<'_>) -> Result<Self, Fault> {
        let allowed = |text: &str| {
            let code: u16 = text.parse().ok()?;
            let sayable = matches!(code, 1000 | 1001 | 1008 | 1011..=1013 | 3000..=4999);
            sayable.then_some(code)
        };
        let what = "1000, 1001, 1008, 1011 to 1013, or from 3000 to 4999";
        let code = params.read_as("code", what, allowed)?;
        let short = |text: &str| (text.len() <= 123).then(|| text.to_owned());
        let reason = params.read_as("reason", "at most 123 octets long", short)?;
        let reason = reason.unwrap_or_else(|| "closed by an operator".to_owned());
        Ok(Self(Close::new(
            code.unwrap_or(Close::GOING_AWAY),
            reason.as_str(),
        )))
    }

    /// Closes `entries`, all at once or spread over the time `within`.
    pub(super) fn close(self, entries: Vec<Arc<Entry>>, within: Duration) -> usize {
        let count = entries.len();
        let apart = within / u32::try_from(count.max(1)).unwrap_or(u32::MAX);
        if apart.is_zero() {
            for entry in entries {
                entry.sender.close(Some(self.0.clone()));
            }
            return count;
        }
        // Who ends meanwhile needs no Close, and the gateway's own end is no
        // reason to hurry: its drain closes them, too.
        tokio::spawn(async move {
            let began = Instant::now();
            for (turn, entry) in (0..).zip(entries) {
                tokio::time::sleep_until(began + apart * turn).await;
                entry.sender.close(Some(self.0.clone()));
            }
        });
        count
    }
}
