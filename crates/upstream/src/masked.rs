//! URLs as they may be shown: not what logs somebody in.
//!
//! A password is a secret, and so may be the value of any parameter of a query
//! (`?token=…`, `?key=…`): none is shown, because nobody can list the names
//! that servers give to theirs. What stands alone, without a name, counts as a
//! value.

use std::ops::Range;

/// What stands in place of a secret.
pub const MASK: &str = "***";

/// A URL without its secrets.
///
/// ```
/// let shown = draftgate_upstream::masked("ws://me:pass@plc/a?unit=3&token=abc");
/// assert_eq!(shown, "ws://me:***@plc/a?unit=***&token=***");
/// ```
pub fn masked(url: &str) -> String {
    let mut shown = String::with_capacity(url.len());
    let mut done = 0;
    for secret in secrets(url) {
        shown += &url[done..secret.start];
        shown += MASK;
        done = secret.end;
    }
    shown + &url[done..]
}

/// Where the secrets of a URL stand, in octets and in order; none is empty.
pub fn secrets(url: &str) -> Vec<Range<usize>> {
    let resource = url.find(['?', '#']).unwrap_or(url.len());
    let mut secrets = Vec::new();
    if let Some(scheme) = url[..resource].find("://") {
        let start = scheme + 3;
        let end = start
            + url[start..]
                .find(['/', '?', '#'])
                .unwrap_or(url.len() - start);
        if let Some(at) = url[start..end].rfind('@') {
            let user = &url[start..start + at];
            // A name alone may be a token.
            let password = user.find(':').map_or(0, |colon| colon + 1);
            secrets.push(start + password..start + at);
        }
    }
    let mut start = resource;
    for part in url[resource..].split_inclusive(['?', '#', '&', ';']) {
        let pair = part.trim_end_matches(['?', '#', '&', ';']);
        let value = pair.find('=').map_or(0, |equals| equals + 1);
        secrets.push(start + value..start + pair.len());
        start += part.len();
    }
    secrets.retain(|secret| !secret.is_empty());
    secrets
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_logs_somebody_in_is_not_shown() {
        for (url, shown) in [
            ("ws://a:9000/b", "ws://a:9000/b"),
            ("ws://user:pass@a/b@c", "ws://user:***@a/b@c"),
            ("http://token@a", "http://***@a"),
            ("http://a@/", "http://***@/"),
            ("http://a:@b/", "http://a:@b/"),
            ("wss://u:p:q@[::1]:1?x=@", "wss://u:***@[::1]:1?x=***"),
            ("http://a/b?key=K&b=&c", "http://a/b?key=***&b=&***"),
            ("http://a?SECRET", "http://a?***"),
            (
                "http://a/?x=1;token=ä?=b#c=d",
                "http://a/?x=***;token=***?=***#c=***",
            ),
            ("/resource?a=b=c", "/resource?a=***"),
            ("unix:/run/a@b:/c?d=e", "unix:/run/a@b:/c?d=***"),
            ("", ""),
            ("?", "?"),
        ] {
            assert_eq!(masked(url), shown);
        }
    }
}
