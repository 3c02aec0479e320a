//! The packages that `cargo xtask dist` makes, here of the binary under test: what
//! is packed is not optimised, but packed and described by the same code. Judged by
//! the tools that judge Debian's own packages (lintian, dpkg in a root of its own,
//! systemd-analyze), and by running what was unpacked with the configuration file
//! that was unpacked beside it.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::{env, fs, process};

use crate::gateway::{Gateway, clean};
use crate::programs::installed;
use crate::proxy::{block, documents};
use crate::upgrade;

/// The most that `systemd-analyze security` may find, in tenths: 10 is a service
/// that may do nothing, 100 one that may do everything. What is left is the network,
/// ports below 1024, and users to belong to files.
const EXPOSURE: &str = "--threshold=18";

/// Packages of one test, removed when it has passed.
struct Packages {
    folder: PathBuf,
}

impl Packages {
    /// Makes those of `kind` and unpacks nothing.
    fn made(kind: &str) -> Self {
        let name = format!("packages-{kind}-{}", process::id());
        let packages = Self {
            folder: Path::new(env!("CARGO_TARGET_TMPDIR")).join(name),
        };
        packages.make(kind);
        packages
    }

    fn make(&self, kind: &str) {
        // The very command of docs/packaging.md, but for what it packs. The
        // package's compression is not what is tested, and takes long.
        let mut dist = Command::new(env!("CARGO"));
        // What cargo says to tests would have build scripts run again.
        for (name, _) in env::vars_os() {
            let text = name.to_string_lossy();
            if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
                dist.env_remove(name);
            }
        }
        dist.args(["xtask", "dist", "--only", kind, "--binary"])
            .args([env!("CARGO_BIN_EXE_draftgate"), "--out"])
            .arg(&self.folder)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
            .env("DPKG_DEB_COMPRESSOR_TYPE", "gzip")
            .env("DPKG_DEB_COMPRESSOR_LEVEL", "1");
        succeeds(&mut dist);
    }

    /// The one package, whose name ends so.
    fn file(&self, ending: &str) -> PathBuf {
        let mut found = entries(&self.folder);
        found.retain(|path| path.to_string_lossy().ends_with(ending));
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }

    /// A folder beside the packages, made.
    fn beside(&self, name: &str) -> PathBuf {
        let folder = self.folder.join(name);
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn remove(self) {
        fs::remove_dir_all(self.folder).unwrap();
    }
}

#[test]
fn foreign_the_debian_package_installs_runs_and_is_clean() {
    let packages = Packages::made("deb");
    let package = packages.file(".deb");
    adds_up(&packages.folder);
    let first = fs::read(&package).unwrap();
    packages.make("deb");
    assert!(
        first == fs::read(&package).unwrap(),
        "the same binary made another package"
    );

    is_clean(&package);
    let tree = packages.beside("tree");
    succeeds(
        Command::new(installed("/usr/bin/dpkg-deb"))
            .arg("-x")
            .args([&package, &tree]),
    );
    holds_what_the_document_lists(&package, &tree);
    depends_on_what_it_is_linked_with(&package, &tree);
    its_binary_serves_with_its_conffile(&tree);
    its_units_are_sound(&tree, &packages.beside("units"));
    bash_completes(&tree.join("usr/share/bash-completion/completions/draftgate"));
    is_installed_kept_removed_and_purged(&package, &packages.beside("root"));
    upgrade::refuses_nobody_where_it_can(&package, &packages.beside("upgrades"));
    packages.remove();
}

#[test]
fn foreign_the_tarball_runs_where_it_is_unpacked() {
    let packages = Packages::made("tarball");
    adds_up(&packages.folder);
    let tree = packages.beside("tree");
    let tarball = packages.file(".tar.gz");
    succeeds(
        Command::new("tar")
            .arg("-xzf")
            .arg(tarball)
            .arg("-C")
            .arg(&tree),
    );
    let [folder] = <[PathBuf; 1]>::try_from(entries(&tree)).unwrap();
    for file in [
        "README.md",
        "LICENSE",
        "CHANGELOG.md",
        "THIRD-PARTY",
        "docs/operating.md",
        "man/draftgate-serve.1",
        "completions/fish",
        "system/draftgate.service",
        "system/sysusers.conf",
    ] {
        let length = fs::metadata(folder.join(file)).map(|it| it.len());
        assert!(length.is_ok_and(|length| length > 0), "{file}");
    }
    let third_party = fs::read_to_string(folder.join("THIRD-PARTY")).unwrap();
    assert!(third_party.contains("\ntokio "), "{third_party}");
    let config = folder.join("system/draftgate.toml");
    serves(&folder.join("draftgate"), &config);
    packages.remove();
}

