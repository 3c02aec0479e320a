use super::{super::Origins, *};

fn of(config: &Config) -> Vec<Exposed> {
    config
        .exposure()
        .into_iter()
        .map(|exposure| exposure.what)
        .collect()
}

#[test]
fn the_embedded_configuration_tells_what_it_exposes() {
    let lines: Vec<String> = Config::default()
        .exposure()
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(lines[0], "127.0.0.1:8080: serves the chat page at `/`");
    let named = |of: fn(&Draft) -> bool| {
        let drafts = draftgate_drafts::spoken().filter(of);
        listed(drafts.map(Draft::with_alias), "and")
    };
    let speaks = format!("127.0.0.1:8080 /echo: speaks {}", named(|_| true));
    assert_eq!(lines[1], speaks);
    let unmasked = named(|draft| !draftgate_drafts::is_masked(*draft));
    let unmasked = format!("127.0.0.1:8080 /echo: clients of {unmasked} send");
    assert!(lines[2].starts_with(&unmasked), "{}", lines[2]);
    assert!(
        lines
            .last()
            .unwrap()
            .starts_with("127.0.0.1:8080 /bus/{channel}: programs of this machine publish")
    );
    assert!(
        lines[lines.len() - 2].starts_with("127.0.0.1:8080 /bus/{channel}: every peer may publish")
    );
}

#[test]
fn frames_without_masks_are_told_with_whom_they_are_taken_from() {
    let config = Config::default();
    let mut route = config.routes[0].clone();
    let told = |route: &Route| of_route(route, &config.listeners[0]);
    let is_it = |it: &Exposed| matches!(it, Exposed::UnmaskedFrom(_));
    assert!(!told(&route).iter().any(is_it));
    *route.quirks.of_mut(Quirk::Unmasked) = QuirkFor::Families(vec!["Arduino".into()]);
    let said: Vec<_> = told(&route).into_iter().filter(is_it).collect();
    assert!(
        said[0].to_string().contains("looks like Arduino: "),
        "{said:?}"
    );
}

#[test]
fn an_admin_listener_is_told_with_who_may_ask() {
    let mut config = Config::default();
    for (address, token, what) in [
        ("127.0.0.1:8079", None, Exposed::Operators),
        ("127.0.0.1:8079", Some(()), Exposed::OperatorsWithToken),
        ("192.0.2.1:8079", Some(()), Exposed::OperatorsInTheClear),
    ] {
        config.admin = Some(super::super::Admin {
            address: address.parse().unwrap(),
            token: token.and_then(|()| super::super::Token::new("0123456789abcdef").ok()),
            ..Default::default()
        });
        assert_eq!(of(&config).last(), Some(&what));
    }
}

#[test]
fn what_is_published_over_http_is_told_where_it_matters() {
    let mut config = Config::default();
    let has = |config: &Config, what: &Exposed| of(config).contains(what);
    assert!(!has(&config, &Exposed::TokenInTheClear));
    config.routes[1].http.token = super::super::Token::new("0123456789abcdef").ok();
    assert!(!has(&config, &Exposed::TokenInTheClear));
    config.with_listen("0.0.0.0:80".parse().unwrap());
    assert!(has(&config, &Exposed::TokenInTheClear));
    assert!(has(&config, &Exposed::LoopbackPublishes));
    config.listeners[0].public_url = Some("wss://example.com".parse().unwrap());
    assert!(!has(&config, &Exposed::TokenInTheClear));
    assert!(!has(&config, &Exposed::LoopbackPublishes));
    config.listeners[0].public_url = None;
    config.routes[1].publish = Allowed::None;
    assert!(!has(&config, &Exposed::LoopbackPublishes));
    config.routes[1].http.trust_loopback = Some(true);
    assert!(has(&config, &Exposed::LoopbackPublishes));
    config.routes[1].publish = Allowed::All;
    config.routes[1].http.trust_loopback = Some(false);
    assert!(!has(&config, &Exposed::LoopbackPublishes));
    config.routes[1].http.enabled = false;
    assert!(!has(&config, &Exposed::TokenInTheClear));
}

#[test]
fn a_route_of_today_exposes_little() {
    let mut config = Config::default();
    config.with_drafts(&[Draft::Hybi13]);
    config.listeners[0].page = false;
    config.routes.truncate(1);
    config.routes[0].origins = Origins::new(["https://example.com".parse().unwrap()]);
    assert_eq!(of(&config), [Exposed::Speaks(vec![Draft::Hybi13])]);
}

#[test]
fn proxies_are_named_with_what_they_are_believed() {
    let mut config = Config::default();
    config.with_listen("0.0.0.0:80".parse().unwrap());
    config.listeners[0].trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let lines =
        |config: &Config| -> Vec<String> { of(config).iter().map(ToString::to_string).collect() };
    let found = lines(&config);
    assert!(found[0].starts_with("in reach of the network"), "{found:?}");
    assert!(
        found[1].starts_with("`10.0.0.0/8` are believed"),
        "{found:?}"
    );
    config.listeners[0].proxy_protocol = true;
    let found = lines(&config);
    assert!(
        found[0].starts_with("only `10.0.0.0/8` may connect"),
        "{found:?}"
    );
    assert!(
        !found[1].contains("believed") && !found[1].contains("network"),
        "{found:?}"
    );
}

#[test]
fn a_network_is_named_once_per_listener() {
    let mut config = Config::default();
    config.with_listen("0.0.0.0:80".parse().unwrap());
    let count = |config: &Config, what: &Exposed| of(config).iter().filter(|w| *w == what).count();
    assert_eq!(count(&config, &Exposed::PlainNetwork), 1);
    assert_eq!(count(&config, &Exposed::HostFromClient), 2);
    config.listeners[0].public_url = Some("wss://example.com".parse().unwrap());
    assert_eq!(count(&config, &Exposed::PlainNetwork), 0);
    assert_eq!(count(&config, &Exposed::BesideProxy), 1);
    assert_eq!(count(&config, &Exposed::HostFromClient), 0);
    config.any_origin();
    assert_eq!(count(&config, &Exposed::AnyOrigin), 2);
}
