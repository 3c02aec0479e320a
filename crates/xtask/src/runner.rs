//! The tests, by `cargo nextest` where it is installed and by `cargo test` where
//! it is not: the same tests either way. The runner's output goes to the terminal
//! as it comes; its summary is kept to be repeated at the end, where whoever reads
//! only the last lines finds it.

use crate::command::{Command, Printed};
use crate::failure::Failure;
use crate::step::{Closing, Context};

/// Tests that talk to an installed foreign program have names that begin so.
/// They are what `--quick` leaves out.
pub(crate) const FOREIGN: &str = "foreign_";
/// The same for nextest: the last part of a test's path.
const FOREIGN_FILTER: &str = "test(/(^|::)foreign_/)";

/// nextest stops a test that hangs; `cargo test` has nothing like it.
const NEXTEST_CONFIG: &str = "crates/xtask/nextest.toml";

/// What runs the tests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Runner {
    Nextest,
    CargoTest,
}

impl Runner {
    /// nextest, if cargo knows it.
    pub(crate) fn installed() -> Self {
        if Command::cargo("nextest").arg("--version").works() {
            Self::Nextest
        } else {
            println!("cargo nextest is not installed: `cargo test` runs the same tests");
            Self::CargoTest
        }
    }

    fn run(self, context: &Context<'_>) -> Command {
        const WHAT: [&str; 4] = ["--workspace", "--all-targets", "--locked", "--no-fail-fast"];
        let features = || context.features().iter().copied();
        match (self, context.quick) {
            (Self::Nextest, false) => nextest("run").args(WHAT).args(features()),
            (Self::Nextest, true) => nextest("run")
                .args(["--profile", "quick"])
                .args(WHAT)
                .args(["-E", &format!("not {FOREIGN_FILTER}")]),
            (Self::CargoTest, false) => Command::cargo("test").args(WHAT).args(features()),
            (Self::CargoTest, true) => Command::cargo("test")
                .args(WHAT)
                .args(["--", "--skip", FOREIGN]),
        }
    }

    /// Lists the tests that `run(true)` leaves out.
    fn list_foreign(self) -> Command {
        const WHAT: [&str; 3] = ["--workspace", "--all-targets", "--locked"];
        match self {
            Self::Nextest => nextest("list").args(WHAT).args([
                "--message-format",
                "oneline",
                "-E",
                FOREIGN_FILTER,
            ]),
            Self::CargoTest => Command::cargo("test")
                .args(WHAT)
                .args(["--quiet", "--", "--list", FOREIGN]),
        }
    }

    fn listed(self, text: &str) -> Vec<String> {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        match self {
            Self::Nextest => lines.map(str::to_owned).collect(),
            Self::CargoTest => lines
                .filter_map(|line| Some(line.strip_suffix(": test")?.to_owned()))
                .collect(),
        }
    }

    /// The runner's own words about the whole run, and which tests failed.
    fn summary(self, printed: &Printed) -> Vec<String> {
        match self {
            Self::Nextest => {
                let lines = &printed.stderr;
                let start = lines
                    .iter()
                    .rposition(|line| line.trim_start().starts_with("Summary ["));
                let from = start.map_or(&[][..], |start| &lines[start..]);
                from.iter()
                    .filter(|line| !line.is_empty())
                    .cloned()
                    .collect()
            }
            Self::CargoTest => {
                // One line per test program; most have no test for a given run.
                let results = printed.stdout.iter();
                results
                    .filter(|line| {
                        line.starts_with("test result:")
                            && !line.starts_with("test result: ok. 0 passed")
                    })
                    .cloned()
                    .collect()
            }
        }
    }
}

fn nextest(subcommand: &str) -> Command {
    Command::cargo("nextest").args([subcommand, "--config-file", NEXTEST_CONFIG])
}

