//! Which processor core a child runs on: the server on one, whoever loads it on
//! another, so that neither takes the other's time. A child inherits the mask of
//! the thread that starts it, so that is what is changed, for as long as it takes
//! to start one: no `taskset` is needed, and no thread of the child escapes.

use std::io;
use std::process::{Child, Command};

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use crate::failure::Failure;

/// The two cores that are used; one and the same on a machine with one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Cores {
    /// The server's.
    pub(crate) server: usize,
    /// The load generator's.
    pub(crate) load: usize,
}

impl Cores {
    /// The first two that this process may use.
    ///
    /// # Errors
    /// The system does not say.
    pub(crate) fn allowed() -> Result<Self, Failure> {
        let all = sched_getaffinity(None).map_err(|e| Failure::Core(e.into()))?;
        let mut cores = (0..CpuSet::MAX_CPU).filter(|core| all.is_set(*core));
        let server = cores.next().unwrap_or(0);
        Ok(Self {
            server,
            load: cores.next().unwrap_or(server),
        })
    }
}

/// Starts `command` on that core alone.
///
/// # Errors
/// It does not start.
pub(crate) fn start(command: &mut Command, core: usize) -> io::Result<Child> {
    let before = sched_getaffinity(None)?;
    let mut one = CpuSet::new();
    one.set(core);
    sched_setaffinity(None, &one)?;
    let child = command.spawn();
    sched_setaffinity(None, &before)?;
    child
}

#[cfg(test)]
mod tests {
    use std::process::Stdio;

    use super::*;

    #[test]
    fn a_child_runs_on_the_core_that_it_is_given_and_we_on_all_as_before() {
        let before = sched_getaffinity(None).unwrap();
        let cores = Cores::allowed().unwrap();
        for core in [cores.server, cores.load] {
            let mut grep = Command::new("grep");
            grep.args(["^Cpus_allowed_list:", "/proc/self/status"]);
            let child = start(grep.stdout(Stdio::piped()), core).unwrap();
            let output = child.wait_with_output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            assert_eq!(said.trim_end(), format!("Cpus_allowed_list:\t{core}"));
        }
        assert_eq!(sched_getaffinity(None).unwrap(), before);
    }
}
