//! deflate-stream, under the frames of hybi-06 to -08.

use draftgate_core::{Close, Draft, Event, Limits, Outbox, Outgoing, Rule};
use draftgate_testkit::codecs::{hear, hear_every_cut};

use crate::{ALL, messages, pair, say};

const DRAFTS: [Draft; 3] = [Draft::Hybi06, Draft::Hybi07, Draft::Hybi08];

fn ends(
    draft: Draft,
) -> (
    Box<dyn draftgate_core::Codec>,
    Box<dyn draftgate_core::Codec>,
) {
    pair(draft, "deflate-stream", (ALL, ALL), Limits::default())
}

#[test]
fn a_servers_hello_is_as_the_examples_have_it() {
    let old = b"\x6a\x61\xf5\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff";
    let new = b"\x6a\x64\xf5\x48\xcd\xc9\xc9\x07\x00\x00\x00\xff\xff";
    for (draft, octets) in DRAFTS.into_iter().zip([old, new, new]) {
        let (_, mut server) = ends(draft);
        assert_eq!(say(&mut *server, "Hello"), octets, "{draft}");
        let heard = hear_every_cut(|| ends(draft).0, octets);
        assert_eq!(messages(&heard.events), ["Hello".into()], "{draft}");
    }
}

#[test]
fn a_conversation_goes_through_it_both_ways_until_both_closed() {
    for draft in DRAFTS {
        let (mut client, mut server) = ends(draft);
        for text in ["Hello", "", "Hello", &"x".repeat(100_000)] {
            let octets = say(&mut *client, text);
            let heard = hear(&mut *server, octets.chunks(7));
            assert_eq!(messages(&heard.events), [text.into()], "{draft}");
            let octets = say(&mut *server, text);
            let heard = hear(&mut *client, octets.chunks(1000));
            assert_eq!(messages(&heard.events), [text.into()], "{draft}");
        }
        let mut out = Outbox::new();
        let ping = Outgoing::Ping("still there".into());
        client.send(ping, &mut out).unwrap();
        let answer = hear(&mut *server, [&out.take_all()[..]]).wrote;
        let pong = Event::Pong("still there".into());
        assert!(hear(&mut *client, [&answer[..]]).events.contains(&pong));
        let close = Close::new(1000, "done");
        client
            .send(Outgoing::Close(Some(close.clone())), &mut out)
            .unwrap();
        let heard = hear(&mut *server, [&out.take_all()[..]]);
        assert_eq!(heard.events, [Event::Close(Some(close))], "{draft}");
    }
}

#[test]
fn what_is_no_stream_fails_and_the_failure_goes_through_the_stream() {
    let (mut client, mut server) = ends(Draft::Hybi07);
    let heard = hear(&mut *server, [&b"\x07\xff\xff\xff"[..]]);
    assert_eq!(heard.violation.map(|it| it.rule), Some(Rule::NotDeflate));
    let close = hear(&mut *client, [&heard.wrote[..]]).events;
    assert!(matches!(&close[..], [Event::Close(Some(_))]), "{close:?}");
}

#[test]
fn a_bomb_in_the_stream_meets_the_limits_of_the_frames() {
    let limits = Limits {
        message: 1000,
        ..Limits::default()
    };
    let (mut client, mut server) = pair(Draft::Hybi07, "deflate-stream", (ALL, ALL), limits);
    let octets = say(&mut *server, "x".repeat(1 << 20));
    let violation = hear(&mut *client, [&octets[..]]).violation;
    assert_eq!(violation.map(|it| it.rule), Some(Rule::MessageTooBig));
}