/// `SHA256SUMS` is of what lies beside it.
fn adds_up(folder: &Path) {
    let mut sum = Command::new("sha256sum");
    succeeds(
        sum.args(["--check", "--strict", "SHA256SUMS"])
            .current_dir(folder),
    );
}

/// lintian has nothing to say but what is overridden with a reason.
fn is_clean(package: &Path) {
    let mut lintian = Command::new(installed("/usr/bin/lintian"));
    lintian.args([
        "--allow-root",
        "--fail-on",
        "error,warning",
        "--no-tag-display-limit",
    ]);
    let said = succeeds(lintian.arg(package));
    assert_eq!(said, "", "lintian");
}

/// docs/packaging.md calls the package by its name, and its files by theirs.
fn holds_what_the_document_lists(package: &Path, tree: &Path) {
    let document = fs::read_to_string(documents().join("packaging.md")).unwrap();
    let name = package.file_name().unwrap().to_str().unwrap();
    assert!(
        document.contains(&format!("./target/packages/{name}\n")),
        "{name}"
    );
    let (_, table) = document.split_once("<!-- package -->").unwrap();
    let (table, _) = table.split_once("<!-- /package -->").unwrap();
    let files: Vec<&str> = table
        .lines()
        .filter_map(|line| line.strip_prefix("| `/")?.split('`').next())
        .collect();
    assert!(files.len() > 5, "{files:?}");
    for file in files {
        assert!(tree.join(file).is_file(), "/{file} is not in the package");
    }
}

/// The block of docs/packaging.md behind this mark.
fn marked(name: &str) -> String {
    let document = fs::read_to_string(documents().join("packaging.md")).unwrap();
    let (_, behind) = document
        .split_once(&format!("<!-- {name} -->\n```ini\n"))
        .unwrap();
    let (text, _) = behind.split_once("```").unwrap();
    text.to_owned()
}

/// `Depends` is made from the binary, so it names the C library and, where TLS for
/// old clients is built in, OpenSSL.
fn depends_on_what_it_is_linked_with(package: &Path, tree: &Path) {
    let mut field = Command::new("dpkg-deb");
    let depends = succeeds(field.arg("--field").arg(package).arg("Depends"));
    assert!(depends.starts_with("libc6 (>= "), "{depends}");
    assert!(depends.contains("sysusers"), "{depends}");
    let mut readelf = Command::new("readelf");
    let linked = succeeds(readelf.arg("--dynamic").arg(tree.join("usr/bin/draftgate")));
    for (library, package) in [("libssl.so.3", "libssl3"), ("libgcc_s.so.1", "libgcc-s1")] {
        let needs = linked.contains(&format!("[{library}]"));
        assert_eq!(depends.contains(package), needs, "{package}: {depends}");
    }
}

fn its_binary_serves_with_its_conffile(tree: &Path) {
    let binary = tree.join("usr/bin/draftgate");
    let config = tree.join("etc/draftgate/draftgate.toml");
    let mut check = clean(Command::new(&binary));
    let said = succeeds(check.arg("check").arg("--config").arg(&config));
    // Whoever installs it has opened nothing to others.
    assert!(said.contains("127.0.0.1:8080"), "{said}");
    assert!(!said.contains("0.0.0.0"), "{said}");
    serves(&binary, &config);
}

/// `binary` serves with `config`, but on ports that are free, and is a client.
fn serves(binary: &Path, config: &Path) {
    let mut serve = clean(Command::new(binary));
    serve.arg("serve").arg("--config").arg(config);
    serve.env("DRAFTGATE_ADMIN__ADDRESS", "127.0.0.1:0");
    let state = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let state = state.join(format!("census-{}.json", process::id()));
    serve.env("DRAFTGATE_CENSUS__FILE", &state);
    let mut gateway = Gateway::started(serve);
    for draft in draftgate_drafts::announced() {
        let mut connect = clean(Command::new(binary));
        connect.args([
            "connect",
            "--draft",
            draft.name(),
            "-x",
            "Hello",
            "--count",
            "1",
        ]);
        let heard = succeeds(connect.arg(gateway.url("/echo")));
        assert_eq!(heard, "Hello\n", "{draft}");
    }
    // As the walk of docs/operating.md tries it.
    let command = block("walk command installed").replace("127.0.0.1:8080", gateway.host());
    let (command, heard) = command.split_once('\n').unwrap();
    let words = command.strip_prefix("$ draftgate ").unwrap();
    let mut connect = clean(Command::new(binary));
    assert_eq!(succeeds(connect.args(words.split(' '))), heard);
    gateway.terminate();
    gateway.end_well();
    fs::remove_file(state).unwrap();
}

