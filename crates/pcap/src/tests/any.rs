//! Properties: however a stream is cut, shuffled and repeated, it is put
//! together again; and no octets make the import panic or claim memory.

use proptest::prelude::*;

use super::*;

/// Cuts, repeats and orders of a stream: begin, length and place of each segment.
fn segments(length: usize) -> impl Strategy<Value = Vec<(usize, usize)>> {
    let cuts = prop::collection::vec(0..=length, 0..12);
    let again = prop::collection::vec((0..=length, 0..60usize), 0..8);
    (cuts, again)
        .prop_map(move |(mut cuts, again)| {
            cuts.extend([0, length]);
            cuts.sort_unstable();
            let mut segments: Vec<_> = cuts.windows(2).map(|cut| (cut[0], cut[1])).collect();
            segments.extend(
                again
                    .into_iter()
                    .map(|(from, more)| (from, length.min(from + more))),
            );
            segments
        })
        .prop_shuffle()
}

proptest! {
    #[test]
    fn a_stream_in_pieces_is_put_together(
        data in prop::collection::vec(any::<u8>(), 1..300),
        isn in any::<u32>(),
        begun in any::<bool>(),
        pieces in segments(300),
    ) {
        let mut packets = Vec::new();
        if begun {
            packets.push(packet(Role::Client, isn, "S", b""));
        }
        let first = isn.wrapping_add(1);
        // Mid-stream, the piece that is seen first may be any.
        for (from, to) in pieces {
            let (from, to) = (from.min(data.len()), to.min(data.len()));
            packets.push(client(first.wrapping_add(from as u32), &data[from..to]));
        }
        let conversation = conversation(&packets);
        let mut expected = vec![octets(Role::Client, &data)];
        if !begun {
            expected.insert(0, gap(Role::Client, None, GapReason::MidStream));
        }
        prop_assert_eq!(told_of(&conversation, Role::Client), expected);
        prop_assert_eq!(conversation.notes.len(), 0);
    }

    #[test]
    fn what_is_lost_is_a_gap_of_its_length(
        data in prop::collection::vec(any::<u8>(), 1..300),
        pieces in segments(300),
        lost in 0..20usize,
    ) {
        let mut packets = opened();
        // One octet at least, so that there is a conversation.
        packets.push(client(101, &data[..1]));
        let mut there = vec![false; data.len()];
        there[0] = true;
        for (index, (from, to)) in pieces.into_iter().enumerate() {
            let (from, to) = (from.min(data.len()), to.min(data.len()));
            if index != lost {
                packets.push(client(101 + from as u32, &data[from..to]));
                there[from..to].fill(true);
            }
        }
        packets.push(packet(Role::Client, 101 + data.len() as u32, "F", b""));
        let (mut place, mut missing) = (0, 0);
        let conversation = conversation(&packets);
        for moment in &conversation.moments {
            match &moment.did {
                Did::Octets(octets) => {
                    prop_assert_eq!(&octets[..], &data[place..place + octets.len()]);
                    place += octets.len();
                }
                Did::Gap(Gap { octets: Some(octets), reason: GapReason::Lost }) => {
                    missing += *octets as usize;
                    place += *octets as usize;
                }
                Did::Eof => prop_assert_eq!(place, data.len()),
                other => prop_assert!(false, "{:?}", other),
            }
        }
        prop_assert_eq!(missing, there.iter().filter(|there| !**there).count());
    }

    #[test]
    fn any_octets_are_read_or_refused(
        octets in prop::collection::vec(any::<u8>(), 0..600),
        ng in any::<bool>(),
    ) {
        let mut file = file(&opened());
        if !ng {
            file = vec![0xD4, 0xC3, 0xB2, 0xA1, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 0, 1, 0, 0, 0];
        }
        file.extend(&octets);
        for file in [&file, &octets] {
            let mut import = Import::new(Bounds::default(), hints());
            let _ = import.read(&file[..]);
            prop_assert!(import.finish().count() < 64);
        }
    }

    #[test]
    fn packets_with_any_octet_changed_are_read(
        changes in prop::collection::vec((0..4usize, 0..200usize, any::<u8>()), 1..12),
    ) {
        let mut packets = opened();
        packets.push(client(101, REQUEST));
        let mut written: Vec<_> = packets.iter().map(Packet::written).collect();
        for (packet, place, octet) in changes {
            let octets = &mut written[packet].octets;
            let place = place % octets.len();
            octets[place] = octet;
        }
        let mut file = Vec::new();
        write::beginning(&mut file, "").unwrap();
        for packet in &written {
            write::packet(&mut file, packet).unwrap();
        }
        let mut import = Import::new(Bounds::default(), hints());
        import.read(&file[..]).unwrap();
        let held: usize = import
            .finish()
            .filter_map(|found| match found {
                Found::Conversation(it) => Some(it),
                Found::LeftOut(_) => None,
            })
            .flat_map(|it| it.moments)
            .map(|moment| match moment.did {
                Did::Octets(octets) => octets.len(),
                _ => 0,
            })
            .sum();
        prop_assert!(held <= file.len());
    }
}
