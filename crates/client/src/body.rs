//! The beginning of the body of an answer that is no tunnel and no 101: it says
//! why. It is read for whoever passes it on, and shown to whoever reads errors.
//!
//! An HTTP client would do this too, but it would have to be given a socket in
//! the middle of an answer, of which the draft's own code has read the head.

use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use draftgate_drafts::opening::Answer;
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    time::{Instant, timeout_at},
};

/// As much of a body is kept: a page that says why is shorter.
pub(crate) const BODY_KEPT: usize = 64 << 10;

/// As much of a body is shown.
pub(crate) const BODY_SHOWN: usize = 4 << 10;

/// How long a body may be silent: it was sent together with its head.
pub(crate) const BODY_SILENCE: Duration = Duration::from_secs(1);

/// How long a body may take altogether.
pub(crate) const BODY_WAIT: Duration = Duration::from_secs(5);

/// What was read of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) octets: Bytes,
    /// Whether this is all of it.
    pub(crate) whole: bool,
}

impl Body {
    /// Reads the body of `answer`, to its end or as much as is kept; `begun` is
    /// what came of it together with the head.
    pub(crate) async fn read(
        answer: &Answer,
        begun: BytesMut,
        stream: &mut (impl AsyncRead + Unpin),
    ) -> Self {
        let mut reading = Reading::new(answer);
        let mut input = begun;
        let mut chunk = [0; 4 << 10];
        let until = Instant::now() + BODY_WAIT;
        loop {
            let state = reading.take(&mut input);
            if state != State::More {
                return reading.body(state == State::Whole);
            }
            let silent = (Instant::now() + BODY_SILENCE).min(until);
            match timeout_at(silent, stream.read(&mut chunk)).await {
                Ok(Ok(0)) => {
                    let whole = reading.end == End::OfStream;
                    return reading.body(whole);
                }
                Ok(Ok(count)) => input.extend_from_slice(&chunk[..count]),
                _ => return reading.body(false),
            }
        }
    }

    /// The beginning of it as text, without anything that would steer a terminal.
    pub(crate) fn shown(&self) -> String {
        let octets = &self.octets[..self.octets.len().min(BODY_SHOWN)];
        printable(String::from_utf8_lossy(octets).trim_end())
    }
}

/// Where a body ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// After so many more octets.
    After(u64),
    /// With the connection.
    OfStream,
    /// After the last chunk (RFC 9112 §7.1).
    Chunks(Chunk),
    /// Nobody knows: in an encoding that is not spoken.
    Unknown,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Chunk {
    /// Its size is to come.
    Size,
    /// So many of its octets are to come.
    Data(u64),
    /// The end of its line is to come.
    DataEnd,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    More,
    Whole,
    /// Enough was read, or it cannot be read.
    Cut,
}

#[derive(Debug)]
struct Reading {
    end: End,
    octets: BytesMut,
}

impl Reading {
    fn new(answer: &Answer) -> Self {
        let text = |name| {
            let value = answer.named(name).next();
            value.map(|(_, value)| String::from_utf8_lossy(value).trim().to_owned())
        };
        let end = match (text("transfer-encoding"), text("content-length")) {
            _ if matches!(answer.status, 100..200 | 204 | 304) => End::After(0),
            (Some(encoding), _) if encoding.eq_ignore_ascii_case("chunked") => {
                End::Chunks(Chunk::Size)
            }
            (Some(_), _) => End::Unknown,
            (None, Some(length)) => length.parse().map_or(End::Unknown, End::After),
            (None, None) => End::OfStream,
        };
        Self {
            end,
            octets: BytesMut::new(),
        }
    }

    /// Takes what there is of the body from the front of `input`.
    fn take(&mut self, input: &mut BytesMut) -> State {
        loop {
            match self.end {
                End::After(0) => return State::Whole,
                End::Unknown => return State::Cut,
                _ if self.octets.len() == BODY_KEPT => return State::Cut,
                End::After(left) => {
                    let taken = self.keep(input, left);
                    self.end = End::After(left - taken);
                    if taken == 0 {
                        return State::More;
                    }
                }
                End::OfStream => {
                    if self.keep(input, u64::MAX) == 0 {
                        return State::More;
                    }
                }
                End::Chunks(chunk) => match self.chunk(chunk, input) {
                    Ok(next) => self.end = End::Chunks(next),
                    Err(state) => return state,
                },
            }
        }
    }

