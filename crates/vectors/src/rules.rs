//! What the parts of a file must be to each other: steps to the steps before
//! them, placeholders to the side that sends them, [about] to what was
//! recorded. No schema can say these.

use std::{collections::BTreeSet, ops::Range};

use bytes::{Bytes, BytesMut};
use draftgate_core::Role;

use crate::{
    Action, Content, Head, Kind, Placeholder,
    contents::{Contents, Fault},
    load::sha256,
};

/// Everything that is wrong with `contents` as a whole.
pub(crate) fn faults(contents: &Contents) -> Vec<Fault> {
    let mut faults = Vec::new();
    for side in [Role::Client, Role::Server] {
        order(contents, side, &mut faults);
    }
    about(contents, &mut faults);
    for (side, at) in [Role::Client, Role::Server]
        .into_iter()
        .zip(&contents.places.streams)
    {
        if let Some(what) = stream(contents, side) {
            faults.push(Fault {
                at: at.clone(),
                what,
            });
        }
    }
    for (deviation, at) in contents.deviations.iter().zip(&contents.places.deviations) {
        if !contents.about.roles.contains(&deviation.role) {
            let what = format!(
                "a {} deviates here, but `role` of [about] says that none is under test",
                deviation.role
            );
            let at = at.clone();
            faults.push(Fault { at, what });
        }
    }
    faults.sort_by_key(|fault| fault.at.start);
    faults
}

/// What `side` does when it cannot any more, and what stands in its octets.
fn order(contents: &Contents, side: Role, faults: &mut Vec<Fault>) {
    let mut ended = None;
    let mut masked = false;
    let steps = contents.steps.iter().zip(&contents.places.steps);
    for (step, at) in steps.filter(|(step, _)| step.from == side) {
        let mut fault = |what: String| {
            faults.push(Fault {
                at: at.clone(),
                what,
            });
        };
        let sends = matches!(step.action, Action::Send(_) | Action::Gap(_));
        match (&ended, &step.action) {
            (Some(Action::Close(_)), _) => {
                fault(format!(
                    "the {side} is gone since its `close`; nothing of it can follow"
                ));
            }
            (Some(Action::Eof), Action::Eof) => {
                fault(format!(
                    "the {side} ended its half of the connection before; say it once"
                ));
            }
            (Some(Action::Eof), _) if sends => {
                fault(format!(
                    "the {side} ended its half of the connection before; it can send nothing more"
                ));
            }
            (Some(Action::Timeout(_)), _) if sends => {
                fault(format!(
                    "the {side} is silent from its `timeout` on; it can send nothing more"
                ));
            }
            _ => {}
        }
        match &step.action {
            Action::Send(content) => slots(content, side, &mut masked, &mut fault),
            Action::Gap(_) => {
                masked = false;
                if contents.about.partial.is_none() {
                    fault("octets are missing here; say why in `partial` of [about]".to_owned());
                }
            }
            Action::Timeout(_) if matches!(ended, Some(Action::Eof)) => {}
            action => ended = Some(action.clone()),
        }
    }
}

fn slots(content: &Content, side: Role, masked: &mut bool, fault: &mut impl FnMut(String)) {
    for slot in &content.slots {
        let placeholder = slot.placeholder;
        if placeholder.sender().is_some_and(|sender| sender != side) {
            fault(format!(
                "the placeholder `{placeholder}` is never the {side}'s; write its value without"
            ));
        }
        if let Some(what) = placeholder.fault(&content.octets[slot.range.clone()]) {
            fault(what);
        }
        match placeholder {
            Placeholder::Mask => *masked = true,
            Placeholder::Masked if !*masked => {
                fault(format!(
                    "`masked` needs a `mask` of the {side} before it, and since its last `gap`"
                ));
            }
            _ => {}
        }
    }
}

/// What [about] says too much or too little.
fn about(contents: &Contents, faults: &mut Vec<Fault>) {
    let Contents { about, places, .. } = contents;
    let (at, attested) = (&places.about, &places.attested);
    let mut fault = |at: &Range<usize>, what: String| {
        faults.push(Fault {
            at: at.clone(),
            what,
        });
    };
    match (about.kind, attested) {
        (Kind::Reconstructed, None) => fault(
            at,
            "a reconstructed exchange names the source of each field; add [about.attested]"
                .to_owned(),
        ),
        (Kind::Reconstructed, Some(attested)) => {
            for lacking in lacking(contents) {
                fault(
                    attested,
                    format!("[about.attested] lacks `{lacking}`; name the source that attests it"),
                );
            }
        }
        (_, Some(attested)) => fault(
            attested,
            "only a reconstructed exchange is `attested`; name the source of others in `source`"
                .to_owned(),
        ),
        (_, None) => {}
    }
    match (about.kind, &about.basis) {
        (Kind::Constructed, None) => fault(
            at,
            "a constructed exchange needs `basis`: what it is derived from, and why it is there"
                .to_owned(),
        ),
        (Kind::Constructed, Some(_)) | (_, None) => {}
        (_, Some(_)) => fault(
            at,
            "only a constructed exchange has a `basis`; say it in `note`".to_owned(),
        ),
    }
    let mut tags = BTreeSet::new();
    for tag in &about.tags {
        if !tags.insert(tag) {
            fault(at, format!("the tag `{tag}` stands twice"));
        }
    }
}

/// What of the heads is not attested; of a head without end, too.
fn lacking(contents: &Contents) -> BTreeSet<String> {
    let heads = [Role::Client, Role::Server].map(|side| {
        let ended = [&octets(contents, side)[..], b"\r\n\r\n"].concat();
        Head::of(&ended.into())
    });
    let names = heads.iter().flatten().flat_map(Head::fields);
    names
        .map(|(name, _)| name.clone())
        .chain(["order".to_owned()])
        .filter(|name| !contents.about.attested.contains_key(name))
        .collect()
}

/// What is wrong with what [about.streams] says of the steps of `side`.
fn stream(contents: &Contents, side: Role) -> Option<String> {
    let octets = octets(contents, side);
    let Some(stated) = contents.about.stream(side) else {
        return (!octets.is_empty()).then(|| {
            format!("the {side}'s steps have octets, but [about.streams] does not state the stream; add it")
        });
    };
    let sha256 = sha256(&octets);
    if octets.len() as u64 != stated.octets {
        return Some(format!(
            "the {side}'s steps come to {0} octets, [about.streams] says {1}; one of them was changed: put it back, or state `octets = {0}, sha256 = \"{sha256}\"` if that was meant",
            octets.len(),
            stated.octets
        ));
    }
    (sha256 != stated.sha256).then(|| {
        format!(
            "the {side}'s steps have the SHA-256 {sha256}, [about.streams] says {}; one of them was changed: put it back, or state the former if that was meant",
            stated.sha256
        )
    })
}

fn octets(contents: &Contents, side: Role) -> Bytes {
    let mut whole = BytesMut::new();
    for step in contents.steps.iter().filter(|step| step.from == side) {
        if let Some(content) = step.content() {
            whole.extend_from_slice(&content.octets);
        }
    }
    whole.freeze()
}
