//! The sentence the program exists for: clients of different drafts read each
//! other.

use crate::{
    child::{Running, draftgate},
    serve::{drafts, gateway},
};

/// A client that is open, and so on the bus.
fn joined(draft: &str, url: &str) -> Running {
    let mut client = draftgate(["connect", "-v", "--slash", "--draft", draft, url]).start();
    client.stderr.line_with("connected to");
    if draft == "hello-00" {
        // The gateway says nothing when it has read the HELLO: a pong tells.
        client.write("/ping\n");
        client.stderr.line_with("pong");
    }
    client
}

#[test]
fn clients_of_every_two_drafts_read_each_other() {
    let gateway = gateway(&[]);
    for one in drafts() {
        for other in drafts() {
            let url = format!("ws://{}/bus/{one}.{other}", gateway.address);
            let (mut a, mut b) = (joined(one, &url), joined(other, &url));
            a.write("Hello from A\n");
            assert_eq!(b.stdout.line(), "Hello from A", "{one} to {other}");
            b.write("Grüße von B\n");
            assert_eq!(a.stdout.line(), "Grüße von B", "{other} to {one}");
            for mut client in [a, b] {
                client.end_input();
                client.finish().expect(0, &[]);
            }
        }
    }
    gateway.stop();
}

#[test]
fn channels_do_not_mix() {
    let gateway = gateway(&[]);
    let url = |channel: &str| format!("ws://{}/bus/{channel}", gateway.address);
    let mut a = joined("hixie-76", &url("one"));
    let mut b = joined("hybi-13", &url("two"));
    let mut c = joined("hixie-75", &url("two"));
    a.write("for one\n");
    a.end_input();
    a.finish().expect(0, &[]);
    c.write("for two\n");
    assert_eq!(b.stdout.line(), "for two");
    drop((b, c));
    gateway.stop();
}
