//! The Debian package, laid out and described as debhelper would: `dpkg-deb` packs
//! it, `dpkg-shlibdeps` finds out which libraries the binary needs in which versions.
//! debhelper itself wants a source package and a network of tools around one binary
//! that cargo has built already.

use std::path::{Path, PathBuf};

use super::stage::{self, Staged, text};
use super::{SOURCES, Scene, VERSION};
use crate::command::Command;
use crate::failure::Failure;

/// Where completions belong, and under which name, by shell.
const COMPLETIONS: [(&str, &str); 3] = [
    ("bash", "usr/share/bash-completion/completions/draftgate"),
    ("fish", "usr/share/fish/vendor_completions.d/draftgate.fish"),
    ("zsh", "usr/share/zsh/vendor-completions/_draftgate"),
];

/// Files of `packaging/`, and where they belong.
const SYSTEM: [(&str, &str); 6] = [
    ("draftgate.toml", "etc/draftgate/draftgate.toml"),
    ("draftgate.service", "lib/systemd/system/draftgate.service"),
    ("draftgate.socket", "lib/systemd/system/draftgate.socket"),
    ("sysusers.conf", "usr/lib/sysusers.d/draftgate.conf"),
    ("debian/copyright", "usr/share/doc/draftgate/copyright"),
    (
        "debian/lintian-overrides",
        "usr/share/lintian/overrides/draftgate",
    ),
];

const SCRIPTS: [&str; 3] = ["postinst", "prerm", "postrm"];

const DOC: &str = "usr/share/doc/draftgate";
const MAN: &str = "usr/share/man/man1";

/// Whom to write to, unless `DEBFULLNAME` and `DEBEMAIL` say somebody else, as they
/// do for Debian's own tools.
const MAINTAINER: (&str, &str) = ("The draftgate maintainers", "draftgate@example.org");

/// Makes it; gives its name.
///
/// # Errors
/// A tool of dpkg is missing, or fails.
pub(super) fn make(scene: &Scene<'_>, staged: &Staged) -> Result<String, Failure> {
    let version = version(&changelog(scene)?)?;
    let root = scene.out.join(".deb");
    stage::remove(&root)?;
    lay_out(scene, staged, &root)?;
    let size = size(&root)?;
    let architecture = Command::program("dpkg")
        .arg("--print-architecture")
        .read_stdout()?;
    let architecture = architecture.trim();
    describe(
        scene,
        &root,
        &[
            ("@VERSION@", &version),
            ("@ARCHITECTURE@", architecture),
            ("@MAINTAINER@", &maintainer()),
            ("@SIZE@", &size),
            ("@DEPENDS@", &depends(scene, &root)?),
        ],
    )?;
    let name = format!("draftgate_{version}_{architecture}.deb");
    Command::program("dpkg-deb")
        .env("SOURCE_DATE_EPOCH", &scene.date)
        .args(["--root-owner-group", "--build", &text(&root)])
        .arg(&text(&scene.out.join(&name)))
        .run()?;
    stage::remove(&root)?;
    Ok(name)
}

/// Puts every file in its place.
fn lay_out(scene: &Scene<'_>, staged: &Staged, root: &Path) -> Result<(), Failure> {
    let binary = root.join("usr/bin/draftgate");
    stage::copy(&staged.binary(), &binary)?;
    stage::mode(&binary, 0o755)?;
    for (shell, place) in COMPLETIONS {
        stage::copy(&staged.completion(shell), &root.join(place))?;
    }
    for (file, place) in SYSTEM {
        stage::copy(&scene.root.join(SOURCES).join(file), &root.join(place))?;
    }
    stage::copy_all(&staged.man(), &root.join(MAN))?;
    let mut small = stage::entries(&root.join(MAN))?;

    let doc = root.join(DOC);
    stage::copy(&scene.root.join("README.md"), &doc.join("README.md"))?;
    stage::copy_all(&scene.root.join("docs"), &doc.join("docs"))?;
    let gzipped: [(PathBuf, &str); 3] = [
        (scene.root.join("CHANGELOG.md"), "changelog"),
        (
            scene.root.join(SOURCES).join("debian/changelog"),
            "changelog.Debian",
        ),
        (staged.third_party(), "THIRD-PARTY"),
    ];
    for (from, name) in gzipped {
        stage::copy(&from, &doc.join(name))?;
        small.push(doc.join(name));
    }
    let small: Vec<String> = small.iter().map(|path| text(path)).collect();
    Command::program("gzip")
        .args(["-9n"].into_iter().chain(small.iter().map(String::as_str)))
        .run()?;
    folders(root)
}

