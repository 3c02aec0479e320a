//! `draftgate probe` against the gateway, against nobody, and of files: what it
//! prints, its JSON, its exit codes.

use std::{fs, path::Path};

use draftgate_probe::FindingKind;
use draftgate_vectors::Ends;
use serde_json::Value;

use crate::{
    child::{directory, draftgate},
    script::Script,
    serve::{Gateway, gateway},
};

/// A gateway of its own, and its echo.
fn echo() -> (Gateway, String) {
    let gateway = gateway(&["echo"]);
    let url = gateway.url("/echo");
    (gateway, url)
}

fn json(arguments: &[&str]) -> (Option<i32>, Value) {
    let all = ["probe", "--format", "json"];
    let ended = draftgate(all.into_iter().chain(arguments.iter().copied())).run();
    let report = serde_json::from_str(&ended.stdout);
    (ended.code, report.unwrap_or_else(|_| panic!("{ended:#?}")))
}

fn codes(report: &Value) -> Vec<&str> {
    let findings = report["findings"].as_array().unwrap();
    findings
        .iter()
        .map(|finding| finding["code"].as_str().unwrap())
        .collect()
}

#[test]
fn every_draft_of_the_gateway_works_and_nothing_is_found() {
    let (_gateway, url) = echo();
    let (code, report) = json(&["--send", "Grüße", "--second", &url]);
    assert_eq!((code, codes(&report)), (Some(0), vec![]), "{report:#}");
    let tried = report["drafts"].as_array().unwrap();
    assert_eq!(tried.len(), draftgate_drafts::spoken().count());
    for (tried, draft) in tried.iter().zip(draftgate_drafts::spoken()) {
        assert_eq!(tried["draft"], draft.name());
        assert_eq!(tried["verdict"], "works", "{tried:#}");
        assert_eq!(tried["conversation"]["first-messages"][0], "\"Grüße\"");
        assert!(tried["conversation"]["close-ms"].is_number());
    }
    let best = draftgate_drafts::announced().last().unwrap();
    assert_eq!(report["advice"]["drafts"][0], best.name());

    let ended = draftgate(["probe", &url]).run();
    ended.expect(0, &[]);
    for draft in draftgate_drafts::announced() {
        let line = format!("{:20}works     opened in", draft.with_alias());
        assert!(ended.stdout.contains(&line), "{line}: {}", ended.stdout);
    }
    let advice = format!("draftgate connect {url}");
    assert!(ended.stdout.contains(&advice), "{}", ended.stdout);
}

#[test]
fn drafts_can_be_named_and_those_that_fail_do_so_for_a_reason() {
    let gateway = gateway(&["serve"]);
    let url = gateway.url("/nowhere");
    let (code, report) = json(&["--draft", "13,hixie-75", &url]);
    assert_eq!(code, Some(1));
    let tried = report["drafts"].as_array().unwrap();
    let seen: Vec<_> = tried
        .iter()
        .map(|tried| (&tried["draft"], &tried["because"], &tried["status"]))
        .map(|(draft, because, status)| format!("{draft} {because} {status}"))
        .collect();
    let wanted = [
        "\"hybi-13\" \"not-found\" 404",
        "\"hixie-75\" \"not-found\" 404",
    ];
    assert_eq!(seen, wanted);
    assert_eq!(codes(&report), ["not-found"], "the same is told once");
    assert_eq!(report["works"], false);
}

#[test]
fn nobody_there_is_a_failure_and_wrong_usage_is_another() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("ws://{}/", closed.local_addr().unwrap());
    drop(closed);
    let ended = draftgate(["probe", &url]).run();
    ended.expect(1, &["no draft works"]);
    assert!(ended.stdout.contains("fault connect-refused"));
    for (arguments, said) in [
        (&["http://127.0.0.1/"][..], "no scheme of WebSocket"),
        (&["--draft", "hixie-77", "ws://a/"], "hixie-76"),
        (&["nowhere.txt"], "neither a file nor hexadecimal"),
        (&[], "URL|FILE"),
    ] {
        let ended = draftgate(["probe"].into_iter().chain(arguments.iter().copied())).run();
        ended.expect(2, &[said]);
    }
}

