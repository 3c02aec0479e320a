//! Any stream of octets, field by field, in any draft.

use bytes::Bytes;
use draftgate_core::{Draft, Role};
use draftgate_wire::{Dialect, dissect, opening::Refusal};

use crate::{acceptor, dialects, not_built};

/// The frames of `draft` in `octets`, which `from` sent after the opening.
///
/// # Errors
/// The draft is not spoken, so that nothing is known of its frames.
pub fn frames(draft: Draft, from: Role, octets: Bytes) -> Result<dissect::Stream, Refusal> {
    let layout = acceptor(draft)?.frames();
    let dialect = dialect(draft)?;
    Ok(dissect::Stream::new(layout, dialect, from, octets))
}

fn dialect(draft: Draft) -> Result<&'static Dialect, Refusal> {
    dialects()
        .find(|dialect| dialect.draft == draft)
        .ok_or_else(|| not_built(draft))
}
