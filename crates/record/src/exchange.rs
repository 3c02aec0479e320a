//! A tape made into an exchange: steps, placeholders, hashes, and what is known
//! about it.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Event, Role};
use draftgate_drafts::spoken;
use draftgate_vectors::{
    About, Action, Ending, Ends, Expectation, Kind, Service, Step, Stream, UNJUDGED, Vector,
};
use draftgate_wire::dissect::What;

use crate::{
    cut::{Cut, MOST, Part, Piece, Raw},
    fresh::{self, Prepared},
    notes, read,
    secrets::{Found, Secrets},
    taped::Taped,
};

/// What whoever records knows of a connection besides its octets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// How it was recorded.
    pub source: String,
    /// What is spoken, where the request does not say.
    pub draft: Option<Draft>,
    /// What the two do; `recorded` if nobody says.
    pub scenario: Option<String>,
    /// The client's implementation and version, if its request does not say.
    pub client: Option<String>,
    /// The server's, if its answer does not say.
    pub server: Option<String>,
    /// The day, `2026-11-21`.
    pub date: Option<String>,
    /// What is worth knowing.
    pub note: Option<String>,
    /// Words to choose exchanges by, besides [`UNJUDGED`].
    pub tags: Vec<String>,
    /// Why octets are missing, where some are.
    pub partial: Option<String>,
}

impl Facts {
    /// Nothing is known but how it was recorded.
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            ..Self::default()
        }
    }
}

/// The exchange that `taped` is, to be called `name` (which begins the names
/// of its files).
///
/// Its expectations are what draftgate makes of the streams now, and the tag
/// [`UNJUDGED`] says so; of a stream with gaps nothing is expected.
pub fn exchange(name: &str, taped: &Taped, facts: &Facts, secrets: &Secrets) -> Vector {
    let cut = Cut::of(taped, facts.draft, secrets);
    let told = cut.draft;
    let mut composer = Composer {
        stem: name.rsplit('/').next().unwrap_or(name),
        secrets,
        steps: Vec::new(),
        before: None,
        redacted: BTreeSet::new(),
        searched: Default::default(),
    };
    let mid_frame = [Role::Server, Role::Client].map(|side| {
        let mut of_side = cut.pieces.iter().filter(|piece| piece.from == side);
        of_side.any(Piece::is_cut_off_frame)
    });
    let mut pieces = cut.pieces.into_iter().peekable();
    while let Some(mut piece) = pieces.next() {
        // What came in several parts and without a word in between is one step.
        while let Some(next) = pieces.next_if(|next| goes_on(&piece, next)) {
            join(&mut piece, next);
        }
        composer.put(piece);
    }
    let Composer {
        steps, redacted, ..
    } = composer;
    // The newest is no claim: a note says that nothing could be told.
    let draft = told
        .or_else(|| spoken().last())
        .unwrap_or(Draft::ALL[Draft::ALL.len() - 1]);
    let streams = [Role::Client, Role::Server].map(|side| {
        let whole = octets(&steps, side);
        (taped.has(side).then(|| Stream::of(&whole)), whole)
    });
    let [(client_stream, client), (server_stream, server)] = streams;
    let bounded = cut.bounded.then(|| {
        let most = notes::grouped(MOST);
        format!("recorded up to {most} frames and other parts, and no further")
    });
    let partial = bounded.or_else(|| facts.partial.clone()).or_else(|| {
        let mut reasons: Vec<_> = taped.gaps().map(|gap| gap.reason.name()).collect();
        reasons.dedup();
        (!reasons.is_empty()).then(|| format!("octets are missing: {}", reasons.join(", ")))
    });
    let [of_server, of_client] = match partial.is_some() {
        true => {
            let why = Expectation::Unstated("octets are missing; see `partial`".to_owned());
            [why.clone(), why]
        }
        false => [Role::Server, Role::Client].map(|role| {
            let [of_server, of_client] = mid_frame;
            let mid_frame = if role == Role::Server {
                of_client
            } else {
                of_server
            };
            read::expectation((draft, role), &client, &server, mid_frame)
        }),
    };
    let untold = told.is_none().then_some(UNTOLD);
    let notes: Vec<&str> = facts.note.as_deref().into_iter().chain(untold).collect();
    let mut tags = vec![UNJUDGED.to_owned()];
    tags.extend(facts.tags.iter().filter(|tag| *tag != UNJUDGED).cloned());
    let about = About {
        draft,
        kind: Kind::Captured,
        roles: vec![Role::Client, Role::Server],
        scenario: facts
            .scenario
            .clone()
            .unwrap_or_else(|| "recorded".to_owned()),
        client: named(facts.client.as_deref(), &steps, Role::Client),
        server: named(facts.server.as_deref(), &steps, Role::Server),
        source: facts.source.clone(),
        date: facts.date.clone(),
        altered: altered(&redacted),
        restored: None,
        note: (!notes.is_empty()).then(|| notes.join(" ")),
        basis: None,
        attested: BTreeMap::new(),
        tags,
        service: echoes(&of_server, &of_client).then_some(Service::Echo),
        partial,
        client_stream,
        server_stream,
    };
    Vector::new(name.to_owned(), about, steps, of_server, of_client)
}

