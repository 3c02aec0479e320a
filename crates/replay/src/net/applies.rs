//! Which exchanges say something about a server, and why the others do not:
//! octets that nobody has, drafts that are not spoken here, and what is a
//! server's own decision.

use draftgate_core::{Role, Rule};
use draftgate_drafts::{acceptor, hangs_on_nonce};
use draftgate_vectors::{Action, Ends, Stated, Vector};

use super::target::Target;
use crate::offline::gap;

/// Why what a client of hybi-04 or hello-00 sent says nothing to another server.
pub(super) const NONCE: &str =
    "its client masks or proves with a nonce of that one server; judged without a network";

/// The tag of exchanges whose outcome is a matter of how a server is set up.
pub const FRONT_END: &str = "front-end";

/// Why it cannot be replayed against a server.
pub(super) fn inapplicable(vector: &Vector, target: &Target, stated: &Stated) -> Option<String> {
    if gap(vector, Role::Client) {
        return Some("octets of the client are missing".to_owned());
    }
    if acceptor(vector.about.draft).is_err() {
        return Some(format!("not spoken here: {}", vector.about.draft));
    }
    if hangs_on_nonce(vector.about.draft) {
        return Some(NONCE.to_owned());
    }
    if stated.ends == Ends::Nothing && !vector.steps.iter().any(waits) {
        return Some("the client sent nothing".to_owned());
    }
    if is_limit(stated) {
        return Some("how much a server takes is its own decision".to_owned());
    }
    (is_front_end(vector) && !target.front_end)
        .then(|| "depends on how the server is set up; replayed with --tag front-end".to_owned())
}

/// Whether what is expected depends on how much the reader takes.
pub(crate) fn is_limit(stated: &Stated) -> bool {
    stated.violation.as_ref().is_some_and(|broken| {
        matches!(
            broken.rule,
            Rule::FrameTooBig | Rule::MessageTooBig | Rule::TooManyFragments
        )
    })
}

/// Whether what it asks for is what it is there for.
pub(super) fn is_front_end(vector: &Vector) -> bool {
    vector.about.tags.iter().any(|tag| tag == FRONT_END)
}

fn waits(step: &draftgate_vectors::Step) -> bool {
    matches!(step.action, Action::Timeout(_))
}
