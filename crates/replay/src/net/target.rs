//! A server under test: the runner sends what the recorded client sent, waits
//! where the recorded client had heard something first, and judges by the
//! rules of the draft what comes back. The recorded server's octets are no
//! measure: another server may answer as rightly in others.

use std::{fmt::Write as _, io, mem, net::SocketAddr, sync::OnceLock};

use draftgate_core::{Closing, Draft, Event, Message, Role};
use draftgate_drafts::{RandomKeys, acceptor, compression, opening::LengthFrames};
use draftgate_vectors::{Action, Ending, Ends, Expectation, Service, Stated, Vector, shown};
use tokio::{net::TcpStream, time::timeout};

use super::{
    Playing,
    applies::{inapplicable, is_front_end},
    client::{Client, is_message},
    fresh::{Fresh, Place},
    link::Link,
    script::Script,
};
use crate::{
    Mismatch, Outcome,
    hear::Heard,
    outcome::Compared,
    units::{self, Said},
};

/// A server under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Where it listens.
    pub address: SocketAddr,
    /// Its name as `Host` has it.
    pub host: String,
    /// Path and query to ask for.
    pub resource: String,
    /// The origin to claim instead of the recorded one.
    pub origin: Option<String>,
    /// Whether exchanges that depend on how a server is set up are replayed.
    pub front_end: bool,
}

/// Replays `vector` against `target`.
pub async fn replay(vector: &Vector, target: &Target, playing: &Playing) -> Outcome {
    let stated = match vector.expectation(Role::Server) {
        Expectation::Stated(stated) => stated,
        Expectation::Unstated(why) => return Outcome::Skipped(why.clone()),
    };
    if let Some(why) = inapplicable(vector, target, stated) {
        return Outcome::Skipped(why);
    }
    let connecting = timeout(playing.patience, TcpStream::connect(target.address)).await;
    let stream = match connecting.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
        Ok(stream) => stream,
        Err(error) => {
            let what = "the server cannot be connected to";
            return Err(Mismatch::of(what, "a connection", error.to_string())).into();
        }
    };
    let pongs = |event: &Event| matches!(event, Event::Pong(_));
    let answers = playing.fresh && !stated.events.iter().any(pongs);
    let client = Client::new(vector.about.draft, answers);
    let run = Run {
        vector,
        stated,
        target,
        playing,
        front_end: is_front_end(vector),
        echo: playing.echo || vector.about.service == Some(Service::Echo),
        skipped: OnceLock::new(),
    };
    let compared = run.play(Link::new(stream, client, playing.patience)).await;
    if let Some(why) = run.skipped.into_inner() {
        return Outcome::Skipped(why);
    }
    compared
        .map_err(|mut mismatch| {
            mismatch.how = String::from(if playing.fresh { "fresh" } else { "exact" });
            mismatch
        })
        .into()
}

/// One exchange under way.
struct Run<'a> {
    vector: &'a Vector,
    stated: &'a Stated,
    target: &'a Target,
    playing: &'a Playing,
    /// Whether what it names is what it is there for.
    front_end: bool,
    /// Whether every message comes back.
    echo: bool,
    /// Why it cannot go on, without anybody's fault.
    skipped: OnceLock<String>,
}

