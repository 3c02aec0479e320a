//! The header of the PROXY protocol, with which something in front says whose
//! connection it passes on: version 1 (a line) and version 2 (binary).
//!
//! `ppp` reads a whole header; where it ends is found here, because of a
//! header cut anywhere `ppp` cannot always say that more must come. What is
//! behind the header belongs to the client and is given back untouched.
//! Nothing is optional: a header that may be missing can be left out by those
//! who would rather be somebody else.

use std::net::{IpAddr, SocketAddr};

use bytes::{Buf, BytesMut};
use ppp::{v1, v2};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Duration, timeout},
};

use crate::{Refused, peer::Peer};

/// A line of version 1 with its end, as the protocol bounds it.
const LONGEST_LINE: usize = 107;

/// What version 2 begins with: signature, command, family, length.
const FIXED: usize = 16;

/// A header of version 2 as long as we hold one: names and certificates'
/// subjects fit in a quarter of it.
const LONGEST_BINARY: usize = FIXED + (4 << 10);

const LINE_BEGIN: &[u8] = b"PROXY ";

/// The line that announces nobody; whatever stands behind it is ignored.
const UNKNOWN: &[u8] = b"PROXY UNKNOWN";

/// The type of the extension about TLS, and its bit for "the client uses it".
const PP2_TYPE_SSL: u8 = 0x20;
const PP2_CLIENT_SSL: u8 = 0x01;

/// A whole header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    /// Whom it announces; `None`: the connection is the proxy's own (a health
    /// check), or comes over something without an IP address.
    client: Option<SocketAddr>,
    /// The client speaks TLS with the proxy.
    tls: bool,
    /// The octets it takes.
    length: usize,
}

/// Reads a connection's header: what `peer` becomes by it, and what came
/// behind it. `None` if the connection ended before its first octet, as those
/// of health checks do.
///
/// # Errors
/// There is no header, it is wrong, or it did not come within `limit`; and
/// how many octets were read.
pub(crate) async fn read(
    io: &mut (impl AsyncRead + Unpin),
    peer: Peer,
    limit: Duration,
) -> Result<Option<(Peer, BytesMut)>, (Refused, usize)> {
    let mut ahead = BytesMut::with_capacity(1024);
    let header = match timeout(limit, whole(io, &mut ahead)).await {
        Ok(Ok(Some(header))) => header,
        Ok(Ok(None)) => return Ok(None),
        Ok(Err(refused)) => return Err((refused, ahead.len())),
        Err(_) => return Err((Refused::proxy_header_timeout(), ahead.len())),
    };
    ahead.advance(header.length);
    let peer = match header.client {
        Some(client) => peer.announced(client),
        None => peer,
    };
    let tls = header.tls;
    Ok(Some((Peer { tls, ..peer }, ahead)))
}

async fn whole(
    io: &mut (impl AsyncRead + Unpin),
    ahead: &mut BytesMut,
) -> Result<Option<Header>, Refused> {
    loop {
        if let Some(header) = parse(ahead)? {
            return Ok(Some(header));
        }
        match (io.read_buf(ahead).await, ahead.is_empty()) {
            (Ok(1..), _) => {}
            (Ok(0) | Err(_), true) => return Ok(None),
            (Ok(0) | Err(_), false) => return Err(Refused::proxy_header_truncated()),
        }
    }
}

/// The header that `octets` begin with; `None` if more must come.
fn parse(octets: &[u8]) -> Result<Option<Header>, Refused> {
    let begins = |with: &[u8]| {
        let both = with.len().min(octets.len());
        octets[..both] == with[..both]
    };
    if begins(LINE_BEGIN) {
        line(octets)
    } else if begins(v2::PROTOCOL_PREFIX) {
        binary(octets)
    } else {
        Err(Refused::proxy_header_missing())
    }
}

