//! `draftgate admin` against a gateway: every verb, every exit code, and the
//! commands of the page on administering as they stand there.

use std::{fs, net::TcpListener};

use crate::{
    child::{Ended, directory, draftgate},
    documents::{holds, printed},
    serve::{Gateway, gateway},
};

/// A gateway with an admin listener, and where that is.
fn administered(arguments: &[&str]) -> (Gateway, String) {
    let mut gateway = gateway(arguments);
    let line = gateway.process.stdout.line_with("admin http://");
    let (_, address) = line.split_once("http://").unwrap();
    (gateway, address.trim().to_owned())
}

const SERVE: [&str; 3] = ["serve", "--admin", "127.0.0.1:0"];

fn admin(address: &str, words: &[&str]) -> Ended {
    let arguments = ["admin", "--address", address];
    draftgate(arguments.into_iter().chain(words.iter().copied())).run()
}

#[test]
fn every_verb_is_answered_and_a_drain_ends_the_gateway_well() {
    let (mut gateway, address) = administered(&SERVE);
    let client = gateway.url("/echo");
    let mut client = draftgate(["connect", "--draft", "hixie-76", client.as_str()]).start();
    client.write("hello\n");
    client.stdout.line_with("hello");
    for (words, said) in [
        (&["health"][..], "ok\n"),
        (&["ready"], "ready\n"),
        (
            &["metrics"],
            "draftgate_connections{draft=\"hixie-76\"} 1\n",
        ),
        (&["status"], "connections           1\n"),
        (&["routes"], "/bus/{channel}  bus"),
        (&["connections"], "  /echo "),
        (
            &["connections", "--draft", "hybi-00", "--path", "/ec*"],
            "1 of 1\n",
        ),
        (&["connections", "--draft", "hybi-13"], "0 of 0\n"),
        (&["connection", "c1"], "GET /echo HTTP/1.1\n"),
        (&["handshakes"], "0 of 0\n"),
        (&["log"], "level  info\n"),
        (&["log", "debug"], "level  debug\n"),
        (&["--format", "json", "log"], "\"level\": \"debug\""),
    ] {
        let ended = admin(&address, words);
        ended.expect(0, &[]);
        assert!(ended.stdout.contains(said), "{words:?}: {}", ended.stdout);
    }
    let help = draftgate(["admin", "close", "--help"]).run();
    for part in [
        "\nWhich gateway:\n",
        "\nWhich connections:\n",
        "\nHow they are closed:\n      --code",
        "\nHow it is told:\n      --format",
        "<FORMAT>",
        "close c4711",
    ] {
        assert!(help.stdout.contains(part), "{part}: {}", help.stdout);
    }
    // What is refused can be looked up by the id that the client was told.
    let nowhere = gateway.url("/nowhere?token=s3cret-s3cret-s3cret");
    let refused = draftgate(["connect", "--draft", "hybi-13", nowhere.as_str()]).run();
    let told = format!("{}{}", refused.stdout, refused.stderr);
    assert!(told.contains("Id: c2"), "{told}");
    let shown = admin(&address, &["handshakes", "c2"]);
    shown.expect(0, &[]);
    for part in [
        "path-unknown",
        "what to do  ",
        "GET /nowhere?token=redacted HTTP/1.1",
    ] {
        assert!(shown.stdout.contains(part), "{part}: {}", shown.stdout);
    }
    admin(&address, &["close", "c1", "--reason", "maintenance"]).expect(0, &[]);
    client.finish();
    // At debug, as was asked for.
    gateway.process.stderr.line_with("an operator's order");
    admin(&address, &["drain", "--within", "5s"]).expect(0, &[]);
    gateway.process.finish().expect(0, &[]);
    admin(&address, &["health"]).expect(69, &["nobody answers"]);
}

