//! How many archived exchanges are replayed against the codecs in a second, on
//! two threads: with the reading of their files, and without. The goal is 1,000
//! and more with it; docs/performance.md has what came out.

use divan::{Bencher, black_box, counter::ItemsCount};
use draftgate_bench::archive::{judge, load, replayed};
use draftgate_vectors::Vector;

fn main() {
    divan::main();
}

fn archive() -> Vec<Vector> {
    match load() {
        Ok(vectors) => vectors,
        Err(error) => panic!("{error}"),
    }
}

#[divan::bench]
fn load_and_judge(bencher: Bencher<'_, '_>) {
    bencher
        .counter(ItemsCount::new(replayed(&judge(&archive()))))
        .bench(|| judge(&archive()));
}

#[divan::bench]
fn judge_alone(bencher: Bencher<'_, '_>) {
    let vectors = archive();
    bencher
        .counter(ItemsCount::new(replayed(&judge(&vectors))))
        .bench(|| judge(black_box(&vectors)));
}
