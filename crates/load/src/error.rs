//! Why a scenario could not be carried out, and what goes wrong with one
//! connection. A fault of a connection is counted where the scenario is about
//! faults (openings, storms) and ends the scenario where it is not: a figure
//! about fewer connections than were asked for would be about something else.

use std::{io, net::SocketAddr, time::Duration};

use draftgate_client::TlsFailure;
use draftgate_core::Draft;
use draftgate_drafts::opening::Refusal;

/// Why there is no result.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoadError {
    /// The name is not known.
    #[error("cannot look up `{name}`: {source}")]
    Resolve {
        /// The name.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// The name has no address.
    #[error("`{0}` has no address")]
    NoAddress(String),
    /// It is not this machine, and nobody said that it may be another.
    #[error(
        "{0} is not this machine: load is put on the servers of others only when they agree to it; say --remote if they do"
    )]
    Remote(SocketAddr),
    /// The draft has no binary messages.
    #[error("{0} has no binary messages; leave out --binary")]
    NoBinary(Draft),
    /// What was asked for contradicts itself.
    #[error("{0}")]
    Usage(String),
    /// The draft cannot ask for that.
    #[error("{0}")]
    Unspeakable(Refusal),
    /// There is no TLS.
    #[error("no TLS with {host}: {failure}")]
    Tls {
        /// The server.
        host: String,
        /// Why.
        failure: TlsFailure,
    },
    /// OpenSSL takes something not.
    #[error("no TLS by OpenSSL: {0}")]
    OldTls(String),
    /// Too few files may be open.
    #[error(
        "{wanted} connections need as many open files, and this process may open {most}: raise the limit (ulimit -n {wanted}, or LimitNOFILE of its service), or ask for fewer"
    )]
    Files {
        /// Files that are needed.
        wanted: u64,
        /// Files that may be open.
        most: u64,
    },
    /// The server's process cannot be read.
    #[error(
        "cannot read what process {pid} has used ({why}): name the server's process id, and run as its user or as root"
    )]
    Process {
        /// Its number.
        pid: u32,
        /// What is wrong.
        why: String,
    },
    /// One of the connections that all are needed did not hold.
    #[error("connection {number} of {of} ({draft}): {fault}")]
    Connection {
        /// Which, from 1 on.
        number: usize,
        /// How many there were to be.
        of: usize,
        /// What it speaks.
        draft: &'static str,
        /// What happened.
        fault: Fault,
    },
    /// The server went silent.
    #[error("nothing came for {} s, and {missing} messages are missing", after.as_secs_f64())]
    Silent {
        /// How long was waited.
        after: Duration,
        /// How many messages did not come.
        missing: u64,
    },
    /// The system refuses what the generator itself needs.
    #[error("{what}: {source}")]
    System {
        /// What it was for.
        what: &'static str,
        /// What the system says.
        source: io::Error,
    },
}

/// What went wrong with one connection.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// TCP was not opened, or broke before the answer came.
    #[error("cannot connect ({0})")]
    Connect(io::Error),
    /// TCP broke.
    #[error("the connection broke ({0})")]
    Broken(io::Error),
    /// The server refused the opening, or its answer is none.
    #[error("the opening was refused: {0}")]
    Refused(Refusal),
    /// The server ended TCP.
    #[error("the server ended the connection")]
    Ended,
    /// The server closed.
    #[error("the server closed the connection{}", code(*.0))]
    Closed(Option<u16>),
    /// The server broke its draft.
    #[error("the server broke its draft: {0}")]
    Violation(String),
    /// A message came that was not sent, or in another order.
    #[error("a message came that was not the next one sent ({0})")]
    Wrong(String),
    /// It came when nothing was asked.
    #[error("{0} messages came more than were sent")]
    Unasked(u64),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    TimedOut(Duration),
}

fn code(code: Option<u16>) -> String {
    code.map_or_else(String::new, |code| format!(" with {code}"))
}