#[test]
fn exit_codes_say_how_it_failed() {
    let (gateway, address) = administered(&SERVE);
    for (words, code, said) in [
        (
            &["connection", "c999"][..],
            1,
            "`draftgate admin connections`",
        ),
        (&["handshakes", "c999"], 1, "is remembered"),
        (&["close"], 2, "`--all` closes"),
        (
            &["close", "--path", "/x", "--code", "1005"],
            2,
            "`code` must be",
        ),
        (&["connections", "--older", "5"], 2, "`older` must be"),
        (&["connections", "--draft", "hybi-99"], 2, "hybi-99"),
        (&["connection", "../log"], 2, "is no id"),
        (&["log", "loud"], 2, "loud"),
        (&["nothing"], 2, "nothing"),
    ] {
        admin(&address, words).expect(code, &[said]);
    }
    // The gateway's own port is no admin listener.
    admin(&gateway.address, &["status"]).expect(76, &["not as an admin listener"]);
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = port.local_addr().unwrap().to_string();
    drop(port);
    admin(&nobody, &["health"]).expect(69, &["nobody answers"]);
    gateway.stop();
}

#[test]
fn the_configuration_says_where_and_with_which_token() {
    let folder = directory();
    let token = folder.join("token");
    fs::write(&token, "0123456789abcdef0123456789abcdef\n").unwrap();
    let file = folder.join("gate.toml");
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let text = format!(
        "drafts = \"all\"\n[admin]\naddress = \"{address}\"\ntoken-file = {token:?}\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n"
    );
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let (gateway, printed) = administered(&["serve", "-c", file]);
    assert_eq!(printed, address);
    draftgate(["admin", "-c", file, "status"])
        .run()
        .expect(0, &[]);
    draftgate(["admin", "status", "-c", file])
        .run()
        .expect(0, &[]);
    let named = draftgate(["admin", "status"]).env("DRAFTGATE_CONFIG", file);
    named.run().expect(0, &[]);
    admin(&address, &["health"]).expect(0, &[]);
    admin(&address, &["status"]).expect(77, &["needs the token", "--token-file"]);
    let wrong = || draftgate(["admin", "--address", &address, "status"]);
    let other = "fedcba9876543210fedcba9876543210";
    let ended = wrong().env("DRAFTGATE_ADMIN_TOKEN", other).run();
    ended.expect(77, &["not the token"]);
    let right = "0123456789abcdef0123456789abcdef";
    let ended = wrong().env("DRAFTGATE_ADMIN_TOKEN", right).run();
    ended.expect(0, &[]);
    admin(
        &address,
        &["--token-file", token.to_str().unwrap(), "status"],
    )
    .expect(0, &[]);
    admin(&address, &["--token-file", "/nowhere", "status"]).expect(2, &["cannot read"]);
    gateway.stop();
    // Elsewhere than on loopback there must be one.
    let open = draftgate(["serve", "--listen", "127.0.0.1:0", "--admin", "0.0.0.0:0"]).run();
    open.expect(2, &["there is no token"]);
}

#[test]
fn a_gateway_is_asked_whatever_else_its_file_says() {
    let (gateway, address) = administered(&SERVE);
    let folder = directory();
    let file = folder.join("gate.toml");
    let asked = |text: &str| {
        fs::write(&file, text).unwrap();
        draftgate(["admin", "-c", file.to_str().unwrap(), "health"]).run()
    };
    let table = format!("[admin]\naddress = \"{address}\"\n");
    for behind in [
        "[[routes]]\npath = \"/echo\"\nservice = \"ecko\"\n",
        "[[listeners]]\naddress = \"127.0.0.1:1\"\ntls = { certificate = \"/no\", key = \"/no\" }\n",
        "[log]\nlevel =\n",
    ] {
        asked(&format!("{table}{behind}")).expect(0, &[]);
    }
    let parts = [
        "cannot find the admin",
        "not TOML",
        "--address",
        "--token-file",
    ];
    asked("[admin]\naddress = 127\n.0.0.1\n").expect(78, &parts);
    // With a token that cannot be read, another can be shown.
    let text = format!("{table}token-file = \"/nowhere\"\n");
    asked(&text).expect(78, &["/nowhere", "--token-file"]);
    let named = draftgate(["admin", "-c", file.to_str().unwrap(), "health"]);
    let named = named.env("DRAFTGATE_ADMIN_TOKEN", "0123456789abcdef");
    named.run().expect(0, &[]);
    gateway.stop();
}

#[test]
fn the_commands_of_the_page_on_administering_are_run() {
    let (gateway, address) = administered(&SERVE);
    let blocks = holds("docs/administering.md", &["draftgate admin"], |command| {
        let at = format!("draftgate admin --address {address}");
        printed(&command.replacen("draftgate admin", &at, 1))
    });
    assert_eq!(blocks, 1);
    gateway.stop();
}
