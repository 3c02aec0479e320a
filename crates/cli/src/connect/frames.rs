//! `--show-frames`: what goes over the wire behind the opening, dissected while
//! it goes, and laid out as `draftgate explain` lays out a recording. It sees
//! octets and not events, so what our codec refuses is shown as well.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll},
};

use anstream::{AutoStream, ColorChoice};
use bytes::Bytes;
use draftgate_client::Connection;
use draftgate_core::{Draft, Role};
use draftgate_drafts::{
    acceptor, compression,
    dissect::{Live, Unit, frames_of, stream},
};
use draftgate_explain::{Look, unit};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::screen::Screen;
use crate::terminal;

/// Columns where there is no terminal.
const WIDTH: usize = 80;

/// A stream whose octets are shown, if they are to be.
#[derive(Debug)]
pub(crate) struct Tapped<S> {
    io: S,
    frames: Option<Frames>,
}

impl<S> Tapped<S> {
    pub(crate) fn new(io: S, frames: Option<Frames>) -> Self {
        Self { io, frames }
    }

    fn said(&mut self, from: Role, octets: &[u8]) {
        if let Some(frames) = &mut self.frames {
            frames.said(from, octets);
        }
    }
}

/// The frames of both sides, shown when they are whole; what is left of one
/// when the connection is over.
pub(crate) struct Frames {
    /// What the client sends in front of all frames (hello-00), until it is whole.
    hello: Option<Hello>,
    client: Live,
    server: Live,
    look: Look,
    screen: Screen,
    begun: bool,
}

/// The beginning of a HELLO.
struct Hello {
    draft: Draft,
    size: usize,
    octets: Vec<u8>,
}

impl std::fmt::Debug for Frames {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Frames").finish_non_exhaustive()
    }
}

impl Frames {
    /// Frames of `connection`, which `follow` what was shown before or do not; `None`
    /// if nothing is known of the draft's frames.
    pub(crate) fn new(connection: &Connection, screen: Screen, follow: bool) -> Option<Self> {
        let agreed = compression::recorded(&connection.request, &connection.head);
        let draft = connection.codec.draft();
        let hello = acceptor(draft).map_or(0, |acceptor| acceptor.octets_of_hello()[0]);
        let side = |from| {
            let frames = frames_of(&*connection.codec, from, Bytes::new()).ok()?;
            let frames = match from {
                Role::Client => frames.starting_at(hello as u64),
                Role::Server => frames,
            };
            Some(Live::new(
                frames,
                agreed.as_ref().map(|it| it.reading(from)),
            ))
        };
        Some(Self {
            hello: (hello > 0).then(|| Hello {
                draft,
                size: hello,
                octets: Vec::new(),
            }),
            client: side(Role::Client)?,
            server: side(Role::Server)?,
            look: Look {
                width: terminal::width_of_stderr().unwrap_or(WIDTH),
                colour: AutoStream::choice(&io::stderr()) != ColorChoice::Never,
            },
            screen,
            begun: follow,
        })
    }

    /// `from` said `octets`.
    pub(crate) fn said(&mut self, from: Role, octets: &[u8]) {
        let octets = match from {
            Role::Client => self.behind_hello(octets),
            Role::Server => octets,
        };
        let side = match from {
            Role::Client => &mut self.client,
            Role::Server => &mut self.server,
        };
        side.feed(octets);
        let mut whole = Vec::new();
        while let Some(unit) = side.next_whole() {
            whole.push(unit);
            // Many small frames are not kept until all of them are read.
            if whole.len() == 64 {
                show(&self.screen, &self.look, &mut self.begun, whole.drain(..));
            }
        }
        show(&self.screen, &self.look, &mut self.begun, whole);
    }

    /// What follows the client's HELLO, which is shown when it is whole.
    fn behind_hello<'o>(&mut self, octets: &'o [u8]) -> &'o [u8] {
        let Some(hello) = &mut self.hello else {
            return octets;
        };
        let lacking = hello.size - hello.octets.len();
        let (own, behind) = octets.split_at(octets.len().min(lacking));
        hello.octets.extend_from_slice(own);
        if own.len() == lacking
            && let Some(Hello { draft, octets, .. }) = self.hello.take()
        {
            let whole = stream(draft, Role::Client, octets);
            show(&self.screen, &self.look, &mut self.begun, whole);
        }
        behind
    }
}

impl Drop for Frames {
    fn drop(&mut self) {
        for side in [&mut self.client, &mut self.server] {
            show(&self.screen, &self.look, &mut self.begun, side);
        }
    }
}

fn show(screen: &Screen, look: &Look, begun: &mut bool, units: impl IntoIterator<Item = Unit>) {
    let mut text = String::new();
    for found in units {
        if std::mem::replace(begun, true) {
            text.push('\n');
        }
        text.push_str(&unit(&found, look));
    }
    if !text.is_empty() {
        screen.show(&text);
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tapped<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let read = Pin::new(&mut self.io).poll_read(cx, buf);
        self.said(Role::Server, &buf.filled()[before..]);
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tapped<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write(cx, buf);
        if let Poll::Ready(Ok(count)) = &written {
            self.said(Role::Client, &buf[..*count]);
        }
        written
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.io).poll_write_vectored(cx, bufs);
        if let Poll::Ready(Ok(count)) = &written {
            let mut left = *count;
            for buf in bufs {
                let said = &buf[..left.min(buf.len())];
                left -= said.len();
                self.said(Role::Client, said);
            }
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
