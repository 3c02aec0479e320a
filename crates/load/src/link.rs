//! One connection: its opening, then messages out of a ring and back. It knows
//! no scenario; it says what became of it when it is asked to go on.

use std::{
    io::{self, IoSlice, Read, Write},
    mem,
    sync::Arc,
};

use bytes::{Buf, Bytes, BytesMut};
use draftgate_core::{Outbox, Outgoing};
use draftgate_drafts::{
    masks_with_nonce,
    opening::{Offer, Pending},
};
use tokio::time::Instant;

use crate::{
    error::Fault,
    kit::{Kit, Run, Speech, opened},
    reader::{Reader, Tally},
    socket::Socket,
};

/// One connection.
pub(crate) struct Link {
    socket: Socket,
    kit: Arc<Kit>,
    state: State,
    /// Which ring is sent.
    sender: usize,
    /// The octet of the ring that is written next.
    at: usize,
    /// What it sends, where that is for this connection alone.
    own: Option<Arc<Run>>,
    /// Octets that are to be written from there on.
    unsent: usize,
    /// Pongs and the like: written between two messages.
    aside: BytesMut,
    /// The socket took less than it was given, and has not said that it takes more.
    full: bool,
    /// Since when it is being opened.
    pub(crate) since: Instant,
    /// Octets written and read, openings included.
    pub(crate) octets: (u64, u64),
}

enum State {
    Opening {
        request: Bytes,
        /// None where any octet is an answer.
        pending: Option<Box<dyn Pending>>,
        input: BytesMut,
    },
    Open(Reader),
}

/// What came of going on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Went {
    /// Nothing that concerns anybody.
    On,
    /// The opening is done; there may be messages behind it.
    Opened,
}

impl Link {
    /// A connection over `socket`; `offer` is the opening, none for what is
    /// open as soon as TCP is.
    pub(crate) fn new(
        socket: Socket,
        kit: Arc<Kit>,
        sender: usize,
        offer: Option<Offer>,
        since: Instant,
    ) -> Self {
        let (request, pending) = match offer {
            Some(offer) => (offer.request, Some(offer.pending)),
            None => (Bytes::new(), None),
        };
        Self {
            socket,
            kit,
            sender,
            state: State::Opening {
                request,
                pending,
                input: BytesMut::new(),
            },
            own: None,
            at: 0,
            unsent: 0,
            aside: BytesMut::new(),
            full: false,
            since,
            octets: (0, 0),
        }
    }

    /// Without frames, but not open before one octet came back.
    pub(crate) fn with_raw_request(mut self, octets: Bytes) -> Self {
        if let State::Opening { request, .. } = &mut self.state {
            *request = octets;
        }
        self
    }

    pub(crate) fn speech(&self) -> Speech {
        self.kit.speech
    }

