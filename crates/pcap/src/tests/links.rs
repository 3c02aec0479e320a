//! Files and link layers: the same connection, however it was captured.

use super::*;
use crate::{FileError, Skipped};

/// As pcap of the old kind, with `link` in its header.
fn pcap(link: u32, packets: &[(Vec<u8>, usize)], big_endian: bool, nanoseconds: bool) -> Vec<u8> {
    let number = |value: u32| match big_endian {
        true => value.to_be_bytes(),
        false => value.to_le_bytes(),
    };
    let mut file = number(if nanoseconds {
        0xA1B2_3C4D
    } else {
        0xA1B2_C3D4
    })
    .to_vec();
    file.extend(match big_endian {
        true => [0, 2, 0, 4],
        false => [2, 0, 4, 0],
    });
    for value in [0, 0, 262_144, link] {
        file.extend(number(value));
    }
    for (octets, original) in packets {
        for value in [7, 250_000, octets.len() as u32, *original as u32] {
            file.extend(number(value));
        }
        file.extend(octets);
    }
    file
}

fn import(file: &[u8]) -> (Vec<Found>, Result<(), FileError>, crate::Counts) {
    let mut import = Import::new(Bounds::default(), Hints::default());
    let read = import.read(file);
    let counts = import.counts().clone();
    (import.finish().collect(), read, counts)
}

fn ethernet() -> Vec<(Vec<u8>, usize)> {
    let mut packets = opened();
    packets.push(client(101, REQUEST).ack(201));
    let written = packets.iter().map(Packet::written);
    written
        .map(|packet| (packet.octets, packet.original))
        .collect()
}

/// The same packets with another header before IP.
fn behind(header: &[u8]) -> Vec<(Vec<u8>, usize)> {
    let replaced = |(octets, _): (Vec<u8>, usize)| {
        let octets = [header, &octets[14..]].concat();
        let length = octets.len();
        (octets, length)
    };
    ethernet().into_iter().map(replaced).collect()
}

fn is_whole(file: &[u8]) -> Conversation {
    let (found, read, _) = import(file);
    assert!(read.is_ok(), "{read:?}");
    let [Found::Conversation(conversation)] = &found[..] else {
        panic!("{found:?}");
    };
    assert_eq!(told(conversation), [octets(Role::Client, REQUEST)]);
    conversation.clone()
}

#[test]
fn every_byte_order_and_resolution_of_pcap_is_read() {
    for big_endian in [false, true] {
        for nanoseconds in [false, true] {
            let conversation = is_whole(&pcap(1, &ethernet(), big_endian, nanoseconds));
            let fraction = if nanoseconds { 250_000 } else { 250_000_000 };
            assert_eq!(conversation.begins, Some(Duration::new(7, fraction)));
        }
    }
}

#[test]
fn every_link_layer_that_is_named_is_read() {
    let vlan = [&[2u8; 12][..], &[0x81, 0, 0, 5, 8, 0]].concat();
    let two_vlans = [&[2u8; 12][..], &[0x88, 0xA8, 0, 5, 0x81, 0, 0, 6, 8, 0]].concat();
    let cooked = [&[0u8, 0, 3, 4][..], &[0; 10], &[8, 0]].concat();
    let cooked2 = [&[8u8, 0][..], &[0; 18]].concat();
    for (link, header) in [
        (1, &vlan[..]),
        (1, &two_vlans),
        (113, &cooked),
        (276, &cooked2),
        (101, b""),
        (228, b""),
        (0, &[2, 0, 0, 0]),
        (108, &[0, 0, 0, 2]),
    ] {
        is_whole(&pcap(link, &behind(header), false, false));
    }
}

