//! What is written is read back equal: the whole archive, and anything.

use std::path::Path;

use draftgate_core::{Close, Draft, Event, Message, Notice, Rule};
use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::{
    AnswerFacts, Broken, Content, Deviation, Ends, GapReason, Kind, Placeholder, Refused, Slot,
    Tolerated,
    load::{self, parse},
};

fn read_back(written: &Written, path: &Path, name: &str) -> Vector {
    let read = parse(&written.toml, path, Path::new(name), &mut |file| {
        let octets = written.files.get(file);
        octets.cloned().ok_or_else(|| format!("no {file}"))
    });
    read.unwrap_or_else(|error| panic!("{error}\n{}", written.toml))
}

#[test]
fn the_archive_is_written_as_it_is_read() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let vectors = load::load_dir(&dir).unwrap();
    assert!(vectors.len() >= 100);
    for vector in vectors {
        let written = write(&vector).unwrap();
        let name = format!("{}.toml", vector.name);
        assert_eq!(read_back(&written, &vector.path, &name), vector);
    }
}

/// Text that TOML, the placeholders or an editor may trip over.
fn awkward() -> impl Strategy<Value = String> {
    let pieces = select(vec![
        "a", "é", " ", "\t", "\r\n", "\n", "\r", "\"", "\"\"\"", "'", "\\", "$", "${", "$}", "}",
        "$$", "\u{7f}", "\0", "\u{2028}", "\u{feff}", "#", "Key: x",
    ]);
    vec(pieces, 0..12).prop_map(|pieces| pieces.concat())
}

fn word() -> impl Strategy<Value = String> {
    prop_oneof![awkward(), "[a-z -]{1,20}"]
}

fn placeholder() -> impl Strategy<Value = Placeholder> {
    select(Placeholder::ALL.to_vec())
}

/// Pieces of octets, some of them a placeholder.
fn joined(pieces: Vec<(Vec<u8>, Option<Placeholder>)>, form: Form) -> Content {
    let mut octets = Vec::new();
    let mut slots = Vec::new();
    for (piece, placeholder) in pieces {
        let start = octets.len();
        octets.extend(piece);
        if let Some(placeholder) = placeholder {
            let range = start..octets.len();
            slots.push(Slot { range, placeholder });
        }
    }
    Content {
        octets: octets.into(),
        slots,
        form,
    }
}

fn content() -> impl Strategy<Value = Content> {
    let text = vec((awkward(), option::of(placeholder())), 0..5).prop_map(|pieces| {
        let octets = pieces.into_iter().map(|(text, it)| (text.into_bytes(), it));
        joined(octets.collect(), Form::Text)
    });
    let octets = vec(any::<u8>(), 0..40);
    let hex = vec((octets.clone(), option::of(placeholder())), 0..5)
        .prop_map(|pieces| joined(pieces, Form::Hex));
    let file = (octets, option::of(placeholder()), 0..1000).prop_map(|(octets, it, n)| {
        let name = format!("{n}-{}.bin", octets.len());
        joined(vec![(octets, it)], Form::File(name))
    });
    prop_oneof![text, hex, file]
}

fn span() -> impl Strategy<Value = Duration> {
    let unit = select(vec![1, 1000, 1_000_000]);
    (0..100_000u64, unit).prop_map(|(n, unit)| Duration::from_micros(n * unit))
}

fn a_step() -> impl Strategy<Value = Step> {
    let reason = select(vec![
        GapReason::Lost,
        GapReason::MidStream,
        GapReason::OneDirection,
        GapReason::Snapped,
        GapReason::Bounded,
    ]);
    let octets = option::of(0..1_000_000u64);
    let action = prop_oneof![
        8 => content().prop_map(Action::Send),
        1 => Just(Action::Eof),
        1 => select(vec![Ending::Fin, Ending::Reset]).prop_map(Action::Close),
        1 => span().prop_map(Action::Timeout),
        1 => (octets, reason).prop_map(|(octets, reason)| Action::Gap(Gap { octets, reason })),
    ];
    (role(), option::of(span()), option::of(word()), action).prop_map(
        |(from, pause, note, action)| Step {
            from,
            pause,
            note,
            action,
        },
    )
}

fn role() -> impl Strategy<Value = Role> {
    select(vec![Role::Client, Role::Server])
}

