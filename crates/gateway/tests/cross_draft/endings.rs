//! Every code with which the gateway, or a service of one's own, may end a
//! connection, to every draft: the octets, and the code in the log.

use std::sync::Arc;

use draftgate_conn::{Handler, Peer as Connection};
use draftgate_core::{Close, Draft, Message, Traits};
use draftgate_drafts::UNANNOUNCED;
use draftgate_gateway::{
    Gateway,
    service::{Accept, Answer, Opening, Service},
};
use draftgate_translate::table::Ending;

use crate::{
    common::{captured, config},
    octets,
    peer::Peer,
};

const REASON: &str = "for a reason";

/// Closes every connection at once, with the code that stands in its path.
#[derive(Debug)]
struct Closer;

struct Closing(u16);

impl Service for Closer {
    fn open<'a>(&'a self, opening: &'a Opening<'a>) -> Answer<'a> {
        let code = opening.channel.unwrap().parse().unwrap();
        Box::pin(async move { Ok(Accept::new(Closing(code))) })
    }
}

impl Handler for Closing {
    fn opened(&mut self, peer: &mut Connection<'_>) {
        peer.sender().close(Some(Close::new(self.0, REASON)));
    }

    fn message(&mut self, _: Message, _: &mut Connection<'_>) {}
}

#[tokio::test]
async fn every_code_reaches_every_draft_as_the_nearest_that_it_has() {
    let (lines, _logging) = captured();
    let closer = |_: &_| Some(Arc::new(Closer) as Arc<dyn Service>);
    let mut config = config();
    config.log.rate = None;
    let running = Gateway::bind_with(config, closer).unwrap();
    let address = running.addrs()[0];
    // A client of hybi-01 that is closed before it says anything is told as one of
    // hixie-76 is.
    let announced = |to: &Traits| to.draft != UNANNOUNCED;
    for to in draftgate_drafts::traits().filter(announced) {
        for code in (999..=1016).chain([2999, 3000, 4999, 5000, u16::MAX]) {
            let what = format!("{code} to {}", to.draft);
            let ending = match to.draft {
                Draft::Hixie75 => Ending::Tcp,
                Draft::Hixie76 => Ending::Marker,
                Draft::Hybi05 => Ending::Letter,
                hybi => Ending::Frame(nearest(code, hybi).map(|code| Close::new(code, REASON))),
            };
            let told = Ending::told(Some(Close::new(code, REASON)), &to);
            assert_eq!(told, ending, "{what}");
            let mut peer = Peer::open(address, to.draft, &format!("/bus/{code}")).await;
            peer.hears(&octets::ending_to(peer.role, &ending, to.draft), &what)
                .await;
            peer.shut().await;
            peer.ends(&what).await;
            let here = peer.address.to_string();
            let line = || lines.with("peer", &here).pop();
            lines.until("the access line", || line().is_some()).await;
            // The one that was meant.
            assert_eq!(line().unwrap()["code"], code, "{what}");
        }
    }
}

/// The policy between the codes, written down a second time: what is too
/// large changed its number, what blames the peer is a protocol error, what
/// is our own fault is going away.
pub(crate) fn nearest(code: u16, draft: Draft) -> Option<u16> {
    match (code, draft) {
        (_, old) if old < Draft::Hybi06 => None,
        (1000..=1003 | 3000..=4999, _) => Some(code),
        (1004 | 1009, Draft::Hybi13) => Some(1009),
        (1004 | 1009, _) => Some(1004),
        (1006 | 1015, _) => Some(1001),
        (1007..=1014, Draft::Hybi13) | (1007, Draft::Hybi08) => Some(code),
        (1007 | 1008 | 1010, _) => Some(1002),
        (1011..=1014, _) => Some(1001),
        _ => None,
    }
}
