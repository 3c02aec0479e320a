//! The names of all metrics, with their labels and what they mean: one table
//! for what is encoded and for the documents.

use std::fmt::Write;

use prometheus_client::metrics::MetricType;

/// One metric, with all values of its labels.
#[derive(Debug)]
pub(super) struct Family {
    /// Without what its type adds (`_total`).
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) labels: &'static [&'static str],
    pub(super) help: &'static str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Never goes back.
    Counter,
    Gauge,
    Histogram,
}

impl Kind {
    pub(super) fn metric_type(self) -> MetricType {
        match self {
            Self::Counter => MetricType::Counter,
            Self::Gauge => MetricType::Gauge,
            Self::Histogram => MetricType::Histogram,
        }
    }
}

macro_rules! families {
    ($($name:ident $kind:ident $text:literal [$($label:literal)*] $help:literal;)*) => {
        $(pub(super) const $name: Family = Family {
            name: $text,
            kind: Kind::$kind,
            labels: &[$($label),*],
            help: $help,
        };)*

        /// All of them, in the order in which they are told.
        pub(super) const ALL: &[&Family] = &[$(&$name),*];
    };
}

families! {
    BUILD_INFO Gauge "draftgate_build_info" ["version" "features"] "Always 1; what runs, and with which features.";
    READY Gauge "draftgate_ready" [] "1 while new connections are taken, 0 while the gateway drains.";
    CONNECTIONS Gauge "draftgate_connections" ["draft"] "WebSocket connections that are open.";
    TCP Gauge "draftgate_tcp_connections" [] "TCP connections of clients, those included that are no WebSocket (yet).";
    MAX_CONNECTIONS Gauge "draftgate_max_connections" [] "How many TCP connections all listeners together may have (limits.max-connections of each).";
    UPSTREAMS Gauge "draftgate_upstream_connections" [] "Connections to upstreams of proxy routes.";
    ACCEPTED Counter "draftgate_accepted_connections" [] "TCP connections accepted.";
    ACCEPT_ERRORS Counter "draftgate_accept_errors" [] "How often no connection could be accepted, mostly for want of files.";
    HANDSHAKES Counter "draftgate_handshakes" ["draft" "result"] "Opening handshakes by how they ended: accepted, refused, abandoned. The draft is none where the request does not tell.";
    REFUSALS Counter "draftgate_refusals" ["code"] "Refused connections and requests, those over plain HTTP included, by code.";
    OBSERVED Counter "draftgate_observed_handshakes" ["draft"] "Connections opened in a draft that is under observation on its route.";
    QUIRKS Counter "draftgate_quirks" ["quirk"] "Connections to which it was applied what their kind of client needs and others do not get.";
    HANDSHAKE_SECONDS Histogram "draftgate_handshake_duration_seconds" ["draft"] "From accepting TCP until the connection is open.";
    CONNECTION_SECONDS Histogram "draftgate_connection_duration_seconds" ["draft"] "How long connections were open that have ended.";
    MESSAGES Counter "draftgate_messages" ["draft" "direction" "type"] "Messages of clients (in) and to clients (out); what goes out as text although it came as binary is text.";
    BYTES Counter "draftgate_bytes" ["draft" "direction"] "Octets of WebSocket connections as they went over TCP, our heads included.";
    CLOSES Counter "draftgate_closes" ["draft" "code" "initiator"] "Connections that ended, by close code (none; 3000-3999 and 4000-4999 together) and by who ended them.";
    SLOW_CONSUMER Counter "draftgate_slow_consumer" ["action"] "What was done about clients that read too slowly: connections closed or timed out, messages dropped.";
    MUTED Counter "draftgate_muted_messages" [] "Messages dropped because their sender may not publish.";
    POLICIES Counter "draftgate_policy_requests" ["plugin"] "Policy requests answered.";
    BUS_CHANNELS Gauge "draftgate_bus_channels" [] "Channels of the bus that somebody listens to, or that remember something.";
    BUS_PUBLISHED Counter "draftgate_bus_published_messages" [] "Messages published on the bus, with subscribers or without.";
    BUS_EXPECTED Counter "draftgate_bus_expected_deliveries" [] "Deliveries of the bus that there should have been: one for each message and subscriber.";
    BUS_DROPPED Counter "draftgate_bus_dropped_deliveries" ["reason"] "Deliveries that did not take place, by reason.";
    HTTP_PUBLISHED Counter "draftgate_http_published_messages" [] "Messages published over plain HTTP.";
    HTTP_STREAMS Gauge "draftgate_http_event_streams" [] "Streams of events that are open.";
    HTTP_STREAMS_BEGUN Counter "draftgate_http_event_streams_begun" [] "Streams of events that were begun.";
    HTTP2_CONNECTIONS Gauge "draftgate_http2_connections" [] "TCP connections that speak HTTP/2.";
    HTTP2_REQUESTS Counter "draftgate_http2_requests" [] "Requests over HTTP/2, those for a WebSocket among them.";
    HTTP2_UPGRADES Counter "draftgate_http2_upgrades" [] "WebSocket openings answered over HTTP/2.";
    HTTP_POLLS Counter "draftgate_http_polls" [] "Polls answered.";
    TLS_HANDSHAKES Counter "draftgate_tls_handshakes" ["version" "library"] "TLS handshakes that were finished; those that were not are refusals.";
    TLS_EXPIRY Gauge "draftgate_tls_certificate_not_after_seconds" ["listener" "name"] "When a certificate expires, in seconds since 1970; the name is its first.";
    TLS_RELOADS Counter "draftgate_tls_reloads" ["result"] "How often changed certificates were read.";
    TLS_RELOADED Gauge "draftgate_tls_last_reload_successful" [] "1 if every listener serves the certificates that its files have; 0 if a file changed to what cannot be used, and older ones are served.";
    RELOADS Counter "draftgate_config_reloads" ["result"] "How often the configuration was read again.";
    RELOADED Gauge "draftgate_config_last_reload_successful" [] "1 if what was read last is in force, 0 if it was wrong and an older one is.";
    CENSUS_WRITTEN Gauge "draftgate_census_last_write_successful" [] "0 if the file of the census could not be written when that was tried last, else 1.";
    RECORDINGS Counter "draftgate_recordings" ["result"] "Connections that were recorded, could not be, or were not for want of room.";
    CPU Counter "process_cpu_seconds" [] "Time of processors that the process took.";
    OPEN_FDS Gauge "process_open_fds" [] "Files that the process has open.";
    MAX_FDS Gauge "process_max_fds" [] "How many files it may have open.";
    RSS Gauge "process_resident_memory_bytes" [] "Memory that it occupies.";
    STARTED Gauge "process_start_time_seconds" [] "When it began, in seconds since 1970.";
}

