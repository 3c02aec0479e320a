//! From the text of a file to a [`Config`]: the tables and what they share.
//!
//! Reading goes on past every mistake, with the default in place of what is
//! wrong, so that one run reports them all; the result is given out only if
//! there was none.

use std::{collections::BTreeSet, net::SocketAddr, path::Path};

use draftgate_core::{Draft, Limits};
use ipnet::{IpNet, Ipv4Net};
use toml::de::DeTable;

use super::{
    Config, ConfigError, DRAIN, Effective, Environment, HttpDoor, Listener, ListenerLimits, Log,
    Mistakes, Origins, RateSaid, Source, Timeouts, admin, census, http, http2,
    lists::{self, Chosen},
    policy,
    problem::{Place, Problem},
    profile,
    reader::{Reader, Said, Table, Tables, Value, Wrong},
    record, rights, routes,
    shown::{Shown, without_secrets},
    threads, tls,
    values::{Many, OrOff, OrUnlimited, Pause, Size},
};

/// The smallest head that can be asked for: the HTTP parser reads into buffers
/// of this size and takes no smaller one.
const SMALLEST_HEAD: u64 = 8 << 10;

/// The most fields the map of a head's fields holds.
const MOST_FIELDS: u32 = 32_768;

/// The longest queue that kernels count: some keep its length in 16 bits.
const LONGEST_BACKLOG: u32 = 65_535;

/// The embedded configuration, as `draftgate` runs it without a file.
pub const EMBEDDED: &str = include_str!("../../default.toml");

const EMBEDDED_NAME: &str = "(embedded)";

/// What the top of a file says for all listeners or all routes.
pub(super) struct Shared<'s> {
    pub(super) spoken: &'s [Draft],
    pub(super) drafts: Chosen,
    pub(super) origins: Option<Origins>,
    pub(super) limits: Limits,
    pub(super) queue: usize,
    pub(super) rate: RateSaid,
    pub(super) http: &'s HttpDoor,
}

impl Config {
    /// Reads a configuration out of a text.
    ///
    /// `source_name` is what errors call it; `spoken` are the drafts that this
    /// build speaks, which `drafts = "all"` means; what `environment` sets
    /// wins over the text.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Mistakes`] with every mistake that was found.
    pub fn parse(
        text: &str,
        source_name: &str,
        spoken: &[Draft],
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        Ok(read(text, source_name, spoken, environment)?.config)
    }

    /// [`parse`](Self::parse), and what every key holds.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn parse_effective(
        text: &str,
        source_name: &str,
        spoken: &[Draft],
        environment: &Environment,
    ) -> Result<(Self, Effective), ConfigError> {
        let read = read(text, source_name, spoken, environment)?;
        Ok((read.config, read.effective))
    }

    /// Reads a configuration file.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Read`] if it cannot be read, else as [`parse`](Self::parse).
    pub fn load(
        path: &Path,
        spoken: &[Draft],
        environment: &Environment,
    ) -> Result<Self, ConfigError> {
        Ok(Self::load_effective(path, spoken, environment)?.0)
    }

    /// [`load`](Self::load), and what every key holds.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn load_effective(
        path: &Path,
        spoken: &[Draft],
        environment: &Environment,
    ) -> Result<(Self, Effective), ConfigError> {
        let name = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let read = read_in(path.parent(), &text, &name, spoken, environment)?;
                Ok((read.config, read.effective))
            }
            Err(source) => Err(ConfigError::Read { name, source }),
        }
    }

    /// The embedded configuration, [`EMBEDDED`].
    ///
    /// # Errors
    ///
    /// [`ConfigError::Mistakes`] if the environment sets what is wrong.
    pub fn embedded(spoken: &[Draft], environment: &Environment) -> Result<Self, ConfigError> {
        Ok(Self::embedded_effective(spoken, environment)?.0)
    }

    /// [`embedded`](Self::embedded), and what every key holds.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn embedded_effective(
        spoken: &[Draft],
        environment: &Environment,
    ) -> Result<(Self, Effective), ConfigError> {
        let (config, effective) =
            Self::parse_effective(EMBEDDED, EMBEDDED_NAME, spoken, environment)?;
        let source = Source::Embedded;
        Ok((Self { source, ..config }, effective))
    }
}

