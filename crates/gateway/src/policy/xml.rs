//! The documents: Flash's `cross-domain-policy`, Silverlight's
//! `access-policy`, each as it is asked for over a socket and over HTTP.
//!
//! Written as text: a few elements in a fixed order, whose only variable parts
//! are the values of attributes.

use std::fmt::Write as _;

use bytes::Bytes;

use crate::config::{Ports, Site};

/// What Flash is told over a socket, with the NUL that ends it; `master`: on
/// the port where it asks first, whose answer may say that no other counts.
pub(super) fn flash_socket(sites: &[Site], ports: &[Ports], master: bool) -> Bytes {
    let ports: Vec<String> = ports.iter().map(Ports::to_string).collect();
    let mut octets = flash(sites, Some(&ports.join(",")), master).into_bytes();
    octets.push(0);
    octets.into()
}

/// What Flash is told over HTTP: `/crossdomain.xml`.
pub(super) fn flash_http(sites: &[Site]) -> Bytes {
    flash(sites, None, true).into()
}

fn flash(sites: &[Site], ports: Option<&str>, master: bool) -> String {
    let mut xml = String::from("<?xml version=\"1.0\"?>\n<cross-domain-policy>\n");
    if master {
        xml += "  <site-control permitted-cross-domain-policies=\"master-only\"/>\n";
    }
    for (domain, secure) in sites.iter().filter_map(Site::flash) {
        xml += "  <allow-access-from";
        attribute(&mut xml, "domain", &domain);
        if let Some(ports) = ports {
            attribute(&mut xml, "to-ports", ports);
        }
        // Always written: what it is without depends on where the file came from.
        attribute(&mut xml, "secure", if secure { "true" } else { "false" });
        xml += "/>\n";
    }
    xml += "</cross-domain-policy>\n";
    xml
}

/// What Silverlight is told, over a socket or, as `/clientaccesspolicy.xml`,
/// over HTTP, where it may read what is served there as well.
pub(super) fn silverlight(sites: &[Site], ports: &[Ports], over_http: bool) -> Bytes {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<access-policy>\n  <cross-domain-access>\n    <policy>\n      <allow-from>\n",
    );
    for uri in sites.iter().flat_map(Site::silverlight) {
        xml += "        <domain";
        attribute(&mut xml, "uri", &uri);
        xml += "/>\n";
    }
    xml += "      </allow-from>\n      <grant-to>\n";
    if over_http {
        xml += "        <resource path=\"/\" include-subpaths=\"true\"/>\n";
    }
    for ports in ports {
        xml += "        <socket-resource";
        attribute(&mut xml, "port", &ports.to_string());
        attribute(&mut xml, "protocol", "tcp");
        xml += "/>\n";
    }
    xml += "      </grant-to>\n    </policy>\n  </cross-domain-access>\n</access-policy>\n";
    xml.into()
}

fn attribute(xml: &mut String, name: &str, value: &str) {
    let _ = write!(xml, " {name}=\"");
    for c in value.chars() {
        match c {
            '&' => xml.push_str("&amp;"),
            '<' => xml.push_str("&lt;"),
            '>' => xml.push_str("&gt;"),
            '"' => xml.push_str("&quot;"),
            _ => xml.push(c),
        }
    }
    xml.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_cannot_leave_their_attribute() {
        let mut xml = String::new();
        attribute(&mut xml, "domain", "a\"/><b c='&");
        assert_eq!(xml, " domain=\"a&quot;/&gt;&lt;b c='&amp;\"");
    }
}
