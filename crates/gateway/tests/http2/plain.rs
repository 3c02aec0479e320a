//! What is no WebSocket: pages, and the bus over HTTP.

use draftgate_core::Message;

use crate::{
    common::{Client, config, gateway, soon, until},
    peer::Session,
};

#[tokio::test]
async fn the_page_is_served_with_and_without_its_body() {
    let mut config = config();
    config.listeners[0].page = true;
    let (_running, address) = gateway(config);
    let session = Session::open(address).await;
    let head = session.request("GET", "/");
    let page = session.ask(head, "").await;
    assert_eq!(page.status(), 200);
    assert!(page.body().contains("<html") && page.headers().contains_key("content-length"));
    let head = session.request("HEAD", "/");
    let answer = session.ask(head, "").await;
    assert_eq!(
        (answer.status().as_u16(), answer.body().as_str()),
        (200, "")
    );
    let head = session.request("POST", "/");
    let answer = session.ask(head, "x").await;
    assert_eq!(
        (answer.status().as_u16(), &answer.headers()["allow"]),
        (405, &"GET, HEAD".parse().unwrap())
    );
}

#[tokio::test]
async fn the_bus_is_published_to_polled_and_read_as_events() {
    let (running, address) = gateway(config());
    let session = Session::open(address).await;
    let mut client = Client::open(address, draftgate_core::Draft::Hixie76, "/bus/a").await;
    let head = session
        .request("GET", "/bus/a")
        .header("accept", "text/event-stream");
    let (answer, sending) = session.begin(head, true).await;
    let answer = soon("an answer", answer).await.unwrap();
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    let mut events = answer.into_body();
    let channel = "a".parse().unwrap();
    until("it is read", || running.hub().subscribers(&channel) == 2).await;

    let head = session
        .request("POST", "/bus/a")
        .header("content-type", "text/plain");
    let answer = session.ask(head, "Grüße").await;
    assert_eq!(answer.status(), 200, "{}", answer.body());
    assert!(
        answer.body().contains("\"delivered\":2"),
        "{}",
        answer.body()
    );
    assert_eq!(client.message().await, Message::from("Grüße"));
    let mut read = Vec::new();
    while memchr::memmem::find(&read, "data: Grüße".as_bytes()).is_none() {
        let part = soon("an event", events.data()).await.unwrap().unwrap();
        events.flow_control().release_capacity(part.len()).unwrap();
        read.extend_from_slice(&part);
    }
    let head = session.request("GET", "/bus/a?poll=0&after=0");
    let answer = session.ask(head, "").await;
    assert!(answer.status().is_success(), "{}", answer.body());

    // A reader that goes is noticed.
    drop((events, sending));
    until("it has gone", || running.hub().subscribers(&channel) == 1).await;
    assert!(running.ledger().balances());
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_and_the_connection_lives() {
    let mut config = config();
    config.listeners[0].timeouts.write = std::time::Duration::from_millis(200);
    let (running, address) = gateway(config);
    let session = Session::open(address).await;
    let head = session
        .request("GET", "/bus/a")
        .header("accept", "text/event-stream");
    let (answer, _sending) = session.begin(head, true).await;
    let mut events = soon("an answer", answer).await.unwrap().into_body();
    let channel = "a".parse().unwrap();
    until("it is read", || running.hub().subscribers(&channel) == 1).await;
    let text = "x".repeat(60_000);
    // Beyond its window it takes nothing: what is read here is not given back.
    for _ in 0..4 {
        let head = session.request("POST", "/bus/a");
        assert_eq!(session.ask(head, &text).await.status(), 200);
    }
    let error = soon("the reset", async {
        loop {
            match events.data().await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Some(error),
                None => return None,
            }
        }
    })
    .await;
    assert_eq!(error.and_then(|it| it.reason()), Some(h2::Reason::CANCEL));
    until("it has gone", || running.hub().subscribers(&channel) == 0).await;
    session.websocket("/echo").await.echoes("Hello").await;
}
