//! The program under attack. Each test starts a gateway of its own as a child
//! process, lays siege to it in every draft where the attack has a meaning,
//! and has an honest hixie-76 client served all the while. What is held to:
//! memory grows by 64 MiB at most, the honest client waits a second at most,
//! every attacker is closed although it closes nothing itself, and files,
//! threads and tasks are what they were before.
//!
//! A child process and not the library in this one: its memory and its files
//! are then its own, and what is attacked is what a stranger runs. The figures
//! are printed; `--no-capture` shows them.

#![allow(
    clippy::unwrap_used,
    reason = "these are tests, their helpers included"
)]
#![allow(clippy::print_stdout, reason = "the figures")]

#[allow(dead_code, reason = "the tests of the program use the rest of it")]
#[path = "../program/child.rs"]
mod child;

mod floods;
mod garbage;
mod giants;
mod heads;
mod honest;
mod over_http;
mod peer;
mod readers;
mod resets;
mod siege;
mod vitals;
