//! How to get to a server and what to say there: the flags that every command
//! has which is a client.

use std::path::PathBuf;

use draftgate_client::{Drafts, Options, Tls, Via};
use http::HeaderValue;

use crate::args::spoken_draft;

/// How to get to a server, and what to say there.
#[derive(Debug, clap::Args)]
pub(crate) struct Reach {
    /// The origin to claim; by default http://HOST in the drafts that demand one, else none
    #[arg(short, long)]
    origin: Option<String>,
    /// A subprotocol to ask for; may be repeated, in order of preference
    #[arg(short, long, value_name = "NAME")]
    subprotocol: Vec<String>,
    /// A field to send with the request, `NAME: VALUE`; may be repeated
    #[arg(short = 'H', long, value_name = "FIELD", value_parser = field)]
    header: Vec<(String, HeaderValue)>,
    /// The HTTP proxy to go through, or `none`; by default the one that the
    /// environment names, as curl reads it
    #[arg(long, value_name = "URL", value_parser = proxy)]
    proxy: Option<Via>,
    /// A file with certificates (PEM) to trust besides the system's; may be repeated
    #[arg(long, value_name = "FILE")]
    cacert: Vec<PathBuf>,
    /// Take any certificate: for tests alone
    #[arg(short = 'k', long)]
    insecure: bool,
}

impl Reach {
    /// What a client is told by these.
    pub(crate) fn options(&self) -> Options {
        Options {
            origin: self.origin.clone(),
            subprotocols: self.subprotocol.clone(),
            fields: self.header.clone(),
            via: self.proxy.clone().unwrap_or(Via::Environment),
            tls: Tls {
                ca_files: self.cacert.clone(),
                insecure: self.insecure,
            },
            ..Options::default()
        }
    }
}

/// `auto`, or drafts that are spoken with commas between.
pub(crate) fn drafts(text: &str) -> Result<Drafts, String> {
    if text == "auto" {
        return Ok(Drafts::Auto);
    }
    let named: Result<_, _> = text
        .split(',')
        .map(|name| spoken_draft(name.trim()))
        .collect();
    named.map(Drafts::Named)
}

/// A field of a request as people write it.
fn field(text: &str) -> Result<(String, HeaderValue), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err("there is no colon: write NAME: VALUE".to_owned());
    };
    match HeaderValue::from_str(value.trim()) {
        Ok(value) => Ok((name.to_owned(), value)),
        Err(_) => Err("the value holds a control character".to_owned()),
    }
}

fn proxy(text: &str) -> Result<Via, String> {
    if text == "none" {
        return Ok(Via::Directly);
    }
    let proxy = text.parse().map(Via::Proxy);
    proxy.map_err(|error: draftgate_client::NotAProxy| error.to_string())
}
