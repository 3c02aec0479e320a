//! `expected-failures.toml`: what fails, why, and with which code. A list and
//! not a skip: what is on it must still fail, in the way it says.

use std::collections::BTreeMap;

use serde::Deserialize;

#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Expected {
    /// Servers that `draftgate connect` must refuse.
    pub(crate) servers: Vec<Refused>,
    /// Clients that the gateway must refuse.
    pub(crate) clients: Vec<Refused>,
    /// Servers that close without their draft's closing handshake.
    pub(crate) closes: Vec<Refused>,
    pub(crate) autobahn: Vec<Case>,
}

/// A program that fails in one draft.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refused {
    pub(crate) peer: String,
    pub(crate) draft: String,
    /// The refusal's stable code, or the status code of the close.
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
    let refused = expected.servers.iter().chain(&expected.clients);
    let refused = refused.chain(&expected.closes);
    let reasons = refused.map(|refused| &refused.reason);
    let mut reasons = reasons.chain(expected.autobahn.iter().map(|case| &case.reason));
    assert!(
        reasons.all(|reason| !reason.trim().is_empty()),
        "a reason is missing"
    );
    expected
}

impl Expected {
    /// The entry of `peer` as a server of `draft`, if it is expected to fail.
    pub(crate) fn server(&self, peer: &str, draft: &str) -> Option<&Refused> {
        entry(&self.servers, peer, draft)
    }

    /// The entry of `peer` as a client of `draft`, if it is expected to fail.
    pub(crate) fn client(&self, peer: &str, draft: &str) -> Option<&Refused> {
        entry(&self.clients, peer, draft)
    }

    /// The entry of `peer` as a server of `draft`, if it closes as no draft does.
    pub(crate) fn close(&self, peer: &str, draft: &str) -> Option<&Refused> {
        entry(&self.closes, peer, draft)
    }

    /// The cases of `role` that are not "OK", with what they are.
    pub(crate) fn autobahn(&self, role: &str) -> BTreeMap<String, String> {
        let cases = self.autobahn.iter().filter(|case| case.role == role);
        cases
            .map(|case| (case.case.clone(), case.behavior.clone()))
            .collect()
    }
}

fn entry<'a>(list: &'a [Refused], peer: &str, draft: &str) -> Option<&'a Refused> {
    let mut entries = list.iter();
    entries.find(|refused| refused.peer == peer && refused.draft == draft)
}
