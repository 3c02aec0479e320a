//! What is counted: the instructions of what every message and every opening
//! goes through, for each draft. `cargo xtask bench --count` runs this under
//! gungraun, which starts callgrind for each of them, and compares the counts with
//! crates/bench/counts.txt.
//!
//! One benchmark that gungraun numbers from a list, and not one for each thing:
//! what is spoken is known when this runs, and not to a macro. `--names` prints
//! whose number is whose.
//!
//! Compiled without gungraun's runner, each is done a few times, so that `cargo
//! test` sees that they work.
#![allow(
    clippy::print_stdout,
    reason = "what is counted is told by printing its name"
)]
#![allow(
    missing_docs,
    reason = "gungraun's macros make modules and functions of their own"
)]

mod hub;
mod messages;
mod openings;

use draftgate_bench::keep_memory;
use draftgate_drafts::FixedKeys;
use gungraun::{
    Callgrind, LibraryBenchmarkConfig, library_benchmark, library_benchmark_group, main,
};

/// The words of which a name must contain one to be counted, and nothing: all are.
const WORDS: &str = "DRAFTGATE_COUNT";

/// glibc copies what is long by one instruction that callgrind counts once for
/// each octet; not so with this.
const COPIES: &str =
    "glibc.cpu.x86_rep_movsb_threshold=0x40000000:glibc.cpu.x86_rep_stosb_threshold=0x40000000";

/// What is counted, ready to be done any number of times.
type Act = Box<dyn FnMut()>;

/// Something to be counted, which is made when its turn comes: each has a process
/// of its own.
struct Case {
    /// `what/role/draft/size`, without spaces: a line of the baseline.
    name: String,
    make: Box<dyn Fn() -> Act>,
}

impl Case {
    fn new<A: FnMut() + 'static>(name: String, make: impl Fn() -> A + 'static) -> Self {
        Self {
            name,
            make: Box::new(move || Box::new(make())),
        }
    }
}

/// A key that differs from run to run has as many digits and spaces as it likes,
/// and the CSPRNG makes new octets at one frame in many.
fn keys() -> FixedKeys {
    FixedKeys::new(*b"a fixed run of octets for keys..")
}

/// Never released: gungraun would do so right before what is counted, which would
/// then be where the allocator tidies up.
fn cases() -> &'static [Case] {
    let words = std::env::var(WORDS).unwrap_or_default();
    let wanted = |name: &str| {
        let mut words = words.split_whitespace().peekable();
        words.peek().is_none() || words.any(|word| name.contains(word))
    };
    let mut cases = messages::cases();
    cases.extend(openings::cases());
    cases.extend(hub::cases());
    cases.retain(|case| wanted(&case.name));
    cases.leak()
}

/// What is done once in a process or a connection is not counted: buffers that
/// grow, processor features that are looked up.
fn ready(case: &Case) -> Act {
    keep_memory();
    let mut act = (case.make)();
    for _ in 0..3 {
        act();
    }
    act
}

#[library_benchmark]
#[benches::nth(iter = cases(), setup = ready)]
fn count(mut act: Act) -> Act {
    act();
    act
}

library_benchmark_group!(name = all, benchmarks = count);

fn measured() {
    main!(
        config = LibraryBenchmarkConfig::default()
            .pass_through_env(WORDS)
            .env("GLIBC_TUNABLES", COPIES)
            .tool(Callgrind::with_args(["--cache-sim=no"])),
        library_benchmark_groups = all
    );
    main();
}

fn main() {
    let given = |option| std::env::args().any(|arg| arg == option);
    if given("--names") {
        cases().iter().for_each(|case| println!("{}", case.name));
    } else if given("--list") {
        // What a test runner asks for first.
        if !given("--ignored") {
            println!("whatever_is_counted_can_be_done: test");
        }
    } else if option_env!("GUNGRAUN_RUNNER").is_some() {
        measured();
    } else {
        cases().iter().map(ready).for_each(drop);
    }
}