#[test]
fn the_route_that_is_advised_is_a_good_one_and_so_are_the_commands() {
    let echo = gateway(&["echo", "--drafts", "hixie-75,hybi-07"]);
    let (code, report) = json(&["--second", &echo.url("/x")]);
    assert_eq!(code, Some(0));
    let route = report["advice"]["route"].as_object().unwrap();
    assert_eq!(
        route["upstream-drafts"],
        serde_json::json!(["hybi-07", "hixie-75"])
    );
    let keys: String = route
        .iter()
        .map(|(key, value)| format!("{key} = {value}\n"))
        .collect();
    let folder = directory();
    let config =
        format!("drafts = \"all\"\n[[listeners]]\naddress = \"127.0.0.1:0\"\n[[routes]]\n{keys}");
    fs::write(folder.join("gate.toml"), &config).unwrap();
    let checked = draftgate(["check", "-c", "gate.toml"])
        .directory(&folder)
        .run();
    assert_eq!(checked.code, Some(0), "{config}: {checked:#?}");
    let text = draftgate(["probe", &echo.url("/x")]).run().stdout;
    for line in keys.lines() {
        assert!(
            text.contains(&format!("\n      {line}\n")),
            "{line}: {text}"
        );
    }
    let command = |at: usize| {
        let line = report["advice"]["commands"][at]["line"].as_str().unwrap();
        assert!(
            text.contains(&format!("\n      {line}\n")),
            "{line}: {text}"
        );
        let words = line.split(' ').skip(1).map(str::to_owned);
        words.collect::<Vec<_>>()
    };
    let ended = draftgate(command(0).iter().map(String::as_str)).run_with("Hello\n");
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "Hello\n");
    let words = command(1);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let relayed = gateway(&words);
    let ended = draftgate(["connect", &relayed.url("/x")]).run_with("Hello\n");
    ended.expect(0, &[]);
    assert_eq!(ended.stdout, "Hello\n");
}

#[test]
fn what_no_draft_can_ask_for_is_wrong_usage() {
    let (_gateway, url) = echo();
    let ended = draftgate(["probe", "-H", "Host: b", &url]).run();
    ended.expect(2, &["cannot be asked for in any draft"]);
    assert!(ended.stdout.contains("Host is written by the draft itself"));
}

#[test]
fn a_password_is_sent_and_never_shown() {
    let script = Script::start_in_turn(vec![
        // The plain GET, then the opening.
        Box::new(|peer| {
            peer.head();
            peer.say("HTTP/1.1 426 Upgrade Required\r\n\r\n");
            peer.end();
        }),
        Box::new(|peer| {
            let head = peer.head();
            assert!(
                head.contains("Authorization: Basic bWU6c2VjcmV0\r\n"),
                "{head}"
            );
            peer.say("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\n\r\n");
            peer.end();
            peer.expect_any();
        }),
    ]);
    let url = script.url("/").replace("ws://", "ws://me:secret@");
    let ended = draftgate(["probe", "--draft", "13", &url]).run();
    script.finish();
    ended.expect(1, &[]);
    assert!(ended.stdout.contains("fault authentication"));
    assert!(!format!("{ended:?}").contains("secret"), "{ended:#?}");
}

const REQUEST: &str = "GET /demo HTTP/1.1\r\nHost: example.com\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Key2: 12998 5 Y3 1  .P00\r\nUpgrade: WebSocket\r\n\
    Sec-WebSocket-Key1: 4 @1  46546xW%0l 1 5\r\nOrigin: http://example.com\r\n\r\n^n:ds[4U";

#[test]
fn a_request_is_read_from_standard_input_a_file_or_hexadecimal() {
    let folder = directory();
    fs::write(folder.join("request"), REQUEST).unwrap();
    let hex: String = REQUEST.bytes().map(|o| format!("{o:02x} ")).collect();
    fs::write(folder.join("dump"), hex).unwrap();
    for (name, input) in [("request", ""), ("dump", ""), ("-", REQUEST)] {
        let ended = draftgate(["probe", name])
            .directory(&folder)
            .run_with(input);
        ended.expect(0, &[]);
        for text in [
            "a request in hixie-76 = hybi-00",
            "draftgate would answer\n  HTTP/1.1 101 WebSocket Protocol Handshake",
            "and 16 octets",
            "HAProxy 2.6, `mode http` answers 400 itself",
            "nothing is wrong with it",
        ] {
            assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
        }
    }
}

