//! Lines and messages: each line that is read becomes a text message, each
//! message that comes a line.
//!
//! No more is read than the connection can take, and nothing is printed ahead:
//! a slow server holds back whoever writes to us, a slow reader of our output
//! holds back the server.

use std::io::{self, IsTerminal, Write};

use bytes::Bytes;
use draftgate_conn::{Handler, Peer, Refused, Sender};
use draftgate_core::{Close, Message, Text};
use tokio::io::{AsyncBufRead, AsyncBufReadExt};

use crate::exit::say;

/// Why reading lines came to an end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LineError {
    #[error(
        "line {line} of standard input is not UTF-8 (octet {octet} of the line): each line is sent as text; convert it first, for example with `iconv -t UTF-8`"
    )]
    NotUtf8 { line: u64, octet: usize },
    #[error("cannot read standard input: {0}")]
    Read(#[from] io::Error),
    /// The connection takes nothing more; it says itself why.
    #[error(transparent)]
    Refused(#[from] Refused),
}

/// Sends each line of `input` until its end. A line ends with a line feed,
/// which is not sent; the last one may lack it. `room` is how much the send
/// queue holds.
///
/// # Errors
/// A line cannot be sent, or not read.
pub(crate) async fn send(
    mut input: impl AsyncBufRead + Unpin,
    sender: &Sender,
    room: usize,
) -> Result<(), LineError> {
    for line in 1.. {
        sender.ready().await?;
        let mut octets = Vec::new();
        if input.read_until(b'\n', &mut octets).await? == 0 {
            break;
        }
        if octets.last() == Some(&b'\n') {
            octets.pop();
        }
        let text = Text::from_utf8(Bytes::from(octets)).map_err(|e| LineError::NotUtf8 {
            line,
            octet: e.at + 1,
        })?;
        // The half that is free now is no room for a line longer than that,
        // and a queue that overflows ends the connection.
        if text.len() >= room / 4 {
            sender.drained().await?;
        }
        sender.send(Message::Text(text))?;
    }
    Ok(())
}

/// Prints what comes.
#[derive(Debug)]
pub(crate) struct Printer {
    greeting: Option<String>,
    /// The server's Close, whether or not it answers ours.
    pub(crate) close: Option<Close>,
    /// Why standard output takes no more.
    pub(crate) broken: Option<io::Error>,
}

impl Printer {
    /// `greeting` is said when the connection opens.
    pub(crate) fn new(greeting: Option<String>) -> Self {
        Self {
            greeting,
            close: None,
            broken: None,
        }
    }
}

impl Handler for Printer {
    fn opened(&mut self, _: &mut Peer<'_>) {
        if let Some(greeting) = &self.greeting {
            say(greeting);
        }
    }

    fn closing(&mut self, close: Option<&Close>, _: &mut Peer<'_>) {
        self.close = close.cloned();
    }

    /// Blocks while the reader of standard output does not read, on purpose:
    /// this program has one connection, and it should wait.
    fn message(&mut self, message: Message, peer: &mut Peer<'_>) {
        if self.broken.is_some() {
            return;
        }
        let mut out = io::stdout().lock();
        let message = if out.is_terminal() {
            harmless(message)
        } else {
            message
        };
        if let Err(error) = print(&message, &mut out).and_then(|()| out.flush()) {
            self.broken = Some(error);
            peer.close(Some(Close::new(Close::NORMAL, "")));
        }
    }
}

/// What a stranger says may hold sequences that a terminal obeys (new colours,
/// another title, keys pressed): there control characters are shown, not sent.
fn harmless(message: Message) -> Message {
    let Message::Text(text) = &message else {
        return message;
    };
    let obeyed = |c: char| c.is_control() && !matches!(c, '\n' | '\t');
    let text = text.as_str();
    if !text.contains(obeyed) {
        return message;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match obeyed(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown.into()
}

/// A message as a line. Text is printed as it is, line feeds included.
fn print(message: &Message, out: &mut impl Write) -> io::Result<()> {
    match message {
        Message::Text(text) => {
            out.write_all(text.as_bytes())?;
            out.write_all(b"\n")
        }
        Message::Binary(octets) => {
            write!(out, "<binary, {} octets: ", octets.len())?;
            for part in octets.chunks(1024) {
                let hex: String = part.iter().map(|o| format!("{o:02x}")).collect();
                out.write_all(hex.as_bytes())?;
            }
            out.write_all(b">\n")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(message: Message) -> String {
        let mut out = Vec::new();
        print(&message, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_terminal_is_shown_control_characters_instead_of_sent_them() {
        let shown = harmless("a\u{1b}]0;title\u{7}\tb\n\r".into());
        assert_eq!(
            shown,
            r"a\u{1b}]0;title\u{7}X".replace('X', "\tb\n\\r").into()
        );
        assert_eq!(harmless("Grüße\n".into()), "Grüße\n".into());
    }

    #[test]
    fn text_is_printed_as_it_is_and_binary_in_hex() {
        assert_eq!(printed("Grüße\nzwei".into()), "Grüße\nzwei\n");
        assert_eq!(printed("".into()), "\n");
        let binary = Message::Binary(Bytes::from_static(&[0, 0xff, 0x0a]));
        assert_eq!(printed(binary), "<binary, 3 octets: 00ff0a>\n");
        let empty = Message::Binary(Bytes::new());
        assert_eq!(printed(empty), "<binary, 0 octets: >\n");
        let long = Message::Binary(Bytes::from(vec![7; 3000]));
        assert_eq!(
            printed(long).len(),
            "<binary, 3000 octets: >\n".len() + 6000
        );
    }
}
