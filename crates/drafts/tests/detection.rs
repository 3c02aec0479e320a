//! Every row of the detection table: what makes a request which draft, and
//! what is refused with which code.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use draftgate_core::Draft;
use draftgate_drafts::{
    Detection, accept, detect,
    opening::{ConnectProtocol, RefusalKind},
};
use http::{Request, Version, request::Parts};

const KEY: (&str, &str) = ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==");
const KEY1: (&str, &str) = ("Sec-WebSocket-Key1", "4 @1  46546xW%0l 1 5");
const KEY2: (&str, &str) = ("Sec-WebSocket-Key2", "12998 5 Y3 1  .P00");
const ORIGIN: (&str, &str) = ("Origin", "http://example.com");
const NONCE: (&str, &str) = ("Sec-WebSocket-Nonce", "A23F2BCA452DDE01");

fn version(value: &str) -> (&str, &str) {
    ("Sec-WebSocket-Version", value)
}

fn draft(value: &str) -> (&str, &str) {
    ("Sec-WebSocket-Draft", value)
}

/// An upgrade with these fields besides.
fn upgrade(fields: &[(&str, &str)]) -> Parts {
    let pair = [
        ("Upgrade", "WebSocket"),
        ("Connection", "keep-alive, Upgrade"),
    ];
    plain(&[&pair[..], fields].concat())
}

fn plain(fields: &[(&str, &str)]) -> Parts {
    let mut request = Request::get("/demo").header("Host", "example.com");
    for (name, value) in fields {
        request = request.header(*name, *value);
    }
    request.body(()).unwrap().into_parts().0
}

#[track_caller]
fn is(request: &Parts, draft: Draft) {
    assert_eq!(detect(request, Detection::default()), Ok(draft));
}

#[track_caller]
fn refused(request: &Parts, kind: RefusalKind, status: u16) {
    let refusal = detect(request, Detection::default()).unwrap_err();
    assert_eq!(
        (refusal.kind, refusal.status()),
        (kind, status),
        "{refusal}"
    );
    assert!(!refusal.to_string().is_empty() && !refusal.remedy().is_empty());
}

/// An extended CONNECT for `protocol`, with these fields.
fn connect(protocol: &str, fields: &[(&str, &str)]) -> Parts {
    let mut request = plain(fields);
    request.method = http::Method::CONNECT;
    request.version = Version::HTTP_2;
    request.extensions.insert(ConnectProtocol(protocol.into()));
    request
}

#[test]
fn row_1_over_http_2_a_connect_opens_version_13_alone() {
    is(&connect("websocket", &[version("13")]), Draft::Hybi13);
    // Whatever else is there: it has no meaning over HTTP/2.
    is(
        &connect("WebSocket", &[version("13"), KEY1, KEY2, ORIGIN]),
        Draft::Hybi13,
    );
    refused(
        &connect("connect-udp", &[version("13")]),
        RefusalKind::ConnectUnknown,
        501,
    );
    refused(
        &connect("websocket", &[ORIGIN]),
        RefusalKind::VersionMissing,
        400,
    );
    for other in ["8", "7", "0", "14"] {
        let request = connect("websocket", &[version(other), KEY]);
        refused(&request, RefusalKind::VersionUnsupported, 426);
    }
    let request = connect("websocket", &[version("13"), version("13")]);
    refused(&request, RefusalKind::VersionMalformed, 400);
}

#[test]
fn over_http_2_the_answer_is_200_and_proves_nothing() {
    let terms = draftgate_drafts::opening::Terms {
        subprotocol: Some("chat"),
        extension: None,
        public_url: "wss://example.com/demo",
        limits: draftgate_core::Limits::default(),
        length_frames: draftgate_drafts::opening::LengthFrames::default(),
    };
    let request = connect("websocket", &[version("13")]);
    let keys = &mut draftgate_drafts::RandomKeys;
    let head = accept(Draft::Hybi13, &request, &terms, keys).unwrap().head;
    let names: Vec<&str> = head.fields.iter().map(|(name, _)| &**name).collect();
    assert_eq!((head.status, names), (200, vec!["Sec-WebSocket-Protocol"]));
}

