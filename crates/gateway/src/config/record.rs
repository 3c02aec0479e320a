//! Whether connections are recorded, where to, and how much of them.

use std::{path::PathBuf, time::Duration};

use draftgate_record::{Facts, Options, Secrets};

use super::{
    lists,
    reader::{Table, Wrong},
    shown::Shown,
    values::{OrUnlimited, Size},
};

/// Recording of every connection as an exchange in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The directory of the files; `None`: nothing is recorded.
    pub dir: Option<PathBuf>,
    /// Most octets of one connection, both directions together. 16 MiB: a
    /// message of the largest size that is taken by default.
    pub max_octets: u64,
    /// For how long one connection is recorded. An hour: longer ones say
    /// nothing new.
    pub max_time: Duration,
    /// How many connections are recorded since the start; `None`: all.
    pub max_exchanges: Option<u32>,
    /// Most octets that all recordings under way hold. 256 MiB: what a small
    /// server can spare.
    pub max_memory: u64,
    /// Most octets of all files since the start. 1 GiB: no disk is full by it.
    pub max_total: u64,
    /// Whether the values of `Cookie`, `Authorization` and the like stay in.
    pub keep_secrets: bool,
    /// More fields of heads, and parameters of URLs, that are taken out.
    pub redact: Vec<String>,
}

impl Default for Record {
    fn default() -> Self {
        Self {
            dir: None,
            max_octets: 16 << 20,
            max_time: Duration::from_secs(3600),
            max_exchanges: None,
            max_memory: 256 << 20,
            max_total: 1 << 30,
            keep_secrets: false,
            redact: Vec::new(),
        }
    }
}

impl Record {
    /// What a recorder is told; `None` if nothing is recorded.
    pub(crate) fn options(&self, tokens: &[String]) -> Option<Options> {
        const SOURCE: &str = concat!(
            "recorded by draftgate serve ",
            env!("CARGO_PKG_VERSION"),
            ", which was the server"
        );
        const SERVER: &str = concat!("draftgate ", env!("CARGO_PKG_VERSION"));
        let facts = Facts {
            server: Some(SERVER.to_owned()),
            ..Facts::new(SOURCE)
        };
        Some(Options {
            max_octets: self.max_octets,
            max_time: self.max_time,
            max_exchanges: self.max_exchanges.map(u64::from),
            max_memory: self.max_memory,
            max_disk: self.max_total,
            secrets: Secrets {
                keep: self.keep_secrets,
                more: [&self.redact[..], tokens].concat(),
            },
            ..Options::new(self.dir.as_ref()?, facts)
        })
    }
}

/// The table `record`.
pub(super) fn read(top: &mut Table<'_>) -> Record {
    let mut record = Record::default();
    let mut table = top.table("record", "record");
    record.dir = table.value::<String>("dir").map(PathBuf::from);
    for (key, size) in [
        ("max-octets", &mut record.max_octets),
        ("max-memory", &mut record.max_memory),
        ("max-total", &mut record.max_total),
    ] {
        table.set_as::<Size, _>(key, size);
    }
    table.set("max-time", &mut record.max_time);
    table.set_as::<OrUnlimited, _>("max-exchanges", &mut record.max_exchanges);
    table.set("keep-secrets", &mut record.keep_secrets);
    const WHAT: &str = "a list of names";
    table.unless_said("redact", Shown::nothing());
    if let Some(said) = table.said("redact") {
        let names = lists::each(&table, "redact", &said, WHAT, |item| {
            let name = item.value.as_str().filter(|name| !name.is_empty());
            let name = name.ok_or_else(|| Wrong::must_be(WHAT, item.value))?;
            Ok(name.to_owned())
        });
        record.redact = names.into_iter().map(|(name, _)| name).collect();
    }
    table.finish();
    record
}
