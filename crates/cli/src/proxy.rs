//! `draftgate proxy`: a gateway whose only service relays to one server, for
//! one device, without a file. It is the same gateway as `serve` runs with
//! `service = "proxy"`; what more a file can say, its keys say there.

use std::{path::PathBuf, time::Duration};

use draftgate_core::Draft;
use draftgate_gateway::config::{
    Address, AnswerChecks, BinaryPolicy, Config, Drafts, NotAnAddress, OriginRule, Origins,
    Service, Upstream, units,
};

use crate::{
    args::{self, spoken_draft},
    configuration,
    exit::Failure,
    serve,
};

const HELP: &str = "\
Takes every path on --listen, by default 127.0.0.1:8080. Path, query, cookies,
passwords, origin and subprotocols of a client go to the server; a URL that
names a path is asked for that path. What the server answers, the client is
answered.

URLs: ws://host:port, wss://host, unix:/run/app.sock, tcp://host:port (octets,
for clients that ask for the subprotocol `binary` or `base64`, and for those
without binary as base64). Several are the same server: they take turns, and
stand in for each other.

Refusals name the keys of a file: `origins` is --origins here, `binary` is
--binary, `max-upstream-connections` --max-connections.

Examples:
  draftgate proxy --listen 0.0.0.0:80 ws://127.0.0.1:9000
                                              old devices in front of today's back end
  draftgate proxy --upstream-draft hixie-76 ws://plc.example/values
                                              today's browsers in front of a device of 2010
  draftgate proxy --record recordings wss://example.com
                                              and keep every connection as an exchange";

/// Relay clients of any draft to a server of any draft
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub(crate) struct Proxy {
    /// The server; several URLs are the same server
    #[arg(value_name = "URL", required = true, value_parser = upstream)]
    upstream: Vec<Address>,
    #[command(flatten)]
    open: args::Open,
    /// The origins that browsers may come from, parted by commas, as `origins` of
    /// a file; by default pages of this machine, or of the same host where
    /// --listen is not loopback
    #[arg(
        long,
        value_name = "ORIGIN,…",
        value_delimiter = ',',
        conflicts_with = "any_origin"
    )]
    origins: Vec<OriginRule>,
    /// The drafts in which the server is spoken to, in the order in which they
    /// are tried, parted by commas; `auto` goes down from the newest that has a
    /// version
    #[arg(
        long,
        visible_alias = "upstream-drafts",
        value_name = "DRAFT,…",
        default_value = "auto"
    )]
    upstream_draft: Drafts,
    /// The drafts that clients may speak, parted by commas; by default all
    #[arg(long, value_name = "DRAFT,…", value_delimiter = ',', value_parser = spoken_draft)]
    drafts: Vec<Draft>,
    /// What becomes of binary messages where a draft has none: base64,
    /// text-if-utf8, hex, length-frame, drop or close
    #[arg(long, value_name = "HOW", default_value = "drop")]
    binary: BinaryPolicy,
    /// How many connections the server may have at once; more wait for 10 s
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..))]
    max_connections: Option<u32>,
    /// How long the server needs between two connections
    #[arg(long, value_name = "TIME", value_parser = units::duration, default_value = "0s")]
    pause: Duration,
    /// Judge the server's answers leniently, and log what was forgiven
    #[arg(long)]
    lenient: bool,
    /// Trust the certificates in this file, too
    #[arg(long, value_name = "FILE")]
    cacert: Vec<PathBuf>,
    /// Take any certificate of the server
    #[arg(long)]
    insecure: bool,
    /// Record every connection as an exchange into this directory
    #[arg(long, value_name = "DIR")]
    record: Option<PathBuf>,
    #[command(flatten)]
    log: args::Log,
}

fn upstream(text: &str) -> Result<Address, String> {
    text.parse()
        .map_err(|error: NotAnAddress| error.to_string())
}

/// Runs until a signal.
///
/// # Errors
/// As [`serve::run`].
pub(crate) fn run(args: &Proxy) -> Result<(), Failure> {
    let read = || {
        let mut config = relaying(configuration::built_in()?, args);
        config.with_drafts(&args.drafts);
        config.record.dir.clone_from(&args.record);
        Ok(config)
    };
    let serves = |_: &_| "a proxy".to_owned();
    serve::gateway(read, serves, &args.open, &args.log)
}

/// `config` with nothing but the proxy; what it says for all routes stays.
fn relaying(config: Config, args: &Proxy) -> Config {
    let upstream = Upstream {
        drafts: args.upstream_draft.clone(),
        max_connections: args.max_connections,
        pause: args.pause,
        answer_checks: match args.lenient {
            true => AnswerChecks::Lenient,
            false => AnswerChecks::Strict,
        },
        ca: args.cacert.clone(),
        insecure: args.insecure,
        ..Upstream::new(args.upstream.clone())
    };
    let mut config = configuration::alone(config, Service::Proxy);
    for route in &mut config.routes {
        if !args.origins.is_empty() {
            route.origins = Origins::new(args.origins.clone());
        } else if route.origins == Origins::local() {
            // `null` would let in every page that makes itself a frame.
            route.origins = Origins::loopback();
        }
        route.binary = args.binary;
        route.upstream = Some(Box::new(upstream.clone()));
    }
    config
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use draftgate_gateway::config::Route;

    use super::*;

    #[derive(Debug, Parser)]
    struct Alone {
        #[command(flatten)]
        proxy: Proxy,
    }

    fn relayed(line: &[&str]) -> Route {
        let line = ["proxy"].iter().chain(line);
        let args = Alone::try_parse_from(line).unwrap().proxy;
        relaying(Config::default(), &args).routes.remove(0)
    }

    #[test]
    fn flags_are_the_keys_of_a_route() {
        let route = relayed(&[
            "--upstream-draft",
            "hixie-76,hixie-75",
            "--max-connections",
            "1",
            "--lenient",
            "--binary",
            "base64",
            "ws://plc/values",
            "unix:/run/plc",
        ]);
        assert_eq!(route.binary, BinaryPolicy::Base64);
        let upstream = *route.upstream.unwrap();
        assert_eq!(upstream.addresses.len(), 2);
        assert_eq!(upstream.max_connections, Some(1));
        assert_eq!(upstream.answer_checks, AnswerChecks::Lenient);
        let named = Drafts::Named(vec![Draft::Hixie76, Draft::Hixie75]);
        assert_eq!(upstream.drafts, named);
    }

    #[test]
    fn without_flags_it_is_what_a_file_says_with_the_address_alone() {
        let route = relayed(&["ws://plc"]);
        let alone = Upstream::new(vec!["ws://plc".parse().unwrap()]);
        assert_eq!(route.upstream, Some(Box::new(alone)));
        assert_eq!(route.origins, Origins::loopback());
        let listed = relayed(&["--origins", "https://a.example,missing", "ws://plc"]);
        assert_eq!(
            listed.origins,
            Origins::new(["https://a.example".parse().unwrap(), OriginRule::Missing])
        );
    }
}
