//! Other people's programs, as one table: who they are, which drafts they speak
//! as client and as server, what to beware of. Each pair of a program and a
//! draft, on either side, is a test of its own, named by the table; the page
//! docs/clients.md shows the same table. A program that is made to behave, or
//! to misbehave, is a row of its own: nothing is left out by a condition.

use std::fmt::Write;
use std::process::Command;

use draftgate_core::{Capabilities, Draft};
use draftgate_drafts::opening::LengthFrames;
use draftgate_testkit::documents::holds;

use crate::expected;
use crate::programs::{java, node, perl, python, ruby};

/// A program and what it speaks.
pub(crate) struct Peer {
    /// What tests and `expected-failures.toml` call it.
    pub(crate) name: &'static str,
    /// What people call it.
    program: &'static str,
    /// Its version, and where it is from.
    from: &'static str,
    pub(crate) client: Side,
    pub(crate) server: Side,
    /// Drafts in which its server agrees to no subprotocol.
    without_subprotocol: &'static [&'static str],
    /// The longest text that it reads in drafts of hixie, in octets.
    hixie_up_to: usize,
    beware: &'static str,
}

/// One role of a program.
pub(crate) struct Side {
    /// Runs it, without arguments; `None` if it has not this role.
    command: Option<fn() -> Command>,
    drafts: &'static [&'static str],
}

/// A program in one role and one draft, as a test meets it.
#[derive(Clone, Copy)]
pub(crate) struct Meeting {
    pub(crate) peer: &'static Peer,
    side: &'static Side,
    pub(crate) draft: Draft,
}

/// Rows of the table, and the tests that they name.
macro_rules! peers {
    ($($peer:ident: $program:literal, $from:literal;
        client $client:expr, [$($spoken:ident)*];
        server $server:expr, [$($served:ident)*] $(but no subprotocol in [$($mute:ident)*])?;
        $(hixie up to $most:literal;)?
        beware $beware:literal;)*) => {
        pub(crate) const PEERS: &[Peer] = &[$(Peer {
            name: stringify!($peer),
            program: $program,
            from: $from,
            client: Side { command: $client, drafts: &[$(stringify!($spoken)),*] },
            server: Side { command: $server, drafts: &[$(stringify!($served)),*] },
            without_subprotocol: &[$($(stringify!($mute)),*)?],
            hixie_up_to: [$($most,)? usize::MAX][0],
            beware: $beware,
        }),*];

        mod foreign_client {$(
            mod $peer {$(
                #[test]
                fn $spoken() {
                    crate::clients::converses(stringify!($peer), stringify!($spoken));
                }
            )*}
        )*}

        mod foreign_server {$(
            mod $peer {$(
                #[test]
                fn $served() {
                    crate::servers::converses(stringify!($peer), stringify!($served));
                }
            )*}
        )*}
    };
}

