//! `draftgate replay`: the archive against our codecs, against a gateway of
//! ours and to a client of ours; what a mismatch looks like, and which files
//! are refused.

use std::{fs, net::TcpListener, path::PathBuf};

use draftgate_core::Draft;
use draftgate_drafts::announced;
use draftgate_testkit::documents::holds;

use crate::child::{Ended, Running, directory, draftgate};

const ARCHIVE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../interop-vectors");

/// `draftgate replay` of the archive.
fn replay<'a>(arguments: impl IntoIterator<Item = &'a str>) -> Ended {
    draftgate(["replay", ARCHIVE].into_iter().chain(arguments)).run()
}

#[test]
fn the_archive_passes_whole_and_in_pieces() {
    for split in [&[][..], &["--split", "random:4"], &["--split", "3"]] {
        passes(replay(split.iter().copied()));
    }
}

#[test]
fn servers_pass_cut_at_each_octet() {
    passes(replay(["--split", "each", "--role", "server"]));
}

#[test]
fn clients_pass_cut_at_each_octet() {
    passes(replay(["--split", "each", "--role", "client"]));
}

fn passes(ended: Ended) {
    ended.expect(0, &[]);
    assert!(ended.stdout.ends_with("all as expected\n"), "{ended:#?}");
    assert!(!ended.stdout.contains("mismatch:"), "{ended:#?}");
    assert_eq!(ended.stderr, "", "no bar where there is no terminal");
}

/// A gateway of ours, and the URL of one of its routes.
fn serving(arguments: &[&str]) -> (Running, String) {
    let mut running = draftgate(arguments.iter().copied()).start();
    let line = running.stdout.line_with("ws://");
    let (_, rest) = line.split_once("ws://").unwrap();
    let host = rest.split(['/', ' ']).next().unwrap();
    (running, format!("ws://{host}/echo"))
}

#[test]
fn the_archive_passes_against_a_running_gateway() {
    let (_running, url) = serving(&["echo", "--listen", "127.0.0.1:0", "--any-origin"]);
    for how in [
        &["--echo"][..],
        &["--exact"],
        &["--split", "each", "--jobs", "30"],
    ] {
        let arguments = ["--target", &url, "--timeout", "20s"].into_iter();
        let ended = replay(arguments.chain(how.iter().copied()));
        ended.expect(0, &[]);
        assert!(ended.stdout.ends_with("all as expected\n"), "{ended:#?}");
        for draft in announced() {
            let row = format!("{:<10}server", draft.name());
            assert!(ended.stdout.contains(&row), "{row}: {}", ended.stdout);
        }
    }
}

