//! Where the drafts differ in what they bear: one table, a row for each breach
//! and a column for each draft, with what a looser strictness makes of them,
//! beside what `Draft`'s texts and the peers of
//! 2011 say.

use bytes::Bytes;
use draftgate_core::{Close, Draft, Event, Limits, Notice, Role, Rule, Strictness};
use draftgate_drafts::dissect::frames_under;
use draftgate_testkit::codecs::{hear_every_cut, hex};

use crate::{
    codec, codec_with,
    common::{
        ROLES, derived,
        frames::{from_peer, masked_with},
    },
    drafts, has_codes,
};

/// What becomes of a breach.
#[derive(Clone, Copy, PartialEq)]
enum Fate {
    /// It fails with the rule, and is answered with the code.
    Fails(Rule, u16),
    /// It is taken, with a notice of the rule.
    Taken(Rule),
    /// U+FFFD stands in place of this many runs of bad octets.
    Repaired(u64),
    /// It is no breach.
    Fine,
}

use Fate::{Fails, Fine, Repaired, Taken};

const RESERVED: Rule = Rule::ReservedBits;
const MINIMAL: Rule = Rule::LengthNotMinimal;
const LONG: Rule = Rule::ControlTooLong;
const CODE: Rule = Rule::CloseCode;
const REASON: Rule = Rule::CloseReasonNotUtf8;
const UTF8: Rule = Rule::NotUtf8;

struct Row {
    /// Unmasked, of RFC 6455.
    frames: Vec<u8>,
    /// What is heard of them, where they are taken, besides the notice.
    event: Event,
    /// hybi-06, -07, -08 and RFC 6455.
    fates: [Fate; 4],
    /// Where `hybi-08` or `lenient` is said: the draft that this changes, and to
    /// what.
    loose: Option<(Draft, Fate)>,
}

impl Row {
    fn of(frames: Vec<u8>, event: Event, fates: [Fate; 4]) -> Self {
        let loose = None;
        Self {
            frames,
            event,
            fates,
            loose,
        }
    }

    fn loose(self, draft: Draft, fate: Fate) -> Self {
        let loose = Some((draft, fate));
        Self { loose, ..self }
    }

    fn fate(&self, draft: Draft, strictness: Strictness) -> Fate {
        let says = match draft {
            Draft::Hybi08 => strictness.hybi_08,
            Draft::Hybi13 => strictness.lenient,
            _ => false,
        };
        match self.loose {
            Some((of, fate)) if of == draft && says => fate,
            _ => self.fates[column(draft)],
        }
    }
}

fn row(frames: &str, event: Event, fates: [Fate; 4]) -> Row {
    Row::of(hex(frames), event, fates)
}

fn long(head: &str, octets: usize, event: Event, fates: [Fate; 4]) -> Row {
    let frames = [&hex(head)[..], &vec![b'x'; octets]].concat();
    Row::of(frames, event, fates)
}

fn text(text: &str) -> Event {
    Event::Message(text.into())
}

fn close(code: u16, reason: &str) -> Event {
    Event::Close(Some(Close::new(code, reason)))
}

fn ping(octets: usize) -> Event {
    Event::Ping(Bytes::from(vec![b'x'; octets]))
}

/// Reserved bits: none of the three until hybi-06 counts, from -09 on each
/// fails, and we fail them from hybi-07 on.
fn reserved() -> Vec<Row> {
    let fates = [
        Taken(RESERVED),
        Fails(RESERVED, 1002),
        Fails(RESERVED, 1002),
        Fails(RESERVED, 1002),
    ];
    ["c1 01 61", "a1 01 61", "91 01 61", "f1 01 61"]
        .into_iter()
        .map(|frames| row(frames, text("a"), fates).loose(Draft::Hybi08, Taken(RESERVED)))
        .collect()
}