#[test]
fn a_request_that_is_refused_is_a_failure_and_one_that_is_none_wrong_usage() {
    let squeezed = REQUEST.replace("  ", " ").replace(":ds[4U", "");
    let ended = draftgate(["probe", "-"]).run_with(squeezed);
    ended.expect(1, &["the request is refused, or not whole"]);
    for text in [
        "fault recorded-refused",
        "fault recorded-key3-missing",
        "2 of 8 octets follow the head",
        "[challenge-key-invalid]",
    ] {
        assert!(ended.stdout.contains(text), "{text}: {}", ended.stdout);
    }
    let ended = draftgate(["probe", "-"]).run_with("GET / HTTP/1.1\r\nHost: a\r\n");
    ended.expect(2, &["the request's head is not whole"]);
}

#[test]
fn the_commands_of_the_document_work_with_the_gateway_that_is_built_in() {
    let gateway = gateway(&["serve"]);
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let document = fs::read_to_string(root.join("docs/probing.md")).unwrap();
    let (_, block) = document.split_once("\n```\n").unwrap();
    let (block, _) = block.split_once("```").unwrap();
    let commands: Vec<&str> = block.lines().collect();
    assert!(commands.len() >= 5, "{commands:?}");
    for command in commands {
        let command = command.replace("127.0.0.1:8080", &gateway.address);
        let mut words = command.split(' ');
        assert_eq!(words.next(), Some("draftgate"));
        let ended = draftgate(words).directory(&root).run();
        ended.expect(0, &[]);
    }
}

/// What the archive says of each recorded request is what the probe says: which
/// draft it is, or all the rules that it breaks.
#[test]
fn the_archive_and_the_probe_agree_about_every_request() {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let (mut good, mut refused) = (0, 0);
    for vector in draftgate_vectors::load_dir(&archive).unwrap() {
        let request = vector.octets(draftgate_core::Role::Client);
        let recorded = draftgate_probe::Recorded {
            source: vector.name.clone(),
            request,
            answer: vector.octets(draftgate_core::Role::Server),
        };
        let Ok(report) = draftgate_probe::recorded(&recorded) else {
            continue;
        };
        if draftgate_drafts::acceptor(vector.about.draft).is_err() {
            continue;
        }
        let expected = vector.expectation(draftgate_core::Role::Server).stated();
        let Some(expected) = expected else {
            continue;
        };
        let rules = expected
            .refused
            .as_ref()
            .map_or(&[][..], |refused| &refused.rules);
        if !rules.iter().all(|rule| about_the_request(rule)) {
            continue;
        }
        let opens = rules.is_empty() && expected.ends != Ends::MidChallenge;
        assert_eq!(
            report.works(),
            opens,
            "{}: {:#?}",
            vector.name,
            report.findings
        );
        if opens {
            good += 1;
            let draft = report.request.and_then(|request| request.draft);
            let may = draftgate_drafts::may_announce(vector.about.draft, draft.unwrap());
            assert!(may, "{}: {draft:?}", vector.name);
        } else if !rules.is_empty() {
            refused += 1;
            let request = report.request.unwrap();
            let codes = request.refused.iter().map(|refusal| refusal.code());
            let mut codes: Vec<_> = codes.collect();
            // Those are the gateway's rules, and no draft's.
            for (kind, code) in [
                (FindingKind::RecordedKey3Missing, "key3-timeout"),
                (FindingKind::RecordedBody, "body-unexpected"),
            ] {
                let found = report.findings.iter().any(|found| found.kind == kind);
                codes.extend(found.then_some(code));
            }
            codes.sort_unstable();
            let mut rules = rules.to_vec();
            rules.sort_unstable();
            assert_eq!(codes, rules, "{}", vector.name);
        }
    }
    assert!(
        good > 300 && refused > 30,
        "{good} are good, {refused} refused"
    );
}

/// Whether a rule is about what is in the request, and not about what a server
/// wants (origins, paths, drafts that are switched off).
fn about_the_request(rule: &str) -> bool {
    use draftgate_drafts::opening::RefusalKind;

    let wanted = [RefusalKind::OriginRefused, RefusalKind::DraftNotEnabled];
    let mut ours = RefusalKind::ALL
        .iter()
        .filter(|kind| !wanted.contains(kind));
    ours.any(|kind| kind.code() == rule) || ["key3-timeout", "body-unexpected"].contains(&rule)
}
