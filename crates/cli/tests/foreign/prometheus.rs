//! Debian's Prometheus with a configuration, asked until it knows something. It
//! looks once a second itself and tells nobody what it saw, so it has to be asked.

use std::net::TcpStream;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::child::Child;
use crate::package::succeeds;
use crate::programs::{curl, installed};
use crate::proxy::free_address;

/// A Prometheus that runs.
pub(crate) struct Prometheus {
    child: Child,
    address: String,
}

impl Prometheus {
    /// With the file `config`, its data in `folder`, once it listens.
    pub(crate) fn start(config: &Path, folder: &Path) -> Self {
        let address = free_address();
        let mut command = Command::new(installed("/usr/bin/prometheus"));
        command
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--storage.tsdb.path={}", folder.display()))
            .arg(format!("--web.listen-address={address}"));
        let mut child = Child::start("prometheus", &mut command);
        child.until("it listens", || TcpStream::connect(&address).map(drop));
        Self { child, address }
    }

    /// Waits until it answers `expression` with something.
    pub(crate) fn knows(&mut self, expression: &str) {
        let query = format!("query={expression}");
        let url = format!("http://{}/api/v1/query", self.address);
        self.child.until(&format!("it knows {expression}"), || {
            let mut asked = curl();
            asked.args(["--silent", "--get", "--data-urlencode", &query, &url]);
            let text = succeeds(&mut asked);
            // It listens before it is ready, and says so in plain text.
            let Ok(answer) = serde_json::from_str::<Value>(&text) else {
                return Err(text);
            };
            assert_eq!(answer["status"], "success", "{answer}");
            match answer["data"]["result"].as_array() {
                Some(them) if !them.is_empty() => Ok(()),
                _ => Err(text),
            }
        });
    }

    /// Ends it.
    pub(crate) fn end(mut self) {
        self.child.terminate();
        self.child.end();
    }
}
