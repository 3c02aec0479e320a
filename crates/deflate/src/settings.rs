//! How one side compresses, where it may choose.

/// What one side wants of compression.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How hard to try, 1 (fast) to 9 (small).
    pub level: u8,
    /// Payloads shorter than this, in octets, go as they are.
    pub least: u32,
    /// The largest window, as the logarithm to base 2: 9 to 15. A compressor
    /// takes 4 * 2^bits octets and 243 KiB.
    pub window_bits: u8,
    /// Whether what was sent before may be referred to, on both sides. Messages
    /// that resemble each other become much smaller; a connection holds its
    /// compressor and its inflater as long as it lives, and no two peers are sent
    /// the same octets.
    pub takeover: bool,
    /// Whether `deflate-stream` is spoken where the draft has it.
    pub stream: bool,
}

impl Default for Settings {
    /// No memory beyond a message; the level is that of zlib.
    fn default() -> Self {
        Self {
            level: 6,
            least: 128,
            window_bits: 15,
            takeover: false,
            stream: false,
        }
    }
}

impl Settings {
    /// The window within what zlib can do.
    pub(crate) fn window(&self) -> u8 {
        self.window_bits.clamp(SMALLEST, LARGEST)
    }
}

/// The smallest window of our compressor: with 8, zlib would write another one
/// than it says, and zlib-rs refuses.
pub(crate) const SMALLEST: u8 = 9;

/// The largest window, and the one where nothing is said (RFC 7692 §7.1.2).
pub(crate) const LARGEST: u8 = 15;
