//! JSON Web Tokens (RFC 7519): whether one is signed by whom it must be, for us
//! and for now, and what it grants.

use std::{
    collections::HashMap,
    fmt,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use jsonwebtoken::{
    Algorithm, DecodingKey, Validation, decode,
    errors::{Error, ErrorKind},
};
use serde_json::Value;
use tokio::time::Instant;

use super::{Admitted, grant, ring};
use crate::{
    Refused,
    config::{AtExpiry, Jwt, JwtAlgorithm},
};

/// More octets than any token that a head may hold by default.
const LONGEST: usize = 16 << 10;

/// What judges tokens.
pub(super) struct Judge {
    config: Jwt,
    keys: Vec<(Option<String>, DecodingKey)>,
    validation: Validation,
}

impl Judge {
    /// # Errors
    /// A key is none, which reading the configuration has found before.
    pub(super) fn new(config: &Jwt) -> Result<Self, String> {
        ring::install();
        let mut validation = Validation::new(match config.algorithm {
            JwtAlgorithm::Hs256 => Algorithm::HS256,
            JwtAlgorithm::Rs256 => Algorithm::RS256,
        });
        validation.leeway = config.leeway.as_secs();
        validation.validate_nbf = true;
        let mut required = vec!["exp"];
        // RFC 7519 §4.1.3: who is not named must refuse; without `audience`
        // that is every token that names anybody.
        if !config.audience.is_empty() {
            validation.set_audience(&config.audience);
            required.push("aud");
        }
        if !config.issuer.is_empty() {
            validation.set_issuer(&config.issuer);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        let keys = config.keys.iter();
        let keys: Result<_, String> = keys
            .map(|key| Ok((key.id.clone(), key.verifier()?)))
            .collect();
        Ok(Self {
            config: config.clone(),
            keys: keys?,
            validation,
        })
    }

    /// What `token` grants.
    ///
    /// # Errors
    /// Why it does not let in.
    pub(super) fn judge(&self, token: &[u8]) -> Result<Admitted, Refused> {
        let wrong = |why: &str| Refused::auth_wrong().with(why);
        if token.len() > LONGEST {
            return Err(wrong("it is longer than any token"));
        }
        let header =
            jsonwebtoken::decode_header(token).map_err(|_| wrong("it is no JSON Web Token"))?;
        if header.crit.is_some() {
            // RFC 7515 §4.1.11: what is not understood must be refused.
            return Err(wrong("it demands what is not understood here (`crit`)"));
        }
        let key = self
            .key(header.kid.as_deref())
            .ok_or_else(|| wrong("it names a key that is not known here (`kid`)"))?;
        let decoded = decode::<HashMap<String, Value>>(token, key, &self.validation);
        let claims = decoded.map_err(|error| self.refused(&error))?.claims;
        let grant = match claims.get(&self.config.claim) {
            None | Some(Value::Null) => Default::default(),
            Some(claim) => grant::read(claim)
                .map_err(|why| wrong(&format!("its claim `{}` {why}", self.config.claim)))?,
        };
        let user = claims
            .get(&self.config.user_claim)
            .and_then(|user| match user {
                Value::String(user) => Some(user.clone()),
                Value::Number(user) => Some(user.to_string()),
                _ => None,
            });
        Ok(Admitted {
            user: user.as_deref().map(super::named),
            grant,
            expires: match self.config.at_expiry {
                AtExpiry::Keep => None,
                AtExpiry::Close => self.expiry(claims.get("exp")),
            },
            ..Admitted::default()
        })
    }

    fn key(&self, id: Option<&str>) -> Option<&DecodingKey> {
        let mut keys = self.keys.iter();
        let found = match (id, self.keys.as_slice()) {
            // A key without a name answers to any.
            (_, [(None, key)]) | (None, [(_, key)]) => return Some(key),
            (Some(id), _) => keys.find(|(known, _)| known.as_deref() == Some(id)),
            (None, _) => None,
        };
        found.map(|(_, key)| key)
    }

    /// When a connection with a token of `exp` is to end.
    fn expiry(&self, exp: Option<&Value>) -> Option<Instant> {
        let exp = exp?.as_f64()?;
        // None is beyond what any clock will say.
        let at = Duration::try_from_secs_f64(exp.max(0.0)).ok()?;
        let at = at.checked_add(self.config.leeway)?;
        let now = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        Instant::now().checked_add(at.saturating_sub(now))
    }

    fn refused(&self, error: &Error) -> Refused {
        let leeway = self.config.leeway;
        let why = match error.kind() {
            ErrorKind::ExpiredSignature => {
                return Refused::auth_expired();
            }
            ErrorKind::ImmatureSignature => {
                return Refused::auth_wrong().with(format!(
                    "it is not valid yet (`nbf`), by more than {leeway:?}"
                ));
            }
            ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => {
                "it is signed by another algorithm than the one that is taken here"
            }
            ErrorKind::InvalidSignature => "its signature is not by a key that is known here",
            ErrorKind::InvalidIssuer => "it was issued by somebody else (`iss`)",
            ErrorKind::InvalidAudience => "it is meant for somebody else (`aud`)",
            ErrorKind::MissingRequiredClaim(claim) => {
                return Refused::auth_wrong().with(format!("it lacks the claim `{claim}`"));
            }
            _ => "it is no JSON Web Token that could be read",
        };
        Refused::auth_wrong().with(why)
    }
}

impl fmt::Debug for Judge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Judge").field(&self.config).finish()
    }
}
