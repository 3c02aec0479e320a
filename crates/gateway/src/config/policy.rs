//! The table `policy`: which Flash and Silverlight programs may connect, and
//! where they can ask.
//!
//! Both plug-ins ask a host for its policy before they let a program open a
//! socket to it. Without this table they get no answer, which to them is a no.
//! There is no default for who may: a policy that lets everyone in undoes what
//! browsers protect, so that has to be written down.

use std::{fmt, net::SocketAddr, ops::RangeInclusive, str::FromStr};

use toml::de::DeValue;

use super::{
    Listener, Site,
    lists::each,
    problem::{Place, Problem},
    reader::{Said, Table, Value, Wrong},
    shown::Shown,
    values::integer,
};

/// The ports to which Silverlight lets programs connect at all.
const SILVERLIGHT_PORTS: RangeInclusive<u16> = 4502..=4534;

/// Connections that a listener for policy requests holds at once, and how many
/// of them one address (not loopback) has. Each lasts a round trip, so that
/// more at a time are a flood.
const AT_ONCE: u32 = 1_000;
const OF_ONE_ADDRESS: u32 = 100;

/// Who asks for a policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Plugin {
    /// Flash Player, which asks with a NUL behind its request.
    Flash,
    /// Silverlight, which asks without one.
    Silverlight,
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flash => "Flash",
            Self::Silverlight => "Silverlight",
        })
    }
}

/// What both plug-ins are told, and where besides on the WebSocket listeners.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Whose programs may connect; never empty.
    pub allow: Vec<Site>,
    /// The ports that Flash may connect to; `None` for those of the listeners
    /// as clients know them ([`Listener::public_port`]).
    pub flash_ports: Option<Vec<Ports>>,
    /// The ports that Silverlight may connect to, within 4502 to 4534. All of
    /// these: it takes no others, and something may forward them to a listener.
    pub silverlight_ports: Vec<Ports>,
    /// Answers Flash alone, usually on port 843, where Flash asks first.
    /// `None`: ports below 1024 need a privilege. Its page, public URL and
    /// proxies are not used.
    pub flash_listener: Option<Listener>,
    /// Answers Silverlight alone, usually on port 943, where it asks.
    pub silverlight_listener: Option<Listener>,
}

impl Policy {
    /// A policy for `allow` with everything else as it is by default.
    pub fn new(allow: impl IntoIterator<Item = Site>) -> Self {
        Self {
            allow: allow.into_iter().collect(),
            flash_ports: None,
            silverlight_ports: vec![Ports {
                first: *SILVERLIGHT_PORTS.start(),
                last: *SILVERLIGHT_PORTS.end(),
            }],
            flash_listener: None,
            silverlight_listener: None,
        }
    }

    /// The listeners that answer policy requests alone.
    pub fn listeners(&self) -> impl Iterator<Item = (Plugin, &Listener)> {
        let flash = self.flash_listener.iter().map(|l| (Plugin::Flash, l));
        let silverlight = self.silverlight_listener.iter();
        flash.chain(silverlight.map(|l| (Plugin::Silverlight, l)))
    }
}

/// One port, or all from one to another: `8080`, `4502-4534`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ports {
    first: u16,
    last: u16,
}

impl Ports {
    /// Whether a port is one of them.
    pub fn contains(self, port: u16) -> bool {
        (self.first..=self.last).contains(&port)
    }
}

impl From<u16> for Ports {
    fn from(port: u16) -> Self {
        Self {
            first: port,
            last: port,
        }
    }
}

impl fmt::Display for Ports {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}", self.first),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

impl FromStr for Ports {
    type Err = NotPorts;

    fn from_str(text: &str) -> Result<Self, NotPorts> {
        let port = |text: &str| match text.parse::<u16>() {
            Ok(port @ 1..) if !text.starts_with('+') => Ok(port),
            _ => Err(NotPorts),
        };
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        match (port(first)?, port(last)?) {
            (first, last) if first <= last => Ok(Self { first, last }),
            _ => Err(NotPorts),
        }
    }
}

/// A text that is neither a port nor a range of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("write ports from 1 to 65535 and ranges of them: `8080`, `\"4502-4534\"`")]
pub struct NotPorts;

