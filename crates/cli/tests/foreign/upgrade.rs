//! What the Debian package's scripts do under a service manager: the first
//! installation starts the service, an upgrade has the old process hand over to the
//! new program, and restarts it only where that cannot do. The scripts are those of
//! the package; the service and what they call of systemd are small stand-ins,
//! because the tests have no service manager.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::child::Child;
use crate::package::succeeds;

/// Everything of systemd that the scripts call, by the name it is called by, and
/// `sleep`, which waits for the service and not for time.
const STAND_INS: &str = r#"#!/bin/sh
case "${0##*/} $1" in
    "systemctl show") cat main ;;
    "deb-systemd-invoke "*) echo "$@" >> invoked ;;
    "sleep "*) [ -e keeps ] || until [ "$(cat main)" = 2 ]; do /bin/sleep 0.02; done ;;
esac
"#;

/// The service, which tells when it is there: `main` holds its number, and 2 once it
/// has handed over.
const SERVICE: &str = "
trap '[ -e keeps ] || { echo 2 > new; mv new main; }; : > signalled' USR2
echo $$ > new; mv new main; echo there
while :; do /bin/sleep 0.02; done";

const UNIT: &str = "lib/systemd/system/draftgate.service";

/// A machine with the scripts, in a folder of its own.
struct Machine {
    folder: PathBuf,
    /// Ended with it.
    service: Option<Child>,
}

impl Machine {
    fn with(package: &Path, folder: PathBuf) -> Self {
        fs::create_dir_all(&folder).unwrap();
        let scripts = folder.join("scripts");
        let mut control = Command::new("dpkg-deb");
        succeeds(control.arg("--control").args([package, &scripts]));
        for name in ["prerm", "postinst"] {
            let script = fs::read_to_string(scripts.join(name)).unwrap();
            let here = |place: &str| format!(" {}{place}", folder.display());
            let mut moved = script.replace("=/", &format!("={}/", folder.display()));
            for place in ["/run/", "/lib/systemd/"] {
                moved = moved.replace(&format!(" {place}"), &here(place));
            }
            fs::write(folder.join(name), moved).unwrap();
        }
        for place in ["bin", "run/systemd/system", "lib/systemd/system"] {
            fs::create_dir_all(folder.join(place)).unwrap();
        }
        for name in [
            "systemctl",
            "systemd-sysusers",
            "deb-systemd-helper",
            "deb-systemd-invoke",
            "sleep",
        ] {
            executable(&folder.join("bin").join(name), STAND_INS);
        }
        fs::write(folder.join(UNIT), "as it was").unwrap();
        fs::write(folder.join("main"), "0\n").unwrap();
        Self {
            folder,
            service: None,
        }
    }

    fn serves(&mut self) {
        let mut service = Command::new("sh");
        service.args(["-c", SERVICE]).current_dir(&self.folder);
        let mut service = Child::start("the service", &mut service);
        assert_eq!(service.line(), "there");
        let number = format!("{}\n", service.id());
        self.service = Some(service);
        assert_eq!(self.read("main"), number);
    }

    /// Runs one of the scripts as dpkg does; what it complained about.
    fn runs(&self, script: &str, arguments: [&str; 2]) -> String {
        let mut shell = Command::new("sh");
        shell.arg(script).args(arguments).current_dir(&self.folder);
        // Without /usr/sbin, where some machine forbids all restarts.
        let path = format!("{}:/usr/bin:/bin", self.folder.join("bin").display());
        let ended = shell.env("PATH", path).env_remove("DPKG_ROOT").output();
        let ended = ended.unwrap();
        let said = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(ended.status.success(), "{script}: {said}");
        said
    }

    /// An upgrade that brings `unit`; what it complained about, and had done.
    fn upgraded(&self, unit: &str) -> (String, String) {
        let said = self.runs("prerm", ["upgrade", "2"]);
        fs::write(self.folder.join(UNIT), unit).unwrap();
        let said = said + &self.runs("postinst", ["configure", "1"]);
        let left = self.folder.join("run/draftgate.unit-before");
        assert!(!left.exists(), "it leaves a file behind");
        (said, self.read("invoked"))
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.join(name)).unwrap_or_default()
    }
}

/// Installs and upgrades `package` on machines below `folder`.
pub(crate) fn refuses_nobody_where_it_can(package: &Path, folder: &Path) {
    let machine = |name: &str| Machine::with(package, folder.join(name));
    let nothing = || (String::new(), String::new());
    let restarted = || (String::new(), "restart draftgate.service\n".to_owned());

    let first = machine("first");
    assert_eq!(first.runs("postinst", ["configure", ""]), "");
    assert_eq!(first.read("invoked"), "start draftgate.service\n");

    let mut same = machine("same");
    same.serves();
    assert_eq!(same.upgraded("as it was"), nothing());
    assert_eq!(same.read("main"), "2\n", "it has not handed over");

    // The new program would have what the old unit allows.
    let mut changed = machine("changed");
    changed.serves();
    assert_eq!(changed.upgraded("another"), restarted());
    assert!(!changed.folder.join("signalled").exists());

    let stopped = machine("stopped");
    assert_eq!(stopped.upgraded("as it was"), restarted());

    // The new program fails: the old one goes on, and is not ended by a restart.
    let mut keeps = machine("keeps");
    fs::write(keeps.folder.join("keeps"), "").unwrap();
    keeps.serves();
    let (said, invoked) = keeps.upgraded("as it was");
    assert!(said.contains("the old one serves on"), "{said}");
    assert_eq!(invoked, "");

    let mut forbidden = machine("forbidden");
    let policy = forbidden.folder.join("bin/policy-rc.d");
    executable(&policy, "#!/bin/sh\nexit 101\n");
    forbidden.serves();
    assert_eq!(forbidden.upgraded("as it was"), nothing());
    assert!(!forbidden.folder.join("signalled").exists());
}

fn executable(path: &Path, text: &str) {
    fs::write(path, text).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o755)).unwrap();
}
