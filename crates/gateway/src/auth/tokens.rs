//! Tokens that stand in the configuration.

use super::Admitted;
use crate::{Refused, config::NamedToken};

/// Whose `token` it is. Every token is compared, each in a time that does not
/// tell where they differ.
///
/// # Errors
/// Nobody's.
pub(super) fn judge(tokens: &[NamedToken], token: &[u8]) -> Result<Admitted, Refused> {
    let mut found = None;
    for named in tokens {
        if named.token.is(token) {
            found = found.or(Some(named));
        }
    }
    let named = found.ok_or_else(Refused::auth_wrong)?;
    Ok(Admitted {
        user: named.name.as_deref().map(super::named),
        grant: named.grant.clone(),
        ..Admitted::default()
    })
}
