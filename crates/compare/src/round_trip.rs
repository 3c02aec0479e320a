//! Whatever a table shows is understood by the other end: every row, read by
//! the peer's codec, gives back what was said.

use bytes::BytesMut;
use draftgate_core::{Codec, Event, Message, Outbox};
use proptest::prelude::*;

use crate::{
    Masks, Options, Row, Table, What,
    cells::{cells, unmasked},
    ends::Ends,
    what::Say,
};
use draftgate_drafts::{opening::LengthFrames, spoken};

/// What the peer of `row` hears.
fn heard(row: &Row, masks: Masks) -> Vec<Event> {
    let said = row.said.as_ref().unwrap();
    let mut ends = Ends::open(row.draft, masks, LengthFrames::default()).unwrap();
    hear(ends.end(row.direction.peer()), &said.bytes())
}

/// What `codec` hears in `octets`, to its first breach.
fn hear(codec: &mut dyn Codec, octets: &[u8]) -> Vec<Event> {
    let (mut input, mut out) = (BytesMut::from(octets), Outbox::new());
    let mut events = Vec::new();
    codec.start(&mut out);
    while let Ok(Some(event)) = codec.receive(&mut input, &mut out) {
        events.push(event);
    }
    events
}

fn comes_back(what: &What, masks: Masks) {
    let options = Options {
        masks,
        ..Options::default()
    };
    let table = Table::of(what, &options).unwrap();
    assert_eq!(table.rows.len(), 2 * spoken().count());
    for row in &table.rows {
        let Ok(said) = &row.said else {
            continue;
        };
        let whose = format!("{} {:?}", row.draft, row.direction);
        let event = match &what.say {
            Say::Message(message) => Event::Message(message.clone()),
            Say::Ping(body) => Event::Ping(body.clone()),
            Say::Close(close) => Event::Close(Some(close.clone())),
        };
        assert_eq!(heard(row, masks), [event], "{whose}");
        let payload: usize = said.units.iter().map(|unit| unit.payload.len()).sum();
        let octets = said.bytes().len();
        assert_eq!(said.overhead(), (octets - payload) as u64, "{whose}");
        // What is drawn is all there is, and what is below the mask is the message.
        let bits: u64 = said.fields().map(|field| field.len_bits).sum();
        assert_eq!(bits, 8 * octets as u64, "{whose}");
        for unit in &said.units {
            let drawn: Vec<u8> = cells(unit).iter().flat_map(|c| c.wire.to_vec()).collect();
            assert_eq!(drawn, unit.octets, "{whose}");
            let plain = unmasked(unit);
            assert!(
                plain
                    .windows(unit.payload.len().max(1))
                    .any(|run| run == unit.payload)
                    || unit.payload.is_empty(),
                "{whose}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_text_in_any_fragments_under_any_mask_comes_back(
        text in any::<String>(),
        count in 1..7_usize,
        key in any::<[u8; 4]>(),
    ) {
        let what = What::text(text).unwrap().in_fragments(count).unwrap();
        comes_back(&what, Masks::Fixed(key));
        comes_back(&what, Masks::Random);
    }

    #[test]
    fn any_octets_in_any_fragments_come_back(
        octets in prop::collection::vec(any::<u8>(), 0..300),
        count in 1..7_usize,
    ) {
        comes_back(&What::binary(octets.clone()).unwrap().in_fragments(count).unwrap(), Masks::Random);
        comes_back(&What::ping(octets[..octets.len().min(125)].to_vec()).unwrap(), Masks::default());
    }

    #[test]
    fn any_close_that_may_be_sent_comes_back(code in any::<u16>(), reason in "\\PC{0,30}") {
        if let Ok(what) = What::close(code, reason) {
            comes_back(&what, Masks::default());
        }
    }
}

#[test]
fn lengths_at_the_borders_of_the_length_fields_come_back() {
    for length in crate::LENGTHS {
        let text = "x".repeat(length);
        comes_back(&What::text(text).unwrap(), Masks::default());
    }
}

#[test]
fn what_the_gateway_says_instead_is_understood_too() {
    let said = [
        What::binary(&b"\xca\xfe"[..]).unwrap(),
        What::ping("").unwrap(),
        What::close(1011, "bye").unwrap(),
    ];
    let mut understood = 0;
    for what in &said {
        for row in Table::of(what, &Options::default()).unwrap().rows {
            let Err(unsaid) = &row.said else {
                continue;
            };
            for instead in &unsaid.instead {
                let Some(said) = &instead.said else {
                    continue;
                };
                let mut ends =
                    Ends::open(row.draft, Masks::default(), LengthFrames::default()).unwrap();
                let events = hear(&mut *ends.client, &said.bytes());
                assert_eq!(events.len(), 1, "{}: {}", row.draft, instead.does);
                if let Event::Message(Message::Text(text)) = &events[0] {
                    let spelled = [&b"yv4="[..], b"cafe", b""];
                    assert!(spelled.contains(&&text.as_bytes()[..]), "{text}");
                }
                understood += 1;
            }
        }
    }
    assert!(understood > 0, "some draft lacks something");
}
