//! Runs `draftgate load`, the generator that everybody has, and takes from its
//! result what is compared. The server's processor time is the generator's to
//! measure: it knows when its warm-up is over. It is held to one core, and where
//! it says that it, not the server, was the bottleneck, that is passed on.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Deserialize;

use crate::core::{self, Cores};
use crate::failure::Failure;

/// What is compared.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Metric {
    /// The server's processor time, in nanoseconds a message or opening.
    Cpu,
    /// The server's resident octets a connection.
    Memory,
    /// Microseconds from a publish to the last subscriber, the median.
    ToTheLast,
    /// Seconds until all connections of a storm are open.
    Storm,
}

/// One measurement.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Figure {
    pub(crate) value: f64,
    /// Whether the generator could not load the server fully.
    pub(crate) load_bound: bool,
    /// How many openings were refused.
    pub(crate) refused: u64,
}

/// The generator's exit code when openings were refused, and nothing else wrong.
const REFUSED: i32 = 77;

/// The generator.
#[derive(Clone, Debug)]
pub(crate) struct Load {
    pub(crate) program: PathBuf,
    pub(crate) cores: Cores,
}

impl Load {
    /// One measurement, with the arguments of `draftgate load`.
    ///
    /// # Errors
    /// The generator fails, or a message was lost or wrong.
    pub(crate) fn run(&self, args: &[String], metric: Metric) -> Result<Figure, Failure> {
        let mut command = Command::new(&self.program);
        command.arg("load").args(args).args(["--format", "json"]);
        let shown = format!("draftgate load {}", args.join(" "));
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let started = core::start(&mut command, self.cores.load);
        let output = started
            .and_then(std::process::Child::wait_with_output)
            .map_err(|source| Failure::Start {
                what: shown.clone(),
                source,
            })?;
        // A storm of which some were refused is a result, too, and its goal missed.
        let told = metric == Metric::Storm && output.status.code() == Some(REFUSED);
        if !output.status.success() && !told {
            return Err(Failure::Load {
                command: shown,
                status: output.status.to_string(),
                said: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            });
        }
        figure(&output.stdout, metric).map_err(|why| Failure::Result {
            command: shown,
            why,
        })
    }
}

fn figure(json: &[u8], metric: Metric) -> Result<Figure, String> {
    let result: Printed = serde_json::from_slice(json).map_err(|e| e.to_string())?;
    if result.errors.total > 0 {
        return Err(format!(
            "{} messages were lost or wrong",
            result.errors.total
        ));
    }
    let server = result.server.as_ref();
    let value = match metric {
        Metric::Cpu => server.and_then(|server| server.cpu_ns_per_message),
        Metric::Memory => server.and_then(|server| server.rss_octets.as_ref()?.per_connection),
        Metric::ToTheLast => result.latency_us.map(|latency| latency.p50),
        // Without some of them there is no time until all are in: it is that of the rest.
        Metric::Storm => result.seconds_until_all.or(result.seconds),
    };
    Ok(Figure {
        value: value.ok_or_else(|| format!("there is no {metric:?} in it"))?,
        load_bound: result.bottleneck == "load",
        refused: result.refused.map_or(0, |refused| refused.total),
    })
}

/// What the generator prints, as far as it is needed here.
#[derive(Debug, Deserialize)]
struct Printed {
    server: Option<Server>,
    latency_us: Option<Latency>,
    seconds_until_all: Option<f64>,
    seconds: Option<f64>,
    bottleneck: String,
    refused: Option<Total>,
    errors: Total,
}

#[derive(Debug, Deserialize)]
struct Server {
    cpu_ns_per_message: Option<f64>,
    rss_octets: Option<Memory>,
}

#[derive(Debug, Deserialize)]
struct Memory {
    per_connection: Option<f64>,
}

#[derive(Debug, Deserialize)]
struct Latency {
    p50: f64,
}

#[derive(Debug, Deserialize)]
struct Total {
    total: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRINTED: &str = r#"{"scenario": "echo", "server": {"pid": 1, "cpu_ns_per_message":
        512.5, "rss_octets": {"before": 1, "after": 2, "per_connection": null}}, "latency_us":
        {"p50": 30.0, "p99": 31.0}, "seconds_until_all": null, "bottleneck": "load",
        "refused": {"total": 3, "by": {}}, "errors": {"total": 0, "by": {}}}"#;

    #[test]
    fn what_is_compared_is_taken_from_the_result() {
        let expected = |value| Figure {
            value,
            load_bound: true,
            refused: 3,
        };
        assert_eq!(figure(PRINTED.as_bytes(), Metric::Cpu), Ok(expected(512.5)));
        let last = figure(PRINTED.as_bytes(), Metric::ToTheLast);
        assert_eq!(last, Ok(expected(30.0)));
    }

    #[test]
    fn a_storm_with_refusals_is_a_result() {
        let printed = PRINTED.replace("\"bottleneck\"", "\"seconds\": 4.5, \"bottleneck\"");
        let storm = figure(printed.as_bytes(), Metric::Storm).unwrap();
        assert_eq!((storm.value, storm.refused), (4.5, 3));
    }

    #[test]
    fn what_is_missing_and_what_was_lost_is_no_figure() {
        let missing = figure(PRINTED.as_bytes(), Metric::Memory).unwrap_err();
        assert!(missing.contains("Memory"), "{missing}");
        let lost = PRINTED.replace(r#""errors": {"total": 0"#, r#""errors": {"total": 2"#);
        let lost = figure(lost.as_bytes(), Metric::Cpu).unwrap_err();
        assert!(lost.contains("2 messages"), "{lost}");
    }
}
