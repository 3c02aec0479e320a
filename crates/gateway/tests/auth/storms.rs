//! Many at once: a storm of openings is a trickle for the server that is asked.

use draftgate_core::Draft;

use crate::{
    common::{self, announced},
    stage::{Opening, Scripted, gateway, says},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_openings_is_no_storm_for_the_server_that_is_asked() {
    const CLIENTS: usize = 1000;
    let server = Scripted::start(|_| says("200 OK", "")).await;
    let (running, address) = gateway(&format!(
        "[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n[routes.auth]\nurl = \"http://{}/\"\nat-once = 8\nwait = \"60s\"\ntimeout = \"60s\"\n",
        server.address
    ));
    let drafts: Vec<Draft> = announced();
    let openings = (0..CLIENTS).map(|number| {
        let opening = Opening::new(drafts[number % drafts.len()], "/echo");
        tokio::spawn(async move { opening.open(address).await })
    });
    let openings: Vec<_> = openings.collect();
    let mut clients = Vec::new();
    for opening in openings {
        clients.push(opening.await.unwrap());
    }
    common::until("all are open", || running.counts().open == CLIENTS as u64).await;
    assert_eq!(server.asked().len(), CLIENTS);
    assert!(server.connections() <= 8, "{}", server.connections());
}
