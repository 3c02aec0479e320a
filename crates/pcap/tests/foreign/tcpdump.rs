//! tcpdump, capturing connections of this machine while they happen, and what
//! the import makes of its file.

use std::{
    io::{BufRead, BufReader},
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use draftgate_core::Role;
use draftgate_pcap::{Bounds, Conversation, Did, Found, Hints, Import};

/// How often the file is looked at, and how many times at most: a guard against
/// hanging, not a measure.
const LOOK: Duration = Duration::from_millis(5);
const LOOKS: usize = 12_000;

/// A tcpdump that captures on the loopback interface.
pub(crate) struct Tcpdump {
    process: Child,
    file: PathBuf,
}

impl Tcpdump {
    /// Starts one on the loopback interface and waits until it captures.
    pub(crate) fn start(file: PathBuf, options: &[&str], filter: &str) -> Self {
        Self::start_on("lo", file, options, filter)
    }

    pub(crate) fn start_on(interface: &str, file: PathBuf, options: &[&str], filter: &str) -> Self {
        let mut process = Command::new("tcpdump")
            // Room for about 1000 packets of the loopback interface.
            .args([
                "-i",
                interface,
                "-n",
                "-U",
                "--immediate-mode",
                "-B",
                "65536",
                "-w",
            ])
            .arg(&file)
            .args(options)
            .arg(filter)
            .stderr(Stdio::piped())
            .spawn()
            .expect("tcpdump cannot be started; `cargo xtask test` installs it");
        let mut said = String::new();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        for line in lines.by_ref() {
            let line = line.unwrap();
            said.push_str(&line);
            if line.contains("listening on ") {
                // It says little more; who reads it keeps it from blocking.
                thread::spawn(move || lines.for_each(drop));
                return Self { process, file };
            }
            said.push('\n');
        }
        let _ = process.wait();
        panic!(
            "tcpdump may not capture on {interface}, so what it writes cannot be tried; run the tests as \
             root, or `setcap cap_net_raw+ep` the program. It said:\n{said}"
        );
    }

    /// What is in the file once `enough` is.
    pub(crate) fn until(
        &self,
        hints: &Hints,
        enough: impl Fn(&[Conversation]) -> Result<(), String>,
    ) -> Vec<Conversation> {
        for looked in 1.. {
            // It may be looked at while its last packet is being written.
            let octets = std::fs::read(&self.file).unwrap();
            let mut import = Import::new(Bounds::default(), hints.clone());
            let read = import.read(&octets[..]);
            let (mut conversations, mut left_out) = (Vec::new(), Vec::new());
            for found in import.finish() {
                match found {
                    Found::Conversation(it) => conversations.push(it),
                    Found::LeftOut(it) => left_out.push(it),
                }
            }
            match enough(&conversations) {
                Ok(()) => return conversations,
                Err(_) if looked < LOOKS => thread::sleep(LOOK),
                Err(lacking) => {
                    panic!("{lacking}; the file was read so: {read:?}; left out: {left_out:?}")
                }
            }
        }
        unreachable!("it returns or panics")
    }

    /// Waits from time to time until the end of the connection of the last of
    /// `clients` is in the file: the kernel drops packets for which there is no
    /// room, and a busy machine leaves tcpdump little time.
    pub(crate) fn keeps_up(&self, hints: &Hints, clients: &[SocketAddr]) {
        if clients.len().is_multiple_of(4) {
            let last = clients.len() - 1;
            self.until(hints, |conversations| {
                let ended = !ends(of(conversations, clients, last)?).is_empty();
                is(ended, || format!("no end of {}", clients[last]))
            });
        }
    }
}

impl Drop for Tcpdump {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

pub(crate) fn listener() -> (TcpListener, String, Hints) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let hints = Hints {
        ports: vec![port],
        draft: None,
    };
    (listener, format!("tcp port {port}"), hints)
}

/// The connection of the client at `index` of `clients`, of which several may
/// have had the same address, one after another.
pub(crate) fn of<'a>(
    conversations: &'a [Conversation],
    clients: &[SocketAddr],
    index: usize,
) -> Result<&'a Conversation, String> {
    let client = clients[index];
    let before = clients[..index].iter().filter(|it| **it == client).count();
    let mut of_client = conversations.iter().filter(|it| it.client == client);
    of_client
        .nth(before)
        .ok_or_else(|| format!("the connection of {client} is missing"))
}

pub(crate) fn ends(conversation: &Conversation) -> Vec<(Role, Did)> {
    let ends = conversation.moments.iter();
    ends.filter(|it| matches!(it.did, Did::Eof | Did::Reset))
        .map(|it| (it.from, it.did.clone()))
        .collect()
}

/// Says what is missing, for a failure.
pub(crate) fn is(what: bool, lacking: impl FnOnce() -> String) -> Result<(), String> {
    if what { Ok(()) } else { Err(lacking()) }
}
