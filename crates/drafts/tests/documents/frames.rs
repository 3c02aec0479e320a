//! The same words in every draft, in both directions, as the codecs write them.

use std::fmt::Write;

use bytes::Bytes;
use draftgate_core::{Close, Codec, Limits, Outbox, Outgoing};
use draftgate_drafts::spoken;

use crate::common::pair_with;

/// The masking key of RFC 6455's examples.
const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// A Markdown table; a client masks with [`KEY`].
pub(crate) fn table() -> String {
    let mut table = String::from(
        "| draft | from | text `Hello` | ping `Hello` | close |\n| --- | --- | --- | --- | --- |\n",
    );
    for draft in spoken() {
        let (mut client, mut server) = pair_with(draft, Limits::default(), &KEY);
        for (from, end) in [("server", &mut server), ("client", &mut client)] {
            let text = said(end.as_mut(), Outgoing::Message("Hello".into()));
            let ping = said(end.as_mut(), Outgoing::Ping(Bytes::from_static(b"Hello")));
            let coded = Outgoing::Close(Some(Close::new(Close::NORMAL, "")));
            let close = said(end.as_mut(), coded)
                .map(|octets| format!("{octets} (1000)"))
                .or_else(|| said(end.as_mut(), Outgoing::Close(None)));
            let cells = [text, ping, close].map(|cell| cell.unwrap_or_else(|| "–".into()));
            writeln!(table, "| {draft} | {from} | {} |", cells.join(" | ")).unwrap();
        }
    }
    table
}

/// The octets of `what`; `None` if the draft has none for it.
fn said(end: &mut dyn Codec, what: Outgoing) -> Option<String> {
    let mut out = Outbox::new();
    end.send(what, &mut out).ok()?;
    let octets: Vec<String> = out.take_all().iter().map(|o| format!("{o:02x}")).collect();
    (!octets.is_empty()).then(|| format!("`{}`", octets.join(" ")))
}