/// Lengths longer than they need be, from hybi-14 on a breach.
fn lengths() -> Vec<Row> {
    let fates = [
        Taken(MINIMAL),
        Taken(MINIMAL),
        Taken(MINIMAL),
        Fails(MINIMAL, 1002),
    ];
    let rows = vec![
        row("81 7e 00 01 61", text("a"), fates),
        row("81 7e 00 00", text(""), fates),
        long("81 7e 00 7d", 125, text(&"x".repeat(125)), fates),
        row("81 7f 00 00 00 00 00 00 00 01 61", text("a"), fates),
        long(
            "81 7f 00 00 00 00 00 00 00 7e",
            126,
            text(&"x".repeat(126)),
            fates,
        ),
    ];
    let rows = rows.into_iter();
    rows.map(|row| row.loose(Draft::Hybi13, Taken(MINIMAL)))
        .collect()
}

/// Control frames above 125 octets, which peers of 2011 send and answer.
fn controls() -> Vec<Row> {
    let fates = [Taken(LONG), Taken(LONG), Taken(LONG), Fails(LONG, 1002)];
    let reason = "x".repeat(124);
    vec![
        long("89 7e 00 7e", 126, ping(126), fates),
        long("89 7e 01 00", 256, ping(256), fates),
        long("88 7e 00 7e 03 e8", 124, close(1000, &reason), fates),
    ]
}

/// Codes that a Close may not carry. Jetty's 741, libwebsockets' random ones
/// and faye's 1006 are recorded from the time before Version 13.
fn codes() -> Vec<Row> {
    let undefined = [Taken(CODE), Taken(CODE), Taken(CODE), Fails(CODE, 1002)];
    let mut rows: Vec<_> = [
        0_u16, 741, 999, 1005, 1006, 1015, 1016, 2999, 5000, 50361, 65535,
    ]
    .into_iter()
    .map(|code| {
        let frames = [&[0x88, 2][..], &code.to_be_bytes()].concat();
        Row::of(frames, close(code, ""), undefined)
    })
    .collect();
    let fine = [Fine, Fine, Fine, Fine];
    for (frames, code) in [
        ("88 02 03 e8", 1000),
        ("88 02 03 eb", 1003),
        ("88 02 0b b8", 3000),
        ("88 02 13 87", 4999),
    ] {
        rows.push(row(frames, close(code, ""), fine));
    }
    rows.extend([
        // Too large until hybi-12, reserved in RFC 6455.
        row(
            "88 02 03 ec",
            close(1004, ""),
            [Fine, Fine, Fine, Fails(CODE, 1002)],
        ),
        // Of hybi-10, which is Version 8.
        row(
            "88 02 03 ef",
            close(1007, ""),
            [Taken(CODE), Taken(CODE), Fine, Fine],
        ),
        row(
            "88 02 03 f1",
            close(1009, ""),
            [Taken(CODE), Taken(CODE), Taken(CODE), Fine],
        ),
        row(
            "88 02 03 f3",
            close(1011, ""),
            [Taken(CODE), Taken(CODE), Taken(CODE), Fine],
        ),
    ]);
    rows
}

/// Text and reasons that are not UTF-8: U+FFFD until hybi-09, 1007 from -10 on.
fn utf8() -> Vec<Row> {
    let fates = |runs| {
        [
            Repaired(runs),
            Repaired(runs),
            Fails(UTF8, 1007),
            Fails(UTF8, 1007),
        ]
    };
    let reason = [
        Repaired(1),
        Repaired(1),
        Fails(REASON, 1007),
        Fails(REASON, 1007),
    ];
    let rows = vec![
        row("81 02 c3 28", text("\u{fffd}("), fates(1)),
        row("81 01 c3", text("\u{fffd}"), fates(1)),
        row("81 04 ff 61 ff 62", text("\u{fffd}a\u{fffd}b"), fates(2)),
        // A surrogate, an overlong slash, one beyond U+10FFFF.
        row("81 03 ed a0 80", text("\u{fffd}\u{fffd}\u{fffd}"), fates(3)),
        row("81 02 c0 af", text("\u{fffd}\u{fffd}"), fates(2)),
        row(
            "81 04 f4 90 80 80",
            text("\u{fffd}\u{fffd}\u{fffd}\u{fffd}"),
            fates(4),
        ),
        // Cut off in the last fragment; begun in one and spoilt in the next.
        row("01 01 61 80 01 c3", text("a\u{fffd}"), fates(1)),
        row("01 01 c3 80 01 28", text("\u{fffd}("), fates(1)),
        // A character may lie across fragments.
        row("01 01 c3 80 01 bc", text("ü"), [Fine, Fine, Fine, Fine]),
        row("88 03 03 e8 ff", close(1000, "\u{fffd}"), reason),
        // Of two breaches in one Close the code is told of.
        row(
            "88 03 02 e5 ff",
            close(741, "\u{fffd}"),
            [Taken(CODE), Taken(CODE), reason[2], reason[3]],
        ),
    ];
    // What hybi-07 makes of it.
    let rows = rows.into_iter();
    rows.map(|row| {
        let repaired = row.fates[1];
        row.loose(Draft::Hybi08, repaired)
    })
    .collect()
}

