//! The first message of a TLS connection, the ClientHello, as far as it decides
//! who serves it.
//!
//! It is read here and handed on untouched: no library tells what a client
//! offers before it has refused it, and a client of 2010 gets no second hello.
//! What is looked at is little, and what is wrong in the rest is for the
//! library to say.

use super::suites;

/// TLS versions as they stand in a hello.
pub(super) const SSL_3: u16 = 0x0300;
pub(super) const TLS_1_0: u16 = 0x0301;
pub(super) const TLS_1_2: u16 = 0x0303;
pub(super) const TLS_1_3: u16 = 0x0304;

/// A hello is at most this long: the largest today, with keys against quantum
/// computers, have about 2 KiB.
const LONGEST: usize = 16 << 10;

/// With the headers of the records that it is cut into. Clients that cut do so
/// into a few; an octet a record would be an attack.
const LONGEST_ON_THE_WIRE: usize = LONGEST + (4 << 10);

const RECORD_HEADER: usize = 5;
const MESSAGE_HEADER: usize = 4;
const HANDSHAKE: u8 = 0x16;
const CLIENT_HELLO: u8 = 1;

/// What a client offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Hello {
    /// The versions it names, or the highest it knows where it names one alone.
    pub(super) versions: Vec<u16>,
    /// The cipher suites it names, in its order.
    pub(super) suites: Vec<u16>,
    /// The curves and groups it names; `None`: no word of them.
    pub(super) groups: Option<Vec<u16>>,
    /// The signatures it checks; `None`: no word of them.
    pub(super) schemes: Option<Vec<u16>>,
    /// The name it wants to reach, in lower case.
    pub(super) name: Option<String>,
    /// It is framed as SSL 2 did, whatever versions it offers.
    pub(super) ssl_2: bool,
}

/// What the first octets of a connection are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Begun {
    /// A whole hello.
    Hello(Hello),
    /// More must come.
    More,
    /// Octets of HTTP, or of something else that is text.
    Text,
    /// This, which is no TLS.
    Garbage(&'static str),
}

/// What `octets`, of which there is at least one, begin.
pub(super) fn read(octets: &[u8]) -> Begun {
    match octets {
        [HANDSHAKE, ..] => records(octets),
        // Two octets of length, of which the highest bit says that there is no
        // third, and the type of the message.
        [0x80..=0xFF, _, CLIENT_HELLO, ..] => ssl_2(octets),
        [0x80..=0xFF] | [0x80..=0xFF, _] => Begun::More,
        [b'\r' | b'\n' | b' '..=b'~', ..] => Begun::Text,
        _ => Begun::Garbage("its first octet begins no TLS"),
    }
}

impl Hello {
    /// The highest version it offers.
    pub(super) fn highest(&self) -> u16 {
        let known = self.versions.iter().filter(|it| **it <= TLS_1_3);
        known.copied().max().unwrap_or(0)
    }

    /// What it offers, for the log: `TLS 1.0 with RC4-SHA`.
    pub(super) fn offered(&self) -> String {
        let version = version(self.highest());
        let framed = if self.ssl_2 {
            " in a hello of SSL 2"
        } else {
            ""
        };
        match suites::named(&self.suites) {
            names if names.is_empty() => format!("{version}{framed}"),
            names => format!("{version}{framed} with {names}"),
        }
    }
}

/// What people call a version.
pub(super) fn version(number: u16) -> &'static str {
    match number {
        SSL_3 => "SSL 3.0",
        TLS_1_0 => "TLS 1.0",
        0x0302 => "TLS 1.1",
        TLS_1_2 => "TLS 1.2",
        TLS_1_3 => "TLS 1.3",
        0x0002 => "SSL 2.0",
        _ => "an unknown version of TLS",
    }
}

