//! Open connections of every draft, made by the real opening handshakes, and
//! what goes over them.

use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{Codec, Draft, Event, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::{
    KeySource, accept, loopback, offer,
    opening::{Accepted, Ask, LengthFrames, Offer, Terms, parts},
};
use draftgate_testkit::codecs::hear;

/// As much as the driver takes from a socket at once.
pub const READ: usize = 64 << 10;

/// What a client asks for in `draft`.
///
/// # Panics
/// If the draft does not offer.
pub fn offered(draft: Draft, keys: &mut dyn KeySource) -> Offer {
    let ask = Ask {
        secure: false,
        host: "example.com",
        resource: "/",
        origin: Some("http://example.com"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    offer(draft, &ask, keys).expect("every draft offers")
}

/// The server's codec, and the octets of its whole answer to `request`.
///
/// # Panics
/// If `request` is not one that [`offered`] makes in `draft`.
pub fn answered(
    draft: Draft,
    request: &[u8],
    keys: &mut dyn KeySource,
) -> (Box<dyn Codec>, Vec<u8>) {
    let (mut accepted, size) = accepted(draft, request, keys);
    let heard = hear(&mut *accepted.codec, [&request[size..]]);
    let answer = [accepted.head.to_bytes(), heard.wrote].concat();
    (accepted.codec, answer)
}

/// What the server accepts of `request`, and how many octets its head has.
fn accepted(draft: Draft, request: &[u8], keys: &mut dyn KeySource) -> (Accepted, usize) {
    let (head, size) = parts(request)
        .expect("a well-formed request")
        .expect("a whole request");
    let terms = Terms {
        subprotocol: None,
        public_url: "ws://example.com/",
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let accepted = accept(draft, &head, &terms, keys).expect("its own offer is accepted");
    (accepted, size)
}

/// The client's and the server's end of a connection in `draft`, ready for
/// messages.
///
/// # Panics
/// If the draft's own halves do not agree.
pub fn pair(draft: Draft, keys: &mut dyn KeySource) -> (Box<dyn Codec>, Box<dyn Codec>) {
    let offered = offered(draft, keys);
    let (accepted, head) = accepted(draft, &offered.request, keys);
    let opened = loopback::connect(offered, head, accepted).expect("two ends of a draft");
    (opened.client, opened.server)
}

/// The client's end, from the whole answer to what it offered.
///
/// # Panics
/// If it is no answer to that.
pub fn connected(mut offered: Offer, answer: &[u8]) -> Box<dyn Codec> {
    let client = offered.pending.answer(&mut BytesMut::from(answer));
    let mut client = client.expect("a good answer").expect("a whole answer");
    hear(&mut *client.codec, []);
    client.codec
}

/// The octets of `message` as `end` sends it.
///
/// # Panics
/// If the draft cannot say it.
pub fn frame(end: &mut dyn Codec, message: Message) -> Bytes {
    let mut out = Outbox::new();
    end.send(Outgoing::Message(message), &mut out)
        .expect("every draft sends text");
    out.take_all()
}

/// Encodes `message` and forgets the octets, as if a socket had taken them;
/// how many there were.
///
/// # Panics
/// If the draft cannot say it.
pub fn encode(end: &mut dyn Codec, message: &Message, out: &mut Outbox) -> usize {
    end.send(Outgoing::Message(message.clone()), out)
        .expect("every draft sends text");
    let octets = out.len();
    out.advance(octets);
    octets
}

/// Feeds `octets` as a driver does, in reads of up to [`READ`] with the copy
/// that each of them is, and returns the message in them.
///
/// # Panics
/// If there is not exactly one message.
pub fn decode(
    end: &mut dyn Codec,
    octets: &[u8],
    input: &mut BytesMut,
    out: &mut Outbox,
) -> Message {
    let mut found = None;
    for read in octets.chunks(READ) {
        input.extend_from_slice(read);
        while let Some(event) = end.receive(input, out).expect("our own octets") {
            if let Event::Message(message) = event {
                assert!(found.replace(message).is_none(), "one message");
            }
        }
    }
    found.expect("a whole message")
}

#[cfg(test)]
mod tests {
    use draftgate_drafts::{RandomKeys, spoken};

    use super::*;
    use crate::payload::{SIZES, mixed};

    #[test]
    fn what_one_end_of_any_draft_sends_the_other_decodes() {
        for draft in spoken() {
            for size in SIZES {
                let (mut client, mut server) = pair(draft, &mut RandomKeys);
                let message = Message::from(mixed(size));
                let octets = frame(&mut *client, message.clone());
                let mut out = Outbox::new();
                let got = decode(&mut *server, &octets, &mut BytesMut::new(), &mut out);
                assert_eq!(got, message, "{draft:?}, {size}");
                let octets = frame(&mut *server, message.clone());
                let got = decode(&mut *client, &octets, &mut BytesMut::new(), &mut out);
                assert_eq!(got, message, "{draft:?}, {size}");
                assert_eq!(encode(&mut *server, &message, &mut out), octets.len());
                assert!(out.is_empty());
            }
        }
    }
}