/// The configuration, every key that was looked for, and what each holds.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) config: Config,
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "the table of keys is held to it")
    )]
    pub(super) known: BTreeSet<String>,
    pub(super) effective: Effective,
}

pub(super) fn read(
    text: &str,
    name: &str,
    spoken: &[Draft],
    environment: &Environment,
) -> Result<Read, Mistakes> {
    read_in(None, text, name, spoken, environment)
}

/// The same for a file in `folder`, beside which lies what it names.
fn read_in(
    folder: Option<&Path>,
    text: &str,
    name: &str,
    spoken: &[Draft],
    environment: &Environment,
) -> Result<Read, Mistakes> {
    let mistakes = |problems: Vec<Problem>| Mistakes {
        name: name.to_owned(),
        text: without_secrets(text),
        problems: problems.into_iter().map(Problem::without_secrets).collect(),
    };
    let tree = DeTable::parse(text).map_err(|e| mistakes(vec![not_toml(&e)]))?;
    let reader = Reader::new(environment).in_folder(folder);
    let config = whole(reader.top(tree.get_ref()), name, spoken);
    let finished = reader.finish();
    match finished.problems.is_empty() {
        true => Ok(Read {
            config,
            known: finished.known,
            effective: Effective::new(name, text, finished.sections),
        }),
        false => Err(mistakes(finished.problems)),
    }
}

pub(super) fn not_toml(error: &toml::de::Error) -> Problem {
    let place = error.span().map_or(Place::Whole, Place::Span);
    Problem::new(
        place,
        format!(
            "this is not TOML: {}",
            error.message().trim().replace('\n', ", ")
        ),
    )
}

fn whole(mut top: Table<'_>, name: &str, spoken: &[Draft]) -> Config {
    let drafts = lists::drafts(&mut top, spoken);
    let origins = lists::origins(&mut top);
    let default = Origins::default();
    let accepted = Shown::list(origins.as_ref().unwrap_or(&default).rules());
    top.shows("origins", accepted);

    let mut limits = Limits::default();
    let mut queue = super::route::QUEUE;
    let mut listener = Listener::default();
    let mut table = top.table("limits", "limits");
    listener_limits(&mut table, &mut listener.limits);
    route_limits(&mut table, &mut limits);
    octets(&mut table, "queue", &mut queue);
    let mut rate = RateSaid::UNLIMITED;
    rights::rate_of(&mut table, &mut rate);
    table.finish();

    let mut drain = DRAIN;
    let mut table = top.table("timeouts", "timeouts");
    timeouts(&mut table, &mut listener.timeouts);
    table.set_as::<Pause, _>("drain", &mut drain);
    table.finish();

    let mut log = Log::default();
    let mut table = top.table("log", "log");
    table.set("format", &mut log.format);
    table.set("level", &mut log.level);
    table.set("access", &mut log.access);
    table.set_as::<OrUnlimited, _>("rate", &mut log.rate);
    table.finish();

    let threads = threads::read(&mut top);
    let record = record::read(&mut top);
    let census = census::read(&mut top);
    let http = http::read(&mut top);
    let admin = admin::read(&mut top);
    let listeners = listeners(&mut top, &listener);
    let policy = policy::read(&mut top, &listener, &listeners);
    let shared = Shared {
        spoken,
        drafts,
        origins,
        limits,
        queue,
        rate,
        http: &http.door,
    };
    let routes = routes::routes(&mut top, &shared);
    top.finish();
    Config {
        source: Source::File(name.to_owned()),
        listeners,
        routes,
        policy,
        drain,
        threads,
        log,
        record,
        census,
        http,
        admin,
    }
}

