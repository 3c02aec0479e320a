//! Packets out of a capture file: pcap and pcapng, either byte order, micro- and
//! nanoseconds, by `pcap-parser`. What is added here is a clock that means the
//! same everywhere, and a bound: the buffer grows with what was read, never by
//! what a length field claims.

use std::{
    io::{self, Read},
    num::NonZeroU64,
    time::Duration,
};

use pcap_parser::{
    Linktype, PcapBlockOwned, PcapError, create_reader, pcapng::Block, traits::PcapNGPacketBlock,
};

/// What a reader starts with, in octets.
const BUFFER: usize = 64 * 1024;
/// The longest block that is read; tcpdump's longest packet is 256 KiB.
const LONGEST_BLOCK: usize = 16 * 1024 * 1024;

/// One packet, as it was captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Packet<'a> {
    /// When, since 1970; `None` where the file gives no time.
    pub(crate) time: Option<Duration>,
    /// What `octets` begin with.
    pub(crate) link: Linktype,
    /// As much of it as was kept.
    pub(crate) octets: &'a [u8],
    /// How many octets were not kept.
    pub(crate) missing: u64,
}

/// Why a capture file cannot be read on. What was read before it is good.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FileError {
    /// The file system said no.
    #[error("it cannot be read: {0}")]
    Read(#[source] io::Error),
    /// It is something else.
    #[error(
        "it is neither pcap nor pcapng; if it is compressed, unpack it first, \
         if another program's format, `editcap` converts it"
    )]
    NotCapture,
    /// It ends where more must follow.
    #[error("it ends in the midst of a packet, {at} octets in; the packets before it are read")]
    CutOff {
        /// How far the last whole packet reaches.
        at: u64,
    },
    /// A block is larger than any packet.
    #[error(
        "the block {at} octets in is longer than {LONGEST_BLOCK} octets; the file is damaged from there on"
    )]
    TooLong {
        /// Where the block begins.
        at: u64,
    },
    /// The structure of the file is broken.
    #[error("it is damaged {at} octets in; the packets before that are read")]
    Damaged {
        /// Where.
        at: u64,
    },
}

