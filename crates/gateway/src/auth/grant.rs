//! What somebody may do, as a claim of a token or a field of a server's answer
//! says it: JSON with the keys that `[[routes.auth.tokens]]` has.

use serde_json::Value;

use crate::config::{Allowed, Excess, Grant};

/// Reads a grant. A key that is not known is a mistake: what was meant to
/// forbid something must not be passed over.
///
/// # Errors
/// What is wrong with it, to be said behind its name.
pub(super) fn read(said: &Value) -> Result<Grant, String> {
    let Value::Object(said) = said else {
        return Err("is no object of JSON".to_owned());
    };
    let mut grant = Grant::default();
    for (key, value) in said {
        let wrong = |what: &str| format!("has a `{key}` that is not {what}");
        match key.as_str() {
            "subscribe" => grant.subscribe = Some(allowed(value).ok_or_else(|| wrong(CHANNELS))?),
            "publish" => grant.publish = Some(allowed(value).ok_or_else(|| wrong(CHANNELS))?),
            "message" => {
                let octets = value.as_u64().filter(|octets| *octets > 0);
                grant.message = Some(octets.ok_or_else(|| wrong("a number of octets"))?);
            }
            "message-rate" => {
                grant.rate.per_second = Some(match value.as_str() {
                    Some("unlimited") => None,
                    _ => Some(count(value).ok_or_else(|| wrong("a number or \"unlimited\""))?),
                });
            }
            "message-burst" => {
                grant.rate.burst = Some(count(value).ok_or_else(|| wrong("a number"))?);
            }
            "message-excess" => {
                grant.rate.excess = Some(match value.as_str() {
                    Some("wait") => Excess::Wait,
                    Some("drop") => Excess::Drop,
                    Some("close") => Excess::Close,
                    _ => return Err(wrong("\"wait\", \"drop\" or \"close\"")),
                });
            }
            _ => return Err(format!("has `{}`, which is not known", key.escape_debug())),
        }
    }
    Ok(grant)
}

const CHANNELS: &str = "\"all\", \"none\" or a list of patterns";

fn allowed(value: &Value) -> Option<Allowed> {
    match value {
        Value::String(word) if word == "all" => Some(Allowed::All),
        Value::String(word) if word == "none" => Some(Allowed::None),
        Value::Array(patterns) => {
            let patterns: Option<Vec<&str>> = patterns.iter().map(Value::as_str).collect();
            Allowed::of(patterns?).ok()
        }
        _ => None,
    }
}

fn count(value: &Value) -> Option<u32> {
    let count = value.as_u64().and_then(|count| u32::try_from(count).ok());
    count.filter(|count| *count > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_grant_is_read_key_by_key() {
        let grant = read(&json!({
            "subscribe": ["news.*", "chat"], "publish": "none", "message": 1000,
            "message-rate": 5, "message-burst": 10, "message-excess": "close",
        }))
        .unwrap();
        assert!(grant.subscribe.unwrap().covers("news.a"));
        assert_eq!(grant.publish, Some(Allowed::None));
        assert_eq!(grant.message, Some(1000));
        let rate = grant.rate.rate().unwrap();
        assert_eq!(
            (rate.per_second, rate.burst, rate.excess),
            (5, 10, Excess::Close)
        );
        assert_eq!(read(&json!({})), Ok(Grant::default()));
        assert_eq!(
            read(&json!({"publish": []})).unwrap().publish,
            Some(Allowed::None)
        );
    }

    #[test]
    fn what_is_not_understood_grants_nothing() {
        for (said, why) in [
            (json!([]), "is no object"),
            (
                json!({"publsh": "none"}),
                "has `publsh`, which is not known",
            ),
            (json!({"publish": "some"}), "has a `publish` that is not"),
            (json!({"publish": ["a/b"]}), "has a `publish` that is not"),
            (json!({"publish": [1]}), "has a `publish` that is not"),
            (json!({"subscribe": null}), "has a `subscribe` that is not"),
            (json!({"message": 0}), "has a `message` that is not"),
            (json!({"message": -1}), "has a `message` that is not"),
            (
                json!({"message-rate": 0}),
                "has a `message-rate` that is not",
            ),
            (
                json!({"message-rate": 1e300}),
                "has a `message-rate` that is not",
            ),
            (
                json!({"message-excess": "x"}),
                "has a `message-excess` that is not",
            ),
        ] {
            let found = read(&said).unwrap_err();
            assert!(found.starts_with(why), "{said}: {found}");
        }
    }
}
