//! How fast we are next to memcpy and to other libraries, as tables in
//! Markdown. `cargo run --release -p draftgate-bench` prints them, and those
//! whose heading contains a word if one follows after `--`; what they mean
//! stands in docs/performance.md.
//!
//! It fails when a goal is missed. It is no test all the same: a machine that
//! is busy enough misses any goal.

#![allow(clippy::print_stdout, reason = "this program is for reading")]

use std::{env, hint::black_box, process::ExitCode, time::Instant};

use bytes::{Bytes, BytesMut};
use draftgate_bench::{
    archive,
    ends::{decode, encode, frame, pair},
    fanout::{Audience, Encoding},
    keep_memory,
    payload::{Copied, PAGE, SIZES, Size, ascii, mixed},
    peers::{Tungstenite, fastwebsockets_encode},
    turns::{Contender, Standing, compare},
};
use draftgate_core::{Draft, Message, Outbox};
use draftgate_drafts::{RandomKeys, spoken};
use draftgate_wire::{Utf8, mask};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The share of memcpy's throughput that masking must reach from 16 KiB on.
const GOAL: f64 = 0.5;

/// How many archived exchanges must be replayed in a second.
const EXCHANGES: f64 = 1000.0;

/// How often the archive is replayed; the median counts.
const TURNS: usize = 21;

/// Subscribers of the channel.
const AUDIENCE: usize = 1000;

fn main() -> ExitCode {
    keep_memory();
    let wanted = env::args().nth(1).unwrap_or_default();
    let drafts: Vec<Draft> = spoken().collect();
    let mut judged = Vec::new();
    table(&wanted, "mask", |size| {
        let standings = masking(size);
        if size >= Size(16 << 10) {
            judged.push((size, standings[1].ratio));
        }
        standings
    });
    table(&wanted, "validate ASCII", |size| validating(&ascii(size)));
    table(&wanted, "validate mixed text", |size| {
        validating(&mixed(size))
    });
    table(&wanted, "search the sentinel", searching);
    table(&wanted, "encode a masked frame", encoding);
    for &draft in &drafts {
        table(
            &wanted,
            &format!("decode, {}", draft.with_alias()),
            |size| decoding(draft, size),
        );
    }
    table(&wanted, &format!("publish to {AUDIENCE}"), |size| {
        publishing(&drafts, size)
    });
    let replays = "replay".contains(&wanted).then(replaying);
    verdict(&judged, replays)
}

/// Says of each size whether masking reaches the goal there, and of replays
/// whether they do; nothing of what was not measured.
fn verdict(judged: &[(Size, f64)], replays: Option<f64>) -> ExitCode {
    let mut code = ExitCode::SUCCESS;
    let mut say = |goal: String, met: bool, at: String| {
        let word = if met { "met" } else { "missed" };
        println!("{goal}: {word}, at {at}");
        if !met {
            code = ExitCode::FAILURE;
        }
    };
    for (size, ratio) in judged {
        let goal = format!("mask {size} at {GOAL} of memcpy");
        say(goal, *ratio >= GOAL, format!("{ratio:.2}"));
    }
    if let Some(rate) = replays {
        let goal = format!("replay {EXCHANGES} exchanges a second");
        say(goal, rate >= EXCHANGES, format!("{rate:.0}"));
    }
    code
}

/// How many exchanges are read from the disk and judged in a second, on two
/// threads.
fn replaying() -> f64 {
    let mut rates: Vec<f64> = (0..TURNS)
        .map(|_| {
            let began = Instant::now();
            let vectors = archive::load().expect("the archive can be read");
            let judged = archive::judge(black_box(&vectors));
            archive::replayed(&judged) as f64 / began.elapsed().as_secs_f64()
        })
        .collect();
    rates.sort_by(f64::total_cmp);
    rates[TURNS / 2]
}

/// One row a size: how long ours takes, and how many times as fast as each of
/// the others that is.
fn table(wanted: &str, what: &str, mut measure: impl FnMut(Size) -> Vec<Standing>) {
    if !what.contains(wanted) {
        return;
    }
    for (i, size) in SIZES.into_iter().enumerate() {
        let standings = measure(size);
        if i == 0 {
            let others: String = standings[1..]
                .iter()
                .map(|other| format!(" ÷ {} |", other.name))
                .collect();
            println!("| {what} | time |{others}");
            println!("| ---: |{}", " ---: |".repeat(standings.len()));
        }
        let ratios: String = standings[1..]
            .iter()
            .map(|other| format!(" {:.2} |", other.ratio))
            .collect();
        println!("| {size} | {} |{ratios}", time(standings[0].nanoseconds));
    }
    println!();
}

