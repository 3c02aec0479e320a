//! What is allowed, but probably not meant.

use std::{
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use draftgate_core::Draft;
use draftgate_drafts::{STRICTEST, VERSION_ALIASED, WITH_HELLO};

use super::{
    Address, Config, Drafts, Heartbeat, OriginRule, Service, Site, TlsWarning, Upstream,
    tls_warning,
    units::{Lasting, Octets},
};

/// Files that the gateway has open besides its connections: standard streams,
/// listeners, the poller, logs, libraries.
const OTHER_FILES: u64 = 64;

/// Some clients of 2011 ping every 50 s; below a minute they would be cut off.
const SHORTEST_IDLE: Duration = Duration::from_secs(60);

/// Something that is worth a look. Displays as a sentence that says what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Warning {
    /// `--listen` made the embedded origins stricter.
    #[error(
        "listening on {address}, which is not loopback: browsers are accepted only from pages of the same host; list others as `origins` in a file, or accept all with --any-origin"
    )]
    OriginsBecameSameHost {
        /// Where it listens.
        address: SocketAddr,
    },
    /// More connections are allowed than the process can have open.
    #[error(
        "max-connections of all listeners allows connections that need {files} files{}, but this process can have only {open_files} open, and needs {OTHER_FILES} for itself: further connections would fail; raise the limit (`ulimit -Hn`, LimitNOFILE=) or lower max-connections", if *.relayed { " (two for each that is relayed to an upstream)" } else { "" }
    )]
    TooManyConnections {
        /// All listeners together.
        files: u64,
        /// Whether some are relayed.
        relayed: bool,
        /// The hard limit.
        open_files: u64,
    },
    /// The idle timeout is shorter than what old clients need.
    #[error("the idle timeout of {address} is {}: clients that ping every 50 s may be cut off; 60s or more lets them be", Lasting(*.idle))]
    ShortIdle {
        /// The listener.
        address: SocketAddr,
        /// Its timeout.
        idle: Duration,
    },
    /// Two say who may publish over HTTP.
    #[error(
        "route {path}: `http.token` has no effect beside `auth`, which decides over HTTP too; give whoever publishes a token of `auth`"
    )]
    HttpTokenBesideAuth {
        /// The route.
        path: String,
    },
    /// Silent peers are cut before a ping had its answer.
    #[error("{address} pings after {} and closes after {} of silence: a ping and its answer need time, set `ping` to at most half of `idle`", Lasting(*.ping), Lasting(*.idle))]
    PingAfterIdle {
        /// The listener.
        address: SocketAddr,
        /// Its ping.
        ping: Duration,
        /// Its timeout.
        idle: Duration,
    },
    /// A token that is no secret.
    #[error("every user of this machine may read the token {}, and with it close every connection; `chmod o= ` it", file.display())]
    TokenForAll {
        /// The file of the admin listener's token.
        file: PathBuf,
    },
    /// No message can have a frame of the size allowed.
    #[error("route {path}: `frame` is {}, more than the {} of `message`: no message can use it", Octets(*.frame), Octets(*.message))]
    FrameAboveMessage {
        /// The route.
        path: String,
        /// Octets.
        frame: u64,
        /// Octets.
        message: u64,
    },
    /// A message that is accepted does not fit other peers' queues.
    #[error("route {path}: a message may have {}, but the queue of a peer holds {}: a larger message passes only while nothing else waits", Octets(*.message), Octets(*.queue))]
    MessageAboveQueue {
        /// The route.
        path: String,
        /// Octets.
        message: u64,
        /// Octets.
        queue: u64,
    },
    /// Everyone may say whom they speak for.
    #[error(
        "{address} trusts {network} as proxies: anyone who reaches it can claim any address and scheme; name the proxies alone"
    )]
    TrustsEveryone {
        /// The listener.
        address: SocketAddr,
        /// A network of every address.
        network: ipnet::IpNet,
    },
    /// A key that does nothing without the draft that it is about.
    #[error("route {path}: `{said}` has no effect, because the route does not speak {draft}")]
    DraftNotSpoken {
        /// The route.
        path: String,
        /// The key, or the word that stands in it.
        said: &'static str,
        /// The draft that it is about.
        draft: Draft,
    },
    /// A key that does nothing, because another one forbids it.
    #[error("route {path}: `hixie-75-without-origin` has no effect, because {why}")]
    WithoutOriginHasNoEffect {
        /// The route.
        path: String,
        /// What forbids it.
        why: &'static str,
    },
    /// A heartbeat for drafts that the route does not speak.
    #[error("route {path}: `heartbeat` has no effect, because every draft it speaks has ping")]
    HeartbeatHasNoEffect {
        /// The route.
        path: String,
    },
    /// A policy that protects nobody.
    #[error(
        "`policy.allow` has \"*\": the Flash and Silverlight programs of every web page may connect, and speak for whoever reads it; name the sites that need it"
    )]
    PolicyForEveryone,
    /// An entry that Flash cannot be told.
    #[error(
        "`policy.allow` has `{site}`: Flash cannot tell ports apart, so only Silverlight is told of it; leave the port out to allow the host to both"
    )]
    PolicyNotForFlash {
        /// The entry.
        site: String,
    },
    /// Silverlight is answered but cannot connect.
    #[error(
        "`policy.silverlight-listener` answers Silverlight, which connects to ports 4502 to 4534 only, and no listener has one of `policy.silverlight-ports`; listen on one, or forward one to a listener"
    )]
    SilverlightOutOfReach,
    /// A key of an upstream that concerns none of its addresses.
    #[error("route {path}: `{key}` has no effect, because {why}")]
    UpstreamKeyHasNoEffect {
        /// The route.
        path: String,
        /// The key.
        key: &'static str,
        /// What it would need.
        why: &'static str,
    },
    /// The TLS of a listener.
    #[error(transparent)]
    Tls(TlsWarning),
    /// A page that cannot reach its channel.
    #[error(
        "{address} serves the chat page, but no route takes /bus/chat, which it speaks to; add a bus route `/bus/{{channel}}` or set `page = false`"
    )]
    PageWithoutBus {
        /// The listener.
        address: SocketAddr,
    },
}

