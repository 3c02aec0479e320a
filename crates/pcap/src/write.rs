//! pcapng as it is written: one section, one Ethernet interface, times in
//! nanoseconds, comments on packets. Three kinds of blocks need no library;
//! `pcap-parser` writes them only together with an asynchronous runtime.

use std::{
    io::{self, Write},
    time::Duration,
};

/// A packet to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written {
    /// Since 1970.
    pub(crate) time: Duration,
    /// As much of it as is written.
    pub(crate) octets: Vec<u8>,
    /// How long it was on the wire.
    pub(crate) original: usize,
    /// For people.
    pub(crate) comment: Option<String>,
}

const SECTION_HEADER: u32 = 0x0A0D_0D0A;
const BYTE_ORDER: u32 = 0x1A2B_3C4D;
const INTERFACE_DESCRIPTION: u32 = 1;
const ENHANCED_PACKET: u32 = 6;
const ETHERNET: u16 = 1;

const COMMENT: u16 = 1;
const SECTION_APPLICATION: u16 = 4;
const INTERFACE_RESOLUTION: u16 = 9;
/// 10⁻⁹ of a second.
const NANOSECONDS: u8 = 9;

/// The blocks that a file begins with.
///
/// # Errors
/// Those of `out`.
pub(crate) fn beginning(out: &mut dyn Write, comment: &str) -> io::Result<()> {
    let mut section = Vec::new();
    section.extend(BYTE_ORDER.to_le_bytes());
    section.extend([1, 0, 0, 0]); // version 1.0
    section.extend(u64::MAX.to_le_bytes()); // its length is not said
    option(&mut section, COMMENT, comment.as_bytes());
    let application = concat!("draftgate ", env!("CARGO_PKG_VERSION"));
    option(&mut section, SECTION_APPLICATION, application.as_bytes());
    end_of_options(&mut section);
    block(out, SECTION_HEADER, &section)?;

    let mut interface = Vec::new();
    interface.extend(ETHERNET.to_le_bytes());
    interface.extend([0; 6]); // reserved; a snapshot length of 0 is none
    option(&mut interface, INTERFACE_RESOLUTION, &[NANOSECONDS]);
    end_of_options(&mut interface);
    block(out, INTERFACE_DESCRIPTION, &interface)
}

/// A packet.
///
/// # Errors
/// Those of `out`, and a packet or a time that the format has no room for.
pub(crate) fn packet(out: &mut dyn Write, packet: &Written) -> io::Result<()> {
    let no_room = |what| move |_| io::Error::new(io::ErrorKind::InvalidData, what);
    let time = u64::try_from(packet.time.as_nanos());
    let time = time.map_err(no_room(
        "an exchange reaches beyond the year 2554, and pcapng does not",
    ))?;
    let mut body = Vec::with_capacity(packet.octets.len() + 64);
    body.extend(0u32.to_le_bytes()); // the one interface
    body.extend(((time >> 32) as u32).to_le_bytes());
    body.extend((time as u32).to_le_bytes());
    for length in [packet.octets.len(), packet.original] {
        body.extend(
            u32::try_from(length)
                .map_err(no_room("a packet is longer than 4 GiB"))?
                .to_le_bytes(),
        );
    }
    padded(&mut body, &packet.octets);
    if let Some(comment) = &packet.comment {
        option(&mut body, COMMENT, comment.as_bytes());
        end_of_options(&mut body);
    }
    block(out, ENHANCED_PACKET, &body)
}

fn block(out: &mut dyn Write, kind: u32, body: &[u8]) -> io::Result<()> {
    let length = (body.len() as u32 + 12).to_le_bytes();
    out.write_all(&kind.to_le_bytes())?;
    out.write_all(&length)?;
    out.write_all(body)?;
    out.write_all(&length)
}

/// An option of a block; what is longer than an option may be is cut off, at a
/// character.
fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let mut length = value.len().min(u16::MAX.into());
    while length < value.len() && value[length] & 0xC0 == 0x80 {
        length -= 1;
    }
    body.extend(code.to_le_bytes());
    body.extend((length as u16).to_le_bytes());
    padded(body, &value[..length]);
}

fn end_of_options(body: &mut Vec<u8>) {
    body.extend([0; 4]);
}

/// `octets`, and zeros up to the next multiple of 4.
fn padded(body: &mut Vec<u8>, octets: &[u8]) {
    body.extend(octets);
    body.resize(body.len().next_multiple_of(4), 0);
}
