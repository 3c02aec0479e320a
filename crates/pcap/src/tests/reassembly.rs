//! Segments in any order, twice, overlapping, with holes: what was captured is
//! the stream, and what was not is a gap.

use super::*;
use GapReason::{Lost, MidStream, OneDirection, Snapped};
use Role::{Client, Server};

fn with_opening(mut rest: Vec<Packet>) -> Vec<Packet> {
    let mut packets = opened();
    packets.append(&mut rest);
    packets
}

#[test]
fn segments_in_order_are_the_streams_in_order() {
    let conversation = conversation(&with_opening(vec![
        client(101, b"GET a").ack(201).at(5),
        client(106, b"bc").ack(201).at(6),
        server(201, b"answer").ack(108).at(9),
        packet(Client, 108, "F", b"").ack(207).at(20),
        packet(Server, 207, "F", b"").ack(109).at(21),
    ]));
    let expected = [
        octets(Client, b"GET abc"),
        octets(Server, b"answer"),
        (Client, Did::Eof),
        (Server, Did::Eof),
    ];
    assert_eq!(told(&conversation), expected);
    assert_eq!(conversation.partial, None);
    assert_eq!(conversation.notes, [""; 0]);
    let times: Vec<_> = conversation
        .moments
        .iter()
        .map(|moment| moment.time.unwrap().as_millis())
        .collect();
    assert_eq!(times, [5, 6, 9, 20, 21]);
    assert_eq!(conversation.client, address("192.0.2.1:50000"));
    assert_eq!(conversation.server, address("192.0.2.2:80"));
}

#[test]
fn a_segment_before_its_turn_waits_for_the_one_before_it() {
    let conversation = conversation(&with_opening(vec![
        client(104, b"def").at(1),
        server(201, b"x").at(2),
        client(101, b"abc").at(3),
    ]));
    assert_eq!(
        told(&conversation),
        [octets(Server, b"x"), octets(Client, b"abcdef")]
    );
    assert_eq!(conversation.moments[2].time, Some(Duration::from_millis(3)));
}

#[test]
fn of_octets_sent_twice_the_first_count_and_others_are_noted() {
    let same = conversation(&with_opening(vec![
        client(101, b"abcd"),
        client(101, b"abcd"),
        client(103, b"cdef"),
    ]));
    assert_eq!(told(&same), [octets(Client, b"abcdef")]);
    assert_eq!(same.notes, [""; 0]);
    let other = conversation(&with_opening(vec![
        client(103, b"cd"),
        client(101, b"abXYef"),
    ]));
    assert_eq!(told(&other), [octets(Client, b"abcdef")]);
    assert_eq!(
        other.notes,
        ["2 octets were sent again and were others then; the first are kept"]
    );
}

#[test]
fn a_segment_that_was_not_captured_is_a_gap() {
    let conversation = conversation(&with_opening(vec![
        client(101, b"abc"),
        client(109, b"jk").ack(201),
        packet(Client, 111, "F", b""),
    ]));
    let expected = [
        octets(Client, b"abc"),
        gap(Client, 5, Lost),
        octets(Client, b"jk"),
        (Client, Did::Eof),
    ];
    assert_eq!(told(&conversation), expected);
    assert_eq!(
        conversation.partial.as_deref(),
        Some("packets are not in the capture")
    );
}

#[test]
fn what_is_missing_before_a_fin_is_counted_and_before_silence_is_not() {
    let fin = conversation(&with_opening(vec![
        client(101, b"abc"),
        packet(Client, 110, "F", b""),
    ]));
    assert_eq!(told(&fin)[1..], [gap(Client, 6, Lost), (Client, Did::Eof)]);
    // The last number acknowledged may be an octet or a FIN.
    let silence = conversation(&with_opening(vec![
        client(101, b"abc"),
        packet(Server, 201, "", b"").ack(105),
    ]));
    assert_eq!(told(&silence)[1..], [gap(Client, None, Lost)]);
}

#[test]
fn what_the_snapshot_length_cut_off_is_a_gap() {
    let cut = conversation(&with_opening(vec![
        client(101, b"abcdef").snap(4).at(1),
        client(107, b"ghi").snap(3).at(2),
        server(201, b"x").at(3),
        client(110, b"jk").at(4),
    ]));
    let expected = [
        octets(Client, b"ab"),
        gap(Client, 7, Snapped),
        octets(Server, b"x"),
        octets(Client, b"jk"),
    ];
    assert_eq!(told(&cut), expected);
    assert_eq!(
        cut.partial.as_deref(),
        Some("the capture cut long packets off")
    );
    // Sent again in smaller pieces, it is there.
    let again = conversation(&with_opening(vec![
        client(101, b"abcdef").snap(4),
        client(103, b"cd"),
        client(105, b"ef"),
    ]));
    assert_eq!(told(&again), [octets(Client, b"abcdef")]);
    assert_eq!(again.partial, None);
}

#[test]
fn sequence_numbers_begin_again_at_zero() {
    let first = u32::MAX - 2;
    let conversation = conversation(&[
        packet(Client, first, "S", b""),
        packet(Server, 200, "S", b"").ack(first.wrapping_add(1)),
        client(2, b"ef"),
        client(first.wrapping_add(1), b"abcd"),
        client(4, b"gh"),
        packet(Client, 6, "F", b""),
    ]);
    assert_eq!(
        told(&conversation),
        [octets(Client, b"abcdefgh"), (Client, Did::Eof)]
    );
}

