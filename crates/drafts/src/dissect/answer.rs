//! An answer's head, and whether it belongs to the request.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use draftgate_core::{Draft, Limits, Role};
use draftgate_wire::{
    FixedKeys,
    dissect::{Fault, Unit},
    opening::{self, LengthFrames, Pending, Refusal, RefusalKind, Resume},
};

use super::{newest, notes, sections};
use crate::{acceptor, compression::Offers, offerer};

/// An answer with what is to be said of it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) unit: Unit,
    /// Whether a connection is open behind it.
    pub(super) switches: bool,
    /// What is to be said of the octets of the proof behind it.
    pub(super) digest: Option<Digest>,
}

/// What is to be said of the octets behind an answer.
#[derive(Debug)]
pub(super) enum Digest {
    Right,
    Wrong(Fault),
}

impl Digest {
    /// Says it.
    pub(super) fn put_on(self, unit: &mut Unit) {
        match self {
            Self::Right => {
                if let Some(field) = unit.fields.first_mut() {
                    field.noting("right for the keys");
                }
            }
            Self::Wrong(fault) => unit.fault = Some(fault),
        }
    }
}

impl Answer {
    /// The answer at the front of `server`, to the request at the front of
    /// `client` if that is there.
    pub(super) fn read(client: &Bytes, server: &Bytes, draft: Option<Draft>) -> Self {
        let reads_in = draft.unwrap_or_else(newest);
        let mut unit = Unit::head(reads_in, Role::Server, server);
        let status = unit.octets.split(|octet| *octet == b' ').nth(1);
        let switches = status == Some(b"101");
        let mut digest = None;
        if !unit.cut_off {
            let judged = draft.and_then(|draft| judge(client, server, draft));
            // A HELLO is a unit of its own, and is judged there.
            let of_hello = |refusal: &Refusal| refusal.kind == RefusalKind::AnswerHello;
            let judged = judged.map(|it| match it {
                Err(refusal) if of_hello(&refusal) => Ok(false),
                it => it,
            });
            let belongs = matches!(&judged, Some(Ok(_)));
            match judged {
                Some(Err(refusal)) if refusal.kind == RefusalKind::AnswerChallenge => {
                    digest = Some(Digest::Wrong(Fault {
                        at_bit: 0,
                        ..sections::fault(&unit, &refusal)
                    }));
                }
                Some(Err(refusal)) => unit.fault = Some(sections::fault(&unit, &refusal)),
                Some(Ok(true)) => digest = Some(Digest::Right),
                Some(Ok(false)) | None => {}
            }
            notes::answer(&mut unit, belongs);
        }
        Self {
            unit,
            switches,
            digest,
        }
    }
}

/// Whether the client that sent `client` takes `server`; `Ok(false)` if octets
/// are missing to say it of the proof as well, `None` if of nothing.
fn judge(client: &Bytes, server: &Bytes, draft: Draft) -> Option<Result<bool, Refusal>> {
    let (_, head) = opening::parts(client).ok()??;
    let behind = acceptor(draft).ok()?.octets_after_head();
    let mut request = client.slice(..client.len().min(head + behind)).to_vec();
    let missing = head + behind - request.len();
    // The head can be judged without them.
    request.resize(head + behind, 0);
    let wait = |secure| -> Option<Box<dyn Pending>> {
        let terms = Resume {
            secure,
            limits: Limits::default(),
            length_frames: LengthFrames::default(),
            extensions: Some(Arc::new(Offers::RECORDED)),
        };
        let offerer = offerer(draft).ok()?;
        offerer
            .resume(&request, terms, &mut FixedKeys::new([0]))
            .ok()
    };
    let mut answered = wait(false)?.answer(&mut BytesMut::from(&server[..]));
    // Whether it went over TLS does not show in the octets.
    if matches!(&answered, Err(refusal) if refusal.kind == RefusalKind::AnswerLocation)
        && let Ok(under_tls) = wait(true)?.answer(&mut BytesMut::from(&server[..]))
    {
        answered = Ok(under_tls);
    }
    match answered {
        Err(refusal) if missing > 0 && refusal.kind == RefusalKind::AnswerChallenge => {
            Some(Ok(false))
        }
        Err(refusal) => Some(Err(refusal)),
        Ok(connected) => Some(Ok(connected.is_some() && missing == 0)),
    }
}
