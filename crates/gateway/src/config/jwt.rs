//! JSON Web Tokens: by which key they are signed, for whom and until when they
//! must be. What `[routes.auth.jwt]` says.
//!
//! The algorithm is said here and never taken from a token: a public key that
//! is taken for a shared secret is the oldest way in.

use std::{fmt, time::Duration};

use jsonwebtoken::{
    DecodingKey,
    jwk::{AlgorithmParameters, JwkSet, KeyAlgorithm, PublicKeyUse},
};
use toml::de::DeValue;

use super::{
    auth::{Secret, strings},
    problem::Problem,
    reader::{Said, Table, Value, Wrong},
    secret_file::read_secret,
    shown::Shown,
    values::{Pause, word},
};

/// Which JSON Web Tokens are taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Jwt {
    /// How they are signed.
    pub algorithm: JwtAlgorithm,
    /// By which keys; never empty.
    pub keys: Vec<JwtKey>,
    /// Who must have issued them (`iss`); empty: anybody.
    pub issuer: Vec<String>,
    /// For whom they must be (`aud`), one of these; empty: only those that are
    /// for nobody in particular.
    pub audience: Vec<String>,
    /// How far the clocks of others may differ from ours. A minute.
    pub leeway: Duration,
    /// The claim that says what may be done.
    pub claim: String,
    /// The claim that says who it is.
    pub user_claim: String,
    /// What happens to a connection when its token expires.
    pub at_expiry: AtExpiry,
}

/// How tokens are signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JwtAlgorithm {
    /// HMAC with SHA-256: both ends have the secret.
    Hs256,
    /// RSA with SHA-256: only the issuer can sign.
    Rs256,
}

/// What becomes of a connection whose token expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum AtExpiry {
    /// It is closed: the client has to show a new one.
    #[default]
    Close,
    /// It goes on: the token was for the opening alone.
    Keep,
}

/// A key by which tokens are signed. Shared ones are in no log and no report.
#[derive(Clone, PartialEq, Eq)]
pub struct JwtKey {
    /// The name by which a token refers to it (`kid`).
    pub id: Option<String>,
    material: Material,
}

#[derive(Clone, PartialEq, Eq)]
enum Material {
    Secret(String),
    Pem(String),
    /// Modulus and exponent in base64url.
    Components(String, String),
}

impl JwtKey {
    /// What verifies with it.
    ///
    /// # Errors
    /// It is no key.
    pub(crate) fn verifier(&self) -> Result<DecodingKey, String> {
        let key = match &self.material {
            Material::Secret(secret) => Ok(DecodingKey::from_secret(secret.as_bytes())),
            Material::Pem(pem) => DecodingKey::from_rsa_pem(pem.as_bytes()),
            Material::Components(n, e) => DecodingKey::from_rsa_components(n, e),
        };
        key.map_err(|error| error.to_string())
    }
}

impl fmt::Debug for JwtKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JwtKey({}…)", self.id.as_deref().unwrap_or_default())
    }
}

/// Reads the table `jwt`, if it is there.
pub(super) fn read(auth: &mut Table<'_>) -> Option<Jwt> {
    let mut table = auth.table("jwt", "routes.auth.jwt");
    let there = table.is_there();
    let algorithm = table.value::<JwtAlgorithm>("algorithm");
    if there && table.said("algorithm").is_none() {
        let problem = Problem::new(table.place.clone(), "`jwt` lacks `algorithm`");
        table.wrong(problem.help("write `algorithm = \"HS256\"` with `secret`, or \"RS256\" with `public-key` or `jwks-file`: it is never taken from a token"));
    }
    let keys = keys(&mut table, algorithm);
    let mut jwt = Jwt {
        algorithm: algorithm.unwrap_or(JwtAlgorithm::Hs256),
        keys,
        issuer: strings(&mut table, "issuer"),
        audience: strings(&mut table, "audience"),
        leeway: Duration::from_secs(60),
        claim: "draftgate".to_owned(),
        user_claim: "sub".to_owned(),
        at_expiry: AtExpiry::default(),
    };
    table.set_as::<Pause, _>("leeway", &mut jwt.leeway);
    if let (Some(said), true) = (table.said("leeway"), jwt.leeway > MOST_LEEWAY) {
        let wrong = Wrong::new("must be at most 1h: expired tokens would be taken for so long");
        table.wrong_value("leeway", &said, wrong);
    }
    table.set("claim", &mut jwt.claim);
    table.set("user-claim", &mut jwt.user_claim);
    table.set("at-expiry", &mut jwt.at_expiry);
    if !there {
        table.off();
    }
    table.finish();
    there.then_some(jwt)
}

const MOST_LEEWAY: Duration = Duration::from_secs(3600);

