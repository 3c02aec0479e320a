//! Octets into a codec, in one piece, in two, and one by one.

use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{Codec, Event, Notice, Outbox, Violation};

/// What a codec made of some octets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    /// The events in their order. What came after a Close is left out: its
    /// notices depend on the cut.
    pub events: Vec<Event>,
    /// The breach that ended it.
    pub violation: Option<Violation>,
    /// What the codec wrote of its own accord, after `fail` if there was a breach.
    pub wrote: Bytes,
    /// Octets it did not take.
    pub left: Bytes,
}

/// Starts `codec` and feeds it `runs` one after the other, as a driver does.
pub fn hear<'a>(codec: &mut dyn Codec, runs: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    listen(codec, runs, |_, _, _| {})
}

/// The same, but that each message which lies whole at the front is taken as it
/// passes.
///
/// # Panics
/// If a codec changes octets that it does not pass on.
pub fn hear_passing<'a>(codec: &mut dyn Codec, runs: impl IntoIterator<Item = &'a [u8]>) -> Heard {
    listen(codec, runs, |codec, input, events| {
        let (mut at, before) = (0, input.clone());
        while let Some(passed) = codec.pass(&mut input[at..]) {
            events.push(Event::Message(passed.message.to_message()));
            at += passed.octets;
        }
        assert_eq!(input[at..], before[at..], "what did not pass is as it was");
        input.advance(at);
    })
}

fn listen<'a>(
    codec: &mut dyn Codec,
    runs: impl IntoIterator<Item = &'a [u8]>,
    first: impl Fn(&mut dyn Codec, &mut BytesMut, &mut Vec<Event>),
) -> Heard {
    let (mut input, mut out) = (BytesMut::new(), Outbox::new());
    let (mut events, mut violation) = (Vec::new(), None);
    codec.start(&mut out);
    let runs = std::iter::once(&[][..]).chain(runs);
    'runs: for run in runs {
        input.extend_from_slice(run);
        loop {
            first(codec, &mut input, &mut events);
            match codec.receive(&mut input, &mut out) {
                Ok(None) => break,
                Ok(Some(Event::Notice(Notice::AfterClose { .. }))) => {}
                Ok(Some(event)) => events.push(event),
                Err(breach) => {
                    codec.fail(&breach, &mut out);
                    violation = Some(breach);
                    break 'runs;
                }
            }
        }
    }
    Heard {
        events,
        violation,
        wrote: out.take_all(),
        left: if violation.is_some() {
            Bytes::new()
        } else {
            input.freeze()
        },
    }
}

/// Feeds `octets` whole, cut in two at each octet, and octet by octet, each
/// time to two new codecs, one of which hears messages as they pass, and
/// returns what they heard, which must be the same.
///
/// # Panics
/// If a cut changes what is heard.
pub fn hear_every_cut(codec: impl Fn() -> Box<dyn Codec>, octets: &[u8]) -> Heard {
    let whole = hear(&mut *codec(), [octets]);
    let passing = hear_passing(&mut *codec(), [octets]);
    assert_eq!(passing, whole, "as they pass, of {octets:02x?}");
    for cut in 1..octets.len() {
        let (front, back) = octets.split_at(cut);
        let heard = hear(&mut *codec(), [front, back]);
        assert_eq!(heard, whole, "cut at {cut} of {octets:02x?}");
        let passing = hear_passing(&mut *codec(), [front, back]);
        assert_eq!(
            passing, whole,
            "as they pass, cut at {cut} of {octets:02x?}"
        );
    }
    let single = hear(&mut *codec(), octets.chunks(1));
    assert_eq!(single, whole, "octet by octet of {octets:02x?}");
    whole
}

/// Octets from hexadecimal digits, spaces ignored.
///
/// # Panics
/// If it is not hexadecimal.
pub fn hex(digits: &str) -> Vec<u8> {
    let digits: Vec<u8> = digits
        .bytes()
        .filter(|o| !o.is_ascii_whitespace())
        .collect();
    digits
        .chunks(2)
        .map(|pair| {
            let pair = std::str::from_utf8(pair).expect("hexadecimal digits are ASCII");
            u8::from_str_radix(pair, 16).expect("pairs of hexadecimal digits")
        })
        .collect()
}
