//! Exchanges against our own codecs, without a socket: as a server what the
//! recorded client sent, as a client what the recorded server answered.
//!
//! This is the one place that says what it means that an end of ours makes of
//! a stream what its file expects; the tests of the archive ask it as well.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Limits, Role, Rule};
use draftgate_drafts::{
    FixedKeys, acceptor, compression, may_announce, not_built,
    opening::{Accepted, Pending, Refusal, RefusalKind, parts},
    recorded::{answer_within, resume_within},
};
use draftgate_vectors::{Action, Ends, Expectation, Refused, Stated, Vector};

use crate::{
    Mismatch, Outcome, Split,
    hear::Hearing,
    net::is_limit,
    outcome::Compared,
    units::{self, Said},
};

/// The code of a request that is no HTTP, which the front end finds.
const HEAD_MALFORMED: &str = "head-malformed";

/// What only a front end with a configuration says.
const OF_ROUTES: [RefusalKind; 2] = [RefusalKind::DraftNotEnabled, RefusalKind::OriginRefused];

/// Runs `vector` as `role` in every cut that `split` wants.
pub fn judge(vector: &Vector, role: Role, split: Split) -> Outcome {
    judge_within(Limits::default(), vector, role, split)
}

/// The same, with the recorded peer held to `limits`.
pub fn judge_within(limits: Limits, vector: &Vector, role: Role, split: Split) -> Outcome {
    let stated = match vector.expectation(role) {
        Expectation::Stated(stated) => stated,
        Expectation::Unstated(why) => return Outcome::Skipped(why.clone()),
    };
    if let Some(why) = inapplicable(vector, role, stated) {
        return Outcome::Skipped(why);
    }
    match role {
        Role::Server => as_server(limits, vector, stated, split).into(),
        Role::Client => as_client(limits, vector, stated, split).into(),
    }
}

/// Why codecs alone cannot judge it.
fn inapplicable(vector: &Vector, role: Role, stated: &Stated) -> Option<String> {
    let refused = |code: &str| {
        let refused = stated.refused.as_ref();
        refused.is_some_and(|refused| refused.rules.iter().any(|rule| rule == code))
    };
    if gap(vector, role.peer()) {
        return Some(format!("octets of the {} are missing", role.peer()));
    }
    let not_built = not_built(vector.about.draft);
    if acceptor(vector.about.draft).is_err() && !refused(not_built.code()) {
        return Some(format!("not spoken here: {}", vector.about.draft));
    }
    if role == Role::Client && vector.octets(Role::Client).is_empty() {
        return Some("the request was not recorded".to_owned());
    }
    if stated.ends == Ends::Nothing {
        return Some(format!("the {} sent nothing", role.peer()));
    }
    let rules = &stated.refused.as_ref()?.rules;
    let ours = |rule: &String| {
        let mut kinds = RefusalKind::ALL.iter();
        let of_proof = rule == Rule::HelloInvalid.code();
        of_proof
            || rule == HEAD_MALFORMED
            || kinds.any(|kind| kind.code() == rule && !OF_ROUTES.contains(kind))
    };
    (!rules.iter().any(ours))
        .then(|| format!("only a running gateway refuses so ({})", rules.join(", ")))
}

/// Whether octets of `side` are missing.
pub(crate) fn gap(vector: &Vector, side: Role) -> bool {
    let mut steps = vector.steps.iter().filter(|step| step.from == side);
    steps.any(|step| matches!(step.action, Action::Gap(_)))
}

fn as_server(limits: Limits, vector: &Vector, stated: &Stated, split: Split) -> Compared {
    let octets = vector.octets(Role::Client);
    let (parts, head) = match parts(&octets) {
        Ok(Some(whole)) => whole,
        Ok(None) if stated.ends == Ends::MidHead => return Ok(()),
        Ok(None) => {
            let whole = "a request with its empty line";
            return Err(Mismatch::of(
                "the request is not whole",
                whole,
                "its beginning",
            ));
        }
        Err(malformed) => {
            return refused(
                stated,
                Err::<(), _>((HEAD_MALFORMED, malformed.to_string())),
            );
        }
    };
    let recorded = vector.octets(Role::Server);
    let answered = answer_within(limits, &parts, &recorded);
    if stated.refused.is_some() {
        let answered = answered.map_err(|refusal| told(&refusal));
        let proved = answered.and_then(|(_, accepted)| {
            let hearing = Hearing::new(accepted.codec, &octets[head..]);
            match hearing.violation.filter(|_| !hearing.heard.opened) {
                Some(violation) => Err((violation.rule.code(), violation.rule.to_string())),
                None => Ok(()),
            }
        });
        return refused(stated, proved);
    }
    let (draft, accepted) = match answered {
        Ok(answered) => answered,
        Err(refusal) => return refused(stated, Err::<(), _>(told(&refusal))),
    };
    if !may_announce(vector.about.draft, draft) {
        let what = "the request is taken for another draft";
        return Err(Mismatch::of(what, vector.about.draft.name(), draft.name()));
    }
    facts(draft, stated, &accepted)?;
    let rest = octets.slice(head..);
    let codec = || {
        answer_within(limits, &parts, &recorded)
            .ok()
            .map(|(_, accepted)| accepted.codec)
    };
    for way in split.ways_of(rest.len(), is_limit(stated)) {
        let Some(mine) = codec() else { continue };
        let mut hearing = Hearing::new(mine, &[]);
        for piece in way.cut(&rest) {
            hearing.hear(piece);
        }
        let said = hearing.wrote();
        let heard = conclude(vector, stated, hearing).and_then(|()| digest(draft, stated, &said));
        heard.map_err(|mut mismatch| {
            mismatch.how = way.named(rest.len());
            let proof = acceptor(draft).map_or(0, |acceptor| {
                acceptor.octets_after_head() + acceptor.octets_of_hello()[0]
            });
            explained(
                vector,
                stated,
                Role::Server,
                codec(),
                (&rest, proof),
                mismatch,
            )
        })?;
    }
    Ok(())
}

