//! Standard input in pieces that are no lines: each is a message, octet for
//! octet. By default a piece is what one read brings, so that whatever writes
//! to us is heard at once; who needs the same messages each time names a size.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// The most that one read brings.
const READ: usize = 64 << 10;

/// The most octets that a character begins with and does not end in.
const BEGUN: usize = 3;

/// How long pieces are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Chunk {
    /// So many octets; the last may have fewer.
    Of(usize),
    /// All there is.
    All,
}

/// Cuts `input` into pieces.
#[derive(Debug)]
pub(crate) struct Chunks<I> {
    input: I,
    /// `None`: as they are read.
    size: Option<Chunk>,
    /// Whether no piece ends within a character of UTF-8.
    text: bool,
    held: BytesMut,
    ended: bool,
}

impl<I: AsyncRead + Unpin> Chunks<I> {
    pub(crate) fn new(input: I, size: Option<Chunk>, text: bool) -> Self {
        Self {
            input,
            size,
            text,
            held: BytesMut::new(),
            ended: false,
        }
    }

    /// The next piece, which is not empty.
    ///
    /// # Errors
    /// The input cannot be read.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            if let Some(size) = self.whole() {
                return Ok(Some(self.held.split_to(size).freeze()));
            }
            if self.ended {
                return Ok(None);
            }
            self.held.reserve(READ);
            let room = (&mut self.input).take(READ as u64);
            self.ended = { room }.read_buf(&mut self.held).await? == 0;
        }
    }

    /// How long the piece at the front is, if it is there.
    fn whole(&self) -> Option<usize> {
        let there = self.held.len();
        let size = match self.size {
            None => there,
            Some(Chunk::Of(size)) if there >= size => size,
            Some(_) if self.ended => there,
            Some(_) => return None,
        };
        let size = match self.text {
            true if size < there || !self.ended => self.between_characters(size),
            _ => size,
        };
        (size > 0).then_some(size)
    }

    /// `size`, or as much less as is needed not to cut a character; the length
    /// of the first one if that is longer, 0 while it is not all there.
    fn between_characters(&self, size: usize) -> usize {
        let from = size.saturating_sub(BEGUN);
        let starts = |octet: &u8| octet & 0xc0 != 0x80;
        let Some(begin) = self.held[from..size].iter().rposition(starts) else {
            return size;
        };
        let at = from + begin;
        let length = match self.held[at] {
            0xc0..=0xdf => 2,
            0xe0..=0xef => 3,
            0xf0..=0xf7 => 4,
            // What is no UTF-8 is for whoever reads it to say.
            _ => 1,
        };
        match at {
            _ if at + length <= size => size,
            0 if length <= self.held.len() => length,
            0 if self.ended => self.held.len(),
            at => at,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The pieces of `reads`, each of which one read brings.
    async fn pieces(reads: &[&[u8]], size: Option<Chunk>, text: bool) -> Vec<Vec<u8>> {
        let (ours, mut theirs) = tokio::io::duplex(1 << 20);
        let mut chunks = Chunks::new(ours, size, text);
        let mut seen = Vec::new();
        for read in reads {
            tokio::io::AsyncWriteExt::write_all(&mut theirs, read)
                .await
                .unwrap();
            // What is a whole piece by now is given out before more is written.
            while let Ok(piece) =
                tokio::time::timeout(std::time::Duration::ZERO, chunks.next()).await
            {
                seen.push(piece.unwrap().unwrap().to_vec());
            }
        }
        drop(theirs);
        while let Some(piece) = chunks.next().await.unwrap() {
            seen.push(piece.to_vec());
        }
        seen
    }

    #[tokio::test]
    async fn by_default_what_one_read_brings_is_a_piece() {
        let seen = pieces(&[b"one\r\n", b"\0two"], None, false).await;
        assert_eq!(seen, [&b"one\r\n"[..], b"\0two"]);
    }

    #[tokio::test]
    async fn pieces_have_their_size_whatever_reads_bring() {
        let seen = pieces(&[b"abc", b"d", b"efg"], Some(Chunk::Of(2)), false).await;
        assert_eq!(seen, [&b"ab"[..], b"cd", b"ef", b"g"]);
        let seen = pieces(&[b"abc", b"d"], Some(Chunk::All), false).await;
        assert_eq!(seen, [b"abcd"]);
        assert_eq!(pieces(&[], Some(Chunk::All), false).await, [[0; 0]; 0]);
    }

    #[tokio::test]
    async fn text_is_cut_between_characters() {
        let text = "aä€😀b".as_bytes();
        for size in [
            None,
            Some(Chunk::Of(1)),
            Some(Chunk::Of(3)),
            Some(Chunk::All),
        ] {
            for cut in 0..=text.len() {
                let (one, two) = text.split_at(cut);
                let seen = pieces(&[one, two], size, true).await;
                assert_eq!(seen.concat(), text);
                for piece in &seen {
                    assert!(
                        std::str::from_utf8(piece).is_ok(),
                        "{size:?}, {cut}: {seen:?}"
                    );
                }
            }
        }
        let seen = pieces(&["a€b".as_bytes()], Some(Chunk::Of(2)), true).await;
        assert_eq!(seen, ["a".as_bytes(), "€".as_bytes(), b"b"]);
    }

    #[tokio::test]
    async fn what_is_no_text_is_not_held_back_for_ever() {
        let seen = pieces(&[b"\xff\xfe\x80\x80\x80\x80", b"\xe2"], None, true).await;
        assert_eq!(seen.concat(), b"\xff\xfe\x80\x80\x80\x80\xe2");
    }
}
