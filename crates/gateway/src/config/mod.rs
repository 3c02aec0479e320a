//! What the gateway listens on, what it serves there, and its limits.
//!
//! A file is TOML with keys in kebab case. It says for each route, once at the
//! top or at the route, which drafts are spoken; there is no default for that,
//! because each old draft gives something up that later ones protect. All
//! other keys have defaults, listed with their reasons in [`KEYS_TABLE`].
//! Scalar keys of single tables can also come from the environment
//! (`DRAFTGATE_LIMITS__MESSAGE=1MiB`), which wins over the file.
//!
//! The file is read by walking the parsed TOML instead of deriving serde:
//! that reports every mistake of a file at once, each with its place.
//!
//! ```
//! use draftgate_core::Draft;
//! use draftgate_gateway::config::{Config, Environment};
//!
//! let text = "
//! drafts = \"all\"
//! [[listeners]]
//! adress = \"0.0.0.0:8080\"
//! [[routes]]
//! path = \"/echo\"
//! service = \"echo\"
//! ";
//! let error = Config::parse(text, "gate.toml", &[Draft::Hybi13], &Environment::default()).unwrap_err();
//! assert!(error.to_string().contains("did you mean `address`?"), "{error}");
//! ```

mod admin;
mod admin_sought;
mod auth;
mod census;
mod compression;
mod effective;
mod environment;
mod exposure;
mod file;
mod flags;
mod hello;
mod http;
mod http2;
mod jwt;
mod keys;
mod listener;
mod lists;
mod log;
mod origin;
mod path;
mod policy;
mod problem;
mod profile;
mod quirks;
mod reader;
mod record;
mod rights;
mod route;
mod routes;
mod secret_file;
mod shown;
mod site;
mod source;
mod threads;
mod tls;
mod tls_warning;
mod token_place;
pub mod units;
mod upstream;
mod values;
mod warning;
mod wrong;

use std::time::Duration;

pub use admin::{Admin, NoAdminToken};
pub use admin_sought::AdminSought;
pub use auth::{Auth, AuthBy, AuthServer, AuthUrl, NamedToken, NotAnAuthUrl};
pub use census::CensusFile;
pub use draftgate_client::{AnswerChecks, Drafts};
pub use draftgate_conn::Overflow;
pub use draftgate_drafts::compression::Settings as Compression;
pub use draftgate_translate::BinaryPolicy;
pub use draftgate_upstream::{Address, NotAnAddress};
pub use effective::{Effective, SaidBy};
pub use environment::Environment;
pub use exposure::{Exposed, Exposure};
pub use file::EMBEDDED;
pub use hello::{Hello, Nonce};
pub use http::{Http, HttpDoor, NotAToken, Token};
pub use jwt::{AtExpiry, Jwt, JwtAlgorithm, JwtKey};
pub use keys::KEYS_TABLE;
pub use listener::{Listener, ListenerLimits, NotAPublicUrl, PublicUrl, Timeouts};
pub use log::{Log, LogFormat, LogLevel};
pub use origin::{NotAnOrigin, Origin, OriginRefused, OriginRule, Origins, Wildcard, allows};
pub use path::{NotAPattern, PathPattern};
pub use policy::{NotPorts, Plugin, Policy, Ports};
pub use problem::{ConfigError, Mistakes, Problem};
pub use profile::Profile;
pub use quirks::{Quirk, QuirkFor, Quirks};
pub use record::Record;
pub use rights::{Allowed, ChannelPattern, Excess, Grant, NotAChannelPattern, Rate, RateSaid};
pub use route::{Heartbeat, Route, Service};
pub use secret_file::read_secret;
pub use site::{Hosts, NotASite, Site};
pub use tls::{CertificateFiles, ClientAuth, Tls, TlsProfile};
pub use tls_warning::TlsWarning;
pub use token_place::{NotATokenPlace, TokenPlace};
pub use upstream::{HostField, Upstream};
pub use warning::Warning;

