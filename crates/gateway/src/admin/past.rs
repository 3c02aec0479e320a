//! The last refused handshakes, with the heads that they came with: what an
//! operator looks at when somebody says that "it does not connect".
//!
//! Bounded in number and each in octets. While no operator can look, nothing
//! is kept, and a refusal costs what it cost before.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::SystemTime,
};

use draftgate_core::Draft;

use super::heads::Heads;
use crate::{
    access::shown,
    config::Config,
    peer::Peer,
    refusals::{Refusal, Stage},
};

/// A refusal that is remembered.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Its place among all refusals since the start.
    pub(crate) number: u64,
    pub(crate) at: SystemTime,
    pub(crate) id: Box<str>,
    pub(crate) peer: Peer,
    pub(crate) listener: SocketAddr,
    pub(crate) stage: Stage,
    pub(crate) draft: Option<Draft>,
    pub(crate) route: Option<Box<str>>,
    pub(crate) method: Option<Box<str>>,
    /// Without its query.
    pub(crate) path: Option<Box<str>>,
    pub(crate) code: &'static str,
    pub(crate) status: Option<u16>,
    pub(crate) sentence: Box<str>,
    pub(crate) detail: Option<Box<str>>,
    pub(crate) remedy: &'static str,
    /// Redacted.
    pub(crate) head: Box<[u8]>,
}

/// The last of them.
#[derive(Debug, Default)]
pub(crate) struct Past {
    /// How many are kept.
    most: AtomicUsize,
    kept: Mutex<Ring>,
}

#[derive(Debug, Default)]
struct Ring {
    heads: Option<Arc<Heads>>,
    last: VecDeque<Arc<Kept>>,
    /// How many there were.
    number: u64,
}

impl Past {
    /// Keeps as many as `config` says from now on.
    pub(crate) fn follow(&self, config: &Config) {
        let most = config.admin.as_ref().map_or(0, |admin| admin.handshakes);
        let mut ring = self.ring();
        self.most.store(most, Relaxed);
        ring.heads = config
            .admin
            .as_ref()
            .map(|_| Arc::new(Heads::new(&config.record, &config.token_names())));
        ring.shrink(most);
    }

    /// What hides secrets in heads, if anybody may see heads.
    pub(crate) fn heads(&self) -> Option<Arc<Heads>> {
        self.ring().heads.clone()
    }

    /// Keeps `refusal`, if any is kept.
    pub(crate) fn keep(&self, refusal: &Refusal<'_>) {
        let most = self.most.load(Relaxed);
        if most == 0 {
            return;
        }
        let Some(heads) = self.heads() else { return };
        let request = refusal.request;
        let boxed = |text: &str| shown(text).into_boxed_str();
        let mut kept = Kept {
            number: 0,
            at: SystemTime::now(),
            id: refusal.id.into(),
            peer: refusal.peer,
            listener: refusal.listener,
            stage: refusal.stage,
            draft: refusal.draft,
            route: refusal.route.map(|route| route.path.to_string().into()),
            method: request.map(|parts| boxed(parts.method.as_str())),
            path: request.map(|parts| boxed(parts.uri.path())),
            code: refusal.reason.code,
            status: refusal.reason.status,
            sentence: refusal.reason.sentence.into(),
            detail: refusal.reason.detail.map(boxed),
            remedy: refusal.reason.remedy,
            head: heads.shown(refusal.head),
        };
        let mut ring = self.ring();
        ring.number += 1;
        kept.number = ring.number;
        ring.shrink(most.saturating_sub(1));
        ring.last.push_back(Arc::new(kept));
    }

    /// Those that are remembered, the last one first.
    pub(crate) fn last(&self) -> Vec<Arc<Kept>> {
        self.ring().last.iter().rev().cloned().collect()
    }

    /// The last one of the connection `id`.
    pub(crate) fn find(&self, id: &str) -> Option<Arc<Kept>> {
        let ring = self.ring();
        let mut kept = ring.last.iter().rev();
        kept.find(|kept| &*kept.id == id).cloned()
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn shrink(&mut self, most: usize) {
        while self.last.len() > most {
            self.last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Refused, config::Admin};

    fn keeping(handshakes: usize) -> Past {
        let past = Past::default();
        past.follow(&Config {
            admin: Some(Admin {
                handshakes,
                ..Admin::default()
            }),
            ..Config::default()
        });
        past
    }

    fn refuse(past: &Past, id: &str) {
        let address = "192.0.2.1:80".parse().unwrap();
        let refused = Refused::path_unknown();
        let refusal = Refusal::connection(id, Peer::new(address), address, &refused);
        past.keep(&refusal.read(b"GET /?token=t HTTP/1.1\r\n\r\n"));
    }

    #[test]
    fn the_last_ones_are_remembered_without_their_secrets() {
        let past = keeping(3);
        for id in ["c1", "c2", "c3", "c4", "c5"] {
            refuse(&past, id);
        }
        let last = past.last();
        let ids: Vec<&str> = last.iter().map(|kept| &*kept.id).collect();
        assert_eq!(ids, ["c5", "c4", "c3"]);
        assert_eq!(last[0].number, 5);
        assert_eq!(&*last[0].head, b"GET /?token=redacted HTTP/1.1\r\n\r\n");
        assert!(past.find("c1").is_none() && past.find("c3").is_some());
    }

    #[test]
    fn nothing_is_remembered_where_nobody_may_look() {
        let past = keeping(3);
        refuse(&past, "c1");
        past.follow(&Config::default());
        refuse(&past, "c2");
        assert!(past.last().is_empty() && past.heads().is_none());
    }
}