fn listeners(top: &mut Table<'_>, shared: &Listener) -> Vec<Listener> {
    let tables = match top.tables("listeners") {
        Tables::These(tables) => tables,
        Tables::Absent => vec![top.absent("listeners")],
        Tables::Wrong => return vec![shared.clone()],
    };
    if tables.is_empty() {
        top.wrong(
            Problem::new(Place::Whole, "the file has no listener")
                .help("leave `listeners` out to listen on 127.0.0.1:8080"),
        );
    }
    let mut listeners = Vec::new();
    let mut taken = Vec::new();
    for mut table in tables {
        let mut listener = shared.clone();
        address(&mut table, &mut listener, &mut taken);
        profile::read(&mut table, &mut listener);
        table.set("page", &mut listener.page);
        listener.public_url = table.value("public-url");
        table.unless_said("trusted-proxies", Shown::nothing());
        listener.trusted_proxies = trusted_proxies(&mut table);
        proxy_protocol(&mut table, &mut listener);
        table.set("http2", &mut listener.http2);
        listener.tls = tls::read(&mut table);
        let mut limits = table.table("limits", "listeners.limits");
        listener_limits(&mut limits, &mut listener.limits);
        limits.finish();
        let mut waits = table.table("timeouts", "listeners.timeouts");
        timeouts(&mut waits, &mut listener.timeouts);
        waits.finish();
        listeners.push(listener);
        table.finish();
    }
    listeners
}

/// The address, which no earlier listener may have.
fn address(table: &mut Table<'_>, listener: &mut Listener, taken: &mut Vec<(SocketAddr, Place)>) {
    if !table.is_there() {
        table.unless_said("address", listener.address.show());
        return;
    }
    let Some(said) = table.said("address") else {
        let problem = Problem::new(table.place.clone(), "a listener lacks `address`");
        table.wrong(problem.help("add for example `address = \"127.0.0.1:8080\"`"));
        return;
    };
    let Some(address) = table.value::<SocketAddr>("address") else {
        return;
    };
    listener.address = address;
    if let Some((_, first)) = taken
        .iter()
        .find(|(other, _)| *other == address && address.port() != 0)
    {
        let problem = Problem::new(
            said.place.clone(),
            format!("two listeners have the address {address}"),
        );
        let problem = problem.related(first, "the first of them");
        table.wrong(problem.help("leave one out, or give it another port"));
    }
    taken.push((address, said.place));
}

fn trusted_proxies(table: &mut Table<'_>) -> Vec<IpNet> {
    const ADVICE: &str = "write networks such as \"10.0.0.0/8\" or addresses such as \"::1\"";
    let Some(said) = table.said("trusted-proxies") else {
        return Vec::new();
    };
    let read = |item: &Said<'_>| {
        let text = item
            .value
            .as_str()
            .ok_or_else(|| Wrong::must_be("a list of networks", item.value))?;
        let address = |_| text.parse::<std::net::IpAddr>().map(IpNet::from);
        text.parse::<IpNet>()
            .or_else(address)
            .map_err(|_| Wrong::new(format!("has `{text}`, which is no network")))
            .map_err(|wrong| wrong.help(ADVICE))
    };
    lists::each(table, "trusted-proxies", &said, "a list of networks", read)
        .into_iter()
        .map(|(net, _)| unmapped(net))
        .collect()
}

/// A network of IPv4 addresses that are mapped into IPv6, as the network of
/// IPv4 that it is: addresses are compared in that form.
fn unmapped(net: IpNet) -> IpNet {
    let IpNet::V6(v6) = net else { return net };
    let (addr, prefix) = (v6.addr().to_ipv4_mapped(), v6.prefix_len().checked_sub(96));
    let v4 = addr
        .zip(prefix)
        .map(|(addr, prefix)| Ipv4Net::new(addr, prefix));
    v4.and_then(Result::ok).map_or(net, IpNet::V4)
}

/// Whether it is on, which makes no sense without a proxy to trust.
fn proxy_protocol(table: &mut Table<'_>, listener: &mut Listener) {
    table.set("proxy-protocol", &mut listener.proxy_protocol);
    // Proxies that are named, but wrongly, have their own report.
    let nobody = table.said("trusted-proxies").is_none_or(|said| {
        let named = said.value.as_array();
        named.is_some_and(|named| named.is_empty())
    });
    if let Some(said) = table.said("proxy-protocol")
        && listener.proxy_protocol
        && nobody
    {
        let wrong = Wrong::new("is on, but `trusted-proxies` names nobody who may connect")
            .help("name the proxies, for example `trusted-proxies = [\"10.0.0.5\"]`: anyone else could claim any address");
        table.wrong_value("proxy-protocol", &said, wrong);
    }
}

