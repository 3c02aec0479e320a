//! Who still speaks which draft: what whoever runs a gateway has to know before
//! an old draft can be switched off.
//!
//! For each draft on each route it is counted how many connections are open,
//! how many were at most, how many were opened day by day, by which kinds of
//! client ([`Family`]), and which were refused and why. No address is kept. The
//! counts live in one file across restarts ([`Store`]); several processes may
//! add to it. Bookkeeping alone: times come in as seconds since 1970, and
//! whoever has sockets says what happens on them.
//!
//! Not a database of events: a census must not grow with its peers. Families
//! that peers can make up are bounded, and those that came least make room.
//!
//! ```
//! use draftgate_census::{Census, Family, Served, Window};
//! use draftgate_core::Draft;
//!
//! let noon = 1_793_620_800;
//! let mut census = Census::new(noon);
//! census.serves([Served::new(Draft::Hixie76, "/tv")], noon);
//! let head = b"GET /tv HTTP/1.1\r\nUpgrade: WebSocket\r\nConnection: Upgrade\r\nHost: a\r\n\r\n";
//! census.opened(Draft::Hixie76, "/tv", &Family::of(head), noon + 60);
//! let report = census.report(noon + 120);
//! assert_eq!(report.places[0].now, 1);
//! assert!(report.sentences(Window::DAYS_90).contains("hixie-76 on /tv: 1 now, 1 at most"));
//! ```

mod census;
mod family;
mod report;
mod sentences;
mod state;
mod store;
mod when;

pub use census::{Census, Opened, Served};
pub use family::{Family, families_table};
pub use report::{FamilyReport, PlaceReport, RefusedReport, Report, Used};
pub use state::State;
pub use store::{Aside, Store, StoreError};
pub use when::{NotAWindow, Seconds, Window};