/// Reads the table; `shared` is what the top of the file says for every
/// listener, `listeners` those that are read already.
pub(super) fn read(
    top: &mut Table<'_>,
    shared: &Listener,
    listeners: &[Listener],
) -> Option<Policy> {
    let mut table = top.table("policy", "policy");
    let mut said_first = table.is_there().then(|| table.place.clone());
    for key in [
        "flash-ports",
        "silverlight-ports",
        "flash-listener",
        "silverlight-listener",
    ] {
        let place = table.said(key).map(|said| said.place);
        said_first = said_first.or(place);
    }
    let mut policy = Policy::new([]);
    let allow = items(&mut table, "allow", "a list of sites", site);
    policy.flash_ports = items(&mut table, "flash-ports", PORTS, ports);
    if let Some(said) = items(&mut table, "silverlight-ports", PORTS, silverlight_ports) {
        policy.silverlight_ports = said;
    }
    for (key, said) in [
        ("allow", allow.as_deref().map(Shown::list)),
        (
            "flash-ports",
            policy.flash_ports.as_deref().map(Shown::list),
        ),
    ] {
        table.shows(key, said.unwrap_or(Shown::Unset));
    }
    table.shows("silverlight-ports", Shown::list(&policy.silverlight_ports));
    if said_first.is_none() {
        table.off();
    }
    let mut taken: Vec<SocketAddr> = listeners.iter().map(|l| l.address).collect();
    let mut listener = |key| {
        let address = own_address(&mut table, key, &mut taken)?;
        let mut limits = shared.limits;
        limits.max_connections = limits.max_connections.min(AT_ONCE);
        let per_ip = limits
            .per_ip
            .map_or(OF_ONE_ADDRESS, |most| most.min(OF_ONE_ADDRESS));
        limits.per_ip = Some(per_ip);
        Some(Listener {
            address,
            limits,
            timeouts: shared.timeouts,
            ..Listener::default()
        })
    };
    policy.flash_listener = listener("flash-listener");
    policy.silverlight_listener = listener("silverlight-listener");
    if let (None, Some(place)) = (&allow, said_first) {
        let problem = Problem::new(place, "the table `policy` lacks `allow`");
        table.wrong(problem.help("say whose Flash and Silverlight programs may connect, for example `allow = [\"example.com\"]`; to serve no policy, leave the table out"));
    }
    table.finish();
    policy.allow = allow?;
    Some(policy)
}

const PORTS: &str = "a list of ports such as [8080, \"4502-4534\"]";

fn site(value: &DeValue<'_>) -> Result<Site, Wrong> {
    let text = value
        .as_str()
        .ok_or_else(|| Wrong::must_be("a list of sites", value))?;
    text.parse().map_err(|e: super::NotASite| {
        Wrong::new(format!("has `{text}`, which is no site")).help(e.to_string())
    })
}

fn ports(value: &DeValue<'_>) -> Result<Ports, Wrong> {
    let wrong = |text: &str| {
        Wrong::new(format!("has `{text}`, which is no port")).help(NotPorts.to_string())
    };
    match value {
        DeValue::String(text) => text.parse().map_err(|_| wrong(text)),
        DeValue::Integer(number) => integer(value)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|port| *port > 0)
            .map(Ports::from)
            .ok_or_else(|| wrong(number.as_str())),
        _ => Err(Wrong::must_be(PORTS, value)),
    }
}

fn silverlight_ports(value: &DeValue<'_>) -> Result<Ports, Wrong> {
    let ports = ports(value)?;
    match [ports.first, ports.last]
        .iter()
        .all(|port| SILVERLIGHT_PORTS.contains(port))
    {
        true => Ok(ports),
        false => Err(Wrong::new(format!(
            "has `{ports}`, but Silverlight connects to no ports but 4502 to 4534"
        ))
        .help("listen on one of those, or forward one of them to a listener")),
    }
}

