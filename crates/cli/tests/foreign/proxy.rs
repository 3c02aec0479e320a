//! Debian's HAProxy and nginx with the recipes of docs/operating.md: the fenced
//! block behind a recipe's mark, as it stands there but for addresses, ports
//! and paths. Debian's tinyproxy and squid, proxies for clients; and its
//! websockify.

use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::{fs, process};

use crate::child::Child;
use crate::programs::installed;

/// A proxy that runs.
pub(crate) struct Proxy {
    _child: Child,
    /// Where it listens.
    pub(crate) address: String,
    config: Option<PathBuf>,
}

impl Proxy {
    /// HAProxy with `recipe`, in which `changes` were made.
    pub(crate) fn haproxy(recipe: &str, changes: &[(&str, &str)]) -> Self {
        let mut command = Command::new(installed("/usr/sbin/haproxy"));
        command.arg("-db");
        Self::run("haproxy", command, "-f", recipe, changes)
    }

    /// nginx, as one process that stays in the foreground.
    pub(crate) fn nginx(recipe: &str, changes: &[(&str, &str)]) -> Self {
        installed("/usr/lib/nginx/modules/ngx_stream_module.so");
        let mut command = Command::new(installed("/usr/sbin/nginx"));
        let folder = env!("CARGO_TARGET_TMPDIR");
        let pid = Path::new(folder).join(format!("{}.pid", unique("nginx")));
        let globals = format!("daemon off; master_process off; pid {};", pid.display());
        command.args(["-e", "stderr", "-g", &globals]);
        Self::run("nginx", command, "-c", recipe, changes)
    }

    /// nginx with a configuration of a test's own, in which `LISTEN` stands for
    /// its address.
    pub(crate) fn nginx_with(text: &str) -> Self {
        let mut command = Command::new(installed("/usr/sbin/nginx"));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let pid = folder.join(format!("{}.pid", unique("nginx")));
        let globals = format!("daemon off; master_process off; pid {};", pid.display());
        command.args(["-e", "stderr", "-g", &globals]);
        let address = free_address();
        let text = text.replace("LISTEN", &address);
        Self::start("nginx", command, "-c", address, &text)
    }

    /// tinyproxy, for who says `user`, which is a name, a space and a password,
    /// or for everybody.
    pub(crate) fn tinyproxy(user: Option<&str>) -> Self {
        let address = free_address();
        let (host, port) = address.rsplit_once(':').unwrap();
        let user = user.map(|user| format!("BasicAuth {user}\n"));
        let user = user.unwrap_or_default();
        let text = format!("Listen {host}\nPort {port}\n{user}");
        let mut command = Command::new(installed("/usr/bin/tinyproxy"));
        command.arg("-d");
        Self::start("tinyproxy", command, "-c", address, &text)
    }

    /// squid, as one process that keeps nothing, for who says `user`, likewise.
    pub(crate) fn squid(user: Option<&str>) -> Self {
        let address = free_address();
        let mut text = format!(
            "http_port {address}\npid_filename none\npinger_enable off\ncache deny all\n\
            access_log none\ncache_log stdio:/dev/stderr\ncoredump_dir none\n\
            shutdown_lifetime 0 seconds\n"
        );
        text += &match user {
            // It asks a program, line by line; sed answers without a file, which
            // squid's own user might not be let read.
            Some(user) => format!(
                "auth_param basic program /bin/sed -u s/^{}$/OK/;t;s/.*/ERR/\n\
                auth_param basic children 1\nacl known proxy_auth REQUIRED\n\
                http_access allow known\nhttp_access deny all\n",
                user.replace(' ', ".")
            ),
            None => "http_access allow all\n".to_owned(),
        };
        let mut command = Command::new(installed("/usr/sbin/squid"));
        command.arg("-N");
        Self::start("squid", command, "-f", address, &text)
    }

