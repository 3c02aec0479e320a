//! From a URL to an open connection: resolve, connect, send the request, read
//! the answer. Connecting has one deadline and the opening another, so that
//! the error can say which of the two failed.

use std::{io, time::Duration};

use bytes::BytesMut;
use draftgate_drafts::opening::{Answer, Connected, Offer, Pending, Refusal, RefusalKind};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use super::url::Target;

/// As much of the body of a refusal is shown.
const BODY_SHOWN: usize = 4 << 10;

/// How long the body of a refusal may take: it was sent together with its head.
const BODY_WAIT: Duration = Duration::from_secs(1);

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    #[error("cannot find the host {name}: {source}; check how it is spelled")]
    Resolve { name: String, source: io::Error },
    #[error("cannot connect to {host}: {source}; {}", remedy(source))]
    Connect { host: String, source: io::Error },
    #[error(
        "cannot connect to {host}: nothing answered in {after:?}; check address and port, and the firewalls between"
    )]
    ConnectTimeout { host: String, after: Duration },
    #[error("the connection to {host} broke during the opening handshake: {source}")]
    Broken { host: String, source: io::Error },
    #[error(
        "{host} closed the connection without an answer ({octets} octets came): it may not know this draft, try another with --draft"
    )]
    Ended { host: String, octets: usize },
    #[error(
        "{host} did not finish the opening handshake in {after:?} ({octets} octets came): it may speak another draft (--draft), or be no WebSocket server"
    )]
    OpeningTimeout {
        host: String,
        after: Duration,
        octets: usize,
    },
    #[error("{refusal}; {} [{}]{}", refusal.remedy(), refusal.code(), shown(body))]
    Refused { refusal: Refusal, body: String },
}

fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "nothing listens there: check address and port",
        _ => "check address and port",
    }
}

/// The body of a refusal below its error, indented.
fn shown(body: &str) -> String {
    body.lines().map(|line| format!("\n  {line}")).collect()
}

/// Connects to one of the addresses of `target`, in the resolver's order.
///
/// # Errors
/// There is none, or none can be connected to in time.
pub(crate) async fn connect(target: &Target, within: Duration) -> Result<TcpStream, DialError> {
    let Target {
        host, name, port, ..
    } = target;
    let attempt = async {
        let found = tokio::net::lookup_host((name.as_str(), *port)).await;
        let found = found.map_err(|source| DialError::Resolve {
            name: name.clone(),
            source,
        })?;
        let mut failed = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
        for address in found {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => failed = error,
            }
        }
        Err(DialError::Connect {
            host: host.clone(),
            source: failed,
        })
    };
    let after = within;
    let timed_out = |_| DialError::ConnectTimeout {
        host: host.clone(),
        after,
    };
    timeout(within, attempt).await.map_err(timed_out)?
}

/// Sends the request and reads the answer. What came behind the answer belongs
/// to the codec.
///
/// # Errors
/// The answer is not one, or does not come in time.
pub(crate) async fn open(
    stream: &mut TcpStream,
    target: &Target,
    offer: Offer,
    within: Duration,
) -> Result<(Connected, BytesMut), DialError> {
    let host = &target.host;
    let Offer {
        request,
        mut pending,
    } = offer;
    let mut answer = Heard::default();
    let opened = async {
        stream.write_all(&request).await?;
        answer.read(stream, pending.as_mut()).await
    };
    let refusal = match timeout(within, opened).await {
        Ok(Ok(Outcome::Connected(connected))) => return Ok((connected, answer.input)),
        Ok(Ok(Outcome::Refused(refusal))) => refusal,
        Ok(Ok(Outcome::Ended)) => {
            return Err(DialError::Ended {
                host: host.clone(),
                octets: answer.all.len(),
            });
        }
        Ok(Err(source)) => {
            return Err(DialError::Broken {
                host: host.clone(),
                source,
            });
        }
        Err(_) => {
            return Err(DialError::OpeningTimeout {
                host: host.clone(),
                after: within,
                octets: answer.all.len(),
            });
        }
    };
    let body = match refusal.kind {
        RefusalKind::AnswerStatus => answer.body(stream).await,
        _ => String::new(),
    };
    Err(DialError::Refused { refusal, body })
}

enum Outcome {
    Connected(Connected),
    Refused(Refusal),
    Ended,
}

/// What the server said so far.
#[derive(Default)]
struct Heard {
    /// What the draft has not taken yet.
    input: BytesMut,
    /// Everything.
    all: BytesMut,
}

impl Heard {
    async fn read(
        &mut self,
        stream: &mut TcpStream,
        pending: &mut dyn Pending,
    ) -> io::Result<Outcome> {
        loop {
            if !self.more(stream).await? {
                return Ok(Outcome::Ended);
            }
            // It never takes more than a head of 16 KiB before it refuses.
            match pending.answer(&mut self.input) {
                Ok(Some(connected)) => return Ok(Outcome::Connected(connected)),
                Ok(None) => {}
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            }
        }
    }

    /// Reads once; whether anything came.
    async fn more(&mut self, stream: &mut TcpStream) -> io::Result<bool> {
        let mut chunk = [0; 4 << 10];
        let count = stream.read(&mut chunk).await?;
        self.input.extend_from_slice(&chunk[..count]);
        self.all.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }

    /// The beginning of the body: it says why. Its end is where the answer
    /// says, or where nothing more comes.
    async fn body(mut self, stream: &mut TcpStream) -> String {
        let Ok(Some(head)) = Answer::read(&mut self.all) else {
            return String::new();
        };
        let length = head.named("content-length").next();
        let length =
            length.and_then(|(_, value)| std::str::from_utf8(value).ok()?.trim().parse().ok());
        let length = length.unwrap_or(BODY_SHOWN).min(BODY_SHOWN);
        let until = Instant::now() + BODY_WAIT;
        while self.all.len() < length {
            match timeout_at(until, self.more(stream)).await {
                Ok(Ok(true)) => {}
                _ => break,
            }
        }
        let text = String::from_utf8_lossy(&self.all[..self.all.len().min(length)]).into_owned();
        printable(text.trim_end())
    }
}

/// Without anything that would steer a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| c == '\n' || !c.is_control();
    text.chars().filter(|c| shown(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2J\r\nb\u{9b}c"), "a[2J\nbc");
    }

    #[test]
    fn a_refusal_says_what_to_do_and_shows_the_body() {
        let error = DialError::Refused {
            refusal: Refusal::with(RefusalKind::AnswerStatus, "HTTP/1.1 403 Forbidden"),
            body: "one\ntwo".into(),
        };
        let text = error.to_string();
        assert!(text.starts_with("the server did not switch protocols (HTTP/1.1 403 Forbidden); "));
        assert!(text.ends_with("[answer-status]\n  one\n  two"), "{text}");
    }
}
