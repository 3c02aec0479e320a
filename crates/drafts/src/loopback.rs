//! Both ends of a connection in one place, without a network: for whoever writes
//! or reads frames and has nobody to speak with.

use bytes::{Bytes, BytesMut};
use draftgate_core::{Codec, Event, Outbox};
use draftgate_wire::opening::{Accepted, Connected, Offer, Refusal, RefusalKind};

/// A connection that is open, and what both sides said for it.
#[derive(Debug)]
pub struct Loopback {
    /// What the client said: its request, key3 behind it, or a HELLO.
    pub request: Bytes,
    /// What the server said: its answer, and the proof behind it.
    pub answer: Bytes,
    /// The client's end.
    pub client: Box<dyn Codec>,
    /// The subprotocol that the client found chosen.
    pub subprotocol: Option<String>,
    /// The server's end.
    pub server: Box<dyn Codec>,
}

/// Opens the connection that `offer` asks for in its first `head` octets, and that
/// was `accepted`.
///
/// # Errors
/// The client does not take the answer, or one end does not take the proof of the
/// other: they are of two drafts.
pub fn connect(offer: Offer, head: usize, accepted: Accepted) -> Result<Loopback, Refusal> {
    let Offer {
        request,
        mut pending,
    } = offer;
    let mut server = accepted.codec;
    let mut out = Outbox::new();
    out.put(&accepted.head.to_bytes());
    server.start(&mut out);
    let mut to_server = BytesMut::from(request.get(head..).unwrap_or_default());
    let _ = hear(&mut *server, &mut to_server, &mut out)?;
    let answer = out.take_all();
    let mut to_client = BytesMut::from(&answer[..]);
    let connected = pending.answer(&mut to_client)?;
    let Connected {
        subprotocol,
        codec: mut client,
        ..
    } = connected.ok_or(RefusalKind::AnswerMalformed)?;
    client.start(&mut out);
    let opened = hear(&mut *client, &mut to_client, &mut out)?;
    let said = out.take_all();
    to_server.extend_from_slice(&said);
    let _ = hear(&mut *server, &mut to_server, &mut out)?;
    if !opened {
        return Err(RefusalKind::AnswerMalformed.into());
    }
    Ok(Loopback {
        request: [request, said].concat().into(),
        answer,
        client,
        subprotocol,
        server,
    })
}

/// Whether `end` opens by what it hears.
fn hear(end: &mut dyn Codec, input: &mut BytesMut, out: &mut Outbox) -> Result<bool, Refusal> {
    let refused = |rule: String| Refusal::with(RefusalKind::AnswerMalformed, rule);
    let event = end.receive(input, out);
    let event = event.map_err(|violation| refused(violation.rule.to_string()))?;
    Ok(event == Some(Event::Opened))
}
