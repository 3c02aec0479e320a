//! A controller of hixie-76 that has one connection to give, as the source of a
//! channel: clients of every draft read it, through its loss of power too.

use crate::child::Child;
use crate::gateway::{Gateway, draftgate};
use crate::programs::node;
use crate::proxy::free_address;

/// A controller that speaks in the name `name`, and is ready.
fn controller(address: &str, name: &str) -> Child {
    let (host, port) = address.rsplit_once(':').unwrap();
    let mut command = node("ws04-controller.js");
    command.args([host, port, name]);
    let mut controller = Child::start(name, &mut command);
    assert_eq!(controller.line(), "READY");
    controller
}

/// The number of the next message, which `name` must have said.
fn next(client: &mut Child, name: &str) -> u32 {
    let line = client.line();
    match line
        .strip_prefix(name)
        .and_then(|number| number.trim().parse().ok())
    {
        Some(number) => number,
        None => client.fail(&format!("`{name}` was expected to speak")),
    }
}

#[test]
fn foreign_controller_with_one_connection_feeds_clients_of_every_draft() {
    let address = free_address();
    let mut first = controller(&address, "first");
    let mut gateway = Gateway::with(
        "fed",
        &format!(
            r#"
            [[listeners]]
            address = "127.0.0.1:0"

            [[routes]]
            path = "/values"
            service = "bus"
            drafts = "all"
            origins = ["any"]
            channel = "press-7"
            source = "ws://{address}/data"
            upstream-drafts = ["hybi-13", "hixie-76"]
            "#
        ),
    );
    let open = first.event("open");
    assert_eq!(
        (&open["path"], &open["draft"]),
        (&"/data".into(), &"hixie-76".into())
    );
    let mut clients: Vec<Child> = draftgate_drafts::announced()
        .map(|draft| {
            let mut command = draftgate("connect");
            command.args(["--draft", draft.name(), &gateway.url("/values")]);
            Child::start(draft.name(), &mut command)
        })
        .collect();
    for client in &mut clients {
        let begun = next(client, "first");
        for number in 1..=5 {
            assert_eq!(next(client, "first"), begun + number);
        }
        // It may say what it likes: nobody hears it, see below.
        client.say("from a client");
    }
    // Its power fails, without a word.
    drop(first);
    let mut second = controller(&address, "second");
    second.event("open");
    for client in &mut clients {
        while !client.line().starts_with("second ") {}
        next(client, "second");
    }
    gateway.terminate();
    // Not a message, and nobody whom it had to refuse.
    second.event("close");
    second.end_stdin();
    second.end_well();
    for client in &mut clients {
        for line in client.text().lines() {
            assert!(line.starts_with("second "), "{line}");
        }
    }
    gateway.end_well();
}
