//! What is posted is written by whoever posts, over real sockets: only those
//! take the half of a message and leave the rest for later.

use std::{
    future::poll_fn,
    sync::{Arc, Barrier},
    task::Poll,
    time::Duration,
};

use draftgate_conn::{Closed, Conn, Fate, Loss, Overflow, Queued, Sender, Settings, Start};
use draftgate_core::{Batch, Draft, Message, Rendering, SendError, Shared, Sharing};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream},
    task::JoinHandle,
    time::timeout,
};

use crate::{
    fake::{Fake, PING, close, coded},
    rig::{Book, Recorder},
};

const SENT: Fate = Fate::Sent;

/// Against hanging alone.
const LONG: Duration = Duration::from_secs(60);

struct Envelope(Shared);

impl AsRef<Shared> for Envelope {
    fn as_ref(&self) -> &Shared {
        &self.0
    }
}

/// A message that begins with its number.
fn numbered(number: u32, octets: usize) -> Queued {
    let text = format!("{number:08}{}", "m".repeat(octets));
    let envelope = Arc::new(Envelope(Shared::new(Message::from(text))));
    let message = envelope.0.message().clone();
    Queued::shared(envelope, Rendering::AsIs, message)
}

/// Messages of so many octets, the first of them numbered `first`.
fn batch(first: u32, octets: &[usize]) -> Arc<Batch> {
    let item = |(at, octets): (usize, &usize)| {
        let text = format!("{:08}{}", first + at as u32, "m".repeat(*octets));
        let shared: Sharing = Arc::new(Envelope(Shared::new(Message::from(text))));
        let message = shared.as_ref().as_ref().message().clone();
        (shared, message)
    };
    let items = octets.iter().enumerate().map(item).collect();
    Arc::new(Batch::new(Rendering::AsIs, items))
}

struct Pair {
    peer: TcpStream,
    sender: Sender,
    task: JoinHandle<Closed>,
}

/// A connection over TCP whose buffers hold little, which has lent.
async fn lent(settings: Settings) -> Pair {
    lent_by(coded(), settings).await
}

async fn lent_by(codec: Fake, settings: Settings) -> Pair {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 << 10).unwrap();
    let connect = socket.connect(listener.local_addr().unwrap());
    let (peer, accepted) = tokio::join!(connect, listener.accept());
    let (mut peer, stream) = (peer.unwrap(), accepted.unwrap().0);
    let conn = Conn::over_tcp(stream, Start::new(codec.boxed()), settings);
    let sender = conn.sender();
    let task = tokio::spawn(async move { conn.run(&mut Recorder::default()).await });
    // The first of them shows the driver that somebody posts.
    sender.post(numbered(0, 0)).unwrap();
    sender.flush();
    assert_eq!(numbers(&mut peer, 1).await, [0]);
    sender.drained().await.unwrap();
    tokio::task::yield_now().await;
    Pair { peer, sender, task }
}

/// Whether something can be read, as far as one look tells.
async fn is_there(peer: &TcpStream) -> bool {
    let mut first = [0];
    poll_fn(|cx| {
        let look = peer.poll_peek(cx, &mut ReadBuf::new(&mut first));
        Poll::Ready(look.is_ready())
    })
    .await
}

/// The numbers of the next `count` messages; pongs between them are passed over.
async fn numbers(peer: &mut TcpStream, count: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    while numbers.len() < count {
        numbers.extend(next(peer).await);
    }
    numbers
}

/// What comes next, if it is a message.
async fn next(peer: &mut TcpStream) -> Option<u32> {
    let header = timeout(LONG, peer.read_u8()).await.expect("a frame");
    let kind = header.unwrap();
    let mut payload = vec![0; usize::from(peer.read_u16().await.unwrap())];
    peer.read_exact(&mut payload).await.unwrap();
    assert!(matches!(kind, b'T' | b'O'), "no frame begins with {kind}");
    let number = || str::from_utf8(&payload[..8]).unwrap().parse().unwrap();
    (kind == b'T').then(number)
}

async fn ended(pair: Pair) -> Closed {
    let Pair { mut peer, task, .. } = pair;
    peer.write_all(&close(1000)).await.unwrap();
    timeout(LONG, task).await.expect("an end").unwrap()
}

