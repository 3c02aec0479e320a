//! Who can share what it is sent.

use draftgate_core::{Draft, Limits, WireClass};
use draftgate_drafts::compression::Settings;

use crate::{ALL, pair, say};

#[test]
fn peers_whose_messages_stand_alone_share_one_encoding() {
    let alone = Settings {
        takeover: false,
        ..ALL
    };
    let class = |words, settings| {
        let (_, server) = pair(Draft::Hybi13, words, (ALL, settings), Limits::default());
        server.wire_class()
    };
    let shared = Some(WireClass::Deflated {
        window_bits: 15,
        level: 6,
        least: 1,
    });
    assert_eq!(class("permessage-deflate", alone), shared);
    assert_eq!(
        class("permessage-deflate; server_no_context_takeover", ALL),
        shared
    );
    // The same octets, whatever the extension is called.
    assert_eq!(class("x-webkit-deflate-frame", alone), shared);
    assert_eq!(class("permessage-deflate", ALL), None);
    assert_eq!(class("x-unknown", ALL), Some(WireClass::Hybi07));
    let smaller = class("permessage-deflate; server_max_window_bits=9", alone);
    assert!(smaller.is_some() && smaller != shared);
}

#[test]
fn what_stands_alone_is_the_same_every_time() {
    let alone = Settings {
        takeover: false,
        ..ALL
    };
    let text = "the same message for everyone, everyone, everyone";
    let per_message = ["permessage-deflate", "x-webkit-deflate-frame"].map(|words| {
        let (_, mut server) = pair(Draft::Hybi13, words, (ALL, alone), Limits::default());
        let first = say(&mut *server, text);
        assert_eq!(say(&mut *server, text), first);
        assert!(first.len() < text.len());
        first
    });
    assert_eq!(per_message[0], per_message[1]);
}