    /// The next state of chunks, or why there is none now.
    fn chunk(&mut self, chunk: Chunk, input: &mut BytesMut) -> Result<Chunk, State> {
        match chunk {
            // An extension may stand behind the size; longer than what is read
            // at once it is nonsense.
            Chunk::Size => match httparse::parse_chunk_size(input) {
                Ok(httparse::Status::Complete((_, 0))) => Err(State::Whole),
                Ok(httparse::Status::Complete((length, size))) => {
                    input.advance(length);
                    Ok(Chunk::Data(size))
                }
                Ok(httparse::Status::Partial) if input.len() < 4 << 10 => Err(State::More),
                Ok(httparse::Status::Partial) | Err(_) => Err(State::Cut),
            },
            Chunk::Data(0) => Ok(Chunk::DataEnd),
            Chunk::Data(left) => match self.keep(input, left) {
                0 => Err(State::More),
                taken => Ok(Chunk::Data(left - taken)),
            },
            Chunk::DataEnd if input.len() < 2 => Err(State::More),
            Chunk::DataEnd if input.starts_with(b"\r\n") => {
                input.advance(2);
                Ok(Chunk::Size)
            }
            Chunk::DataEnd => Err(State::Cut),
        }
    }

    /// Moves at most `most` octets, and no more than are kept.
    fn keep(&mut self, input: &mut BytesMut, most: u64) -> u64 {
        let room = BODY_KEPT - self.octets.len();
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        let count = input.len().min(room).min(most);
        self.octets.extend_from_slice(&input.split_to(count));
        count as u64
    }

    fn body(self, whole: bool) -> Body {
        Body {
            octets: self.octets.freeze(),
            whole,
        }
    }
}

/// Without anything that would steer a terminal.
fn printable(text: &str) -> String {
    let shown = |c: char| c == '\n' || !c.is_control();
    text.chars().filter(|c| shown(*c)).collect()
}

#[cfg(test)]
mod tests {
    use draftgate_testkit::io::scripted;

    use super::*;

    #[test]
    fn a_body_cannot_steer_the_terminal() {
        assert_eq!(printable("a\x1b[2J\r\nb\u{9b}c"), "a[2J\nbc");
    }

    /// The body of an answer with these `fields` whose octets are `octets` and
    /// then the end of the connection, cut at `cut`.
    async fn body(fields: &str, octets: &[u8], cut: usize) -> Body {
        let head = format!("HTTP/1.1 403 No\r\n{fields}\r\n");
        let answer = Answer::read(&mut BytesMut::from(head.as_bytes()));
        let (mut io, probe) = scripted();
        let (begun, rest) = octets.split_at(cut);
        probe.feed(rest);
        probe.end();
        Body::read(&answer.unwrap().unwrap(), begun.into(), &mut io).await
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_ends_where_its_answer_says() {
        let chunks = b"3;x=y\r\nnot\r\n5\r\n here\r\n0\r\nTrailer: x\r\n\r\n";
        for (fields, octets, wanted, whole) in [
            (
                "Content-Length: 8\r\n",
                &b"not here and more"[..],
                "not here",
                true,
            ),
            ("Content-Length: 99\r\n", b"not here", "not here", false),
            ("Content-Length: x\r\n", b"not here", "", false),
            ("Content-Length: 0\r\n", b"", "", true),
            ("", b"not here", "not here", true),
            ("Transfer-Encoding: chunked\r\n", chunks, "not here", true),
            (
                "Transfer-Encoding: Chunked\r\nContent-Length: 2\r\n",
                chunks,
                "not here",
                true,
            ),
            (
                "Transfer-Encoding: chunked\r\n",
                &chunks[..17],
                "not h",
                false,
            ),
            (
                "Transfer-Encoding: chunked\r\n",
                b"3\r\nnotX\r\n",
                "not",
                false,
            ),
            (
                "Transfer-Encoding: chunked\r\n",
                b"zz\r\nnot\r\n",
                "",
                false,
            ),
            (
                "Transfer-Encoding: chunked\r\n",
                b"ffffffffffffffff\r\nnot",
                "not",
                false,
            ),
            (
                "Transfer-Encoding: gzip, chunked\r\n",
                b"3\r\nnot\r\n",
                "",
                false,
            ),
        ] {
            for cut in 0..=octets.len() {
                let body = body(fields, octets, cut).await;
                let wanted = Body {
                    octets: wanted.into(),
                    whole,
                };
                assert_eq!(body, wanted, "{fields} cut at {cut}");
            }
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_long_body_no_more_is_kept_than_64_kib() {
        let octets = vec![b'x'; 1 << 20];
        let chunked = [&b"100000\r\n"[..], &octets].concat();
        for (fields, octets) in [
            ("", &octets),
            ("Content-Length: 1048576\r\n", &octets),
            ("Transfer-Encoding: chunked\r\n", &chunked),
        ] {
            let body = body(fields, octets, 9).await;
            assert_eq!((body.octets.len(), body.whole), (BODY_KEPT, false));
            assert_eq!(body.shown().len(), BODY_SHOWN);
        }
    }
}
