//! How many threads move octets.
//!
//! One needs no locks that are ever waited for and no stealing of tasks, so
//! its messages are the cheapest; more serve more peers. The kind of runtime
//! that follows is the program's business.

use toml::de::DeValue;

use super::{
    reader::{Table, Value, Wrong},
    shown::Shown,
};

/// More would not be meant.
const MOST: u32 = 1024;

/// One for each core, or so many.
struct Threads(Option<u32>);

/// The key `threads`.
pub(super) fn read(top: &mut Table<'_>) -> Option<u32> {
    let mut threads = None;
    top.set_as::<Threads, _>("threads", &mut threads);
    threads
}

impl From<Option<u32>> for Threads {
    fn from(held: Option<u32>) -> Self {
        Self(held)
    }
}

impl From<Threads> for Option<u32> {
    fn from(written: Threads) -> Self {
        written.0
    }
}

impl Value for Threads {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        match value {
            DeValue::String(word) if word == "cores" => Ok(Self(None)),
            DeValue::Integer(_) => match u32::read(value) {
                Ok(count @ ..=MOST) => Ok(Self(Some(count))),
                _ => Err(Wrong::new(format!("must be from 1 to {MOST}"))),
            },
            _ => Err(Wrong::must_be("a whole number or \"cores\"", value)),
        }
    }

    fn show(&self) -> Shown {
        match self.0 {
            None => Shown::text("cores"),
            Some(count) => count.show(),
        }
    }
}