/// What a key lists: one item, a list of them, or in a variable a list with
/// commas. `None` where nothing is said.
fn items<T>(
    table: &mut Table<'_>,
    key: &'static str,
    what: &str,
    read: impl Fn(&DeValue<'_>) -> Result<T, Wrong>,
) -> Option<Vec<T>> {
    let said = table.said(key)?;
    let note = |wrong| {
        table.wrong_value(key, &said, wrong);
        Some(Vec::new())
    };
    match said.value {
        DeValue::String(text) if matches!(said.place, Place::Variable { .. }) => {
            let words = text
                .split(',')
                .map(|word| DeValue::String(word.trim().into()));
            words
                .map(|word| read(&word))
                .collect::<Result<_, _>>()
                .map_or_else(note, Some)
        }
        DeValue::Array(elements) if elements.is_empty() => note(
            Wrong::new("names nothing: the list is empty").help(match key {
                "allow" => "to serve no policy, leave the table `policy` out",
                _ => "leave it out for the default",
            }),
        ),
        DeValue::Array(_) => {
            let read = each(table, key, &said, what, |item: &Said<'_>| read(item.value));
            Some(read.into_iter().map(|(item, _)| item).collect())
        }
        one => read(one).map_or_else(note, |item| Some(vec![item])),
    }
}

/// The address of a listener for policy requests alone.
fn own_address(
    table: &mut Table<'_>,
    key: &'static str,
    taken: &mut Vec<SocketAddr>,
) -> Option<SocketAddr> {
    let said = table.said(key)?;
    let address = match SocketAddr::read(said.value) {
        Ok(address) => address,
        Err(wrong) => {
            table.wrong_value(key, &said, wrong);
            return None;
        }
    };
    if address.port() != 0 && taken.contains(&address) {
        let wrong = Wrong::new(format!(
            "is {address}, where something else listens already"
        ));
        table.wrong_value(
            key,
            &said,
            wrong.help("every listener answers policy requests beside WebSocket: leave this one out, or give it another port"),
        );
    }
    taken.push(address);
    Some(address)
}

#[cfg(test)]
mod tests {
    use super::{
        super::{Config, Environment},
        *,
    };

    fn policy(text: &str, variables: &[(&str, &str)]) -> Option<Policy> {
        let text =
            format!("drafts = \"all\"\n{text}\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n");
        let environment = Environment::new(variables.iter().copied());
        Config::parse(
            &text,
            "a.toml",
            &draftgate_drafts::spoken().collect::<Vec<_>>(),
            &environment,
        )
        .unwrap_or_else(|e| panic!("{e}"))
        .policy
    }

    #[test]
    fn without_the_table_there_is_no_policy() {
        assert_eq!(policy("", &[]), None);
    }

    #[test]
    fn a_list_may_be_one_item_and_come_from_a_variable() {
        let expected = Policy::new(["example.com".parse().unwrap()]);
        for allow in ["\"example.com\"", "[\"example.com\"]"] {
            let text = format!("policy.allow = {allow}");
            assert_eq!(policy(&text, &[]).as_ref(), Some(&expected), "{allow}");
        }
        let found = policy(
            "",
            &[
                ("DRAFTGATE_POLICY__ALLOW", "example.com, *.example.com"),
                ("DRAFTGATE_POLICY__FLASH_PORTS", "80,8000-8010"),
                ("DRAFTGATE_POLICY__SILVERLIGHT_PORTS", "4502"),
                ("DRAFTGATE_POLICY__FLASH_LISTENER", "0.0.0.0:843"),
            ],
        )
        .unwrap();
        assert_eq!(found.allow.len(), 2);
        let shown = |ports: &[Ports]| ports.iter().map(Ports::to_string).collect::<Vec<_>>();
        assert_eq!(shown(&found.flash_ports.unwrap()), ["80", "8000-8010"]);
        assert_eq!(shown(&found.silverlight_ports), ["4502"]);
        let listener = found.flash_listener.unwrap();
        assert_eq!(listener.address, "0.0.0.0:843".parse().unwrap());
        assert_eq!(listener.limits.max_connections, AT_ONCE);
        assert_eq!(listener.limits.per_ip, Some(OF_ONE_ADDRESS));
    }

    #[test]
    fn the_documented_default_of_the_ports_is_the_one() {
        let written = policy(
            "policy = { allow = \"example.com\", silverlight-ports = [\"4502-4534\"] }",
            &[],
        );
        assert_eq!(written, policy("policy.allow = \"example.com\"", &[]));
    }

    #[test]
    fn limits_at_the_top_hold_for_policy_listeners() {
        let text = "limits.per-ip = 3\nlimits.max-connections = 7\ntimeouts.first-octet = \"1s\"\n[policy]\nallow = \"example.com\"\nsilverlight-listener = \"127.0.0.1:0\"";
        let listener = policy(text, &[]).unwrap().silverlight_listener.unwrap();
        assert_eq!(listener.limits.per_ip, Some(3));
        assert_eq!(listener.limits.max_connections, 7);
        assert_eq!(listener.timeouts.first_octet.as_secs(), 1);
    }

    #[test]
    fn ports_are_numbers_and_ranges() {
        for text in [
            "", "0", "65536", "a", "8-", "-8", "9-8", "+8", "1-2-3", " 1",
        ] {
            assert_eq!(text.parse::<Ports>(), Err(NotPorts), "{text}");
        }
        let ports: Ports = "4502-4534".parse().unwrap();
        assert!(ports.contains(4502) && ports.contains(4534) && !ports.contains(4535));
    }
}
