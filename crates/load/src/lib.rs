//! Load on a WebSocket server, in every draft: how many messages it echoes or
//! hands to subscribers, how many openings it answers, how it bears thousands
//! of them at once, what an idle connection costs it, and what each of these
//! costs its processor.
//!
//! ```no_run
//! use draftgate_load::{Control, Echo, Scenario, Settings, Target, run};
//!
//! let target = Target::find("ws://127.0.0.1:8080/echo".parse()?, false)?;
//! let settings = Settings::new(target);
//! let report = run(&settings, &Scenario::Echo(Echo::default()), &Control::default())?;
//! println!("{}", report.to_text());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod alarm;
mod error;
mod kit;
mod latency;
mod link;
mod pool;
mod reader;
mod report;
mod scenario;
mod secure;
mod settings;
mod socket;
mod target;
mod usage;

use draftgate_core::Limits;

pub use error::{Fault, LoadError};
pub use kit::Speech;
pub use latency::Latency;
pub use report::{Bottleneck, Report, Server};
pub use scenario::run;
pub use secure::TlsTerms;
#[cfg(feature = "legacy-tls")]
pub use secure::TlsVersion;
pub use settings::{Control, Echo, FanOut, Idle, Openings, Progress, Scenario, Settings, Storm};
pub use target::Target;
pub use usage::Usage;

/// How much a server may send: what was sent to it, whatever that was.
fn limits() -> Limits {
    Limits {
        frame: 1 << 30,
        message: 1 << 30,
        ..Limits::default()
    }
}
