//! The rules of `origins`, as tables.

use super::*;

fn origins(rules: &str) -> Origins {
    Origins::new(rules.split(' ').map(|rule| rule.parse().unwrap()))
}

fn verdict(rules: &str, values: &[&str], host: &str) -> &'static str {
    let values: Vec<&[u8]> = values.iter().map(|v| v.as_bytes()).collect();
    match allows(&origins(rules), &values, Some(host)) {
        Ok(()) => "accepted",
        Err(refused) => kind(&refused),
    }
}

#[test]
fn each_rule_accepts_its_own_and_nothing_else() {
    const YES: &str = "accepted";
    const NO: &str = "origin-not-allowed";
    for (rules, origin, expected) in [
        ("any", "https://evil.example", YES),
        ("*", "null", YES),
        ("any", "chrome-extension://abcdef", YES),
        ("same-host", "http://gate.example", YES),
        ("same-host", "https://GATE.example:8443", YES),
        ("same-host", "https://gate.example.", YES),
        ("same-host", "https://gate.example.evil.example", NO),
        ("same-host", "https://evil.example", NO),
        ("same-host", "http://localhost", NO),
        ("same-host", "null", "origin-null"),
        ("same-host", "file://", NO),
        ("loopback", "http://localhost", YES),
        ("loopback", "http://localhost:3000", YES),
        ("loopback", "https://127.0.0.1:8443", YES),
        ("loopback", "http://[::1]:80", YES),
        ("loopback", "http://[0:0:0:0:0:0:0:1]", YES),
        ("loopback", "http://127.0.0.1.evil.example", NO),
        ("loopback", "http://localhost.evil.example", NO),
        ("loopback", "http://127.0.0.2", NO),
        ("loopback", "ftp://localhost", NO),
        ("loopback", "http://localhost@evil.example", NO),
        ("null", "null", YES),
        ("null", "NULL", YES),
        ("null", "file://", NO),
        ("file://", "file://", YES),
        ("file://", "null", "origin-null"),
        ("missing", "https://evil.example", NO),
        ("https://example.com", "https://example.com", YES),
        ("https://example.com", "https://EXAMPLE.com:443", YES),
        ("https://example.com", "https://example.com:8443", NO),
        ("https://example.com", "http://example.com", NO),
        ("https://example.com", "https://example.com/path", NO),
        (
            "https://example.com",
            "https://example.com.evil.example",
            NO,
        ),
        ("http://example.com:8080", "http://example.com:8080", YES),
        ("*.example.com", "https://a.example.com", YES),
        ("*.example.com", "http://a.b.example.com:8080", YES),
        ("*.example.com", "https://example.com", NO),
        ("*.example.com", "https://.example.com", NO),
        ("*.example.com", "https://evilexample.com", NO),
        ("*.example.com", "https://a.example.com.evil.example", NO),
        ("https://*.example.com", "https://a.example.com", YES),
        ("https://*.example.com", "http://a.example.com", NO),
        ("https://*.example.com", "https://a.example.com:8443", NO),
        (
            "https://*.example.com:8443",
            "https://a.example.com:8443",
            YES,
        ),
        ("*.example.com:8443", "http://a.example.com:8443", YES),
        ("*.example.com:8443", "http://a.example.com", NO),
        ("app://shop", "app://shop", YES),
        ("null https://a.example", "https://a.example", YES),
    ] {
        assert_eq!(
            verdict(rules, &[origin], "Gate.example:8080"),
            expected,
            "{rules} and {origin}"
        );
    }
}

#[test]
fn a_missing_origin_is_accepted_where_it_is_listed() {
    for (rules, expected) in [
        ("missing", "accepted"),
        ("any", "accepted"),
        ("same-host missing", "accepted"),
        ("same-host", "origin-missing"),
        ("null", "origin-missing"),
    ] {
        assert_eq!(verdict(rules, &[], "gate.example"), expected, "{rules}");
    }
}

#[test]
fn two_values_must_be_one_origin_under_every_rule() {
    let one = "https://a.example";
    for (values, expected) in [
        (vec![one, one], "accepted"),
        (vec![one, "HTTPS://A.example"], "accepted"),
        (vec![one, "https://b.example"], "origin-ambiguous"),
        (vec![one, "null"], "origin-ambiguous"),
        (vec![one, one, "https://b.example"], "origin-ambiguous"),
    ] {
        assert_eq!(
            verdict("any", &values, "gate.example"),
            expected,
            "{values:?}"
        );
    }
}

#[test]
fn an_origin_that_cannot_be_echoed_is_refused_under_every_rule() {
    for value in [
        "",
        " ",
        "https://a https://b",
        "https://\u{fc}.example",
        "a\r\nb",
        "a\tb",
    ] {
        assert_eq!(
            verdict("any", &[value], "gate.example"),
            "origin-malformed",
            "{value:?}"
        );
    }
}

#[test]
fn either_header_is_read_and_the_host_is_the_one_reached() {
    let mut headers = http::HeaderMap::new();
    headers.insert("host", "10.0.0.7:8080".parse().unwrap());
    let rule = origins("same-host");
    let (inner, public) = (Some("10.0.0.7:8080"), Some("gate.example"));
    assert_eq!(rule.allow(&headers, inner), Err(OriginRefused::Missing));
    headers.insert("sec-websocket-origin", "http://10.0.0.7".parse().unwrap());
    assert_eq!(rule.allow(&headers, inner), Ok(()));
    assert!(rule.allow(&headers, public).is_err());
    headers.insert(
        "sec-websocket-origin",
        "https://gate.example".parse().unwrap(),
    );
    assert_eq!(rule.allow(&headers, public), Ok(()));
    assert!(rule.allow(&headers, None).is_err());
    headers.insert("origin", "https://b.example".parse().unwrap());
    assert_eq!(
        kind(&rule.allow(&headers, public).unwrap_err()),
        "origin-ambiguous"
    );
}

#[test]
fn rules_are_printed_as_they_are_written() {
    for rule in [
        "any",
        "same-host",
        "loopback",
        "null",
        "file://",
        "missing",
        "https://example.com",
        "http://[::1]:8080",
        "*.example.com",
        "https://*.example.com:8443",
    ] {
        assert_eq!(rule.parse::<OriginRule>().unwrap().to_string(), rule);
    }
    assert_eq!(
        OriginRule::WORDS.map(|w| w.parse::<OriginRule>().unwrap().to_string()),
        OriginRule::WORDS
    );
}

#[test]
fn what_is_no_origin_is_refused() {
    for text in [
        "",
        "example.com",
        "https://",
        "https://a/",
        "https://a/b",
        "*.com",
        "*",
        "**.a.b",
        "https://*",
        "https://a:b",
        "https://a:99999",
        "https://[::1",
        "same_host",
        "https://*.*.a.b",
    ] {
        let parsed = text.parse::<OriginRule>();
        assert!(parsed.is_err() || text == "*", "{text}: {parsed:?}");
    }
}

fn kind(refused: &OriginRefused) -> &'static str {
    match refused {
        OriginRefused::TwoOrigins(..) => "origin-ambiguous",
        OriginRefused::Malformed => "origin-malformed",
        OriginRefused::Missing => "origin-missing",
        OriginRefused::Null => "origin-null",
        OriginRefused::NotListed(_) => "origin-not-allowed",
    }
}
