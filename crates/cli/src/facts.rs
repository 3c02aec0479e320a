//! What whoever records or imports says about the exchanges that come of it,
//! and what must not stand in them: the same flags for both verbs.

use draftgate_core::Draft;
use draftgate_record::{Facts, Secrets};

use crate::args::any_draft;

/// What is known besides the octets.
#[derive(Debug, clap::Args)]
pub(crate) struct Known {
    /// Leave secrets in; files are for their owner alone then
    #[arg(long)]
    pub(crate) keep_secrets: bool,
    /// Take the values of this field of a head, or parameter of a URL, out as well; may be repeated
    #[arg(long, value_name = "NAME", conflicts_with = "keep_secrets")]
    redact: Vec<String>,
    // Spoken here or not: it is only written down.
    /// What is spoken, where a request does not say
    #[arg(long, value_name = "DRAFT", value_parser = any_draft)]
    pub(crate) draft: Option<Draft>,
    /// What the client is called; by default as its User-Agent says
    #[arg(long, value_name = "NAME")]
    client: Option<String>,
    /// What the server is called; by default as its Server says
    #[arg(long, value_name = "NAME")]
    server: Option<String>,
    /// What the exchanges show: `text`, `close` …
    #[arg(long, value_name = "WORD")]
    scenario: Option<String>,
    /// What is worth knowing about the exchanges
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
}

impl Known {
    /// The same for each exchange, which was had as `source` says.
    pub(crate) fn facts(&self, source: &str) -> Facts {
        Facts {
            draft: self.draft,
            scenario: self.scenario.clone(),
            client: self.client.clone(),
            server: self.server.clone(),
            note: self.note.clone(),
            ..Facts::new(source)
        }
    }

    /// What is taken out.
    pub(crate) fn secrets(&self) -> Secrets {
        Secrets {
            keep: self.keep_secrets,
            more: self.redact.clone(),
        }
    }
}
