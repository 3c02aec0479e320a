//! `draftgate admin`: asks the admin listener of a running gateway, which it
//! finds by the configuration that the gateway reads.
//!
//! It knows little of what it is told: tables for people pick some columns, and
//! `--format json` passes on what came. So a newer gateway can tell more.

mod census;
mod client;
mod flags;
mod table;

use std::io::{self, Write};

use serde_json::Value;

use self::{
    client::{Answered, Client},
    flags::{Filter, Format, Verb},
};
use crate::exit::{Failure, quiet_pipe};

pub(crate) use flags::Admin;

/// Asks, and prints what was answered.
///
/// # Errors
/// Nobody answers, or not with yes.
pub(crate) fn run(args: &Admin) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    let mut print =
        |text: &str| quiet_pipe(out.write_all(text.as_bytes()).and_then(|()| out.flush()));
    let json = args.format == Format::Json;
    // Its file can be read without a gateway.
    if let Verb::Census(wanted) = &args.verb {
        return print(&census::told(wanted, json, || Client::find(&args.server))?);
    }
    let client = Client::find(&args.server)?;
    match &args.verb {
        Verb::Health => print(&client.get("/healthz")?.success()?.text),
        Verb::Ready => {
            let answered = client.get("/readyz")?;
            print(&answered.text)?;
            match answered.status {
                200 => Ok(()),
                503 => Err(Failure::new("it takes no new connections")),
                _ => answered.success().map(drop),
            }
        }
        Verb::Metrics => print(&client.get("/metrics")?.success()?.text),
        Verb::Status => {
            let answered = client.get("/api/status")?.success()?;
            print(&shown(&answered, json, table::fields)?)
        }
        Verb::Routes => {
            let answered = client.get("/api/routes")?.success()?;
            print(&shown(&answered, json, |value| {
                table::rows(
                    value,
                    &["path", "service", "drafts", "connections", "upstreams"],
                )
            })?)
        }
        Verb::Connections(wanted) => {
            let mut query = wanted.filter.query();
            query.add("limit", wanted.limit.as_ref());
            query.add("after", wanted.after.as_ref());
            let answered = client.get(&query.of("/api/connections"))?.success()?;
            print(&shown(&answered, json, connections)?)
        }
        Verb::Connection { id } => {
            let answered = client.get(&format!("/api/connections/{}", segment(id)?))?;
            print(&shown(&answered.success()?, json, table::fields)?)
        }
        Verb::Close(close) => {
            let mut query = close.filter.query();
            query.add("code", close.code.as_ref());
            query.add("reason", close.reason.as_ref());
            let answered = match &close.id {
                Some(id) => {
                    let path = format!("/api/connections/{}", segment(id)?);
                    client.delete(&query.of(&path))?
                }
                None => {
                    query.add("within", close.within.as_ref());
                    query.add("all", close.all.then_some("true"));
                    client.delete(&query.of("/api/connections"))?
                }
            };
            print(&shown(&answered.success()?, json, table::fields)?)
        }
        Verb::Drain { within } => {
            let mut query = Filter::default().query();
            query.add("within", within.as_ref());
            let answered = client.put(&query.of("/api/drain"))?.success()?;
            print(&shown(&answered, json, table::fields)?)
        }
        Verb::Log { level } => {
            let answered = match level {
                None => client.get("/api/log")?,
                Some(level) => client.put(&format!("/api/log?level={}", level.name()))?,
            };
            print(&shown(&answered.success()?, json, table::fields)?)
        }
        // It was told above.
        Verb::Census(_) => Ok(()),
        Verb::Handshakes(wanted) => {
            if let Some(id) = &wanted.id {
                let answered = client.get(&format!("/api/handshakes/{}", segment(id)?))?;
                return print(&shown(&answered.success()?, json, table::fields)?);
            }
            let mut query = Filter::default().query();
            query.add("code", wanted.code.as_ref());
            query.add("stage", wanted.stage.as_ref());
            query.add("draft", wanted.draft.map(draftgate_core::Draft::name));
            query.add("path", wanted.path.as_ref());
            query.add("peer", wanted.peer.as_ref());
            query.add("limit", wanted.limit.as_ref());
            let answered = client.get(&query.of("/api/handshakes"))?.success()?;
            print(&shown(&answered, json, handshakes)?)
        }
    }
}

/// What to print of an answer in JSON.
fn shown(
    answered: &Answered,
    json: bool,
    table: impl FnOnce(&Value) -> String,
) -> Result<String, Failure> {
    if json {
        return Ok(answered.text.clone());
    }
    match serde_json::from_str(&answered.text) {
        Ok(value) => Ok(table(&value)),
        Err(error) => Err(Failure::protocol(format_args!(
            "what was answered is no JSON: {error}; is this an admin listener of draftgate?"
        ))),
    }
}

fn connections(value: &Value) -> String {
    let columns = [
        "id",
        "state",
        "draft",
        "peer",
        "path",
        "seconds",
        "octets_in",
        "octets_out",
        "queued_octets",
        "origin",
    ];
    let rows = table::rows(&value["connections"], &columns);
    format!("{rows}{}", counted(value))
}

fn handshakes(value: &Value) -> String {
    let columns = [
        "id", "at", "code", "status", "draft", "peer", "path", "error", "detail",
    ];
    let rows = table::rows(&value["handshakes"], &columns);
    format!("{rows}{}", counted(value))
}

/// How many there are of those that are listed.
fn counted(value: &Value) -> String {
    let count = |key: &str| value[key].as_u64().unwrap_or(0);
    format!("{} of {}\n", count("listed"), count("total"))
}

/// `id` as it may stand in a path.
fn segment(id: &str) -> Result<&str, Failure> {
    let fits = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    match !id.is_empty() && id.bytes().all(fits) {
        true => Ok(id),
        false => Err(Failure::usage(format_args!(
            "`{}` is no id; ids are such as c7, and stand in the log",
            id.escape_debug()
        ))),
    }
}