impl Config {
    /// Looks for what is allowed but probably not meant. `open_files` is the
    /// hard limit of open files, where the system tells.
    pub fn validate(&self, open_files: Option<u64>) -> Vec<Warning> {
        let mut warnings = Vec::new();
        let files = self.files();
        if let Some(open_files) = open_files.filter(|limit| files + OTHER_FILES > *limit) {
            warnings.push(Warning::TooManyConnections {
                files,
                relayed: files > self.connections(),
                open_files,
            });
        }
        self.listeners
            .iter()
            .for_each(|listener| self.listener_warnings(listener, &mut warnings));
        self.routes.iter().for_each(|route| {
            route_warnings(route, &mut warnings);
            let own = route.http.token != self.http.door.token;
            if own && route.auth.is_some() {
                let path = route.path.to_string();
                warnings.push(Warning::HttpTokenBesideAuth { path });
            }
        });
        let file = self.admin.as_ref().and_then(|it| it.token_file.clone());
        let file = file.filter(|file| tls_warning::is_for_all(file));
        warnings.extend(file.map(|file| Warning::TokenForAll { file }));
        if let Some(policy) = &self.policy {
            self.policy_warnings(policy, &mut warnings);
        }
        warnings
    }

    fn policy_warnings(&self, policy: &super::Policy, warnings: &mut Vec<Warning>) {
        if policy.allow.contains(&Site::Every) {
            warnings.push(Warning::PolicyForEveryone);
        }
        let not_for_flash = policy.allow.iter().filter(|site| site.flash().is_none());
        warnings.extend(not_for_flash.map(|site| Warning::PolicyNotForFlash {
            site: site.to_string(),
        }));
        let in_reach = self.listeners.iter().any(|listener| {
            let port = listener.address.port();
            let granted = |port| policy.silverlight_ports.iter().any(|p| p.contains(port));
            granted(listener.public_port(port)) || granted(port)
        });
        if policy.silverlight_listener.is_some() && !in_reach {
            warnings.push(Warning::SilverlightOutOfReach);
        }
    }

    fn listener_warnings(&self, listener: &super::Listener, warnings: &mut Vec<Warning>) {
        let address = listener.address;
        if let Some(idle) = listener.timeouts.idle {
            if idle < SHORTEST_IDLE {
                warnings.push(Warning::ShortIdle { address, idle });
            }
            if let Some(ping) = listener.timeouts.ping.filter(|ping| *ping > idle / 2) {
                warnings.push(Warning::PingAfterIdle {
                    address,
                    ping,
                    idle,
                });
            }
        }
        let everyone = listener
            .trusted_proxies
            .iter()
            .find(|network| network.prefix_len() == 0);
        if let Some(network) = everyone.copied() {
            warnings.push(Warning::TrustsEveryone { address, network });
        }
        let tls = tls_warning::of(listener, SystemTime::now()).into_iter();
        warnings.extend(tls.map(Warning::Tls));
        let on_the_bus = |(route, _): (&super::Route, _)| route.service == Service::Bus;
        if listener.page && !self.route("/bus/chat").is_some_and(on_the_bus) {
            warnings.push(Warning::PageWithoutBus { address });
        }
    }
}

