//! draftgate side by side with other servers: what `cargo xtask bench` runs once it
//! has built and installed them. Prints the table with our goals, and with
//! `--write` puts it into docs/performance.md. It judges in turns and by processor
//! time, so that it can be run on a machine that others use too.

#![allow(clippy::print_stdout, reason = "this program is for reading")]

mod contender;
mod core;
mod document;
mod failure;
mod gateway;
mod growth;
mod load;
mod machine;
mod octets;
mod plot;
mod results;
mod scenario;
mod table;
mod turns;
mod verb;

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use clap::Parser;

use crate::contender::Programs;
use crate::core::Cores;
use crate::failure::{Failure, file};
use crate::load::Load;
use crate::machine::Machine;
use crate::results::Outcome;
use crate::scenario::{Scale, Scenario};

/// draftgate side by side with other servers.
#[derive(Debug, Parser)]
struct Cli {
    /// Only scenarios whose name contains one of these words
    words: Vec<String>,
    /// How often each server is measured
    #[arg(long, default_value_t = 5)]
    runs: u32,
    /// Once, and for a moment
    #[arg(long)]
    quick: bool,
    /// draftgate and the floor alone
    #[arg(long)]
    without_peers: bool,
    /// Write into docs/performance.md
    #[arg(long)]
    write: bool,
    /// Where the servers are that `cargo xtask bench` installed
    #[arg(long, value_name = "DIR")]
    installed: Option<PathBuf>,
    /// Fail when a goal is missed
    #[arg(long)]
    check: bool,
}

/// The word that asks for curves instead of the table.
const GROWTH: &str = "growth";

/// Said below what `--quick` prints.
const QUICK: &str = "Everything once, for a moment and with a hundredth of the connections: this \
                     shows that it works, and says nothing about speed.";

impl Cli {
    fn grows(&self) -> bool {
        self.words.iter().any(|word| word == GROWTH)
    }

