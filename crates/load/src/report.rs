//! What was measured, and who was in the way of more. A generator that is
//! busy all the time measures itself; it has to say so.

use std::{collections::BTreeMap, fmt::Write, time::Duration};

use serde_json::{Value, json};

use crate::{Latency, usage::Usage};

/// A process that uses so much of its processors has no more to give.
const BUSY: f64 = 0.9;

/// Who kept the figure from being higher.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bottleneck {
    /// The server was busy, and the generator was not.
    Server,
    /// The generator was: the server could do more.
    Load,
    /// The rate that was asked for.
    Rate,
    /// Nobody was busy: the time was spent in waiting for each other.
    Neither,
    /// Nobody said which process the server is.
    Unknown,
}

impl Bottleneck {
    /// As it stands in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Load => "load",
            Self::Rate => "rate",
            Self::Neither => "neither",
            Self::Unknown => "unknown",
        }
    }
}

/// What the server has used in the counted time.
#[derive(Debug, Clone, Copy)]
pub struct Server {
    /// Its process.
    pub pid: u32,
    /// Before, and after.
    pub usage: (Usage, Usage),
    /// Resident octets for each connection, where that is what was measured.
    pub rss_per_connection: Option<f64>,
}

/// What came of a scenario. What does not apply is `None`, 0 or empty.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// The scenario's name.
    pub scenario: &'static str,
    /// Where.
    pub url: String,
    /// What was spoken.
    pub drafts: Vec<&'static str>,
    /// Connections at the same time.
    pub connections: u64,
    /// Octets of payload of a message.
    pub payload: u64,
    /// Messages under way on each connection.
    pub window: Option<u64>,
    /// Messages a second that were asked for.
    pub rate: Option<f64>,
    /// Messages of a burst, publishers, subscribers.
    pub fan_out: Option<(u64, u64, u64)>,
    /// The counted time.
    pub elapsed: Duration,
    /// Messages that came back, were published, or openings that were done.
    pub messages: u64,
    /// Messages that came, all receivers together.
    pub deliveries: u64,
    /// Octets written and read in the counted time.
    pub octets: (u64, u64),
    /// How long each took.
    pub latency: Latency,
    /// How late each was sent, with a rate.
    pub lag: Latency,
    /// What it cost the server.
    pub server: Option<Server>,
    /// Threads of the generator.
    pub threads: u64,
    /// What it cost the generator, in nanoseconds on a processor.
    pub load_cpu_ns: Option<u64>,
    /// What was refused, and how often.
    pub refused: BTreeMap<String, u64>,
    /// What went wrong, and how often.
    pub errors: BTreeMap<String, u64>,
    /// The time until the last connection was in.
    pub until_all: Option<Duration>,
    /// Messages that were read by the draft's codec, because they did not look
    /// as this draft's server would send them.
    pub decoded: u64,
    /// It was ended before its time.
    pub interrupted: bool,
}

impl Server {
    /// Nanoseconds on a processor.
    pub fn cpu_ns(&self) -> u64 {
        self.usage.1.cpu_ns.saturating_sub(self.usage.0.cpu_ns)
    }

    /// The processors that it can make use of.
    fn processors(&self) -> f64 {
        let after = &self.usage.1;
        after.processors.min(after.threads).max(1) as f64
    }
}

impl Report {
    /// Takes in what another thread measured in the same time. What the server and
    /// the generator used is of whole processes, and in both already.
    pub(crate) fn add(&mut self, other: Self) {
        self.messages += other.messages;
        self.deliveries += other.deliveries;
        self.decoded += other.decoded;
        self.octets.0 += other.octets.0;
        self.octets.1 += other.octets.1;
        self.latency.add(&other.latency);
        self.lag.add(&other.lag);
        for (why, count) in other.refused {
            *self.refused.entry(why).or_default() += count;
        }
    }

    /// What the server's time is divided by: whatever is most of its work.
    fn units(&self) -> u64 {
        self.deliveries.max(self.messages)
    }

    fn share(&self, cpu_ns: u64) -> f64 {
        cpu_ns as f64 / self.elapsed.as_nanos().max(1) as f64
    }

    /// Nanoseconds of the server's for each message, delivery or opening.
    pub fn server_ns_each(&self) -> Option<f64> {
        each(self.server?.cpu_ns(), self.units())
    }

    /// Nanoseconds of the generator's for each.
    pub fn load_ns_each(&self) -> Option<f64> {
        each(self.load_cpu_ns?, self.units())
    }

    /// How many times as fast a server the generator could load, its processors
    /// being as many.
    pub fn headroom(&self) -> Option<f64> {
        Some(self.server_ns_each()? / self.load_ns_each()?)
    }

