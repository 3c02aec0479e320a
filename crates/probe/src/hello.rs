//! The oldest TLS that a server speaks, by the one record that tells it: a
//! ClientHello of TLS 1.1 with the ciphers of its time, and the first record
//! that comes back. No key is ever made.
//!
//! Written out by hand, since no library that is kept would offer this much.

use std::time::Duration;

use draftgate_client::Stream;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

/// What a server says to a ClientHello of TLS 1.1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// It agrees on this version, by its two octets.
    Version([u8; 2]),
    /// It refuses, by this alert.
    Alert(u8),
    /// Anything else, or nothing.
    Other,
}

/// RSA, DHE and ECDHE with AES, 3DES and RC4: what TLS 1.0 was spoken with.
const CIPHERS: [u16; 12] = [
    0xc014, 0xc00a, 0x0039, 0x0035, 0xc013, 0xc009, 0x0033, 0x002f, 0xc012, 0x000a, 0x0005, 0x0004,
];

/// TLS 1.1, the newest that is not spoken here (RFC 4346 §6.2.1).
const VERSION: [u8; 2] = [3, 2];

/// The record types (RFC 4346 §6.2.1).
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

/// The first message of a server (RFC 4346 §7.4).
const SERVER_HELLO: u8 = 2;

/// Says hello to the server `name` over `stream`.
pub(crate) async fn ask(stream: &mut Stream, name: &str, within: Duration) -> Said {
    let mut seen = Vec::new();
    let answer = async {
        stream.write_all(&hello(name)).await.ok()?;
        stream.flush().await.ok()?;
        let mut chunk = [0; 256];
        while seen.len() < 11 && !(seen.first() == Some(&ALERT) && seen.len() >= 7) {
            let count = stream.read(&mut chunk).await.ok()?;
            if count == 0 {
                break;
            }
            seen.extend_from_slice(&chunk[..count]);
        }
        Some(())
    };
    let _ = timeout(within, answer).await;
    read(&seen)
}

fn read(record: &[u8]) -> Said {
    match record {
        [ALERT, 3, _, 0, 2, _, description, ..] => Said::Alert(*description),
        [
            HANDSHAKE,
            3,
            _,
            _,
            _,
            SERVER_HELLO,
            _,
            _,
            _,
            major,
            minor,
            ..,
        ] => Said::Version([*major, *minor]),
        _ => Said::Other,
    }
}

/// The name of a version.
pub(crate) fn name(version: [u8; 2]) -> String {
    match version {
        [3, 0] => "SSL 3.0".into(),
        [3, minor @ 1..=4] => format!("TLS 1.{}", minor - 1),
        [major, minor] => format!("version {major:02x} {minor:02x}"),
    }
}

fn hello(name: &str) -> Vec<u8> {
    let mut body = VERSION.to_vec();
    // Thirty-two octets of chance; nothing is ever made of them.
    body.extend([0x5a; 32]);
    body.push(0);
    let ciphers: Vec<u8> = CIPHERS.iter().flat_map(|c| c.to_be_bytes()).collect();
    body.extend(sized(&ciphers));
    body.extend([1, 0]);
    let mut extensions = Vec::new();
    if name.parse::<std::net::IpAddr>().is_err() && name.len() < 256 {
        let entry = [&[0][..], &sized(name.as_bytes())].concat();
        extensions.extend(extension(0, &sized(&entry)));
    }
    // Groups: P-256, P-384, P-521; points uncompressed.
    extensions.extend(extension(10, &sized(&[0, 23, 0, 24, 0, 25])));
    extensions.extend(extension(11, &[1, 0]));
    body.extend(sized(&extensions));
    let length = (body.len() as u32).to_be_bytes();
    let message = [&[1][..], &length[1..], &body].concat();
    [&[HANDSHAKE, 3, 1][..], &sized(&message)].concat()
}

/// `octets` behind their count in two octets.
fn sized(octets: &[u8]) -> Vec<u8> {
    let count = u16::try_from(octets.len()).unwrap_or(u16::MAX);
    [&count.to_be_bytes()[..], octets].concat()
}

fn extension(number: u16, octets: &[u8]) -> Vec<u8> {
    [&number.to_be_bytes()[..], &sized(octets)].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hello_counts_its_own_octets() {
        for name in ["127.0.0.1", "old.example"] {
            let octets = hello(name);
            let record = usize::from(u16::from_be_bytes([octets[3], octets[4]]));
            assert_eq!(octets.len(), 5 + record);
            let message = u32::from_be_bytes([0, octets[6], octets[7], octets[8]]);
            assert_eq!(record, 4 + message as usize);
        }
    }

    #[test]
    fn the_first_record_says_which_version_or_why_none() {
        let hello = [22, 3, 1, 0, 81, 2, 0, 0, 77, 3, 1, 9];
        assert_eq!(read(&hello), Said::Version([3, 1]));
        assert_eq!(read(&[21, 3, 1, 0, 2, 2, 70]), Said::Alert(70));
        for other in [&b"HTTP/1.1 400"[..], b"", &hello[..10]] {
            assert_eq!(read(other), Said::Other);
        }
        assert_eq!(name([3, 1]), "TLS 1.0");
        assert_eq!(name([3, 0]), "SSL 3.0");
    }
}
