//! `cargo xtask check-targets`: draftgate compiles for macOS and Windows, where every
//! command but `serve` is to work. Not a step of `cargo xtask test`, because not every
//! machine can have the targets' standard libraries; where one is missing this fails
//! and says how to get it. Nothing is linked and nothing run, so neither needs a
//! linker, and a C compiler is stood in for.

use crate::command::Command;
use crate::failure::Failure;

/// One for each system; the processor makes no difference to what is compiled.
const TARGETS: [&str; 2] = ["aarch64-apple-darwin", "x86_64-pc-windows-gnu"];

/// Compiles the binary, as far as that goes without linking, for each.
///
/// # Errors
/// A target is not installed, or does not compile.
pub(crate) fn check() -> Result<(), Failure> {
    let installed = Command::program("rustup")
        .args(["target", "list", "--installed"])
        .read_stdout()?;
    let missing = missing(&installed);
    if !missing.is_empty() {
        return Err(Failure::Targets(missing.join(" ")));
    }
    for target in TARGETS {
        // ring's build script compiles C and assembly, which a check never links.
        let variable = |tool: &str| format!("{tool}_{}", target.replace('-', "_"));
        Command::cargo("check")
            .args(["--package", "draftgate", "--locked", "--target", target])
            .env(&variable("CC"), "true")
            .env(&variable("AR"), "true")
            .env("SDKROOT", "/") // what Xcode would be asked for
            .run()?;
    }
    println!("draftgate compiles for {}", TARGETS.join(" and "));
    Ok(())
}

/// Those of [`TARGETS`] that `rustup target list --installed` does not list.
fn missing(installed: &str) -> Vec<&'static str> {
    let is_there = |target: &str| installed.lines().any(|line| line.trim() == target);
    TARGETS
        .into_iter()
        .filter(|target| !is_there(target))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_is_not_listed_is_missing() {
        let [mac, windows] = TARGETS;
        let listed = format!("{mac}\nx86_64-unknown-linux-gnu\n");
        assert_eq!(missing(&listed), [windows]);
        assert_eq!(missing(""), TARGETS);
    }
}