    pub(crate) fn socket(&mut self) -> &mut Socket {
        &mut self.socket
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.state, State::Open(_))
    }

    /// Puts so many more messages in line; [`write`](Self::write) sends them.
    pub(crate) fn queue(&mut self, messages: u64) {
        self.unsent += messages as usize * self.kit.sent[self.sender].each;
    }

    /// It was said that the socket takes octets again.
    pub(crate) fn has_room(&mut self) {
        self.full = false;
    }

    /// In hybi-04 the server has a part in the mask: what was made for all is noise
    /// to it.
    fn mask_for_this_one(&mut self) {
        if self.own.is_some() || !masks_with_nonce(self.kit.speech.framing()) {
            return;
        }
        if let State::Open(reader) = &mut self.state
            && let Some(codec) = reader.codec()
            && let Ok(run) = Run::new(codec, &self.kit.rings[self.sender])
        {
            self.own = Some(Arc::new(run));
        }
    }

    /// Writes until nothing is left or the socket is full.
    ///
    /// # Errors
    /// The connection broke.
    pub(crate) fn write(&mut self) -> Result<(), Fault> {
        while !self.full {
            if self.unsent > 0 {
                self.mask_for_this_one();
            }
            let run = self.own.as_ref().unwrap_or(&self.kit.sent[self.sender]);
            let between = self.aside.is_empty() || !self.at.is_multiple_of(run.each);
            let (written, wanted) = if !between {
                (self.socket.write(&self.aside), self.aside.len())
            } else if self.unsent > 0 {
                let first = &run.octets[self.at..run.octets.len().min(self.at + self.unsent)];
                let second = (self.unsent - first.len()).min(self.at);
                let written = match second {
                    0 => self.socket.write(first),
                    _ => {
                        let both = [IoSlice::new(first), IoSlice::new(&run.octets[..second])];
                        self.socket.write_vectored(&both)
                    }
                };
                (written, first.len() + second)
            } else {
                break;
            };
            let written = match written {
                Ok(written) => written,
                Err(error) if waits(&error) => {
                    self.full = true;
                    break;
                }
                Err(error) => return Err(Fault::Broken(error)),
            };
            self.octets.0 += written as u64;
            self.full = written < wanted && self.socket.is_plain();
            if !between {
                self.aside.advance(written);
                continue;
            }
            self.unsent -= written;
            self.at += written;
            if self.at >= run.octets.len() {
                self.at -= run.octets.len();
            }
        }
        match self.socket.go_on() {
            Err(error) if !waits(&error) => Err(Fault::Broken(error)),
            _ => Ok(()),
        }
    }

    /// Goes on with the opening, if it is not done; reads only if there may be
    /// an answer.
    ///
    /// # Errors
    /// It failed.
    pub(crate) fn open(&mut self, buffer: &mut [u8], readable: bool) -> Result<Went, Fault> {
        let State::Opening {
            request,
            pending,
            input,
        } = &mut self.state
        else {
            return Ok(Went::On);
        };
        let is_raw = request.is_empty() && pending.is_none();
        if is_raw && input.is_empty() {
            // Octets of nothing succeed as soon as TCP is open.
            let peer = self.socket.tcp().peer_addr();
            if peer.is_err() {
                let taken = self.socket.tcp().take_error();
                return match taken {
                    Ok(Some(error)) | Err(error) => Err(Fault::Connect(error)),
                    Ok(None) => Ok(Went::On),
                };
            }
            self.state = State::Open(Reader::new(Arc::clone(&self.kit), None));
            return Ok(Went::Opened);
        }
        while !request.is_empty() {
            match self.socket.write(request) {
                Ok(written) => {
                    self.octets.0 += written as u64;
                    request.advance(written);
                }
                Err(error) if waits(&error) => break,
                Err(error) => return Err(Fault::Connect(error)),
            }
        }
        let speaks_tls = !self.socket.is_plain();
        if !speaks_tls && (!request.is_empty() || !readable) {
            return Ok(Went::On);
        }
        let _ = self.socket.go_on();
        loop {
            match self.socket.read(buffer) {
                Ok(0) => return Err(Fault::Ended),
                Ok(count) => {
                    self.octets.1 += count as u64;
                    input.extend_from_slice(&buffer[..count]);
                }
                Err(error) if waits(&error) => return Ok(Went::On),
                Err(error) => return Err(Fault::Connect(error)),
            }
            let Some(waiting) = pending else {
                self.state = State::Open(Reader::new(Arc::clone(&self.kit), None));
                return Ok(Went::Opened);
            };
            // It never takes more than a head of 16 KiB before it refuses.
            if let Some(connected) = waiting.answer(input).map_err(Fault::Refused)? {
                let mut codec = connected.codec;
                let mut rest = mem::take(input);
                self.aside = opened(&mut *codec, &mut rest).into();
                let mut reader = Reader::new(Arc::clone(&self.kit), Some(codec));
                let (mut tally, mut out) = (Tally::new(), Outbox::new());
                reader.take(&rest, &mut tally, &mut out)?;
                if let Some((_, count)) = tally.first() {
                    return Err(Fault::Unasked(*count));
                }
                self.aside.extend_from_slice(&out.take_all());
                self.state = State::Open(reader);
                return Ok(Went::Opened);
            }
        }
    }

    /// Reads what is there: once, or until there is nothing more if there may
    /// be. Which messages it completed is in `tally`.
    ///
    /// # Errors
    /// The connection broke, ended, or says what it should not.
    pub(crate) fn read(
        &mut self,
        buffer: &mut [u8],
        all: bool,
        tally: &mut Tally,
    ) -> Result<(), Fault> {
        let State::Open(reader) = &mut self.state else {
            return Ok(());
        };
        let mut out = Outbox::new();
        loop {
            let count = match self.socket.read(buffer) {
                Ok(0) => return Err(Fault::Ended),
                Ok(count) => count,
                Err(error) if waits(&error) => break,
                Err(error) => return Err(Fault::Broken(error)),
            };
            self.octets.1 += count as u64;
            reader.take(&buffer[..count], tally, &mut out)?;
            if count < buffer.len() && self.socket.is_plain() && !all {
                break;
            }
        }
        if !out.is_empty() {
            self.aside.extend_from_slice(&out.take_all());
        }
        Ok(())
    }

    /// Says that it is over, as far as the socket takes it.
    pub(crate) fn farewell(&mut self) {
        if self.unsent > 0 {
            return;
        }
        let State::Open(reader) = &mut self.state else {
            return;
        };
        let mut out = Outbox::new();
        if let Some(codec) = reader.codec()
            && codec.send(Outgoing::Close(None), &mut out).is_ok()
        {
            let _ = self.socket.write(&out.take_all());
            let _ = self.socket.flush();
        }
    }

    /// Messages that were not what this draft's server would send, octet by
    /// octet, and were read by its codec.
    pub(crate) fn decoded(&self) -> u64 {
        match &self.state {
            State::Open(reader) => reader.decoded,
            State::Opening { .. } => 0,
        }
    }
}

/// Whether it is a matter of time.
fn waits(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted | io::ErrorKind::NotConnected
    )
}
