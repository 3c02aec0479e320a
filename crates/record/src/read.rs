//! What draftgate itself made of a recorded exchange when it was recorded.
//!
//! That is no judgement: a file in which it stands is tagged so, and whoever
//! puts it into an archive of expectations reads the octets first. What it is
//! good for is to see later whether anything has changed.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Limits, Notice, Outbox, Role, State, Violation};
use draftgate_drafts::{
    FixedKeys, acceptor,
    opening::{Accepted, Refusal, parts},
    recorded::{answer_within, resume},
};
use draftgate_vectors::{AnswerFacts, Broken, Ends, Expectation, Refused, Stated};

/// What a role makes of its peer's stream, of an exchange in a draft.
/// `mid_frame`: the stream ends in a frame, which a codec that discards it does
/// not show.
pub(crate) fn expectation(
    (draft, role): (Draft, Role),
    client: &Bytes,
    server: &Bytes,
    mid_frame: bool,
) -> Expectation {
    let mut read = match role {
        Role::Server => as_server(draft, client, server),
        Role::Client => as_client(draft, client, server),
    };
    if let Expectation::Stated(stated) = &mut read
        && mid_frame
        && stated.ends == Ends::Open
    {
        stated.ends = Ends::MidFrame;
    }
    read
}

fn as_server(draft: Draft, client: &Bytes, server: &Bytes) -> Expectation {
    if client.is_empty() {
        return stated(Ends::Nothing);
    }
    let (request, head) = match parts(client) {
        Ok(Some(whole)) => whole,
        Ok(None) => return stated(Ends::MidHead),
        Err(malformed) => return refused("head-malformed", malformed.to_string()),
    };
    let accepted = match answer_within(Limits::default(), &request, server) {
        Ok((_, accepted)) => accepted,
        Err(refusal) => return of_refusal(&refusal),
    };
    let mut facts = facts(&accepted, server);
    let challenged = acceptor(draft).is_ok_and(|acceptor| acceptor.octets_after_head() > 0);
    let (mut found, wrote) = heard(accepted.codec, client.slice(head..));
    if found.ends.after_opening() && challenged {
        facts.md5 = wrote.first_chunk().copied();
    }
    found.answer = facts;
    Expectation::Stated(Box::new(found))
}

/// What our answer says, as far as the recorded one says the same: the rest is
/// the choice of a server and of its configuration.
fn facts(accepted: &Accepted, server: &Bytes) -> AnswerFacts {
    let ours = |names: [&str; 2]| {
        let fields = &accepted.head.fields;
        let (_, value) = fields.iter().find(|(name, _)| names.contains(&&**name))?;
        let line = value.as_bytes();
        let said = server.windows(line.len() + 2).any(|window| {
            window
                .strip_suffix(b"\r\n")
                .is_some_and(|said| said == line)
        });
        said.then(|| String::from_utf8_lossy(line).into_owned())
    };
    AnswerFacts {
        origin: ours(["Sec-WebSocket-Origin", "WebSocket-Origin"]),
        location: ours(["Sec-WebSocket-Location", "WebSocket-Location"]),
        subprotocol: ours(["Sec-WebSocket-Protocol", "WebSocket-Protocol"]),
        accept: ours(["Sec-WebSocket-Accept", ""]),
        md5: None,
    }
}

fn as_client(draft: Draft, client: &Bytes, server: &Bytes) -> Expectation {
    if server.is_empty() {
        return stated(Ends::Nothing);
    }
    let mut pending = match resume(draft, client, &mut FixedKeys::new([0])) {
        Ok(pending) => pending,
        Err(refusal) => {
            return Expectation::Unstated(format!(
                "the request is none that a client of {draft} sends ({}), so that there is nothing to hold the answer to",
                refusal.code()
            ));
        }
    };
    let mut input = BytesMut::from(&server[..]);
    match pending.answer(&mut input) {
        Err(refusal) => of_refusal(&refusal),
        Ok(None) if server.windows(4).any(|w| w == b"\r\n\r\n") => stated(Ends::MidChallenge),
        Ok(None) => stated(Ends::MidHead),
        Ok(Some(connected)) => {
            let (found, _) = heard(connected.codec, input.freeze());
            Expectation::Stated(Box::new(found))
        }
    }
}

fn of_refusal(refusal: &Refusal) -> Expectation {
    refused(refusal.code(), refusal.to_string())
}

fn refused(code: &str, reason: String) -> Expectation {
    Expectation::Stated(Box::new(Stated {
        refused: Some(Refused {
            rules: vec![code.to_owned()],
            reason,
        }),
        ..nothing(Ends::Refused)
    }))
}

fn stated(ends: Ends) -> Expectation {
    Expectation::Stated(Box::new(nothing(ends)))
}

fn nothing(ends: Ends) -> Stated {
    Stated {
        events: Vec::new(),
        ends,
        refused: None,
        violation: None,
        tolerated: Vec::new(),
        answer: AnswerFacts::default(),
    }
}

/// What `codec` makes of `octets`, and what it writes of its own accord.
fn heard(mut codec: Box<dyn Codec>, octets: Bytes) -> (Stated, Bytes) {
    let mut input = BytesMut::from(&octets[..]);
    let mut out = Outbox::new();
    let mut events = Vec::new();
    codec.start(&mut out);
    let mut broken: Option<Violation> = None;
    loop {
        match codec.receive(&mut input, &mut out) {
            Ok(None) => break,
            Ok(Some(Event::Notice(Notice::AfterClose { .. }))) => {}
            Ok(Some(event)) => events.push(event),
            Err(violation) => {
                codec.fail(&violation, &mut out);
                broken = Some(violation);
                break;
            }
        }
    }
    let opened = events.contains(&Event::Opened);
    let closed = events.iter().any(|event| matches!(event, Event::Close(_)));
    let ends = match &broken {
        Some(_) if opened => Ends::Violation,
        _ if !opened => Ends::MidChallenge,
        _ if closed || codec.state() == State::Closed => Ends::Closed,
        _ if codec.is_within_message() || !input.is_empty() => Ends::MidFrame,
        _ => Ends::Open,
    };
    // Notices are expected where somebody says that they matter.
    events.retain(|event| !matches!(event, Event::Notice(_)));
    let found = Stated {
        events,
        violation: broken.filter(|_| opened).map(|violation| Broken {
            rule: violation.rule,
            reason: violation.rule.to_string(),
        }),
        ..nothing(ends)
    };
    (found, out.take_all())
}
