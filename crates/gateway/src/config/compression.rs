//! Whether a route compresses, and what that may cost.
//!
//! Off by default: compression takes memory for each connection or time for each
//! message, and where a message holds a secret beside words of somebody else's,
//! its length tells about the secret. Who runs the route knows what it carries.

use draftgate_drafts::compression::Settings;

use super::{
    reader::{Table, Wrong},
    values::Size,
};

/// The smallest window of a compressor, and the largest.
const WINDOWS: (u32, u32) = (9, 15);

/// Reads the keys of a route; `None` where it does not compress.
pub(super) fn read(table: &mut Table<'_>) -> Option<Settings> {
    let mut on = false;
    table.set("compression", &mut on);
    let mut settings = Settings::default();
    let mut level = u32::from(settings.level);
    within(table, "compression-level", (1, 9), &mut level);
    let mut window = u32::from(settings.window_bits);
    within(table, "compression-window-bits", WINDOWS, &mut window);
    let mut least = u64::from(settings.least);
    table.set_as::<Size, _>("compression-least", &mut least);
    table.set("compression-context", &mut settings.takeover);
    table.set("compression-stream", &mut settings.stream);
    on.then_some(Settings {
        level: level as u8,
        window_bits: window as u8,
        least: least.try_into().unwrap_or(u32::MAX),
        ..settings
    })
}

fn within(table: &mut Table<'_>, key: &'static str, (low, high): (u32, u32), value: &mut u32) {
    table.set(key, value);
    if let Some(said) = table.said(key)
        && !(low..=high).contains(value)
    {
        let wrong = Wrong::new(format!("must be from {low} to {high}"));
        table.wrong_value(key, &said, wrong);
    }
}
