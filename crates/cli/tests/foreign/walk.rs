//! The walk from nothing to a hardened service, with which docs/operating.md begins:
//! its files as they stand there, but for addresses and folders, under draftgate,
//! Debian's HAProxy and Debian's Prometheus; and its commands, but for those that
//! need a machine to install on. A reload is the signal that the service's unit
//! sends.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process, thread};

use crate::child::Child;
use crate::gateway::clean;
use crate::package::succeeds;
use crate::programs::installed;
use crate::prometheus::Prometheus;
use crate::proxy::{block, documents, free_address, listens};

/// The commands of the walk that only a machine with a service manager has.
const OF_THE_MACHINE: [&str; 4] = [
    "sudo apt ",
    "sudo systemctl reload haproxy",
    "sudo systemctl reload prometheus",
    "journalctl ",
];

/// The command that applies a configuration, which is a signal.
const RELOAD: &str = "sudo systemctl reload draftgate";

/// Everything that runs, and where.
struct Machine {
    folder: PathBuf,
    /// What stands in the document, and what stands in its place here.
    changes: Vec<(&'static str, String)>,
    gateway: Child,
    /// Where the gateway listens in the clear.
    inner: String,
    prometheus: Prometheus,
    _haproxy: Child,
}

impl Machine {
    fn built() -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let folder = folder.join(format!("walk-{}", process::id()));
        fs::create_dir_all(folder.join("etc/draftgate")).unwrap();
        let [inner, inner_tls, admin, plain, secure] = [(); 5].map(|()| free_address());
        make_certificate(&folder, secure.rsplit_once(':').unwrap().0);
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        let changes = vec![
            ("127.0.0.1:8081", inner.clone()),
            ("127.0.0.1:8444", inner_tls),
            ("127.0.0.1:8079", admin),
            ("0.0.0.0:80", plain.clone()),
            ("0.0.0.0:443", secure.clone()),
            ("//push.example.com/", format!("//{plain}/")),
            ("push.example.com:443", secure),
            ("/etc/draftgate", text(folder.join("etc/draftgate"))),
            ("/var/lib/draftgate", text(folder.join("etc"))),
            ("/etc/haproxy", text(folder.join("etc"))),
            ("/etc/prometheus", text(folder.join("etc"))),
            ("/usr/share/doc/draftgate/docs", text(documents())),
            // As few files as any machine has.
            ("maxconn 25000", "maxconn 100".to_owned()),
            ("_interval: 15s", "_interval: 1s".to_owned()),
            // Who may be is known to the machine alone.
            (" -g draftgate ", " ".to_owned()),
        ];
        let machine = |text: &str| changed(&changes, text);

        runs(&folder, &machine(&block("walk command certificate")));
        let config = folder.join("etc/draftgate/draftgate.toml");
        fs::write(&config, machine(&block("walk draftgate"))).unwrap();
        let gateway = started(&config, &inner);

        let file = folder.join("etc/haproxy.cfg");
        let mut text = machine(&block("walk haproxy"));
        if fs::metadata("/proc/self").unwrap().uid() != 0 {
            // Only root may become somebody else.
            for line in ["chroot /var/lib/haproxy", "user haproxy", "group haproxy"] {
                text = text.replace(&format!("    {line}\n"), "");
            }
        }
        fs::write(&file, text).unwrap();
        let mut haproxy = Command::new(installed("/usr/sbin/haproxy"));
        let mut haproxy = Child::start("haproxy", haproxy.arg("-db").arg("-f").arg(&file));
        listens(&mut haproxy, &plain);

        let file = folder.join("etc/prometheus.yml");
        fs::write(&file, machine(&block("walk prometheus"))).unwrap();
        let prometheus = Prometheus::start(&file, &folder.join("tsdb"));
        Self {
            folder,
            changes,
            gateway,
            inner,
            prometheus,
            _haproxy: haproxy,
        }
    }

    fn config(&self) -> PathBuf {
        self.folder.join("etc/draftgate/draftgate.toml")
    }