    /// How much of its processors the generator was busy.
    pub fn load_busy(&self) -> Option<f64> {
        Some(self.share(self.load_cpu_ns?) / self.threads.max(1) as f64)
    }

    /// How much of one processor the server was busy.
    pub fn server_busy(&self) -> Option<f64> {
        Some(self.share(self.server?.cpu_ns()))
    }

    /// Who was in the way, and why that is said.
    pub fn bottleneck(&self) -> (Bottleneck, String) {
        let percent = |share: Option<f64>| {
            share.map_or_else(
                || "for an unknown share of the time".to_owned(),
                |s| format!("{:.0} % of the time", s * 100.0),
            )
        };
        let load = self.load_busy();
        let server = self.server.map(|s| self.share(s.cpu_ns()) / s.processors());
        let told = match server {
            Some(_) => format!(
                "the server was busy {}, the generator {}",
                percent(server),
                percent(load)
            ),
            None => format!(
                "the generator was busy {}; which process the server is was not said (--pid)",
                percent(load)
            ),
        };
        let is = |share: Option<f64>| share.is_some_and(|share| share >= BUSY);
        let late = self.lag.within(0.99);
        let who = if is(load) && load >= server {
            Bottleneck::Load
        } else if is(server) {
            Bottleneck::Server
        } else if self.rate.is_some() {
            let late = format!("{told}; 99 % of the messages were sent {late:.0} µs late at most");
            return (Bottleneck::Rate, late);
        } else if server.is_some() {
            Bottleneck::Neither
        } else {
            Bottleneck::Unknown
        };
        (who, told)
    }

    /// Messages, deliveries or openings a second.
    pub fn each_second(&self) -> f64 {
        self.units() as f64 / self.elapsed.as_secs_f64().max(1e-9)
    }

    /// One JSON object.
    pub fn to_json(&self) -> Value {
        let (bottleneck, why) = self.bottleneck();
        let seconds = self.elapsed.as_secs_f64();
        let fan_out = |part: fn((u64, u64, u64)) -> u64| self.fan_out.map(part);
        json!({
            "scenario": self.scenario,
            "url": self.url,
            "drafts": self.drafts,
            "connections": self.connections,
            "payload": self.payload,
            "window": self.window,
            "rate": self.rate,
            "burst": fan_out(|f| f.0),
            "publishers": fan_out(|f| f.1),
            "subscribers": fan_out(|f| f.2),
            "seconds": seconds,
            "messages": self.messages,
            "deliveries": self.deliveries,
            "messages_per_second": self.messages as f64 / seconds.max(1e-9),
            "octets_sent": self.octets.0,
            "octets_received": self.octets.1,
            "latency_us": self.latency.to_json(),
            "lag_us": self.lag.to_json(),
            "server": self.server.map(|server| self.server_json(&server)),
            "load": {
                "threads": self.threads,
                "cpu_ns": self.load_cpu_ns,
                "cpu_ns_per_message": self.load_ns_each(),
                "busy": self.load_busy(),
            },
            "bottleneck": bottleneck.name(),
            "why": why,
            "headroom": self.headroom(),
            "refused": counted(&self.refused),
            "seconds_until_all": self.until_all.map(|d| d.as_secs_f64()),
            "decoded": self.decoded,
            "errors": counted(&self.errors),
            "interrupted": self.interrupted,
        })
    }

    fn server_json(&self, server: &Server) -> Value {
        let (before, after) = server.usage;
        json!({
            "pid": server.pid,
            "cpu_ns": server.cpu_ns(),
            "cpu_ns_per_message": self.server_ns_each(),
            "busy": self.server_busy(),
            "voluntary_switches": after.voluntary.saturating_sub(before.voluntary),
            "involuntary_switches": after.involuntary.saturating_sub(before.involuntary),
            "threads": after.threads,
            "rss_octets": {
                "before": before.rss,
                "after": after.rss,
                "per_connection": server.rss_per_connection,
            },
        })
    }