fn route_warnings(route: &super::Route, warnings: &mut Vec<Warning>) {
    let path = || route.path.to_string();
    let (frame, message, queue) = (route.limits.frame, route.limits.message, route.queue as u64);
    if frame > message {
        warnings.push(Warning::FrameAboveMessage {
            path: path(),
            frame,
            message,
        });
    }
    if let Some(upstream) = &route.upstream {
        upstream_warnings(route, upstream, warnings);
    }
    if message > queue && queue < super::route::QUEUE as u64 && route.service == Service::Bus {
        warnings.push(Warning::MessageAboveQueue {
            path: path(),
            message,
            queue,
        });
    }
    let strictness = route.limits.strictness;
    for (on, said, draft) in [
        (route.version_aliases, "version-aliases", VERSION_ALIASED),
        (route.hello.is_said(), "hello-00", WITH_HELLO),
        (strictness.hybi_08, "strictness = hybi-08", VERSION_ALIASED),
        (strictness.lenient, "strictness = lenient", STRICTEST),
    ] {
        if on && !route.speaks(draft) {
            let path = path();
            warnings.push(Warning::DraftNotSpoken { path, said, draft });
        }
    }
    if route.hixie_75_without_origin {
        let missing = [OriginRule::Missing, OriginRule::Any]
            .iter()
            .any(|rule| route.origins.has(rule));
        let why = match (route.speaks(draftgate_drafts::WITHOUT_KEYS), missing) {
            (false, _) => "the route does not speak hixie-75",
            (true, false) => "`origins` does not accept \"missing\"",
            (true, true) => return heartbeat_warning(route, warnings),
        };
        warnings.push(Warning::WithoutOriginHasNoEffect { path: path(), why });
    }
    heartbeat_warning(route, warnings);
}

fn upstream_warnings(route: &super::Route, upstream: &Upstream, warnings: &mut Vec<Warning>) {
    let mut add = |key, why| {
        warnings.push(Warning::UpstreamKeyHasNoEffect {
            path: route.path.to_string(),
            key,
            why,
        });
    };
    let addresses = &upstream.addresses;
    let tls = |it: &Address| matches!(it, Address::WebSocket { url, .. } if url.secure);
    let secure = addresses.iter().any(tls);
    let tcp = |it: &Address| matches!(it, Address::Tcp { .. });
    let without_tls = "no address of the upstream is `wss://`";
    if upstream.insecure && !secure {
        add("upstream-insecure", without_tls);
    }
    if !upstream.ca.is_empty() && !secure {
        add("upstream-ca", without_tls);
    }
    if upstream.drafts != Drafts::Auto && !addresses.is_empty() && addresses.iter().all(tcp) {
        add("upstream-drafts", "`tcp://` speaks no WebSocket");
    }
}

