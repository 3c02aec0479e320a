//! Measuring in turns: the floor, draftgate, each peer, and again from the start.
//! What else the machine does slows all of a turn alike, so the ratios are taken
//! turn by turn and their median counts. The best of several runs, which many
//! benchmarks print, would compare the luckiest moments of each.

use crate::contender::Programs;
use crate::failure::Failure;
use crate::load::{Figure, Load};
use crate::results::{Others, Outcome};
use crate::scenario::{Measured, Scenario};

/// Measures all servers of a scenario so many times, in turns. Servers that are not
/// installed are left out.
///
/// # Errors
/// One does not do what it is measured at.
pub(crate) fn measure(
    scenario: &Scenario,
    runs: u32,
    programs: &Programs,
    load: &Load,
    without_peers: bool,
    told: &mut dyn FnMut(&str),
) -> Result<Vec<Outcome>, Failure> {
    let mut outcomes: Vec<Outcome> = scenario
        .rows
        .iter()
        .map(|row| Outcome::new(scenario, row))
        .collect();
    let one = |measured: &Measured| -> Result<Figure, Failure> {
        let server = measured.contender.start(programs)?;
        let scheme = match measured.load.iter().any(|word| word == "--tls-max") {
            true => "wss",
            false => "ws",
        };
        let url = format!("{scheme}://{}{}", server.address, measured.path);
        let mut args: Vec<String> = measured.load.clone();
        for word in args.iter_mut().filter(|word| *word == "URL") {
            word.clone_from(&url);
        }
        args.extend(["--pid".into(), server.pid().to_string()]);
        load.run(&args, scenario.metric)
    };
    for run in 1..=runs {
        told(&format!("{}: turn {run} of {runs}", scenario.name));
        for (row, outcome) in scenario.rows.iter().zip(&mut outcomes) {
            // For each row anew: what is divided lies side by side.
            let floor = scenario.floor.as_ref().map(one).transpose()?;
            let ours = one(&row.ours)?;
            outcome.load_bound |= ours.load_bound;
            outcome.refused += ours.refused;
            outcome.floor.extend(floor.map(|floor| floor.value));
            outcome.ours.push(ours.value);
            let peers = row.peers.iter().filter(|_| !without_peers);
            for peer in peers.filter(|peer| peer.contender.is_installed(programs)) {
                let value = one(peer)?.value;
                match outcome
                    .peers
                    .iter_mut()
                    .find(|other| other.label == peer.label)
                {
                    Some(other) => other.values.push(value),
                    None => outcome.peers.push(Others {
                        label: peer.label.clone(),
                        values: vec![value],
                    }),
                }
            }
        }
    }
    Ok(outcomes)
}