/// Runs all tests but the documentation's.
///
/// # Errors
/// When one fails, or there are none.
pub(crate) fn tests(
    runner: Runner,
    context: &Context<'_>,
    closing: &mut Closing,
) -> Result<(), Failure> {
    let result = run_with_summary(runner, runner.run(context), &mut closing.tests);
    if context.quick && !closing.tests.is_empty() {
        let listed = runner.list_foreign().read_stdout()?;
        closing.left_out = Some(runner.listed(&listed));
    }
    result
}

/// Runs the examples in the documentation, which nextest does not.
///
/// # Errors
/// When one fails, or there are none.
pub(crate) fn doc_tests(context: &Context<'_>, summary: &mut Vec<String>) -> Result<(), Failure> {
    let command = Command::cargo("test")
        .args(["--workspace", "--doc", "--locked", "--no-fail-fast"])
        .args(context.features().iter().copied());
    run_with_summary(Runner::CargoTest, command, summary)
}

fn run_with_summary(
    runner: Runner,
    command: Command,
    summary: &mut Vec<String>,
) -> Result<(), Failure> {
    let shown = command.to_string();
    let (printed, result) = command.run_teed()?;
    *summary = runner.summary(&printed);
    result?;
    if summary.is_empty() {
        return Err(Failure::NoTests { command: shown });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(stdout: &str, stderr: &str) -> Printed {
        let lines = |text: &str| text.lines().map(str::to_owned).collect();
        Printed {
            stdout: lines(stdout),
            stderr: lines(stderr),
        }
    }

    #[test]
    fn nextest_summary_is_its_last_lines() {
        let run = printed(
            "",
            "    PASS [ 0.004s] a b\n------\n     Summary [   0.005s] 2 tests run: 1 passed, 1 failed, 0 skipped\n        FAIL [   0.004s] a c\n\nerror: test run failed\n",
        );
        assert_eq!(
            Runner::Nextest.summary(&run),
            [
                "     Summary [   0.005s] 2 tests run: 1 passed, 1 failed, 0 skipped",
                "        FAIL [   0.004s] a c",
                "error: test run failed",
            ]
        );
    }

    #[test]
    fn cargo_test_summary_is_each_result_but_empty_ones() {
        let run = printed(
            "running 0 tests\ntest result: ok. 0 passed; 0 failed; 0 ignored\ntest result: ok. 12 passed; 0 failed\ntest result: FAILED. 0 passed; 1 failed\n",
            "",
        );
        assert_eq!(
            Runner::CargoTest.summary(&run),
            [
                "test result: ok. 12 passed; 0 failed",
                "test result: FAILED. 0 passed; 1 failed",
            ]
        );
    }

    fn context(quick: bool) -> Context<'static> {
        let root = std::path::Path::new("");
        Context { root, quick }
    }

    #[test]
    fn quick_leaves_the_same_tests_out_with_either_runner() {
        let nextest = Runner::Nextest.run(&context(true)).to_string();
        assert!(
            nextest.ends_with("-E 'not test(/(^|::)foreign_/)'"),
            "{nextest}"
        );
        let cargo = Runner::CargoTest.run(&context(true)).to_string();
        assert!(cargo.ends_with("-- --skip foreign_"), "{cargo}");
        for runner in [Runner::Nextest, Runner::CargoTest] {
            let whole = runner.run(&context(false)).to_string();
            assert!(!whole.contains(FOREIGN), "{whole}");
            assert!(whole.contains("--workspace --all-targets"), "{whole}");
            assert!(whole.contains("--features draftgate/legacy-tls"), "{whole}");
        }
    }

    #[test]
    fn the_names_of_tests_left_out_are_read() {
        let cargo = "\nforeign_a: test\nsuite::foreign_b: test\n\n2 tests, 0 benchmarks\n";
        assert_eq!(
            Runner::CargoTest.listed(cargo),
            ["foreign_a", "suite::foreign_b"]
        );
        let nextest = "draftgate-gateway::foreign foreign_a\n";
        assert_eq!(
            Runner::Nextest.listed(nextest),
            ["draftgate-gateway::foreign foreign_a"]
        );
    }
}
