//! The opening handshake over a stream that is open: the request is sent, the
//! answer read and judged, within one deadline.

use std::{io, time::Duration};

use bytes::{Buf, BytesMut};
use draftgate_core::Role;
use draftgate_drafts::opening::{Answer, Connected, Offer, Pending, Refusal, RefusalKind};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use crate::{Answered, ConnectError, body::Body};

/// So many informational answers may come: what was heard is kept.
const INFORMATIONAL: usize = 8;

/// Sends the request and reads the answer. What came behind the answer belongs
/// to the codec. `seen` is shown what either side said, as a
/// [`Witness`](crate::Witness) is.
///
/// With `informed`, answers of 1xx before the one that counts are passed over
/// (RFC 9110 §15.2).
///
/// # Errors
/// The answer is not one, or does not come in time.
pub(crate) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
    offer: Offer,
    within: Duration,
    informed: bool,
    seen: impl Fn(Role, &[u8]),
) -> Result<(Connected, BytesMut), ConnectError> {
    let Offer {
        request,
        mut pending,
    } = offer;
    let host = || host.to_owned();
    let mut heard = Heard {
        may_inform: if informed { INFORMATIONAL } else { 0 },
        ..Heard::default()
    };
    let opened = async {
        stream.write_all(&request).await?;
        stream.flush().await?;
        seen(Role::Client, &request);
        heard.read(stream, pending.as_mut()).await
    };
    let outcome = timeout(within, opened).await;
    let said = heard.said(&outcome);
    if !said.is_empty() {
        seen(Role::Server, said);
    }
    let refusal = match outcome {
        Ok(Ok(Outcome::Connected(connected))) => return Ok((connected, heard.input)),
        Ok(Ok(Outcome::Refused(refusal))) => refusal,
        Ok(Ok(Outcome::Ended)) => {
            return Err(ConnectError::Ended {
                host: host(),
                octets: heard.all.len(),
            });
        }
        Ok(Err(source)) => {
            return Err(ConnectError::Broken {
                host: host(),
                source,
            });
        }
        Err(_) => {
            return Err(ConnectError::OpeningTimeout {
                host: host(),
                after: within,
                octets: heard.all.len(),
            });
        }
    };
    heard.all.advance(heard.informational);
    let answer = Answer::read(&mut heard.all).ok().flatten();
    let refused = match &answer {
        Some(answer) if refusal.kind == RefusalKind::AnswerStatus => {
            Some((answer, Body::read(answer, heard.all, stream).await))
        }
        _ => None,
    };
    Err(ConnectError::Refused {
        refusal,
        status: answer.as_ref().map(|answer| answer.status),
        versions: answer.as_ref().map(versions).unwrap_or_default(),
        body: refused
            .as_ref()
            .map_or_else(String::new, |(_, body)| body.shown()),
        answer: refused
            .filter(|(answer, _)| answer.status >= 200)
            .map(|(answer, body)| Box::new(Answered::new(answer, body))),
    })
}

/// The versions that an answer lists, in one field or several (RFC 6455 §4.4).
pub(crate) fn versions(answer: &Answer) -> Vec<u8> {
    let lists = answer.named("sec-websocket-version");
    let texts = lists.filter_map(|(_, value)| std::str::from_utf8(value).ok());
    texts
        .flat_map(|list| list.split(','))
        .filter_map(|version| version.trim().parse().ok())
        .collect()
}

enum Outcome {
    Connected(Connected),
    Refused(Refusal),
    Ended,
}

/// What the server said so far.
#[derive(Default)]
struct Heard {
    /// What the draft has not taken yet.
    input: BytesMut,
    /// Everything.
    all: BytesMut,
    /// How much of that were informational answers.
    informational: usize,
    /// How many more may come.
    may_inform: usize,
}

impl Heard {
    /// What of it is an answer; what there is if it is none.
    fn said<E>(&self, outcome: &Result<io::Result<Outcome>, E>) -> &[u8] {
        let behind = match outcome {
            Ok(Ok(Outcome::Connected(_))) => self.input.len(),
            // Its body is told with the error.
            Ok(Ok(Outcome::Refused(_))) => {
                let mut rest = self.all.clone();
                rest.advance(self.informational);
                match Answer::read(&mut rest) {
                    Ok(Some(_)) => rest.len(),
                    _ => 0,
                }
            }
            _ => 0,
        };
        &self.all[..self.all.len() - behind]
    }

    async fn read(
        &mut self,
        stream: &mut (impl AsyncRead + Unpin),
        pending: &mut dyn Pending,
    ) -> io::Result<Outcome> {
        let mut chunk = [0; 4 << 10];
        loop {
            let count = stream.read(&mut chunk).await?;
            if count == 0 {
                return Ok(Outcome::Ended);
            }
            self.input.extend_from_slice(&chunk[..count]);
            self.all.extend_from_slice(&chunk[..count]);
            while self.pass_over_informational() {}
            // It never takes more than a head of 16 KiB before it refuses.
            match pending.answer(&mut self.input) {
                Ok(Some(connected)) => return Ok(Outcome::Connected(connected)),
                Ok(None) => {}
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            }
        }
    }

    /// Takes an informational answer from the front, if there is one. 101 is
    /// none here: with it the protocol changes.
    fn pass_over_informational(&mut self) -> bool {
        let is_1xx = self.may_inform > 0
            && self.input.starts_with(b"HTTP/1.")
            && self.input.get(8..10) == Some(b" 1")
            && self.input.get(8..12) != Some(b" 101");
        if !is_1xx {
            return false;
        }
        let mut rest = self.input.clone();
        let Ok(Some(_)) = Answer::read(&mut rest) else {
            return false;
        };
        self.informational += self.input.len() - rest.len();
        self.may_inform -= 1;
        self.input = rest;
        true
    }
}

#[cfg(test)]
#[path = "opening_tests.rs"]
mod tests;