#[tokio::test]
async fn what_is_posted_is_written_before_the_task_is_polled() {
    let mut pair = lent(Settings::server()).await;
    let book = Book::default();
    for number in 1..=3 {
        let item = numbered(number, 100).with_receipt(book.receipt(number));
        pair.sender.post(item).unwrap();
    }
    assert_eq!(book.fates(), []);
    pair.sender.flush();
    // Nothing was awaited since.
    assert_eq!(book.fates(), [(1, SENT), (2, SENT), (3, SENT)]);
    let traffic = pair.sender.traffic();
    assert_eq!((traffic.text_out, traffic.octets_out), (4, 3 * 111 + 11));
    assert_eq!(numbers(&mut pair.peer, 3).await, [1, 2, 3]);
    pair.sender.drained().await.unwrap();
    let stats = ended(pair).await.stats;
    assert_eq!((stats.messages_out, stats.payload_out), (4, 3 * 108 + 8));
    assert_eq!(stats.octets_out, 3 * 111 + 11 + 5);
    assert_eq!((stats.lost, stats.dropped), (0, 0));
}

#[tokio::test]
async fn a_batch_leaves_as_a_whole_and_serves_all_to_whom_it_is_posted() {
    let mut pairs = Vec::new();
    for _ in 0..3 {
        pairs.push(lent(Settings::server()).await);
    }
    let batches = [batch(1, &[0, 10, 20]), batch(4, &[5])];
    let book = Book::default();
    for pair in &pairs {
        for (batch, name) in batches.iter().zip([1, 4]) {
            let receipt = book.receipt(name);
            pair.sender.post_batch(Arc::clone(batch), receipt).unwrap();
        }
        pair.sender.post(numbered(5, 0)).unwrap();
        pair.sender.flush();
    }
    for pair in &mut pairs {
        assert_eq!(numbers(&mut pair.peer, 5).await, [1, 2, 3, 4, 5]);
        let traffic = pair.sender.traffic();
        assert_eq!((traffic.text_out, traffic.octets_out), (6, 6 * 11 + 35));
    }
    let fates = book.fates();
    // Each message by the name of its batch.
    let settled = [1, 1, 1, 4].map(|name| (name, SENT));
    assert_eq!(fates, settled.repeat(3));
    let shared = batches[0].items()[0].0.as_ref().as_ref();
    assert_eq!(shared.encodings(), 1);
}

#[tokio::test]
async fn what_the_driver_finds_of_a_batch_it_sends_one_by_one() {
    let mut pair = lent(Settings::server()).await;
    let book = Book::default();
    pair.sender
        .post_batch(batch(1, &[10, 20, 30]), book.receipt(1))
        .unwrap();
    // An answer takes the loan back before anybody flushes.
    pair.peer.write_all(&PING).await.unwrap();
    assert_eq!(numbers(&mut pair.peer, 3).await, [1, 2, 3]);
    pair.sender.drained().await.unwrap();
    assert_eq!(book.fates(), [(1, SENT); 3]);
    assert_eq!(ended(pair).await.stats.messages_out, 4);
}

#[tokio::test]
async fn what_cannot_be_said_of_a_batch_takes_nothing_else_with_it() {
    let codec = Fake {
        ping: false,
        ..coded()
    };
    let mut pair = lent_by(codec, Settings::server()).await;
    let binary: Sharing = Arc::new(Envelope(Shared::new(Message::Binary(vec![7].into()))));
    let mut items = batch(1, &[0, 0]).items().to_vec();
    items.insert(
        1,
        (
            Arc::clone(&binary),
            binary.as_ref().as_ref().message().clone(),
        ),
    );
    let book = Book::default();
    let batch = Arc::new(Batch::new(Rendering::AsIs, items));
    pair.sender.post_batch(batch, book.receipt(1)).unwrap();
    pair.sender.flush();
    assert_eq!(numbers(&mut pair.peer, 2).await, [1, 2]);
    pair.sender.drained().await.unwrap();
    let unsayable = Fate::Lost(Loss::Unsayable(SendError::NoBinary(Draft::Hybi13)));
    let mut fates = book.fates();
    fates.sort_by_key(|(_, fate)| *fate != SENT);
    assert_eq!(fates, [(1, SENT), (1, SENT), (1, unsayable)]);
    let stats = ended(pair).await.stats;
    assert_eq!((stats.messages_out, stats.unsayable), (3, 1));
}