    /// For people.
    pub fn to_text(&self) -> String {
        let mut text = String::new();
        for (name, value) in self.rows() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{name:<14} {value}");
        }
        text
    }

    fn rows(&self) -> Vec<(&'static str, String)> {
        let mut rows = vec![(
            self.scenario,
            format!("{} in {}", self.url, self.drafts.join(", ")),
        )];
        let mut asked = format!("{} connections", self.connections);
        if let Some((burst, publishers, subscribers)) = self.fan_out {
            asked = format!("{publishers} publishing to {subscribers}, bursts of {burst}");
        }
        if self.payload > 0 {
            let _ = write!(asked, ", {} octets a message", self.payload);
        }
        if let Some(window) = self.window {
            let _ = write!(asked, ", {window} under way on each");
        }
        if let Some(rate) = self.rate {
            let _ = write!(asked, ", {rate} a second in all");
        }
        rows.push(("with", asked));
        let seconds = self.elapsed.as_secs_f64();
        let each = self.each_second();
        let units = self.units();
        rows.push((
            self.unit(),
            format!("{units} in {seconds:.3} s: {each:.0} a second"),
        ));
        if let Some(all) = self.until_all {
            rows.push(("all in", format!("after {:.3} s", all.as_secs_f64())));
        }
        let latency = &self.latency;
        if latency.count() > 0 {
            let [half, most, nearly, all] = [0.5, 0.99, 0.999, 1.0].map(|s| latency.within(s));
            rows.push((
                "latency",
                format!(
                    "50 % {half:.1} µs, 99 % {most:.1} µs, 99.9 % {nearly:.1} µs, all {all:.1} µs"
                ),
            ));
        }
        if let Some(server) = &self.server {
            let (before, after) = server.usage;
            let busy = self.server_busy().unwrap_or(0.0);
            let each = self.server_ns_each().unwrap_or(0.0);
            rows.push((
                "server",
                format!("{each:.0} ns on a processor for each, {busy:.2} processors busy"),
            ));
            let mut memory = format!(
                "{} KiB before, {} KiB after",
                before.rss >> 10,
                after.rss >> 10
            );
            if let Some(each) = server.rss_per_connection {
                let _ = write!(memory, ": {each:.0} octets a connection");
            }
            rows.push(("its memory", memory));
        }
        if let (Some(each), Some(busy)) = (self.load_ns_each(), self.load_busy()) {
            rows.push((
                "generator",
                format!(
                    "{each:.0} ns for each, {busy:.2} of its {} threads busy",
                    self.threads
                ),
            ));
        }
        let (bottleneck, why) = self.bottleneck();
        rows.push(("bottleneck", format!("{}: {why}", bottleneck.name())));
        for (what, count) in &self.refused {
            rows.push(("refused", format!("{count}: {what}")));
        }
        for (what, count) in &self.errors {
            rows.push(("error", format!("{count}: {what}")));
        }
        if self.interrupted {
            rows.push((
                "interrupted",
                "before its time: these figures are of what was done".into(),
            ));
        }
        rows
    }

    fn unit(&self) -> &'static str {
        match self.scenario {
            "echo" => "echoed",
            "fan-out" => "delivered",
            "idle" => "used",
            _ => "opened",
        }
    }
}

fn each(ns: u64, units: u64) -> Option<f64> {
    (units > 0).then(|| ns as f64 / units as f64)
}

fn counted(what: &BTreeMap<String, u64>) -> Value {
    json!({ "total": what.values().sum::<u64>(), "by": what })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(server_ns: u64, load_ns: u64, rate: Option<f64>) -> Report {
        let usage = |cpu_ns| Usage {
            cpu_ns,
            threads: 3,
            processors: 1,
            ..Usage::default()
        };
        Report {
            scenario: "echo",
            elapsed: Duration::from_secs(1),
            messages: 1000,
            rate,
            threads: 1,
            load_cpu_ns: Some(load_ns),
            server: Some(Server {
                pid: 1,
                usage: (usage(0), usage(server_ns)),
                rss_per_connection: None,
            }),
            ..Report::default()
        }
    }

    #[test]
    fn whoever_is_busy_is_the_bottleneck() {
        for (server, load, rate, wanted) in [
            (980_000_000, 500_000_000, None, Bottleneck::Server),
            (500_000_000, 980_000_000, None, Bottleneck::Load),
            (950_000_000, 980_000_000, Some(9.0), Bottleneck::Load),
            (500_000_000, 500_000_000, None, Bottleneck::Neither),
            (100_000_000, 100_000_000, Some(1000.0), Bottleneck::Rate),
        ] {
            let (who, why) = report(server, load, rate).bottleneck();
            assert_eq!(who, wanted, "{why}");
        }
        let mut without = report(0, 500_000_000, None);
        without.server = None;
        assert_eq!(without.bottleneck().0, Bottleneck::Unknown);
    }

    #[test]
    fn headroom_is_how_much_cheaper_the_generator_is() {
        let report = report(900_000_000, 450_000_000, None);
        assert_eq!(report.headroom(), Some(2.0));
        let json = report.to_json();
        assert_eq!(json["headroom"], 2.0);
        assert_eq!(json["server"]["cpu_ns_per_message"], 900_000.0);
        assert_eq!(json["latency_us"], Value::Null);
    }
}
