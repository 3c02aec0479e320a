//! The refused handshakes that are remembered, as operators see them.

use draftgate_core::Draft;
use serde::Serialize;

use super::{
    answer::Fault,
    connections::Head,
    params::Params,
    past::{Kept, Past},
    when::moment,
};

/// How many are listed where nothing is said.
const LISTED: usize = 50;

/// Some of those that are remembered.
#[derive(Debug, Serialize)]
pub(super) struct Listed {
    /// How many were meant.
    total: usize,
    /// How many of them are told, the last one first.
    listed: usize,
    handshakes: Vec<Told>,
}

/// What is told of a refused handshake.
#[derive(Debug, Serialize)]
pub(super) struct Told {
    /// The connection's, as in the answer's body and in the log.
    id: String,
    /// Its place among all since the start.
    number: u64,
    at: String,
    /// How far it came: `connection`, `handshake`, `http`.
    stage: &'static str,
    code: &'static str,
    /// `null` where the client was told nothing.
    status: Option<u16>,
    error: String,
    detail: Option<String>,
    what_to_do: &'static str,
    peer: String,
    via: Option<String>,
    listener: String,
    draft: Option<&'static str>,
    route: Option<String>,
    method: Option<String>,
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    head: Option<Head>,
}

/// Those that `params` ask for.
///
/// # Errors
/// Something of it is not understood.
pub(super) fn listed(past: &Past, params: &mut Params<'_>) -> Result<Listed, Fault> {
    let code = params.text("code");
    let stage = params.text("stage");
    let draft = params.draft()?;
    let path = params.text("path");
    let peer = params.network("peer")?;
    let limit = params.count("limit")?.unwrap_or(LISTED);
    let takes = |kept: &Kept| {
        code.as_deref().is_none_or(|it| it == kept.code)
            && stage.as_deref().is_none_or(|it| it == kept.stage.name())
            && draft.is_none_or(|it| kept.draft == Some(it))
            && path
                .as_deref()
                .is_none_or(|it| kept.path.as_deref() == Some(it))
            && peer.is_none_or(|it| it.contains(&kept.peer.client.ip()))
    };
    let mut meant = past.last();
    meant.retain(|kept| takes(kept));
    let handshakes: Vec<Told> = meant
        .iter()
        .take(limit)
        .map(|kept| Told::new(kept))
        .collect();
    Ok(Listed {
        total: meant.len(),
        listed: handshakes.len(),
        handshakes,
    })
}

impl Told {
    fn new(kept: &Kept) -> Self {
        let owned = |text: &Option<Box<str>>| text.as_deref().map(str::to_owned);
        Self {
            id: kept.id.to_string(),
            number: kept.number,
            at: moment(kept.at),
            stage: kept.stage.name(),
            code: kept.code,
            status: kept.status,
            error: kept.sentence.to_string(),
            detail: owned(&kept.detail),
            what_to_do: kept.remedy,
            peer: kept.peer.to_string(),
            via: kept.peer.via.map(|via| via.to_string()),
            listener: kept.listener.to_string(),
            draft: kept.draft.map(Draft::name),
            route: owned(&kept.route),
            method: owned(&kept.method),
            path: owned(&kept.path),
            head: (!kept.head.is_empty()).then(|| Head::new(&kept.head)),
        }
    }

    /// The last one of the connection `id`.
    pub(super) fn of(past: &Past, id: &str) -> Option<Self> {
        past.find(id).map(|kept| Self::new(&kept))
    }
}