/// All metrics as a table for the documents.
#[must_use]
pub fn metrics_table() -> String {
    let mut table =
        String::from("| metric | type | labels | meaning |\n| --- | --- | --- | --- |\n");
    for family in ALL {
        let (kind, suffix) = match family.kind {
            Kind::Counter => ("counter", "_total"),
            Kind::Gauge => ("gauge", ""),
            Kind::Histogram => ("histogram", ""),
        };
        let labels: Vec<String> = family.labels.iter().map(|it| format!("`{it}`")).collect();
        // Writing to a String cannot fail.
        let _ = writeln!(
            table,
            "| `{}{suffix}` | {kind} | {} | {} |",
            family.name,
            labels.join(", "),
            family.help
        );
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_of_one_kind_and_help_needs_no_escaping() {
        for (index, family) in ALL.iter().enumerate() {
            let name = family.name;
            assert!(
                name.bytes()
                    .all(|it| matches!(it, b'a'..=b'z' | b'2' | b'_')),
                "{name}"
            );
            assert!(!name.ends_with("_total"), "{name}");
            assert!(ALL[..index].iter().all(|it| it.name != name), "{name}");
            assert!(!family.help.contains(['\\', '\n', '"', '|']), "{name}");
            for label in family.labels {
                assert!(!["ip", "peer", "path", "channel", "user"].contains(label));
            }
        }
    }
}
