//! The archive in `interop-vectors/`: that it loads, that its index is up to
//! date, and that what it expects of an answer is what the recorded servers
//! said wherever their answer is a good one.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use draftgate_core::{Draft, Role, Rule};
use draftgate_vectors::{Ends, Form, Head, Kind, Vector, load_dir, with_index};

fn archive() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors")
}

fn vectors() -> Vec<Vector> {
    load_dir(archive()).unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn every_vector_loads_and_lies_in_the_directory_of_its_draft() {
    for vector in vectors() {
        let directory = vector.name.split('/').next().unwrap();
        assert_eq!(directory, vector.about.draft.name(), "{}", vector.name);
    }
}

#[test]
fn each_draft_has_streams_both_roles_can_read() {
    let vectors = vectors();
    let drafts: BTreeSet<_> = vectors.iter().map(|v| v.about.draft).collect();
    assert!(drafts.len() >= 6, "{drafts:?}");
    for draft in drafts {
        let of_draft = || vectors.iter().filter(|v| v.about.draft == draft);
        if of_draft().count() < 20 {
            continue; // a handful of examples: nobody recorded more
        }
        for role in [Role::Client, Role::Server] {
            let readable = of_draft()
                .filter_map(|v| v.expectation(role).stated())
                .filter(|stated| stated.events.len() > 1);
            assert!(readable.count() >= 5, "{draft} {role:?}");
        }
    }
}

#[test]
fn the_index_in_the_readme_is_up_to_date() {
    let readme = fs::read_to_string(archive().join("README.md")).unwrap();
    let fresh = with_index(&readme, &vectors()).unwrap_or_else(|e| panic!("{e}"));
    assert!(
        readme == fresh,
        "interop-vectors/README.md is out of date: run cargo run -p draftgate-vectors --example index"
    );
}

/// The part of the README that says what no octets of a peer show.
fn not_provoked() -> String {
    let readme = fs::read_to_string(archive().join("README.md")).unwrap();
    let from = readme
        .split("### What octets cannot provoke")
        .nth(1)
        .unwrap();
    from.split("### Deviations").next().unwrap().to_owned()
}

#[test]
fn every_rule_of_a_connection_is_broken_or_said_to_be_out_of_reach() {
    let vectors = vectors();
    let out_of_reach = not_provoked();
    for rule in Rule::ALL {
        let broken = |v: &&Vector| {
            let roles = [Role::Client, Role::Server].into_iter();
            let mut stated = roles.filter_map(|role| v.expectation(role).stated());
            stated.any(|s| {
                let violation = s.violation.as_ref();
                let refused = s.refused.as_ref();
                // A HELLO stands in front of the open connection.
                violation.is_some_and(|broken| broken.rule == rule)
                    || refused.is_some_and(|why| why.rules.iter().any(|it| it == rule.code()))
            })
        };
        let broken = vectors.iter().filter(broken).count();
        let listed = out_of_reach.contains(&format!("`{}` belongs to", rule.code()));
        assert!((broken > 0) != listed, "{rule:?}: broken {broken} times");
    }
}

#[test]
fn every_file_of_octets_belongs_to_a_vector() {
    let mut named = BTreeSet::new();
    for vector in vectors() {
        for step in &vector.steps {
            if let Some(Form::File(name)) = step.content().map(|content| &content.form) {
                named.insert(vector.path.with_file_name(name));
            }
        }
        // What an event names: a message whose octets lie scattered in its frames.
        let text = fs::read_to_string(&vector.path).unwrap();
        let named_by_events = text.split("file = \"").skip(1);
        let names = named_by_events.filter_map(|rest| rest.split('"').next());
        named.extend(names.map(|name| vector.path.with_file_name(name)));
    }
    for draft in fs::read_dir(archive()).unwrap().map(|e| e.unwrap().path()) {
        if !draft.is_dir() {
            continue;
        }
        for path in fs::read_dir(draft).unwrap().map(|e| e.unwrap().path()) {
            let known = path.extension().is_some_and(|e| e == "toml") || named.contains(&path);
            assert!(known, "{} belongs to no vector", path.display());
        }
    }
}

#[test]
fn a_recorded_answer_says_what_we_must_say_unless_it_is_refused_for_it() {
    let mut compared = 0;
    for vector in vectors() {
        let (Some(ours), Some(judged), Some(theirs)) = (
            vector.expectation(Role::Server).stated(),
            vector.expectation(Role::Client).stated(),
            vector.head(Role::Server),
        ) else {
            continue;
        };
        // Which fields an answer of hello-00 needs is not known for certain.
        if !ours.ends.after_opening() || vector.about.draft == Draft::Hello00 {
            continue;
        }
        let rules = judged.refused.as_ref().map_or(&[][..], |r| &r.rules[..]);
        let faulty = |rule: &str| rules.iter().any(|r| r == rule || r == "answer-status");
        let prefix = match vector.about.draft {
            Draft::Hixie75 => "WebSocket-",
            _ => "Sec-WebSocket-",
        };
        let answer = &ours.answer;
        for (name, expected, rule) in [
            ("Origin", &answer.origin, "answer-origin"),
            ("Location", &answer.location, "answer-location"),
            ("Accept", &answer.accept, "answer-accept"),
            ("Protocol", &answer.subprotocol, "answer-subprotocol"),
        ] {
            let found = theirs.field(&format!("{prefix}{name}"));
            let equal = found == expected.as_deref();
            assert!(
                equal || faulty(rule),
                "{}: {name}: {expected:?}, recorded {found:?}",
                vector.name
            );
            compared += usize::from(equal && found.is_some());
        }
        if let Some(md5) = answer.md5
            && !faulty("answer-challenge")
        {
            let recorded = vector.after_head(Role::Server);
            assert_eq!(
                recorded.first_chunk(),
                Some(&md5),
                "{}: challenge",
                vector.name
            );
            compared += 1;
        }
    }
    assert!(compared > 250, "only {compared} facts were compared");
}

#[test]
fn what_an_expectation_needs_of_the_request_is_there() {
    for vector in vectors() {
        let Some(server) = vector.expectation(Role::Server).stated() else {
            continue;
        };
        let request = vector.head(Role::Client);
        let has = |name| {
            request
                .as_ref()
                .and_then(|h: &Head| h.field(name))
                .is_some()
        };
        let name = &vector.name;
        match (vector.about.draft, server.ends) {
            (_, Ends::Refused) => {}
            (_, Ends::Nothing | Ends::MidHead) => assert_eq!(request, None, "{name}"),
            (Draft::Hixie76, ends) => {
                assert!(
                    has("Sec-WebSocket-Key1") && has("Sec-WebSocket-Key2"),
                    "{name}"
                );
                assert_eq!(
                    vector.key3().is_none(),
                    ends == Ends::MidChallenge,
                    "{name}"
                );
                let md5 = server.answer.md5.is_some();
                assert_eq!(md5, ends.after_opening(), "{name}");
            }
            (draft, ends) if draft.version().is_some() && ends.after_opening() => {
                assert!(
                    has("Sec-WebSocket-Key") && server.answer.accept.is_some(),
                    "{name}"
                );
            }
            (Draft::Hixie75, ends) if ends.after_opening() => {
                assert!(has("Origin") && server.answer.location.is_some(), "{name}");
            }
            _ => {}
        }
    }
}

/// Whether every `name=value` of `pairs` has a value of nothing but `x`.
fn is_blotted(pairs: &str, between: char) -> bool {
    let mut values = pairs.split(between).filter_map(|pair| pair.split_once('='));
    values.all(|(_, value)| value.bytes().all(|octet| octet == b'x'))
}

#[test]
fn nobodys_secret_stands_in_a_head() {
    let mut blotted = 0;
    for vector in vectors() {
        // What was written for the archive is nobody's.
        if !matches!(vector.about.kind, Kind::Captured | Kind::Published) {
            continue;
        }
        let heads = [Role::Client, Role::Server].map(|side| vector.head(side));
        for (name, value) in heads.iter().flatten().flat_map(Head::fields) {
            let name = name.to_ascii_lowercase();
            if name == "cookie" || name == "set-cookie" {
                assert!(is_blotted(value, ';'), "{}: {name}: {value}", vector.name);
                blotted += usize::from(value.contains("=x"));
            }
            let proves = name == "authorization" || name == "proxy-authorization";
            assert!(!proves, "{}: {name}: {value}", vector.name);
        }
        let target = heads[0].as_ref().and_then(Head::target).unwrap_or("");
        for pair in target.split(['?', '&']).skip(1) {
            let name = pair.split('=').next().unwrap().to_ascii_lowercase();
            let secret = ["sid", "session", "token", "auth", "key", "password"];
            let secret = secret.iter().any(|word| name.contains(word));
            assert!(!secret || is_blotted(pair, '&'), "{}: {pair}", vector.name);
        }
    }
    assert!(blotted >= 5, "only {blotted} values were looked at");
}

#[test]
fn what_depends_on_a_limit_says_so_in_a_tag() {
    let limits = [
        Rule::FrameTooBig,
        Rule::MessageTooBig,
        Rule::TooManyFragments,
    ];
    let heads = ["head-too-large", "answer-too-long"];
    let mut limited = 0;
    for vector in vectors() {
        let roles = [Role::Client, Role::Server].into_iter();
        let depends = roles
            .filter_map(|role| vector.expectation(role).stated())
            .any(|stated| {
                let violation = stated.violation.as_ref();
                let refused = stated.refused.as_ref();
                violation.is_some_and(|broken| limits.contains(&broken.rule))
                    || refused.is_some_and(|why| why.rules.iter().any(|r| heads.contains(&&r[..])))
            });
        let tagged = vector.about.tags.iter().any(|tag| tag == "limit");
        assert!(tagged || !depends, "{}", vector.name);
        limited += usize::from(depends);
    }
    assert!(limited > 20, "only {limited} depend on a limit");
}