    /// websockify in front of the TCP server at `target`.
    pub(crate) fn websockify(target: &str) -> Self {
        let address = free_address();
        let mut command = Command::new(installed("/usr/bin/websockify"));
        command.args([&address, target]);
        Self::started("websockify", command, address, None)
    }

    fn run(
        name: &str,
        command: Command,
        flag: &str,
        recipe: &str,
        changes: &[(&str, &str)],
    ) -> Self {
        let address = free_address();
        let mut text = block(recipe);
        let port = ["0.0.0.0:443", "0.0.0.0:80"]
            .into_iter()
            .find(|written| text.contains(written));
        let listens = (port.expect("a recipe listens"), &*address);
        for (written, ours) in [&listens].into_iter().chain(changes) {
            assert!(text.contains(written), "{recipe} has no `{written}`");
            text = text.replace(written, ours);
        }
        Self::start(name, command, flag, address, &text)
    }

    /// Starts `command` with the configuration `text`, by which it listens at
    /// `address`.
    fn start(name: &str, mut command: Command, flag: &str, address: String, text: &str) -> Self {
        let file = format!("{}.cfg", unique(name));
        let config = Path::new(env!("CARGO_TARGET_TMPDIR")).join(file);
        fs::write(&config, text).unwrap();
        command.arg(flag).arg(&config);
        Self::started(name, command, address, Some(config))
    }

    /// Starts `command`, by which something listens at `address`.
    fn started(name: &str, mut command: Command, address: String, config: Option<PathBuf>) -> Self {
        let mut child = Child::start(name, &mut command);
        listens(&mut child, &address);
        Self {
            _child: child,
            address,
            config,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(config) = &self.config {
            let _ = fs::remove_file(config);
        }
    }
}

/// Waits until `child` listens at `address`.
pub(crate) fn listens(child: &mut Child, address: &str) {
    child.until("it listens", || TcpStream::connect(address).map(drop));
}

/// The block of docs/operating.md behind the mark of `recipe`.
pub(crate) fn block(recipe: &str) -> String {
    block_of("operating.md", recipe)
}

/// The block of a document behind the mark of `recipe`.
pub(crate) fn block_of(document: &str, recipe: &str) -> String {
    let document = fs::read_to_string(documents().join(document)).unwrap();
    let mark = format!("<!-- recipe: {recipe} -->\n");
    let behind = document.split_once(&mark);
    let (_, behind) = behind.unwrap_or_else(|| panic!("there is no mark {mark}"));
    let fence = behind.strip_prefix("```").expect("a block behind its mark");
    let (_, text) = fence.split_once('\n').unwrap();
    let (text, _) = text.split_once("\n```").unwrap();
    format!("{text}\n")
}

/// Where the documents are.
pub(crate) fn documents() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

/// A certificate for `localhost` with its key, in one file.
pub(crate) fn certificate() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let name = unique("localhost");
    let [key, certificate, both] =
        ["key", "crt", "pem"].map(|kind| folder.join(format!("{name}.{kind}")));
    let made = Command::new(installed("/usr/bin/openssl"))
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args(["-subj", "/CN=localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    let text = [fs::read(&certificate).unwrap(), fs::read(&key).unwrap()].concat();
    fs::write(&both, text).unwrap();
    both
}

fn unique(name: &str) -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Relaxed);
    format!("{name}-{}-{number}", process::id())
}

/// An address that nobody else takes until the proxy has it: of all loopback
/// addresses one that only this process and this call would think of.
pub(crate) fn free_address() -> String {
    static NUMBER: AtomicU32 = AtomicU32::new(1);
    let number = NUMBER.fetch_add(1, Relaxed);
    let [.., high, low] = process::id().to_be_bytes();
    let address = format!("127.{}.{high}.{low}", 100 + number % 100);
    let listener = TcpListener::bind((address.as_str(), 0)).unwrap();
    listener.local_addr().unwrap().to_string()
}