peers! {
    em_websocket: "em-websocket", "0.5.1, Debian's ruby-em-websocket";
        client None, [];
        server Some(|| ruby("em-websocket-server.rb")),
            [hixie_75 hixie_76 hybi_02 hybi_03 hybi_05 hybi_06 hybi_07 hybi_08 hybi_13]
            but no subprotocol in
            [hixie_75 hixie_76 hybi_02 hybi_03 hybi_05 hybi_06 hybi_07 hybi_08 hybi_13];
        beware "waits for key3 in the segment of the head, and aborts when a frame comes with it; \
            never answers a hixie-76 request with `Content-Length: 8`; ends hixie-76 by TCP alone";
    eventlet: "eventlet", "0.41.3, PyPI";
        client None, [];
        server Some(|| python("eventlet-server.py")), [hixie_75 hixie_76 hybi_08 hybi_13]
            but no subprotocol in [hixie_75];
        beware "gives a hixie-76 client whatever subprotocol it asks for, and `default` if it asks \
            for none; answers its `FF 00` by the end of TCP";
    netty: "Netty", "4.1.48, Debian's libnetty-java";
        client Some(|| java("NettyClient")), [hixie_76 hybi_07 hybi_08 hybi_13];
        server Some(|| java("NettyServer")), [hixie_76 hybi_07 hybi_08 hybi_13];
        hixie up to 200;
        beware "in hixie-76 it loses every frame that one read does not bring whole, announces \
            key3 with `Content-Length: 8`, and as a server leaves the end of TCP to the client; \
            names of fields are in lower case";
    protocol_websocket: "Protocol::WebSocket", "0.26, Debian's libprotocol-websocket-perl";
        client Some(|| perl("protocol-websocket-client.pl")), [hixie_75 hixie_76 hybi_08 hybi_13];
        server Some(|| perl("protocol-websocket-server.pl")), [hixie_75 hixie_76 hybi_08 hybi_13];
        beware "announces key3 with `Content-Length: 8`; its hixie-75 answer lacks the space in \
            “Web Socket”, which every client of that draft refuses; takes any \
            `X-Forwarded-Proto` for TLS, so keep that field from it";
    protocol_websocket_bare: "Protocol::WebSocket without its `Content-Length`", "as above";
        client Some(|| {
            let mut client = perl("protocol-websocket-client.pl");
            client.arg("--without-content-length");
            client
        }), [hixie_76];
        server None, [];
        beware "";
    protocol_websocket_with_a_space: "Protocol::WebSocket with the space put in", "as above";
        client None, [];
        server Some(|| {
            let mut server = perl("protocol-websocket-server.pl");
            server.arg("--web-socket-with-a-space");
            server
        }), [hixie_75];
        beware "";
    websocket_client: "websocket-client", "1.0.0, npm";
        client Some(|| node("websocket-client.js")), [hixie_76];
        server None, [];
        beware "writes `00`, the text and `FF` in three segments";
    websocket_driver: "websocket-driver (faye)", "0.6.5, npm";
        client None, [];
        server Some(|| node("websocket-driver-server.js")),
            [hixie_75 hixie_76 hybi_07 hybi_08 hybi_13]
            but no subprotocol in [hixie_75 hixie_76];
        beware "ends every hixie frame at `FF`, and takes those of all types below `80` for text";
    websocket_ruby: "websocket-ruby", "1.2.9, Debian's ruby-websocket";
        client Some(|| ruby("websocket-ruby-client.rb")),
            [hixie_75 hixie_76 hybi_03 hybi_07 hybi_08 hybi_13];
        server Some(|| ruby("websocket-ruby-server.rb")),
            [hixie_75 hixie_76 hybi_03 hybi_07 hybi_08 hybi_13];
        beware "announces hybi-02 and goes on as in hixie-76; as a server it strips white space off key3: one hixie-76 opening in twenty fails";
    worlize: "websocket (Worlize)", "1.0.35, npm";
        client Some(|| node("worlize-client.js")), [hybi_08 hybi_13];
        server Some(|| node("worlize-server.js")), [hybi_08 hybi_13];
        beware "sends messages above 16 KiB in fragments; as a server it lists version 13 alone to a \
            client of another one, although it speaks 8";
    ws_of_2014: "ws of 2014", "0.4.32, npm";
        client Some(|| node("ws04-client.js")), [hybi_08 hybi_13];
        server Some(|| node("ws04-server.js")), [hixie_76 hybi_08 hybi_13];
        beware "its key has 15 octets in hybi-08 ([quirks](#quirks)); its `Origin` is a host without `http://`, so give \
            it a proper one";
    ws_of_2014_with_a_whole_key: "ws of 2014 with a key of 16 octets", "as above";
        client Some(|| {
            let mut client = node("ws04-client.js");
            client.arg("--whole-key");
            client
        }), [hybi_08];
        server None, [];
        beware "";
    ws: "ws", "8.23.0, npm";
        client Some(|| node("ws-client.js")), [hybi_13];
        server Some(|| node("ws-server.js")), [hybi_13];
        beware "";
}

/// Drafts that no foreign client speaks: recorded exchanges are their judge.
pub(crate) const WITHOUT_CLIENT: [Draft; 5] = [
    Draft::Hybi02,
    Draft::Hello00,
    Draft::Hybi04,
    Draft::Hybi05,
    Draft::Hybi06,
];

/// Drafts that no foreign server speaks.
pub(crate) const WITHOUT_SERVER: [Draft; 2] = [Draft::Hello00, Draft::Hybi04];

/// The peer that a test is named after, in the draft that it is named after.
pub(crate) fn client(peer: &str, draft: &str) -> Meeting {
    meeting(peer, draft, |peer| &peer.client)
}

/// As [`client`], for a server.
pub(crate) fn server(peer: &str, draft: &str) -> Meeting {
    meeting(peer, draft, |peer| &peer.server)
}

fn meeting(name: &str, draft: &str, side: fn(&Peer) -> &Side) -> Meeting {
    let peer = PEERS.iter().find(|peer| peer.name == name).unwrap();
    Meeting {
        peer,
        side: side(peer),
        draft: parsed(draft),
    }
}

/// All clients in all their drafts.
pub(crate) fn clients() -> impl Iterator<Item = Meeting> {
    PEERS.iter().flat_map(|peer| {
        let drafts = peer.client.drafts.iter();
        drafts.map(|draft| client(peer.name, draft))
    })
}