fn heartbeat_warning(route: &super::Route, warnings: &mut Vec<Warning>) {
    let without_ping = route
        .drafts
        .iter()
        .any(|draft| !draftgate_drafts::has_ping(*draft));
    if route.heartbeat != Heartbeat::Off && !without_ping {
        warnings.push(Warning::HeartbeatHasNoEffect {
            path: route.path.to_string(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::{super::Environment, *};

    fn warnings(top: &str, route: &str) -> Vec<String> {
        let path = match route.starts_with("channel") {
            true => "/bus",
            false => "/bus/{channel}",
        };
        let service = match route.starts_with("upstream") {
            true => "proxy",
            false => "bus",
        };
        let text = format!(
            "{top}\n[[routes]]\npath = \"{path}\"\nservice = \"{service}\"\ndrafts = [\"13\"]\n{route}"
        );
        let config = Config::parse(
            &text,
            "a.toml",
            &[Draft::Hixie75, Draft::Hixie76, Draft::Hybi13],
            &Environment::default(),
        );
        let config = config.unwrap_or_else(|e| panic!("{e}"));
        config
            .validate(Some(100_000))
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn the_embedded_configuration_needs_no_warning() {
        assert_eq!(Config::default().validate(Some(20_000)), []);
        assert_eq!(Config::default().validate(None), []);
    }

    #[test]
    fn connections_and_the_limit_of_open_files_are_compared() {
        let found = Config::default().validate(Some(10_063));
        assert_eq!(
            found,
            [Warning::TooManyConnections {
                files: 10_000,
                relayed: false,
                open_files: 10_063
            }]
        );
        assert_eq!(Config::default().validate(Some(10_064)), []);
    }

    #[test]
    fn each_warning_is_given_for_its_cause_and_no_other() {
        for (top, route, begins) in [
            (
                "timeouts.idle = \"59s\"",
                "",
                "the idle timeout of 127.0.0.1:8080 is 59s",
            ),
            (
                "timeouts.ping = \"61s\"",
                "",
                "127.0.0.1:8080 pings after 61s and closes after 120s",
            ),
            (
                "limits.frame = \"17MiB\"",
                "",
                "route /bus/{channel}: `frame` is 17MiB",
            ),
            (
                "",
                "queue = \"64KiB\"",
                "route /bus/{channel}: a message may have 16MiB, but the queue of a peer holds 64KiB",
            ),
            (
                "listeners = [{ address = \"127.0.0.1:1\", trusted-proxies = [\"0.0.0.0/0\"] }]",
                "",
                "127.0.0.1:1 trusts 0.0.0.0/0",
            ),
            (
                "",
                "hixie-75-without-origin = true",
                "route /bus/{channel}: `hixie-75-without-origin` has no effect, because the route does not",
            ),
            (
                "",
                "version-aliases = true",
                "route /bus/{channel}: `version-aliases` has no effect, because the route does not speak hybi-08",
            ),
            (
                "",
                "strictness = \"hybi-08\"",
                "route /bus/{channel}: `strictness = hybi-08` has no effect, because the route does not speak hybi-08",
            ),
            (
                "",
                "heartbeat = \"empty-text\"",
                "route /bus/{channel}: `heartbeat` has no effect",
            ),
            (
                "",
                "channel = \"plc\"\nsource = \"ws://a\"\nupstream-insecure = true",
                "route /bus: `upstream-insecure` has no effect, because no address",
            ),
            (
                "",
                "channel = \"plc\"\nsource = \"ws://a\"\nupstream-ca = \"a.pem\"",
                "route /bus: `upstream-ca` has no effect, because no address",
            ),
            (
                "",
                "upstream = \"tcp://a:1\"\nupstream-drafts = [\"13\"]",
                "route /bus/{channel}: `upstream-drafts` has no effect, because `tcp://`",
            ),
            (
                "",
                "http.token = \"0123456789abcdef\"\nauth.token = \"0123456789abcdef-2\"",
                "route /bus/{channel}: `http.token` has no effect beside `auth`",
            ),
            (
                "policy.allow = [\"example.com\", \"*\"]",
                "",
                "`policy.allow` has \"*\": the Flash and Silverlight programs of every web page",
            ),
            (
                "policy.allow = [\"https://example.com:8443\"]",
                "",
                "`policy.allow` has `https://example.com:8443`: Flash cannot tell ports apart",
            ),
            (
                "policy = { allow = \"example.com\", silverlight-listener = \"0.0.0.0:943\" }",
                "",
                "`policy.silverlight-listener` answers Silverlight, which connects to ports",
            ),
            (
                "listeners = [{ address = \"127.0.0.1:1\", page = true }]\nroutes = [{ path = \"/e\", service = \"echo\", drafts = \"all\" }]",
                "-",
                "127.0.0.1:1 serves the chat page",
            ),
        ] {
            let found = match route {
                "-" => {
                    let config =
                        Config::parse(top, "a.toml", &[Draft::Hybi13], &Environment::default())
                            .unwrap();
                    config
                        .validate(None)
                        .iter()
                        .map(ToString::to_string)
                        .collect()
                }
                route => warnings(top, route),
            };
            assert_eq!(found.len(), 1, "{top} {route}: {found:?}");
            assert!(found[0].starts_with(begins), "{found:?}");
        }
        assert_eq!(warnings("", ""), [] as [String; 0]);
        let reached = "listeners = [{ address = \"0.0.0.0:4502\" }]\npolicy = { allow = \"example.com\", silverlight-listener = \"0.0.0.0:943\" }";
        assert_eq!(warnings(reached, ""), [] as [String; 0]);
    }
}
