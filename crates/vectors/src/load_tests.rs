//! What a vector may get wrong, and the sentence each mistake is told with.

use draftgate_core::{Close, Draft, Event, Message, Notice, Role, Rule};

use super::*;
use crate::{Ends, Expectation, Form, Kind};

const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// SHA-256 of `GET / HTTP/1.1`, CR LF twice, and `ab`.
const REQUEST: &str = "REQUEST";

fn text() -> String {
    let request = b"GET / HTTP/1.1\r\n\r\nab";
    r#"format = 1

[about]
draft = "hixie-76"
kind = "captured"
role = "both"
scenario = "text"
client = "c 1"
server = "s 2"
source = "a test"

[about.streams]
client = { octets = 20, sha256 = "REQUEST" }
server = { octets = 0, sha256 = "EMPTY" }

[[step]]
from = "client"
text = """\
GET / HTTP/1.1\r\n\
\r\n\
"""

[[step]]
from = "client"
note = "more"
file = "two.bin"

[expect.server]
events = [
    "opened",
    { text = "é" },
    { text-file = { file = "two.bin", offset = 1 } },
    { binary = "00 FF" },
    { ping = "" },
    { pong = "61" },
    "unsolicited-pong",
    { discarded = { frame-type = 128, octets = 3 } },
    { tolerated = { rule = "close-code" } },
    { close = { code = 1000, reason = "bye" } },
]
ends = "closed"

[expect.server.answer]
location = "ws://h/"
md5 = "000102030405060708090a0b0c0d0e0f"

[expect.client]
events = []
ends = "nothing"
"#
    .replace(REQUEST, &sha256(request))
    .replace("EMPTY", EMPTY)
}

fn parsed(text: &str) -> Result<Vector, LoadError> {
    let path = Path::new("dir/a.b.toml");
    wrong(text, path).map_err(Wrong::first)
}

fn wrong(text: &str, path: &Path) -> Result<Vector, Wrong> {
    judged(text, path, Path::new("a.b.toml"), &mut |file| match file {
        "two.bin" => Ok(Bytes::from_static(b"ab")),
        _ => Err(format!("cannot read {file}")),
    })
}

/// The errors of the sound text with `from` replaced by `to`.
fn broken(from: &str, to: &str) -> String {
    let sound = text();
    assert_eq!(
        sound.matches(from).count(),
        1,
        "`{from}` must stand exactly once"
    );
    let wrong = wrong(&sound.replace(from, to), Path::new("dir/a.b.toml")).unwrap_err();
    let lines: Vec<_> = wrong.all().map(|error| error.to_string()).collect();
    lines.join("\n")
}

#[test]
fn a_sound_file_is_read_whole() {
    let vector = parsed(&text()).unwrap();
    assert_eq!(vector.name, "a.b");
    assert_eq!(
        (vector.about.draft, vector.about.kind),
        (Draft::Hixie76, Kind::Captured)
    );
    assert_eq!(
        vector.octets(Role::Client),
        &b"GET / HTTP/1.1\r\n\r\nab"[..]
    );
    assert_eq!(vector.octets(Role::Server), &b""[..]);
    assert_eq!(vector.head(Role::Client).unwrap().target(), Some("/"));
    assert_eq!(vector.head(Role::Server), None);
    assert_eq!(vector.after_head(Role::Client), &b"ab"[..]);
    assert_eq!(vector.key3(), None, "two octets are no key3");
    assert_eq!(
        vector.steps[1].content().unwrap().form,
        Form::File("two.bin".into())
    );
    let server = vector.expectation(Role::Server).stated().unwrap();
    assert_eq!(
        server.events,
        [
            Event::Opened,
            Event::Message("é".into()),
            Event::Message("b".into()),
            Event::Message(Message::Binary(Bytes::from_static(b"\x00\xff"))),
            Event::Ping(Bytes::new()),
            Event::Pong(Bytes::from_static(b"a")),
            Event::Notice(Notice::UnsolicitedPong),
            Event::Notice(Notice::Discarded {
                frame_type: 0x80,
                octets: 3
            }),
            Event::Notice(Notice::Tolerated {
                rule: Rule::CloseCode
            }),
            Event::Close(Some(Close::new(1000, "bye"))),
        ]
    );
    assert_eq!(server.answer.location.as_deref(), Some("ws://h/"));
    assert_eq!(server.answer.md5.map(|md5| md5[15]), Some(15));
    let client = vector.expectation(Role::Client).stated().unwrap();
    assert_eq!(client.ends, Ends::Nothing);
}

