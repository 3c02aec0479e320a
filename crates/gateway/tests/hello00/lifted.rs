//! The prototype of December 2010 had five connections, text of 125 octets, ports
//! 4502 to 4534, no TLS and no proxy. One test for each that is over; ten thousand
//! connections at once take two processes, and are opened by the tests of the
//! program (`ten_thousand_clients_of_hello_00_are_open_at_once`).

use std::net::SocketAddr;

use draftgate_client::{Client as Dialler, Drafts, Options, Via};
use draftgate_core::{Draft, Event, Message, Outbox, Outgoing};
use draftgate_gateway::config::{Config, Listener, Policy};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};

use crate::{
    authority::{self, Authority},
    common::{Client, Raw, config, gateway, soon},
    tunnel,
};

async fn echoes(client: &mut Client, text: &str) {
    client.send(text).await;
    assert!(client.message().await == Message::from(text));
}

#[tokio::test]
async fn a_message_may_have_a_mebibyte_and_be_binary() {
    let (_running, address) = gateway(config());
    let mut client = Client::open(address, Draft::Hello00, "/echo").await;
    for size in [125, 126, 65_535, 65_536, 1 << 20] {
        echoes(&mut client, &"x".repeat(size)).await;
    }
    let binary: Vec<u8> = (0..1 << 20).map(|at: u32| at as u8).collect();
    let binary = Message::Binary(binary.into());
    client.send(binary.clone()).await;
    assert!(client.message().await == binary);
}

/// A free port of those to which Silverlight connects.
fn of_silverlight() -> SocketAddr {
    let free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = (4502..=4534).find(free).expect("one of 33 ports is free");
    ([127, 0, 0, 1], port).into()
}

/// Silverlight asks on port 943 before it connects to one of 33; everyone else
/// connects to any.
#[tokio::test]
async fn any_port_will_do_and_silverlights_have_their_policy() {
    let own = |address| Listener {
        address,
        ..config().listeners[0].clone()
    };
    let any = ([127, 0, 0, 1], 0).into();
    let mut policy = Policy::new(["example.com".parse().unwrap()]);
    policy.silverlight_listener = Some(own(any));
    let (running, silverlights) = gateway(Config {
        listeners: vec![own(of_silverlight()), own(any)],
        policy: Some(policy),
        ..config()
    });
    assert!((4502..=4534).contains(&silverlights.port()));
    let (_, policies) = running.policy_addrs()[0];
    let asked = Raw::say(policies, b"<policy-file-request/>").await;
    let told = String::from_utf8({ asked }.rest().await).unwrap();
    let granted = "<socket-resource port=\"4502-4534\" protocol=\"tcp\"/>";
    assert!(told.contains(granted), "{told}");
    for address in running.addrs() {
        let mut client = Client::open(address, Draft::Hello00, "/echo").await;
        echoes(&mut client, "Hello").await;
    }
    assert_eq!(running.addrs().len(), 2);
}

#[tokio::test]
async fn it_goes_over_tls() {
    let authority = Authority::new();
    let signed = authority.sign("a", &["localhost"]);
    let (_running, address) = gateway(authority::config(&signed));
    let here = tunnel::open(tunnel::of_today(&authority), address).await;
    let mut client = Client::open_secure(here, Draft::Hello00, "/echo").await;
    echoes(&mut client, &"x".repeat(70_000)).await;
}

/// Tunnels one connection to wherever it is told; returns its address.
async fn proxy() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(client.read_u8().await.unwrap());
        }
        let head = String::from_utf8(head).unwrap();
        let to = head.strip_prefix("CONNECT ").unwrap().split(' ').next();
        let mut server = TcpStream::connect(to.unwrap()).await.unwrap();
        let granted = b"HTTP/1.1 200 Connection established\r\n\r\n";
        client.write_all(granted).await.unwrap();
        let _ = copy_bidirectional(&mut client, &mut server).await;
    });
    address
}

#[tokio::test]
async fn it_goes_through_a_proxy_by_connect() {
    let (_running, address) = gateway(config());
    let dialler = Dialler::new(Options {
        drafts: Drafts::Named(vec![Draft::Hello00]),
        via: Via::Proxy(format!("http://{}", proxy().await).parse().unwrap()),
        ..Options::default()
    });
    let url = format!("ws://{address}/echo").parse().unwrap();
    let open = soon("connect", dialler.connect(&url)).await.unwrap();
    assert_eq!(open.draft(), Draft::Hello00);
    let (mut stream, mut codec, mut read) = (open.stream, open.codec, open.received);
    let mut out = Outbox::new();
    codec.start(&mut out);
    let opened = codec.receive(&mut read, &mut out).unwrap();
    assert_eq!(opened, Some(Event::Opened));
    let text = Message::from("Hello");
    codec
        .send(Outgoing::Message(text.clone()), &mut out)
        .unwrap();
    stream.write_all(&out.take_all()).await.unwrap();
    let heard = loop {
        if let Some(event) = codec.receive(&mut read, &mut out).unwrap() {
            break event;
        }
        assert!(soon("read", stream.read_buf(&mut read)).await.unwrap() > 0);
    };
    assert_eq!(heard, Event::Message(text));
}