#[test]
fn row_2_only_get_opens() {
    let mut request = upgrade(&[version("13"), KEY]);
    for method in ["POST", "HEAD", "WEBSOCKET", "CONNECT"] {
        request.method = method.parse().unwrap();
        refused(&request, RefusalKind::MethodNotGet, 405);
    }
}

#[test]
fn row_3_http_before_1_1_is_refused() {
    let mut request = upgrade(&[version("13"), KEY]);
    for version in [Version::HTTP_10, Version::HTTP_09] {
        request.version = version;
        refused(&request, RefusalKind::HttpVersion, 400);
    }
}

#[test]
fn row_4_without_the_upgrade_it_is_plain_http_or_a_stripped_request() {
    refused(&plain(&[ORIGIN]), RefusalKind::NotWebSocket, 426);
    refused(
        &plain(&[("Upgrade", "h2c"), ("Connection", "Upgrade")]),
        RefusalKind::NotWebSocket,
        426,
    );
    refused(
        &plain(&[KEY, version("13")]),
        RefusalKind::UpgradeMissing,
        400,
    );
    refused(
        &plain(&[("Upgrade", "websocket"), KEY]),
        RefusalKind::UpgradeMissing,
        400,
    );
    refused(
        &plain(&[("Connection", "Upgrade"), KEY1]),
        RefusalKind::UpgradeMissing,
        400,
    );
    for name in ["Protocol", "Draft", "Nonce", "Origin", "Extensions"] {
        let name = format!("Sec-WebSocket-{name}");
        refused(&plain(&[(&name, "x")]), RefusalKind::UpgradeMissing, 400);
    }
    let spread = [
        ("Upgrade", "h2c, webSOCKET"),
        ("Connection", "x"),
        ("Connection", "UPGRADE"),
    ];
    is(
        &plain(&[&spread[..], &[KEY, version("13")]].concat()),
        Draft::Hybi13,
    );
}

#[test]
fn row_5_a_version_is_one_plain_number() {
    for bad in [
        "", "013", "+13", "-1", "13, 8", "13;q=1", "x", "256", "1300", "1 3", "０", "06", "007",
        "+8", "8, 7", "8 ,", "6.0", "7-", "0x8",
    ] {
        refused(
            &upgrade(&[version(bad), KEY]),
            RefusalKind::VersionMalformed,
            400,
        );
    }
    refused(
        &upgrade(&[version("13"), version("13"), KEY]),
        RefusalKind::VersionMalformed,
        400,
    );
    // Twice is once too often, whether the two agree or not.
    refused(
        &upgrade(&[version("8"), version("13"), KEY]),
        RefusalKind::VersionMalformed,
        400,
    );
    is(&upgrade(&[version("13"), KEY]), Draft::Hybi13);
    is(&upgrade(&[version(" 13\t"), KEY]), Draft::Hybi13);
    is(&upgrade(&[version(" 8 "), KEY]), Draft::Hybi08);
}

#[test]
fn row_6_a_version_names_its_draft_whatever_else_is_there() {
    for (number, draft) in [
        ("13", Draft::Hybi13),
        ("8", Draft::Hybi08),
        ("7", Draft::Hybi07),
        ("6", Draft::Hybi06),
        ("5", Draft::Hybi05),
        ("4", Draft::Hybi04),
    ] {
        is(&upgrade(&[version(number), KEY]), draft);
        is(
            &upgrade(&[version(number), KEY, KEY1, KEY2, NONCE, self::draft("3")]),
            draft,
        );
        // Half a challenge beside it does not matter either, nor does an origin.
        is(&upgrade(&[KEY2, version(number), KEY]), draft);
        let old = ("Sec-WebSocket-Origin", "http://example.com");
        is(&upgrade(&[version(number), KEY, old]), draft);
        is(&upgrade(&[version(number), KEY, ORIGIN]), draft);
    }
    // RFC 6455's own sample has stray bits in its last sextet.
    let sample = ("Sec-WebSocket-Key", "AQIDBAUGBwgJCgsMDQ4PEC==");
    is(&upgrade(&[version("13"), sample]), Draft::Hybi13);
}