/// Puts the message together out of its records, and reads it once it is whole.
fn records(octets: &[u8]) -> Begun {
    let mut message = Vec::new();
    let mut rest = octets;
    loop {
        let Some((header, behind)) = rest.split_first_chunk::<RECORD_HEADER>() else {
            return unfinished(rest, octets.len());
        };
        let [kind, major, _, high, low] = *header;
        let length = usize::from(u16::from_be_bytes([high, low]));
        if kind != HANDSHAKE || major != 3 {
            return Begun::Garbage("a record that is none stands within its hello");
        }
        // Empty records would let it go on for ever.
        if length == 0 || length > LONGEST {
            return Begun::Garbage("a record of its hello has a length that none can have");
        }
        message.extend_from_slice(&behind[..length.min(behind.len())]);
        match whole(&message) {
            Err(why) => return Begun::Garbage(why),
            Ok(Some(body)) => {
                return parse(body).map_or(Begun::Garbage("its hello is malformed"), Begun::Hello);
            }
            Ok(None) if behind.len() < length => return unfinished(&[], octets.len()),
            Ok(None) => rest = &behind[length..],
        }
    }
}

/// More must come, unless `cut`, the begin of a record's header, is none, or
/// there is too much already.
fn unfinished(cut: &[u8], read: usize) -> Begun {
    match cut {
        [kind, ..] if *kind != HANDSHAKE => {
            Begun::Garbage("a record that is none stands within its hello")
        }
        [_, major, ..] if *major != 3 => {
            Begun::Garbage("its first octets look like TLS, but the version does not")
        }
        _ if read > LONGEST_ON_THE_WIRE => Begun::Garbage("its hello is cut into too many records"),
        _ => Begun::More,
    }
}

/// The body of the hello that `message` begins with, if it is there.
fn whole(message: &[u8]) -> Result<Option<&[u8]>, &'static str> {
    let &[kind, high, middle, low] = match message.first_chunk::<MESSAGE_HEADER>() {
        Some(header) => header,
        None if message.first().is_some_and(|kind| *kind != CLIENT_HELLO) => {
            return Err("its first message is no hello");
        }
        None => return Ok(None),
    };
    if kind != CLIENT_HELLO {
        return Err("its first message is no hello");
    }
    let length = u32::from_be_bytes([0, high, middle, low]) as usize;
    if length > LONGEST {
        return Err("its hello is longer than 16 KiB");
    }
    Ok(message[MESSAGE_HEADER..].get(..length))
}

/// Takes from the front of what is left of a message.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn octet(&mut self) -> Option<u8> {
        self.take(1).map(|octets| octets[0])
    }

    fn number(&mut self) -> Option<u16> {
        let octets = self.take(2)?.first_chunk()?;
        Some(u16::from_be_bytes(*octets))
    }

    /// What stands behind an octet of length.
    fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.octet()?;
        self.take(length.into())
    }

    /// What stands behind two octets of length.
    fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.number()?;
        self.take(length.into())
    }
}

fn parse(body: &[u8]) -> Option<Hello> {
    let mut from = Cursor(body);
    let version = from.number()?;
    from.take(32)?; // random
    from.short()?; // session
    let suites = numbers(from.long()?);
    from.short()?; // compression
    let mut hello = Hello {
        versions: vec![version],
        suites,
        ..Hello::default()
    };
    // A hello of TLS 1.0 may end here.
    let mut extensions = Cursor(if from.0.is_empty() { &[] } else { from.long()? });
    while !extensions.0.is_empty() {
        let kind = extensions.number()?;
        let mut of = Cursor(extensions.long()?);
        match kind {
            0 => hello.name = name(of),
            10 => hello.groups = Some(numbers(of.long()?)),
            13 => hello.schemes = Some(numbers(of.long()?)),
            43 => hello.versions = numbers(of.short()?),
            _ => {}
        }
    }
    Some(hello)
}

fn numbers(octets: &[u8]) -> Vec<u16> {
    let pairs = octets.as_chunks::<2>().0.iter();
    pairs.map(|pair| u16::from_be_bytes(*pair)).collect()
}