fn listener_limits(table: &mut Table<'_>, limits: &mut ListenerLimits) {
    table.set("max-connections", &mut limits.max_connections);
    for (key, limit) in [
        ("per-ip", &mut limits.per_ip),
        ("per-ip-loopback", &mut limits.per_ip_loopback),
        ("half-open-per-ip", &mut limits.half_open_per_ip),
        (
            "half-open-per-ip-loopback",
            &mut limits.half_open_per_ip_loopback,
        ),
        ("accept-rate", &mut limits.accept_rate),
    ] {
        table.set_as::<OrUnlimited, _>(key, limit);
    }
    table.unless_said("backlog", limits.backlog.show());
    if let Some(said) = count(table, "backlog", LONGEST_BACKLOG) {
        limits.backlog = said;
    }
    http2::streams(table, limits);
    bounded(table, "head", &mut limits.head, |octets: &u64| {
        (*octets < SMALLEST_HEAD).then(|| {
            "must be at least 8KiB, the size of the buffers that a head is read into".to_owned()
        })
    });
    table.unless_said("head-fields", Many(limits.head_fields).show());
    if let Some(said) = count(table, "head-fields", MOST_FIELDS) {
        limits.head_fields = said as usize;
    }
}

/// A count of at least one and at most `most`.
pub(super) fn count(table: &mut Table<'_>, key: &'static str, most: u32) -> Option<u32> {
    let said = table.said(key)?;
    let count = table.value::<u32>(key)?;
    if count <= most {
        return Some(count);
    }
    let wrong = Wrong::new(format!("must be from 1 to {most}"));
    table.wrong_value(key, &said, wrong);
    None
}

/// The limits that bind once a route is known.
pub(super) fn route_limits(table: &mut Table<'_>, limits: &mut Limits) {
    for (key, limit) in [
        ("frame", &mut limits.frame),
        ("message", &mut limits.message),
    ] {
        table.set_as::<Size, _>(key, limit);
    }
    table.set("fragments", &mut limits.fragments);
}

/// A size that is held in memory.
pub(super) fn octets(table: &mut Table<'_>, key: &'static str, size: &mut usize) {
    bounded(table, key, size, |_| None);
}

fn bounded(
    table: &mut Table<'_>,
    key: &'static str,
    size: &mut usize,
    wrong: impl Fn(&u64) -> Option<String>,
) {
    table.unless_said(key, Shown::octets(*size as u64));
    let said = table.said(key);
    let (Some(said), Some(Size(octets))) = (said, table.value(key)) else {
        return;
    };
    match (wrong(&octets), usize::try_from(octets)) {
        (Some(wrong), _) => table.wrong_value(key, &said, Wrong::new(wrong)),
        (None, Ok(octets)) => *size = octets,
        (None, Err(_)) => table.wrong_value(
            key,
            &said,
            Wrong::new("is more than this machine can address"),
        ),
    }
}

fn timeouts(table: &mut Table<'_>, timeouts: &mut Timeouts) {
    table.set("turn", &mut timeouts.turn);
    table.set("first-octet", &mut timeouts.first_octet);
    table.set("tls", &mut timeouts.tls);
    table.set("head", &mut timeouts.head);
    table.set("key3", &mut timeouts.key3);
    table.set_as::<Pause, _>("head-delay", &mut timeouts.head_delay);
    table.set_as::<OrOff, _>("idle", &mut timeouts.idle);
    table.set_as::<OrOff, _>("ping", &mut timeouts.ping);
    table.set_as::<OrOff, _>("message", &mut timeouts.message);
    table.set("write", &mut timeouts.write);
    table.set_as::<OrOff, _>("unacknowledged", &mut timeouts.unacknowledged);
    table.set("close", &mut timeouts.close);
    table.set("close-hixie-76", &mut timeouts.close_hixie_76);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_of_mapped_addresses_is_one_of_ipv4() {
        for (written, meant) in [
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.1/128", "192.0.2.1/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::ffff:0:0/95"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("10.0.0.0/8", "10.0.0.0/8"),
        ] {
            let (net, meant) = (written.parse().unwrap(), meant.parse().unwrap());
            assert_eq!(unmapped(net), meant, "{written}");
        }
    }
}
