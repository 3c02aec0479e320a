//! Notices that certificates were renewed, and reads them anew: whatever renews
//! them need not know of us.
//!
//! It looks at the times of the files every now and then. The system could
//! tell of changes at once, but not of those behind links to other folders, as
//! renewers make them, and not on every file system.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak, atomic::Ordering::Relaxed},
};

use tokio::{
    task::spawn_blocking,
    time::{Duration, sleep},
};
use tracing::{info, warn};

use super::{Tls, files::Stamps};
use crate::{counts::Counters, inner::Inner, ports::Port};

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
        let (inner, known) = (Arc::clone(&inner), bad.take());
        // Files may lie on a disk that sleeps.
        let looked = spawn_blocking(move || look(&tls, listener, known, &inner.counts));
        match looked.await {
            Ok(found) => bad = found,
            Err(_) => return,
        }
    }
}

/// Reads the files if they changed; those that are bad, `known` or not.
fn look(
    tls: &Tls,
    listener: SocketAddr,
    known: Option<Stamps>,
    counts: &Counters,
) -> Option<Stamps> {
    let stamps = tls.stamps();
    if stamps == tls.loaded().stamps {
        return None;
    }
    if known.as_ref() == Some(&stamps) {
        return known;
    }
    match tls.reload() {
        Ok(()) => {
            counts.tls_reloads.fetch_add(1, Relaxed);
            let names: Vec<String> = tls.certificates().iter().map(ToString::to_string).collect();
            info!(%listener, names = names.join(", "), "the certificates changed and were read; connections that are open go on");
            None
        }
        Err(error) => {
            counts.tls_reloads_failed.fetch_add(1, Relaxed);
            warn!(%listener, code = "tls-reload", %error, "the certificates changed, and cannot be used: those of before are served on");
            Some(stamps)
        }
    }
}
