//! What works with a server, draft by draft, what fails, what that is likely to
//! come of, and what to do; and what is to be said of a recorded request.
//!
//! The drafts' own crates write the requests and judge the answers, as they do
//! for every client; here is what a person does next: ask once more in another
//! way, look who answered, compare part by part. A finding is a value with a
//! stable code, and says whether its cause was shown or only fits.
//!
//! ```no_run
//! use draftgate_client::Options;
//! use draftgate_probe::{Settings, probe};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let url = "ws://plc.example/updates".parse()?;
//! let report = probe(Options::default(), &url, &Settings::default()).await;
//! for finding in &report.findings {
//!     println!("{}: {}", finding.kind.code(), finding.seen);
//! }
//! # Ok(())
//! # }
//! ```

mod advice;
mod attempt;
mod conversation;
mod finding;
mod front;
mod hello;
mod json;
mod judge;
mod kind;
mod location;
mod others;
mod quote;
mod report;
mod request;
mod server;
mod table;
mod text;

pub use advice::Advice;
pub use conversation::{Conversation, Ended};
pub use finding::Finding;
pub use front::Front;
pub use kind::{FindingKind, Weight};
pub use report::{Report, Term, Tried, Verdict};
pub use request::{NotARequest, Recorded, Request, recorded};
pub use server::{Settings, probe, probe_telling};
pub use table::{finding_table, others_table};
pub use text::Look;
