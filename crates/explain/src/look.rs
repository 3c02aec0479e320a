//! How wide and in which colours things are printed.

use std::fmt::Display;

use anstyle::{AnsiColor, Style};
use draftgate_wire::dissect::Kind;
use unicode_width::UnicodeWidthStr;

/// The least width that things are laid out for.
const NARROWEST: usize = 24;

/// How things are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Look {
    /// Columns of a line; less than 24 is taken for 24. Some lines cannot be
    /// broken and are longer.
    pub width: usize,
    /// Whether in colours.
    pub colour: bool,
}

impl Look {
    /// Without colours.
    pub fn plain(width: usize) -> Self {
        Self {
            width,
            colour: false,
        }
    }

    pub(crate) fn columns(&self) -> usize {
        self.width.max(NARROWEST)
    }

    /// `text` in `style`, if in colours.
    pub(crate) fn paint(&self, style: Style, text: impl Display) -> String {
        if self.colour {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}

/// The colour of a kind of field.
pub fn style(kind: Kind) -> Style {
    let colour = match kind {
        Kind::FrameType | Kind::Opcode | Kind::StartLine => AnsiColor::Cyan,
        Kind::Flag => AnsiColor::Yellow,
        Kind::Length => AnsiColor::Magenta,
        Kind::MaskingKey | Kind::Key | Kind::Proof => AnsiColor::Blue,
        Kind::Payload | Kind::Reason => AnsiColor::Green,
        Kind::StatusCode | Kind::Terminator => AnsiColor::BrightCyan,
        Kind::Secret | Kind::Date => AnsiColor::BrightMagenta,
        Kind::Unknown => AnsiColor::Red,
        _ => return Style::new(),
    };
    colour.on_default()
}

/// What is wrong.
pub(crate) const WRONG: Style = AnsiColor::Red.on_default().bold();

/// What is beside the point.
pub(crate) const QUIET: Style = Style::new().dimmed();

/// A title.
pub(crate) const TITLE: Style = Style::new().bold();

/// The columns that `text` takes.
pub(crate) fn width(text: &str) -> usize {
    text.width()
}

/// `text` in lines of at most `width` columns, broken at spaces where there are
/// some.
pub(crate) fn wrapped(text: &str, columns: usize) -> Vec<String> {
    let (mut lines, mut line) = (Vec::new(), String::new());
    for word in text.split(' ') {
        if !line.is_empty() && width(&line) + 1 + width(word) > columns {
            lines.push(std::mem::take(&mut line));
        } else if !line.is_empty() {
            line.push(' ');
        }
        if width(&line) + width(word) <= columns {
            line.push_str(word);
            continue;
        }
        for c in word.chars() {
            if width(&line) >= columns {
                lines.push(std::mem::take(&mut line));
            }
            line.push(c);
        }
    }
    lines.push(line);
    lines
}