/// All servers in all their drafts.
pub(crate) fn servers() -> impl Iterator<Item = Meeting> {
    PEERS.iter().flat_map(|peer| {
        let drafts = peer.server.drafts.iter();
        drafts.map(|draft| server(peer.name, draft))
    })
}

impl Meeting {
    pub(crate) fn command(&self) -> Command {
        self.side.command.unwrap()()
    }

    /// The drafts that the peer speaks in this role.
    pub(crate) fn drafts(&self) -> impl Iterator<Item = Draft> {
        self.side.drafts.iter().map(|draft| parsed(draft))
    }

    /// What people call it.
    pub(crate) fn program(&self) -> &'static str {
        self.peer.program
    }

    /// For failures.
    pub(crate) fn name(&self) -> String {
        format!("{} in {}", self.peer.program, self.draft.name())
    }

    pub(crate) fn capabilities(&self) -> Capabilities {
        capabilities(self.draft)
    }

    /// The longest text that the peer reads.
    pub(crate) fn up_to(&self) -> usize {
        match self.draft {
            Draft::Hixie75 | Draft::Hixie76 => self.peer.hixie_up_to,
            _ => usize::MAX,
        }
    }

    /// Whether it agrees to a subprotocol, as a server.
    pub(crate) fn agrees(&self) -> bool {
        let mut mute = self.peer.without_subprotocol.iter();
        !mute.any(|draft| parsed(draft) == self.draft)
    }
}

pub(crate) fn capabilities(draft: Draft) -> Capabilities {
    draftgate_drafts::acceptor(draft)
        .unwrap()
        .capabilities(LengthFrames::default())
}

fn parsed(draft: &str) -> Draft {
    draft.replace('_', "-").parse().unwrap()
}

/// The table of docs/clients.md.
fn document() -> String {
    let failures = expected::failures();
    let drafts = |side: &Side, refused: &dyn Fn(&str) -> Option<String>| {
        let named = side.drafts.iter().map(|draft| {
            let draft = parsed(draft).name();
            match refused(draft) {
                Some(code) => format!("{draft} (refused: `{code}`)"),
                None => draft.to_owned(),
            }
        });
        match side.drafts {
            [] => "–".to_owned(),
            _ => named.collect::<Vec<_>>().join(", "),
        }
    };
    let mut table = String::from(
        "| program | version, from | as client | as server | beware |\n| --- | --- | --- | --- | --- |\n",
    );
    for peer in PEERS {
        let code = |refused: Option<&expected::Refused>| Some(refused?.code.clone());
        let client = drafts(&peer.client, &|d| code(failures.client(peer.name, d)));
        let server = drafts(&peer.server, &|d| code(failures.server(peer.name, d)));
        let (program, from, beware) = (peer.program, peer.from, peer.beware);
        writeln!(
            table,
            "| {program} | {from} | {client} | {server} | {beware} |"
        )
        .unwrap();
    }
    table
}

#[test]
fn the_peers_stand_in_the_page_on_clients() {
    holds("docs/clients.md", "peers", &document());
}

#[test]
fn every_draft_meets_foreign_clients_and_servers() {
    let speaks = |side: fn(&Peer) -> &Side, draft: Draft| {
        let mut drafts = PEERS.iter().flat_map(|peer| side(peer).drafts);
        drafts.any(|spoken| parsed(spoken) == draft)
    };
    for draft in draftgate_drafts::announced() {
        let has = speaks(|peer| &peer.client, draft);
        assert_eq!(
            has,
            !WITHOUT_CLIENT.contains(&draft),
            "clients of {draft:?}"
        );
        let has = speaks(|peer| &peer.server, draft);
        assert_eq!(
            has,
            !WITHOUT_SERVER.contains(&draft),
            "servers of {draft:?}"
        );
    }
}

#[test]
fn expected_failures_are_of_peers_that_are_tested() {
    let failures = expected::failures();
    let tested = |refused: &expected::Refused, side: fn(&Peer) -> &Side| {
        let mut peers = PEERS.iter().filter(|peer| peer.name == refused.peer);
        peers.any(|peer| {
            side(peer)
                .drafts
                .contains(&refused.draft.replace('-', "_").as_str())
        })
    };
    for refused in failures.servers.iter().chain(&failures.closes) {
        assert!(tested(refused, |peer| &peer.server), "{refused:?}");
    }
    for refused in &failures.clients {
        assert!(tested(refused, |peer| &peer.client), "{refused:?}");
    }
}