/// Everything the gateway is told before it starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where it was read.
    pub source: Source,
    /// What it listens on; never empty.
    pub listeners: Vec<Listener>,
    /// What it serves, on every listener; the first route that matches a path
    /// takes it. Never empty.
    pub routes: Vec<Route>,
    /// What Flash and Silverlight are told, which ask before they connect;
    /// `None`: nothing, so that their programs cannot.
    pub policy: Option<Policy>,
    /// How long connections may take to end after the order to stop; their
    /// closes are spread over it. 10 s: service managers kill after 30 s to 90 s, and
    /// spread over 10 s clients do not come back all at once.
    pub drain: Duration,
    /// How many threads move octets; `None`: one for each core.
    pub threads: Option<u32>,
    /// What it writes down.
    pub log: Log,
    /// What it records.
    pub record: Record,
    /// Where it keeps who speaks which draft.
    pub census: CensusFile,
    /// What bus routes serve over plain HTTP.
    pub http: Http,
    /// What operators are served; `None`: nothing.
    pub admin: Option<Admin>,
}

/// Where a configuration was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// It is the embedded one.
    Embedded,
    /// The file's name.
    File(String),
}

/// How long the drain takes by default; see [`Config::drain`].
const DRAIN: Duration = Duration::from_secs(10);

impl Default for Config {
    /// The embedded configuration, in every draft that is spoken.
    fn default() -> Self {
        let drafts = || draftgate_drafts::spoken().collect();
        let route = |path: &str, service| Route {
            origins: Origins::local(),
            ..Route::new(path.parse().expect("a constant pattern"), service, drafts())
        };
        Self {
            source: Source::Embedded,
            listeners: vec![Listener {
                page: true,
                ..Listener::default()
            }],
            routes: vec![
                route("/echo", Service::Echo),
                Route {
                    subprotocols: vec!["draftgate.envelope".to_owned(), "base64".to_owned()],
                    ..route("/bus/{channel}", Service::Bus)
                },
            ],
            policy: None,
            drain: DRAIN,
            threads: None,
            log: Log::default(),
            record: Record::default(),
            census: CensusFile::default(),
            http: Http::default(),
            admin: None,
        }
    }
}

impl Config {
    /// How many files all connections together may need.
    pub(crate) fn files(&self) -> u64 {
        let proxies = self.routes.iter().any(|it| it.service == Service::Proxy);
        // A client, and the upstream that it is relayed to.
        let each = if proxies { 2 } else { 1 };
        let asking = self.routes.iter().filter_map(|it| it.auth.as_ref());
        let asking = asking.map(|auth| match &auth.by {
            AuthBy::Server(server) => u64::from(server.at_once),
            AuthBy::Tokens(_) | AuthBy::Jwt(_) => 0,
        });
        self.connections() * each + asking.sum::<u64>()
    }

    /// Names of fields and parameters in which clients show tokens, which are
    /// in no recording.
    pub(crate) fn token_names(&self) -> Vec<String> {
        let auth = self.routes.iter().filter_map(|it| it.auth.as_ref());
        let places = auth.flat_map(|auth| &auth.from);
        let mut names: Vec<String> = places.flat_map(TokenPlace::names).collect();
        names.sort();
        names.dedup();
        names
    }

    /// How many connections of clients all listeners together may hold.
    pub(crate) fn connections(&self) -> u64 {
        let policy = self.policy.iter().flat_map(Policy::listeners);
        let listeners = self.listeners.iter().chain(policy.map(|(_, l)| l));
        listeners.map(|l| u64::from(l.limits.max_connections)).sum()
    }

    /// The route that takes a path (without its query), and the channel that
    /// the path or the route names.
    pub fn route<'a>(&'a self, path: &'a str) -> Option<(&'a Route, Option<&'a str>)> {
        self.routes.iter().find_map(|route| {
            let channel = route.path.matches(path)?;
            Some((route, channel.or(route.channel.as_deref())))
        })
    }
}
