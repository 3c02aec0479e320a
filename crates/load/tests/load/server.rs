//! A server for the generator: a thread for each connection, the drafts' own
//! acceptors and codecs, and whatever bad manners a test wants.

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

use bytes::{Bytes, BytesMut};
use draftgate_core::{Capabilities, Codec, Event, Limits, Message, Outbox, Outgoing};
use draftgate_drafts::{
    Detection, RandomKeys, accept_any_of, acceptor, detect, loopback,
    opening::{LengthFrames, Terms, parts},
};

/// What becomes of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Each message goes back.
    Echo,
    /// Octets go back, without any opening.
    RawEcho,
    /// Octets go to all others, without any opening.
    RawBroadcast,
    /// Each message goes to all others.
    Broadcast,
    /// Each message goes back with another letter in it.
    Altered,
    /// Each message goes back twice.
    Doubled,
    /// A ping comes before each message, where the draft has it.
    Pings,
    /// Each message comes in octets of their own.
    Dribbles,
    /// Each text comes in two fragments: unmasked frames of RFC 6455.
    Fragments,
    /// Nothing comes back.
    Silent,
    /// The first message is answered by the end of TCP.
    Ends,
    /// The first message is answered by a Close.
    Closes,
    /// No request is accepted.
    Refuses,
}

/// Everybody who is connected.
type Others = Arc<Mutex<Vec<(usize, TcpStream, Option<Box<dyn Codec>>)>>>;

/// Serves on a free port until the process ends.
pub(crate) fn server(manners: Manners) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let others = Others::default();
    thread::spawn(move || {
        for (number, stream) in listener.incoming().flatten().enumerate() {
            let others = Arc::clone(&others);
            // A connection that breaks is the test's to judge at the other end.
            thread::spawn(move || drop(serve(stream, number, manners, &others)));
        }
    });
    address
}

fn serve(
    mut stream: TcpStream,
    number: usize,
    manners: Manners,
    others: &Others,
) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = vec![0; 64 << 10];
    if matches!(manners, Manners::RawEcho | Manners::RawBroadcast) {
        let mine = (number, stream.try_clone()?, None);
        others.lock().unwrap().push(mine);
        loop {
            let count = match stream.read(&mut buffer)? {
                0 => return Ok(()),
                count => count,
            };
            if manners == Manners::RawEcho {
                stream.write_all(&buffer[..count])?;
                continue;
            }
            for (other, stream, _) in &mut *others.lock().unwrap() {
                if *other != number {
                    stream.write_all(&buffer[..count])?;
                }
            }
        }
    }
    let mut input = BytesMut::new();
    let Some((head, mut codec)) = opening(&mut stream, &mut input, manners)? else {
        return Ok(());
    };
    let mut out = Outbox::new();
    codec.start(&mut out);
    let mut head = Some(head);
    let welcome = |stream: &mut TcpStream, head: Bytes, codec: &dyn Codec, out: &mut Outbox| {
        let first = [head, out.take_all()].concat();
        if manners != Manners::Broadcast {
            return stream.write_all(&first);
        }
        let twin = encoder(stream, codec);
        let mine = (number, stream.try_clone()?, twin);
        // Who has the answer gets what is published from then on.
        let mut others = others.lock().unwrap();
        stream.write_all(&first)?;
        others.push(mine);
        Ok(())
    };
    if !out.is_empty()
        && let Some(head) = head.take()
    {
        // A HELLO, which does not wait for the client's.
        welcome(&mut stream, head, &*codec, &mut out)?;
    }
    loop {
        while let Ok(Some(event)) = codec.receive(&mut input, &mut out) {
            match event {
                Event::Opened => {
                    if let Some(head) = head.take() {
                        welcome(&mut stream, head, &*codec, &mut out)?;
                    }
                }
                Event::Message(message) => {
                    answer(
                        &mut stream,
                        &mut *codec,
                        &mut out,
                        message,
                        number,
                        manners,
                        others,
                    )?;
                }
                Event::Close(close) => {
                    let _ = codec.send(Outgoing::Close(close), &mut out);
                }
                _ => {}
            }
        }
        stream.write_all(&out.take_all())?;
        match stream.read(&mut buffer)? {
            0 => return Ok(()),
            count => input.extend_from_slice(&buffer[..count]),
        }
    }
}

