//! `draftgate serve`: reads the configuration, opens the ports, says where it
//! can be reached, and runs until a signal.
//!
//! The addresses go to standard output, for people and for scripts that asked
//! for port 0; everything that happens later goes to the log.

use std::{
    fmt::Write as _,
    io::{self, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use draftgate_gateway::{
    Gateway, Running,
    config::{Address, Config, Listener, Plugin, Route, Service, Source},
};
use tokio::runtime::{Builder, Runtime};
use tracing::{info, warn};

use crate::{
    args, check, configuration,
    exit::{Failure, quiet_pipe},
    log,
    signals::{Came, Signals},
};

/// Runs the gateway until a signal ends it.
///
/// # Errors
/// The configuration is wrong, an address cannot be had, or a second INT cut
/// the end short.
pub(crate) fn run(args: &args::Serve) -> Result<(), Failure> {
    if !cfg!(target_os = "linux") {
        return Err(Failure::new(
            "serve is for Linux: elsewhere nobody has run it for long; `draftgate echo` and `draftgate proxy` serve here, and all other commands work",
        ));
    }
    let mut config = configuration::load(&args.file)?;
    if let Some(dir) = &args.record {
        config.record.dir = Some(dir.clone());
    }
    let serves = match &config.source {
        Source::Embedded => "the built-in configuration (no file was found)".to_owned(),
        source => check::name(source).to_owned(),
    };
    gateway(config, serves, &args.open, &args.log)
}

/// Runs `config` with the flags on top; `serves` is what it is, for the banner.
///
/// # Errors
/// As [`run`].
pub(crate) fn gateway(
    mut config: Config,
    serves: String,
    open: &args::Open,
    log: &args::Log,
) -> Result<(), Failure> {
    config.log.level = log.level.unwrap_or(config.log.level);
    config.log.format = log.format.unwrap_or(config.log.format);
    let _written = log::start(&config.log)
        .map_err(|error| Failure::new(format_args!("cannot start the log: {error}")))?;
    if open.any_origin {
        config.any_origin();
    }
    let mut warnings = Vec::new();
    if let Some(address) = open.listen {
        warnings = config.with_listen(address);
    }
    // Binding raises the limit of open files, and warns if that is too few.
    warnings.extend(config.validate(None));
    for warning in warnings {
        warn!("{warning}");
    }
    let runtime = runtime()
        .map_err(|error| Failure::new(format_args!("cannot start the I/O threads: {error}")))?;
    let done = runtime.block_on(until_stopped(config, serves));
    runtime.shutdown_background();
    done
}

/// After how many turns of connections a thread looks at the sockets again. A
/// turn is up to 2 ms, so that tokio's own 61 would keep a newcomer waiting for
/// an eighth of a second at each of its steps, while a dozen peers write
/// without end; a look costs a microsecond.
const TURNS_A_LOOK: u32 = 8;

fn runtime() -> io::Result<Runtime> {
    Builder::new_multi_thread()
        .enable_all()
        .event_interval(TURNS_A_LOOK)
        .build()
}

async fn until_stopped(config: Config, serves: String) -> Result<(), Failure> {
    // Before the addresses are printed: whoever reads them may signal at once.
    let mut signals = Signals::of_a_service()
        .map_err(|error| Failure::new(format_args!("cannot listen to signals: {error}")))?;
    let text = Banner {
        serves,
        config: config.clone(),
    };
    let running = Gateway::bind(config).map_err(Failure::new)?;
    let mut out = io::stdout().lock();
    quiet_pipe(
        out.write_all(
            text.with(&running.addrs(), &running.policy_addrs())
                .as_bytes(),
        )
        .and_then(|()| out.flush()),
    )?;
    drop(out);
    while signals.next().await == Came::HangUp {
        unable_to_reload();
    }
    drained(running, signals).await
}

/// Ends every connection as its draft says, unless an INT cuts that short.
async fn drained(running: Running, mut signals: Signals) -> Result<(), Failure> {
    let mut drain = std::pin::pin!(running.drain());
    loop {
        tokio::select! {
            () = &mut drain => {
                info!("stopped");
                return Ok(());
            }
            came = signals.next() => match came {
                Came::Interrupt => {
                    return Err(Failure::new("interrupted again: connections were cut"));
                }
                Came::Terminate => {}
                Came::HangUp => unable_to_reload(),
            }
        }
    }
}

fn unable_to_reload() {
    warn!(
        "SIGHUP: this version cannot read its configuration again while it runs; start it anew to apply a change"
    );
}

/// What is printed once the ports are open.
struct Banner {
    serves: String,
    config: Config,
}

impl Banner {
    fn with(&self, addrs: &[SocketAddr], policy: &[(Plugin, SocketAddr)]) -> String {
        let mut text = format!("draftgate {} serves ", env!("CARGO_PKG_VERSION"));
        text += &self.serves;
        text.push('\n');
        for (listener, addr) in self.config.listeners.iter().zip(addrs) {
            self.listener(&mut text, listener, *addr);
        }
        if let Some(dir) = &self.config.record.dir {
            let _ = writeln!(
                text,
                "  every connection is recorded into {}",
                dir.display()
            );
        }
        for (plugin, addr) in policy {
            let _ = writeln!(text, "  policy requests of {plugin}  {}", reachable(*addr));
        }
        text
    }

    fn listener(&self, text: &mut String, listener: &Listener, addr: SocketAddr) {
        let at = reachable(addr);
        // Writing to a String cannot fail.
        if listener.page {
            let _ = writeln!(text, "  page  http://{at}/");
        }
        let mut first_bus = None;
        for route in &self.config.routes {
            let kind = route.service;
            let path = &route.path;
            let drafts: Vec<String> = route.drafts.iter().map(|d| d.with_alias()).collect();
            let drafts = drafts.join(", ");
            let _ = writeln!(text, "  {kind:<5} ws://{at}{path}  ({drafts})");
            if let Some(upstream) = &route.upstream {
                let to: Vec<String> = upstream.addresses.iter().map(Address::to_string).collect();
                let _ = writeln!(text, "        {} {}", beyond(route), to.join(", "));
            }
            if route.service == Service::Bus {
                first_bus.get_or_insert(route);
            }
        }
        if let Some(url) = &listener.public_url {
            let _ = writeln!(text, "  known to clients as {url}");
        }
        if listener.proxy_protocol {
            text.push_str(
                "        through the proxy in front alone: it must send the PROXY protocol\n",
            );
            return;
        }
        let Some(route) = first_bus.or_else(|| self.config.routes.first()) else {
            return;
        };
        // The newest that is unlike all of today's.
        let mut drafts = route.drafts.iter();
        let old = drafts.rfind(|draft| !draftgate_drafts::has_ping(**draft));
        let Some(draft) = old.or_else(|| route.drafts.last()) else {
            return;
        };
        let path = route.path.to_string();
        let path = path.replace("{channel}", "chat").replace("{rest}", "");
        let _ = writeln!(
            text,
            "  try   draftgate connect --draft {draft} ws://{at}{path}"
        );
    }
}

/// What an upstream is to its route.
fn beyond(route: &Route) -> &'static str {
    match route.service {
        Service::Bus => "fed by",
        _ => "to",
    }
}

/// The address as somebody on this machine can write it: nobody connects to
/// 0.0.0.0.
fn reachable(addr: SocketAddr) -> SocketAddr {
    let ip = match addr.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, addr.port())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_that_was_got_is_printed() {
        let banner = Banner {
            serves: "a.toml".into(),
            config: Config::default(),
        };
        let own = (Plugin::Flash, "0.0.0.0:4712".parse().unwrap());
        let text = banner.with(&["127.0.0.1:4711".parse().unwrap()], &[own]);
        assert!(text.contains("ws://127.0.0.1:4711/bus/{channel}"), "{text}");
        assert!(!text.contains("8080"), "{text}");
        let policy = "policy requests of Flash  127.0.0.1:4712";
        assert!(text.contains(policy), "{text}");
    }

    #[test]
    fn nobody_is_sent_past_the_proxy() {
        let mut config = Config::default();
        config.listeners[0].proxy_protocol = true;
        let banner = Banner {
            serves: "a.toml".into(),
            config,
        };
        let text = banner.with(&["127.0.0.1:4711".parse().unwrap()], &[]);
        assert!(text.contains("it must send the PROXY protocol"), "{text}");
        assert!(!text.contains("try "), "{text}");
    }

    #[test]
    fn nobody_is_sent_to_an_unspecified_address() {
        for (addr, printed) in [
            ("0.0.0.0:80", "127.0.0.1:80"),
            ("[::]:80", "[::1]:80"),
            ("192.0.2.1:80", "192.0.2.1:80"),
        ] {
            assert_eq!(reachable(addr.parse().unwrap()).to_string(), printed);
        }
    }
}
