//! A server that opens every connection and leaves it at the first frame: not
//! one exchange with a message may pass against it, wherever the message
//! stands. What a runner did not come to send is owed all the same.

use bytes::BytesMut;
use draftgate_core::{Event, Outbox};
use draftgate_drafts::{acceptor, opening::parts, recorded};
use draftgate_replay::{
    Outcome,
    net::{Playing, replay},
};
use draftgate_vectors::{Ends, Service, Vector, load_dir};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{PLAYING, archived, target};

/// Opens the connection, and leaves with whatever comes then.
async fn leave(mut stream: TcpStream) -> Option<()> {
    let mut input = BytesMut::new();
    let (answered, head) = loop {
        stream.read_buf(&mut input).await.ok().filter(|n| *n > 0)?;
        if let Some((parts, head)) = parts(&input).ok()? {
            break (recorded::answer(&parts).ok()?, head);
        }
    };
    let (_, mut accepted) = answered;
    let mut rest = input.split_off(head);
    let mut out = Outbox::new();
    stream.write_all(&accepted.head.to_bytes()).await.ok()?;
    accepted.codec.start(&mut out);
    // With key3, where the draft has one, it is open.
    while accepted.codec.receive(&mut rest, &mut out).ok()? != Some(Event::Opened) {
        let came = stream.read_buf(&mut rest).await.ok()?;
        if came == 0 {
            return None;
        }
    }
    stream.write_all(&out.take_all()).await.ok()?;
    if rest.is_empty() {
        stream.read_buf(&mut rest).await.ok()?;
    }
    Some(())
}

fn says_something(vector: &Vector) -> bool {
    let stated = vector.expectation(draftgate_core::Role::Server).stated();
    stated.is_some_and(|stated| {
        let message = |event: &Event| matches!(event, Event::Message(_));
        let in_order = matches!(stated.ends, Ends::Open | Ends::Closed);
        in_order && stated.events.iter().any(message)
    })
}

#[tokio::test]
async fn a_server_that_leaves_early_passes_nothing() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(leave(stream));
        }
    });
    let target = target(address);
    let playing = Playing {
        echo: true,
        ..PLAYING
    };
    let mut failed = 0;
    for vector in load_dir(archived("")).unwrap() {
        let echo = vector.about.service == Some(Service::Echo);
        if !echo || !says_something(&vector) || acceptor(vector.about.draft).is_err() {
            continue;
        }
        match replay(&vector, &target, &playing).await {
            Outcome::Mismatch(_) => failed += 1,
            Outcome::Skipped(_) => {}
            other => panic!("{}: {other:?}", vector.name),
        }
    }
    assert!(failed >= 100, "{failed}");
}