/// What compresses, as a route that keeps contexts agrees on it; another one agrees
/// otherwise, and what hangs on it is left out.
#[test]
fn compressed_exchanges_pass_against_a_gateway_that_compresses() {
    let folder = directory();
    let config = |keys: &str| {
        let path = folder.join(format!("{}.toml", keys.len()));
        let text = format!(
            "drafts = \"all\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n\
             [[routes]]\npath = \"/echo\"\nservice = \"echo\"\norigins = [\"any\"]\n{keys}"
        );
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let against = |keys: &str| {
        let config = config(keys);
        let (_running, url) = serving(&["serve", "--config", &config, "--listen", "127.0.0.1:0"]);
        let arguments = ["--tag", "deflate", "--target", &url, "--timeout", "20s"];
        let ended = replay(arguments);
        ended.expect(0, &[]);
        assert!(ended.stdout.ends_with("all as expected\n"), "{ended:#?}");
        ended.stdout
    };
    let otherwise = |said: &str| {
        let agrees = |line: &&str| {
            line.contains("the server agrees on ") || line.contains("the server does not agree")
        };
        said.lines().filter(agrees).count()
    };
    let kept = against(
        "compression = true\ncompression-context = true\ncompression-stream = true\ncompression-least = \"1B\"\n",
    );
    assert_eq!(otherwise(&kept), 0, "{kept}");
    let forgotten = against("compression = true\n");
    assert!(forgotten.contains("the server agrees on permessage-deflate; server_no_context_takeover; client_no_context_takeover, and not on permessage-deflate"), "{forgotten}");
    assert!(
        forgotten.contains("the server does not agree on deflate-stream"),
        "{forgotten}"
    );
    let none = against("");
    assert!(
        none.contains("the server does not agree on permessage-deflate"),
        "{none}"
    );
}

#[test]
fn the_archive_passes_against_a_gateway_without_configuration() {
    let (_running, url) = serving(&["serve", "--listen", "127.0.0.1:0"]);
    passes(replay([
        "--target",
        &url,
        "--origin",
        "http://localhost",
        "--timeout",
        "20s",
    ]));
}

/// The routes and origins that the exchanges about a front end name.
const FRONT_END: &str = "\
drafts = \"all\"
[[listeners]]
address = \"127.0.0.1:0\"
page = true
[[routes]]
path = \"/echo\"
service = \"echo\"
origins = [\"http://example.com\", \"missing\"]
[[routes]]
path = \"/bus/{channel}\"
service = \"bus\"
origins = [\"http://example.com\", \"missing\"]
";

#[test]
fn what_only_a_front_end_refuses_passes_against_one() {
    let directory = directory();
    let file = directory.join("gate.toml");
    fs::write(&file, FRONT_END).unwrap();
    let (_running, url) = serving(&["serve", "-c", file.to_str().unwrap()]);
    let ended = replay(["--target", &url, "--tag", "front-end"]);
    ended.expect(0, &[]);
    assert!(ended.stdout.ends_with("all as expected\n"), "{ended:#?}");
}

#[test]
fn our_client_passes_as_the_client_under_test() {
    // Of those between no answer that is wrong was written down.
    let between = Draft::Hybi01..Draft::Hybi06;
    for draft in announced().filter(|draft| !between.contains(draft)) {
        let draft = draft.name();
        let arguments = ["replay", ARCHIVE, "--draft", draft, "--name", "*malformed*"];
        let more = [
            "--name",
            "*refused*",
            "--listen",
            "127.0.0.1:0",
            "--timeout",
            "20s",
        ];
        let mut runner = draftgate(arguments.into_iter().chain(more)).start();
        let line = runner.stderr.line_with("ws://");
        let url = line.split_once("ws://").unwrap().1.trim().to_owned();
        let url = format!("ws://{url}");
        loop {
            // Its input stays open: it ends when the runner ends it. Some
            // answers are wrong only to who asked for a subprotocol.
            let connect = ["connect", "--draft", draft, "--subprotocol", "x", &url];
            let mut client = draftgate(connect).start();
            let judged = runner.stderr.line_or_end();
            client.end_input();
            client.finish();
            if judged.is_none() {
                break;
            }
        }
        let ended = runner.finish();
        ended.expect(0, &[]);
        assert!(ended.stdout.contains("all as expected"), "{ended:#?}");
    }
}

const ECHO: &str = "hybi-13/text.client-perl-protocol-websocket.server-netty.toml";

/// An exchange of the archive with `old` made `new`, in a directory of its own;
/// its hash is that of what it says now.
fn mutated(old: &str, new: &str) -> PathBuf {
    mutated_of(ECHO, old, new)
}

fn mutated_of(file: &str, old: &str, new: &str) -> PathBuf {
    let path = directory().join("mutated.toml");
    let text = fs::read_to_string(format!("{ARCHIVE}/{file}")).unwrap();
    assert!(text.contains(old), "{old}: {text}");
    fs::write(&path, text.replacen(old, new, 1)).unwrap();
    let ended = draftgate(["replay", path.to_str().unwrap()]).run();
    if let Some((_, rest)) = ended.stderr.split_once("have the SHA-256 ") {
        let (now, rest) = rest.split_once(", ").unwrap();
        let stated = rest
            .split_once("says ")
            .unwrap()
            .1
            .split(';')
            .next()
            .unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace(stated, now)).unwrap();
    }
    path
}

#[test]
fn a_changed_octet_is_a_mismatch_that_names_its_field() {
    for (old, new, field) in [
        // The payload of the server's frame, its opcode, its length.
        ("hex = \"81 05 48", "hex = \"81 05 49", "payload data"),
        ("hex = \"81 05 48", "hex = \"82 05 48", "opcode"),
        ("hex = \"81 05 48", "hex = \"c1 05 48", "RSV1"),
        // The client's key, and with it the accept that is due.
        ("${key=fFv/8cjc", "${key=gFv/8cjc", "Sec-WebSocket-Accept"),
    ] {
        let path = mutated(old, new);
        let ended = draftgate(["replay", path.to_str().unwrap()]).run();
        ended.expect(1, &["not as expected"]);
        let differs = ended
            .stdout
            .lines()
            .find(|line| line.contains("differs in:"));
        assert!(
            differs.is_some_and(|line| line.contains(field)),
            "{field}: {ended:#?}"
        );
    }
}

#[test]
fn a_compressed_message_that_is_another_one_is_shown_as_it_was() {
    let hello = "hex = \"c1 07 f2 48 cd c9 c9 07 00";
    let hallo = "hex = \"c1 07 f2 48 cc c9 c9 07 00";
    let path = mutated_of("hybi-13/example.permessage-deflate.toml", hello, hallo);
    let ended = draftgate(["replay", path.to_str().unwrap()]).run();
    ended.expect(1, &["not as expected"]);
    let said = &ended.stdout;
    assert!(said.contains("RSV1: the message is compressed"), "{said}");
    assert!(said.contains("holds 5 octets: \"Hallo\""), "{said}");
    assert!(!said.contains("reserved-bits"), "{said}");
}

#[test]
fn the_mismatch_in_the_page_on_vectors_is_what_is_printed() {
    let path = mutated("{ text = \"Hello\" }", "{ text = \"Hallo\" }");
    let ended = draftgate(["replay", path.to_str().unwrap(), "--role", "server"]).run();
    ended.expect(1, &["1 of 1 replays are not as expected"]);
    // All but the last line, which says how long it took.
    let (report, _) = ended.stdout.split_once("\n1 replays").unwrap();
    let shown = format!("```text\n{report}```\n");
    holds("docs/vectors.md", "mismatch", &shown);
}

#[test]
fn a_bad_file_is_refused_with_its_line_before_anything_runs() {
    let good = fs::read_to_string(format!("{ARCHIVE}/{ECHO}")).unwrap();
    for (old, new, said) in [
        ("scenario = \"text\"\n", "", "lacks `scenario`"),
        ("scenario = ", "scenery = \"x\"\nscenario = ", "scenery"),
        ("hex = \"", "hex = \"8 ", "hexadecimal"),
        ("format = 1", "format = 2", "`format = 2` is not known"),
    ] {
        let path = directory().join("bad.toml");
        fs::write(&path, good.replacen(old, new, 1)).unwrap();
        let ended = draftgate(["replay", ARCHIVE, path.to_str().unwrap()]).run();
        ended.expect(2, &["bad.toml:", said]);
        assert_eq!(ended.stdout, "", "nothing ran");
    }
}

#[test]
fn everything_that_is_wrong_with_a_bad_file_is_told() {
    let good = fs::read_to_string(format!("{ARCHIVE}/{ECHO}")).unwrap();
    let path = directory().join("bad.toml");
    fs::write(&path, good.replace("scenario = ", "scenery = ")).unwrap();
    let file = path.to_str().unwrap();
    let out = directory().join("out");
    let out = out.to_str().unwrap();
    for (verb, code) in [
        (&["replay", file][..], 2),
        (&["explain", file], 1),
        (&["vectors", "redact", file], 1),
        (&["vectors", "export", file, "-o", out], 1),
    ] {
        let ended = draftgate(verb.iter().copied()).run();
        ended.expect(code, &["lacks `scenario`", "did you mean `scenario`?"]);
    }
}

#[test]
fn a_peer_that_nobody_knows_is_told() {
    let ended = replay(["--peer", "websocket_driver", "--draft", "hixie-75"]);
    ended.expect(
        0,
        &["begins with `websocket_driver`", "websocket-driver 0.6.5"],
    );
    let ended = replay(["--peer", "websocket-driver", "--role", "client"]);
    ended.expect(0, &[]);
    assert_eq!(ended.stderr, "");
}

#[test]
fn who_forgets_the_origin_is_told() {
    let (_running, url) = serving(&["serve", "--listen", "127.0.0.1:0"]);
    let ended = replay(["--target", &url, "--draft", "hixie-75", "--timeout", "20s"]);
    ended.expect(1, &["are answered with 403", "--origin http://localhost"]);
    assert!(ended.stdout.contains("Code: origin-refused"), "{ended:#?}");
}

#[test]
fn who_is_stopped_reports_what_was_replayed_and_fails() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", silent.local_addr().unwrap());
    for signal in ["INT", "TERM"] {
        let path = format!("{ARCHIVE}/{ECHO}");
        let arguments = ["replay", &path, "--target", &url, "--timeout", "1h"];
        let running = draftgate(arguments).start();
        // One connection finds out whether there is a server, one is the replay.
        let _connections = [silent.accept().unwrap(), silent.accept().unwrap()];
        running.signal(signal);
        let ended = running.finish();
        ended.expect(1, &["stopped by a signal after 0 of 1 replays"]);
        let said = "    1  it was stopped before";
        assert!(ended.stdout.contains(said), "{ended:#?}");
    }
}

/// Exchanges that expect a breach to fail fail themselves, and no others do: what
/// is let pass is looked for in no other draft.
#[test]
fn strictness_is_that_of_the_draft_it_is_about() {
    let loosened = [
        ("hybi-08", "hybi-08", &["reserved-bits", "not-utf8"][..]),
        ("lenient", "hybi-13", &["length-not-minimal"]),
    ];
    for (words, draft, rules) in loosened {
        let others = announced().filter(|other| other.name() != draft);
        let others = others.flat_map(|other| ["--draft", other.name()]);
        passes(replay(others.chain(["--strictness", words])));
        let ended = replay(["--draft", draft, "--strictness", words]);
        ended.expect(1, &[]);
        let mut mismatches = ended.stdout.lines().filter(|l| l.starts_with("mismatch: "));
        let is_one = |line: &str| rules.iter().any(|rule| line.contains(rule));
        assert!(mismatches.all(is_one), "{ended:#?}");
        for rule in rules {
            let malformed = format!("mismatch: {draft}/malformed.{rule}.by-client");
            assert!(ended.stdout.contains(&malformed), "{ended:#?}");
        }
    }
    let ended = replay(["--target", "ws://127.0.0.1:1/", "--strictness", "lenient"]);
    ended.expect(2, &["cannot be used with"]);
}

#[test]
fn nothing_passes_where_nothing_is_replayed() {
    let ended = replay(["--name", "no such name"]);
    ended.expect(2, &["nothing was replayed"]);
    let ended = replay(["--name", "hixie-76/refused.origin-refused"]);
    ended.expect(2, &["nothing was replayed: all "]);
    let ended = replay(["--name", "["]);
    ended.expect(2, &["is no pattern"]);
    let ended = replay(["--split", "half"]);
    ended.expect(2, &["write `each`"]);
    let ended = replay(["--jobs", "0"]);
    ended.expect(2, &["write a whole number from 1"]);
    let ended = replay(["--timeout", "0s"]);
    ended.expect(2, &["write for example `5s`"]);
    let ended = replay(["--listen", "9000"]);
    ended.expect(2, &["write an IP address and a port"]);
    let ended = replay(["--target", "ws://127.0.0.1:1/", "--role", "client"]);
    ended.expect(2, &["--target tests a server"]);
    let ended = replay(["--target", "ws://127.0.0.1:1/"]);
    ended.expect(1, &["cannot connect to ws://127.0.0.1:1/"]);
}

#[test]
fn reports_are_read_by_programs() {
    let file = directory().join("report.json");
    let ended = replay(["--format", "json", "-o", file.to_str().unwrap()]);
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "");
    let report: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(report["against"], "codecs");
    assert_eq!(report["counts"]["mismatches"], 0);
    let passed = report["counts"]["passed"].as_u64().unwrap();
    assert!(passed >= 400, "{passed}");
    let exchanges = report["exchanges"].as_array().unwrap();
    assert!(exchanges.iter().any(|one| one["outcome"] == "skipped"));

    let ended = replay(["--format", "junit"]);
    ended.expect(0, &[]);
    assert!(
        ended.stdout.starts_with("<?xml version=\"1.0\""),
        "{ended:?}"
    );
    assert!(ended.stdout.contains("failures=\"0\""));
}