fn line(octets: &[u8]) -> Result<Option<Header>, Refused> {
    let within = &octets[..octets.len().min(LONGEST_LINE)];
    let Some(end) = memchr::memmem::find(within, b"\r\n") else {
        return match octets.len() < LONGEST_LINE {
            true => Ok(None),
            false => Err(Refused::proxy_header_too_long()),
        };
    };
    let line = &octets[..end + 2];
    let client = match line.strip_prefix(UNKNOWN) {
        Some(ignored) if ignored.starts_with(b" ") || ignored == b"\r\n" => None,
        _ => match v1::Header::try_from(line).map_err(malformed)?.addresses {
            v1::Addresses::Unknown => None,
            v1::Addresses::Tcp4(of) => Some(address(of.source_address, of.source_port)),
            v1::Addresses::Tcp6(of) => Some(address(of.source_address, of.source_port)),
        },
    };
    Ok(Some(Header {
        client,
        tls: false,
        length: line.len(),
    }))
}

fn binary(octets: &[u8]) -> Result<Option<Header>, Refused> {
    if let Some(&[high, low]) = octets.get(FIXED - 2..FIXED) {
        let length = FIXED + usize::from(u16::from_be_bytes([high, low]));
        if length > LONGEST_BINARY {
            return Err(Refused::proxy_header_too_long());
        }
    }
    let header = match v2::Header::try_from(octets) {
        Ok(header) => header,
        Err(v2::ParseError::Incomplete(_) | v2::ParseError::Partial(..)) => return Ok(None),
        Err(error) => return Err(malformed(error)),
    };
    let length = header.len();
    if header.command == v2::Command::Local {
        // The proxy speaks for itself; all the rest is to be ignored.
        return Ok(Some(Header {
            client: None,
            tls: false,
            length,
        }));
    }
    let client = match (header.protocol, header.addresses) {
        (v2::Protocol::Stream, v2::Addresses::IPv4(of)) => {
            Some(address(of.source_address, of.source_port))
        }
        (v2::Protocol::Stream, v2::Addresses::IPv6(of)) => {
            Some(address(of.source_address, of.source_port))
        }
        _ => None,
    };
    let mut tls = false;
    for extension in header.tlvs() {
        let extension = extension.map_err(malformed)?;
        if extension.kind == PP2_TYPE_SSL {
            // One octet of bits, four of the certificate's verification.
            match extension.value.first_chunk::<5>() {
                Some([bits, ..]) => tls |= bits & PP2_CLIENT_SSL != 0,
                None => return Err(malformed("its extension about TLS is too short")),
            }
        }
    }
    Ok(Some(Header {
        client,
        tls,
        length,
    }))
}

fn address(ip: impl Into<IpAddr>, port: u16) -> SocketAddr {
    SocketAddr::new(ip.into(), port)
}