#[test]
fn an_error_names_file_and_line() {
    let error = broken("kind = \"captured\"", "kind = \"caught\"");
    assert!(error.starts_with("dir/a.b.toml:5: "), "{error}");
    assert!(error.contains("`captured`"), "{error}");
}

#[test]
fn an_unknown_key_is_refused_where_it_stands() {
    let error = broken("ends = \"closed\"", "ends = \"closed\"\ntolerate = []");
    assert!(
        error.starts_with("dir/a.b.toml:42: ") && error.contains("did you mean `tolerated`?"),
        "{error}"
    );
    assert!(broken("source =", "sauce =").contains("`sauce`"));
    assert!(broken("\"bye\"", "\"bye\", clean = true").contains("`clean`"));
    assert!(broken("note = \"more\"", "paws = 3").contains("`paws`"));
}

#[test]
fn another_format_is_named_before_anything_else() {
    let error = broken("format = 1\n", "format = 2\nnew = true\n");
    assert!(
        error.contains("`format = 2` is not known here, only 1"),
        "{error}"
    );
}

#[test]
fn a_draft_or_rule_that_does_not_exist_is_refused_with_those_that_do() {
    assert!(broken("hixie-76", "hybi-99").contains("`hybi-99` is no `draft`"));
    let violation = "ends = \"violation\"\nviolation = { rule = \"rude\", reason = \"r\" }";
    let error = broken("ends = \"closed\"", violation);
    assert!(
        error.contains("`rude` is no `rule`") && error.contains("mask-missing"),
        "{error}"
    );
}

#[test]
fn a_violation_is_read_with_its_rule() {
    let violation = "ends = \"violation\"\nviolation = { rule = \"mask-missing\", reason = \"r\" }";
    let close = "    { close = { code = 1000, reason = \"bye\" } },\n";
    let broken = text().replace("ends = \"closed\"", violation);
    let vector = parsed(&broken.replace(close, "")).unwrap();
    let Expectation::Stated(server) = vector.expectation(Role::Server) else {
        panic!("it is stated")
    };
    assert_eq!(
        server.violation.as_ref().map(|v| v.rule),
        Some(Rule::MaskMissing)
    );
}

#[test]
fn a_step_has_exactly_one_kind_of_octets() {
    let none = broken("file = \"two.bin\"\n", "");
    assert!(
        none.starts_with("dir/a.b.toml:23: ") && none.contains("exactly one thing"),
        "{none}"
    );
    let two = broken("file = \"two.bin\"\n", "file = \"two.bin\"\nhex = \"61\"\n");
    assert!(two.contains("exactly one thing"), "{two}");
}

#[test]
fn a_file_outside_the_vectors_directory_is_refused() {
    for path in ["../two.bin", "/etc/passwd", "a/two.bin", "."] {
        let to = format!("file = \"{path}\"\n");
        let error = broken("file = \"two.bin\"\n", &to);
        assert!(error.contains("not a file beside the vector"), "{error}");
    }
    assert!(broken("file = \"two.bin\"\n", "file = \"one.bin\"\n").contains("cannot read one.bin"));
}

#[test]
fn a_piece_beyond_its_file_is_refused() {
    let error = broken("offset = 1", "offset = 1, octets = 2");
    assert!(error.contains("has only 2 octets"), "{error}");
    let error = broken("offset = 1", "offset = 9223372036854775807, octets = 2");
    assert!(error.contains("has only 2 octets"), "{error}");
}

#[test]
fn changed_octets_are_noticed() {
    let error = broken("GET / HTTP/1.1\\r\\n", "GET / HTTP/1.0\\r\\n");
    assert!(error.contains("client's steps have the SHA-256"), "{error}");
    let error = broken("GET / HTTP/1.1\\r\\n", "GET / HTTP/1.1\\n");
    assert!(
        error.contains("client's steps come to 19 octets"),
        "{error}"
    );
}

#[test]
fn octets_of_a_side_that_was_not_recorded_are_refused() {
    let sound = text();
    let line = sound.lines().find(|l| l.starts_with("client = {")).unwrap();
    let error = broken(line, "");
    assert!(error.contains("does not state the stream"), "{error}");
}

