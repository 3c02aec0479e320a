//! Opening handshakes: the server's half from the octets of a request to those
//! of its answer, and the client's from what it asks to the open codec.

use std::hint::black_box;

use draftgate_bench::ends::{answered, connected, offered};
use draftgate_core::Draft;
use draftgate_drafts::spoken;

use crate::{Case, keys};

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for draft in spoken() {
        let name = |role| format!("opening/{role}/{draft}");
        cases.push(Case::new(name("server"), move || server(draft)));
        cases.push(Case::new(name("client"), move || client(draft)));
    }
    cases
}

fn server(draft: Draft) -> impl FnMut() {
    let request = offered(draft, &mut keys()).request;
    move || {
        black_box(answered(draft, black_box(&request), &mut keys()));
    }
}

fn client(draft: Draft) -> impl FnMut() {
    let request = offered(draft, &mut keys()).request;
    let (_, answer) = answered(draft, &request, &mut keys());
    move || {
        let offered = black_box(offered(draft, &mut keys()));
        black_box(connected(offered, &answer));
    }
}
