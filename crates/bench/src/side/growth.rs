//! How cost grows: with connections, channels, subscribers and the pieces in which
//! a message comes. Each is a curve with the floor beside it where there is one,
//! so that what grows in the kernel is not taken for ours, measured in turns like
//! everything else, and kept in `docs/performance/growth.json`.

use std::fmt::Write as _;

use draftgate_bench::servers::{Server, Service};
use draftgate_core::Draft;
use serde::{Deserialize, Serialize};

use crate::contender::{Contender, Programs};
use crate::failure::Failure;
use crate::load::{Load, Metric};
use crate::machine::Machine;
use crate::octets;
use crate::results::median;
use crate::scenario::Scale;
use crate::table::{quantity, thousands};
use crate::verb;

/// A plot, and a table.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Curve {
    /// Of the file, and what words are looked for in.
    pub(crate) name: String,
    pub(crate) title: String,
    /// What grows.
    pub(crate) of: String,
    /// What is measured, and its unit.
    pub(crate) what: String,
    pub(crate) unit: String,
    pub(crate) lines: Vec<Line>,
    pub(crate) machine: Option<Machine>,
}

/// One server's values at each place.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Line {
    pub(crate) label: String,
    pub(crate) points: Vec<Point>,
}

/// The values of all turns at one place.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Point {
    pub(crate) at: usize,
    pub(crate) values: Vec<f64>,
}

impl Line {
    /// The medians.
    pub(crate) fn medians(&self) -> Vec<(usize, f64)> {
        let points = self.points.iter();
        points
            .map(|point| (point.at, median(point.values.clone())))
            .collect()
    }
}

/// What a curve is measured by.
struct Plan {
    name: &'static str,
    title: &'static str,
    of: &'static str,
    what: &'static str,
    metric: Metric,
    at: &'static [usize],
    lines: Vec<Way>,
}

/// One line of a curve.
struct Way {
    label: &'static str,
    contender: Contender,
    draft: &'static str,
    path: &'static str,
    /// `N` stands for what grows.
    load: Vec<&'static str>,
}

/// Where a message of so many octets is measured in pieces of one.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, 1 << 20];
const PIECES: &str = "octets";

fn plans() -> Vec<Plan> {
    let echo = verb::one_at_a_time("N");
    let fan_out = verb::fan_out("N", &[]);
    let channels = verb::fan_out("1000", &["--publishers", "N", "--channels", "N"]);
    let idle = |bus| verb::idle("N", bus);
    let ours = |label, path, load| Way {
        label,
        contender: Contender::Draftgate,
        draft: "hybi-13",
        path,
        load,
    };
    let rust = |label, server, service, load| Way {
        label,
        contender: Contender::Rust(server, service),
        draft: "raw",
        path: "/",
        load,
    };
    vec![
        Plan {
            name: "connections",
            title: "Echo, 125 B, each connection one message at a time",
            of: "connections",
            what: "processor time of the server for each message",
            metric: Metric::Cpu,
            at: &[1, 10, 100, 1000, 10_000],
            lines: vec![
                ours("draftgate", verb::ECHO, echo.clone()),
                rust("raw tokio", Server::RawEcho, Service::Echo, echo),
            ],
        },
        Plan {
            name: "channels",
            title: "1,000 subscribers in so many channels, each publishing in turn, 125 B",
            of: "channels",
            what: "processor time of the server for each delivery",
            metric: Metric::Cpu,
            at: &[1, 10, 100, 1000],
            lines: vec![ours("draftgate", "/bus/{n}", channels)],
        },
        Plan {
            name: "subscribers",
            title: "Fan-out, 125 B, one message at a time",
            of: "subscribers",
            what: "processor time of the server for each delivery",
            metric: Metric::Cpu,
            at: &[10, 100, 1000, 10_000],
            lines: vec![
                ours("draftgate", verb::BUS, fan_out.clone()),
                rust(
                    "raw tokio",
                    Server::RawBroadcast,
                    Service::Broadcast,
                    fan_out,
                ),
            ],
        },
        Plan {
            name: "memory",
            title: "Idle connections, after use",
            of: "connections",
            what: "resident memory of the server for each connection",
            metric: Metric::Memory,
            at: &[1000, 2000, 5000, 10_000, 15_000],
            lines: vec![
                ours("draftgate, echo", verb::ECHO, idle(false)),
                ours("draftgate, bus", verb::BUS, idle(true)),
                rust(
                    "bare tokio task",
                    Server::RawIdle,
                    Service::Echo,
                    idle(false),
                ),
            ],
        },
    ]
}

