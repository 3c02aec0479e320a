//! A WebSocket connection as it is handed out: what both sides did in the order
//! of the capture, with times, and in words what is missing or strange.

use std::{net::SocketAddr, time::Duration};

use draftgate_core::{Draft, Role};
use draftgate_record::{Did, Facts, Secrets, Taped, date, exchange};
use draftgate_vectors::{Gap, GapReason, Vector};

use crate::{
    connection::Connection,
    told::{self, Judgement},
};

/// A connection that is a WebSocket, with everything that was captured of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    /// Its number among all TCP connections of the capture, from 1.
    pub number: u64,
    /// The draft that its request is in, or the one that was named.
    pub draft: Draft,
    /// The client's address.
    pub client: SocketAddr,
    /// The server's address.
    pub server: SocketAddr,
    /// When its first packet was captured, since 1970.
    pub begins: Option<Duration>,
    /// What both sides did, in order.
    pub moments: Vec<Moment>,
    /// Why octets are missing, in words; `None` if none are.
    pub partial: Option<String>,
    /// What is strange about the capture of it, each in a sentence.
    pub notes: Vec<String>,
}

impl Conversation {
    /// The archived exchange that it is, called `name`; `facts` is what is
    /// known besides, `secrets` what must not be archived.
    ///
    /// The steps are cut by structure, and what is fresh in each run becomes
    /// placeholders, as in every recording.
    pub fn exchange(&self, name: &str, facts: &Facts, secrets: &Secrets) -> Vector {
        let mut taped = Taped::new();
        let begins = self.begins.unwrap_or_default();
        let mut at = Duration::ZERO;
        for Moment { from, time, did } in &self.moments {
            // Where the file has no times, nothing is known but the order.
            at = time.map_or(at, |time| at.max(time.saturating_sub(begins)));
            taped.did(*from, at, did.clone());
        }
        let said = facts.note.iter().chain(&self.notes).map(String::as_str);
        let note = said.collect::<Vec<_>>().join("; ");
        let facts = Facts {
            draft: Some(self.draft),
            date: facts.date.clone().or_else(|| self.begins.map(date)),
            note: (!note.is_empty()).then_some(note),
            partial: self.partial.clone(),
            ..facts.clone()
        };
        exchange(name, &taped, &facts, secrets)
    }

    /// How many gaps it has.
    pub fn gaps(&self) -> usize {
        let gaps = self.moments.iter();
        gaps.filter(|moment| matches!(moment.did, Did::Gap(_)))
            .count()
    }
}

/// One thing that one side did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// Which side.
    pub from: Role,
    /// When the other could know of it, since 1970; never less than before.
    pub time: Option<Duration>,
    /// What.
    pub did: Did,
}

/// What was captured of `connection`, which is the `number`th.
pub(crate) fn conversation(
    number: u64,
    connection: Connection,
    judgement: Judgement,
) -> Conversation {
    let Judgement { client, draft } = judgement;
    let server = 1 - client;
    let addresses = (connection.address(client), connection.address(server));
    let begins = connection.first.time;
    let opened_before = !(connection.begun(client) && connection.begun(server));
    let mut partial = Partial::default();
    for (side, name) in [(client, "server"), (server, "client")] {
        if !connection.seen(side) {
            partial.only = Some(name);
        }
    }
    let deeds = connection.deeds(client);
    let mut notes = Vec::new();
    let mut moments = Vec::with_capacity(deeds.deeds.len());
    let mut now: Option<Duration> = None;
    let mut heads =
        [Role::Client, Role::Server].map(|side| told::begins_with_head(side, deeds.deeds.iter()));
    let mut trimmed = false;
    for deed in deeds.deeds {
        let head = &mut heads[usize::from(deed.from == Role::Server)];
        match deed.did {
            // What stood on the connection before the request is not of the exchange.
            Did::Gap(_) if std::mem::take(head) => {
                trimmed = true;
                continue;
            }
            Did::Gap(gap) => partial.add(gap),
            _ => {}
        }
        *head = false;
        now = now.max(deed.at.time);
        moments.push(Moment {
            from: deed.from,
            time: deed.at.time.and(now),
            did: deed.did,
        });
    }
    if opened_before && trimmed {
        notes.push("the capture begins after the connection was opened".to_owned());
    }
    if deeds.differing > 0 {
        notes.push(format!(
            "{} octets were sent again and were others then; the first are kept",
            deeds.differing
        ));
    }
    if deeds.after_end > 0 {
        notes.push(format!(
            "{} octets behind the end of a stream are left out",
            deeds.after_end
        ));
    }
    Conversation {
        number,
        draft,
        client: addresses.0,
        server: addresses.1,
        begins,
        moments,
        partial: partial.words(),
        notes,
    }
}

/// Why octets are missing, gathered.
#[derive(Debug, Default)]
struct Partial {
    /// The one side whose packets were captured.
    only: Option<&'static str>,
    reasons: Vec<GapReason>,
}

impl Partial {
    fn add(&mut self, gap: Gap) {
        if !self.reasons.contains(&gap.reason) {
            self.reasons.push(gap.reason);
        }
    }

    fn words(&self) -> Option<String> {
        let mut words = Vec::new();
        if let Some(only) = self.only {
            words.push(format!("the capture holds the packets of the {only} only"));
        }
        for reason in &self.reasons {
            words.push(
                match reason {
                    GapReason::Lost => "packets are not in the capture",
                    GapReason::MidStream => "the capture begins after the connection did",
                    GapReason::OneDirection => continue, // said above
                    GapReason::Snapped => "the capture cut long packets off",
                    _ => "the capture is not whole",
                }
                .to_owned(),
            );
        }
        (!words.is_empty()).then(|| words.join("; "))
    }
}
