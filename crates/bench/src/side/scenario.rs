//! What is measured, as a table: every scenario with the servers that take turns
//! in it, what the generator is told, and the goal. A goal is about draftgate
//! divided by the *floor* of the same turn: a raw socket of tokio's moving the same
//! octets, a bare upgrade, HAProxy, or draftgate's own hybi-13.

use draftgate_bench::servers::{Server, Service};
use draftgate_core::Draft;
use draftgate_drafts::spoken;

use crate::contender::{Contender, Programs};
use crate::load::Metric;
use crate::verb;

/// One scenario: the floor, and what is measured next to it.
#[derive(Clone, Debug)]
pub(crate) struct Scenario {
    /// What the words of the command line are looked for in.
    pub(crate) name: String,
    pub(crate) metric: Metric,
    pub(crate) floor: Option<Measured>,
    pub(crate) rows: Vec<Row>,
}

impl Scenario {
    /// The floor or the server of ours that is not installed, without which there
    /// is nothing to compare.
    pub(crate) fn missing(&self, programs: &Programs) -> Option<&str> {
        let all = self
            .floor
            .iter()
            .chain(self.rows.iter().map(|row| &row.ours));
        let mut missing = all.filter(|one| !one.contender.is_installed(programs));
        missing.next().map(|one| one.label.as_str())
    }
}

/// A row of the table: draftgate, and who does the same.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) title: String,
    pub(crate) goal: Goal,
    pub(crate) ours: Measured,
    pub(crate) peers: Vec<Measured>,
}

/// A server and its load.
#[derive(Clone, Debug)]
pub(crate) struct Measured {
    pub(crate) label: String,
    pub(crate) contender: Contender,
    /// For `draftgate load`; `URL` stands for the server's, which ends in `path`.
    pub(crate) load: Vec<String>,
    pub(crate) path: &'static str,
}

/// What a row is to reach.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Goal {
    /// At most so many times the floor.
    Times(f64),
    /// At most so many octets.
    Octets(f64),
    /// No opening refused.
    NoneRefused,
}

/// How long and how large.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scale {
    pub(crate) quick: bool,
}

impl Scale {
    /// How long, for each verb that is asked how long.
    pub(crate) fn times(self, verb: &str) -> &'static [&'static str] {
        match (verb, self.quick) {
            ("idle", true) => &["--settle", "100ms"],
            ("idle", false) => &["--settle", "1s"],
            (_, true) => &["--duration", "100ms", "--warm-up", "20ms"],
            (_, false) => &["--duration", "1500ms", "--warm-up", "300ms"],
        }
    }

    fn many(self, count: usize) -> String {
        let count = if self.quick {
            count.div_ceil(100)
        } else {
            count
        };
        count.to_string()
    }
}

/// What the servers of one scenario are told, but for their draft.
#[derive(Clone, Copy)]
struct Words<'a> {
    verb: &'a [&'a str],
    scale: Scale,
    path: &'static str,
}

impl<'a> Words<'a> {
    fn new(verb: &'a [&'a str], scale: Scale, path: &'static str) -> Self {
        Self { verb, scale, path }
    }

    fn of(self, label: &str, contender: Contender, draft: &str) -> Measured {
        let times = self.scale.times(self.verb[0]);
        let words = [self.verb, &["--draft", draft], times].concat();
        Measured {
            label: label.to_owned(),
            contender,
            load: words.into_iter().map(str::to_owned).collect(),
            path: self.path,
        }
    }

    fn rust(self, server: Server, service: Service) -> Measured {
        let label = match server {
            Server::TokioTungstenite => "tokio-tungstenite",
            Server::Fastwebsockets => "fastwebsockets",
            Server::TokioWebsockets => "tokio-websockets",
            Server::HyperUpgrade => "bare hyper upgrade",
            Server::RawIdle => "bare tokio task",
            Server::RawEcho | Server::RawBroadcast => "raw tokio",
        };
        let draft = match server {
            Server::RawEcho | Server::RawBroadcast | Server::RawIdle => "raw",
            _ => HYBI_13,
        };
        self.of(label, Contender::Rust(server, service), draft)
    }

    /// Every library that speaks RFC 6455.
    fn libraries(self, service: Service) -> Vec<Measured> {
        let mut all: Vec<Measured> = LIBRARIES.map(|server| self.rust(server, service)).into();
        all.push(self.of("uWebSockets", Contender::UWebSockets(service), HYBI_13));
        all.push(self.of("ws", Contender::Ws(service), HYBI_13));
        all
    }

    fn ours(self, draft: &str) -> Measured {
        self.of("draftgate", Contender::Draftgate, draft)
    }
}

const HYBI_13: &str = "hybi-13";
const LIBRARIES: [Server; 3] = [
    Server::TokioTungstenite,
    Server::Fastwebsockets,
    Server::TokioWebsockets,
];

