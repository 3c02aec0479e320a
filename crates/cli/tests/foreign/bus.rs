//! All foreign clients, in all their drafts, on one channel: each reads every
//! other. A draft that no foreign client speaks is there by `draftgate connect`.

use draftgate_core::Draft;
use serde_json::json;

use crate::child::Child;
use crate::expected;
use crate::gateway::{Gateway, draftgate};
use crate::peers::{self, Meeting};

const CHANNEL: &str = "/bus/living-room";

/// One at the channel, and what it says.
struct Visitor {
    child: Child,
    draft: Draft,
    says: String,
    /// It is `draftgate connect`: lines are messages.
    ours: bool,
}

#[test]
fn foreign_clients_of_all_drafts_read_each_other() {
    let mut gateway = Gateway::start();
    let failures = expected::failures();
    let welcome = |client: &Meeting| {
        failures
            .client(client.peer.name, client.draft.name())
            .is_none()
    };
    let clients: Vec<Meeting> = peers::clients().filter(welcome).collect();
    let foreign: Vec<Draft> = clients.iter().map(|client| client.draft).collect();
    let alone = draftgate_drafts::spoken().filter(|draft| !foreign.contains(draft));

    let said: Vec<String> = clients.iter().map(says).collect();
    let ours: Vec<(Draft, String)> = alone
        .map(|draft| (draft, format!("draftgate in {}", draft.name())))
        .collect();
    let mut all = said.clone();
    all.extend(ours.iter().map(|(_, says)| says.clone()));

    let joined = clients
        .iter()
        .zip(said)
        .map(|(client, says)| join(&gateway, client, says, &all));
    let mut visitors: Vec<Visitor> = joined.collect();
    visitors.extend(
        ours.into_iter()
            .map(|(draft, says)| join_ours(&gateway, draft, says)),
    );
    // Whoever spoke before another has joined would not be heard by it.
    for visitor in &mut visitors {
        if visitor.ours {
            let line = visitor.child.line_of_stderr();
            assert!(line.contains("connected to "), "{line}");
        } else {
            let open = visitor.child.event("open");
            assert_eq!(open["draft"], visitor.draft.name());
        }
    }
    for visitor in &mut visitors {
        let line = if visitor.ours { &visitor.says } else { "go" };
        visitor.child.say(line);
    }
    for visitor in &mut visitors {
        let mut expected: Vec<&String> = all.iter().filter(|text| **text != visitor.says).collect();
        let mut heard: Vec<String> = expected.iter().map(|_| visitor.hears()).collect();
        expected.sort();
        heard.sort();
        assert_eq!(
            heard.iter().collect::<Vec<_>>(),
            expected,
            "{}",
            visitor.says
        );
    }
    // Only now: whoever left would leave less for the others to hear.
    for visitor in &mut visitors {
        visitor.leaves();
    }

    let mut drafts: Vec<String> = visitors
        .iter()
        .map(|_| {
            let line = gateway.access_line();
            assert_eq!(line["messages_in"], 1, "{line}");
            assert_eq!(line["messages_out"], json!(visitors.len() - 1), "{line}");
            assert_eq!(line["dropped"], 0, "{line}");
            line["draft"].as_str().unwrap().to_owned()
        })
        .collect();
    let mut expected: Vec<&str> = visitors
        .iter()
        .map(|visitor| visitor.draft.name())
        .collect();
    drafts.sort();
    expected.sort_unstable();
    assert_eq!(drafts, expected);
}

impl Visitor {
    fn hears(&mut self) -> String {
        if self.ours {
            return self.child.line();
        }
        let message = self.child.event("message");
        message["text"].as_str().unwrap().to_owned()
    }

    fn leaves(&mut self) {
        if self.ours {
            self.child.end_stdin();
        } else {
            self.child.say("bye");
            self.child.event("close");
        }
        self.child.end_well();
    }
}

/// In letters of more than one alphabet.
fn says(client: &Meeting) -> String {
    format!("{}: Grüße, Привет, 𝄞", client.name())
}

fn join(gateway: &Gateway, client: &Meeting, says: String, all: &[String]) -> Visitor {
    let mut command = client.command();
    command
        .arg(gateway.url(CHANNEL))
        .args(["--draft", client.draft.name()]);
    command.args(["--say", &says]);
    for text in all.iter().filter(|text| **text != says) {
        command.args(["--expect", text]);
    }
    Visitor {
        child: Child::start(&client.name(), &mut command),
        draft: client.draft,
        says,
        ours: false,
    }
}

fn join_ours(gateway: &Gateway, draft: Draft, says: String) -> Visitor {
    let mut command = draftgate("connect");
    command.args(["--verbose", "--draft", draft.name(), &gateway.url(CHANNEL)]);
    Visitor {
        child: Child::start(&says, &mut command),
        draft,
        says,
        ours: true,
    }
}
