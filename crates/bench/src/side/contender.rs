//! The servers that are measured, as processes: draftgate, the Rust servers of
//! the program `peer`, those of npm, uWebSockets, HAProxy. Each is started for one
//! measurement and ended after it, on its own core, so that none meets the memory
//! that another left behind, nor one that is warm from the last scenario.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use std::{fs, thread};

use draftgate_bench::servers::{Server, Service};

use crate::core::{self, Cores};
use crate::failure::{Failure, file};
use crate::gateway::{self, Gateway};

/// How often and how long HAProxy is knocked at, which says nothing when it listens.
const KNOCKS: u32 = 200;
const BETWEEN_KNOCKS: Duration = Duration::from_millis(25);

/// A server.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Contender {
    Draftgate,
    /// With a listener for TLS of all versions; its address is that one's.
    DraftgateTls,
    Rust(Server, Service),
    UWebSockets(Service),
    Ws(Service),
    WebsocketDriver(Service),
    /// In front of an echo server that speaks hybi-13.
    DraftgateProxy,
    /// In front of the same, passing octets through.
    Haproxy,
}

/// Where everything is.
#[derive(Clone, Debug)]
pub(crate) struct Programs {
    pub(crate) draftgate: PathBuf,
    pub(crate) peer: PathBuf,
    /// What `cargo xtask bench` installed.
    pub(crate) installed: PathBuf,
    /// For configurations; the caller's to remove.
    pub(crate) scratch: PathBuf,
    pub(crate) cores: Cores,
}

/// A server that listens; it ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    pub(crate) address: SocketAddr,
    /// What it stands in front of.
    _behind: Option<Box<Self>>,
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Contender {
    /// Whether what it needs is there; draftgate and the Rust servers always are.
    pub(crate) fn is_installed(&self, programs: &Programs) -> bool {
        let installed = |path: &str| programs.installed.join(path).exists();
        match self {
            Self::UWebSockets(_) => installed("uws"),
            Self::Ws(_) => installed("node_modules/ws"),
            Self::WebsocketDriver(_) => installed("node_modules/websocket-driver"),
            Self::Haproxy => Command::new("haproxy")
                .arg("-v")
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success()),
            _ => true,
        }
    }

    /// Starts it on the server's core.
    ///
    /// # Errors
    /// It does not start, or does not listen.
    pub(crate) fn start(&self, programs: &Programs) -> Result<Running, Failure> {
        let core = programs.cores.server;
        match self {
            Self::Draftgate => programs.gateway(&Gateway::default(), core),
            Self::DraftgateTls => programs.gateway(
                &Gateway {
                    tls: true,
                    ..Gateway::default()
                },
                core,
            ),
            Self::Rust(server, service) => {
                let mut command = Command::new(&programs.peer);
                let name = clap::ValueEnum::to_possible_value(server);
                command.arg(name.expect("every server has a name").get_name());
                serving(command, *service, core)
            }
            Self::UWebSockets(service) => {
                serving(Command::new(programs.installed.join("uws")), *service, core)
            }
            Self::Ws(service) => serving(programs.node("ws.cjs"), *service, core),
            Self::WebsocketDriver(service) => {
                serving(programs.node("websocket-driver.cjs"), *service, core)
            }
            Self::DraftgateProxy | Self::Haproxy => {
                // On the other core, and the same for both.
                let behind = programs.gateway(&Gateway::default(), programs.cores.load)?;
                let mut running = if *self == Self::Haproxy {
                    programs.haproxy(behind.address, core)?
                } else {
                    let gateway = Gateway {
                        upstream: Some(behind.address),
                        ..Gateway::default()
                    };
                    programs.gateway(&gateway, core)?
                };
                running._behind = Some(Box::new(behind));
                Ok(running)
            }
        }
    }
}

