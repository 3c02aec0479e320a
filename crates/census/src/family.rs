//! Which kind of program sent a request: what it calls itself, or the order
//! and letter case of its fields.
//!
//! Clients of the first drafts send no `User-Agent`, but each writes its fields
//! in an order of its own. The tables are from requests that were recorded; a
//! shape that is in none gets a name made of its hash, which stays the same
//! wherever it is counted. Addresses and values of other fields are not looked at.

mod agents;
mod shapes;

pub use shapes::families_table;

/// The longest evidence that is kept, in octets.
const EVIDENCE: usize = 200;

/// A kind of client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// What it is called.
    pub name: String,
    /// Whether it is one of the tables, of which there are only so many; else
    /// peers make up as many names as they like.
    pub known: bool,
    /// What it was told by: the `User-Agent`, or the names of the fields.
    pub evidence: String,
}

impl Family {
    /// The family of whoever sent `head`: a request line and fields, as they
    /// came. Never fails: what is no request has a family too.
    pub fn of(head: &[u8]) -> Self {
        let fields = Fields::of(head);
        if fields.names.is_empty() {
            return Self::new("no request", true, String::new());
        }
        if let Some(agent) = fields.agent {
            let evidence = printable(agent, EVIDENCE);
            return match agents::named(&evidence) {
                Some(name) => Self::new(name, true, evidence),
                None => Self::new(agents::product(&evidence), false, evidence),
            };
        }
        let mut evidence = String::with_capacity(EVIDENCE);
        for name in &fields.names {
            if !evidence.is_empty() {
                evidence.push_str(", ");
            }
            push_printable(&mut evidence, &name[..name.len().min(40)]);
            if evidence.len() >= EVIDENCE {
                break;
            }
        }
        evidence.truncate(EVIDENCE);
        match shapes::named(&fields) {
            Some(name) => Self::new(name, true, evidence),
            None => {
                let name = format!("unknown, shape {:08x}", shapes::hash(&fields));
                Self::new(name, false, evidence)
            }
        }
    }

    fn new(name: impl Into<String>, known: bool, evidence: String) -> Self {
        Self {
            name: name.into(),
            known,
            evidence,
        }
    }
}

/// What is looked at of a head.
#[derive(Debug, Default)]
struct Fields<'a> {
    /// In their order and letter case.
    names: Vec<&'a [u8]>,
    agent: Option<&'a [u8]>,
    upgrade: Option<&'a [u8]>,
}

/// The most fields that are looked at.
const MOST_FIELDS: usize = 100;

impl<'a> Fields<'a> {
    fn of(head: &'a [u8]) -> Self {
        let mut fields = Self {
            names: Vec::with_capacity(16),
            ..Self::default()
        };
        let lines = head.split(|octet| *octet == b'\n').skip(1);
        for line in lines {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            if line.is_empty() || fields.names.len() == MOST_FIELDS {
                break;
            }
            let Some(colon) = line.iter().position(|octet| *octet == b':') else {
                continue;
            };
            let (name, value) = (line[..colon].trim_ascii(), line[colon + 1..].trim_ascii());
            if name.eq_ignore_ascii_case(b"user-agent") && !value.is_empty() {
                fields.agent = fields.agent.or(Some(value));
            } else if name.eq_ignore_ascii_case(b"upgrade") {
                fields.upgrade = fields.upgrade.or(Some(value));
            }
            fields.names.push(name);
        }
        fields
    }
}

/// Printable ASCII with `?` for everything else, and at most `most` of it.
fn printable(octets: &[u8], most: usize) -> String {
    let mut shown = String::new();
    push_printable(&mut shown, &octets[..octets.len().min(most)]);
    shown
}

fn push_printable(text: &mut String, octets: &[u8]) {
    if octets.iter().all(|octet| matches!(octet, b' '..=b'~'))
        && let Ok(plain) = std::str::from_utf8(octets)
    {
        return text.push_str(plain);
    }
    text.extend(octets.iter().map(|octet| match octet {
        b' '..=b'~' => char::from(*octet),
        _ => '?',
    }));
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn named(head: &str) -> String {
        Family::of(head.replace('\n', "\r\n").as_bytes()).name
    }

    #[test]
    fn webkit_of_2010_is_known_by_the_order_of_its_fields() {
        let head = "GET /tv HTTP/1.1\nUpgrade: WebSocket\nConnection: Upgrade\nHost: a\nOrigin: http://a\nSec-WebSocket-Key1: 1\nSec-WebSocket-Key2: 2\n\n";
        let family = Family::of(head.replace('\n', "\r\n").as_bytes());
        assert!(family.known);
        assert!(family.name.starts_with("WebKit 2010"), "{family:?}");
        let with_cookie =
            head.replace("Sec-WebSocket-Key1", "Cookie: secret=1\nSec-WebSocket-Key1");
        let other = Family::of(with_cookie.replace('\n', "\r\n").as_bytes());
        assert_eq!(other.name, family.name);
        assert!(!other.evidence.contains("secret"), "{other:?}");
    }

    #[test]
    fn what_a_client_calls_itself_comes_first() {
        for (agent, name) in [
            (
                "HbbTV/1.1.1 (;LGE;42LM670S;04.00;;) NetCast 3.0",
                "HbbTV 1.1 (LGE)",
            ),
            (
                "Mozilla/5.0 (Unknown; Linux x86_64) AppleWebKit/538.1 (KHTML, like Gecko) PhantomJS/2.1.1 Safari/538.1",
                "PhantomJS 2.1",
            ),
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36",
                "Chrome",
            ),
            (
                "Mozilla/5.0 (iPhone; U; CPU iPhone OS 4_2_1 like Mac OS X; en-us) AppleWebKit/533.17.9 (KHTML, like Gecko) Version/5.0.2 Mobile/8C148 Safari/6533.18.5",
                "Safari on iOS 4",
            ),
            ("arduino-WebSocket-Client", "Arduino"),
            ("Meter \u{1}/7 (a)", "agent Meter"),
        ] {
            let head = format!("GET / HTTP/1.1\nHost: a\nUser-Agent: {agent}\n\n");
            assert_eq!(named(&head), name);
        }
    }

    #[test]
    fn an_unknown_shape_keeps_its_name() {
        let one = named("GET /a HTTP/1.1\nHost: a\nupGrade: websocket\n\n");
        assert_eq!(
            one,
            named("GET /b HTTP/1.1\nHost: b\nupGrade: x\nCookie: c\n\n")
        );
        assert_ne!(
            one,
            named("GET /a HTTP/1.1\nHost: a\nupgrade: websocket\n\n")
        );
        assert!(one.starts_with("unknown, shape "), "{one}");
        assert_eq!(Family::of(b"").name, "no request");
        assert_eq!(Family::of(b"<policy-file-request/>\0").name, "no request");
    }

    proptest! {
        #[test]
        fn whatever_comes_has_a_short_family(head in prop::collection::vec(any::<u8>(), 0..600)) {
            for head in [head.clone(), [b"GET / HTTP/1.1\r\nUser-Agent: ", &head[..]].concat()] {
                let family = Family::of(&head);
                prop_assert!(family.name.len() <= 64 && !family.name.is_empty());
                prop_assert!(family.evidence.len() <= EVIDENCE);
                let plain = |text: &str| text.bytes().all(|octet| (b' '..=b'~').contains(&octet));
                prop_assert!(plain(&family.name) && plain(&family.evidence));
            }
        }
    }
}