fn an_event() -> impl Strategy<Value = Event> {
    let octets = prop_oneof![vec(any::<u8>(), 0..20), vec(any::<u8>(), 600..700)];
    let octets = octets.prop_map(Bytes::from);
    let close = (1000..5000u16, word());
    prop_oneof![
        word().prop_map(|text| Event::Message(text.as_str().into())),
        word().prop_map(|text| Event::Message(text.repeat(100).as_str().into())),
        octets
            .clone()
            .prop_map(|it| Event::Message(Message::Binary(it))),
        octets.clone().prop_map(Event::Ping),
        octets.prop_map(Event::Pong),
        option::of(close).prop_map(|it| Event::Close(it.map(|(code, why)| Close::new(code, why)))),
        (any::<u8>(), 0..1000u64).prop_map(|(frame_type, octets)| Event::Notice(
            Notice::Discarded { frame_type, octets }
        )),
        (0..9u64).prop_map(|n| Event::Notice(Notice::Repaired { replacements: n })),
        select(Rule::ALL.to_vec()).prop_map(|rule| Event::Notice(Notice::Tolerated { rule })),
        Just(Event::Notice(Notice::UnsolicitedPong)),
        (0..9u64).prop_map(|n| Event::Notice(Notice::AfterClose { octets: n })),
    ]
}

fn departures() -> impl Strategy<Value = Vec<Tolerated>> {
    let one = (word(), word()).prop_map(|(rule, reason)| Tolerated { rule, reason });
    vec(one, 0..3)
}

fn facts() -> impl Strategy<Value = AnswerFacts> {
    let word = || option::of(word());
    (
        word(),
        word(),
        word(),
        word(),
        option::of(any::<[u8; 16]>()),
    )
        .prop_map(|(origin, location, subprotocol, accept, md5)| AnswerFacts {
            origin,
            location,
            subprotocol,
            accept,
            md5,
        })
}

fn expected(role: Role) -> impl Strategy<Value = Expectation> {
    let ends = select(vec![
        Ends::Nothing,
        Ends::MidHead,
        Ends::MidChallenge,
        Ends::Refused,
        Ends::Violation,
        Ends::MidFrame,
        Ends::Open,
        Ends::Closed,
    ]);
    let rule = select(Rule::ALL.to_vec());
    let stated = (
        ends,
        vec(an_event(), 0..6),
        departures(),
        facts(),
        rule,
        vec(word(), 1..3),
    );
    let stated = stated.prop_map(move |(ends, events, tolerated, facts, rule, rules)| {
        let reason = "a reason".to_owned();
        let (closes, others): (Vec<_>, Vec<_>) = events
            .into_iter()
            .partition(|event| matches!(event, Event::Close(_)));
        let mut all = vec![Event::Opened];
        all.extend(others);
        let ends = match closes.into_iter().next() {
            Some(close) if ends == Ends::Closed => {
                all.push(close);
                ends
            }
            None if ends == Ends::Closed => Ends::Open,
            _ => ends,
        };
        Expectation::Stated(Box::new(Stated {
            events: if ends.after_opening() {
                all
            } else {
                Vec::new()
            },
            ends,
            refused: (ends == Ends::Refused).then(|| Refused {
                rules,
                reason: reason.clone(),
            }),
            violation: (ends == Ends::Violation).then_some(Broken { rule, reason }),
            tolerated,
            answer: if role == Role::Server {
                facts
            } else {
                AnswerFacts::default()
            },
        }))
    });
    prop_oneof![word().prop_map(Expectation::Unstated), stated]
}

fn an_about() -> impl Strategy<Value = About> {
    let draft = select(Draft::ALL.to_vec());
    let kind = select(vec![
        Kind::Captured,
        Kind::Published,
        Kind::Reconstructed,
        Kind::Constructed,
    ]);
    let words = (word(), word(), word(), word());
    let more = || option::of(word());
    let more = (more(), more(), more(), more(), more());
    let attested = proptest::collection::btree_map(word(), word(), 0..3);
    let rest = (
        attested,
        vec("[a-z]{1,5}(-[a-z]{1,5})?", 0..3),
        any::<bool>(),
    );
    (draft, kind, words, more, rest).prop_map(|(draft, kind, words, more, rest)| About {
        draft,
        kind,
        roles: vec![Role::Client, Role::Server],
        scenario: words.0,
        client: words.1,
        server: words.2,
        source: words.3,
        date: more.0,
        altered: more.1,
        restored: more.2,
        note: more.3,
        basis: more.4,
        attested: rest.0,
        tags: rest.1,
        service: rest.2.then_some(Service::Echo),
        partial: Some("octets are missing".to_owned()),
        client_stream: None,
        server_stream: None,
    })
}