    fn runs(&self) -> u32 {
        if self.quick { 1 } else { self.runs }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    if cli.grows() && cli.check {
        eprintln!("error: {GROWTH} has no goals that --check could find missed");
        return ExitCode::from(2);
    }
    match run(&cli) {
        Ok(outcomes) if cli.check && !outcomes.iter().all(Outcome::met) => ExitCode::FAILURE,
        Ok(_) => ExitCode::SUCCESS,
        Err(e) => {
            eprintln!("error: {e}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: &Cli) -> Result<Vec<Outcome>, Failure> {
    let programs = programs(cli)?;
    let load = Load {
        program: programs.draftgate.clone(),
        cores: programs.cores,
    };
    let done = match cli.grows() {
        true => grow(cli, &programs, &load).map(|()| Vec::new()),
        false => compare(cli, &programs, &load),
    };
    let _ = fs::remove_dir_all(&programs.scratch);
    done
}

/// How cost grows; the other words choose curves.
fn grow(cli: &Cli, programs: &Programs, load: &Load) -> Result<(), Failure> {
    let words: Vec<String> = cli
        .words
        .iter()
        .filter(|word| *word != GROWTH)
        .cloned()
        .collect();
    let mut told = progress();
    let curves = growth::measure(&words, cli.runs(), cli.quick, programs, load, &mut told)?;
    told("");
    println!("{}", growth::tables(&curves));
    if cli.write && !cli.quick {
        write_growth(curves)?;
    }
    Ok(())
}

/// draftgate next to its goals and to the others.
fn compare(cli: &Cli, programs: &Programs, load: &Load) -> Result<Vec<Outcome>, Failure> {
    let scenarios = scenario::all(Scale { quick: cli.quick });
    let order: Vec<String> = titles(&scenarios);
    let scenarios = chosen(scenarios, &cli.words)?;
    let machine = Machine::here();
    let mut told = progress();
    let (mut outcomes, mut failed) = (Vec::new(), None);
    for scenario in &scenarios {
        if let Some(missing) = scenario.missing(programs) {
            told("");
            eprintln!("{}: left out, {missing} is not installed", scenario.name);
            continue;
        }
        let measured = turns::measure(
            scenario,
            cli.runs(),
            programs,
            load,
            cli.without_peers,
            &mut told,
        );
        match measured {
            Ok(measured) => outcomes.extend(measured.into_iter().map(|mut outcome| {
                outcome.machine = Some(machine.clone());
                outcome
            })),
            // What was measured is not lost by it.
            Err(e) => {
                told("");
                eprintln!("{}: {e}", scenario.name);
                failed.get_or_insert_with(|| Failure::Scenario(scenario.name.clone()));
            }
        }
        if cli.write && !cli.quick {
            write(&outcomes, &order)?;
        }
    }
    told("");
    println!("{}\n", heading(&outcomes));
    println!("{}", table::goals(&outcomes));
    if outcomes.iter().any(|outcome| !outcome.peers.is_empty()) {
        println!("{}", table::everybody(&outcomes));
    }
    if cli.quick {
        println!("{QUICK}");
    }
    failed.map_or(Ok(outcomes), Err)
}

fn titles(scenarios: &[Scenario]) -> Vec<String> {
    let rows = scenarios.iter().flat_map(|scenario| &scenario.rows);
    rows.map(|row| row.title.clone()).collect()
}

/// Those with one of the words in their names; all without words.
fn chosen(all: Vec<Scenario>, words: &[String]) -> Result<Vec<Scenario>, Failure> {
    for word in words {
        if all.iter().all(|scenario| !scenario.name.contains(word)) {
            let names: Vec<&str> = all.iter().map(|scenario| scenario.name.as_str()).collect();
            return Err(Failure::NoScenario(word.clone(), names.join("; ")));
        }
    }
    let wanted = |scenario: &Scenario| {
        words.is_empty() || words.iter().any(|word| scenario.name.contains(word))
    };
    Ok(all.into_iter().filter(wanted).collect())
}

/// draftgate and `peer` were built beside this program.
fn programs(cli: &Cli) -> Result<Programs, Failure> {
    let here = env::current_exe().map_err(file("."))?;
    let folder = here.parent().unwrap_or_else(|| Path::new(".")).to_owned();
    let scratch = env::temp_dir().join(format!("draftgate-bench-{}", std::process::id()));
    fs::create_dir_all(&scratch).map_err(file(&scratch))?;
    Ok(Programs {
        draftgate: folder.join("draftgate"),
        peer: folder.join("peer"),
        installed: cli
            .installed
            .clone()
            .unwrap_or_else(|| folder.join("peers")),
        scratch,
        cores: Cores::allowed()?,
    })
}

/// One line that is written over where there is a terminal, one each elsewhere.
fn progress() -> impl FnMut(&str) {
    let terminal = io::stderr().is_terminal();
    move |line: &str| match (terminal, line.is_empty()) {
        (true, _) => eprint!("\r\x1b[K{line}"),
        (false, false) => eprintln!("{line}"),
        (false, true) => {}
    }
}

fn heading(outcomes: &[Outcome]) -> String {
    let mut machines: Vec<String> = Vec::new();
    for machine in outcomes
        .iter()
        .filter_map(|outcome| outcome.machine.as_ref())
    {
        let shown = machine.to_string();
        if !machines.contains(&shown) {
            machines.push(shown);
        }
    }
    let runs: Vec<usize> = outcomes.iter().map(|outcome| outcome.ours.len()).collect();
    let (least, most) = (
        runs.iter().min().unwrap_or(&0),
        runs.iter().max().unwrap_or(&0),
    );
    let runs = match least == most {
        true => format!("{least}"),
        false => format!("{least} to {most}"),
    };
    format!("Medians of {runs} turns. {}.", machines.join("; "))
}

/// docs/performance.md, and the folder of what it is made of.
fn documents() -> Result<(PathBuf, PathBuf), Failure> {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let folder = docs.join("performance");
    fs::create_dir_all(&folder).map_err(file(&folder))?;
    Ok((docs.join("performance.md"), folder))
}

/// The results beside those of earlier, and the tables of all of them.
fn write(outcomes: &[Outcome], order: &[String]) -> Result<(), Failure> {
    let (document, folder) = documents()?;
    let results = folder.join("results.json");
    let all = results::merged(results::read(&results)?, outcomes.to_vec(), order);
    results::write(&results, &all)?;
    let goals = format!("{}\n\n{}", heading(&all), table::goals(&all));
    document::put(&document, "goals", &goals)?;
    document::put(&document, "everybody", &table::everybody(&all))
}

/// The same for curves.
fn write_growth(curves: Vec<growth::Curve>) -> Result<(), Failure> {
    let (document, folder) = documents()?;
    let kept = folder.join("growth.json");
    let all = growth::merged(results::read(&kept)?, curves);
    results::write(&kept, &all)?;
    for curve in &all {
        let svg = plot::svg(curve).map_err(|why| Failure::Plot {
            name: curve.name.clone(),
            why,
        })?;
        let path = folder.join(format!("{}.svg", curve.name));
        fs::write(&path, svg).map_err(file(path))?;
    }
    document::put(&document, GROWTH, &growth::tables(&all))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> String {
        let (document, _) = documents().unwrap();
        fs::read_to_string(document).unwrap()
    }

    fn kept() -> Vec<Outcome> {
        let (_, folder) = documents().unwrap();
        results::read(&folder.join("results.json")).unwrap()
    }

    #[test]
    fn the_document_has_the_tables_of_what_is_kept() {
        let document = document();
        assert!(!kept().is_empty());
        assert!(document.contains(table::goals(&kept()).trim()));
        assert!(document.contains(table::everybody(&kept()).trim()));
    }

    #[test]
    fn the_document_has_the_curves_that_are_kept() {
        let (_, folder) = documents().unwrap();
        let curves: Vec<growth::Curve> = results::read(&folder.join("growth.json")).unwrap();
        assert!(!curves.is_empty());
        assert!(document().contains(growth::tables(&curves).trim()));
        for curve in curves {
            let path = folder.join(format!("{}.svg", curve.name));
            assert_eq!(
                fs::read_to_string(path).unwrap(),
                plot::svg(&curve).unwrap()
            );
        }
    }

    #[test]
    fn all_that_is_measured_is_kept() {
        let scenarios = scenario::all(Scale { quick: false });
        let kept: Vec<String> = kept().into_iter().map(|outcome| outcome.title).collect();
        assert_eq!(kept, titles(&scenarios));
    }

    #[test]
    fn the_document_explains_every_goal_that_is_missed() {
        let document = document();
        let (_, explained) = document.split_once("\n## Goals that are missed\n").unwrap();
        let explained = explained.split("\n## ").next().unwrap();
        let words: Vec<&str> = explained.split_whitespace().collect();
        let explained = words.join(" ");
        for outcome in kept().iter().filter(|outcome| !outcome.met()) {
            let title = format!("**{}**", outcome.title);
            assert!(explained.contains(&title), "{title}");
        }
    }

    #[test]
    fn words_choose_scenarios_and_an_unknown_one_is_an_error() {
        let all = || scenario::all(Scale { quick: true });
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Vec<_>>()
        };
        let some = chosen(all(), &words(&["storm", "opening"])).unwrap();
        assert_eq!(some.len(), 3);
        assert_eq!(chosen(all(), &[]).unwrap().len(), all().len());
        let error = chosen(all(), &words(&["strom"])).unwrap_err().to_string();
        assert!(error.contains("storm, plain"), "{error}");
    }
}