fn as_client(limits: Limits, vector: &Vector, stated: &Stated, split: Split) -> Compared {
    let octets = vector.octets(Role::Server);
    for way in split.ways_of(octets.len(), is_limit(stated)) {
        answered(limits, vector, stated, (&octets, &way.cut(&octets))).map_err(
            |mut mismatch| {
                mismatch.how = way.named(octets.len());
                mismatch
            },
        )?;
    }
    Ok(())
}

fn pending(limits: Limits, vector: &Vector) -> Result<Box<dyn Pending>, Refusal> {
    // The masks of a client that only listens do not matter.
    let keys = &mut FixedKeys::new([0]);
    resume_within(
        limits,
        vector.about.draft,
        &vector.octets(Role::Client),
        keys,
    )
}

fn answered(
    limits: Limits,
    vector: &Vector,
    stated: &Stated,
    (octets, pieces): (&Bytes, &[&[u8]]),
) -> Compared {
    let mut waiting = match pending(limits, vector) {
        Ok(pending) => pending,
        Err(refusal) => return refused(stated, Err::<(), _>(told(&refusal))),
    };
    let mut input = BytesMut::new();
    let mut hearing: Option<Hearing> = None;
    for piece in pieces {
        if let Some(hearing) = &mut hearing {
            hearing.hear(piece);
            continue;
        }
        input.extend_from_slice(piece);
        match waiting.answer(&mut input) {
            Ok(None) => {}
            Ok(Some(connected)) => hearing = Some(Hearing::new(connected.codec, &input)),
            Err(refusal) => return refused(stated, Err::<(), _>(told(&refusal))),
        }
    }
    if stated.refused.is_some() {
        return refused(stated, Ok(()));
    }
    let Some(hearing) = hearing else {
        let what = "the answer is not whole, so the connection does not open";
        return match stated.ends.after_opening() {
            true => Err(Mismatch::of(what, "opened", "nothing")),
            false => Ok(()),
        };
    };
    if !stated.ends.after_opening() {
        let what = "the connection opens, and must not";
        return Err(Mismatch::of(what, "nothing", "opened"));
    }
    conclude(vector, stated, hearing).map_err(|mismatch| {
        let mut whole = BytesMut::from(&octets[..]);
        let connected = pending(limits, vector).and_then(|mut pending| pending.answer(&mut whole));
        let codec = connected.ok().flatten().map(|connected| connected.codec);
        let rest = (&whole.freeze(), 0);
        explained(vector, stated, Role::Client, codec, rest, mismatch)
    })
}

/// The code of a refusal and what it says.
fn told(refusal: &Refusal) -> (&'static str, String) {
    (refusal.code(), refusal.to_string())
}

