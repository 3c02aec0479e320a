//! `deflate-stream`: all that either side sends after the heads is one raw
//! DEFLATE stream, flushed after each write; the frames, masks and all, lie in it.

use bytes::BytesMut;
use draftgate_core::{
    Capabilities, Close, Codec, Draft, Event, Outbox, Outgoing, SendError, State, Violation,
    WireClass,
};
use flate2::{Compress, Compression};

use crate::{deflater::flushed, inflater::Inflater, settings::LARGEST};

/// A codec over such a stream.
#[derive(Debug)]
pub(crate) struct Carrier {
    codec: Box<dyn Codec>,
    inflater: Inflater,
    deflate: Box<Compress>,
    /// Inflated, and not taken by the codec yet: a chunk, and the front of a
    /// frame before it.
    plain: BytesMut,
}

impl Carrier {
    pub(crate) fn new(codec: Box<dyn Codec>, level: u8) -> Self {
        let level = Compression::new(level.clamp(1, 9).into());
        Self {
            codec,
            inflater: Inflater::new(LARGEST, true),
            deflate: Box::new(Compress::new_with_window_bits(level, false, LARGEST)),
            plain: BytesMut::new(),
        }
    }

    /// Puts what the codec wrote into the stream.
    fn pack(&mut self, mut written: Outbox, out: &mut Outbox) {
        if written.is_empty() {
            return;
        }
        // A stream that writes to memory does not fail.
        if let Some(octets) = flushed(&mut self.deflate, &written.take_all()) {
            out.put_shared(&octets.into());
        }
    }
}

impl Codec for Carrier {
    fn draft(&self) -> Draft {
        self.codec.draft()
    }

    fn capabilities(&self) -> Capabilities {
        self.codec.capabilities()
    }

    fn wire_class(&self) -> Option<WireClass> {
        None
    }

    fn connection_mask(&self) -> Option<[u8; 20]> {
        self.codec.connection_mask()
    }

    fn state(&self) -> State {
        self.codec.state()
    }

    fn is_within_message(&self) -> bool {
        self.codec.is_within_message()
    }

    fn detach(&mut self) {
        self.codec.detach();
    }

    fn start(&mut self, out: &mut Outbox) {
        let mut written = Outbox::new();
        self.codec.start(&mut written);
        self.pack(written, out);
    }

    fn receive(
        &mut self,
        input: &mut BytesMut,
        out: &mut Outbox,
    ) -> Result<Option<Event>, Violation> {
        let mut written = Outbox::new();
        let received = loop {
            match self.codec.receive(&mut self.plain, &mut written) {
                Ok(None) => {}
                received => break received,
            }
            match self.inflater.decode(input, false) {
                Ok(Some(chunk)) if self.plain.is_empty() => self.plain = chunk,
                Ok(Some(chunk)) => self.plain.extend_from_slice(&chunk),
                Ok(None) => break Ok(None),
                Err(violation) => break Err(violation),
            }
        };
        self.pack(written, out);
        received
    }

    fn send(&mut self, what: Outgoing, out: &mut Outbox) -> Result<(), SendError> {
        let mut written = Outbox::new();
        self.codec.send(what, &mut written)?;
        self.pack(written, out);
        Ok(())
    }

    fn fail(&mut self, violation: &Violation, out: &mut Outbox) {
        let mut written = Outbox::new();
        self.codec.fail(violation, &mut written);
        self.pack(written, out);
    }

    fn end(&mut self) -> Option<Close> {
        self.codec.end()
    }
}
