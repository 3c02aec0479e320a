//! Whether a connection is a WebSocket, which side is the client and which
//! draft it speaks: told by who opened it and by the request, and only where
//! these were not captured by what the caller knows.

use draftgate_core::{Draft, Role};
use draftgate_drafts::{Detection, detect, opening::RefusalKind};
use draftgate_record::Did;
use draftgate_vectors::GapReason;
use http::{HeaderName, HeaderValue, Request, request::Parts};

use crate::{
    Hints, Why,
    connection::{Connection, Deed},
};

/// The longest request that is looked at.
const LONGEST_HEAD: usize = 16 * 1024;
/// The most fields it may have.
const MOST_FIELDS: usize = 256;
/// What every request of a WebSocket begins with, in every draft.
const REQUEST: &[u8] = b"GET ";
/// What every answer begins with.
const ANSWER: &[u8] = b"HTTP/1.";

/// What a connection was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judgement {
    /// The half of the client.
    pub(crate) client: usize,
    pub(crate) draft: Draft,
}

/// Whether it is already certain that the connection is no WebSocket, so that
/// it need not be kept. Asked again for each segment until the request is there.
pub(crate) fn is_no_websocket(connection: &mut Connection, hints: &Hints) -> bool {
    let Some(client) = connection.opener().filter(|side| connection.begun(*side)) else {
        return false;
    };
    if connection.judged {
        return false;
    }
    if hints.ports.contains(&connection.address(1 - client).port()) {
        connection.judged = true;
        return false;
    }
    let front = connection.front(client, LONGEST_HEAD);
    if !could_begin(&front, REQUEST) {
        return true;
    }
    let websocket = match Head::of(&front) {
        Head::Wanting if front.len() < LONGEST_HEAD => return false,
        Head::Request(parts) => is_websocket(&parts),
        _ => says_upgrade(&front),
    };
    connection.judged = true;
    !websocket
}

/// What a finished connection is.
///
/// # Errors
/// [`Why`] it is left out.
pub(crate) fn judge(connection: &Connection, hints: &Hints) -> Result<Judgement, Why> {
    if connection.is_empty() {
        return Err(Why::Empty);
    }
    let fronts = [0, 1].map(|side| connection.front(side, LONGEST_HEAD));
    let named = |side: usize| hints.ports.contains(&connection.address(side).port());
    let client = connection
        .opener()
        .or_else(|| (0..2).find(|side| fronts[*side].starts_with(REQUEST)))
        .or_else(|| {
            (0..2)
                .find(|side| fronts[*side].starts_with(ANSWER))
                .map(|server| 1 - server)
        })
        .or_else(|| match [named(0), named(1)] {
            [true, false] => Some(1),
            [false, true] => Some(0),
            _ => None,
        })
        .ok_or(Why::MidStream)?;
    let expected = named(1 - client);
    let (request, answer) = (&fronts[client], &fronts[1 - client]);
    if let Head::Request(parts) = Head::of(request) {
        return match detect(&parts, Detection::LENIENT) {
            Ok(draft) => Ok(Judgement { client, draft }),
            Err(_) if !(expected || is_websocket(&parts)) => Err(Why::NotWebSocket),
            // A request that no draft takes was meant in some draft all the same.
            Err(_) => hints
                .draft
                .map(|draft| Judgement { client, draft })
                .ok_or(Why::DraftUnknown),
        };
    }
    let switched = answer.starts_with(b"HTTP/1.1 101 ");
    let partly = request.starts_with(REQUEST) && says_upgrade(request);
    match (expected || switched || partly, hints.draft) {
        (true, Some(draft)) => Ok(Judgement { client, draft }),
        (true, None) => Err(Why::DraftUnknown),
        (false, _) if request.is_empty() || could_begin(request, REQUEST) => Err(Why::MidStream),
        (false, _) if connection.begun(client) => Err(Why::NotWebSocket),
        (false, _) => Err(Why::MidStream),
    }
}

/// Whether the first octets of `side`'s stream are a head, with nothing missing
/// before but what came before the connection was captured.
pub(crate) fn begins_with_head<'a>(side: Role, deeds: impl Iterator<Item = &'a Deed>) -> bool {
    let begin = match side {
        Role::Client => REQUEST,
        Role::Server => ANSWER,
    };
    let mut own = deeds.filter(|deed| deed.from == side).map(|deed| &deed.did);
    matches!(own.next(), Some(Did::Gap(gap)) if gap.reason == GapReason::MidStream)
        && matches!(own.next(), Some(Did::Octets(octets)) if octets.starts_with(begin))
}

/// Whether `front` is `begin`, or could become it.
fn could_begin(front: &[u8], begin: &[u8]) -> bool {
    let shared = front.len().min(begin.len());
    front[..shared] == begin[..shared]
}

/// Whether a request wants a WebSocket, well or badly.
fn is_websocket(parts: &Parts) -> bool {
    !matches!(
        detect(parts, Detection::LENIENT),
        Err(refusal) if matches!(refusal.kind, RefusalKind::NotWebSocket | RefusalKind::MethodNotGet)
    )
}

/// Whether the part of a request that was captured asks for a WebSocket.
fn says_upgrade(request: &[u8]) -> bool {
    let request = request.to_ascii_lowercase();
    request
        .windows(20)
        .any(|part| part == b"\nupgrade: websocket\r" || part.starts_with(b"\nupgrade:websocket"))
}

/// What is at the front of a client's stream.
enum Head {
    Request(Box<Parts>),
    /// It goes on.
    Wanting,
    /// It is no request of HTTP.
    Other,
}

impl Head {
    fn of(front: &[u8]) -> Self {
        let mut fields = vec![httparse::EMPTY_HEADER; MOST_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(front) {
            Ok(httparse::Status::Complete(_)) => parts(&request).map_or(Self::Other, Self::Request),
            Ok(httparse::Status::Partial) => Self::Wanting,
            Err(_) => Self::Other,
        }
    }
}

fn parts(request: &httparse::Request<'_, '_>) -> Option<Box<Parts>> {
    let version = match request.version? {
        0 => http::Version::HTTP_10,
        _ => http::Version::HTTP_11,
    };
    let mut built = Request::new(());
    *built.method_mut() = request.method?.parse().ok()?;
    *built.version_mut() = version;
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).ok()?;
        built
            .headers_mut()
            .append(name, HeaderValue::from_bytes(field.value).ok()?);
    }
    Some(Box::new(built.into_parts().0))
}
