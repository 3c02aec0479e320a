//! The configuration that draftgate is measured with: its defaults, one thread,
//! no line for each connection, and room for the storms. Written out here so that
//! whoever reads a figure can see what it is of.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::failure::Failure;

/// What varies.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gateway {
    /// What `/proxy` relays to, in hybi-13.
    pub(crate) upstream: Option<SocketAddr>,
    /// Whether there is a second listener, for TLS of all versions.
    pub(crate) tls: bool,
}

/// A storm of TLS openings takes one thread longer than the defaults let a client
/// wait: they are about the patience of people.
const FIXED: &str = r#"
threads = 1
drafts = "all"
origins = "any"

[timeouts]
turn = "120s"
tls = "120s"
head = "120s"

[log]
access = false
format = "human"
level = "error"

[[listeners]]
address = "127.0.0.1:0"

[[routes]]
path = "/echo"
service = "echo"

[[routes]]
path = "/bus/{channel}"
service = "bus"
"#;

impl Gateway {
    /// As a file.
    pub(crate) fn config(&self) -> String {
        let mut text = FIXED.trim_start().to_owned();
        // A proxied connection has two sockets.
        let most = if self.upstream.is_some() {
            1000
        } else {
            19_000
        };
        let _ = write!(text, "\n[limits]\nmax-connections = {most}\n");
        if let Some(upstream) = self.upstream {
            let _ = write!(
                text,
                "\n[[routes]]\npath = \"/proxy\"\nservice = \"proxy\"\n\
                 upstream = \"ws://{upstream}/echo\"\nupstream-drafts = [\"hybi-13\"]\n"
            );
        }
        if self.tls {
            text.push_str(
                "\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\
                 tls = { certificate = \"chain.pem\", key = \"key.pem\", profile = \"legacy-1.0\" }\n",
            );
        }
        text
    }
}

/// A certificate with an RSA key of 2048 bits, as servers had for the clients of
/// 2010, in `folder`, unless it is there.
///
/// # Errors
/// There is no `openssl`, or it fails.
pub(crate) fn certificate(folder: &Path) -> Result<(), Failure> {
    if folder.join("key.pem").exists() {
        return Ok(());
    }
    let mut openssl = Command::new("openssl");
    openssl.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
    ]);
    openssl.args([
        "-subj",
        "/CN=localhost",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]);
    openssl.args(["-keyout", "key.pem", "-out", "chain.pem"]);
    openssl.stdout(Stdio::null()).stderr(Stdio::null());
    let made = openssl.current_dir(folder).status();
    let failed = |source| Failure::Start {
        what: "openssl".into(),
        source,
    };
    match made.map_err(failed)?.success() {
        true => Ok(()),
        false => Err(failed(std::io::Error::other("it made no certificate"))),
    }
}