impl Run<'_> {
    async fn play(&self, mut link: Link<Client>) -> Compared {
        let script = Script::of(self.vector, Role::Client);
        let steps = self.vector.steps.iter().zip(&script.steps);
        let mut keys = RandomKeys;
        let mut fresh = Fresh::new(&mut keys);
        let (mut sent, mut ended, mut before) = (0, false, Heard::default());
        let (mut left, mut unsent) = (false, Vec::new());
        let steps = steps.enumerate();
        for (index, (step, (server, client))) in
            steps.filter(|(_, (step, _))| step.from == Role::Client)
        {
            // No frame before the answer, unless the recorded client was so early.
            let early = script.answered && !server.opened;
            let open = before.opened && !early;
            if left || !self.heard(&mut link, server, &before, open).await {
                if link.ear.has_failed() {
                    break;
                }
                // What the server did not wait for it owes all the same.
                left = true;
                before = client.clone();
                if client.broken {
                    break;
                }
                continue;
            }
            if let Some(why) = link.ear.agrees_otherwise(self.vector) {
                self.skipped.get_or_init(|| why);
                return Ok(());
            }
            self.playing.timing.wait(step.pause).await;
            match &step.action {
                Action::Send(content) => {
                    let mut octets = match self.playing.fresh {
                        true => fresh.octets(content),
                        false => content.octets.to_vec(),
                    };
                    if sent == 0 && self.playing.fresh && !self.front_end {
                        octets = self.place().put_in(&octets);
                    }
                    link.ear.sends(&octets);
                    unsent.append(&mut octets);
                    let end = sent + content.octets.len();
                    if !self.leaves_with_next(index, end) {
                        link.send(&self.playing.cut(&mem::take(&mut unsent))).await;
                    }
                }
                Action::Eof => {
                    link.end().await;
                    ended = true;
                }
                Action::Close(ending) => {
                    self.owed(&mut link, client).await?;
                    if *ending == Ending::Reset {
                        link.reset();
                    }
                    return Ok(());
                }
                Action::Timeout(time) => {
                    if !link.ends_within(*time + self.playing.patience).await {
                        return Err(Mismatch::of(
                            "the server waits for ever for a client that says nothing",
                            format!("the end of the connection within {time:?}"),
                            "it is still open",
                        ));
                    }
                    ended = true;
                }
                Action::Gap(_) => {}
            }
            before = client.clone();
            sent += step.content().map_or(0, |content| content.octets.len());
            // What follows a breach or a refused opening does not matter, and
            // might keep the server's last words from us.
            if client.broken || self.stated.ends == Ends::Refused && sent >= self.opening_octets() {
                break;
            }
        }
        if left && self.stated.ends == Ends::Open {
            self.owed(&mut link, &before).await?;
            return Err(Mismatch::of(
                "the server ends a connection that is in order",
                "an open connection",
                ends(&link),
            ));
        }
        self.conclude(link, &before, ended).await
    }

    /// Whether step `index`, with which `sent` octets are sent, leaves together
    /// with the next one: clients write an opening at once, and there are servers
    /// that read it so.
    fn leaves_with_next(&self, index: usize, sent: usize) -> bool {
        let next = self.vector.steps.get(index + 1);
        let at_once = next.is_some_and(|next| {
            next.from == Role::Client && next.content().is_some() && next.pause.is_none()
        });
        at_once && sent < self.opening_octets()
    }

    /// How much of the recorded client's stream is its request and what belongs
    /// to it.
    fn opening_octets(&self) -> usize {
        let head = self.vector.head(Role::Client);
        let head = head.map_or(usize::MAX, |head| head.octets().len());
        let behind = acceptor(self.vector.about.draft).map_or(0, |it| it.octets_after_head());
        head.saturating_add(behind)
    }

    fn place(&self) -> Place<'_> {
        Place {
            host: &self.target.host,
            resource: &self.target.resource,
            origin: self.target.origin.as_deref(),
        }
    }

    /// Waits for what the recorded client had heard when it went on; whether
    /// going on has a sense.
    async fn heard(
        &self,
        link: &mut Link<Client>,
        server: &Heard,
        sent: &Heard,
        open: bool,
    ) -> bool {
        let messages = match self.echo {
            true => server.messages.min(self.echoes(sent).len()),
            false => 0,
        };
        let pongs = server.pongs.min(sent.pings);
        let done = |client: &Client| {
            client.is_over()
                || client.status.is_some()
                || (!open || client.opened())
                    && client.messages_count() >= messages
                    && client.pongs() >= pongs
        };
        link.until(done).await;
        !(link.ended || link.ear.has_failed())
    }

    /// Waits for everything that the server owes for what it was sent.
    async fn owed(&self, link: &mut Link<Client>, sent: &Heard) -> Compared {
        if !sent.opened {
            return Ok(());
        }
        let due: Vec<Event> = match self.echo {
            true => self.echoes(sent),
            false => Vec::new(),
        };
        link.until(|client| {
            let messages = client.messages_count() >= due.len();
            client.is_over() && !client.closed()
                || client.opened() && messages && client.pongs() >= sent.pings
        })
        .await;
        // A server that says no may say why.
        link.until(|client| !client.owes_refusal()).await;
        self.opening(link)?;
        if !link.ear.opened() {
            return Err(Mismatch::of(
                "the connection does not open",
                "opened",
                ends(link),
            ));
        }
        if self.echo && link.ear.messages() != due {
            return Err(self.differing(link, &due));
        }
        let Some(body) = &sent.last_ping else {
            return Ok(());
        };
        units::pong(self.said(link), body, || ends(link))
    }

    /// The messages that come back of those that were sent.
    fn echoes(&self, sent: &Heard) -> Vec<Event> {
        let events = self.stated.events.iter();
        let messages = events.filter(|event| matches!(event, Event::Message(_)));
        let draft = self.vector.about.draft;
        let sayable = |event: &&Event| match event {
            Event::Message(Message::Binary(_)) => capabilities(draft).is_some_and(|it| it.binary),
            _ => true,
        };
        messages
            .filter(sayable)
            .take(sent.messages)
            .cloned()
            .collect()
    }

    /// What the opening came to where it must succeed.
    fn opening(&self, link: &Link<Client>) -> Compared {
        if let Some(refusal) = &link.ear.refusal {
            let mut seen = format!("{}: {refusal}", refusal.code());
            if let Some(said) = link.ear.refusal_says() {
                let _ = write!(seen, "; it says: {said}");
            }
            let mut mismatch = Mismatch::of(
                "the answer is not what the draft demands",
                "an answer to what was sent",
                seen,
            );
            let (sent, seen) = (link.ear.sent(), link.seen.clone().freeze());
            units::answer(self.vector.about.draft, sent, seen, &mut mismatch);
            return Err(mismatch);
        }
        let violation = link
            .ear
            .hearing
            .as_ref()
            .and_then(|hearing| hearing.violation);
        match violation {
            None => Ok(()),
            Some(violation) => {
                let mut mismatch = Mismatch::of(
                    "the server breaks its draft",
                    "no violation",
                    format!("violation: {}, {violation}", violation.rule.code()),
                );
                self.explain(link, &[], |_| false, &mut mismatch);
                Err(mismatch)
            }
        }
    }

    async fn conclude(&self, mut link: Link<Client>, sent: &Heard, ended: bool) -> Compared {
        let draft = self.vector.about.draft;
        match self.stated.ends {
            Ends::Refused => return self.refused(link).await,
            Ends::Nothing | Ends::MidHead | Ends::MidChallenge => {
                if !ended {
                    link.end().await;
                }
                let closed = link.ends().await;
                return match (closed, link.ear.opened()) {
                    (_, true) => Err(Mismatch::of(
                        "the connection opens, and must not",
                        "nothing",
                        "opened",
                    )),
                    (true, false) => Ok(()),
                    (false, false) => Err(Mismatch::still_open("the client has ended its half")),
                };
            }
            Ends::Violation | Ends::MidFrame | Ends::Open | Ends::Closed => {}
        }
        self.owed(&mut link, sent).await?;
        let says = capabilities(draft).is_some_and(|it| it.closing != Closing::Absent);
        let (due, why) = match self.stated.ends {
            Ends::Closed => (says, "the Close is not answered by one"),
            Ends::Violation => (says, "a breach of the draft is not answered by a Close"),
            _ => (false, ""),
        };
        if !due && self.stated.ends != Ends::Violation && !ended {
            link.end().await;
        }
        link.until(|client| due && client.closed()).await;
        self.opening(&link)?;
        if due && !link.ear.closed() {
            return Err(Mismatch::of(why, "a Close", ends(&link)));
        }
        match link.ends().await {
            true => Ok(()),
            false if self.stated.ends == Ends::Violation => Err(Mismatch::of(
                "a breach of the draft does not end the connection",
                "the end of TCP",
                "it is still open",
            )),
            false => Err(Mismatch::still_open(match due {
                true => "both have closed",
                false => "the client has ended its half",
            })),
        }
    }

    async fn refused(&self, mut link: Link<Client>) -> Compared {
        let Some(refused) = &self.stated.refused else {
            return Ok(());
        };
        link.until(|client| client.status.is_some() || client.opened())
            .await;
        let seen = String::from_utf8_lossy(&link.seen).into_owned();
        let wanted = Mismatch::due(refused);
        if seen.starts_with("HTTP/1.1 101") || link.ear.opened() {
            let what = "the opening is accepted, and must be refused";
            return Err(Mismatch::of(what, wanted, "101"));
        }
        if link.ear.status.is_none() && !link.ended {
            let what = "the opening is not refused";
            return Err(Mismatch::of(
                what,
                wanted,
                "nothing, and the connection is open",
            ));
        }
        if !link.ended && link.ear.status.is_some() {
            // The body says why, if this is a gateway of ours.
            link.until(Client::has_whole_refusal).await;
        }
        let seen = String::from_utf8_lossy(&link.seen);
        let code = stated_code(&seen);
        match code {
            Some(code) if !refused.rules.iter().any(|rule| rule == code) => Err(Mismatch::of(
                "the opening is refused for another reason",
                wanted,
                format!("refused: {code}"),
            )),
            _ => Ok(()),
        }
    }

    fn differing(&self, link: &Link<Client>, due: &[Event]) -> Box<Mismatch> {
        let messages = link.ear.messages();
        // Of those that nobody asked for a few are enough.
        let told = messages.len().min(due.len() + 3);
        let mut seen: Vec<String> = messages[..told].iter().map(shown).collect();
        if told < messages.len() {
            seen.push(format!("and {} more", messages.len() - told));
        }
        if messages.len() < due.len() {
            seen.push(ends(link));
        }
        let mut mismatch = Box::new(Mismatch {
            what: "the messages that come back are not those that were sent".to_owned(),
            expected: due.iter().map(shown).collect(),
            seen,
            ..Mismatch::default()
        });
        self.explain(link, due, is_message, &mut mismatch);
        mismatch
    }

    /// Lays the frame that was due beside the one that came, of the events
    /// that `counts`.
    fn explain(
        &self,
        link: &Link<Client>,
        due: &[Event],
        counts: impl Fn(&Event) -> bool,
        mismatch: &mut Mismatch,
    ) {
        units::explain(self.said(link), due, counts, mismatch);
    }

    /// What the server sent after the opening.
    fn said(&self, link: &Link<Client>) -> Said {
        let octets = link.seen.clone().freeze();
        Said {
            draft: self.vector.about.draft,
            from: Role::Server,
            agreed: compression::recorded(&link.ear.sent(), &octets),
            octets: octets.slice(link.ear.opening.min(octets.len())..),
        }
    }
}

/// How a refusal of our own gateway names its reason.
fn stated_code(answer: &str) -> Option<&str> {
    let (_, body) = answer.split_once("\r\n\r\n")?;
    let ours = body.starts_with("draftgate: ").then_some(body)?;
    ours.lines().find_map(|line| line.strip_prefix("Code: "))
}

fn capabilities(draft: Draft) -> Option<draftgate_core::Capabilities> {
    let acceptor = acceptor(draft).ok()?;
    Some(acceptor.capabilities(LengthFrames::default()))
}

/// What there is instead of something that did not come.
fn ends(link: &Link<Client>) -> String {
    let status = link.ear.status.map(|status| format!("the status {status}"));
    status.unwrap_or_else(|| link.left().to_owned())
}
