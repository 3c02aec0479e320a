//! What a process has used: its time on a processor in nanoseconds, which the
//! system keeps for all of its threads, those that have ended among them, and
//! its memory. Load on the machine changes neither, so they are what is compared.

use crate::LoadError;

/// What a process has used since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    /// Time on a processor, in nanoseconds.
    pub cpu_ns: u64,
    /// Resident memory in octets.
    pub rss: u64,
    /// How often one of its threads had to wait.
    pub voluntary: u64,
    /// How often one of its threads was made to wait.
    pub involuntary: u64,
    /// Its threads.
    pub threads: u64,
    /// The processors it may run on.
    pub processors: u64,
}

/// What this process has used of processors, in nanoseconds, where it can be told.
pub(crate) fn own_cpu_ns() -> Option<u64> {
    imp::own_cpu_ns()
}

impl Usage {
    /// Of the process `pid`.
    ///
    /// # Errors
    /// It is not there, or not ours to look at.
    pub fn of(pid: u32) -> Result<Self, LoadError> {
        imp::usage(pid).map_err(|why| LoadError::Process { pid, why })
    }
}

#[cfg(target_os = "linux")]
mod imp {
    use std::fs;

    use nix::{
        time::{ClockId, clock_getcpuclockid},
        unistd::Pid,
    };

    use super::Usage;

    pub(super) fn own_cpu_ns() -> Option<u64> {
        nanoseconds(ClockId::CLOCK_PROCESS_CPUTIME_ID).ok()
    }

    fn nanoseconds(clock: ClockId) -> Result<u64, String> {
        let now = clock.now().map_err(|error| error.to_string())?;
        Ok(now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
    }

    pub(super) fn usage(pid: u32) -> Result<Usage, String> {
        let number = i32::try_from(pid).map_err(|error| error.to_string())?;
        let clock = clock_getcpuclockid(Pid::from_raw(number));
        let cpu_ns = nanoseconds(clock.map_err(|error| error.to_string())?)?;
        let read = |name: &str| {
            let path = format!("/proc/{pid}/{name}");
            fs::read_to_string(&path).map_err(|error| format!("{path}: {error}"))
        };
        let status = read("status")?;
        // The first adds up what the second only estimates, but not everybody may read it.
        let exact = read("smaps_rollup").ok();
        let exact = exact.as_deref().and_then(|text| number_of(text, "Rss:"));
        let rss = exact.or_else(|| number_of(&status, "VmRSS:"));
        let mut usage = Usage {
            cpu_ns,
            rss: rss.ok_or("its memory is not said")? << 10,
            processors: processors(&status),
            ..Usage::default()
        };
        let tasks = fs::read_dir(format!("/proc/{pid}/task")).map_err(|error| error.to_string())?;
        for task in tasks.flatten() {
            // It may have ended since.
            let Ok(status) = fs::read_to_string(task.path().join("status")) else {
                continue;
            };
            let of = |name| number_of(&status, name).unwrap_or(0);
            usage.threads += 1;
            usage.voluntary += of("voluntary_ctxt_switches:");
            usage.involuntary += of("nonvoluntary_ctxt_switches:");
        }
        Ok(usage)
    }

    /// The number behind `name` at the beginning of a line.
    fn number_of(text: &str, name: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse().ok()
    }

    /// Of a list like `0-3,6`.
    fn processors(status: &str) -> u64 {
        let list = status
            .lines()
            .find_map(|line| line.strip_prefix("Cpus_allowed_list:"));
        let runs = list.unwrap_or_default().trim().split(',');
        let count = |run: &str| {
            let (first, last) = run.split_once('-').unwrap_or((run, run));
            let first: u64 = first.parse().ok()?;
            Some(last.parse::<u64>().ok()?.checked_sub(first)? + 1)
        };
        runs.filter_map(count).sum::<u64>().max(1)
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn what_this_process_uses_only_grows() {
            let before = usage(std::process::id()).unwrap();
            let mut memory = vec![1_u8; 16 << 20];
            memory
                .iter_mut()
                .for_each(|octet| *octet = octet.wrapping_mul(3));
            let after = usage(std::process::id()).unwrap();
            assert!(after.cpu_ns > before.cpu_ns, "{before:?}, {after:?}");
            assert!(after.rss > 16 << 20, "{after:?}, {}", memory[7]);
            assert!(after.threads >= 1 && after.processors >= 1, "{after:?}");
        }

        #[test]
        fn processors_are_counted_in_runs() {
            for (list, count) in [("0", 1), ("0-3,6", 5), ("2-2", 1), ("", 1)] {
                let status = format!("Name:\tx\nCpus_allowed_list:\t{list}\n");
                assert_eq!(processors(&status), count, "{list}");
            }
        }

        #[test]
        fn a_process_that_is_not_there_is_named() {
            let error = Usage::of(0x7fff_fff0).unwrap_err().to_string();
            assert!(error.contains("2147483632"), "{error}");
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use super::Usage;

    pub(super) fn own_cpu_ns() -> Option<u64> {
        None
    }

    pub(super) fn usage(_: u32) -> Result<Usage, String> {
        Err("that can be read on Linux alone".into())
    }
}