/// The answer's head, and what speaks behind it.
fn opening(
    stream: &mut TcpStream,
    input: &mut BytesMut,
    manners: Manners,
) -> std::io::Result<Option<(Bytes, Box<dyn Codec>)>> {
    let mut buffer = vec![0; 4096];
    let (request, head) = loop {
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            count => input.extend_from_slice(&buffer[..count]),
        }
        if let Some(whole) = parts(input).unwrap() {
            break whole;
        }
    };
    drop(input.split_to(head));
    if manners == Manners::Refuses {
        stream.write_all(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")?;
        return Ok(None);
    }
    let draft = detect(&request, Detection::default()).unwrap();
    let host = request.headers["host"].to_str().unwrap().to_owned();
    let terms = Terms {
        subprotocol: None,
        public_url: &format!("ws://{host}{}", request.uri),
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let spoken: Vec<_> = draftgate_drafts::spoken().collect();
    let accepted = accept_any_of(&spoken, draft, &request, &terms, &mut RandomKeys).unwrap();
    Ok(Some((accepted.head.to_bytes(), accepted.codec)))
}

/// Another codec of the same draft, for what other threads say on this
/// connection. A server's frames have no state.
fn encoder(stream: &TcpStream, codec: &dyn Codec) -> Option<Box<dyn Codec>> {
    let draft = codec.draft();
    let target = stream.local_addr().unwrap().to_string();
    let ask = draftgate_drafts::opening::Ask {
        secure: false,
        host: &target,
        resource: "/",
        origin: Some("http://localhost"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let offered = draftgate_drafts::offer(draft, &ask, &mut RandomKeys).unwrap();
    let (request, head) = parts(&offered.request).unwrap().unwrap();
    let terms = Terms {
        subprotocol: None,
        public_url: &format!("ws://{target}/"),
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extension: None,
    };
    let spoken: Vec<_> = draftgate_drafts::spoken().collect();
    let accepted = accept_any_of(&spoken, draft, &request, &terms, &mut RandomKeys).unwrap();
    Some(loopback::connect(offered, head, accepted).unwrap().server)
}

fn answer(
    stream: &mut TcpStream,
    codec: &mut dyn Codec,
    out: &mut Outbox,
    message: Message,
    number: usize,
    manners: Manners,
    others: &Others,
) -> std::io::Result<()> {
    let mut say = |what: Outgoing| codec.send(what, out).unwrap();
    match manners {
        Manners::Altered => {
            let mut octets = message.payload().to_vec();
            if let Some(last) = octets.last_mut() {
                *last = b'!';
            }
            say(Outgoing::Message(String::from_utf8(octets).unwrap().into()));
        }
        Manners::Doubled => {
            say(Outgoing::Message(message.clone()));
            say(Outgoing::Message(message));
        }
        Manners::Pings => {
            let able: Capabilities = acceptor(codec.draft())
                .unwrap()
                .capabilities(LengthFrames::default());
            if able.ping {
                codec
                    .send(Outgoing::Ping(Bytes::from_static(b"?")), out)
                    .unwrap();
            }
            codec.send(Outgoing::Message(message), out).unwrap();
        }
        Manners::Dribbles => {
            say(Outgoing::Message(message));
            for octet in out.take_all() {
                stream.write_all(&[octet])?;
            }
        }
        Manners::Fragments => {
            let (begin, end) = message.payload().split_at(message.len() / 2);
            let frame = |first: u8, part: &[u8]| [&[first, part.len() as u8], part].concat();
            stream.write_all(&[frame(0x01, begin), frame(0x80, end)].concat())?;
        }
        Manners::Broadcast => {
            for (other, stream, codec) in &mut *others.lock().unwrap() {
                let mut out = Outbox::new();
                if let Some(codec) = codec.as_mut().filter(|_| *other != number) {
                    codec
                        .send(Outgoing::Message(message.clone()), &mut out)
                        .unwrap();
                    // Some have left.
                    let _ = stream.write_all(&out.take_all());
                }
            }
        }
        Manners::Silent => {}
        Manners::Ends => stream.shutdown(Shutdown::Both)?,
        Manners::Closes => say(Outgoing::Close(None)),
        _ => say(Outgoing::Message(message)),
    }
    Ok(())
}