fn malformed(error: impl ToString) -> Refused {
    Refused::proxy_header_malformed().with(error.to_string())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// A header of version 2 with `command` and `family`.
    fn v2(command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
        let mut header = v2::PROTOCOL_PREFIX.to_vec();
        header.extend([0x20 | command, family]);
        header.extend(u16::try_from(rest.len()).unwrap().to_be_bytes());
        header.extend(rest);
        header
    }

    /// Source 192.0.2.1:443 (0x01BB), destination 10.0.0.1:80.
    const IPV4: [u8; 12] = [192, 0, 2, 1, 10, 0, 0, 1, 1, 0xBB, 0, 80];

    fn with_tlvs(tlvs: &[u8]) -> Vec<u8> {
        v2(1, 0x11, &[&IPV4, tlvs].concat())
    }

    fn ipv6(source: &str) -> Vec<u8> {
        let source: std::net::Ipv6Addr = source.parse().unwrap();
        let rest = [&source.octets()[..], &[0; 16], &[0x1F, 0x90, 0, 80]].concat();
        v2(1, 0x21, &rest)
    }

    /// Every header, whom it announces, and whether over TLS.
    fn headers() -> Vec<(Vec<u8>, Option<&'static str>, bool)> {
        let line = |line: &str| format!("{line}\r\n").into_bytes();
        let long = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff";
        vec![
            (
                line("PROXY TCP4 192.0.2.1 10.0.0.1 443 80"),
                Some("192.0.2.1:443"),
                false,
            ),
            (
                line("PROXY TCP6 2001:db8::1 ::1 8080 80"),
                Some("[2001:db8::1]:8080"),
                false,
            ),
            (
                line("PROXY TCP6 ::ffff:192.0.2.1 ::1 8080 80"),
                Some("192.0.2.1:8080"),
                false,
            ),
            (line("PROXY UNKNOWN"), None, false),
            (
                line(&format!("PROXY UNKNOWN {long} {long} 65535 65535")),
                None,
                false,
            ),
            (line("PROXY UNKNOWN a b c d e f g h"), None, false),
            (v2(1, 0x11, &IPV4), Some("192.0.2.1:443"), false),
            (ipv6("2001:db8::1"), Some("[2001:db8::1]:8080"), false),
            (ipv6("::ffff:192.0.2.7"), Some("192.0.2.7:8080"), false),
            // LOCAL, with and without what is to be ignored.
            (v2(0, 0x00, &[]), None, false),
            (v2(0, 0x11, &IPV4), None, false),
            (v2(0, 0x11, &[&IPV4[..], &[9]].concat()), None, false),
            // Unspecified, Unix, and datagrams, which cannot be meant.
            (v2(1, 0x00, &[]), None, false),
            (v2(1, 0x31, &[0; 216]), None, false),
            (v2(1, 0x12, &IPV4), None, false),
            // TLS: the bit, no bit, and one beside others.
            (
                with_tlvs(&[0x20, 0, 5, 1, 0, 0, 0, 0]),
                Some("192.0.2.1:443"),
                true,
            ),
            (
                with_tlvs(&[0x20, 0, 5, 0, 0, 0, 0, 0]),
                Some("192.0.2.1:443"),
                false,
            ),
            (
                with_tlvs(&[
                    4, 0, 1, 0, 0x20, 0, 15, 7, 0, 0, 0, 1, 0x21, 0, 7, b'T', b'L', b'S', b'v',
                    b'1', b'.', b'3', 1, 0, 1, b'x',
                ]),
                Some("192.0.2.1:443"),
                true,
            ),
            (
                v2(1, 0x11, &[&IPV4[..], &[4, 0xF, 0xF1], &[0; 0xFF1]].concat()),
                Some("192.0.2.1:443"),
                false,
            ),
        ]
    }

    const PROXY: &str = "10.0.0.5:40000";

    fn announced(client: Option<&str>, tls: bool) -> Peer {
        let proxy = Peer::new(PROXY.parse().unwrap());
        let peer = client.map_or(proxy, |client| proxy.announced(client.parse().unwrap()));
        Peer { tls, ..peer }
    }

    #[tokio::test]
    async fn a_header_cut_at_each_octet_gives_back_exactly_what_follows() {
        for (header, client, tls) in headers() {
            for cut in 0..=header.len() {
                let (mut io, mut proxy) = tokio::io::duplex(1 << 16);
                let limit = Duration::from_secs(30);
                let writing = async {
                    proxy.write_all(&header[..cut]).await.unwrap();
                    tokio::task::yield_now().await;
                    proxy.write_all(&header[cut..]).await.unwrap();
                    proxy.write_all(b"GET ").await.unwrap();
                };
                let peer = Peer::new(PROXY.parse().unwrap());
                let (read, ()) = tokio::join!(read(&mut io, peer, limit), writing);
                let (peer, mut ahead) = read.unwrap().unwrap();
                assert_eq!(peer, announced(client, tls), "{header:?}");
                drop(proxy);
                while io.read_buf(&mut ahead).await.unwrap() > 0 {}
                assert_eq!(&ahead[..], b"GET ", "{cut} of {header:?}");
            }
        }
    }

    #[test]
    fn a_header_is_asked_for_more_until_it_is_whole() {
        for (header, ..) in headers() {
            for cut in 0..header.len() {
                assert_eq!(parse(&header[..cut]), Ok(None), "{cut} of {header:?}");
            }
            let length = parse(&header).unwrap().unwrap().length;
            assert_eq!(length, header.len());
            let followed = [&header[..], b"\r\nPROXY TCP4"].concat();
            assert_eq!(parse(&followed).unwrap().unwrap().length, length);
        }
    }

    #[test]
    fn what_is_no_header_is_told_apart() {
        let long = format!("PROXY UNKNOWN {}", "x".repeat(107));
        let just = format!("PROXY UNKNOWN {}\r\n", "x".repeat(92));
        for (octets, code) in [
            (&b"GET / HTTP/1.1\r\n"[..], "proxy-header-missing"),
            (b"POST / HTTP/1.1\r\n", "proxy-header-missing"),
            (b"proxy TCP4", "proxy-header-missing"),
            (b"\x16\x03\x01", "proxy-header-missing"),
            (b"\r\n\r\n\0\r\nQUIX", "proxy-header-missing"),
            (b"PROXY\r\n", "proxy-header-missing"),
            (b"PROXY \r\n", "proxy-header-malformed"),
            (b"PROXY TCP5 a b c d\r\n", "proxy-header-malformed"),
            (b"PROXY UNKNOWNX\r\n", "proxy-header-malformed"),
            (b"PROXY TCP4 192.0.2.1\r\n", "proxy-header-malformed"),
            (b"PROXY TCP4 ::1 ::1 1 2\r\n", "proxy-header-malformed"),
            (
                b"PROXY TCP4 192.0.2.1 10.0.0.1 65536 80\r\n",
                "proxy-header-malformed",
            ),
            (
                b"PROXY TCP4 192.0.2.1 10.0.0.1 1 80 x\r\n",
                "proxy-header-malformed",
            ),
            (b"PROXY TCP4 \xFF b c d\r\n", "proxy-header-malformed"),
            (long.as_bytes(), "proxy-header-too-long"),
            (just.as_bytes(), "proxy-header-too-long"),
            (&v2(2, 0x11, &IPV4), "proxy-header-malformed"),
            (&v2(1, 0x41, &IPV4), "proxy-header-malformed"),
            (&v2(1, 0x13, &IPV4), "proxy-header-malformed"),
            (&v2(1, 0x21, &IPV4), "proxy-header-malformed"),
            (
                &v2(1, 0x11, &[&IPV4[..], &[1]].concat()),
                "proxy-header-malformed",
            ),
            (&with_tlvs(&[1, 0, 2, 0]), "proxy-header-malformed"),
            (
                &with_tlvs(&[0x20, 0, 4, 1, 0, 0, 0]),
                "proxy-header-malformed",
            ),
            // Refused by what it announces, before it came.
            (
                &[v2::PROTOCOL_PREFIX, &[0x21, 0x11, 0x10, 1]].concat(),
                "proxy-header-too-long",
            ),
        ] {
            let refused = parse(octets).unwrap_err();
            assert_eq!(refused.code, code, "{octets:?}");
        }
        let mut version = v2(1, 0x11, &IPV4);
        version[12] = 0x11;
        assert_eq!(parse(&version).unwrap_err().code, "proxy-header-malformed");
    }

    #[tokio::test(start_paused = true)]
    async fn a_header_that_stops_is_waited_for_in_vain() {
        let peer = Peer::new(PROXY.parse().unwrap());
        let limit = Duration::from_secs(5);
        for part in ["", "P", "PROXY TCP4 192.0.2.1", "\r\n\r\n\0"] {
            let (mut io, mut proxy) = tokio::io::duplex(64);
            proxy.write_all(part.as_bytes()).await.unwrap();
            let (refused, count) = read(&mut io, peer, limit).await.unwrap_err();
            assert_eq!((refused.code, count), ("proxy-header-timeout", part.len()));
        }
    }

    #[tokio::test]
    async fn an_end_within_a_header_is_one_and_an_end_before_it_is_none() {
        let peer = Peer::new(PROXY.parse().unwrap());
        let limit = Duration::from_secs(30);
        assert_eq!(read(&mut &b""[..], peer, limit).await, Ok(None));
        for (header, ..) in headers() {
            let mut cut = &header[..header.len() - 1];
            let (refused, _) = read(&mut cut, peer, limit).await.unwrap_err();
            assert_eq!(refused.code, "proxy-header-truncated");
        }
    }

    proptest! {
        #[test]
        fn no_octets_do_harm(mut octets: Vec<u8>, begin in 0..3) {
            let begin = [&b""[..], LINE_BEGIN, v2::PROTOCOL_PREFIX][begin as usize];
            octets.splice(..0, begin.iter().copied());
            if let Ok(Some(header)) = parse(&octets) {
                prop_assert!(header.length <= octets.len());
            }
        }

        #[test]
        fn a_flipped_header_does_no_harm(which in 0..19usize, at: prop::sample::Index, to: u8) {
            let (mut header, ..) = headers().swap_remove(which);
            let at = at.index(header.len());
            header[at] = to;
            if let Ok(Some(found)) = parse(&header) {
                prop_assert!(found.length <= header.len());
            }
        }
    }
}