prop_compose! {
    fn a_vector()(
        about in an_about(),
        steps in vec(a_step(), 0..6),
        server in expected(Role::Server),
        client in expected(Role::Client),
        peers in vec((word(), role(), word(), option::of(word())), 0..3),
    ) -> Vector {
        let mut vector = Vector::new("an.exchange".to_owned(), about, steps, server, client);
        vector.about.client_stream = Some(Stream::of(&vector.octets(Role::Client)));
        vector.about.server_stream = Some(Stream::of(&vector.octets(Role::Server)));
        vector.deviations = peers
            .into_iter()
            .map(|(peer, role, reason, source)| Deviation { peer, role, reason, source })
            .collect();
        vector
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back_equal(vector in a_vector()) {
        match write(&vector) {
            Ok(written) => {
                let path = vector.path.clone();
                prop_assert_eq!(read_back(&written, &path, "an.exchange.toml"), vector);
            }
            // Two random steps chose one name.
            Err(error) => prop_assert!(matches!(error, WriteError::TwoContents(_)), "{}", error),
        }
    }
}

fn sending(content: Content) -> Result<String, WriteError> {
    let step = Step {
        from: Role::Client,
        pause: Some(Duration::from_millis(120)),
        note: Some("text \"x\"".to_owned()),
        action: Action::Send(content),
    };
    let mut out = String::new();
    super::step(&step, 1, &mut out, &mut BTreeMap::new())?;
    Ok(out)
}

#[test]
fn a_head_stands_line_by_line_and_octets_in_rows() {
    let head = Content::from_text("GET / HTTP/1.1\r\nK: ${key=a$}$$b}\r\n folded\r\n\r\n").unwrap();
    let head = sending(head).unwrap();
    assert_eq!(
        head,
        r#"
[[step]]
from = "client"
pause = "120ms"
note = 'text "x"'
text = """\
GET / HTTP/1.1\r\n\
K: ${key=a$}$$b}\r\n\
\u0020folded\r\n\
\r\n\
"""
"#
    );
    let frame = "81 8d ${mask=37 fa 21 3d} ${masked=00 01 02 03 04 05 06 07 08 09 0a 0b 0c}";
    let frame = sending(Content::from_hex(frame).unwrap()).unwrap();
    let rows = "hex = \"\"\"\n81 8d ${mask=37 fa 21 3d} ${masked=00 01 02 03 04 05 06 07 08 09\n0a 0b 0c}\n\"\"\"\n";
    assert!(frame.ends_with(rows), "{frame}");
}

#[test]
fn what_the_format_cannot_say_is_refused() {
    let content = |octets: &'static [u8], ranges: &[std::ops::Range<usize>], form: Form| Content {
        octets: Bytes::from_static(octets),
        slots: ranges
            .iter()
            .map(|range| Slot {
                range: range.clone(),
                placeholder: Placeholder::Mask,
            })
            .collect(),
        form,
    };
    let said = |content| sending(content).unwrap_err().to_string();
    assert!(said(content(b"\xff", &[], Form::Text)).contains("step 1 is to be written as text"));
    let within = content("é".as_bytes(), &[0..1, 1..2], Form::Text);
    assert!(said(within).contains("within a character"));
    assert!(said(content(b"abc", &[0..2, 1..3], Form::Hex)).contains("overlap"));
    assert!(said(content(b"abc", &[2..4, 4..4], Form::Hex)).contains("beyond"));
    let part = content(b"abc", &[0..2, 2..3], Form::File("a.bin".into()));
    assert!(said(part).contains("the whole of it"));
}

#[test]
fn any_time_is_written_so_that_it_can_be_read() {
    for (micros, written) in [
        (0, "0s"),
        (800, "800us"),
        (5_000_000, "5s"),
        (999_999_999_999, "999999999999us"),
        (1_000_000_000_001, "1000000000ms"),
        (1_000_000_000_000_001, "1000000000s"),
        (u64::MAX, "999999999999s"),
    ] {
        let span = Duration::from_micros(micros);
        assert_eq!(time(span), written);
    }
    for span in [Duration::from_micros(u64::MAX), Duration::MAX] {
        let written = time(span);
        assert!(crate::step::duration(&written).is_ok(), "{written}");
    }
}
