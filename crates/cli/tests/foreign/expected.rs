//! `expected-failures.toml`: what fails, why, and with which code. A list and
//! not a skip: what is on it must still fail, in the way it says.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Expected {
    pub(crate) servers: Vec<Server>,
    pub(crate) autobahn: Vec<Case>,
}

/// A server that `draftgate connect` must refuse.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Server {
    pub(crate) peer: String,
    pub(crate) draft: String,
    /// The refusal's stable code.
    pub(crate) code: String,
    reason: String,
}

/// An Autobahn case that passes, but not strictly.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Case {
    role: String,
    case: String,
    behavior: String,
    reason: String,
}

/// The list, each entry with a reason.
pub(crate) fn failures() -> Expected {
    let expected: Expected = toml::from_str(include_str!("expected-failures.toml")).unwrap();
    let reasons = expected.servers.iter().map(|server| &server.reason);
    let mut reasons = reasons.chain(expected.autobahn.iter().map(|case| &case.reason));
    assert!(
        reasons.all(|reason| !reason.trim().is_empty()),
        "a reason is missing"
    );
    expected
}

impl Expected {
    /// The entry of `peer` as a server of `draft`, if it is expected to fail.
    pub(crate) fn server(&self, peer: &str, draft: &str) -> Option<&Server> {
        let mut servers = self.servers.iter();
        servers.find(|server| server.peer == peer && server.draft == draft)
    }

    /// The cases of `role` that are not "OK", with what they are.
    pub(crate) fn autobahn(&self, role: &str) -> BTreeMap<String, String> {
        let cases = self.autobahn.iter().filter(|case| case.role == role);
        cases
            .map(|case| (case.case.clone(), case.behavior.clone()))
            .collect()
    }
}
