//! The policy between drafts as it was decided on, written down a second time
//! by the drafts' names: what is declared is worked out by the functions that
//! the gateway goes by, and would follow them into any mistake.

use draftgate_core::{Close, Draft, Rendering, Rule};
use draftgate_gateway::config::BinaryPolicy;
use draftgate_translate::{
    DropReason,
    table::{Arrival, Case, Change, Declared, Ending, Reply},
};

pub(crate) fn wanted(case: Case, from: Draft, to: Draft, policy: BinaryPolicy) -> Declared {
    let reply = reply(case, from);
    let arrival = match reply {
        Reply::Nothing => arrival(case, to, policy),
        _ => Arrival::Nothing,
    };
    let noticed = match case {
        Case::NotUtf8 => from < Draft::Hybi08,
        Case::LengthFrame => hixie(from),
        Case::Pong => !hixie(from),
        _ => false,
    };
    Declared {
        notices: u64::from(noticed),
        reply,
        arrival,
    }
}

fn hixie(draft: Draft) -> bool {
    draft <= Draft::Hixie76
}

fn reply(case: Case, from: Draft) -> Reply {
    match case {
        Case::Text | Case::EmptyText | Case::LongText | Case::HugeText => Reply::Nothing,
        Case::NotUtf8 if from < Draft::Hybi08 => Reply::Nothing,
        Case::NotUtf8 => failed(Rule::NotUtf8, from, 1007, "a text message is not UTF-8"),
        Case::TooBig => {
            let code = if from < Draft::Hybi13 { 1004 } else { 1009 };
            let why = "the message is larger than the limit for messages";
            failed(Rule::MessageTooBig, from, code, why)
        }
        Case::CloseWithoutCode => Reply::Closed {
            told: ending(from, None),
            logged: match from {
                Draft::Hixie75 => None,
                // A close in which no code can be said is a normal one.
                old if old < Draft::Hybi06 => Some(1000),
                _ => Some(1005),
            },
        },
        Case::LengthFrame | Case::LengthFrameAccepted if hixie(from) => Reply::Nothing,
        Case::LengthFrame | Case::LengthFrameAccepted => Reply::Unsayable,
        _ if hixie(from) => Reply::Unsayable,
        Case::TextInFragments
        | Case::Binary
        | Case::BinaryUtf8
        | Case::EmptyBinary
        | Case::LongBinary
        | Case::HugeBinary
        | Case::BinaryInFragments
        | Case::Pong => Reply::Nothing,
        Case::Ping => Reply::Pong,
        Case::CloseWithCode if from < Draft::Hybi06 => Reply::Unsayable,
        Case::CloseWithCode => Reply::Closed {
            told: ending(from, Some(Close::new(4000, ""))),
            logged: Some(4000),
        },
    }
}

fn failed(rule: Rule, from: Draft, code: u16, why: &str) -> Reply {
    Reply::Failed {
        rule,
        told: ending(from, Some(Close::new(code, why))),
    }
}

fn ending(draft: Draft, close: Option<Close>) -> Ending {
    match draft {
        Draft::Hixie75 => Ending::Tcp,
        Draft::Hixie76 => Ending::Marker,
        Draft::Hybi05 => Ending::Letter,
        old if old < Draft::Hybi06 => Ending::Frame(None),
        _ => Ending::Frame(close),
    }
}

fn arrival(case: Case, to: Draft, policy: BinaryPolicy) -> Arrival {
    let change = Change {
        joined: matches!(case, Case::TextInFragments | Case::BinaryInFragments),
        repaired: case == Case::NotUtf8,
        ..Change::default()
    };
    let rendered = |rendering| {
        Arrival::Message(Change {
            rendering,
            ..change
        })
    };
    let utf8 = match case {
        Case::Pong | Case::LengthFrame => return Arrival::Nothing,
        Case::BinaryUtf8 | Case::EmptyBinary => true,
        Case::Binary
        | Case::LongBinary
        | Case::HugeBinary
        | Case::BinaryInFragments
        | Case::LengthFrameAccepted => false,
        _ => return Arrival::Message(change),
    };
    match policy {
        _ if !hixie(to) => Arrival::Message(change),
        BinaryPolicy::Base64 => rendered(Rendering::Base64),
        BinaryPolicy::Hex => rendered(Rendering::Hex),
        BinaryPolicy::TextIfUtf8 if utf8 => rendered(Rendering::Utf8),
        BinaryPolicy::TextIfUtf8 => Arrival::Dropped(DropReason::NotUtf8),
        BinaryPolicy::LengthFrame => Arrival::Message(Change {
            length_frame: true,
            ..change
        }),
        BinaryPolicy::Drop => Arrival::Dropped(DropReason::NoBinary),
        BinaryPolicy::Close => Arrival::Closed(ending(to, None)),
    }
}
