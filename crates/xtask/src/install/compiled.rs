//! What is compiled here: the library that PhantomJS needs, the two programs
//! around Netty, and the one around uWebSockets. Once, and again when a source has changed.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::fetched::Python;
use super::{InstallError, Stamp, create_folder, run};

/// The library that hides OpenSSL from PhantomJS, compiled from a C file.
pub(super) struct Shim(Stamp);

impl Shim {
    pub(super) fn new(sources: &Path, foreign: &Path) -> Result<Self, InstallError> {
        let stamp = foreign.join("phantomjs/no-openssl.c");
        Ok(Self(Stamp::new(&sources.join("no-openssl.c"), stamp)?))
    }

    pub(super) fn fresh(&self) -> bool {
        self.0.fresh()
    }

    pub(super) fn install(&self) -> Result<(), InstallError> {
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
pub(super) struct Netty {
    folder: PathBuf,
    /// The Java files, and last the list of the archives that they need.
    stamps: [Stamp; 3],
}

impl Netty {
    pub(super) fn new(sources: &Path, foreign: &Path) -> Result<Self, InstallError> {
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

    pub(super) fn fresh(&self) -> bool {
        self.stamps.iter().all(Stamp::fresh)
    }

    pub(super) fn install(&self) -> Result<(), InstallError> {
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

/// The server around uWebSockets, compiled from a C file against the library that
/// the Python package socketify carries.
pub(super) struct Uws {
    folder: PathBuf,
    stamp: Stamp,
}

/// Where the library is in its package, and the package's file.
const UWS_ARCHIVE: &str = "socketify-0.0.31.tar.gz";
const UWS_FOLDER: &str = "socketify-0.0.31/src/socketify";
const UWS_LIBRARY: &str = "libsocketify_linux_amd64.so";

impl Uws {
    pub(super) fn new(sources: &Path, folder: &Path) -> Result<Self, InstallError> {
        Ok(Self {
            stamp: Stamp::new(&sources.join("uws.c"), folder.join("uws.c"))?,
            folder: folder.to_owned(),
        })
    }

    pub(super) fn fresh(&self) -> bool {
        self.stamp.fresh() && self.folder.join("uws").exists()
    }

    pub(super) fn install(&self, python: &Python) -> Result<(), InstallError> {
        if self.fresh() && python.fresh() {
            return Ok(());
        }
        if !python.fresh() {
            python.download(&self.folder)?;
        }
        let what = "uWebSockets out of PyPI's socketify";
        let member = format!("{UWS_FOLDER}/{UWS_LIBRARY}");
        let mut tar = Command::new("tar");
        tar.args(["-xzf", UWS_ARCHIVE, "--strip-components", "3", &member]);
        run(what, tar.current_dir(&self.folder))?;
        let mut cc = Command::new("cc");
        cc.args(["-O2", "-Wall", "-o", "uws"])
            .arg(&self.stamp.source);
        cc.args([UWS_LIBRARY, "-lpthread", "-Wl,-rpath,$ORIGIN"]);
        run(what, cc.current_dir(&self.folder))?;
        self.stamp.write()
    }
}