const UNTOLD: &str = "The draft cannot be told from these octets; the newest one stands for none.";

/// Makes steps of pieces.
struct Composer<'a> {
    stem: &'a str,
    secrets: &'a Secrets,
    steps: Vec<Step>,
    /// The time of the step before.
    before: Option<Duration>,
    redacted: BTreeSet<String>,
    /// Of each side the octets that were searched last, and the secrets in
    /// them: parts of the same ones follow each other.
    searched: [(Bytes, Vec<Found>); 2],
}

impl Composer<'_> {
    fn put(&mut self, piece: Piece) {
        let Piece { at, from, what } = piece;
        let (stem, first) = (self.stem, self.steps.len() + 1);
        let mut file = || format!("{stem}.{first}.bin");
        match what {
            Part::Unit(unit) => {
                let prepared = fresh::unit(&unit, self.secrets, &mut file);
                let mut note = Some(notes::note(&unit));
                if matches!(unit.what, What::Request | What::Answer)
                    && unit.fault.is_none()
                    && !unit.cut_off
                {
                    // A head shows what it is.
                    note = None;
                }
                for it in prepared {
                    self.octets(at, from, it, note.take());
                }
            }
            Part::Raw(Raw {
                part,
                whole,
                within,
            }) => {
                let (searched, found) = &mut self.searched[usize::from(from == Role::Server)];
                if searched.as_ptr() != whole.as_ptr() {
                    let secrets = self.secrets.find_within(within, &whole);
                    (*searched, *found) = (whole.clone(), secrets);
                }
                let prepared = fresh::raw(part, &whole, found, &mut file);
                // All of it may have been the rest of a secret.
                if !prepared.content.octets.is_empty() {
                    self.octets(at, from, prepared, None);
                }
            }
            Part::Gap(gap) => self.step(at, from, Action::Gap(gap), None),
            Part::Eof => self.step(at, from, Action::Eof, None),
            Part::Reset => self.step(at, from, Action::Close(Ending::Reset), None),
        }
    }

    fn octets(&mut self, at: Duration, from: Role, prepared: Prepared, note: Option<String>) {
        self.redacted.extend(prepared.redacted);
        self.step(at, from, Action::Send(prepared.content), note);
    }

    fn step(&mut self, at: Duration, from: Role, action: Action, note: Option<String>) {
        // Files hold microseconds; what is rounded off here would add up.
        let at = Duration::from_micros(u64::try_from(at.as_micros()).unwrap_or(u64::MAX));
        let pause = self.before.map(|before| at.saturating_sub(before));
        self.before = Some(at);
        self.steps.push(Step {
            from,
            pause,
            note,
            action,
        });
    }
}

/// Whether `next` is more of the same octets.
fn goes_on(piece: &Piece, next: &Piece) -> bool {
    match (&piece.what, &next.what) {
        (Part::Raw(one), Part::Raw(more)) => {
            piece.from == next.from
                && one.part.end == more.part.start
                && one.whole.as_ptr() == more.whole.as_ptr()
        }
        _ => false,
    }
}

fn join(piece: &mut Piece, next: Piece) {
    if let (Part::Raw(one), Part::Raw(more)) = (&mut piece.what, &next.what) {
        one.part.end = more.part.end;
        piece.at = next.at;
    }
}

fn octets(steps: &[Step], side: Role) -> Bytes {
    let mut whole = BytesMut::new();
    for content in steps
        .iter()
        .filter(|step| step.from == side)
        .filter_map(Step::content)
    {
        whole.extend_from_slice(&content.octets);
    }
    whole.freeze()
}

/// What `side` is called: as somebody says, else as its head does.
fn named(said: Option<&str>, steps: &[Step], side: Role) -> String {
    let field = match side {
        Role::Client => "user-agent",
        Role::Server => "server",
    };
    let of_head = || {
        let first = steps
            .iter()
            .filter(|step| step.from == side)
            .find_map(Step::content)?;
        let text = std::str::from_utf8(&first.octets).ok()?;
        let mut lines = text.lines().take_while(|line| !line.is_empty());
        let value = lines.find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(field).then(|| value.trim())
        })?;
        (!value.is_empty()).then_some(value)
    };
    said.or_else(of_head).unwrap_or("unknown").to_owned()
}

fn altered(redacted: &BTreeSet<String>) -> Option<String> {
    if redacted.is_empty() {
        return None;
    }
    let names: Vec<&str> = redacted.iter().map(String::as_str).collect();
    let names = names.join(", ");
    Some(format!(
        "secrets were taken out when it was recorded, the values of {names}; length and hash are of what stands here"
    ))
}

/// Whether the server gave back every message, of which there is one at least.
fn echoes(server: &Expectation, client: &Expectation) -> bool {
    let messages = |expectation: &Expectation| -> Option<Vec<Event>> {
        let stated = expectation.stated()?;
        let whole = matches!(stated.ends, Ends::Open | Ends::Closed);
        let events = stated.events.iter();
        let messages = events.filter(|event| matches!(event, Event::Message(_)));
        whole.then(|| messages.cloned().collect())
    };
    match (messages(server), messages(client)) {
        (Some(asked), Some(given)) => !asked.is_empty() && asked == given,
        _ => false,
    }
}