#[test]
fn events_and_end_must_agree() {
    let unopened = broken("    \"opened\",\n", "");
    assert!(
        unopened.contains("begins with \"opened\", once"),
        "{unopened}"
    );
    let twice = broken("    \"opened\",\n", "    \"opened\",\n    \"opened\",\n");
    assert!(twice.contains("once"), "{twice}");
    let early = broken("ends = \"closed\"", "ends = \"mid-head\"");
    assert!(early.contains("`events` must be empty"), "{early}");
    let unended = broken("ends = \"closed\"", "ends = \"open\"");
    assert!(unended.contains("write `ends = \"closed\"`"), "{unended}");
    let close = "    { close = { code = 1000, reason = \"bye\" } },\n";
    let unclosed = broken(close, "");
    assert!(unclosed.contains("goes with one `close`"), "{unclosed}");
    let more = broken(close, &format!("{close}    {{ text = \"a\" }},\n"));
    assert!(more.contains("nothing but notices"), "{more}");
    let refused = broken("ends = \"nothing\"", "ends = \"refused\"");
    assert!(refused.contains("belong together"), "{refused}");
}

#[test]
fn fields_of_a_head_without_end_are_attested_too() {
    let attested = "kind = \"reconstructed\"\nattested = { order = \"a source\" }";
    let cut = text()
        .replace("kind = \"captured\"", attested)
        .replace(
            "HTTP/1.1\\r\\n\\\n\\r\\n\\\n",
            "HTTP/1.1\\r\\nHost: h\\r\\n",
        )
        .replace("octets = 20", "octets = 27")
        .replace(
            &sha256(b"GET / HTTP/1.1\r\n\r\nab"),
            &sha256(b"GET / HTTP/1.1\r\nHost: h\r\nab"),
        );
    let refused = parsed(&cut).unwrap_err().to_string();
    assert!(
        refused.contains("[about.attested] lacks `Host`"),
        "{refused}"
    );
}

#[test]
fn nothing_is_expected_beside_unstated() {
    let unstated = "unstated = \"lost\"\nends = \"nothing\"";
    assert!(broken("ends = \"nothing\"", unstated).contains("remove it or the other keys"));
    let alone = text().replace("events = []\nends = \"nothing\"", "unstated = \"lost\"");
    let vector = parsed(&alone).unwrap();
    assert_eq!(
        vector.expectation(Role::Client),
        &Expectation::Unstated("lost".into())
    );
}

#[test]
fn a_client_has_no_answer_to_give() {
    let answer = "ends = \"nothing\"\nanswer = { accept = \"x\" }";
    assert!(broken("ends = \"nothing\"", answer).contains("no key of [expect.client]"));
}

#[test]
fn a_reason_without_a_code_and_a_short_md5_are_refused() {
    assert!(broken("code = 1000, ", "").contains("needs its `code`"));
    assert!(broken("0d0e0f", "0d0e").contains("15 octets, an MD5 has 16"));
}

#[test]
fn text_that_is_not_toml_is_refused_with_its_line() {
    let error = parsed("format = 1\nabout = [\n").unwrap_err().to_string();
    assert!(error.starts_with("dir/a.b.toml:"), "{error}");
}

#[test]
fn a_missing_file_and_an_empty_directory_say_so() {
    let nowhere = Path::new(env!("CARGO_MANIFEST_DIR")).join("no-such.toml");
    let error = load(&nowhere).unwrap_err().to_string();
    assert!(
        error.starts_with("cannot read ") && error.contains("no-such.toml"),
        "{error}"
    );
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    assert!(matches!(load_dir(source), Err(LoadError::Empty { .. })));
}

proptest::proptest! {
    /// An editor, a merge or an attacker may leave anything in a file.
    #[test]
    fn no_text_brings_the_loader_down(
        at in 0..3000_usize,
        length in 0..60_usize,
        piece in "[ -~\n]{0,12}|\\$\\{[a-z0-9]{0,6}=?|\\[\\[step\\]\\]\n|\"\"\"|[\\x00-\\x1f\u{80}-\u{ffff}]{0,4}",
    ) {
        let mut text = include_str!("../tests/mistakes/exchange.toml").to_owned();
        let begin = text.floor_char_boundary(at.min(text.len()));
        let end = text.floor_char_boundary((begin + length).min(text.len()));
        text.replace_range(begin..end, &piece);
        if let Err(wrong) = wrong(&text, Path::new("dir/a.b.toml")) {
            for error in wrong.all() {
                let said = error.to_string();
                proptest::prop_assert!(said.starts_with("dir/a.b.toml:"), "{}", said);
            }
        }
    }
}