fn keys(table: &mut Table<'_>, algorithm: Option<JwtAlgorithm>) -> Vec<JwtKey> {
    use JwtAlgorithm::{Hs256, Rs256};
    let mut keys = Vec::new();
    let mut sources = 0;
    for (key, its) in [
        ("secret", Hs256),
        ("public-key", Rs256),
        ("jwks-file", Rs256),
    ] {
        let Some(said) = table.said(key) else {
            continue;
        };
        if algorithm.is_some_and(|algorithm| algorithm != its) {
            let wrong = Wrong::new("is no key of this `algorithm`");
            table.wrong_value(
                key,
                &said,
                wrong.help("HS256 has `secret`, RS256 has `public-key` or `jwks-file`"),
            );
            sources += 1;
            continue;
        }
        sources += 1;
        match one(key, &said) {
            Ok(more) => keys.extend(more),
            Err(wrong) => table.wrong_value(key, &said, wrong),
        }
    }
    if table.is_there() && algorithm.is_some() && sources != 1 {
        let problem = Problem::new(table.place.clone(), "`jwt` has no key, or two");
        table.wrong(
            problem.help(
                "HS256 has `secret = { file = \"…\" }`, RS256 has `public-key` or `jwks-file`",
            ),
        );
    }
    keys
}

fn one(key: &str, said: &Said<'_>) -> Result<Vec<JwtKey>, Wrong> {
    if key == "secret" {
        let Secret(secret) = Secret::read(said.value)?;
        return match secret.len() {
            // RFC 7518 §3.2: as long as the hash's output.
            32.. => Ok(vec![JwtKey {
                id: None,
                material: Material::Secret(secret),
            }]),
            short => Err(
                Wrong::new(format!("has {short} octets, and HS256 needs at least 32"))
                    .help("`openssl rand -hex 32` makes one; who has it can make tokens"),
            ),
        };
    }
    let name = String::read(said.value)?;
    let text =
        read_secret(&name).map_err(|error| Wrong::new(format!("cannot be read: {error}")))?;
    if text.contains("PRIVATE KEY") {
        return Err(
            Wrong::new("is a private key, which only the issuer may have")
                .help("`openssl pkey -in KEY -pubout` writes the public one"),
        );
    }
    let keys = match key {
        "public-key" => vec![JwtKey {
            id: None,
            material: Material::Pem(text),
        }],
        _ => of_set(&text)?,
    };
    for key in &keys {
        sound(key)?;
    }
    Ok(keys)
}

/// The keys of a JWK set (RFC 7517 §5) that can sign RS256. Others may stand
/// beside them.
fn of_set(text: &str) -> Result<Vec<JwtKey>, Wrong> {
    let set: JwkSet = serde_json::from_str(text)
        .map_err(|error| Wrong::new(format!("is no JWK set: {error}")))?;
    let keys = set.keys.into_iter().filter_map(|key| {
        let common = key.common;
        let signs = common
            .public_key_use
            .is_none_or(|it| it == PublicKeyUse::Signature);
        let ours = common
            .key_algorithm
            .is_none_or(|it| it == KeyAlgorithm::RS256);
        match key.algorithm {
            AlgorithmParameters::RSA(rsa) if signs && ours => Some(JwtKey {
                id: common.key_id,
                material: Material::Components(rsa.n, rsa.e),
            }),
            _ => None,
        }
    });
    let keys: Vec<JwtKey> = keys.collect();
    match keys.is_empty() {
        false => Ok(keys),
        true => Err(Wrong::new(
            "has no key for RS256: none has `kty` RSA and signs with it",
        )),
    }
}

/// Whether the key can be used, and is long enough to be.
fn sound(key: &JwtKey) -> Result<(), Wrong> {
    use jsonwebtoken::DecodingKeyKind;

    let verifier = key
        .verifier()
        .map_err(|error| Wrong::new(format!("is no public key of RSA: {error}")))?;
    let octets = match verifier.kind() {
        DecodingKeyKind::RsaModulusExponent { n, .. } => n.len(),
        // Modulus and exponent, with little around them.
        DecodingKeyKind::SecretOrDer(der) => der.len().saturating_sub(8),
    };
    match octets {
        256.. => Ok(()),
        _ => Err(Wrong::new(
            "has fewer than 2048 bits, which is no protection any more",
        )),
    }
}

impl Value for JwtAlgorithm {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        word(value, &[("HS256", Self::Hs256), ("RS256", Self::Rs256)])
    }

    fn show(&self) -> Shown {
        Shown::text(match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
        })
    }
}

impl Value for AtExpiry {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        word(value, &[("close", Self::Close), ("keep", Self::Keep)])
    }

    fn show(&self) -> Shown {
        Shown::text(match self {
            Self::Close => "close",
            Self::Keep => "keep",
        })
    }
}
