//! Where the foreign programs are and how they are called. `cargo xtask test`
//! installed them into `$DRAFTGATE_FOREIGN`, or into `foreign` in the target
//! folder; Debian's are where Debian puts them. The scripts beside this file
//! say themselves what they do.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A JavaScript beside this file, under Node.
pub(crate) fn node(script: &str) -> Command {
    let modules = installed(folder().join("node/node_modules"));
    let mut command = Command::new("node");
    command.env("NODE_PATH", modules).arg(beside(script));
    command
}

/// A Perl script beside this file. Debian's Perl, which finds Debian's modules.
pub(crate) fn perl(script: &str) -> Command {
    installed("/usr/share/perl5/Protocol/WebSocket.pm");
    let mut command = Command::new(installed("/usr/bin/perl"));
    command.arg(beside(script));
    command
}

/// A Ruby script beside this file. Debian's Ruby, which finds Debian's modules.
pub(crate) fn ruby(script: &str) -> Command {
    installed("/usr/lib/ruby/vendor_ruby/em-websocket.rb");
    installed("/usr/share/doc/ruby-websocket");
    let mut command = Command::new(installed("/usr/bin/ruby"));
    command.arg(beside(script));
    command
}

/// A Java class beside this file, compiled by `cargo xtask test`, with Debian's
/// Netty. Without the compiler for long runs, which these are not.
pub(crate) fn java(class: &str) -> Command {
    let folder = folder().join("netty");
    installed(folder.join(class).with_extension("class"));
    let mut path = folder.into_os_string();
    for jar in fs::read_to_string(beside("netty.classpath"))
        .unwrap()
        .lines()
    {
        installed(jar);
        path.push(":");
        path.push(jar);
    }
    let mut command = Command::new("java");
    command
        .args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp"])
        .arg(path)
        .arg(class);
    command
}

/// A Python script beside this file, in the environment of `requirements.txt`.
pub(crate) fn python(script: &str) -> Command {
    let mut command = Command::new(installed(folder().join("venv/bin/python")));
    command.arg(beside(script));
    command
}

/// A script beside this file, in PhantomJS 1.9.8.
pub(crate) fn phantomjs(script: &str) -> Command {
    phantomjs_of("phantomjs", script)
}

/// A script beside this file, in PhantomJS 2.1.1.
pub(crate) fn phantomjs_2(script: &str) -> Command {
    phantomjs_of("phantomjs-2", script)
}

fn phantomjs_of(program: &str, script: &str) -> Command {
    let home = folder().join("phantomjs");
    let mut command = Command::new(installed(home.join(program)));
    command
        .env("LD_PRELOAD", installed(home.join("no-openssl.so")))
        .arg(beside(script));
    command
}

/// A JavaScript beside this file that drives Debian's Chromium.
pub(crate) fn chromium(script: &str) -> Command {
    installed("/usr/bin/chromium");
    node(script)
}

/// A Python script beside this file that drives Debian's QtWebKit.
pub(crate) fn qtwebkit(script: &str) -> Command {
    installed("/usr/lib/python3/dist-packages/PyQt5/QtWebKitWidgets.abi3.so");
    // Debian's packages are for Debian's Python.
    let mut command = Command::new("/usr/bin/python3");
    command
        .env("QT_QPA_PLATFORM", "offscreen")
        .arg(beside(script));
    command
}

/// Debian's curl.
pub(crate) fn curl() -> Command {
    let mut curl = Command::new(installed("/usr/bin/curl"));
    // Whatever the machine goes through, this does not.
    curl.args(["--noproxy", "*"]);
    curl
}

/// Where programs and their screenshots are.
pub(crate) fn folder() -> PathBuf {
    if let Some(chosen) = env::var_os("DRAFTGATE_FOREIGN") {
        return Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../..")
            .join(chosen);
    }
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent();
    target.unwrap().join("foreign")
}

fn beside(script: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/foreign")
        .join(script)
}

pub(crate) fn installed(path: impl Into<PathBuf>) -> PathBuf {
    let path = path.into();
    assert!(
        path.exists(),
        "{} is not installed: run `cargo xtask test`, which installs what the tests need",
        path.display()
    );
    path
}
