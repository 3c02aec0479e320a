//! From a packet to the TCP segment in it: Ethernet with VLAN tags, Linux
//! cooked (both versions), raw IP, BSD's loopback; IPv4 and IPv6 with their
//! extensions, by `etherparse`. What a snapped packet lacks is counted from
//! IP's own length. Fragments of IP are not put together: they become a gap.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice, ip_number};
use pcap_parser::Linktype;

use crate::packets::Packet;

/// One TCP segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Segment<'a> {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    /// What the sender has received so far, if the segment says so.
    pub(crate) acknowledgment: Option<u32>,
    pub(crate) syn: bool,
    pub(crate) fin: bool,
    pub(crate) reset: bool,
    pub(crate) push: bool,
    /// The data, as far as it was captured.
    pub(crate) octets: &'a [u8],
    /// How many octets of data follow that were not captured.
    pub(crate) missing: u64,
}

/// Why a packet gives no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Skipped {
    /// It is not TCP over IP.
    NotTcp,
    /// It is a fragment of an IP packet.
    Fragment,
    /// So little of it was captured that its headers are not whole.
    HeaderCut,
    /// Its headers contradict themselves.
    Malformed,
    /// The link layer is not one of those that are read.
    LinkUnknown,
}

impl Skipped {
    /// All of them, in the order in which they are told.
    pub const ALL: [Self; 5] = [
        Self::NotTcp,
        Self::Fragment,
        Self::HeaderCut,
        Self::Malformed,
        Self::LinkUnknown,
    ];

    /// What it is, as the predicate of "N packets …".
    pub fn sentence(self) -> &'static str {
        match self {
            Self::NotTcp => "are not TCP",
            Self::Fragment => {
                "are fragments of IP, which are not put together; what they held is a gap"
            }
            Self::HeaderCut => {
                "were cut off within their headers; capture with a longer snapshot length (tcpdump -s 0)"
            }
            Self::Malformed => "have headers that contradict themselves",
            Self::LinkUnknown => {
                "have a link layer that is not read; Ethernet, Linux cooked, raw IP and loopback are"
            }
        }
    }
}

/// The segment in `packet`.
///
/// # Errors
/// [`Skipped`]: there is none.
pub(crate) fn segment<'a>(packet: &Packet<'a>) -> Result<Segment<'a>, Skipped> {
    let sliced = sliced(packet)?;
    let (addresses, fragmented, claimed, payload) = match &sliced.net {
        Some(LaxNetSlice::Ipv4(ip)) => {
            let header = ip.header();
            let extensions = ip.extensions().auth.map_or(0, |auth| auth.slice().len());
            let headers = header.slice().len() + extensions;
            // 0 where the network card makes packets of it only later
            let claimed = usize::from(header.total_len()).checked_sub(headers);
            let from = IpAddr::from(header.source_addr());
            let to = IpAddr::from(header.destination_addr());
            (
                (from, to),
                ip.is_payload_fragmented(),
                claimed,
                ip.payload(),
            )
        }
        Some(LaxNetSlice::Ipv6(ip)) => {
            let header = ip.header();
            let claimed = match usize::from(header.payload_length()) {
                0 => None, // a jumbogram
                length => length.checked_sub(ip.extensions().slice().len()),
            };
            let from = IpAddr::from(header.source_addr());
            let to = IpAddr::from(header.destination_addr());
            (
                (from, to),
                ip.is_payload_fragmented(),
                claimed,
                ip.payload(),
            )
        }
        Some(LaxNetSlice::Arp(_)) => return Err(Skipped::NotTcp),
        None if packet.missing > 0 => return Err(Skipped::HeaderCut),
        None if sliced.stop_err.is_some() => return Err(Skipped::Malformed),
        None => return Err(Skipped::NotTcp),
    };
    if payload.ip_number != ip_number::TCP {
        return Err(match packet.missing > 0 && sliced.stop_err.is_some() {
            true => Skipped::HeaderCut,
            false => Skipped::NotTcp,
        });
    }
    if fragmented {
        return Err(Skipped::Fragment);
    }
    let Some(TransportSlice::Tcp(tcp)) = &sliced.transport else {
        return Err(match packet.missing > 0 {
            true => Skipped::HeaderCut,
            false => Skipped::Malformed,
        });
    };
    let kept = payload.payload.len();
    let missing = match claimed {
        Some(claimed) => claimed.saturating_sub(kept) as u64,
        None => packet.missing,
    };
    Ok(of(tcp, addresses, missing))
}

fn of<'a>(tcp: &TcpSlice<'a>, (from, to): (IpAddr, IpAddr), missing: u64) -> Segment<'a> {
    Segment {
        from: SocketAddr::new(from, tcp.source_port()),
        to: SocketAddr::new(to, tcp.destination_port()),
        sequence: tcp.sequence_number(),
        acknowledgment: tcp.ack().then(|| tcp.acknowledgment_number()),
        syn: tcp.syn(),
        fin: tcp.fin(),
        reset: tcp.rst(),
        push: tcp.psh(),
        octets: tcp.payload(),
        missing,
    }
}

fn sliced<'a>(packet: &Packet<'a>) -> Result<LaxSlicedPacket<'a>, Skipped> {
    let cut = || match packet.missing > 0 {
        true => Skipped::HeaderCut,
        false => Skipped::Malformed,
    };
    let ip = |octets| LaxSlicedPacket::from_ip(octets).map_err(|_| cut());
    let octets = packet.octets;
    match packet.link {
        Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(octets).map_err(|_| cut()),
        // The protocol behind "Linux cooked" stands at its end, in version 2 at its front.
        Linktype::LINUX_SLL => cooked(octets, 14, 16).ok_or_else(cut),
        LINUX_SLL2 => cooked(octets, 0, 20).ok_or_else(cut),
        // 4 octets name the address family, in the byte order of who captured.
        // IP tells its version itself.
        Linktype::NULL | Linktype::LOOP => ip(octets.get(4..).ok_or_else(cut)?),
        // 12 and 14 are what some systems write for raw IP.
        Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 | Linktype(12) | Linktype(14) => ip(octets),
        _ => Err(Skipped::LinkUnknown),
    }
}

const LINUX_SLL2: Linktype = Linktype(276);

/// `None` if the header is not whole.
fn cooked(octets: &[u8], protocol: usize, header: usize) -> Option<LaxSlicedPacket<'_>> {
    let ether_type = octets.get(protocol..)?.first_chunk()?;
    let ether_type = EtherType(u16::from_be_bytes(*ether_type));
    Some(LaxSlicedPacket::from_ether_type(
        ether_type,
        octets.get(header..)?,
    ))
}
