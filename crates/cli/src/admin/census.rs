//! `draftgate admin census`: who still speaks which draft, asked of a running
//! gateway or read out of the file that it keeps.

use std::{path::PathBuf, time::SystemTime};

use draftgate_census::{PlaceReport, Report, Store, Window};
use draftgate_core::Draft;
use draftgate_gateway::config::PathPattern;

use super::client::Client;
use crate::{args, exit::Failure};

/// What to tell of the census.
#[derive(Debug, clap::Args)]
pub(super) struct Arguments {
    /// Only what nobody used for so many days, at most 90d
    #[arg(long, value_name = "DAYS")]
    unused: Option<Window>,
    /// Of this draft
    #[arg(long, value_parser = args::any_draft)]
    draft: Option<Draft>,
    /// Of the route with this path pattern, or that takes this path
    #[arg(long)]
    path: Option<String>,
    /// Read this file of a census instead of asking a gateway
    #[arg(long, value_name = "FILE", conflicts_with = "address")]
    file: Option<PathBuf>,
}

/// The text to print.
///
/// # Errors
/// Nobody answers, or the file is no census.
pub(super) fn told(
    args: &Arguments,
    json: bool,
    client: impl FnOnce() -> Result<Client, Failure>,
) -> Result<String, Failure> {
    let mut report = match &args.file {
        Some(file) => in_file(file)?,
        None => {
            let answered = client()?.get("/api/census")?.success()?;
            serde_json::from_str(&answered.text).map_err(|error| {
                Failure::protocol(format_args!(
                    "what was answered is no census: {error}; is this an admin listener of draftgate?"
                ))
            })?
        }
    };
    let all = report.places.len();
    let window = args.unused.unwrap_or(Window::DAYS_90);
    report.places.retain(|place| args.takes(place));
    let asked_for = report.places.len();
    if args.unused.is_some() {
        report.keep_unused(window);
    }
    if json {
        let text = serde_json::to_string_pretty(&report);
        let text = text.map_err(|error| Failure::new(format_args!("no JSON: {error}")))?;
        return Ok(text + "\n");
    }
    Ok(match (report.places.is_empty(), asked_for, all) {
        (true, 0, 1..) => "No draft on a route is what was asked for.\n".to_owned(),
        (true, 1.., _) => format!("Each draft was used within {window} on its route.\n"),
        _ => report.sentences(window),
    })
}

impl Arguments {
    fn takes(&self, place: &PlaceReport) -> bool {
        let draft = self.draft.map(Draft::name);
        let of_draft = draft.is_none() || place.draft.as_deref() == draft;
        let of_path = self.path.as_deref().is_none_or(|path| {
            place.route.as_deref().is_some_and(|route| {
                let pattern = route.parse::<PathPattern>();
                route == path || pattern.is_ok_and(|it| it.matches(path).is_some())
            })
        });
        of_draft && of_path
    }
}

fn in_file(file: &PathBuf) -> Result<Report, Failure> {
    if !file.exists() {
        return Err(Failure::new(format_args!(
            "there is no census in {}: is it the file of `[census]`, and has the gateway run?",
            file.display()
        )));
    }
    let state = Store::new(file).read().map_err(Failure::new)?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    Ok(Report::new(&state, now.unwrap_or_default().as_secs()))
}