    /// Runs the block of commands behind this mark; what they printed.
    fn walks(&self, name: &str) -> String {
        let mut printed = String::new();
        for line in block(&format!("walk command {name}")).lines() {
            let command = line.strip_prefix("$ ").expect("a command");
            if command == RELOAD {
                self.gateway.signal("HUP");
            } else if !OF_THE_MACHINE.iter().any(|its| command.starts_with(its)) {
                printed += &runs(&self.folder, &changed(&self.changes, command));
            }
        }
        printed
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn foreign_the_walk_leads_to_a_service_for_old_and_new_that_is_watched() {
    let mut machine = Machine::built();
    machine.walks("apply");
    machine.walks("haproxy");

    let tried = machine.walks("try");
    assert_eq!(tried.matches("Hello\n").count(), 3, "{tried}");
    assert!(tried.contains("Protocol version: TLSv1\n"), "{tried}");

    let said = machine.walks("prometheus");
    assert!(said.contains("SUCCESS"), "{said}");
    for known in [
        "up{job=\"draftgate\"} == 1",
        "draftgate_ready == 1",
        "draftgate_handshakes_total{draft=\"hixie-76\",result=\"accepted\"} == 2",
        "draftgate_tls_handshakes_total{version=\"1.0\",library=\"openssl\"} == 1",
        "draftgate_tls_handshakes_total{version=\"1.3\",library=\"rustls\"} == 2",
        "draftgate_tls_certificate_not_after_seconds - time() > 86400",
        "draftgate_max_connections > draftgate_tcp_connections",
    ] {
        machine.prometheus.knows(known);
    }

    // New connections get what was added; a wrong file changes nothing.
    let config = machine.config();
    let text = fs::read_to_string(&config).unwrap();
    let added = "\n[[routes]]\npath = \"/added\"\nservice = \"echo\"\n";
    fs::write(&config, format!("{text}{added}")).unwrap();
    machine.walks("change");
    machine
        .prometheus
        .knows("draftgate_config_reloads_total{result=\"ok\"} == 2");
    let connect = "draftgate connect -x Hello --count 1 wss://push.example.com/added";
    let connect = changed(&machine.changes, connect);
    assert!(runs(&machine.folder, &connect).ends_with("Hello\n"));
    fs::write(&config, format!("{text}nonsense")).unwrap();
    machine.gateway.signal("HUP");
    machine
        .prometheus
        .knows("draftgate_config_last_reload_successful == 0");
    machine
        .prometheus
        .knows("ALERTS{alertname=\"DraftgateReloadFailed\"}");
    assert!(runs(&machine.folder, &connect).ends_with("Hello\n"));

    // Who comes while it restarts waits in HAProxy.
    fs::write(&config, &text).unwrap();
    machine.gateway.terminate();
    machine.gateway.forget_stdout();
    machine.gateway.end_well();
    let echo = connect.replace("/added", "/echo");
    thread::scope(|scope| {
        let waits = scope.spawn(|| runs(&machine.folder, &echo));
        machine.prometheus.knows("up{job=\"draftgate\"} == 0");
        let again = started(&config, &machine.inner);
        assert!(waits.join().unwrap().ends_with("Hello\n"));
        drop(again);
    });
    machine
        .prometheus
        .knows("ALERTS{alertname=\"DraftgateDown\"}");
}

/// `text` as it is for this machine. What a URL has for TLS is another address.
fn changed(changes: &[(&'static str, String)], text: &str) -> String {
    let secure = changes
        .iter()
        .find(|(written, _)| *written == "0.0.0.0:443");
    let secure = format!("wss://{}/", secure.unwrap().1);
    let text = text.replace("wss://push.example.com/", &secure);
    changes
        .iter()
        .fold(text, |text, (written, ours)| text.replace(written, ours))
}

/// Runs shell commands in `folder`, each of which must succeed; what they printed.
/// Its draftgate is ours, trusts the certificate of the walk, and knows its file.
fn runs(folder: &Path, commands: &str) -> String {
    let connect = format!(
        "draftgate connect --cacert {}",
        folder.join("chain.pem").display()
    );
    let commands: Vec<String> = commands
        .lines()
        .map(|line| line.strip_prefix("$ ").unwrap_or(line))
        .map(|line| line.strip_prefix("sudo ").unwrap_or(line))
        .map(|line| line.strip_prefix("-u draftgate ").unwrap_or(line))
        .map(|line| line.replace("draftgate connect", &connect))
        .collect();
    let mut shell = clean(Command::new("bash"));
    let program = Path::new(env!("CARGO_BIN_EXE_draftgate"));
    let path = env::var("PATH").unwrap();
    let path = format!("{}:/usr/sbin:{path}", program.parent().unwrap().display());
    shell.env("PATH", path).current_dir(folder);
    shell.env(
        "DRAFTGATE_CONFIG",
        folder.join("etc/draftgate/draftgate.toml"),
    );
    shell.env("no_proxy", "*");
    let commands = format!("set -e\nexec 2>&1\n{}", commands.join("\n"));
    succeeds(shell.args(["-c", &commands]))
}

/// The gateway with `config`, once it listens at `address`.
fn started(config: &Path, address: &str) -> Child {
    let mut serve = clean(Command::new(env!("CARGO_BIN_EXE_draftgate")));
    serve.arg("serve").arg("--config").arg(config);
    let mut gateway = Child::start("draftgate serve", &mut serve);
    listens(&mut gateway, address);
    gateway
}

/// `chain.pem` and `key.pem` in `folder`, for the address `ip`.
fn make_certificate(folder: &Path, ip: &str) {
    let mut openssl = Command::new(installed("/usr/bin/openssl"));
    openssl.args([
        "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30",
    ]);
    openssl.args(["-subj", "/CN=push.example.com", "-addext"]);
    openssl.arg(format!("subjectAltName=IP:{ip}"));
    openssl.args(["-addext", "basicConstraints=critical,CA:FALSE"]);
    openssl.args(["-keyout", "key.pem", "-out", "chain.pem"]);
    succeeds(openssl.current_dir(folder));
}
