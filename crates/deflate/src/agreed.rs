//! What both sides agreed on, whichever side we are.

use draftgate_core::Codec;
use draftgate_wire::{Agreed, Extension, Unpack};

use crate::{
    deflater::Deflater,
    extension::{Compression, Unit},
    inflater::Inflater,
    name::Name,
    settings::{LARGEST, Settings},
    stream::Carrier,
};

/// One direction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// The compressor's window, as the logarithm to base 2.
    pub(crate) window: u8,
    /// Whether it refers to earlier messages.
    pub(crate) takeover: bool,
}

impl Way {
    /// Where nothing is said.
    pub(crate) const FREE: Self = Self {
        window: LARGEST,
        takeover: true,
    };
}

/// An agreement.
#[derive(Debug)]
pub(crate) struct Agreement {
    pub(crate) name: Name,
    pub(crate) field: String,
    pub(crate) ours: Way,
    pub(crate) theirs: Way,
    pub(crate) settings: Settings,
}

impl Agreement {
    fn deflater(&self) -> Deflater {
        let Settings { level, least, .. } = self.settings;
        Deflater::new(level, self.ours.window, least, self.ours.takeover)
    }

    fn inflater(&self) -> Inflater {
        Inflater::new(self.theirs.window, self.theirs.takeover)
    }
}

impl Agreed for Agreement {
    fn name(&self) -> &'static str {
        self.name.token()
    }

    fn field(&self) -> String {
        self.field.clone()
    }

    fn extension(&self) -> Option<Box<dyn Extension>> {
        let unit = match self.name {
            Name::PerMessage => Unit::Message,
            Name::Frame | Name::WebKitFrame => Unit::Frame,
            Name::Stream => return None,
        };
        Some(Box::new(Compression {
            unit,
            inflater: self.inflater(),
            deflater: self.deflater(),
            compressed: false,
        }))
    }

    fn unpacker(&self) -> Option<Box<dyn Unpack>> {
        match self.name {
            Name::Stream => Some(Box::new(self.inflater())),
            _ => None,
        }
    }

    fn carry(&self, codec: Box<dyn Codec>) -> Box<dyn Codec> {
        match self.name {
            Name::Stream => Box::new(Carrier::new(codec, self.settings.level)),
            _ => codec,
        }
    }
}
