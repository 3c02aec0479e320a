//! The header of the PROXY protocol, version 2, that a connection to the
//! upstream begins with: whose connection it is. `ppp` writes it; version 1 has
//! nothing that version 2 has not.

use std::net::SocketAddr;

use ppp::v2::{Addresses, Builder, Command, Protocol, Version};

/// The header for a connection on behalf of the first of `peers`, which came to
/// the second, an address of ours; without them the connection is our own.
pub(crate) fn header(peers: Option<(SocketAddr, SocketAddr)>) -> Vec<u8> {
    let built = match peers {
        None => Builder::with_addresses(
            Version::Two | Command::Local,
            Protocol::Unspecified,
            Addresses::Unspecified,
        ),
        Some((client, local)) => {
            let (client, local) = same_family(client, local);
            let addresses = (client, local);
            Builder::with_addresses(Version::Two | Command::Proxy, Protocol::Stream, addresses)
        }
    };
    // It can only grow too long by extensions, of which there are none.
    built.build().unwrap_or_default()
}

/// Both in the family that can say both.
fn same_family(client: SocketAddr, local: SocketAddr) -> (SocketAddr, SocketAddr) {
    let canonical = |a: SocketAddr| SocketAddr::new(a.ip().to_canonical(), a.port());
    let (client, local) = (canonical(client), canonical(local));
    let mapped = |address: SocketAddr| match address {
        SocketAddr::V4(v4) => SocketAddr::new(v4.ip().to_ipv6_mapped().into(), v4.port()),
        v6 => v6,
    };
    match client.is_ipv4() == local.is_ipv4() {
        true => (client, local),
        false => (mapped(client), mapped(local)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

    fn octets(client: &str, local: &str) -> Vec<u8> {
        header(Some((client.parse().unwrap(), local.parse().unwrap())))
    }

    #[test]
    fn the_octets_are_those_of_the_protocol() {
        let v4 = [
            &[0x21, 0x11, 0, 12][..],
            &[192, 0, 2, 1, 10, 0, 0, 1, 1, 0xBB, 0, 80],
        ]
        .concat();
        let wanted = [SIGNATURE, &v4].concat();
        assert_eq!(octets("192.0.2.1:443", "10.0.0.1:80"), wanted);
        // One that came over a socket for both families is IPv4 all the same.
        assert_eq!(
            octets("[::ffff:192.0.2.1]:443", "[::ffff:10.0.0.1]:80"),
            wanted
        );
        let mut v6 = vec![0x21, 0x21, 0, 36, 0x20, 0x01, 0x0D, 0xB8];
        v6.extend([0; 11]);
        v6.push(7);
        v6.extend([0; 15]);
        v6.extend([1, 0x1F, 0x90, 0, 80]);
        assert_eq!(
            octets("[2001:db8::7]:8080", "[::1]:80"),
            [SIGNATURE, &v6].concat()
        );
        assert_eq!(header(None), [SIGNATURE, &[0x20, 0, 0, 0]].concat());
    }

    #[test]
    fn two_families_are_told_as_ipv6() {
        let mixed = octets("192.0.2.1:443", "[::1]:80");
        assert_eq!(mixed[12..16], [0x21, 0x21, 0, 36]);
        assert_eq!(mixed[26..32], [0xFF, 0xFF, 192, 0, 2, 1]);
    }
}
