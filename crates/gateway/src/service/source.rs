//! Feeds a channel with what a server says: one connection, however many
//! clients read, and none of theirs waits for it.
//!
//! It is no service of its own but stands behind a [`Bus`](super::Bus): the
//! clients are members of the channel as of any other. Nothing of theirs goes
//! to the server, which could not tell whose it is.

use draftgate_bus::{Channel, Hub};
use draftgate_client::TlsFailure;
use draftgate_core::Message;
use draftgate_upstream::{Ask, Feed, Upstream};
use http::HeaderValue;
use tokio_util::sync::CancellationToken;

use super::proxy;
use crate::config::{HostField, Route};

/// What feeds a channel.
#[derive(Debug)]
pub(crate) struct Source {
    upstream: Upstream,
    settings: draftgate_conn::Settings,
    fields: Vec<(String, HeaderValue)>,
    host: Option<String>,
    origin: Option<String>,
    hub: Hub,
    channel: Channel,
}

impl Source {
    /// What feeds the channel of `route` on `hub`, if anything does.
    pub(crate) fn new(route: &Route, hub: &Hub) -> Option<Self> {
        let config = route.upstream.as_deref()?;
        let channel = route.channel.as_deref()?.parse().ok()?;
        let written = |(name, value): &(_, HeaderValue)| (proxy::written(name), value.clone());
        Some(Self {
            upstream: Upstream::new(proxy::settings(route, config)),
            settings: proxy::driven(route, config),
            fields: config.add.iter().map(written).collect(),
            host: match &config.host {
                HostField::Fixed(host) => Some(host.clone()),
                HostField::Upstream | HostField::Client => None,
            },
            origin: config.origin.clone(),
            hub: hub.clone(),
            channel,
        })
    }

    /// Reads the certificates that it needs.
    ///
    /// # Errors
    /// They cannot be had.
    pub(crate) fn prepare(&self) -> Result<(), TlsFailure> {
        self.upstream.prepare()
    }

    /// Feeds it until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let feed = Feed {
            upstream: &self.upstream,
            ask: Ask {
                fields: &self.fields,
                host: self.host.as_deref(),
                origin: self.origin.as_deref(),
                ..Ask::default()
            },
            settings: self.settings.clone(),
        };
        let mut publish = |message: Message| {
            self.hub.publish(&self.channel, message, None);
        };
        feed.run(&mut publish, &stop).await;
    }
}
