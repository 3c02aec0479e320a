//! What may be typed besides messages: lines that begin with `/`, as in wscat.

use std::{fs, io};

use bytes::Bytes;
use draftgate_core::{Close, Message, Outgoing};

use super::form::{self, Form, NotAMessage};

/// What the commands are.
pub(crate) const HELP: &str = "\
/ping [TEXT]            send a ping; its pong is told
/pong [TEXT]            send a pong that nobody asked for
/binary HEX             send octets, for example /binary 00 ff 0a
/binary @FILE           send a file as a binary message
/close [CODE [REASON]]  close, with 1000 if no code is given
/help                   this
//…                     send a line that begins with /";

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Something to send.
    Say(Outgoing),
    /// The end; with what, if that is said.
    Close(Option<Close>),
    /// What the commands are.
    Help,
}

/// Why a line asks for nothing. It goes on a sentence that begins with what it
/// is about.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotACommand {
    #[error(transparent)]
    Message(#[from] NotAMessage),
    #[error("is no command: /help lists them, and // begins a line that is to be sent with a /")]
    Unknown,
    #[error("names no status code: write /close CODE REASON, for example /close 4000 done")]
    Code,
    #[error("names a file that cannot be read: {0}")]
    File(io::Error),
}

/// What `line` asks for, in lines of `form`.
pub(crate) fn command(line: Bytes, form: Form) -> Result<Command, NotACommand> {
    let say = |what| Ok(Command::Say(what));
    match line.first_chunk() {
        Some(b"//") => return say(Outgoing::Message(form.message(line.slice(1..))?)),
        _ if line.first() == Some(&b'/') => {}
        _ => return say(Outgoing::Message(form.message(line)?)),
    }
    let line = line.trim_ascii_end();
    let space = line.iter().position(u8::is_ascii_whitespace);
    let (name, rest) = line.split_at(space.unwrap_or(line.len()));
    let rest = rest.trim_ascii_start();
    let body = || Bytes::copy_from_slice(rest);
    match name {
        b"/ping" => say(Outgoing::Ping(body())),
        b"/pong" => say(Outgoing::Pong(body())),
        b"/binary" => {
            let octets = match rest.strip_prefix(b"@") {
                Some(path) => {
                    let path = String::from_utf8_lossy(path).into_owned();
                    fs::read(path).map_err(NotACommand::File)?.into()
                }
                None => form::hex(rest)?,
            };
            say(Outgoing::Message(Message::Binary(octets)))
        }
        b"/close" => close(rest).map(Command::Close),
        b"/help" if rest.is_empty() => Ok(Command::Help),
        _ => Err(NotACommand::Unknown),
    }
}

/// `[CODE [REASON]]`
fn close(rest: &[u8]) -> Result<Option<Close>, NotACommand> {
    if rest.is_empty() {
        return Ok(None);
    }
    let text = std::str::from_utf8(rest).map_err(|_| NotACommand::Code)?;
    let (code, reason) = text.split_once(char::is_whitespace).unwrap_or((text, ""));
    let code = code.parse().map_err(|_| NotACommand::Code)?;
    Ok(Some(Close::new(code, reason.trim())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, NotACommand> {
        command(Bytes::copy_from_slice(line.as_bytes()), Form::Text)
    }

    #[test]
    fn lines_are_messages_unless_they_begin_with_a_slash() {
        for (line, text) in [
            ("Hello", "Hello"),
            ("//ping", "/ping"),
            ("", ""),
            (" /x", " /x"),
        ] {
            let wanted = Command::Say(Outgoing::Message(text.into()));
            assert_eq!(read(line).unwrap(), wanted);
        }
    }

    #[test]
    fn commands_are_what_their_names_say() {
        let octets = |octets: &'static [u8]| Bytes::from_static(octets);
        let close = |code, reason: &str| Command::Close(Some(Close::new(code, reason)));
        for (line, wanted) in [
            ("/ping", Command::Say(Outgoing::Ping(octets(b"")))),
            ("/ping a b ", Command::Say(Outgoing::Ping(octets(b"a b")))),
            ("/pong x", Command::Say(Outgoing::Pong(octets(b"x")))),
            (
                "/binary 00 FF0a",
                Command::Say(Outgoing::Message(Message::Binary(octets(&[0, 255, 10])))),
            ),
            ("/close", Command::Close(None)),
            ("/close 4000", close(4000, "")),
            ("/close 4000  all done ", close(4000, "all done")),
            ("/help", Command::Help),
        ] {
            assert_eq!(read(line).unwrap(), wanted, "{line}");
        }
    }

    #[test]
    fn mistakes_say_what_to_write() {
        for (line, said) in [
            ("/pin", "is no command"),
            ("/", "is no command"),
            ("/help me", "is no command"),
            ("/close soon", "/close CODE REASON"),
            ("/close 70000", "/close CODE REASON"),
            ("/binary 0", "two digits"),
            ("/binary @/nonexistent/file", "cannot be read"),
        ] {
            let error = read(line).unwrap_err().to_string();
            assert!(error.contains(said), "{line}: {error}");
        }
    }
}
