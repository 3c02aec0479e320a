//! A request's head, and whether it opens a connection.

use bytes::Bytes;
use draftgate_core::{Draft, Limits, Role};
use draftgate_wire::{
    FixedKeys,
    dissect::Unit,
    opening::{self, LengthFrames, Refusal, RefusalKind, Terms},
};
use http::request::Parts;

use super::{Refused, newest, notes, sections};
use crate::{Detection, accept, acceptor, detect};

/// A request with what is to be said of it.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) unit: Unit,
    /// Which draft it is in, or why none; `None` if it is not whole.
    pub(super) told: Option<Result<Draft, Refused>>,
}

impl Request {
    /// The request at the front of `octets`; judged by the rules of `draft`, or
    /// of its own.
    pub(super) fn read(octets: &Bytes, draft: Option<Draft>) -> Self {
        let parsed = opening::parts(octets);
        let (told, refusal) = match &parsed {
            Ok(None) => (None, None),
            Err(malformed) => (Some(Err(malformed.clone().into())), None),
            Ok(Some((parts, _))) => judge(parts, draft),
        };
        let own = told.clone().and_then(Result::ok);
        let reads_in = draft.or(own).unwrap_or_else(newest);
        let mut unit = Unit::head(reads_in, Role::Client, octets);
        if unit.cut_off {
            // A library may find fault with what is there; more may come.
            notes::request(&mut unit);
            return Self { unit, told: None };
        }
        match (&refusal, &told) {
            (Some(refusal), _) => unit.fault = Some(sections::fault(&unit, refusal)),
            (None, Some(Err(refused))) if parsed.is_err() => {
                unit.fault = Some(sections::malformed(&unit, refused));
            }
            _ => {}
        }
        notes::request(&mut unit);
        Self { unit, told }
    }
}

type Judged = (Option<Result<Draft, Refused>>, Option<Refusal>);

fn judge(parts: &Parts, draft: Option<Draft>) -> Judged {
    let detected = detect(parts, Detection::RECORDED);
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://localhost/",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = |draft| {
        let accepted = opening::origin(&parts.headers)
            .and_then(|_| accept(draft, parts, &terms, &mut FixedKeys::new([0])));
        let refusal = accepted.err();
        // That is no fault of the request.
        refusal.filter(|refusal| refusal.kind != RefusalKind::DraftNotBuilt)
    };
    let own = match &detected {
        Ok(own) => accepted(*own),
        Err(refusal) => Some(refusal.clone()),
    };
    let told = match &own {
        Some(refusal) => Err(refusal.into()),
        None => detected.map_err(|refusal| Refused::from(&refusal)),
    };
    let refusal = match draft {
        // What a request of it must hold is not known.
        Some(given) if acceptor(given).is_err() => None,
        Some(given) if told != Ok(given) => own.or_else(|| accepted(given)),
        _ => own,
    };
    (Some(told), refusal)
}
