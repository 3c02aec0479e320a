//! A listener as somebody's server once was, with all that it could not do.

use toml::de::DeValue;

use super::{
    Listener,
    reader::{Table, Value, Wrong},
    shown::Shown,
    values::word,
};

/// A server that a listener is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Profile {
    /// Microsoft's first prototype (HTML5 Labs, December 2010): hello-00 and nothing
    /// else, text of up to 125 octets, five connections, on a port that Silverlight
    /// may connect to, without TLS, and with no proxy in front.
    Html5Labs2010,
}

/// Connections that it held.
const CONNECTIONS: u32 = 5;

/// Ports to which Silverlight connects.
const PORTS: std::ops::RangeInclusive<u16> = 4502..=4534;

impl Value for Profile {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        word(value, &[("html5labs-2010", Self::Html5Labs2010)])
    }

    fn show(&self) -> Shown {
        Shown::text("html5labs-2010")
    }
}

/// Reads the key of a listener whose address is known, before all keys that have
/// other defaults under it.
pub(super) fn read(table: &mut Table<'_>, listener: &mut Listener) {
    let said = table.said("profile");
    listener.profile = table.value("profile");
    let (Some(Profile::Html5Labs2010), Some(said)) = (listener.profile, said) else {
        return;
    };
    listener.limits.max_connections = CONNECTIONS;
    listener.http2 = false;
    let port = listener.address.port();
    let proxies = ["proxy-protocol", "trusted-proxies", "public-url"];
    let wrong = if table.said("tls").is_some() {
        "cannot be beside `tls`: the prototype had none".to_owned()
    } else if let Some(key) = proxies.into_iter().find(|key| table.said(key).is_some()) {
        format!("cannot be beside `{key}`: the prototype knew of no proxy")
    } else if !PORTS.contains(&port) {
        format!("cannot be on port {port}: the prototype was on one from 4502 to 4534")
    } else {
        return;
    };
    let wrong = Wrong::new(wrong).help("without it hello-00 is spoken like any other draft");
    table.wrong_value("profile", &said, wrong);
}
