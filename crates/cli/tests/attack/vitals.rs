//! What the system says of a process: its memory, its open files, its threads.

use std::fs;

/// A process at one moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Vitals {
    /// Octets resident now.
    pub(crate) resident: u64,
    /// The most octets that were ever resident.
    pub(crate) peak: u64,
    pub(crate) files: usize,
    pub(crate) threads: u64,
}

impl Vitals {
    pub(crate) fn of(pid: u32) -> Self {
        let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let number = |name: &str| -> u64 {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            let mut words = line.unwrap().trim_start_matches(':').split_whitespace();
            words.next().unwrap().parse().unwrap()
        };
        Self {
            resident: number("VmRSS") << 10,
            peak: number("VmHWM") << 10,
            files: files(pid),
            threads: number("Threads"),
        }
    }
}

/// How many files the process has open.
pub(crate) fn files(pid: u32) -> usize {
    fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count()
}