#[test]
fn row_7_a_version_needs_exactly_one_key_of_16_octets() {
    for number in ["13", "8", "7", "6", "5", "4"] {
        refused(&upgrade(&[version(number)]), RefusalKind::KeyInvalid, 400);
        refused(
            &upgrade(&[version(number), KEY, KEY]),
            RefusalKind::KeyInvalid,
            400,
        );
        let short = ("Sec-WebSocket-Key", "c2hvcnQ=");
        refused(
            &upgrade(&[version(number), short]),
            RefusalKind::KeyInvalid,
            400,
        );
        // The keys of hixie-76 do not stand in for it.
        refused(
            &upgrade(&[version(number), KEY1, KEY2]),
            RefusalKind::KeyInvalid,
            400,
        );
    }
}

#[test]
fn row_8_other_versions_are_answered_with_a_list() {
    for number in ["0", "1", "2", "3", "9", "10", "11", "12", "14", "255"] {
        let request = upgrade(&[version(number), KEY]);
        refused(&request, RefusalKind::VersionUnsupported, 426);
        assert!(
            detect(&request, Detection::default())
                .unwrap_err()
                .lists_versions()
        );
    }
}

#[test]
fn row_8a_versions_9_to_12_are_8_where_the_route_says_so() {
    let aliases = Detection {
        version_aliases: true,
        short_keys: false,
        websocket_method: false,
        ..Detection::default()
    };
    for number in ["9", "10", "11", "12"] {
        let request = upgrade(&[version(number), KEY]);
        assert_eq!(detect(&request, aliases), Ok(Draft::Hybi08), "{number}");
    }
    for number in ["3", "14"] {
        let refusal = detect(&upgrade(&[version(number), KEY]), aliases).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::VersionUnsupported, "{number}");
    }
}

#[test]
fn row_9_a_nonce_alone_is_hello_00() {
    is(&upgrade(&[NONCE, draft("3")]), Draft::Hello00);
    is(&upgrade(&[NONCE]), Draft::Hello00);
    for bad in [
        "",
        "A23F2BCA452DDE0",
        "A23F2BCA452DDE011",
        "G23F2BCA452DDE01",
    ] {
        let nonce = ("Sec-WebSocket-Nonce", bad);
        refused(&upgrade(&[nonce]), RefusalKind::NonceInvalid, 400);
    }
    is(&upgrade(&[NONCE, KEY1, KEY2]), Draft::Hixie76);
    for half in [KEY1, KEY2] {
        let request = upgrade(&[NONCE, half]);
        refused(&request, RefusalKind::ChallengeKeyMissing, 400);
    }
}

#[test]
fn row_2_resins_method_is_taken_in_its_draft_where_it_is_allowed() {
    let resins = Detection {
        websocket_method: true,
        ..Detection::default()
    };
    let with = |method: &str, fields: &[(&str, &str)]| {
        let mut request = upgrade(fields);
        request.method = method.parse().unwrap();
        request
    };
    let request = with("WEBSOCKET", &[NONCE]);
    assert_eq!(detect(&request, resins), Ok(Draft::Hello00));
    refused(&request, RefusalKind::MethodNotGet, 405);
    for (method, fields) in [
        ("WEBSOCKET", &[KEY, version("13")][..]),
        ("WEBSOCKET", &[NONCE, version("13")]),
        ("WEBSOCKET", &[KEY1, KEY2, NONCE]),
        ("WEBSOCKET", &[ORIGIN]),
        ("websocket", &[NONCE]),
        ("POST", &[NONCE]),
    ] {
        let refusal = detect(&with(method, fields), resins).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::MethodNotGet, "{method}");
    }
}

#[test]
fn row_10_two_keys_and_a_draft_number_are_hybi_01_to_03() {
    is(&upgrade(&[KEY1, KEY2, draft("1")]), Draft::Hybi01);
    is(&upgrade(&[KEY1, KEY2, draft("2")]), Draft::Hybi02);
    is(&upgrade(&[KEY1, KEY2, draft("3")]), Draft::Hybi03);
    is(&upgrade(&[KEY1, KEY2, draft(" 3 ")]), Draft::Hybi03);
}