/// Calls `each` for every packet of `file`, in the order of the file.
///
/// # Errors
/// [`FileError`]; `each` was called for all packets before the fault.
pub(crate) fn read(
    file: impl Read + Send,
    each: &mut dyn FnMut(Packet<'_>),
) -> Result<(), FileError> {
    let mut failed = None;
    let filled = Filled {
        file,
        failed: &mut failed,
    };
    let result = packets(filled, each);
    match failed {
        Some(error) => Err(FileError::Read(error)),
        None => result,
    }
}

fn packets(
    file: Filled<'_, impl Read + Send>,
    each: &mut dyn FnMut(Packet<'_>),
) -> Result<(), FileError> {
    let Ok(mut reader) = create_reader(BUFFER, file) else {
        return Err(FileError::NotCapture);
    };
    let mut interfaces = Interfaces::default();
    let mut capacity = BUFFER;
    let mut at = 0;
    loop {
        let found = match reader.next() {
            Ok((length, block)) => {
                if let Some(packet) = interfaces.packet(&block) {
                    each(packet);
                }
                Next::Block(length)
            }
            Err(PcapError::Eof) => return Ok(()),
            Err(PcapError::UnexpectedEof) => Next::End,
            Err(PcapError::Incomplete(_)) => Next::Octets,
            Err(PcapError::BufferTooSmall) => Next::Room,
            Err(_) => return Err(FileError::Damaged { at }),
        };
        match found {
            Next::Block(0) => return Err(FileError::Damaged { at }), // never stand still
            Next::Block(length) => {
                reader.consume(length);
                at += length as u64;
                continue;
            }
            Next::End if reader.data().is_empty() => return Ok(()),
            Next::End => return Err(FileError::CutOff { at }),
            Next::Octets | Next::Room => {}
        }
        let before = reader.data().len();
        if reader.refill().is_err() {
            return Err(FileError::CutOff { at });
        }
        if reader.data().len() > before || reader.reader_exhausted() {
            continue;
        }
        // Nothing came and the file goes on: the buffer is full.
        if matches!(found, Next::Octets) && before < capacity {
            return Err(FileError::Damaged { at });
        }
        capacity *= 2;
        if capacity > LONGEST_BLOCK || !reader.grow(capacity) {
            return Err(FileError::TooLong { at });
        }
    }
}

/// What a reader said.
enum Next {
    /// Here is a block of so many octets.
    Block(usize),
    /// More octets are needed.
    Octets,
    /// More room is needed for them.
    Room,
    /// There are no more, and a block is not whole.
    End,
}

/// The interfaces of the section that is being read.
#[derive(Debug, Default)]
struct Interfaces {
    known: Vec<Interface>,
}

#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Units in a second.
    resolution: NonZeroU64,
    /// Seconds to add.
    offset: i64,
    /// How much of a packet is kept at most.
    snaplen: u32,
}

const MICROSECONDS: NonZeroU64 = NonZeroU64::new(1_000_000).unwrap();
const NANOSECONDS: NonZeroU64 = NonZeroU64::new(1_000_000_000).unwrap();

/// How many interfaces a section may have; each is remembered.
const MOST_INTERFACES: usize = 4096;

impl Interfaces {
    fn packet<'a>(&mut self, block: &'a PcapBlockOwned<'a>) -> Option<Packet<'a>> {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                self.known = vec![Interface {
                    link: header.network,
                    resolution: match header.is_nanosecond_precision() {
                        true => NANOSECONDS,
                        false => MICROSECONDS,
                    },
                    offset: 0,
                    snaplen: header.snaplen,
                }];
                None
            }
            PcapBlockOwned::Legacy(block) => {
                let interface = self.known.first()?;
                let ticks = u128::from(block.ts_sec) * u128::from(interface.resolution.get())
                    + u128::from(block.ts_usec);
                let octets = block
                    .data
                    .get(..block.caplen as usize)
                    .unwrap_or(block.data);
                Some(interface.packet(Some(ticks), octets, block.origlen))
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => {
                self.known.clear();
                None
            }
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => {
                if self.known.len() < MOST_INTERFACES {
                    self.known.push(Interface {
                        link: block.linktype,
                        resolution: block
                            .ts_resolution()
                            .and_then(NonZeroU64::new)
                            .unwrap_or(MICROSECONDS),
                        offset: block.ts_offset(),
                        snaplen: block.snaplen,
                    });
                }
                None
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(block)) => {
                let interface = self.known.get(block.if_id as usize)?;
                let ticks = u128::from(block.ts_high) << 32 | u128::from(block.ts_low);
                let octets = block
                    .data
                    .get(..block.caplen as usize)
                    .unwrap_or(block.data);
                Some(interface.packet(Some(ticks), octets, block.origlen))
            }
            PcapBlockOwned::NG(Block::SimplePacket(block)) => {
                let interface = self.known.first()?;
                let kept = match interface.snaplen {
                    0 => block.origlen,
                    snaplen => block.origlen.min(snaplen),
                };
                let octets = block.packet_data();
                let octets = octets.get(..kept as usize).unwrap_or(octets);
                Some(interface.packet(None, octets, block.origlen))
            }
            PcapBlockOwned::NG(_) => None,
        }
    }
}

impl Interface {
    fn packet<'a>(&self, ticks: Option<u128>, octets: &'a [u8], original: u32) -> Packet<'a> {
        Packet {
            time: ticks.and_then(|ticks| self.time(ticks)),
            link: self.link,
            octets,
            missing: u64::from(original).saturating_sub(octets.len() as u64),
        }
    }

    /// `None` for a time before 1970 and one that no clock shows.
    fn time(&self, ticks: u128) -> Option<Duration> {
        let resolution = u128::from(self.resolution.get());
        let seconds = u64::try_from(ticks / resolution).ok()?;
        let nanoseconds = (ticks % resolution) * 1_000_000_000 / resolution;
        let seconds = seconds.checked_add_signed(self.offset)?;
        Some(Duration::new(seconds, u32::try_from(nanoseconds).ok()?))
    }
}

/// Fills what it is given as long as the file has octets: `pcap-parser` wants
/// the whole first header of the first read, and a pipe may deliver less. It
/// also keeps the error, of which `pcap-parser` only tells that there was one.
struct Filled<'a, R> {
    file: R,
    failed: &'a mut Option<io::Error>,
}

impl<R: Read> Read for Filled<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.file.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(octets) => filled += octets,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let kind = error.kind();
                    *self.failed = Some(error);
                    return Err(kind.into());
                }
            }
        }
        Ok(filled)
    }
}
