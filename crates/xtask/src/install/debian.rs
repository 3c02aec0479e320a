//! Debian's packages, by apt. Those that only compilers and interpreters need are
//! asked for where these are missing: many machines have their own.

use std::process::{Command, Stdio};

use super::compiled::{Netty, Shim};
use super::fetched::Python;
use super::{InstallError, is_root, on_path, run};

/// Debian's packages, always needed.
const DEBIAN: [&str; 27] = [
    "chromium",
    "curl",
    "dpkg-dev",
    "fakeroot",
    "fonts-dejavu-core",
    "haproxy",
    "libfontconfig1",
    "libfreetype6",
    "libnetty-java",
    "libnginx-mod-stream",
    "libprotocol-websocket-perl",
    "libssl-dev",
    "lintian",
    "nginx",
    "openssl",
    "pkg-config",
    "prometheus",
    "python3-jsonschema",
    "python3-pyqt5.qtwebkit",
    "ruby-em-websocket",
    "ruby-websocket",
    "squid",
    "systemd",
    "tcpdump",
    "tinyproxy-bin",
    "tshark",
    "websockify",
];

const APT_INSTALL: [&str; 4] = ["apt-get", "install", "--yes", "--no-install-recommends"];

/// What measuring draftgate next to other servers needs; libuv1 is the loop
/// of uWebSockets.
pub(super) const PEERS: [&str; 5] = ["haproxy", "libssl-dev", "libuv1", "openssl", "pkg-config"];

/// What the tests need on this machine.
pub(super) fn for_tests(python: &Python, shim: &Shim, netty: &Netty) -> Vec<&'static str> {
    let mut needed = DEBIAN.to_vec();
    needed.extend(interpreters(python, !shim.fresh()));
    if !on_path("java") || (!netty.fresh() && !on_path("javac")) {
        needed.push("default-jdk-headless");
    }
    needed
}

/// Node.js and Python, and where something is to be compiled a C compiler.
pub(super) fn interpreters(python: &Python, compiles: bool) -> Vec<&'static str> {
    let mut needed = Vec::new();
    if !(on_path("node") && on_path("npm")) {
        needed.extend(["nodejs", "npm"]);
    }
    if !python.fresh() && !python.can_make_venv() {
        needed.extend(["python3", "python3-venv"]);
    }
    if compiles && !on_path("cc") {
        needed.extend(["gcc", "libc6-dev"]);
    }
    needed
}

/// Installs those that are missing.
///
/// # Errors
/// They cannot be installed; the error names them and the command.
pub(super) fn install(needed: &[&'static str]) -> Result<(), InstallError> {
    // dpkg-query fails when it does not know one, but still lists the others.
    let known = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(needed)
        .stderr(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let missing = missing(needed, &known);
    if missing.is_empty() {
        return Ok(());
    }

    let cannot = |why| InstallError::Packages {
        packages: missing.join(", "),
        why,
        command: format!("{} {}", APT_INSTALL.join(" "), missing.join(" ")),
    };
    if !on_path("apt-get") {
        return Err(cannot("there is no apt-get on this machine"));
    }
    let sudo: &[&str] = match () {
        () if is_root() => &[],
        () if on_path("sudo") => &["sudo"],
        () => return Err(cannot("you are not root and there is no sudo")),
    };
    apt(sudo, &["apt-get", "--quiet", "update"], &[])
        .and_then(|()| apt(sudo, &APT_INSTALL, &missing))
        .map_err(|_| cannot("apt-get failed, see its output above"))
}

fn apt(sudo: &[&str], command: &[&str], packages: &[&str]) -> Result<(), InstallError> {
    let words = [
        sudo,
        &["env", "DEBIAN_FRONTEND=noninteractive"],
        command,
        packages,
    ]
    .concat();
    run(
        "Debian's packages",
        Command::new(words[0]).args(&words[1..]),
    )
}

/// Those of `needed` that dpkg-query does not list as installed.
fn missing<'a>(needed: &[&'a str], known: &str) -> Vec<&'a str> {
    let installed = |name: &str| {
        let line = format!("{name} installed");
        known.lines().any(|known| known == line)
    };
    needed
        .iter()
        .copied()
        .filter(|name| !installed(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_that_dpkg_does_not_call_installed_is_missing() {
        let known = "chromium installed\nruby config-files\n";
        assert_eq!(
            missing(&["chromium", "ruby", "perl"], known),
            ["ruby", "perl"]
        );
    }

    #[test]
    fn missing_packages_are_named_with_the_command_that_installs_them() {
        let error = InstallError::Packages {
            packages: "ruby, perl".into(),
            why: "you are not root and there is no sudo",
            command: format!("{} ruby perl", APT_INSTALL.join(" ")),
        };
        let said = error.to_string();
        assert!(
            said.contains("not installed: ruby, perl; you are not root"),
            "{said}"
        );
        assert!(
            said.contains("`sudo apt-get install --yes --no-install-recommends ruby perl`"),
            "{said}"
        );
    }
}