/// The host in the extension server_name (RFC 6066 §3); an address is none.
fn name(mut of: Cursor<'_>) -> Option<String> {
    let mut names = Cursor(of.long()?);
    while !names.0.is_empty() {
        let (kind, name) = (names.octet()?, names.long()?);
        if kind == 0 {
            let name = std::str::from_utf8(name).ok()?.trim_end_matches('.');
            return (!name.is_empty()).then(|| name.to_ascii_lowercase());
        }
    }
    None
}

/// A hello as SSL 2 framed it, in which clients up to about 2010 offered later
/// versions as well (RFC 2246 appendix E).
fn ssl_2(octets: &[u8]) -> Begun {
    let length = usize::from(u16::from_be_bytes([octets[0] & 0x7F, octets[1]]));
    let Some(message) = octets[2..].get(..length) else {
        return match length > LONGEST {
            true => Begun::Garbage("its hello is longer than 16 KiB"),
            false => Begun::More,
        };
    };
    ssl_2_hello(message).map_or(Begun::Garbage("its hello is malformed"), Begun::Hello)
}

fn ssl_2_hello(message: &[u8]) -> Option<Hello> {
    let mut from = Cursor(message);
    from.octet()?; // the type
    let version = from.number()?;
    let specs = from.number()?;
    let (session, challenge) = (from.number()?, from.number()?);
    let specs = from.take(specs.into())?;
    from.take(usize::from(session) + usize::from(challenge))?;
    let suites = specs.as_chunks::<3>().0.iter();
    Some(Hello {
        versions: vec![version],
        // Those that begin with something else are of SSL 2.
        suites: suites
            .filter(|suite| suite[0] == 0)
            .map(|suite| u16::from_be_bytes([suite[1], suite[2]]))
            .collect(),
        ssl_2: true,
        ..Hello::default()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// A hello as devices of 2010 sent it: TLS 1.0, RSA and AES, no extension.
    fn of_2010() -> Vec<u8> {
        let mut body = vec![3, 1];
        body.extend([7; 32]);
        body.extend([0, 0, 8, 0, 0x2F, 0, 0x35, 0, 0x05, 0, 0x0A, 1, 0]);
        record(&message(&body))
    }

    fn message(body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(body.len()).unwrap().to_be_bytes();
        [&[CLIENT_HELLO], &length[1..], body].concat()
    }

    fn record(octets: &[u8]) -> Vec<u8> {
        let length = u16::try_from(octets.len()).unwrap().to_be_bytes();
        [&[HANDSHAKE, 3, 1], &length[..], octets].concat()
    }

    /// A hello of today: a name, groups, signatures, versions.
    fn of_today() -> Vec<u8> {
        let extension = |kind: u16, octets: &[u8]| {
            let length = u16::try_from(octets.len()).unwrap();
            [&kind.to_be_bytes(), &length.to_be_bytes(), octets].concat()
        };
        let extensions = [
            extension(0, b"\0\x0E\0\0\x0BExample.ORG"),
            extension(10, &[0, 4, 0, 29, 0, 23]),
            extension(13, &[0, 4, 4, 3, 8, 4]),
            extension(0xFACE, b"something new"),
            extension(43, &[4, 3, 4, 3, 3]),
        ]
        .concat();
        let mut body = vec![3, 3];
        body.extend([9; 32]);
        body.extend([0, 0, 6, 0x13, 0x01, 0xC0, 0x2F, 0x00, 0xFF, 1, 0]);
        body.extend(u16::try_from(extensions.len()).unwrap().to_be_bytes());
        body.extend(extensions);
        record(&message(&body))
    }

    /// As OpenSSL 0.9.8 began when it could speak everything up to TLS 1.0.
    fn in_ssl_2() -> Vec<u8> {
        let mut message = vec![CLIENT_HELLO, 3, 1, 0, 9, 0, 0, 0, 16];
        message.extend([0, 0, 0x2F, 0, 0, 0x35, 1, 0, 0x80]);
        message.extend([5; 16]);
        let length = u8::try_from(message.len()).unwrap();
        [&[0x80, length], &message[..]].concat()
    }

    fn hello(octets: &[u8]) -> Hello {
        match read(octets) {
            Begun::Hello(hello) => hello,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn hellos_of_2010_of_today_and_of_ssl_2_are_read() {
        let old = hello(&of_2010());
        assert_eq!(old.highest(), TLS_1_0);
        assert_eq!(old.suites, [0x2F, 0x35, 0x05, 0x0A]);
        assert_eq!(
            old.offered(),
            "TLS 1.0 with AES128-SHA, AES256-SHA, RC4-SHA, DES-CBC3-SHA"
        );
        let new = hello(&of_today());
        assert_eq!(new.highest(), TLS_1_3);
        assert_eq!(new.name.as_deref(), Some("example.org"));
        assert_eq!(new.groups, Some(vec![29, 23]));
        assert_eq!(new.schemes, Some(vec![0x0403, 0x0804]));
        let framed = hello(&in_ssl_2());
        assert_eq!(
            framed.offered(),
            "TLS 1.0 in a hello of SSL 2 with AES128-SHA, AES256-SHA"
        );
    }

    #[test]
    fn a_hello_cut_anywhere_needs_more() {
        for whole in [of_2010(), of_today(), in_ssl_2()] {
            for end in 1..whole.len() {
                assert_eq!(read(&whole[..end]), Begun::More, "{end} of {whole:02x?}");
            }
        }
    }

    #[test]
    fn a_hello_in_records_of_one_octet_is_put_together() {
        let whole = of_2010();
        let cut: Vec<u8> = whole[RECORD_HEADER..]
            .iter()
            .flat_map(|octet| record(&[*octet]))
            .collect();
        assert_eq!(hello(&cut), hello(&whole));
    }

    #[test]
    fn what_is_no_hello_is_told_apart() {
        for text in [
            &b"GET / HTTP/1.1\r\n"[..],
            b"<policy-file-request/>\0",
            b"\r\n",
        ] {
            assert_eq!(read(text), Begun::Text);
        }
        for garbage in [
            &[HANDSHAKE, 2][..],
            &[HANDSHAKE, 3, 1, 0, 0],
            &[HANDSHAKE, 3, 1, 0xFF, 0xFF],
            &[HANDSHAKE, 3, 1, 0, 5, 2],
            &[HANDSHAKE, 3, 1, 0, 5, 1, 0xFF, 0, 0],
            &[HANDSHAKE, 3, 1, 0, 1, 1, 0x17],
            &[0x80, 9, 9],
            &[0],
            &[0x80, 3, 1, 3, 1],
        ] {
            assert!(matches!(read(garbage), Begun::Garbage(_)), "{garbage:?}");
        }
        // A message of 16 KiB, an octet a record.
        let endless = [[CLIENT_HELLO, 0, 0x40, 0], [0; 4]].concat();
        let octets = endless.iter().chain(std::iter::repeat(&0));
        let mut wire: Vec<u8> = octets
            .take(LONGEST_ON_THE_WIRE)
            .flat_map(|octet| record(&[*octet]))
            .collect();
        wire.truncate(LONGEST_ON_THE_WIRE + 1);
        assert!(matches!(read(&wire), Begun::Garbage(_)));
        wire.pop();
        assert_eq!(read(&wire), Begun::More);
    }

    proptest! {
        #[test]
        fn octets_of_any_kind_are_read_without_panic(
            first in prop_oneof![Just(HANDSHAKE), Just(0x80), any::<u8>()],
            rest: Vec<u8>,
        ) {
            let octets = [&[first][..], &rest].concat();
            let _ = read(&octets);
        }

        #[test]
        fn hellos_with_an_octet_changed_are_read_without_panic(at in 0..90_usize, octet: u8) {
            for mut whole in [of_2010(), of_today(), in_ssl_2()] {
                let at = at % whole.len();
                whole[at] = octet;
                let _ = read(&whole);
            }
        }
    }
}