#[tokio::test]
async fn of_a_batch_that_does_not_fit_only_what_does_not_fit_is_dropped() {
    for (overflow, dropped, kept) in [
        (Overflow::DropNewest, [3, 3], [1, 1, 3]),
        (Overflow::DropOldest, [1, 1], [3, 3, 3]),
    ] {
        let settings = Settings {
            queue: 1000,
            overflow,
            ..Settings::server()
        };
        let conn = Conn::new(tokio::io::empty(), Start::new(coded().boxed()), settings);
        let (sender, book) = (conn.sender(), Book::default());
        let batches = [(1, batch(1, &[1, 1])), (3, batch(3, &[1, 1, 1]))];
        let results = batches.map(|(first, batch)| sender.post_batch(batch, book.receipt(first)));
        let dropped = dropped.map(|name| (name, Fate::Lost(Loss::Overflow)));
        assert_eq!(book.fates(), dropped, "{overflow:?}");
        assert!(results[0].is_ok());
        assert_eq!(results[1].is_err(), overflow == Overflow::DropNewest);
        assert_eq!(sender.dropped(), 2);
        drop(conn);
        let ended = kept.map(|name| (name, Fate::Lost(Loss::Ended)));
        assert_eq!(book.fates()[2..], ended, "{overflow:?}");
        assert!(
            sender
                .post_batch(batch(6, &[1, 1]), book.receipt(6))
                .is_err()
        );
        assert_eq!(book.fates().len(), 7);
    }
}

#[tokio::test]
async fn what_the_socket_does_not_take_comes_later_and_in_order() {
    let settings = Settings {
        queue: 64 << 20,
        ..Settings::server()
    };
    let mut pair = lent(settings).await;
    let book = Book::default();
    let mut count = 0;
    // Until far more is posted than the socket has room for.
    while book.fates().len() + 50 > count as usize {
        count += 1;
        let item = numbered(count, 30_000).with_receipt(book.receipt(count));
        pair.sender.post(item).unwrap();
        pair.sender.flush();
    }
    let want: Vec<u32> = (1..=count).collect();
    assert_eq!(numbers(&mut pair.peer, want.len()).await, want);
    pair.sender.drained().await.unwrap();
    let fates: Vec<_> = want.iter().map(|number| (*number, SENT)).collect();
    assert_eq!(book.fates(), fates);
    let stats = ended(pair).await.stats;
    assert_eq!(stats.messages_out, u64::from(count) + 1);
    assert_eq!(stats.payload_out, u64::from(count) * 30_008 + 8);
    assert_eq!(stats.octets_out, u64::from(count) * 30_011 + 11 + 5);
}

#[tokio::test]
async fn what_is_joined_for_one_peer_serves_only_those_to_whom_the_same_was_posted() {
    let mut pairs = Vec::new();
    for _ in 0..3 {
        pairs.push(lent(Settings::server()).await);
    }
    let envelopes = |range: std::ops::Range<u32>| -> Vec<Arc<Envelope>> {
        let envelope = |n| Arc::new(Envelope(Shared::new(format!("{n:08}").into())));
        range.map(envelope).collect()
    };
    let all = envelopes(0..4);
    for round in 0..50 {
        // The last peer gets as many, but not the same.
        let others = envelopes(round * 10..round * 10 + 4);
        for (at, pair) in pairs.iter().enumerate() {
            for envelope in if at < 2 { &all } else { &others } {
                let message = envelope.0.message().clone();
                let item = Queued::shared(Arc::clone(envelope), Rendering::AsIs, message);
                pair.sender.post(item).unwrap();
            }
        }
        pairs.iter().for_each(|pair| pair.sender.flush());
        for (at, pair) in pairs.iter_mut().enumerate() {
            let first = if at < 2 { 0 } else { round * 10 };
            let came = numbers(&mut pair.peer, 4).await;
            assert!(came.into_iter().eq(first..first + 4), "round {round}");
        }
    }
}

/// The same numbers for the same seed.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

