//! Where and when: without it a figure means nothing.

use std::fmt;
use std::fs;

use serde::{Deserialize, Serialize};
use time::UtcDateTime;

/// The machine, and the day.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) struct Machine {
    pub(crate) processor: String,
    pub(crate) cores: usize,
    pub(crate) system: String,
    pub(crate) kernel: String,
    pub(crate) date: String,
}

impl Machine {
    /// This one, today.
    pub(crate) fn here() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let release = read("/etc/os-release");
        Self {
            processor: value(&read("/proc/cpuinfo"), "model name", ':'),
            cores,
            system: value(&release, "PRETTY_NAME", '='),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            date: UtcDateTime::now().date().to_string(),
        }
    }
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}, {} cores used of {}; {}, Linux {}; {}",
            self.processor,
            self.cores.min(2),
            self.cores,
            self.system,
            self.kernel,
            self.date
        )
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default()
}

/// The first value of that name in lines of `name separator value`.
fn value(text: &str, name: &str, separator: char) -> String {
    let mut pairs = text.lines().filter_map(|line| line.split_once(separator));
    let found = pairs.find(|(other, _)| other.trim() == name);
    found.map_or_else(
        || "unknown".to_owned(),
        |(_, value)| value.trim().trim_matches('"').to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_by_their_names() {
        let text = "processor\t: 0\nmodel name\t: A B @ 2.2: x\nmodel name\t: other\n";
        assert_eq!(value(text, "model name", ':'), "A B @ 2.2: x");
        assert_eq!(
            value("PRETTY_NAME=\"Debian 12\"\n", "PRETTY_NAME", '='),
            "Debian 12"
        );
        assert_eq!(value("", "model name", ':'), "unknown");
    }

    #[test]
    fn this_machine_has_a_core_and_a_date() {
        let here = Machine::here();
        assert!(here.cores > 0);
        assert_eq!(here.date.len(), "2026-11-21".len(), "{here}");
    }
}