/// Measures every curve whose name contains one of the words, `growth` being one
/// for all.
///
/// # Errors
/// A server does not do what it is measured at.
pub(crate) fn measure(
    words: &[String],
    runs: u32,
    quick: bool,
    programs: &Programs,
    load: &Load,
    told: &mut dyn FnMut(&str),
) -> Result<Vec<Curve>, Failure> {
    let wanted = |name: &str| words.is_empty() || words.iter().any(|word| name.contains(word));
    let mut curves = Vec::new();
    for plan in plans().into_iter().filter(|plan| wanted(plan.name)) {
        curves.push(one(&plan, runs, quick, programs, load, told)?);
    }
    if wanted(PIECES) {
        told("growth: octets");
        curves.push(pieces(runs, quick));
    }
    Ok(curves)
}

fn one(
    plan: &Plan,
    runs: u32,
    quick: bool,
    programs: &Programs,
    load: &Load,
    told: &mut dyn FnMut(&str),
) -> Result<Curve, Failure> {
    let empty = |way: &Way| Line {
        label: way.label.into(),
        points: Vec::new(),
    };
    let mut lines: Vec<Line> = plan.lines.iter().map(empty).collect();
    let places = if quick { 1 } else { plan.at.len() };
    for &at in &plan.at[..places] {
        for line in &mut lines {
            line.points.push(Point {
                at,
                values: Vec::new(),
            });
        }
        for run in 1..=runs {
            told(&format!(
                "growth: {} {}, turn {run} of {runs}",
                thousands(at as f64),
                plan.of
            ));
            for (way, line) in plan.lines.iter().zip(&mut lines) {
                let server = way.contender.start(programs)?;
                let url = format!("ws://{}{}", server.address, way.path);
                let word = |word: &&str| match *word {
                    "URL" => url.clone(),
                    "N" => at.to_string(),
                    word => word.to_owned(),
                };
                let mut args: Vec<String> = way.load.iter().map(word).collect();
                let times = Scale { quick }.times(way.load[0]);
                args.extend(times.iter().map(|word| (*word).to_owned()));
                let pid = server.pid().to_string();
                args.extend(["--draft", way.draft, "--pid", &pid].map(str::to_owned));
                let value = load.run(&args, plan.metric)?.value;
                line.points
                    .last_mut()
                    .expect("just pushed")
                    .values
                    .push(value);
            }
        }
    }
    Ok(Curve {
        name: plan.name.into(),
        title: plan.title.into(),
        of: plan.of.into(),
        what: plan.what.into(),
        unit: if plan.metric == Metric::Memory {
            "B"
        } else {
            "ns"
        }
        .into(),
        lines,
        machine: Some(Machine::here()),
    })
}

/// The drafts that frame by length and by sentinel.
fn pieces(runs: u32, quick: bool) -> Curve {
    let sizes = SIZES.iter().filter(|size| !quick || **size <= SIZES[0]);
    let lines = [Draft::Hybi13, Draft::Hixie76].map(|draft| Line {
        label: draft.name().into(),
        points: sizes
            .clone()
            .map(|&at| Point {
                at,
                values: (0..runs).map(|_| octets::per_octet(draft, at)).collect(),
            })
            .collect(),
    });
    Curve {
        name: PIECES.into(),
        title: "One message that is read and written an octet at a time".into(),
        of: "octets of the message".into(),
        what: "time for each octet, echoed".into(),
        unit: "ns".into(),
        lines: lines.into(),
        machine: Some(Machine::here()),
    }
}