/// systemd understands every line of the units, finds what they name, and says that
/// the service may do little.
fn its_units_are_sound(tree: &Path, units: &Path) {
    let place = tree.join("lib/systemd/system");
    let written = fs::read_to_string(place.join("draftgate.service")).unwrap();
    // Here the program lies elsewhere, and its pages do.
    let program = "/usr/bin/draftgate";
    assert!(
        written.contains(&format!("ExecStart={program} ")),
        "{written}"
    );
    let unpacked = format!("{}{program}", tree.display());
    let service = units.join("draftgate.service");
    fs::write(&service, written.replace(program, &unpacked)).unwrap();
    let socket = units.join("draftgate.socket");
    fs::copy(place.join("draftgate.socket"), &socket).unwrap();
    for name in ["drop-in", "socket"] {
        // What the document adds to them, where it says that it belongs.
        let text = marked(name);
        let place = text.lines().next().unwrap().strip_prefix("# ").unwrap();
        let place = place.strip_prefix("/etc/systemd/system/").unwrap();
        let path = units.join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    let analyze = || Command::new(installed("/usr/bin/systemd-analyze"));
    let mut verify = analyze();
    let pages = tree.join("usr/share/man");
    verify.env("MANPATH", format!("{}:", pages.display()));
    let said = output(verify.arg("verify").args([&service, &socket]));
    // A key that it does not know is no failure, but said.
    let errors = String::from_utf8_lossy(&said.stderr);
    assert!(said.status.success() && errors.is_empty(), "{errors}");

    let mut security = analyze();
    security.args(["security", "--offline=true", "--no-pager", EXPOSURE]);
    succeeds(security.arg(&service));
}

/// bash finishes what was begun.
fn bash_completes(script: &Path) {
    let typed = "source \"$1\"; COMP_WORDS=(draftgate conn); COMP_CWORD=1; \
                 _draftgate draftgate conn draftgate; echo \"${COMPREPLY[@]}\"";
    let mut bash = Command::new("bash");
    let said = succeeds(bash.args(["-c", typed, "bash"]).arg(script));
    assert_eq!(said, "connect\n");
}

/// dpkg installs it into a root of its own, enables the service, keeps an edited
/// configuration through another installation and the removal, and forgets it all
/// when it is purged.
fn is_installed_kept_removed_and_purged(package: &Path, root: &Path) {
    let database = root.join("var/lib/dpkg");
    for folder in ["info", "updates", "triggers"] {
        fs::create_dir_all(database.join(folder)).unwrap();
    }
    fs::write(database.join("status"), "").unwrap();
    let dpkg = |verb: &str, what: &Path| {
        let mut dpkg = Command::new(installed("/usr/bin/fakeroot"));
        dpkg.args(["dpkg", "--force-script-chrootless", "--force-depends"]);
        dpkg.args(["--force-confold", "--log=/dev/null"]);
        dpkg.arg(format!("--root={}", root.display()));
        succeeds(dpkg.arg(verb).arg(what));
    };
    let config = root.join("etc/draftgate/draftgate.toml");
    let wanted = root.join("etc/systemd/system/multi-user.target.wants/draftgate.service");
    let sockets = root.join("etc/systemd/system/sockets.target.wants");

    dpkg("--install", package);
    let users = fs::read_to_string(root.join("etc/passwd")).unwrap();
    assert!(users.contains("draftgate:"), "{users}");
    assert!(
        wanted.symlink_metadata().is_ok(),
        "the service is not enabled"
    );
    assert!(!sockets.exists(), "the socket is enabled");

    let edited = fs::read_to_string(&config).unwrap() + "# edited\n";
    fs::write(&config, &edited).unwrap();
    let state = root.join("var/lib/draftgate");
    fs::create_dir_all(&state).unwrap();
    let name = Path::new("draftgate");
    dpkg("--install", package);
    assert_eq!(fs::read_to_string(&config).unwrap(), edited);
    dpkg("--remove", name);
    assert!(!root.join("usr/bin/draftgate").exists());
    assert_eq!(fs::read_to_string(&config).unwrap(), edited);
    assert!(state.exists(), "removing it removed what it had kept");
    dpkg("--purge", name);
    for left in [&config, &wanted, &state] {
        assert!(left.symlink_metadata().is_err(), "{}", left.display());
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn output(command: &mut Command) -> Output {
    let name = command.get_program().to_owned();
    let output = command.output();
    output.unwrap_or_else(|error| panic!("{} does not start: {error}", name.display()))
}

/// Runs `command`, which must succeed; what it printed.
pub(crate) fn succeeds(command: &mut Command) -> String {
    let ended = output(command);
    let printed = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success(),
        "{command:?} ended with {}:\n{printed}{}",
        ended.status,
        String::from_utf8_lossy(&ended.stderr)
    );
    printed.into_owned()
}
