//! Messages in and out, one at a time and a window of small ones in one read,
//! which is what a peer that pipelines sends.

use std::hint::black_box;

use bytes::{Buf, BytesMut};
use draftgate_bench::{
    ends::pair,
    payload::{Size, ascii},
};
use draftgate_core::{Codec, Draft, Event, Message, Outbox, Outgoing};
use draftgate_drafts::spoken;
use draftgate_wire::mask;

use crate::{Case, keys};

const SIZES: [Size; 4] = [Size(16), Size(125), Size(1 << 10), Size(16 << 10)];

/// Messages in one read, where there are many.
const WINDOW: usize = 64;

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for size in SIZES {
        cases.push(Case::new(format!("mask/{}", size.0), move || masked(size)));
    }
    for draft in spoken() {
        for (role, ends) in [("client", client as fn(_) -> _), ("server", server)] {
            for size in SIZES {
                let name = |what| format!("{what}/{role}/{draft}/{}", size.0);
                cases.push(Case::new(name("decode"), move || {
                    decode(ends(draft), size, 1)
                }));
                cases.push(Case::new(name("encode"), move || encode(ends(draft), size)));
            }
        }
        for size in [Size(16), Size(125)] {
            let name = |what| format!("{what}/server/{draft}/{WINDOW}x{}", size.0);
            cases.push(Case::new(name("decode"), move || {
                decode(server(draft), size, WINDOW)
            }));
            cases.push(Case::new(name("echo"), move || echo(server(draft), size)));
        }
    }
    cases
}

/// One end, and its peer.
type Ends = (Box<dyn Codec>, Box<dyn Codec>);

fn client(draft: Draft) -> Ends {
    pair(draft, &mut keys())
}

fn server(draft: Draft) -> Ends {
    let (client, server) = client(draft);
    (server, client)
}

fn masked(size: Size) -> impl FnMut() {
    let mut octets = ascii(size).into_bytes();
    move || {
        mask(
            black_box(&mut octets),
            black_box([1, 2, 3, 4]),
            black_box(1),
        );
    }
}

fn frames(peer: &mut dyn Codec, size: Size, count: usize) -> Vec<u8> {
    let mut out = Outbox::new();
    for _ in 0..count {
        let message = Message::from(ascii(size));
        peer.send(Outgoing::Message(message), &mut out)
            .expect("every draft sends text");
    }
    out.take_all().to_vec()
}

/// A copy of what was read, and all messages in it, as the driver takes them.
fn decode((mut end, mut peer): Ends, size: Size, count: usize) -> impl FnMut() {
    let octets = frames(&mut *peer, size, count);
    let (mut input, mut out) = (BytesMut::new(), Outbox::new());
    move || {
        input.clear();
        input.extend_from_slice(black_box(&octets));
        let (mut at, mut found) = (0, 0);
        while let Some(passed) = end.pass(&mut input[at..]) {
            found += black_box(passed.message).payload().len();
            at += passed.octets;
        }
        input.advance(at);
        while let Some(event) = end.receive(&mut input, &mut out).expect("good octets") {
            if let Event::Message(message) = black_box(event) {
                found += message.len();
            }
        }
        assert_eq!(found, count * size.0);
    }
}

fn encode((mut end, _): Ends, size: Size) -> impl FnMut() {
    let message = Message::from(ascii(size));
    let mut out = Outbox::new();
    move || {
        end.send(Outgoing::Message(black_box(&message).clone()), &mut out)
            .expect("every draft sends text");
        out.advance(out.len());
    }
}

/// What the driver, the handler and a transport are between.
fn echo((mut end, mut peer): Ends, size: Size) -> impl FnMut() {
    let octets = frames(&mut *peer, size, WINDOW);
    let (mut read, mut out) = (octets.clone(), Outbox::new());
    // As the driver does it: the buffer that fills is the thread's.
    let mut buffer = Vec::with_capacity(2 * octets.len());
    move || {
        read.copy_from_slice(black_box(&octets));
        out.lend(&mut buffer);
        let mut at = 0;
        while let Some(passed) = end.pass(&mut read[at..]) {
            end.send_ref(passed.message, &mut out)
                .expect("every draft sends text");
            at += passed.octets;
        }
        assert_eq!(at, octets.len());
        out.advance(out.len());
        out.take_back(&mut buffer);
    }
}
