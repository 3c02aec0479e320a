//! The worked opening of RFC 6455 §1.3 and both ends that come out of it.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]
#![allow(dead_code, reason = "each test file uses its part")]

use bytes::BytesMut;
use draftgate_core::{Codec, Limits, Role};
use draftgate_hybi13::{ACCEPTOR, OFFERER};
use draftgate_testkit::{codecs::hear, request::parts};
use draftgate_wire::{
    FixedKeys, mask,
    opening::{Accepted, Ask, Connected, LengthFrames, Refusal, Terms},
};

/// The masking key of the examples.
pub(crate) const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

pub(crate) const ROLES: [Role; 2] = [Role::Server, Role::Client];

pub(crate) const ANSWER: &str = "HTTP/1.1 101 Switching Protocols\r\n\
    Upgrade: websocket\r\n\
    Connection: Upgrade\r\n\
    Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
    Sec-WebSocket-Protocol: chat\r\n\r\n";

pub(crate) fn request(key: &str) -> String {
    format!(
        "GET /chat HTTP/1.1\r\n\
         Host: server.example.com\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\n\
         Origin: http://example.com\r\n\
         Sec-WebSocket-Protocol: chat, superchat\r\n\
         Sec-WebSocket-Version: 13\r\n\r\n"
    )
}

pub(crate) fn accept(key: &str, limits: Limits) -> Result<Accepted, Refusal> {
    let terms = Terms {
        subprotocol: Some("chat"),
        public_url: "ws://server.example.com/chat",
        limits,
        length_frames: LengthFrames::default(),
    };
    ACCEPTOR.accept(
        &parts(request(key).as_bytes()).0,
        &terms,
        &mut FixedKeys::new([0]),
    )
}

pub(crate) fn connect(answer: &[u8], limits: Limits) -> Result<Option<Connected>, Refusal> {
    let ask = Ask {
        secure: false,
        host: "server.example.com",
        resource: "/chat",
        origin: Some("http://example.com"),
        subprotocols: &["chat", "superchat"],
        fields: &[],
        limits,
        length_frames: LengthFrames::default(),
    };
    // The RFC's nonce is "the sample nonce"; the masking keys repeat KEY.
    let mut keys = FixedKeys::new([b"the sample nonce".as_slice(), &KEY.repeat(64)].concat());
    let mut offer = OFFERER.offer(&ask, &mut keys).unwrap();
    offer.pending.answer(&mut BytesMut::from(answer))
}

pub(crate) fn codec_with(role: Role, limits: Limits) -> Box<dyn Codec> {
    match role {
        Role::Server => accept("dGhlIHNhbXBsZSBub25jZQ==", limits).unwrap().codec,
        Role::Client => {
            let connected = connect(ANSWER.as_bytes(), limits).unwrap();
            connected.unwrap().codec
        }
    }
}

pub(crate) fn open(role: Role) -> Box<dyn Codec> {
    let mut codec = codec_with(role, Limits::default());
    hear(&mut *codec, []);
    codec
}

/// `unmasked` frames as the peer of `role` sends them: a client's are masked.
pub(crate) fn from_peer(role: Role, unmasked: &[u8]) -> Vec<u8> {
    if role == Role::Client {
        return unmasked.to_vec();
    }
    let (mut rest, mut octets) = (unmasked, Vec::new());
    while rest.len() >= 2 {
        let (head, length) = match rest[1] {
            126 => (4, usize::from(u16::from_be_bytes([rest[2], rest[3]]))),
            127 => (
                10,
                u64::from_be_bytes(rest[2..10].try_into().unwrap()) as usize,
            ),
            short => (2, usize::from(short)),
        };
        octets.extend_from_slice(&rest[..head]);
        let second = octets.len() - head + 1;
        octets[second] |= 0x80;
        octets.extend_from_slice(&KEY);
        let end = rest.len().min(head + length);
        let mut payload = rest[head..end].to_vec();
        mask(&mut payload, KEY, 0);
        octets.extend_from_slice(&payload);
        rest = &rest[end..];
    }
    octets
}
