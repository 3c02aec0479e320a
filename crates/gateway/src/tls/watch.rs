//! Notices that certificates were renewed, and reads them anew: whatever renews
//! them need not know of us.
//!
//! It reads the files every now and then and compares: they are a few KiB. The
//! system could tell of changes at once, but not of those behind links to other
//! folders, as renewers make them, and not on every file system.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
};

use tokio::{
    task::spawn_blocking,
    time::{Duration, sleep},
};
use tracing::{info, warn};

use super::{BadFile, Tls, files::Stamps};
use crate::{inner::Inner, ports::Port};

/// From now on looks whether the files of `port`, the listener `bound`, change;
/// unless that is done for `before` already.
pub(crate) fn keep_fresh(
    before: Option<&Arc<Tls>>,
    port: &Port,
    bound: SocketAddr,
    inner: &Arc<Inner>,
) {
    let Some(tls) = &port.tls else { return };
    if before.is_some_and(|before| Arc::ptr_eq(before, tls)) {
        return;
    }
    if let Some(pause) = tls.settings.reload_check {
        tokio::spawn(watch(Arc::downgrade(tls), bound, pause, Arc::clone(inner)));
    }
}

/// Looks every `pause` for as long as `listener` serves by `tls`.
async fn watch(tls: Weak<Tls>, listener: SocketAddr, pause: Duration, inner: Arc<Inner>) {
    // Told once, and not at each look.
    let mut bad: Option<Stamps> = None;
    loop {
        tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            () = sleep(pause) => {}
        }
        let Some(tls) = tls.upgrade() else { return };
        let known = bad.take();
        // Files may lie on a disk that sleeps.
        let looked = spawn_blocking(move || look(&tls, known)).await;
        let Ok(looked) = looked else { return };
        bad = match looked {
            Looked::AsBefore(bad) => bad,
            Looked::Renewed(names) => {
                info!(%listener, names, "the certificates changed and were read; connections that are open go on");
                inner.counts.tls_reloads.fetch_add(1, Relaxed);
                None
            }
            Looked::Bad(stamps, error) => {
                warn!(%listener, code = "tls-reload", %error, "the certificates changed, and cannot be used: those of before are served on");
                inner.counts.tls_reloads_failed.fetch_add(1, Relaxed);
                Some(stamps)
            }
        };
    }
}

enum Looked {
    /// Nothing is new, be it as it was read or as bad as it was.
    AsBefore(Option<Stamps>),
    /// The names of what is served now.
    Renewed(String),
    Bad(Stamps, BadFile),
}

/// Reads the files if they changed; not if they are as bad as `known`.
fn look(tls: &Tls, known: Option<Stamps>) -> Looked {
    let looked = compare(tls, known);
    let is_bad = matches!(looked, Looked::AsBefore(Some(_)) | Looked::Bad(..));
    tls.bad.store(is_bad, Relaxed);
    looked
}

fn compare(tls: &Tls, known: Option<Stamps>) -> Looked {
    let stamps = tls.stamps();
    if stamps == tls.loaded().stamps {
        return Looked::AsBefore(None);
    }
    if known.as_ref() == Some(&stamps) {
        return Looked::AsBefore(known);
    }
    match tls.reload() {
        Ok(()) => {
            let all = tls.certificates();
            let names: Vec<String> = all.iter().map(ToString::to_string).collect();
            Looked::Renewed(names.join(", "))
        }
        Err(error) => Looked::Bad(stamps, error),
    }
}