#[test]
fn row_11_two_keys_alone_are_hixie_76() {
    is(&upgrade(&[KEY1, KEY2, ORIGIN]), Draft::Hixie76);
    is(&upgrade(&[KEY1, KEY2]), Draft::Hixie76);
    is(&upgrade(&[KEY1, KEY2, draft("0")]), Draft::Hixie76);
}

#[test]
fn row_12_an_unknown_draft_number_fails() {
    for number in ["4", "76", "x", "-1", ""] {
        let request = upgrade(&[KEY1, KEY2, draft(number)]);
        refused(&request, RefusalKind::ChallengeDraftUnknown, 400);
    }
}

#[test]
fn row_13_half_a_challenge_is_refused() {
    refused(
        &upgrade(&[KEY1, ORIGIN]),
        RefusalKind::ChallengeKeyMissing,
        400,
    );
    refused(
        &upgrade(&[KEY2, ORIGIN]),
        RefusalKind::ChallengeKeyMissing,
        400,
    );
    refused(
        &upgrade(&[KEY1, KEY1, KEY2]),
        RefusalKind::ChallengeKeyMissing,
        400,
    );
    refused(
        &upgrade(&[KEY1, KEY2, KEY2]),
        RefusalKind::ChallengeKeyMissing,
        400,
    );
}

#[test]
fn row_14_a_key_without_version_is_refused_with_the_list() {
    let request = upgrade(&[KEY, ORIGIN]);
    refused(&request, RefusalKind::VersionMissing, 400);
    assert!(
        detect(&request, Detection::default())
            .unwrap_err()
            .lists_versions()
    );
}

#[test]
fn row_15_a_draft_number_alone_is_refused() {
    refused(
        &upgrade(&[draft("2"), ORIGIN]),
        RefusalKind::DraftAlone,
        400,
    );
}

#[test]
fn row_15a_fields_without_their_key_betray_a_proxy() {
    let extensions = ("Sec-WebSocket-Extensions", "permessage-deflate");
    refused(
        &upgrade(&[extensions, ORIGIN]),
        RefusalKind::KeyStripped,
        400,
    );
    let old = ("Sec-WebSocket-Origin", "http://example.com");
    refused(&upgrade(&[old]), RefusalKind::KeyStripped, 400);
}

#[test]
fn row_16_an_origin_and_nothing_else_is_hixie_75() {
    is(&upgrade(&[ORIGIN]), Draft::Hixie75);
    is(
        &upgrade(&[ORIGIN, ("WebSocket-Protocol", "sample")]),
        Draft::Hixie75,
    );
    is(
        &upgrade(&[ORIGIN, ("Sec-WebSocket-Protocol", "sample")]),
        Draft::Hixie75,
    );
}

#[test]
fn row_17_hixie_75_without_origin_is_refused_unless_the_route_says_otherwise() {
    let request = upgrade(&[]);
    refused(&request, RefusalKind::OriginMissing, 400);
    let allowed = Detection {
        without_origin: true,
        ..Detection::default()
    };
    assert_eq!(detect(&request, allowed), Ok(Draft::Hixie75));
}

#[test]
fn exactly_one_host_is_demanded() {
    let terms = draftgate_drafts::opening::Terms {
        subprotocol: None,
        public_url: "ws://example.com/demo",
        limits: draftgate_core::Limits::default(),
        length_frames: draftgate_drafts::opening::LengthFrames::default(),
        extension: None,
    };
    for hosts in [0, 2] {
        let mut request = upgrade(&[ORIGIN]);
        request.headers.remove("host");
        for _ in 0..hosts {
            let host = http::HeaderValue::from_static("example.com");
            request.headers.append("host", host);
        }
        let mut keys = draftgate_drafts::RandomKeys;
        let refusal = accept(Draft::Hixie75, &request, &terms, &mut keys).unwrap_err();
        assert_eq!(refusal.kind, RefusalKind::HostMissing);
    }
}
