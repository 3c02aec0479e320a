//! A client under test: the runner answers as the recorded server did, with
//! the proofs that this client needs, and judges what the client does about
//! it. What the client says of its own accord is its own affair.

use draftgate_core::{Close, Closing, Event, Outgoing, Role};
use draftgate_drafts::{RandomKeys, acceptor, compression, hangs_on_nonce, opening::LengthFrames};
use draftgate_vectors::{Action, Ending, Ends, Expectation, Stated, Vector, shown};
use tokio::net::TcpStream;

use super::{
    Playing,
    applies::{NONCE, is_limit},
    fresh::Fresh,
    link::Link,
    script::Script,
    server::Server,
};
use crate::{
    Mismatch, Outcome,
    hear::Heard,
    offline::gap,
    outcome::Compared,
    units::{self, Said},
};

/// The rule that a client breaks no more once it offers the extension itself.
const EXTENSION: &str = "answer-extension";

/// Why `vector` cannot be replayed to a client.
pub fn inapplicable(vector: &Vector) -> Option<String> {
    let stated = match vector.expectation(Role::Client) {
        Expectation::Stated(stated) => stated,
        Expectation::Unstated(why) => return Some(why.clone()),
    };
    if gap(vector, Role::Server) {
        return Some("octets of the server are missing".to_owned());
    }
    if acceptor(vector.about.draft).is_err() {
        return Some(format!("not spoken here: {}", vector.about.draft));
    }
    if hangs_on_nonce(vector.about.draft) {
        return Some(NONCE.to_owned());
    }
    if is_limit(stated) {
        return Some("how much a client takes is its own decision".to_owned());
    }
    (stated.ends == Ends::Nothing).then(|| "the server sent nothing".to_owned())
}

/// Replays `vector` to the client that has come by `stream`.
pub async fn serve(vector: &Vector, stream: TcpStream, playing: &Playing) -> Outcome {
    if let Some(why) = inapplicable(vector) {
        return Outcome::Skipped(why);
    }
    let Some(stated) = vector.expectation(Role::Client).stated() else {
        return Outcome::Skipped("nothing is expected".to_owned());
    };
    let link = Link::new(stream, Server::of(vector), playing.patience);
    let run = Run {
        vector,
        stated,
        playing,
    };
    run.play(link).await
}

struct Run<'a> {
    vector: &'a Vector,
    stated: &'a Stated,
    playing: &'a Playing,
}