fn column(draft: Draft) -> usize {
    match draft {
        Draft::Hybi01
        | Draft::Hybi02
        | Draft::Hybi03
        | Draft::Hello00
        | Draft::Hybi04
        | Draft::Hybi05
        | Draft::Hybi06 => 0,
        Draft::Hybi07 => 1,
        Draft::Hybi08 => 2,
        Draft::Hybi13 => 3,
        draft => panic!("{draft} has no column in this table"),
    }
}

/// What can be said of strictness.
const STRICTNESS: [Strictness; 4] = {
    const fn of(hybi_08: bool, lenient: bool) -> Strictness {
        Strictness {
            hybi_08,
            lenient,
            ..Strictness::STRICT
        }
    }
    [
        of(false, false),
        of(true, false),
        of(false, true),
        of(true, true),
    ]
};

fn limits(strictness: Strictness) -> Limits {
    Limits {
        strictness,
        ..Limits::default()
    }
}

#[test]
fn each_draft_bears_what_its_column_says_under_every_strictness() {
    let rows = [reserved(), lengths(), controls(), codes(), utf8()];
    let mut loosened = 0;
    for row in rows.iter().flatten() {
        let closes = matches!(row.event, Event::Close(_));
        for draft in drafts().filter(|draft| !closes || has_codes(*draft)) {
            for strictness in STRICTNESS {
                let fate = row.fate(draft, strictness);
                bears(draft, strictness, row, fate);
                loosened += usize::from(fate != row.fates[column(draft)]);
            }
        }
    }
    // Four with reserved bits, five lengths and ten texts, each under two of the four.
    assert_eq!(loosened, 2 * (4 + 5 + 10));
}

fn bears(draft: Draft, strictness: Strictness, row: &Row, fate: Fate) {
    let notice = |notice| vec![Event::Notice(notice), row.event.clone()];
    let want = match fate {
        Fails(rule, _) => (Vec::new(), Some(rule)),
        Taken(rule) => (notice(Notice::Tolerated { rule }), None),
        Repaired(replacements) => (notice(Notice::Repaired { replacements }), None),
        Fine => (vec![row.event.clone()], None),
    };
    for role in ROLES {
        let octets = from_peer(draft, role, &row.frames);
        let fresh = || codec_with(draft, role, limits(strictness));
        let heard = hear_every_cut(fresh, &octets);
        if let Fails(_, code) = fate {
            answered(draft, role, &heard.wrote, code);
        }
        let seen = (heard.events, heard.violation.map(|v| v.rule));
        let what = format_args!("{draft} {role:?} {strictness:?}: {:02x?}", row.frames);
        assert_eq!(seen, want, "{what}");
        explained(draft, strictness, role, &octets, fate);
    }
}

/// What breaks a rule was answered with a Close of `code`.
fn answered(draft: Draft, role: Role, wrote: &[u8], code: u16) {
    let told = hear_every_cut(|| codec(draft, role.peer()), wrote);
    let [Event::Close(Some(close))] = &told.events[..] else {
        panic!("{draft}: {:?}", told.events);
    };
    assert_eq!(close.code, code, "{draft}: {wrote:02x?}");
}

