//! A server that follows a script, for one connection: what it reads is
//! compared with octets written in the test, and what it answers is computed
//! here from the drafts' text, not by our codecs.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
    thread,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use byteorder::{BigEndian, ByteOrder};
use md5::{Digest, Md5};
use sha1::Sha1;

use crate::child::WATCHDOG;

/// The server's end of a connection.
pub(crate) struct Peer {
    stream: TcpStream,
}

/// What is played to one client.
pub(crate) type Play = Box<dyn FnOnce(&mut Peer) + Send>;

/// A script that runs.
pub(crate) struct Script {
    pub(crate) port: u16,
    done: Receiver<()>,
}

impl Script {
    /// Listens, and plays `script` to the first who connects.
    pub(crate) fn start(script: impl FnOnce(&mut Peer) + Send + 'static) -> Self {
        Self::start_in_turn(vec![Box::new(script)])
    }

    /// Listens, and plays each script to the next who connects.
    pub(crate) fn start_in_turn(scripts: Vec<Play>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let (sender, done) = channel();
        thread::spawn(move || {
            for script in scripts {
                let (stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(WATCHDOG)).unwrap();
                stream.set_write_timeout(Some(WATCHDOG)).unwrap();
                stream.set_nodelay(true).unwrap();
                script(&mut Peer { stream });
            }
            sender.send(()).unwrap();
        });
        Self { port, done }
    }

    pub(crate) fn url(&self, resource: &str) -> String {
        format!("ws://127.0.0.1:{}{resource}", self.port)
    }

    /// The script has come to its end without a panic (which the test's output shows).
    #[track_caller]
    pub(crate) fn finish(self) {
        self.done
            .recv_timeout(WATCHDOG)
            .expect("the script did not end");
    }
}

impl Peer {
    /// Reads exactly these octets.
    #[track_caller]
    pub(crate) fn expect(&mut self, wanted: &[u8]) {
        let mut got = vec![0; wanted.len()];
        self.stream.read_exact(&mut got).unwrap();
        let text = |octets| String::from_utf8_lossy(octets).into_owned();
        assert_eq!(
            got,
            wanted,
            "{:?} instead of {:?}",
            text(&got),
            text(wanted)
        );
    }

    /// Reads the end of TCP.
    #[track_caller]
    pub(crate) fn expect_end(&mut self) {
        let mut rest = Vec::new();
        self.stream.read_to_end(&mut rest).unwrap();
        assert_eq!(rest, b"", "octets before the end");
    }

    /// Waits for the end of TCP, in whichever way and after whatever it comes.
    pub(crate) fn expect_any(&mut self) {
        let mut rest = Vec::new();
        if let Err(error) = self.stream.read_to_end(&mut rest) {
            assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        }
    }

    /// Reads a head, empty line included.
    pub(crate) fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(self.octets::<1>()[0]);
        }
        String::from_utf8(head).unwrap()
    }

    pub(crate) fn octets<const N: usize>(&mut self) -> [u8; N] {
        let mut octets = [0; N];
        self.stream.read_exact(&mut octets).unwrap();
        octets
    }

    /// Reads a client's frame of RFC 6455: first octet and unmasked payload.
    pub(crate) fn frame(&mut self) -> (u8, Vec<u8>) {
        let [first, second] = self.octets();
        assert_eq!(second & 0x80, 0x80, "a client's frame is masked");
        let length = match second & 0x7f {
            126 => u64::from(BigEndian::read_u16(&self.octets::<2>())),
            127 => BigEndian::read_u64(&self.octets::<8>()),
            short => u64::from(short),
        };
        let mask: [u8; 4] = self.octets();
        let mut payload = vec![0; usize::try_from(length).unwrap()];
        self.stream.read_exact(&mut payload).unwrap();
        for (i, octet) in payload.iter_mut().enumerate() {
            *octet ^= mask[i % 4];
        }
        (first, payload)
    }

    pub(crate) fn say(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).unwrap();
    }

    /// Ends TCP in this direction.
    pub(crate) fn end(&self) {
        self.stream.shutdown(Shutdown::Write).unwrap();
    }

    /// Opens as a server of hixie-75 that serves `resource`.
    pub(crate) fn open_75(&mut self, resource: &str) -> String {
        let head = self.head();
        let answer = answer_75(&head, resource);
        self.say(answer);
        head
    }

    /// Opens as a server of hixie-76 that serves `resource`.
    pub(crate) fn open_76(&mut self, resource: &str) -> String {
        let (head, answer) = self.answer_76(resource);
        self.say(answer);
        head
    }

    /// Reads a request of hixie-76; the request's head and the whole answer.
    pub(crate) fn answer_76(&mut self, resource: &str) -> (String, Vec<u8>) {
        let head = self.head();
        let key3: [u8; 8] = self.octets();
        let mut octets = [0; 16];
        BigEndian::write_u32(&mut octets[..4], number(field(&head, "Sec-WebSocket-Key1")));
        BigEndian::write_u32(
            &mut octets[4..8],
            number(field(&head, "Sec-WebSocket-Key2")),
        );
        octets[8..].copy_from_slice(&key3);
        let (origin, host) = (field(&head, "Origin"), field(&head, "Host"));
        let mut answer = format!(
            "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Origin: {origin}\r\nSec-WebSocket-Location: ws://{host}{resource}\r\n\r\n"
        )
        .into_bytes();
        answer.extend_from_slice(&Md5::digest(octets));
        (head, answer)
    }

    /// Opens as a server of RFC 6455; `more` are further fields.
    pub(crate) fn open_13(&mut self, more: &str) -> String {
        let head = self.head();
        let accept = accept(field(&head, "Sec-WebSocket-Key"));
        self.say(format!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n{more}\r\n"
        ));
        head
    }

    /// Answers the client's close 1000 of RFC 6455 and ends.
    #[track_caller]
    pub(crate) fn close_13(&mut self) {
        assert_eq!(self.frame(), (0x88, vec![0x03, 0xe8]));
        self.say([0x88, 0x02, 0x03, 0xe8]);
        self.end();
        self.expect_end();
    }
}

/// What a server of hixie-75 answers.
pub(crate) fn answer_75(head: &str, resource: &str) -> String {
    let (origin, host) = (field(head, "Origin"), field(head, "Host"));
    format!(
        "HTTP/1.1 101 Web Socket Protocol Handshake\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
         WebSocket-Origin: {origin}\r\nWebSocket-Location: ws://{host}{resource}\r\n\r\n"
    )
}

/// RFC 6455 §4.2.2.
pub(crate) fn accept(key: &str) -> String {
    let octets = format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11");
    STANDARD.encode(Sha1::digest(octets))
}

/// The value of a field.
#[track_caller]
pub(crate) fn field<'a>(head: &'a str, name: &str) -> &'a str {
    let start = format!("{name}: ");
    let mut lines = head.split("\r\n");
    let found = lines.find_map(|line| line.strip_prefix(&start));
    found.unwrap_or_else(|| panic!("no {name} in {head}"))
}

/// hixie-76 §5.2: the digits, divided by the count of spaces.
fn number(key: &str) -> u32 {
    let digits: String = key.chars().filter(char::is_ascii_digit).collect();
    let spaces = key.matches(' ').count() as u64;
    u32::try_from(digits.parse::<u64>().unwrap() / spaces).unwrap()
}