#[tokio::test]
async fn in_any_turn_of_events_each_message_comes_once_and_in_order_or_is_dropped() {
    for seed in 1..=40 {
        let mut dice = Dice::new(seed);
        let overflow = [Overflow::DropOldest, Overflow::DropNewest][seed as usize % 2];
        let settings = Settings {
            queue: 200_000,
            overflow,
            ..Settings::server()
        };
        let mut pair = lent(settings).await;
        let book = Book::default();
        let (mut count, mut came, mut pings) = (0, Vec::new(), 0);
        // The name by which the fate of each number is told.
        let mut names = vec![0];
        for _ in 0..300 {
            match dice.roll(10) {
                9 => {
                    let octets = [0, 100, 2000].map(|octets| octets * dice.roll(2) as usize);
                    let first = count + 1;
                    let _ = pair
                        .sender
                        .post_batch(batch(first, &octets), book.receipt(first));
                    names.extend([first; 3]);
                    count += 3;
                }
                0..4 => {
                    count += 1;
                    names.push(count);
                    let octets = [0, 100, 3000, 50_000][dice.roll(4) as usize];
                    let item = numbered(count, octets).with_receipt(book.receipt(count));
                    // What becomes of it the book knows.
                    let _ = match dice.roll(4) {
                        0 => pair.sender.send(item),
                        _ => pair.sender.post(item),
                    };
                }
                4..6 => pair.sender.flush(),
                6 => {
                    pings += 1;
                    pair.peer.write_all(&PING).await.unwrap();
                }
                7 => tokio::task::yield_now().await,
                _ => {
                    if is_there(&pair.peer).await {
                        came.extend(next(&mut pair.peer).await);
                    }
                }
            }
        }
        pair.sender.flush();
        // The last one tells that all the others have come.
        let (sender, last) = (pair.sender.clone(), count + 1);
        let finish = tokio::spawn(async move {
            sender.drained().await.unwrap();
            sender.send(numbered(last, 0)).unwrap();
        });
        while came.last() != Some(&last) {
            came.extend(next(&mut pair.peer).await);
        }
        finish.await.unwrap();
        came.pop();
        let fates = book.fates();
        assert_eq!(
            fates.len(),
            count as usize,
            "seed {seed}: one fate for each"
        );
        let sent: Vec<u32> = fates
            .iter()
            .filter(|(_, fate)| *fate == SENT)
            .map(|(number, _)| *number)
            .collect();
        assert!(sent.is_sorted(), "seed {seed}: settled in order");
        let named = came.iter().map(|number| names[*number as usize]);
        assert!(named.eq(sent.iter().copied()), "seed {seed}");
        assert!(
            came.is_sorted_by(|one, next| one < next),
            "seed {seed}: none twice"
        );
        let closed = ended(pair).await;
        assert_eq!(
            closed.stats.messages_out,
            sent.len() as u64 + 2,
            "seed {seed}"
        );
        assert_eq!(closed.stats.dropped, u64::from(count) - sent.len() as u64);
        assert_eq!((closed.stats.pings_in, closed.stats.lost), (pings, 0));
    }
}

#[tokio::test]
async fn an_end_in_between_settles_everything_once() {
    for seed in 1..=40 {
        let mut dice = Dice::new(seed);
        let settings = Settings {
            queue: 64 << 20,
            ..Settings::server()
        };
        let pair = lent(settings).await;
        let book = Book::default();
        let count = 1 + dice.roll(120) as u32;
        for number in 1..=count {
            let item = numbered(number, 30_000).with_receipt(book.receipt(number));
            pair.sender.post(item).unwrap();
            if dice.roll(2) == 0 {
                pair.sender.flush();
            }
            if dice.roll(20) == 0 {
                tokio::task::yield_now().await;
            }
        }
        match seed % 4 {
            0 => pair.sender.abort(),
            1 => pair.task.abort(),
            2 => drop(pair.peer),
            // The peer is read by nobody, and the end comes all the same.
            _ => {
                pair.sender.close(None);
                pair.sender.flush();
                pair.sender.abort();
            }
        }
        timeout(LONG, pair.sender.ended()).await.expect("an end");
        let fates = book.fates();
        assert_eq!(fates.len(), count as usize, "seed {seed}");
        let lost = fates.iter().skip_while(|(_, fate)| *fate == SENT);
        let ended = |(_, fate): &(u32, Fate)| *fate == Fate::Lost(Loss::Ended);
        assert!(lost.clone().all(ended), "seed {seed}: {fates:?}");
        if let Ok(closed) = pair.task.await {
            assert_eq!(closed.stats.lost, lost.count() as u64, "seed {seed}");
        }
        assert!(pair.sender.post(numbered(0, 0)).is_err());
        pair.sender.flush();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_threads_may_post_at_once() {
    const EACH: u32 = 2000;
    let mut pair = lent(Settings {
        queue: 64 << 20,
        ..Settings::server()
    })
    .await;
    let (book, barrier) = (Book::default(), Arc::new(Barrier::new(4)));
    let threads: Vec<_> = (0..4)
        .map(|thread| {
            let (sender, book, barrier) = (pair.sender.clone(), book.clone(), barrier.clone());
            std::thread::spawn(move || {
                barrier.wait();
                for n in 0..EACH {
                    let number = thread * EACH + n;
                    let item = numbered(number, 50).with_receipt(book.receipt(number));
                    sender.post(item).unwrap();
                    if n % 3 == 0 || n + 1 == EACH {
                        sender.flush();
                    }
                }
            })
        })
        .collect();
    let came = numbers(&mut pair.peer, 4 * EACH as usize).await;
    threads.into_iter().for_each(|it| it.join().unwrap());
    for thread in 0..4 {
        let of_it = came.iter().copied().filter(|n| n / EACH == thread);
        assert!(of_it.eq(thread * EACH..(thread + 1) * EACH));
    }
    pair.sender.drained().await.unwrap();
    assert_eq!(book.fates().len(), 4 * EACH as usize);
    let stats = ended(pair).await.stats;
    assert_eq!(stats.messages_out, u64::from(4 * EACH) + 1);
}