/// Compares a refusal, or that there was none.
fn refused<T>(stated: &Stated, seen: Result<T, (&'static str, String)>) -> Compared {
    let wanted = |refused: &Refused| format!("refused: {}", refused.rules.join(" or "));
    match (&stated.refused, seen) {
        (Some(refused), Err((code, _))) if refused.rules.iter().any(|rule| rule == code) => Ok(()),
        (Some(refused), Err((code, why))) => Err(Mismatch::of(
            "the opening is refused for another reason",
            wanted(refused),
            format!("refused: {code} ({why})"),
        )),
        (Some(refused), Ok(_)) => Err(Mismatch::of(
            "the opening is accepted, and must be refused",
            Mismatch::due(refused),
            "accepted",
        )),
        (None, Err((code, why))) => Err(Mismatch::of(
            "the opening is refused, and must be accepted",
            "accepted",
            format!("refused: {code} ({why})"),
        )),
        (None, Ok(_)) => Ok(()),
    }
}

/// Compares the fields of our answer that the file states.
fn facts(draft: Draft, stated: &Stated, accepted: &Accepted) -> Compared {
    let facts = &stated.answer;
    for (fact, names) in [
        (&facts.accept, &["Sec-WebSocket-Accept"][..]),
        (&facts.origin, &["Sec-WebSocket-Origin", "WebSocket-Origin"]),
        (
            &facts.location,
            &["Sec-WebSocket-Location", "WebSocket-Location"],
        ),
        (
            &facts.subprotocol,
            &["Sec-WebSocket-Protocol", "WebSocket-Protocol"],
        ),
    ] {
        let Some(wanted) = fact else { continue };
        let ours = field(accepted, names);
        if ours.as_ref() == Some(wanted) {
            continue;
        }
        let name = names.iter().find(|name| field(accepted, &[name]).is_some());
        let name = name.unwrap_or(&names[0]);
        let mut mismatch = Mismatch::of(
            format!("{name} of the answer differs"),
            format!("{name}: {wanted}"),
            match &ours {
                Some(ours) => format!("{name}: {ours}"),
                None => format!("no {name}"),
            },
        );
        let head = accepted.head.to_bytes();
        units::heads(draft, &head, (name, wanted), ours.as_deref(), &mut mismatch);
        return Err(mismatch);
    }
    Ok(())
}

/// The field of our answer that goes by one of `names`, as it is written.
fn field(accepted: &Accepted, names: &[&str]) -> Option<String> {
    let fields = &accepted.head.fields;
    let (_, value) = fields.iter().find(|(name, _)| names.contains(&&**name))?;
    Some(String::from_utf8_lossy(value.as_bytes()).into_owned())
}

fn digest(draft: Draft, stated: &Stated, said: &Bytes) -> Compared {
    let Some(md5) = &stated.answer.md5 else {
        return Ok(());
    };
    if !stated.ends.after_opening() || said.starts_with(md5) {
        return Ok(());
    }
    let mut mismatch = Mismatch::of(
        "the 16 octets that answer the challenge differ",
        format!("{md5:02x?}"),
        format!("{:02x?}", said.get(..md5.len()).unwrap_or(said)),
    );
    let due = Bytes::copy_from_slice(md5);
    units::proofs(
        draft,
        &due,
        &said.slice(..said.len().min(md5.len())),
        &mut mismatch,
    );
    Err(mismatch)
}

/// Compares what was heard.
fn conclude(vector: &Vector, stated: &Stated, mut hearing: Hearing) -> Compared {
    let rule = |rule: Option<Rule>| match rule {
        Some(rule) => format!("violation: {}", rule.code()),
        None => "no violation".to_owned(),
    };
    let seen = hearing.violation.map(|violation| violation.rule);
    let wanted = stated.violation.as_ref().map(|broken| broken.rule);
    if let Err(mismatch) = stated.compare(&hearing.events) {
        let lines = |events: &[Event], broken: Option<Rule>| {
            let broken = broken.map(|it| rule(Some(it)));
            let events = events.iter().map(draftgate_vectors::shown);
            events.chain(broken).collect::<Vec<_>>()
        };
        return Err(Box::new(Mismatch {
            what: "the events are not the expected ones".to_owned(),
            expected: lines(&mismatch.expected, wanted),
            seen: lines(&mismatch.seen, seen),
            ..Mismatch::default()
        }));
    }
    if seen != wanted {
        return Err(Mismatch::of(
            "the rule that is broken is not the expected one",
            rule(wanted),
            rule(seen),
        ));
    }
    let end = |breaks: bool| match breaks {
        true => "the connection breaks off when TCP ends",
        false => "the connection is done when TCP ends",
    };
    let (wanted, seen) = (
        stated.ends.abnormal(vector.about.draft),
        hearing.breaks_off(),
    );
    match wanted == seen {
        true => Ok(()),
        false => Err(Mismatch::of(
            "the end of TCP is taken for another end",
            end(wanted),
            end(seen),
        )),
    }
}

/// Lays octets beside octets in `mismatch`.
fn explained(
    vector: &Vector,
    stated: &Stated,
    role: Role,
    codec: Option<Box<dyn Codec>>,
    (rest, proof): (&Bytes, usize),
    mut mismatch: Box<Mismatch>,
) -> Box<Mismatch> {
    let (draft, from): (Draft, Role) = (vector.about.draft, role.peer());
    let Some(codec) = codec.filter(|_| mismatch.octets.is_empty() && mismatch.fields.is_empty())
    else {
        return mismatch;
    };
    let counts =
        |event: &Event| !matches!(event, Event::Notice(_)) || stated.events.contains(event);
    let [client, server] = [Role::Client, Role::Server].map(|side| vector.octets(side));
    let said = Said {
        draft,
        from,
        octets: rest.clone(),
        agreed: compression::recorded(&client, &server),
    };
    units::explain_to(codec, (&said, proof), &stated.events, counts, &mut mismatch);
    mismatch
}
