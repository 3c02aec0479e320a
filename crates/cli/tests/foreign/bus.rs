//! All foreign clients, in all their drafts, on one channel: each reads every
//! other. A draft that no foreign client speaks is there by `draftgate connect`.

use draftgate_core::{Closing, Draft};
use serde_json::{Value, json};

use crate::child::Child;
use crate::expected;
use crate::gateway::{Gateway, draftgate};
use crate::peers::{self, Meeting};

const CHANNEL: &str = "/bus/living-room";

/// It pings soon, and has little time to say farewell to all.
const CONFIG: &str = r#"
drafts = "all"
origins = ["loopback", "missing"]

[[listeners]]
address = "127.0.0.1:0"

[[routes]]
path = "/bus/{channel}"
service = "bus"

[timeouts]
ping = "1s"
drain = "2s"
"#;

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
    let mut visitors = assembled(&gateway);
    let all: Vec<String> = visitors
        .iter()
        .map(|visitor| visitor.says.clone())
        .collect();
    for visitor in &mut visitors {
        let line = if visitor.ours { &visitor.says } else { "go" };
        visitor.child.say(line);
    }
    for visitor in &mut visitors {
        let others = all.iter().filter(|text| **text != visitor.says);
        let mut expected: Vec<&str> = others.map(String::as_str).collect();
        let mut heard: Vec<String> = expected.iter().map(|_| visitor.hears()).collect();
        expected.sort_unstable();
        heard.sort();
        assert_eq!(heard, expected, "{}", visitor.says);
    }
    // Only now: whoever left would leave less for the others to hear.
    visitors.iter_mut().for_each(Visitor::leaves);

    let lines = access_lines(&mut gateway, &visitors);
    for line in &lines {
        assert_eq!(line["messages_in"], 1, "{line}");
        assert_eq!(line["messages_out"], json!(visitors.len() - 1), "{line}");
        assert_eq!(line["dropped"], 0, "{line}");
    }
}

#[test]
fn foreign_clients_of_all_drafts_answer_pings_and_hear_that_the_gateway_leaves() {
    let mut gateway = Gateway::with("leaving", CONFIG);
    let mut visitors = assembled(&gateway);
    for visitor in &mut visitors {
        if !visitor.ours && peers::capabilities(visitor.draft).ping {
            visitor.child.event("ping");
        }
    }
    gateway.terminate();
    for visitor in &mut visitors {
        visitor.is_left();
    }
    for line in &access_lines(&mut gateway, &visitors) {
        let end = (&line["by"], &line["why"], &line["code"]);
        assert_eq!(
            end,
            (&json!("us"), &json!("requested"), &json!(1001)),
            "{line}"
        );
    }
    gateway.end_well();
}

/// All of them, and they have joined: whoever spoke before another has would
/// not be heard by it.
fn assembled(gateway: &Gateway) -> Vec<Visitor> {
    let failures = expected::failures();
    let welcome = |client: &Meeting| {
        failures
            .client(client.peer.name, client.draft.name())
            .is_none()
    };
    let clients: Vec<Meeting> = peers::clients().filter(welcome).collect();
    let alone = |draft: &Draft| !clients.iter().any(|client| client.draft == *draft);
    let alone: Vec<Draft> = draftgate_drafts::announced().filter(alone).collect();

    let mut all: Vec<String> = clients.iter().map(says).collect();
    all.extend(alone.iter().map(|draft| ours_says(*draft)));
    let joined = clients.iter().map(|client| join(gateway, client, &all));
    let mut visitors: Vec<Visitor> = joined.collect();
    visitors.extend(alone.iter().map(|draft| join_ours(gateway, *draft)));
    for visitor in &mut visitors {
        if visitor.ours {
            let line = visitor.child.line_of_stderr();
            assert!(line.contains("connected to "), "{line}");
        } else {
            let open = visitor.child.event("open");
            assert_eq!(open["draft"], visitor.draft.name());
        }
    }
    visitors
}

/// One for each visitor, of its draft.
fn access_lines(gateway: &mut Gateway, visitors: &[Visitor]) -> Vec<Value> {
    let lines: Vec<Value> = visitors.iter().map(|_| gateway.access_line()).collect();
    let mut drafts: Vec<&str> = lines
        .iter()
        .map(|line| line["draft"].as_str().unwrap())
        .collect();
    let mut expected: Vec<&str> = visitors
        .iter()
        .map(|visitor| visitor.draft.name())
        .collect();
    drafts.sort_unstable();
    expected.sort_unstable();
    assert_eq!(drafts, expected);
    lines
}

impl Visitor {
    fn hears(&mut self) -> String {
        if self.ours {
            return self.child.line();
        }
        let event = self.event_but_ping();
        assert_eq!(event["event"], "message", "{}: {event}", self.says);
        event["text"].as_str().unwrap().to_owned()
    }

    /// A ping comes when it comes.
    fn event_but_ping(&mut self) -> Value {
        loop {
            let event = self.child.any_event();
            if event["event"] != "ping" {
                return event;
            }
        }
    }

    fn leaves(&mut self) {
        if self.ours {
            self.child.end_stdin();
        } else {
            self.child.say("bye");
            assert_eq!(self.event_but_ping()["event"], "close");
        }
        self.child.end_well();
    }

    /// The gateway closes it, with 1001 where the draft has codes.
    fn is_left(&mut self) {
        if !self.ours {
            let code = (peers::capabilities(self.draft).closing == Closing::Coded).then_some(1001);
            let event = self.event_but_ping();
            assert_eq!(
                event,
                json!({"event": "left", "code": code}),
                "{}",
                self.says
            );
        }
        self.child.end_well();
    }
}

/// In letters of more than one alphabet.
fn says(client: &Meeting) -> String {
    format!("{}: Grüße, Привет, 𝄞", client.name())
}

fn ours_says(draft: Draft) -> String {
    format!("draftgate in {}", draft.name())
}

fn join(gateway: &Gateway, client: &Meeting, all: &[String]) -> Visitor {
    let says = says(client);
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

fn join_ours(gateway: &Gateway, draft: Draft) -> Visitor {
    let says = ours_says(draft);
    let mut command = draftgate("connect");
    command.args(["--verbose", "--draft", draft.name(), &gateway.url(CHANNEL)]);
    Visitor {
        child: Child::start(&says, &mut command),
        draft,
        says,
        ours: true,
    }
}
