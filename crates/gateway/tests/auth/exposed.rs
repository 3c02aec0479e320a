//! What `draftgate check` says of routes that ask who comes in.

use draftgate_gateway::config::{ClientAuth, Tls, TlsProfile};

use crate::stage::{SECRET, TOKEN, config};

/// What is said of `/x`, by listener and route.
fn said(route: &str) -> Vec<String> {
    let text = format!("[[routes]]\npath = \"/x\"\norigins = [\"any\", \"missing\"]\n{route}");
    let exposed = config(&text).exposure();
    exposed.iter().map(ToString::to_string).collect()
}

#[test]
fn who_decides_is_told_and_not_that_everybody_may() {
    let bus = "service = \"bus\"\nchannel = \"a\"\n";
    let proxy = "service = \"proxy\"\nupstream = \"ws://127.0.0.1:9000\"\n";
    let jwt = format!("auth.jwt = {{ algorithm = \"HS256\", secret = \"{SECRET}\" }}");
    let everybody = ["clients without Origin may connect", "every peer may"];
    for service in [bus, proxy] {
        let open = said(service);
        for (line, all) in everybody.into_iter().zip([true, service == bus]) {
            assert_eq!(open.iter().any(|it| it.contains(line)), all, "{open:?}");
        }
        for (auth, who) in [
            (
                format!("auth.token = \"{TOKEN}\""),
                "a token in the field Authorization decides who comes in",
            ),
            (
                format!("auth = {{ token = \"{TOKEN}\", from = [\"query:t\", \"cookie:c\"] }}"),
                "a token in the parameter `t` of the query or in the cookie `c` decides who comes in",
            ),
            (
                jwt.clone(),
                "a JSON Web Token in the field Authorization decides who comes in",
            ),
            (
                "auth.url = \"http://127.0.0.1:9001/check?key=hidden\"".to_owned(),
                "the server http://127.0.0.1:9001/check decides who comes in",
            ),
        ] {
            let found = said(&format!("{service}{auth}\n"));
            let line = found.iter().find(|it| it.contains("decides who comes in"));
            let expected = format!("127.0.0.1:0 /x: {who}");
            assert_eq!(line, Some(&expected), "{auth}: {found:?}");
            let all = found.join("\n");
            for never in everybody.into_iter().chain([TOKEN, SECRET, "hidden"]) {
                assert!(!all.contains(never), "{auth}: {all}");
            }
        }
    }
}

#[test]
fn who_has_to_show_a_certificate_is_told() {
    let text = "[[routes]]\npath = \"/x\"\norigins = [\"missing\"]\nservice = \"echo\"\n";
    let mut config = config(text);
    for (client_auth, told) in [
        (ClientAuth::Off, false),
        (ClientAuth::Optional, false),
        (ClientAuth::Required, true),
    ] {
        config.listeners[0].tls = Some(Tls {
            certificates: Vec::new(),
            client_ca: vec!["ca.pem".into()],
            client_auth,
            profile: TlsProfile::Modern,
            reload_check: None,
        });
        let lines = config.exposure();
        let says = |what: &str| lines.iter().any(|it| it.to_string().contains(what));
        assert_eq!(says("only clients with a certificate"), told, "{lines:?}");
        assert_eq!(says("clients without Origin"), !told, "{lines:?}");
    }
}

#[test]
fn pages_of_others_are_told_of_where_what_decides_comes_by_itself() {
    let pages = |auth: &str| {
        let found = said(&format!("service = \"echo\"\n{auth}\n"));
        found.iter().any(|it| it.contains("every web page"))
    };
    assert!(pages(""));
    assert!(pages("auth.url = \"http://127.0.0.1:9001/\""));
    assert!(pages(&format!(
        "auth = {{ token = \"{TOKEN}\", from = [\"header\", \"cookie:c\"] }}"
    )));
    for from in ["header", "query:t", "subprotocol:b."] {
        let auth = format!("auth = {{ token = \"{TOKEN}\", from = \"{from}\" }}");
        assert!(!pages(&auth), "{from}");
    }
}