/// New curves in the place of old ones.
pub(crate) fn merged(old: Vec<Curve>, new: Vec<Curve>) -> Vec<Curve> {
    let names = || plans().into_iter().map(|plan| plan.name).chain([PIECES]);
    let found = |name: &str| {
        let all = new.iter().chain(&old);
        all.clone().find(|curve| curve.name == name).cloned()
    };
    names().filter_map(found).collect()
}

/// Heading, plot and table of each.
pub(crate) fn tables(curves: &[Curve]) -> String {
    let mut text = String::new();
    for curve in curves {
        let Curve {
            name,
            title,
            of,
            what,
            ..
        } = curve;
        let _ = writeln!(text, "**{title}**: {what}.\n");
        let _ = writeln!(
            text,
            "![{title}: {what}, by {of}](performance/{name}.svg)\n"
        );
        let _ = write!(text, "| {of} |");
        for line in &curve.lines {
            let _ = write!(text, " {} |", line.label);
        }
        let _ = writeln!(text, "\n| ---: |{}", " ---: |".repeat(curve.lines.len()));
        let columns: Vec<Vec<(usize, f64)>> = curve.lines.iter().map(Line::medians).collect();
        for (i, (at, _)) in columns[0].iter().enumerate() {
            let _ = write!(text, "| {} |", thousands(*at as f64));
            for column in &columns {
                let _ = write!(text, " {} |", quantity(column[i].1, &curve.unit));
            }
            text.push('\n');
        }
        if let Some(machine) = &curve.machine {
            let _ = writeln!(text, "\nMedians of {} turns. {machine}.\n", turns(curve));
        }
    }
    text
}

fn turns(curve: &Curve) -> usize {
    let points = curve.lines.iter().flat_map(|line| &line.points);
    points.map(|point| point.values.len()).min().unwrap_or(0)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    pub(crate) fn curve(name: &str) -> Curve {
        let line = |label: &str, factor: f64| Line {
            label: label.into(),
            points: [1, 10, 1000]
                .map(|at| Point {
                    at,
                    values: vec![at as f64 * factor, 500.0, 1500.0 * factor],
                })
                .into(),
        };
        Curve {
            name: name.into(),
            title: "Echo & more".into(),
            of: "connections".into(),
            what: "time".into(),
            unit: "ns".into(),
            lines: vec![line("draftgate", 1.0), line("raw <tokio>", 2.0)],
            machine: None,
        }
    }

    #[test]
    fn a_table_has_a_column_for_each_line_and_medians() {
        let tables = tables(&[curve("connections")]);
        let rows: Vec<&str> = tables
            .lines()
            .filter(|line| line.starts_with('|'))
            .collect();
        assert_eq!(rows[0], "| connections | draftgate | raw <tokio> |");
        assert_eq!(rows[2], "| 1 | 500 ns | 500 ns |");
        assert_eq!(rows[4], "| 1,000 | 1,000 ns | 2,000 ns |");
        assert!(tables.contains("](performance/connections.svg)"));
    }

    #[test]
    fn what_is_measured_again_replaces_what_was() {
        let mut again = curve("connections");
        again.unit = "B".into();
        let old = vec![curve("connections"), curve("gone"), curve("octets")];
        let all = merged(old, vec![again.clone()]);
        assert_eq!(all, [again, curve("octets")]);
    }

    #[test]
    fn pieces_of_one_octet_are_measured_in_both_framings() {
        let curve = pieces(1, true);
        assert_eq!(curve.lines.len(), 2);
        assert!(curve.lines.iter().all(|line| line.medians()[0].1 > 0.0));
    }
}