/// Every folder has mode 0755, whatever the umask.
fn folders(folder: &Path) -> Result<(), Failure> {
    stage::mode(folder, 0o755)?;
    for path in stage::entries(folder)? {
        if path.is_dir() {
            folders(&path)?;
        }
    }
    Ok(())
}

/// Writes `DEBIAN/`.
fn describe(scene: &Scene<'_>, root: &Path, values: &[(&str, &str)]) -> Result<(), Failure> {
    let sums = sums(root)?;
    let sources = scene.root.join(SOURCES).join("debian");
    let about = stage::folder(&root.join("DEBIAN"))?;
    let mut control = stage::read(&sources.join("control"))?;
    for (name, value) in values {
        control = control.replace(name, value);
    }
    stage::write(&about.join("control"), &control)?;
    stage::write(&about.join("md5sums"), &sums)?;
    stage::write(&about.join("conffiles"), "/etc/draftgate/draftgate.toml\n")?;
    for script in SCRIPTS {
        stage::copy(&sources.join(script), &about.join(script))?;
        stage::mode(&about.join(script), 0o755)?;
    }
    stage::mode(&about, 0o755)
}

/// What dpkg checks installed files by: all but conffiles.
fn sums(root: &Path) -> Result<String, Failure> {
    let files = files(root, root)?;
    let files = files.iter().map(String::as_str);
    Command::program("md5sum")
        .args(files.filter(|file| !file.starts_with("etc/")))
        .current_dir(root)
        .read_stdout()
}

/// Every file below `folder`, as seen from `root`.
fn files(folder: &Path, root: &Path) -> Result<Vec<String>, Failure> {
    let mut found = Vec::new();
    for path in stage::entries(folder)? {
        if path.is_dir() {
            found.extend(files(&path, root)?);
        } else {
            found.push(text(path.strip_prefix(root).unwrap_or(&path)));
        }
    }
    Ok(found)
}

/// What it takes when it is installed, in KiB.
fn size(root: &Path) -> Result<String, Failure> {
    let said = Command::program("du")
        .args(["--summarize", "--apparent-size", "--block-size=1024"])
        .arg(&text(root))
        .read_stdout()?;
    let size = said.split_whitespace().next().unwrap_or("0");
    Ok(size.to_owned())
}

/// The packages whose libraries the binary is linked with, and since which version
/// they have what it uses.
fn depends(scene: &Scene<'_>, root: &Path) -> Result<String, Failure> {
    // It looks for a source package's control file where it runs.
    let around = scene.out.join(".shlibdeps");
    stage::write(
        &around.join("debian/control"),
        "Source: draftgate\n\nPackage: draftgate\nArchitecture: any\n",
    )?;
    let said = Command::program("dpkg-shlibdeps")
        .args([
            "-O",
            &format!("-e{}", text(&root.join("usr/bin/draftgate"))),
        ])
        .current_dir(&around)
        .read_stdout();
    stage::remove(&around)?;
    let said = said?;
    let depends = said.trim().strip_prefix("shlibs:Depends=");
    depends.map(str::to_owned).ok_or_else(|| Failure::Source {
        path: "dpkg-shlibdeps".into(),
        what: format!("printed {said:?}, and not which packages the binary depends on"),
    })
}

fn maintainer() -> String {
    let said =
        |name: &str, default: &str| std::env::var(name).unwrap_or_else(|_| default.to_owned());
    let (name, address) = MAINTAINER;
    format!(
        "{} <{}>",
        said("DEBFULLNAME", name),
        said("DEBEMAIL", address)
    )
}

fn changelog(scene: &Scene<'_>) -> Result<String, Failure> {
    stage::read(&scene.root.join(SOURCES).join("debian/changelog"))
}

/// The package's version, of which all but the revision is the workspace's.
fn version(changelog: &str) -> Result<String, Failure> {
    let wrong = |what: String| Failure::Source {
        path: format!("{SOURCES}/debian/changelog"),
        what,
    };
    let version = changelog
        .strip_prefix("draftgate (")
        .and_then(|rest| rest.split_once(')'))
        .map(|(version, _)| version)
        .ok_or_else(|| wrong("its first line is not `draftgate (VERSION) …`".into()))?;
    match version.rsplit_once('-') {
        Some((VERSION, _)) => Ok(version.to_owned()),
        _ => Err(wrong(format!(
            "its last entry is {version}, not a revision of {VERSION}: add one"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_packages_version_is_a_revision_of_the_workspaces() {
        let first = |version: &str| super::version(&format!("draftgate ({version}) unstable;"));
        let revised = format!("{VERSION}-2");
        assert_eq!(first(&revised).unwrap(), revised);
        let old = first("0.0.1-1").unwrap_err().to_string();
        assert!(old.contains("not a revision of"), "{old}");
        assert!(first(VERSION).is_err());
        assert!(version("something else").is_err());
    }
}