/// Who explains the same octets finds the same rule broken, or none.
fn explained(draft: Draft, strictness: Strictness, role: Role, octets: &[u8], fate: Fate) {
    let octets = Bytes::copy_from_slice(octets);
    let units = frames_under(strictness, draft, role.peer(), octets).unwrap();
    let units = units.derived(Some(derived()));
    let faults: Vec<_> = units.filter_map(|unit| unit.fault).collect();
    let found = faults.first().map(|fault| fault.code);
    let want = match fate {
        Fails(rule, _) => Some(rule.code()),
        _ => None,
    };
    assert_eq!(found, want, "{draft} {strictness:?}");
}

/// The top bit of the second octet is reserved, too, where no MASK stands there.
#[test]
fn hybi_06_has_a_fourth_reserved_bit() {
    for role in ROLES {
        for (frames, bits) in [("81 81 61", 1), ("f1 81 61", 1)] {
            let mut plain = hex(frames);
            plain[1] &= 0x7f;
            let mut octets = from_peer(Draft::Hybi06, role, &plain);
            let second = if role == Role::Server { 5 } else { 1 };
            octets[second] ^= 0x80;
            let heard = hear_every_cut(|| codec(Draft::Hybi06, role), &octets);
            let rule = Rule::ReservedBits;
            let notice = Event::Notice(Notice::Tolerated { rule });
            assert_eq!(heard.events[..bits], [notice], "{role:?}");
            assert_eq!(heard.events[bits..], [text("a")], "{role:?}");
        }
    }
}

#[test]
fn a_long_ping_is_answered_with_its_body_where_it_is_taken() {
    for draft in drafts().filter(|draft| *draft < Draft::Hybi13) {
        for role in ROLES {
            for octets in [126_usize, 65_535] {
                let [high, low] = (octets as u16).to_be_bytes();
                let body = vec![b'x'; octets];
                let ping = [&[0x89, 126, high, low][..], &body].concat();
                let pong = [&[0x8a, 126, high, low][..], &body].concat();
                let heard = draftgate_testkit::codecs::hear(
                    &mut *codec(draft, role),
                    from_peer(draft, role, &ping).chunks(1000),
                );
                assert_eq!(heard.violation, None, "{draft}");
                let answer = from_peer(draft, role.peer(), &pong);
                assert!(heard.wrote == answer, "{draft} {role:?}, {octets} octets");
            }
            // One octet more and it is no control frame that anyone would send.
            let head = hex("89 7f 00 00 00 00 00 01 00 00");
            let heard = hear_every_cut(|| codec(draft, role), &from_peer(draft, role, &head));
            let rule = heard.violation.map(|v| v.rule);
            assert_eq!(rule, Some(Rule::ControlTooLong), "{draft} {role:?}");
        }
    }
}

/// Several at once are told one by one, and the frame still counts.
#[test]
fn each_breach_of_one_frame_is_told_once() {
    let frame = [&hex("f9 7f 00 00 00 00 00 00 00 7e")[..], &[b'x'; 126]].concat();
    for key in [[0, 0, 0, 0], [1, 2, 3, 4]] {
        let octets = masked_with(Draft::Hybi06, Role::Server, key, &frame);
        let heard = hear_every_cut(|| codec(Draft::Hybi06, Role::Server), &octets);
        let notice = |rule| Event::Notice(Notice::Tolerated { rule });
        let want = [notice(RESERVED), notice(LONG), notice(MINIMAL), ping(126)];
        assert_eq!(heard.events, want, "{key:?}");
    }
}

/// However the first of two frames came in.
#[test]
fn a_breach_is_told_of_every_frame_that_has_it() {
    let frames = hex("c1 03 61 62 63 c1 03 64 65 66");
    for role in ROLES {
        let octets = from_peer(Draft::Hybi06, role, &frames);
        let heard = hear_every_cut(|| codec(Draft::Hybi06, role), &octets);
        let notice = Event::Notice(Notice::Tolerated { rule: RESERVED });
        let want = [notice.clone(), text("abc"), notice, text("def")];
        assert_eq!(heard.events, want, "{role:?}");
    }
}