#[test]
fn ipv6_is_read_and_its_cut_packets_too() {
    let mut packets = Vec::new();
    let addresses = ([0x20; 16], [0x30; 16]);
    for (sequence, syn, data, kept) in [(100, true, &b""[..], 0), (101, false, REQUEST, 9)] {
        let mut step =
            PacketBuilder::ipv6(addresses.0, addresses.1, 64).tcp(50_000, 80, sequence, 9);
        if syn {
            step = step.syn();
        }
        let mut octets = Vec::new();
        step.write(&mut octets, data).unwrap();
        let length = octets.len();
        octets.truncate(length - data.len() + kept);
        packets.push((octets, length));
    }
    let mut import = Import::new(Bounds::default(), hints());
    import.read(&pcap(229, &packets, true, true)[..]).unwrap();
    let found: Vec<_> = import.finish().collect();
    let [Found::Conversation(conversation)] = &found[..] else {
        panic!("{found:?}");
    };
    let expected = [
        gap(Role::Server, None, GapReason::OneDirection),
        octets(Role::Client, &REQUEST[..9]),
        gap(Role::Client, REQUEST.len() as u64 - 9, GapReason::Snapped),
    ];
    assert_eq!(told(conversation), expected);
    assert!(conversation.client.is_ipv6());
}

#[test]
fn padding_of_short_frames_is_no_data() {
    let mut packets = ethernet();
    for (octets, length) in &mut packets {
        octets.resize(octets.len().max(60), 0xEE);
        *length = octets.len();
    }
    is_whole(&pcap(1, &packets, false, false));
}

#[test]
fn what_is_skipped_is_counted_by_reason() {
    let mut packets = ethernet();
    packets.push((vec![2; 60], 60)); // some other protocol
    let mut fragment = packets[3].0.clone();
    fragment[14 + 6] |= 0x20; // more fragments
    packets.push((fragment, packets[3].1));
    packets.push((packets[3].0[..14 + 20 + 8].to_vec(), packets[3].1));
    packets.push((packets[3].0[..14 + 8].to_vec(), packets[3].1));
    let (found, read, counts) = import(&pcap(1, &packets, false, false));
    assert!(read.is_ok());
    assert_eq!(found.len(), 1);
    let skipped: Vec<_> = counts.skipped.into_iter().collect();
    assert_eq!(
        skipped,
        [
            (Skipped::NotTcp, 1),
            (Skipped::Fragment, 1),
            (Skipped::HeaderCut, 2)
        ]
    );
    let (_, _, counts) = import(&pcap(147, &packets, false, false));
    assert_eq!(
        counts.skipped.into_iter().collect::<Vec<_>>(),
        [(Skipped::LinkUnknown, 8)]
    );
}

#[test]
fn a_file_that_is_cut_off_gives_what_it_has() {
    let whole = pcap(1, &ethernet(), false, false);
    let with_more = [&whole[..], &[1; 20]].concat();
    let (found, read, _) = import(&with_more);
    assert!(
        matches!(read, Err(FileError::CutOff { at }) if at == whole.len() as u64),
        "{read:?}"
    );
    assert_eq!(found.len(), 1);
    let ng = file(&opened());
    let (_, read, counts) = import(&ng[..ng.len() - 1]);
    assert!(matches!(read, Err(FileError::CutOff { .. })), "{read:?}");
    assert_eq!(counts.packets, 2);
}

#[test]
fn what_is_no_capture_is_said_to_be_none() {
    for other in [
        &b""[..],
        b"\x1f\x8b\x08",
        b"not a capture at all, but long enough to be one",
    ] {
        let (_, read, _) = import(other);
        assert!(matches!(read, Err(FileError::NotCapture)), "{read:?}");
    }
}

#[test]
fn a_block_that_claims_to_be_huge_takes_no_memory_for_it() {
    let mut file = file(&opened());
    file.extend(6u32.to_le_bytes());
    file.extend(0x4000_0000u32.to_le_bytes());
    file.resize(file.len() + 100_000, 0);
    let (_, read, counts) = import(&file);
    assert!(read.is_err(), "{read:?}");
    assert_eq!(counts.packets, 3);
}

#[test]
fn a_large_packet_is_read() {
    let data = vec![7; 60_000];
    let mut packets = opened();
    packets.push(client(101, REQUEST));
    for number in 0..4 {
        packets.push(client(
            101 + (REQUEST.len() + number * data.len()) as u32,
            &data,
        ));
    }
    let conversation = conversation(&packets);
    let Did::Octets(octets) = &told(&conversation)[0].1 else {
        panic!("{conversation:?}");
    };
    assert_eq!(octets.len(), REQUEST.len() + 240_000);
}