impl Run<'_> {
    async fn play(&self, mut link: Link<Server>) -> Outcome {
        if let Err(mismatch) = self.asked(&mut link).await {
            return Err(mismatch).into();
        }
        let refused = self.stated.refused.as_ref();
        let refused = refused.is_some_and(|it| it.rules.iter().any(|rule| rule == EXTENSION));
        let why = match (refused, link.ear.offers_what_is_accepted(self.vector)) {
            (true, Some(true)) => Some("the client offers the extension that the server agrees on"),
            (false, Some(false)) => {
                Some("the client does not offer the extension that the server agrees on")
            }
            _ => None,
        };
        if let Some(why) = why {
            return Outcome::Skipped(why.to_owned());
        }
        self.answered(link).await.into()
    }

    async fn answered(&self, mut link: Link<Server>) -> Compared {
        let script = Script::of(self.vector, Role::Server);
        let steps = self.vector.steps.iter().zip(&script.steps);
        let mut keys = RandomKeys;
        let mut fresh = Fresh::new(&mut keys);
        let (mut at, mut ended, mut before) = (0, false, Heard::default());
        for (step, (client, server)) in steps.filter(|(step, _)| step.from == Role::Server) {
            // Of the client only key3 is waited for: what else it says need not
            // be what was recorded.
            link.until(|ear: &Server| !client.opened || ear.opened())
                .await;
            self.playing.timing.wait(step.pause).await;
            match &step.action {
                Action::Send(content) => {
                    let octets = match self.playing.fresh {
                        true => fresh.octets(content),
                        false => content.octets.to_vec(),
                    };
                    let octets = link.ear.answers(self.vector, &octets, at);
                    at += content.octets.len();
                    link.send(&self.playing.cut(&octets)).await;
                }
                Action::Eof => {
                    link.end().await;
                    ended = true;
                }
                Action::Close(ending) => {
                    if *ending == Ending::Reset {
                        link.reset();
                    }
                    return Ok(());
                }
                Action::Timeout(time) => {
                    if !link.ends_within(*time + self.playing.patience).await {
                        return Err(Mismatch::of(
                            "the client waits for ever for a server that says nothing",
                            format!("the end of the connection within {time:?}"),
                            "it is still open",
                        ));
                    }
                    ended = true;
                }
                Action::Gap(_) => {}
            }
            before = server.clone();
            if server.broken {
                break;
            }
        }
        self.conclude(link, &before, ended).await
    }

    /// Waits for the request, which must be one of the draft.
    async fn asked(&self, link: &mut Link<Server>) -> Compared {
        let draft = self.vector.about.draft;
        link.until(Server::has_request).await;
        let ear = &link.ear;
        let seen = match (ear.draft, &ear.refusal, &ear.malformed) {
            (Some(seen), ..) if seen == draft => return Ok(()),
            (Some(seen), ..) => format!("a request in {seen}"),
            (_, Some(refusal), _) => format!("{}: {refusal}", refusal.code()),
            (.., Some(malformed)) => malformed.clone(),
            _ => link.left().to_owned(),
        };
        let wanted = format!("a request in {draft}");
        Err(Mismatch::of(
            "the client opens no connection in the draft",
            wanted,
            seen,
        ))
    }

    async fn conclude(&self, mut link: Link<Server>, sent: &Heard, ended: bool) -> Compared {
        let draft = self.vector.about.draft;
        let closing = acceptor(draft).map(|it| it.capabilities(LengthFrames::default()).closing);
        let says = closing.is_ok_and(|closing| closing != Closing::Absent);
        match self.stated.ends {
            Ends::Refused => return self.refused(link).await,
            Ends::Nothing | Ends::MidHead | Ends::MidChallenge => {
                if !ended {
                    link.end().await;
                }
                return match link.ends().await {
                    true => Ok(()),
                    false => Err(Mismatch::still_open("the server has ended its half")),
                };
            }
            Ends::Violation | Ends::MidFrame | Ends::Open | Ends::Closed => {}
        }
        let wanted = sent.pings;
        link.until(|ear: &Server| ear.closed() || ear.pongs() >= wanted)
            .await;
        self.pong(&link, sent)?;
        let due = match self.stated.ends {
            Ends::Closed | Ends::Violation => says,
            _ => false,
        };
        if due {
            link.until(Server::closed).await;
            self.sound(&link)?;
            if !link.ear.closed() {
                let what = match self.stated.ends {
                    Ends::Closed => "the Close is not answered by one",
                    _ => "a breach of the draft is not answered by a Close",
                };
                return Err(Mismatch::of(what, "a Close", link.left()));
            }
        } else if self.stated.ends == Ends::Open && says && !ended {
            // An end in order, which a client that has left cannot answer.
            self.close(&mut link).await;
            self.sound(&link)?;
            if !link.ear.closed() {
                return Err(Mismatch::of(
                    "the client does not keep a connection that is in order",
                    "a Close that answers ours",
                    link.left(),
                ));
            }
        }
        // RFC 6455 §7.1.1 wants the server to end TCP first.
        link.end().await;
        let ends = link.ends().await;
        self.sound(&link)?;
        match ends {
            true => Ok(()),
            false => Err(Mismatch::still_open("the server has ended its half")),
        }
    }

    async fn close(&self, link: &mut Link<Server>) {
        let draft = self.vector.about.draft;
        let close = Close::nearest_code(Close::NORMAL, draft).map(|code| Close::new(code, ""));
        let mut out = draftgate_core::Outbox::new();
        if let Some(hearing) = &mut link.ear.hearing
            && hearing.codec.send(Outgoing::Close(close), &mut out).is_ok()
        {
            link.send(&[&out.take_all()]).await;
            link.until(Server::closed).await;
        }
    }

    /// A client that refuses the answer sends no frame and goes.
    async fn refused(&self, mut link: Link<Server>) -> Compared {
        let Some(refused) = &self.stated.refused else {
            return Ok(());
        };
        let wanted = Mismatch::due(refused);
        let said = |ear: &Server| {
            let said = |event: &Event| !matches!(event, Event::Opened | Event::Notice(_));
            ear.events().iter().any(said)
        };
        link.until(said).await;
        if let Some(event) = link
            .ear
            .events()
            .iter()
            .find(|event| !matches!(event, Event::Opened | Event::Notice(_) | Event::Close(_)))
        {
            let what = "the client takes an answer that it must refuse";
            return Err(Mismatch::of(what, wanted, shown(event)));
        }
        match link.ends().await {
            true => Ok(()),
            false => Err(Mismatch::of(
                "the client keeps a connection whose answer it must refuse",
                wanted,
                "it is still open",
            )),
        }
    }

    fn pong(&self, link: &Link<Server>, sent: &Heard) -> Compared {
        self.sound(link)?;
        let Some(body) = &sent.last_ping else {
            return Ok(());
        };
        units::pong(self.said(link), body, || link.left().to_owned())
    }

    /// Whether the client keeps to its draft.
    fn sound(&self, link: &Link<Server>) -> Compared {
        let hearing = link.ear.hearing.as_ref();
        let Some(violation) = hearing.and_then(|hearing| hearing.violation) else {
            return Ok(());
        };
        let mut mismatch = Mismatch::of(
            "the client breaks its draft",
            "no violation",
            format!("violation: {}, {violation}", violation.rule.code()),
        );
        units::explain(self.said(link), &[], |_| false, &mut mismatch);
        Err(mismatch)
    }

    /// What the client sent behind its opening.
    fn said(&self, link: &Link<Server>) -> Said {
        let seen = link.seen.clone().freeze();
        Said {
            draft: self.vector.about.draft,
            from: Role::Client,
            octets: link.ear.frames(&seen),
            agreed: compression::recorded(&seen, &self.vector.octets(Role::Server)),
        }
    }
}
