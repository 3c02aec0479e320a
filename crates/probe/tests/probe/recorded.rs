//! Recorded requests: what every draft's own client sends is good, and each
//! thing that can be done to it on its way is found.

use bytes::Bytes;
use draftgate_core::{Draft, Limits};
use draftgate_drafts::{
    RandomKeys, may_announce,
    opening::{Ask, LengthFrames},
};
use draftgate_probe::{FindingKind as Kind, NotARequest, Recorded, Report, recorded};

use crate::server::finding;

/// What a client of `draft` sends.
fn request(draft: Draft) -> String {
    let ask = Ask {
        secure: false,
        host: "a.example",
        resource: "/x?y=1",
        origin: Some("http://a.example"),
        subprotocols: &[],
        fields: &[],
        limits: Limits::default(),
        length_frames: LengthFrames::default(),
        extensions: None,
    };
    let offer = draftgate_drafts::offer(draft, &ask, &mut Visible).unwrap();
    String::from_utf8(offer.request.to_vec()).unwrap()
}

/// Keys whose octets are text.
#[derive(Debug)]
struct Visible;

impl draftgate_drafts::KeySource for Visible {
    fn fill(&mut self, octets: &mut [u8]) {
        RandomKeys.fill(octets);
        octets
            .iter_mut()
            .for_each(|octet| *octet = 0x21 + *octet % 90);
    }

    fn fork(&mut self) -> Box<dyn draftgate_drafts::KeySource> {
        Box::new(Self)
    }
}

fn looked_at(request: impl Into<Bytes>) -> Report {
    answered(request, "")
}

fn answered(request: impl Into<Bytes>, answer: impl Into<Bytes>) -> Report {
    recorded(&Recorded {
        source: "test".into(),
        request: request.into(),
        answer: answer.into(),
    })
    .unwrap()
}

/// The octets that follow the head of a request of `draft`.
fn behind(draft: Draft) -> usize {
    let acceptor = draftgate_drafts::acceptor(draft).unwrap();
    acceptor.octets_after_head()
}

#[test]
fn nothing_is_wrong_with_what_a_client_of_each_draft_sends() {
    for draft in draftgate_drafts::spoken() {
        let report = looked_at(request(draft));
        assert_eq!(report.findings, [], "{draft}: {report:#?}");
        assert!(report.works());
        let it = report.request.unwrap();
        let announced = it.draft.unwrap();
        assert!(may_announce(draft, announced), "{draft}: {announced}");
        assert!(it.answer.unwrap().starts_with(b"HTTP/1.1 101 "), "{draft}");
        assert_eq!(it.others.len(), 3);
        assert_eq!(report.advice.sentences, ["nothing is wrong with it"]);
    }
}

#[test]
fn everything_that_is_wrong_is_told_and_not_the_first_alone() {
    let octets = "POST / HTTP/1.0\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n";
    let report = looked_at(octets);
    assert!(!report.works());
    let it = report.request.as_ref().unwrap();
    let codes: Vec<_> = it.refused.iter().map(|refusal| refusal.code()).collect();
    let all = [
        "method-not-get",
        "http-version",
        "key-invalid",
        "host-missing",
    ];
    assert_eq!(codes, all);
    assert_eq!((it.draft, &it.answer), (Some(Draft::Hybi13), &None));
    finding(&report, Kind::RecordedRefused);
    assert_eq!(report.findings.len(), 4);
    assert!(
        report
            .to_text(plain())
            .contains("mended it would be in hybi-13")
    );
}

fn plain() -> draftgate_probe::Look {
    draftgate_probe::Look {
        width: 200,
        colour: false,
    }
}

#[test]
fn colours_change_nothing_else() {
    let report = looked_at("GET / HTTP/1.0\r\nHost: a\r\nUpgrade: websocket\r\n\r\n");
    let coloured = report.to_text(draftgate_probe::Look {
        colour: true,
        ..plain()
    });
    let mut parts = coloured.split('\u{1b}');
    let mut stripped = parts.next().unwrap().to_owned();
    let mut count = 0;
    for part in parts {
        let (_, text) = part.split_once('m').unwrap();
        stripped += text;
        count += 1;
    }
    assert!(count > 4, "{coloured:?}");
    assert_eq!(stripped, report.to_text(plain()));
}

