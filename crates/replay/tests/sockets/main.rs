//! Replays over sockets, against servers and clients that the tests are.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

mod leaving;
mod offering;
mod refusing;

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use draftgate_replay::{
    Split,
    net::{Playing, Target, Timing},
};

/// Flat out, with new keys, and patient.
const PLAYING: Playing = Playing {
    fresh: true,
    echo: false,
    split: Split::Whole,
    timing: Timing::None,
    patience: Duration::from_secs(20),
};

/// The server that listens at `address`.
fn target(address: SocketAddr) -> Target {
    Target {
        address,
        host: address.to_string(),
        resource: "/".to_owned(),
        origin: None,
        front_end: false,
    }
}

/// A file of the archive.
fn archived(name: &str) -> PathBuf {
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop-vectors");
    [archive, name].iter().collect()
}