/// Every scenario, in the table's order.
pub(crate) fn all(scale: Scale) -> Vec<Scenario> {
    let mut all = vec![
        echo(scale, "echo pipelined, 16 B", "16", 64, 1.45),
        echo(scale, "echo pipelined, 125 B", "125", 64, 1.5),
        echo(scale, "echo pipelined, 1 KiB", "1KiB", 64, 1.5),
        echo(scale, "echo, 16 KiB", "16KiB", 1, 1.5),
        echo(scale, "echo, 1 MiB", "1MiB", 1, 1.5),
        one_at_a_time(scale),
        openings(scale),
        fan_out(scale, "fan-out to 1,000, one at a time", "1", 0.75),
        fan_out(scale, "fan-out to 1,000, bursts of 16", "16", 1.2),
        idle(scale, false, 1536.0),
        idle(scale, true, 2048.0),
    ];
    for (size, payload, window) in [
        ("16 B", "16", 64),
        ("125 B", "125", 64),
        ("16 KiB", "16KiB", 1),
    ] {
        all.push(drafts_echo(scale, size, payload, window));
    }
    all.push(drafts_fan_out(scale, "one at a time", "1"));
    all.push(drafts_fan_out(scale, "bursts of 16", "16"));
    all.push(proxy(scale, "one at a time", &verb::one_at_a_time("16")));
    all.push(proxy(scale, "pipelined", &verb::echo("125", "64")));
    all.push(publish(scale));
    all.push(storm(scale, "plain", Contender::Draftgate, &[]));
    let old = ["--tls-max", "1.0", "--insecure"];
    all.push(storm(scale, "TLS 1.0", Contender::DraftgateTls, &old));
    all
}

fn echo(scale: Scale, title: &str, payload: &str, window: u32, goal: f64) -> Scenario {
    let window = window.to_string();
    let verb = verb::echo(payload, &window);
    let words = Words::new(&verb, scale, verb::ECHO);
    hybi_13(title, words, Server::RawEcho, Service::Echo, goal)
}

fn one_at_a_time(scale: Scale) -> Scenario {
    let connections = scale.many(500);
    let verb = verb::one_at_a_time(&connections);
    let words = Words::new(&verb, scale, verb::ECHO);
    let title = "echo, 500 connections, 125 B, one at a time";
    hybi_13(title, words, Server::RawEcho, Service::Echo, 0.98)
}

fn openings(scale: Scale) -> Scenario {
    let verb = ["openings", "URL", "--concurrency", "16"];
    let words = Words::new(&verb, scale, verb::ECHO);
    let mut scenario = hybi_13(
        "opening handshake",
        words,
        Server::HyperUpgrade,
        Service::Echo,
        1.15,
    );
    scenario.rows[0].title += " ÷ bare hyper upgrade";
    scenario
}

fn fan_out(scale: Scale, title: &str, burst: &str, goal: f64) -> Scenario {
    let subscribers = scale.many(1000);
    let verb = verb::fan_out(&subscribers, &["--burst", burst]);
    let words = Words::new(&verb, scale, verb::BUS);
    hybi_13(title, words, Server::RawBroadcast, Service::Broadcast, goal)
}

/// draftgate and all libraries next to a floor, in hybi-13.
fn hybi_13(title: &str, words: Words<'_>, floor: Server, service: Service, goal: f64) -> Scenario {
    Scenario {
        name: title.to_owned(),
        metric: Metric::Cpu,
        floor: Some(words.rust(floor, service)),
        rows: vec![Row {
            title: title.to_owned(),
            goal: Goal::Times(goal),
            ours: words.ours(HYBI_13),
            peers: words.libraries(service),
        }],
    }
}

fn idle(scale: Scale, bus: bool, goal: f64) -> Scenario {
    let connections = scale.many(5000);
    let verb = verb::idle(&connections, bus);
    let (title, path, service, floor) = match bus {
        true => (
            "memory per idle connection, after use, on the bus",
            verb::BUS,
            Service::Broadcast,
            Server::RawBroadcast,
        ),
        false => (
            "memory per idle connection, after use, echo",
            verb::ECHO,
            Service::Echo,
            Server::RawIdle,
        ),
    };
    let words = Words::new(&verb, scale, path);
    let mut scenario = hybi_13(title, words, floor, service, 0.0);
    scenario.metric = Metric::Memory;
    scenario.rows[0].goal = Goal::Octets(goal);
    scenario
}

/// The drafts that have rows of their own. A server writes the frames of hybi-01 to
/// -05 as it does those of hybi-06, but for a bit.
fn measured() -> impl Iterator<Item = Draft> {
    let between = Draft::Hybi01..Draft::Hybi06;
    spoken().filter(move |draft| !between.contains(draft))
}

