//! One request to an admin listener.

use std::{
    env,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use bytes::Bytes;
use draftgate_gateway::config::{Admin, Token, read_secret};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::{net::TcpStream, runtime::Builder, time::timeout};

use super::flags::Server;
use crate::{args, configuration, exit::Failure};

/// The token, where no file holds it.
const VARIABLE: &str = "DRAFTGATE_ADMIN_TOKEN";

/// How long an answer may take.
const TIME: Duration = Duration::from_secs(15);

/// The largest answer: 10,000 connections have about 8 MiB.
const LARGEST: usize = 64 << 20;

/// Where to ask, and what to show there.
pub(super) struct Client {
    address: SocketAddr,
    token: Option<String>,
}

/// What was answered.
pub(super) struct Answered {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Client {
    /// The one that flags, environment and configuration name.
    ///
    /// # Errors
    /// The configuration is wrong, or none of them says where it is.
    pub(super) fn find(server: &Server) -> Result<Self, Failure> {
        let file = args::File {
            config: server.config.clone(),
        };
        let shown = match &server.token_file {
            Some(file) => Some(read_secret(file).map_err(|error| {
                Failure::usage(format_args!("cannot read {}: {error}", file.display()))
            })?),
            None => env::var(VARIABLE).ok(),
        };
        let shown = shown.map(|token| token.trim().to_owned());
        // With both said there is nothing to look up, nor where an address alone
        // was said: the token of another gateway is not for it.
        let sought = match (server.address, &shown, &server.config) {
            (Some(_), Some(_), _) | (Some(_), None, None) => None,
            _ => Some(configuration::admin(&file, shown.is_none())?),
        };
        let (configured, token) = match sought {
            Some(sought) => (sought.address, sought.token),
            None => (Admin::default().address, None),
        };
        let address = reachable(server.address.unwrap_or(configured));
        if address.port() == 0 {
            return Err(Failure::usage(
                "the configuration lets the gateway take any free port; say which it got with --address",
            ));
        }
        let token = shown.or_else(|| token.map(|it| it.reveal().to_owned()));
        if token.as_deref().is_some_and(|it| Token::new(it).is_err()) {
            return Err(Failure::usage("what was given as the token is none"));
        }
        Ok(Self { address, token })
    }

    pub(super) fn get(&self, path: &str) -> Result<Answered, Failure> {
        self.ask(Method::GET, path)
    }

    pub(super) fn put(&self, path: &str) -> Result<Answered, Failure> {
        self.ask(Method::PUT, path)
    }

    pub(super) fn delete(&self, path: &str) -> Result<Answered, Failure> {
        self.ask(Method::DELETE, path)
    }

    fn ask(&self, method: Method, path: &str) -> Result<Answered, Failure> {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime
            .map_err(|error| Failure::new(format_args!("cannot start the I/O thread: {error}")))?;
        let asked = async { timeout(TIME, self.answered(method, path)).await };
        match runtime.block_on(asked) {
            Ok(answered) => answered,
            Err(_) => Err(Failure::unavailable(format_args!(
                "{} does not answer in {TIME:?}",
                self.address
            ))),
        }
    }

    async fn answered(&self, method: Method, path: &str) -> Result<Answered, Failure> {
        let address = self.address;
        let tcp = TcpStream::connect(address).await.map_err(|error| {
            Failure::unavailable(format_args!(
                "nobody answers at {address}: {error}; does the gateway run, and has its configuration `[admin]`?"
            ))
        })?;
        let broken = |error: hyper::Error| {
            Failure::protocol(format_args!(
                "{address} does not speak HTTP as it should: {error}"
            ))
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(tcp)).await.map_err(broken)?;
        tokio::spawn(connection);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, address.to_string());
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Empty::<Bytes>::new());
        let request = request.map_err(|error| Failure::usage(error.to_string()))?;
        let answer = sender.send_request(request).await.map_err(broken)?;
        let status = answer.status().as_u16();
        let body = Limited::new(answer.into_body(), LARGEST).collect().await;
        let body = body.map_err(|error| {
            Failure::protocol(format_args!("the answer of {address} breaks off: {error}"))
        })?;
        let text = String::from_utf8_lossy(&body.to_bytes()).into_owned();
        Ok(Answered { status, text })
    }
}

impl Answered {
    /// The answer, if it is a yes.
    ///
    /// # Errors
    /// What the listener says instead.
    pub(super) fn success(self) -> Result<Self, Failure> {
        let Self { status, text } = &self;
        if (200..300).contains(status) {
            return Ok(self);
        }
        let said: Value = serde_json::from_str(text).unwrap_or_default();
        let word = |key: &str| said[key].as_str().map(|it| it.escape_debug().to_string());
        let Some((error, what_to_do)) = word("error").zip(word("what_to_do")) else {
            return Err(Failure::protocol(format_args!(
                "it answered with the status {status}, and not as an admin listener of draftgate does"
            )));
        };
        let code = said["code"].as_str().unwrap_or_default();
        let words = at_the_terminal(code, &error, &what_to_do);
        Err(match status {
            400 | 405 => Failure::usage(words),
            401 | 403 => Failure::refused(words),
            _ => Failure::new(words),
        })
    }
}

/// What is wrong and what to do, which is told in HTTP's words, in those of this
/// program.
fn at_the_terminal(code: &str, error: &str, what_to_do: &str) -> String {
    let error = error.replace("`all=true`", "`--all`");
    let what_to_do = match code {
        "admin-token-missing" | "admin-token-wrong" => {
            "show it by --token-file or DRAFTGATE_ADMIN_TOKEN, or name the gateway's configuration by -c"
        }
        "admin-unknown" => "`draftgate admin connections` and `handshakes` list what there is",
        "admin-query" => "see `--help` for what may be asked",
        _ => what_to_do,
    };
    format!("{error}; {what_to_do}")
}

/// Nobody connects to 0.0.0.0.
fn reachable(address: SocketAddr) -> SocketAddr {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, address.port())
}
