//! Secrets taken out of an exchange that is a file already, by the same
//! names and with the same words as when one is recorded. A secret that goes
//! over several steps is taken out of all of them.

use std::{collections::BTreeSet, ops::Range};

use bytes::{Bytes, BytesMut};
use draftgate_core::Role;
use draftgate_vectors::{Action, Content, Form, Placeholder, Slot, Stream, Vector};

use crate::secrets::{Found, REDACTED, Secrets};

/// Where a head ends.
const END: &[u8] = b"\r\n\r\n";

/// Takes the secrets out of the heads of `vector`, and says so in it; the names
/// of what was taken out. None, and `vector` as it was, if there is nothing
/// left to take out.
pub fn redact(vector: &mut Vector, secrets: &Secrets) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for side in [Role::Client, Role::Server] {
        let mut head = vector.octets(side);
        if let Some(end) = head.windows(END.len()).position(|it| it == END) {
            head.truncate(end + END.len());
        }
        let mut found = secrets.find(&head);
        found.retain(|it| head[it.range.clone()] != *REDACTED.as_bytes());
        if found.is_empty() {
            continue;
        }
        let mut at = 0;
        for step in vector.steps.iter_mut().filter(|step| step.from == side) {
            if let Action::Send(content) = &mut step.action {
                let length = content.octets.len();
                without(content, at, &found);
                at += length;
            }
        }
        let stream = Stream::of(&vector.octets(side));
        match side {
            Role::Client => vector.about.client_stream = Some(stream),
            Role::Server => vector.about.server_stream = Some(stream),
        }
        names.extend(found.into_iter().map(|it| it.name));
    }
    if !names.is_empty() {
        let list: Vec<_> = names.iter().map(String::as_str).collect();
        let said = format!(
            "secrets were taken out, the values of {}; length and hash are of what stands here",
            list.join(", ")
        );
        let altered = &mut vector.about.altered;
        *altered = Some(match altered.take() {
            Some(before) => format!("{before}; {said}"),
            None => said,
        });
    }
    names
}

/// Takes out of `content`, which begins at `at` in its stream, what of `found`
/// lies in it.
fn without(content: &mut Content, at: usize, found: &[Found]) {
    let whole = at..at + content.octets.len();
    let mut octets = BytesMut::new();
    let mut slots = Vec::new();
    let mut done = at;
    let keep = |range: Range<usize>, octets: &mut BytesMut, slots: &mut Vec<Slot>| {
        let moved = |place: usize| place + at - range.start + octets.len();
        for slot in &content.slots {
            let inside =
                range.contains(&(slot.range.start + at)) && slot.range.end + at <= range.end;
            if inside {
                slots.push(Slot {
                    range: moved(slot.range.start)..moved(slot.range.end),
                    placeholder: slot.placeholder,
                });
            }
        }
        octets.extend_from_slice(&content.octets[range.start - at..range.end - at]);
    };
    for it in found {
        let start = it.range.start.max(whole.start);
        let end = it.range.end.min(whole.end);
        if start >= end {
            continue;
        }
        keep(done..start, &mut octets, &mut slots);
        // A secret that goes on in the next step was told where it began.
        if start == it.range.start {
            let from = octets.len();
            octets.extend_from_slice(REDACTED.as_bytes());
            if it.is_field {
                slots.push(Slot {
                    range: from..octets.len(),
                    placeholder: Placeholder::Redacted,
                });
            }
        }
        done = end;
    }
    if done == at {
        return;
    }
    keep(done..whole.end, &mut octets, &mut slots);
    let octets: Bytes = octets.freeze();
    // Another exchange may name the same file.
    let form = match std::str::from_utf8(&octets) {
        Ok(_) if content.form != Form::Hex => Form::Text,
        _ => Form::Hex,
    };
    *content = Content {
        octets,
        slots,
        form,
    };
}