/// Every other draft next to our own hybi-13; npm's websocket-driver, which speaks
/// the hixie drafts, is shown beside.
fn drafts_echo(scale: Scale, size: &str, payload: &str, window: u32) -> Scenario {
    let window = window.to_string();
    let verb = verb::echo(payload, &window);
    let words = Words::new(&verb, scale, verb::ECHO);
    let rows = measured()
        .filter(|draft| *draft != Draft::Hybi13)
        .map(|draft| {
            let driver = Contender::WebsocketDriver(Service::Echo);
            let peers = match LEGACY_OF_DRIVER.contains(&draft) {
                true => vec![words.of("websocket-driver", driver, draft.name())],
                false => Vec::new(),
            };
            Row {
                title: format!("{draft} echo, {size} ÷ our hybi-13"),
                goal: Goal::Times(1.1),
                ours: words.ours(draft.name()),
                peers,
            }
        });
    Scenario {
        name: format!("drafts echo, {size}"),
        metric: Metric::Cpu,
        rows: rows.collect(),
        floor: Some(words.ours(HYBI_13)),
    }
}

/// What websocket-driver speaks besides RFC 6455.
const LEGACY_OF_DRIVER: [Draft; 2] = [Draft::Hixie75, Draft::Hixie76];

fn drafts_fan_out(scale: Scale, how: &str, burst: &str) -> Scenario {
    let subscribers = scale.many(1000);
    let verb = verb::fan_out(&subscribers, &["--burst", burst]);
    let words = Words::new(&verb, scale, verb::BUS);
    Scenario {
        name: format!("drafts fan-out, {how}"),
        metric: Metric::Cpu,
        floor: Some(words.ours(HYBI_13)),
        rows: vec![Row {
            title: format!("mixed-draft fan-out to 1,000, {how} ÷ our hybi-13"),
            goal: Goal::Times(1.1),
            ours: words.ours("all"),
            peers: Vec::new(),
        }],
    }
}

fn proxy(scale: Scale, how: &str, verb: &[&str]) -> Scenario {
    let through = Words::new(verb, scale, verb::ECHO);
    let ours = Words {
        path: "/proxy",
        ..through
    };
    Scenario {
        name: format!("proxy, {how}"),
        metric: Metric::Cpu,
        floor: Some(through.of("HAProxy", Contender::Haproxy, HYBI_13)),
        rows: vec![Row {
            title: format!("proxy hixie-76 → hybi-13 and back, 125 B, {how} ÷ HAProxy"),
            goal: Goal::Times(1.3),
            ours: ours.of(
                "draftgate",
                Contender::DraftgateProxy,
                Draft::Hixie76.name(),
            ),
            peers: Vec::new(),
        }],
    }
}

fn publish(scale: Scale) -> Scenario {
    let subscribers = scale.many(15_000);
    let verb = verb::fan_out(&subscribers, &[]);
    let words = Words::new(&verb, scale, verb::BUS);
    Scenario {
        name: "publish to 15,000".into(),
        metric: Metric::ToTheLast,
        floor: Some(words.rust(Server::RawBroadcast, Service::Broadcast)),
        rows: vec![Row {
            title: "one publish to 15,000 hixie-76 subscribers: time to the last".into(),
            goal: Goal::Times(1.2),
            ours: words.ours(Draft::Hixie76.name()),
            peers: Vec::new(),
        }],
    }
}

fn storm(scale: Scale, how: &str, contender: Contender, tls: &[&str]) -> Scenario {
    let connections = scale.many(15_000);
    let mut load = vec!["storm", "URL", "--connections", &connections];
    load.extend(["--draft", Draft::Hixie76.name()]);
    // 15,000 RSA signatures take one core longer than the generator waits unasked.
    load.extend(["--within", "180s"]);
    load.extend(tls);
    Scenario {
        name: format!("storm, {how}"),
        metric: Metric::Storm,
        floor: None,
        rows: vec![Row {
            title: format!("storm of 15,000 hixie-76 openings, {how}: time until all are in"),
            goal: Goal::NoneRefused,
            ours: Measured {
                label: "draftgate".into(),
                contender,
                load: load.into_iter().map(str::to_owned).collect(),
                path: verb::ECHO,
            },
            peers: Vec::new(),
        }],
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_scenario_has_a_name_of_its_own_and_every_row_a_title() {
        let all = all(Scale { quick: false });
        let names: BTreeSet<&String> = all.iter().map(|scenario| &scenario.name).collect();
        assert_eq!(names.len(), all.len());
        let rows = || all.iter().flat_map(|scenario| &scenario.rows);
        let titles: BTreeSet<&String> = rows().map(|row| &row.title).collect();
        assert_eq!(titles.len(), rows().count());
    }

    #[test]
    fn every_draft_but_hybi_13_is_measured_next_to_it() {
        let all = all(Scale { quick: true });
        for draft in measured().filter(|draft| *draft != Draft::Hybi13) {
            let rows = all.iter().flat_map(|scenario| &scenario.rows);
            let its = rows.filter(|row| row.title.starts_with(&format!("{draft} echo")));
            assert_eq!(its.count(), 3, "{draft}");
        }
    }
}