impl Programs {
    fn gateway(&self, gateway: &Gateway, core: usize) -> Result<Running, Failure> {
        let config = self.scratch.join("draftgate.toml");
        fs::write(&config, gateway.config()).map_err(file(&config))?;
        if gateway.tls {
            gateway::certificate(&self.scratch)?;
        }
        let mut command = Command::new(&self.draftgate);
        // Settings of whoever measures are not to be measured.
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("DRAFTGATE_"))
            {
                command.env_remove(name);
            }
        }
        command.args(["serve", "--config"]).arg(&config);
        command.stdin(Stdio::null());
        listening(command, core, if gateway.tls { "wss://" } else { "" })
    }

    fn node(&self, script: &str) -> Command {
        let mut command = Command::new("node");
        command.arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("peers")
                .join(script),
        );
        command.env("NODE_PATH", self.installed.join("node_modules"));
        command
    }

    /// One thread, nothing logged, octets passed through as they come.
    fn haproxy(&self, upstream: SocketAddr, core: usize) -> Result<Running, Failure> {
        let address = free_port().map_err(|e| start_failure("haproxy", e))?;
        let config = self.scratch.join("haproxy.cfg");
        let text = format!(
            "global\n  nbthread 1\n  maxconn 1000\ndefaults\n  mode tcp\n  timeout connect 5s\n  \
             timeout client 1m\n  timeout server 1m\nlisten through\n  bind {address}\n  \
             server echo {upstream}\n"
        );
        fs::write(&config, text).map_err(file(&config))?;
        let mut command = Command::new("haproxy");
        command
            .args([OsStr::new("-db"), OsStr::new("-q"), OsStr::new("-f")])
            .arg(&config);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let child = core::start(&mut command, core).map_err(|e| start_failure("haproxy", e))?;
        let running = Running {
            child,
            address,
            _behind: None,
        };
        for _ in 0..KNOCKS {
            if TcpStream::connect(address).is_ok() {
                return Ok(running);
            }
            thread::sleep(BETWEEN_KNOCKS);
        }
        Err(Failure::Silent("haproxy".into()))
    }
}

/// A server that prints its address, and ends with its input.
fn serving(mut command: Command, service: Service, core: usize) -> Result<Running, Failure> {
    if service == Service::Broadcast {
        command.arg("--broadcast");
    }
    command.stdin(Stdio::piped());
    listening(command, core, "")
}

/// Starts it and waits for the address that it prints, behind `scheme` if several do.
fn listening(mut command: Command, core: usize, scheme: &str) -> Result<Running, Failure> {
    let what = command.get_program().display().to_string();
    command.stdout(Stdio::piped());
    let mut child = core::start(&mut command, core).map_err(|e| start_failure(&what, e))?;
    let mut lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
    let address = lines
        .by_ref()
        .map_while(Result::ok)
        .filter(|line| line.contains(scheme))
        .find_map(|line| address_in(&line));
    // What it says later is read and dropped, so that it never waits for us.
    thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
    let mut running = Running {
        child,
        address: SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        _behind: None,
    };
    running.address = address.ok_or(Failure::Silent(what))?;
    Ok(running)
}

/// The address of the loopback in a line, whatever stands around it.
fn address_in(line: &str) -> Option<SocketAddr> {
    let from = &line[line.find("127.0.0.1:")?..];
    let end = from.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit());
    from[..end.unwrap_or(from.len())]
        .trim_end_matches(['.', ':'])
        .parse()
        .ok()
}

fn free_port() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

fn start_failure(what: &str, source: io::Error) -> Failure {
    Failure::Start {
        what: what.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_found_among_other_words() {
        let address = Some(SocketAddr::from(([127, 0, 0, 1], 80)));
        for line in [
            "127.0.0.1:80",
            "INFO listening address=127.0.0.1:80 tls=false",
            r#"{"address":"127.0.0.1:80"}"#,
            "It listens on ws://127.0.0.1:80.",
        ] {
            assert_eq!(address_in(line), address, "{line}");
        }
        assert_eq!(address_in("127.0.0.1 and nothing else"), None);
    }
}
