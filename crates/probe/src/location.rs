//! Two URLs that should be one, part by part.

/// Where `found`, the location of an answer, differs from `wanted`; one sentence
/// for each part. Empty if only octets beside the parts differ.
pub(crate) fn differences(found: &str, wanted: &str) -> Vec<String> {
    let (found, wanted) = (Parts::of(found), Parts::of(wanted));
    let mut said = Vec::new();
    let mut compare = |name: &str, found: &str, wanted: &str| {
        if found != wanted {
            said.push(format!("{name} `{found}` instead of `{wanted}`"));
        }
    };
    compare("scheme", found.scheme, wanted.scheme);
    compare("host", found.host, wanted.host);
    compare("port", &found.port(), &wanted.port());
    compare("path", found.path, wanted.path);
    match (found.query, wanted.query) {
        (Some(found), Some(wanted)) => compare("query", found, wanted),
        (None, Some(wanted)) => said.push(format!("no query, instead of `{wanted}`")),
        (Some(found), None) => said.push(format!("a query `{found}` where there is none")),
        (None, None) => {}
    }
    said
}

struct Parts<'a> {
    scheme: &'a str,
    host: &'a str,
    port: Option<&'a str>,
    path: &'a str,
    query: Option<&'a str>,
}

impl<'a> Parts<'a> {
    fn of(url: &'a str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, resource) = rest.split_at(end);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let (path, query) = match resource.split_once('?') {
            Some((path, query)) => (path, Some(query)),
            None => (resource, None),
        };
        Self {
            scheme,
            host,
            port,
            path,
            query,
        }
    }

    fn port(&self) -> String {
        match (self.port, self.scheme) {
            (Some(port), _) => port.to_owned(),
            (None, "wss") => "443 (none is written)".into(),
            (None, _) => "80 (none is written)".into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_part_is_compared_by_itself() {
        let wanted = "ws://a.example:8080/x?y=1";
        for (found, said) in [
            ("wss://a.example:8080/x?y=1", "scheme `wss`"),
            ("ws://b:8080/x?y=1", "host `b` instead of `a.example`"),
            ("ws://a.example/x?y=1", "port `80 (none is written)`"),
            ("ws://a.example:8080/?y=1", "path `/` instead of `/x`"),
            ("ws://a.example:8080/x", "no query, instead of `y=1`"),
            ("ws://a.example:8080/x?y=2", "query `y=2`"),
        ] {
            let all = differences(found, wanted);
            assert_eq!(all.len(), 1, "{all:?}");
            assert!(all[0].starts_with(said), "{all:?}");
        }
        assert!(differences(wanted, wanted).is_empty());
        assert!(differences("", wanted).len() > 3);
        assert_eq!(differences("ws://[::1]/", "ws://[::1]:1/").len(), 1);
    }
}