#[test]
fn what_is_no_request_of_websocket_is_in_no_draft() {
    let report = looked_at("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let it = report.request.as_ref().unwrap();
    assert_eq!((it.draft, it.refused.len()), (None, 1));
    assert!(report.to_text(plain()).contains("in no draft"));
}

#[test]
fn what_proxies_do_to_a_request_is_found() {
    for draft in draftgate_drafts::spoken() {
        let whole = request(draft);
        let (head, rest) = whole.split_once("\r\n\r\n").unwrap();
        let via = format!("{head}\r\nVia: 1.1 b\r\nX-Forwarded-For: 10.0.0.7\r\n\r\n{rest}");
        let report = looked_at(via);
        let seen = &finding(&report, Kind::RecordedBehindProxy).seen;
        assert_eq!(seen, "Via: 1.1 b, X-Forwarded-For: 10.0.0.7");
        assert!(report.works());

        let lower: String = whole
            .split_inclusive("\r\n")
            .map(|line| match line.split_once(':') {
                Some((name, value)) if !line.starts_with("GET") => {
                    format!("{}:{value}", name.to_ascii_lowercase())
                }
                _ => line.to_owned(),
            })
            .collect();
        finding(&looked_at(lower), Kind::RecordedLowerCase);

        for body in ["Content-Length: 9", "Transfer-Encoding: chunked"] {
            let report = looked_at(format!("{head}\r\n{body}\r\n\r\n{rest}"));
            assert_eq!(finding(&report, Kind::RecordedBody).seen, body);
            assert!(!report.works(), "{draft}");
        }
        if behind(draft) == 0 {
            continue;
        }
        let announced = format!("{head}\r\nContent-Length: 8\r\n\r\n{rest}");
        let report = looked_at(announced);
        finding(&report, Kind::RecordedContentLength);
        assert_eq!(report.findings.len(), 1, "{report:#?}");
        for cut in [0, 7] {
            let cut = format!("{head}\r\n\r\n{}", &rest[..cut]);
            finding(&looked_at(cut), Kind::RecordedKey3Missing);
        }
    }
}

#[test]
fn a_key_whose_spaces_were_squeezed_is_found() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nOrigin: http://a\r\n";
    // The second worked example of hixie-76 has runs of spaces: 12 and 10.
    let (one, two) = (
        "18x 6]8vM;54 *(5:  {   U1]8  z [  8",
        "1_ tx7X d  <  nw  334J702) 7]o}` 0",
    );
    let with = |one: &str, two: &str| {
        format!("{head}Sec-WebSocket-Key1: {one}\r\nSec-WebSocket-Key2: {two}\r\n\r\nTm[K T2u")
    };
    assert_eq!(looked_at(with(one, two)).findings, []);
    let squeezed = |key: &str| key.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    let report = looked_at(with(&squeezed(one), &squeezed(two)));
    assert!(!report.works());
    let seen = &finding(&report, Kind::RecordedSpacesSqueezed).seen;
    assert!(seen.contains("is no multiple of its"), "{seen}");
}

#[test]
fn a_proof_of_something_else_is_told_by_what_it_proves() {
    let request = "GET /demo HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\n\
        Host: example.com\r\nOrigin: http://example.com\r\n\
        Sec-WebSocket-Key1: 1  2\r\nSec-WebSocket-Key2: 3 4\r\n\r\n  ds[4U\0";
    let head = "HTTP/1.1 101 WebSocket Protocol Handshake\r\nUpgrade: WebSocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Origin: http://example.com\r\n\
        Sec-WebSocket-Location: ws://example.com/demo\r\n\r\n";
    let proved = |number1, key3: &[u8; 8]| {
        let number2 = 34;
        let challenge = draftgate_drafts::opening::Challenge { number1, number2 };
        let octets = [head.as_bytes(), &challenge.answer(*key3)].concat();
        answered(request, octets)
    };
    // 12 over two spaces.
    assert_eq!(proved(6, b"  ds[4U\0").findings, []);
    for (number, key3, said) in [
        (6, [0; 8], "eight zeros"),
        (12, *b"  ds[4U\0", "one space where there were several"),
        (6, *b"ds[4U\0\0\0", "without the white space in front"),
    ] {
        let report = proved(number, &key3);
        let found = finding(&report, Kind::ChallengeWrong);
        assert!(found.shown && found.seen.contains(said), "{}", found.seen);
    }
    let report = proved(7, b"  ds[4U\0");
    assert!(!finding(&report, Kind::ChallengeWrong).shown);
}

#[test]
fn the_answer_of_an_exchange_is_judged_too() {
    for draft in draftgate_drafts::spoken() {
        let request = request(draft);
        let answer = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        let report = answered(request, answer);
        finding(&report, Kind::NotFound);
    }
}

#[test]
fn what_is_no_whole_request_is_said_to_be_none() {
    let none = |octets: &'static str| {
        recorded(&Recorded {
            source: "test".into(),
            request: octets.into(),
            answer: Bytes::new(),
        })
        .unwrap_err()
    };
    assert_eq!(none("GET / HTTP/1.1\r\nHost: a\r\n"), NotARequest::CutOff);
    assert!(matches!(none("\u{1}\u{2}"), NotARequest::Malformed(_)));
}

#[test]
fn every_kind_of_finding_has_a_test_here() {
    let tests = [
        include_str!("answers.rs"),
        include_str!("conversations.rs"),
        include_str!("key3.rs"),
        include_str!("openings.rs"),
        include_str!("recorded.rs"),
        include_str!("tls.rs"),
        include_str!("ways.rs"),
    ]
    .concat();
    for kind in Kind::ALL {
        let named = format!("Kind::{kind:?}");
        assert!(tests.contains(&named), "{named} is tested nowhere");
    }
}
