//! What is printed is complete, is read again as the same, and names who said
//! it.

use std::collections::BTreeSet;

use draftgate_core::Draft;
use proptest::{prelude::*, sample::select};
use toml::de::DeValue;

use super::{
    super::{Config, EMBEDDED, Environment, KEYS_TABLE, Source},
    *,
};

/// A file in which every table is there, and a route of each service.
const FULL: &str = include_str!("full.toml");

fn spoken() -> Vec<Draft> {
    draftgate_drafts::spoken().collect()
}

fn read(text: &str, variables: &[(&str, &str)]) -> (Config, Effective) {
    let environment = Environment::new(variables.iter().copied());
    Config::parse_effective(text, "gate.toml", &spoken(), &environment)
        .unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// Key and default of each row of the documentation.
fn rows() -> impl Iterator<Item = (&'static str, &'static str)> {
    KEYS_TABLE.lines().skip(2).map(|line| {
        let mut cells = line.split('|').map(str::trim);
        let key = cells.nth(1).unwrap().trim_matches('`');
        (key, cells.next().unwrap())
    })
}

#[test]
fn every_key_of_the_documentation_appears() {
    let (_, effective) = read(FULL, &[]);
    let tables = effective.sections.iter().map(|s| without_indices(&s.at));
    let shown: BTreeSet<String> = effective
        .keys()
        .map(|(key, ..)| key)
        .chain(tables)
        .collect();
    let text = effective.to_toml(false);
    let names: BTreeSet<&str> = text
        .lines()
        .filter_map(|line| line.trim_start_matches("# ").split([' ', '=']).next())
        .collect();
    for (key, _) in rows() {
        assert!(shown.contains(key), "{key} is read, but not shown");
        let (table, last) = key.rsplit_once('.').unwrap_or(("", key));
        let is_table = text.contains(&format!("[{key}]"));
        assert!(is_table || names.contains(last), "{table}.{last}\n{text}");
    }
}

#[test]
fn every_default_of_the_documentation_is_shown_as_such() {
    let (_, effective) = read(FULL, &[]);
    let mut checked = 0;
    for (key, default) in rows() {
        let Some(default) = default
            .strip_prefix('`')
            .and_then(|it| it.strip_suffix('`'))
        else {
            continue;
        };
        let Ok(default) = DeValue::parse(default) else {
            continue;
        };
        let held: Vec<_> = effective
            .keys()
            .filter(|(name, _, from)| name == key && **from == SaidBy::Default)
            .filter_map(|(_, held, _)| held.cloned())
            .collect();
        if held.is_empty() {
            let said = effective.keys().any(|(name, ..)| name == key);
            assert!(said, "{key} is not in the file");
            let by_file = effective
                .keys()
                .any(|(name, _, from)| name == key && *from != SaidBy::Default);
            assert!(by_file, "{key} has a default that is not shown");
            continue;
        }
        let expected = Shown::written("", default.get_ref());
        let same =
            |held: &Json| Shown::Is(held.clone()) == expected || lasts_the_same(held, &default);
        assert!(held.iter().any(same), "{key}: {held:?} is not {default:?}");
        checked += 1;
    }
    assert!(checked > 60, "only {checked} defaults were compared");
}

/// `"120s"` and `"2m"` are the same.
fn lasts_the_same(held: &Json, default: &toml::Spanned<DeValue<'_>>) -> bool {
    let duration = |text: &str| super::super::units::duration(text).ok();
    let held = held.as_str().and_then(duration);
    held.is_some() && held == default.get_ref().as_str().and_then(duration)
}

/// Reads what was printed, with the secrets put back.
fn again(effective: &Effective, changed: bool) -> Config {
    let printed = effective.to_toml(changed);
    let text = printed.replace("\"***\"", "\"0123456789abcdef0123456789abcdef\"");
    let text = text.replace(":***@", ":hunter2@");
    assert!(
        !printed.contains("0123456789abcdef0123456789abcdef"),
        "{printed}"
    );
    read(&text, &[]).0
}

#[test]
fn what_is_printed_is_read_as_the_same() {
    for text in [FULL, EMBEDDED] {
        let (config, effective) = read(text, &[]);
        assert_eq!(
            again(&effective, false),
            config,
            "{}",
            effective.to_toml(false)
        );
        assert_eq!(
            again(&effective, true),
            config,
            "{}",
            effective.to_toml(true)
        );
    }
}

#[test]
fn an_admin_listener_at_its_own_address_is_still_one_that_was_asked_for() {
    // Keys of the top stand before every table.
    let (top, tables) = EMBEDDED.split_at(EMBEDDED.find("[[").unwrap());
    let text = format!("{top}[admin]\naddress = \"127.0.0.1:8079\"\n{tables}");
    let (config, effective) = read(&text, &[]);
    assert!(config.admin.is_some());
    assert_eq!(
        again(&effective, true),
        config,
        "{}",
        effective.to_toml(true)
    );
}

#[test]
fn each_value_names_who_said_it() {
    let text = "drafts = [\"hybi-13\"]\nlimits.message = \"1MiB\"\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n";
    let (_, mut effective) = read(text, &[("DRAFTGATE_LIMITS__FRAME", "2MiB")]);
    effective.with_listen("127.0.0.1:9".parse().unwrap());
    effective.with_flag("log", "level", "--log", "debug");
    let printed = effective.to_toml(false);
    for (line, from) in [
        ("drafts = [\"hybi-13\"]", "gate.toml:1"),
        ("message = \"1MiB\"", "gate.toml:2"),
        ("message = \"1MiB\"", "gate.toml:2, at the top"),
        ("frame = \"2MiB\"", "DRAFTGATE_LIMITS__FRAME"),
        ("frame = \"2MiB\"", "DRAFTGATE_LIMITS__FRAME, at the top"),
        ("address = \"127.0.0.1:9\"", "--listen"),
        ("level = \"debug\"", "--log"),
        ("fragments = 65536", "default"),
        ("path = \"/echo\"", "gate.toml:4"),
    ] {
        let line = format!("{line:44}  # {from}\n");
        assert!(printed.contains(&line), "{line}{printed}");
    }
    let changed = effective.to_toml(true);
    assert!(!changed.contains("fragments"), "{changed}");
    assert_eq!(changed.matches("message").count(), 1, "{changed}");
    let json = effective.to_json(false);
    assert_eq!(json["values"]["limits"]["message"]["from"], "gate.toml:2");
    assert_eq!(json["values"]["routes"][0]["path"]["value"], "/echo");
}

#[test]
fn secrets_are_masked_and_counted() {
    let (_, effective) = read(FULL, &[]);
    for printed in [
        effective.to_toml(false),
        effective.to_toml(true),
        effective.to_json(false).to_string(),
    ] {
        assert!(!printed.contains("hunter2"), "{printed}");
        assert!(
            !printed.contains("0123456789abcdef0123456789abcdef"),
            "{printed}"
        );
    }
    let (_, effective) = read(
        FULL,
        &[("DRAFTGATE_HTTP__TOKEN", "in-a-variable-0123456789")],
    );
    let printed = effective.to_toml(false);
    assert!(!printed.contains("in-a-variable"), "{printed}");
    assert!(printed.contains("# DRAFTGATE_HTTP__TOKEN"), "{printed}");
}

/// A line of a configuration for any of the documented values.
fn line(key: &'static str, values: &'static [&'static str]) -> impl Strategy<Value = String> {
    prop::option::of(select(values)).prop_map(move |value| match value {
        Some(value) => format!("{key} = {value}\n"),
        None => String::new(),
    })
}

fn some_file() -> impl Strategy<Value = String> {
    let top = (
        line("limits.message", &["1", "\"3MiB\"", "\"16MiB\"", "70000"]),
        line("limits.per-ip", &["\"unlimited\"", "5"]),
        line("limits.queue", &["\"1B\"", "\"1025B\"", "\"2GiB\""]),
        line("timeouts.idle", &["\"off\"", "\"1500ms\"", "\"48h\""]),
        line("timeouts.head-delay", &["\"0s\"", "\"3ms\""]),
        line(
            "origins",
            &[
                "\"any\"",
                "[\"https://a.example:8\", \"*.b.example\", \"null\"]",
            ],
        ),
        line("log.rate", &["\"unlimited\"", "3"]),
        line("http.trust-loopback", &["true", "false"]),
        line(
            "record",
            &["{ dir = \"a \\\"b\\\" \\u007f\", redact = [\"x\"] }"],
        ),
        line(
            "policy",
            &[
                "{ allow = \"*\" }",
                "{ allow = [\"a.example\"], flash-ports = [80, \"90-92\"] }",
            ],
        ),
    );
    let listener = (
        line("public-url", &["\"https://a.example\"", "\"ws://b:81\""]),
        line("trusted-proxies", &["[\"10.0.0.0/8\", \"::1\"]", "[]"]),
        line(
            "limits",
            &["{ backlog = 1, head = \"8KiB\" }", "{ head-fields = 7 }"],
        ),
        line("timeouts", &["{ ping = \"off\" }", "{ close = \"1s\" }"]),
    );
    let route = (
        line("subprotocols", &["[\"a\", \"base64\"]", "[]"]),
        line("limits", &["{ frame = 9 }", "{ message = \"16MiB\" }"]),
        line("heartbeat", &["\"empty-text\"", "{ text = \"'\\\\n\" }"]),
        line("drafts", &["[\"hybi-13\", \"hixie-76\"]", "\"all\""]),
        line("queue", &["\"2MiB\""]),
        select(vec![
            "service = \"echo\"\n",
            "service = \"clock\"\ninterval = \"10ms\"\n",
            "service = \"bus\"\nchannel = \"c\"\npublish = \"none\"\n",
            "service = \"bus\"\nchannel = \"c\"\noverflow = \"drop-oldest\"\nhttp = { trust-loopback = true, enabled = false }\n",
            "service = \"bus\"\nchannel = \"c\"\nsource = \"ws://a\"\nupstream-back-off = \"2h\"\n",
            "service = \"proxy\"\nupstream = [\"ws://a/b\", \"unix:/c\"]\nupstream-drafts = [\"hixie-75\"]\nupstream-add = { X-A = \"b\" }\nupstream-host = \"client\"\nupstream-ping = \"off\"\n",
            "service = \"proxy\"\nupstream = \"tcp://a:1\"\nmax-upstream-connections = 1\nupstream-sources = \"127.0.0.1\"\nupstream-proxy = \"http://p:1\"\n",
        ]),
    );
    (
        top,
        prop::option::of(listener),
        prop::collection::vec(route, 1..4),
    )
        .prop_map(|(t, listener, routes)| {
            let mut text = "drafts = \"all\"\n".to_owned();
            text += &[t.0, t.1, t.2, t.3, t.4, t.5, t.6, t.7, t.8, t.9].concat();
            if let Some(l) = listener {
                text += "[[listeners]]\naddress = \"127.0.0.1:0\"\n";
                text += &[l.0, l.1, l.2, l.3].concat();
            }
            for (at, r) in routes.into_iter().enumerate() {
                text += &format!("[[routes]]\npath = \"/{at}\"\n");
                text += &[r.0, r.1, r.2, r.3, r.4].concat();
                text += r.5;
            }
            text
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn whatever_is_read_is_printed_and_read_as_the_same(text in some_file()) {
        let (config, effective) = read(&text, &[]);
        for changed in [false, true] {
            let again = again(&effective, changed);
            prop_assert_eq!(&again, &config, "{}\n---\n{}", text, effective.to_toml(changed));
        }
    }
}

#[test]
fn the_embedded_configuration_needs_no_file() {
    let (config, effective) =
        Config::embedded_effective(&spoken(), &Environment::default()).unwrap();
    assert_eq!(config.source, Source::Embedded);
    assert!(
        effective
            .to_toml(false)
            .starts_with("# In effect: (embedded)\n")
    );
}