#[test]
fn a_keep_alive_is_no_data() {
    let conversation = conversation(&with_opening(vec![
        client(101, b"abc"),
        packet(Server, 201, "", b"").ack(104),
        packet(Client, 103, "", b"\0").ack(201), // one octet of nothing
        packet(Client, 103, "", b"").ack(201),
        client(104, b"d"),
    ]));
    assert_eq!(told(&conversation), [octets(Client, b"abcd")]);
    assert_eq!(conversation.notes, [""; 0]);
}

#[test]
fn a_keep_alive_at_the_beginning_of_a_capture_is_no_data() {
    let conversation = conversation(&[
        packet(Client, 5_000, "", b"\0").ack(7_000),
        packet(Server, 7_000, "", b"").ack(5_001),
        client(5_001, b"abc").ack(7_000),
    ]);
    let expected = [
        gap(Client, None, MidStream),
        gap(Server, None, MidStream),
        octets(Client, b"abc"),
    ];
    assert_eq!(told(&conversation), expected);
}

#[test]
fn single_octets_are_data() {
    let conversation = conversation(&with_opening(vec![
        client(101, b"a").ack(201),
        packet(Server, 201, "", b"").ack(102),
        client(102, b"b").ack(201),
        client(103, b"c").ack(201),
    ]));
    assert_eq!(told(&conversation), [octets(Client, b"abc")]);
}

#[test]
fn a_capture_that_begins_in_the_middle_says_so() {
    let conversation = conversation(&[
        server(9_000, b"xy").ack(4_000),
        client(4_000, b"abc").ack(9_002),
        packet(Server, 9_002, "", b"").ack(4_003),
    ]);
    let expected = [
        gap(Server, None, MidStream),
        octets(Server, b"xy"),
        gap(Client, None, MidStream),
        octets(Client, b"abc"),
    ];
    assert_eq!(told(&conversation), expected);
    assert_eq!(
        conversation.partial.as_deref(),
        Some("the capture begins after the connection did")
    );
}

#[test]
fn of_a_direction_that_was_not_captured_the_acknowledgments_tell_how_much_it_was() {
    let client_only = conversation(&[
        packet(Client, 100, "S", b""),
        packet(Client, 101, "", b"").ack(201),
        client(101, b"GET a").ack(201),
        packet(Client, 106, "", b"").ack(331),
        client(106, b"b").ack(331),
        packet(Client, 107, "", b"").ack(341),
        packet(Client, 107, "F", b"").ack(342), // 342: one more octet, or a FIN
    ]);
    let expected = [
        octets(Client, b"GET a"),
        gap(Server, 130, OneDirection),
        octets(Client, b"b"),
        gap(Server, 10, OneDirection),
        (Client, Did::Eof),
        gap(Server, None, OneDirection),
    ];
    assert_eq!(told(&client_only), expected);
    assert_eq!(
        client_only.partial.as_deref(),
        Some("the capture holds the packets of the client only")
    );
    let server_only = conversation(&[
        packet(Server, 200, "S", b"").ack(101),
        server(201, b"x").ack(251),
        packet(Server, 202, "F", b"").ack(252),
    ]);
    let expected = [
        gap(Client, 150, OneDirection),
        octets(Server, b"x"),
        gap(Client, None, OneDirection),
        (Server, Did::Eof),
    ];
    assert_eq!(told(&server_only), expected);
    assert_eq!(server_only.client, address("192.0.2.1:50000"));
}

#[test]
fn a_reset_ends_a_side_and_what_lies_before_the_acknowledged_is_none() {
    let reset = conversation(&with_opening(vec![
        client(101, b"abc").ack(201),
        packet(Server, 201, "R", b"").ack(104),
    ]));
    assert_eq!(told(&reset), [octets(Client, b"abc"), (Server, Did::Reset)]);
    let stale = conversation(&with_opening(vec![
        server(201, b"abc").ack(101),
        packet(Client, 101, "", b"").ack(204),
        packet(Server, 190, "R", b""),
    ]));
    assert_eq!(told(&stale), [octets(Server, b"abc")]);
}

#[test]
fn data_on_a_syn_is_the_beginning_of_the_stream() {
    let conversation = conversation(&[
        packet(Client, 100, "S", b"GET "),
        packet(Server, 200, "S", b"").ack(105),
        client(105, b"/"),
    ]);
    assert_eq!(told(&conversation), [octets(Client, b"GET /")]);
}

#[test]
fn a_syn_that_was_not_captured_is_told_by_its_answer() {
    let conversation = conversation(&[
        packet(Server, 200, "S", b"").ack(101),
        client(101, b"GET ").ack(201),
        server(201, b"x"),
    ]);
    assert_eq!(
        told(&conversation),
        [octets(Client, b"GET "), octets(Server, b"x")]
    );
    assert_eq!(conversation.partial, None);
}

#[test]
fn octets_behind_a_fin_are_left_out_and_noted() {
    let conversation = conversation(&with_opening(vec![
        client(101, b"abc"),
        packet(Client, 104, "F", b""),
        client(103, b"cdef"),
    ]));
    assert_eq!(
        told(&conversation),
        [octets(Client, b"abc"), (Client, Did::Eof)]
    );
    assert_eq!(
        conversation.notes,
        ["3 octets behind the end of a stream are left out"]
    );
}

#[test]
fn a_clock_that_goes_back_stands_still() {
    let conversation = conversation(&with_opening(vec![
        client(101, b"a").at(10),
        client(102, b"b").at(4),
        client(103, b"c").at(12),
    ]));
    let times: Vec<_> = conversation
        .moments
        .iter()
        .map(|moment| moment.time.unwrap().as_millis())
        .collect();
    assert_eq!(times, [10, 10, 12]);
}
