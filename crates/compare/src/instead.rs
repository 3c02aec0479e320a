//! What the gateway tells a client whose draft has no words for something: the
//! decisions of `draftgate-translate`, each made and, where octets come of it,
//! written by the codec of the draft.

use bytes::Bytes;
use draftgate_core::{Close, Draft, Message, Outgoing, Role, Shared};
use draftgate_drafts::opening::{LengthFrames, Refusal};
use draftgate_translate::{BinaryPolicy, Outcome, Policy, close, message, render};

use crate::{
    ends::{Ends, Masks, said},
    table::Said,
    what::{Say, What, quoted},
};

/// What the gateway does under one policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instead {
    /// The key of a route's configuration that decides; `None` if there is
    /// nothing to decide.
    pub key: Option<&'static str>,
    /// The value of the key.
    pub value: Option<&'static str>,
    /// Whether that is the default.
    pub default: bool,
    /// What it does, in words.
    pub does: String,
    /// The octets that come of it, if any.
    pub said: Option<Said>,
}

/// What happens in the place of `what`, which a server of `draft` cannot say.
pub(crate) fn instead(what: &What, draft: Draft, masks: Masks) -> Result<Vec<Instead>, Refusal> {
    match &what.say {
        Say::Message(binary) => BinaryPolicy::ALL
            .into_iter()
            .map(|policy| by_policy(binary, policy, draft, masks))
            .collect(),
        Say::Ping(_) => heartbeats(draft, masks),
        Say::Close(meant) => Ok(vec![closing(meant.clone(), draft, masks)?]),
    }
}

fn by_policy(
    binary: &Message,
    policy: BinaryPolicy,
    draft: Draft,
    masks: Masks,
) -> Result<Instead, Refusal> {
    let length_frames = LengthFrames {
        send: policy == BinaryPolicy::LengthFrame,
        accept: false,
    };
    let mut ends = Ends::open(draft, masks, length_frames)?;
    let capabilities = ends.server.capabilities();
    let route = Policy {
        binary: policy,
        ..Policy::default()
    };
    let shared = Shared::new(binary.clone());
    let (does, octets) = match message(&shared, &capabilities, &route) {
        Outcome::Send(rendering) => {
            let rendered = render(binary, rendering, None);
            let does = match &rendered {
                Message::Text(text) => format!("the text {}", quoted(text.as_bytes())),
                Message::Binary(_) => {
                    "a frame of type `80` with its length, which the draft tells clients to discard"
                        .to_owned()
                }
            };
            let octets = said(&mut *ends.server, Outgoing::Message(rendered));
            (does, octets.ok())
        }
        Outcome::Drop(reason) => (format!("dropped, and counted as `{reason}`"), None),
        Outcome::Close(meant) => {
            let told = close(Some(meant), &capabilities, draft);
            let octets = said(&mut *ends.server, Outgoing::Close(told)).ok();
            let end = ended(octets.as_ref());
            (format!("the client is closed: {end}"), octets)
        }
    };
    Ok(Instead {
        key: Some("binary"),
        value: Some(policy.name()),
        default: policy == BinaryPolicy::default(),
        does,
        said: written(draft, octets)?,
    })
}

/// A route's `heartbeat`, which is all that such a draft has.
fn heartbeats(draft: Draft, masks: Masks) -> Result<Vec<Instead>, Refusal> {
    let mut done = vec![Instead {
        key: Some("heartbeat"),
        value: Some("off"),
        default: true,
        does: "nothing is sent".to_owned(),
        said: None,
    }];
    let may = [
        ("empty-text", Outgoing::Message("".into()), "an empty text"),
        (
            "unknown-frame",
            Outgoing::Filler,
            "a frame of a type that clients discard in silence",
        ),
    ];
    for (value, what, does) in may {
        let mut ends = Ends::open(draft, masks, LengthFrames::default())?;
        // What the draft cannot say either is no policy for its routes.
        if let Ok(octets) = said(&mut *ends.server, what) {
            done.push(Instead {
                key: Some("heartbeat"),
                value: Some(value),
                default: false,
                does: format!("{does}, every `heartbeat-interval`"),
                said: written(draft, Some(octets))?,
            });
        }
    }
    Ok(done)
}

fn closing(meant: Close, draft: Draft, masks: Masks) -> Result<Instead, Refusal> {
    let mut ends = Ends::open(draft, masks, LengthFrames::default())?;
    let told = close(Some(meant), &ends.server.capabilities(), draft);
    let code = told.as_ref().map(|told| told.code);
    let octets = said(&mut *ends.server, Outgoing::Close(told)).ok();
    Ok(Instead {
        key: None,
        value: None,
        default: true,
        does: match code {
            Some(code) => format!("{code}, the nearest code that the draft has"),
            None => ended(octets.as_ref()).to_owned(),
        },
        said: written(draft, octets)?,
    })
}

fn ended(octets: Option<&Bytes>) -> &'static str {
    match octets {
        Some(octets) if !octets.is_empty() => "the draft's closing handshake, without a code",
        _ => "the end of TCP, because the draft has no closing handshake",
    }
}

fn written(draft: Draft, octets: Option<Bytes>) -> Result<Option<Said>, Refusal> {
    octets
        .filter(|octets| !octets.is_empty())
        .map(|octets| Said::frames(draft, Role::Server, octets))
        .transpose()
}
