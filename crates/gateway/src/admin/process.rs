//! What the system says of this process, read from `/proc`; what it does not
//! say is left out, as on other systems.

use std::{
    fs,
    sync::OnceLock,
    time::{SystemTime, UNIX_EPOCH},
};

/// The process at one moment.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Process {
    /// Seconds of processors.
    pub(super) cpu: Option<f64>,
    pub(super) open_files: Option<u64>,
    pub(super) most_files: Option<u64>,
    /// Octets.
    pub(super) memory: Option<u64>,
    /// Seconds since 1970.
    pub(super) started: f64,
}

impl Process {
    pub(super) fn now() -> Self {
        Self {
            cpu: cpu(),
            // The listing itself is one.
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|files| files.count().saturating_sub(1) as u64),
            #[cfg(unix)]
            most_files: rlimit::Resource::NOFILE.get_soft().ok(),
            #[cfg(not(unix))]
            most_files: None,
            memory: memory(),
            started: started()
                .duration_since(UNIX_EPOCH)
                .unwrap_or_default()
                .as_secs_f64(),
        }
    }
}

/// When the gateway began, which is when this is first asked.
pub(crate) fn started() -> SystemTime {
    static STARTED: OnceLock<SystemTime> = OnceLock::new();
    *STARTED.get_or_init(SystemTime::now)
}

/// The time of processors, in the ticks that Linux tells programs: 100 a second
/// on every architecture.
fn cpu() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // Behind the program's name, which may hold anything.
    let fields = stat.rsplit_once(')')?.1;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some((user + system) as f64 / 100.0)
}

fn memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|it| it.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn linux_says_everything() {
        let now = Process::now();
        assert!(now.cpu.is_some_and(|seconds| seconds < 1e6), "{now:?}");
        assert!(now.open_files.is_some_and(|count| count >= 3), "{now:?}");
        assert!(now.most_files >= now.open_files, "{now:?}");
        assert!(now.memory.is_some_and(|octets| octets > 1 << 20), "{now:?}");
        assert!(now.started > 1.7e9, "{now:?}");
    }
}