fn time(nanoseconds: f64) -> String {
    match nanoseconds {
        ns if ns < 1e3 => format!("{ns:.1} ns"),
        ns if ns < 1e6 => format!("{:.2} µs", ns / 1e3),
        ns => format!("{:.2} ms", ns / 1e6),
    }
}

fn memcpy(from: &[u8]) -> Contender<'_> {
    let mut copied = Copied::new(from);
    Contender::new("memcpy", move || copied.copy())
}

fn masking(size: Size) -> Vec<Standing> {
    let from = mixed(size).into_bytes();
    let (mut ours, mut theirs) = (from.clone(), from.clone());
    compare(vec![
        Contender::new("ours", || {
            mask(black_box(&mut ours), black_box(KEY), black_box(0));
        }),
        memcpy(&from),
        Contender::new("fastwebsockets", || {
            fastwebsockets::unmask(black_box(&mut theirs), black_box(KEY));
        }),
    ])
}

fn validating(text: &str) -> Vec<Standing> {
    compare(vec![
        Contender::new("ours", || {
            black_box(Utf8::default().push(black_box(text.as_bytes()))).expect("valid");
        }),
        memcpy(text.as_bytes()),
        Contender::new("std", || {
            black_box(std::str::from_utf8(black_box(text.as_bytes()))).expect("valid");
        }),
    ])
}

fn searching(size: Size) -> Vec<Standing> {
    let mut from = ascii(size).into_bytes();
    from.push(0xff);
    compare(vec![
        Contender::new("ours", || {
            black_box(memchr::memchr(0xff, black_box(&from)));
        }),
        memcpy(&from),
        Contender::new("std", || {
            black_box(black_box(&from).iter().position(|octet| *octet == 0xff));
        }),
    ])
}

/// From eight places in a page in turn: where a source lies by chance would
/// otherwise decide who wins.
fn encoding(size: Size) -> Vec<Standing> {
    let octets = Bytes::from(ascii(Size(size.0 + PAGE)));
    let places = (0..PAGE).step_by(PAGE / 8);
    let payloads: Vec<Bytes> = places.map(|at| octets.slice(at..at + size.0)).collect();
    let messages: Vec<Message> = payloads.iter().cloned().map(Message::Binary).collect();
    let (mut first, mut second, mut third) = (in_turn(), in_turn(), in_turn());
    let (mut client, _) = pair(Draft::Hybi13, &mut RandomKeys);
    let (mut out, mut buffer) = (Outbox::new(), Vec::new());
    let mut tungstenite = Tungstenite::client();
    compare(vec![
        Contender::new("ours", || {
            let message = &messages[first()];
            black_box(encode(&mut *client, black_box(message), &mut out));
        }),
        memcpy(&payloads[0]),
        Contender::new("tungstenite", || {
            black_box(tungstenite.encode(black_box(&payloads[second()])));
        }),
        Contender::new("fastwebsockets", || {
            black_box(fastwebsockets_encode(
                black_box(&payloads[third()]),
                &mut buffer,
            ));
        }),
    ])
}

/// 0 to 7, again and again.
fn in_turn() -> impl FnMut() -> usize {
    let mut next = 0;
    move || {
        next = (next + 1) % 8;
        next
    }
}

fn decoding(draft: Draft, size: Size) -> Vec<Standing> {
    let (mut client, mut server) = pair(draft, &mut RandomKeys);
    let octets = frame(&mut *client, mixed(size).into());
    let (mut input, mut out) = (BytesMut::new(), Outbox::new());
    let mut contenders = vec![
        Contender::new("ours", || {
            black_box(decode(
                &mut *server,
                black_box(&octets),
                &mut input,
                &mut out,
            ));
        }),
        memcpy(&octets),
    ];
    if draft == Draft::Hybi13 {
        let mut tungstenite = Tungstenite::server(&octets);
        contenders.push(Contender::new("tungstenite", move || {
            black_box(tungstenite.decode());
        }));
    }
    compare(contenders)
}

fn publishing(drafts: &[Draft], size: Size) -> Vec<Standing> {
    let message = Message::from(mixed(size));
    let shared = Audience::new(AUDIENCE, drafts, Encoding::Shared);
    let each = Audience::new(AUDIENCE, drafts, Encoding::Each);
    compare(vec![
        Contender::new("ours", || {
            black_box(shared.publish(black_box(message.clone())));
        }),
        Contender::new("encoding for each", || {
            black_box(each.publish(black_box(message.clone())));
        }),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_printed_in_the_unit_that_fits() {
        assert_eq!(
            [3.84, 999.0, 1500.0, 2_345_678.0].map(time),
            ["3.8 ns", "999.0 ns", "1.50 µs", "2.35 ms"]
        );
    }
}
