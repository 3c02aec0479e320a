//! Takes the values of all metrics from where they are counted.

use std::{
    collections::BTreeMap,
    fmt,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::UNIX_EPOCH,
};

use draftgate_bus::Reason;
use draftgate_core::Draft;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet},
    metrics::histogram::Histogram,
};

use super::families::{self as of, Family, Kind};
use crate::{
    admin::process::Process,
    config::{Plugin, Quirk},
    inner::Inner,
    registry::Sums,
    tls::Served,
};

/// The gateway whose metrics are told.
#[derive(Debug)]
pub(super) struct Collected(pub(super) Arc<Inner>);

impl Collector for Collected {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut out = Out(encoder);
        self.build(&mut out)?;
        let sums = self.0.open.sums();
        self.connections(&sums, &mut out)?;
        traffic(&sums, &mut out)?;
        self.bus(&mut out)?;
        self.tls(&mut out)?;
        self.rest(&mut out)?;
        process(&mut out)
    }
}

impl Collected {
    fn build(&self, out: &mut Out<'_>) -> fmt::Result {
        let features = crate::admin::FEATURES.join(",");
        let build: Row<'_> = (vec![env!("CARGO_PKG_VERSION"), features.as_str()], 1.0);
        out.put(&of::BUILD_INFO, [build])?;
        out.one(&of::READY, u64::from(self.0.is_ready()))
    }

    fn connections(&self, sums: &BTreeMap<Draft, Sums>, out: &mut Out<'_>) -> fmt::Result {
        let inner = &self.0;
        let spoken = draftgate_drafts::spoken();
        let open = |draft: Draft| sums.get(&draft).map_or(0, |sums| sums.open);
        out.put(
            &of::CONNECTIONS,
            spoken.map(|draft| (vec![draft.name()], open(draft) as f64)),
        )?;
        out.one(&of::TCP, inner.tasks.len() as u64)?;
        out.one(&of::MAX_CONNECTIONS, inner.rules().config.connections())?;
        out.one(&of::UPSTREAMS, inner.beyond.len() as u64)?;
        out.one(&of::ACCEPTED, inner.accepted())?;
        out.one(&of::ACCEPT_ERRORS, inner.counts.accept_errors.load(Relaxed))?;
        let outcomes = inner.counts.outcomes();
        out.put(
            &of::HANDSHAKES,
            outcomes.iter().map(|((draft, outcome), count)| {
                let draft = draft.map_or("none", Draft::name);
                (vec![draft, outcome.name()], *count as f64)
            }),
        )?;
        let refusals = inner.counts.refusals();
        out.put(
            &of::REFUSALS,
            refusals
                .iter()
                .map(|(code, count)| (vec![*code], *count as f64)),
        )?;
        let quirks = Quirk::ALL.into_iter().zip(&inner.counts.quirks);
        out.put(
            &of::QUIRKS,
            quirks.map(|(quirk, count)| (vec![quirk.name()], count.load(Relaxed) as f64)),
        )?;
        let times = inner.times.all();
        out.histograms(
            &of::HANDSHAKE_SECONDS,
            times.iter().map(|(draft, openings, _)| (*draft, openings)),
        )?;
        out.histograms(
            &of::CONNECTION_SECONDS,
            times.iter().map(|(draft, _, lasted)| (*draft, lasted)),
        )
    }

    fn bus(&self, out: &mut Out<'_>) -> fmt::Result {
        let inner = &self.0;
        out.one(&of::MUTED, inner.counts.muted.load(Relaxed))?;
        let policies = inner.counts.policies();
        out.put(
            &of::POLICIES,
            policies
                .iter()
                .map(|(plugin, count)| (vec![plugin_name(*plugin)], *count as f64)),
        )?;
        let ledger = inner.hub.ledger();
        out.one(&of::BUS_CHANNELS, inner.hub.channels() as u64)?;
        out.one(&of::BUS_PUBLISHED, ledger.published())?;
        out.one(&of::BUS_EXPECTED, ledger.expected())?;
        let dropped = |reason: Reason| (vec![reason.name()], ledger.dropped(reason) as f64);
        out.put(&of::BUS_DROPPED, Reason::ALL.into_iter().map(dropped))
    }

    fn tls(&self, out: &mut Out<'_>) -> fmt::Result {
        let counts = &self.0.counts;
        let secured = counts.over_tls();
        let kinds = secured.iter();
        out.put(
            &of::TLS_HANDSHAKES,
            kinds.map(|(kind, count)| (vec![kind.version, kind.library], *count as f64)),
        )?;
        let served = self.0.now().ports.certificates();
        let told: Vec<(String, String, f64)> = served
            .into_iter()
            .map(
                |Served {
                     listener,
                     certificate,
                 }| {
                    let expires = certificate.not_after.duration_since(UNIX_EPOCH);
                    let name = certificate.names.into_iter().next().unwrap_or_default();
                    let expires = expires.unwrap_or_default().as_secs();
                    (listener.to_string(), name, expires as f64)
                },
            )
            .collect();
        let told = told.iter();
        out.put(
            &of::TLS_EXPIRY,
            told.map(|(listener, name, expires)| (vec![listener.as_str(), name], *expires)),
        )?;
        let reloads = [
            ("ok", counts.tls_reloads.load(Relaxed)),
            ("failed", counts.tls_reloads_failed.load(Relaxed)),
        ];
        out.put(
            &of::TLS_RELOADS,
            reloads.map(|(result, count)| (vec![result], count as f64)),
        )?;
        let are_fresh = self.0.now().ports.certificates_are_fresh();
        out.one(&of::TLS_RELOADED, u64::from(are_fresh))
    }

    fn rest(&self, out: &mut Out<'_>) -> fmt::Result {
        let counts = &self.0.counts;
        out.one(&of::HTTP_PUBLISHED, counts.published.load(Relaxed))?;
        out.one(&of::HTTP_STREAMS, counts.streaming.load(Relaxed))?;
        out.one(&of::HTTP_STREAMS_BEGUN, counts.streams.load(Relaxed))?;
        let http2 = counts.http2_connections.load(Relaxed);
        out.one(&of::HTTP2_CONNECTIONS, http2)?;
        out.one(&of::HTTP2_REQUESTS, counts.http2_requests.load(Relaxed))?;
        out.one(&of::HTTP2_UPGRADES, counts.http2_upgrades.load(Relaxed))?;
        out.one(&of::HTTP_POLLS, counts.polls.load(Relaxed))?;
        let reloads = [
            ("ok", counts.reloads.load(Relaxed)),
            ("failed", counts.reload_failures.load(Relaxed)),
        ];
        out.put(
            &of::RELOADS,
            reloads.map(|(result, count)| (vec![result], count as f64)),
        )?;
        let is_in_force = !counts.last_reload_failed.load(Relaxed);
        out.one(&of::RELOADED, u64::from(is_in_force))?;
        let observed = self.0.census.observed();
        out.put(
            &of::OBSERVED,
            observed
                .iter()
                .map(|(draft, count)| (vec![draft.name()], *count as f64)),
        )?;
        let is_written = !self.0.census.is_failing();
        out.one(&of::CENSUS_WRITTEN, u64::from(is_written))?;
        let recorder = self.0.recorder.as_ref();
        let recorded = recorder.map(|it| it.recorded()).unwrap_or_default();
        let recordings = [
            ("written", recorded.written),
            ("failed", recorded.failed),
            ("no-room", recorded.unrecorded),
        ];
        out.put(
            &of::RECORDINGS,
            recordings.map(|(result, count)| (vec![result], count as f64)),
        )
    }
}

fn traffic(sums: &BTreeMap<Draft, Sums>, out: &mut Out<'_>) -> fmt::Result {
    let messages = sums.iter().flat_map(|(draft, sums)| {
        let traffic = &sums.traffic;
        [
            ("in", "text", traffic.text_in),
            ("in", "binary", traffic.binary_in),
            ("out", "text", traffic.text_out),
            ("out", "binary", traffic.binary_out),
        ]
        .map(|(direction, kind, count)| (vec![draft.name(), direction, kind], count as f64))
    });
    out.put(&of::MESSAGES, messages)?;
    let octets = sums.iter().flat_map(|(draft, sums)| {
        let traffic = &sums.traffic;
        [("in", traffic.octets_in), ("out", traffic.octets_out)]
            .map(|(direction, count)| (vec![draft.name(), direction], count as f64))
    });
    out.put(&of::BYTES, octets)?;
    let code = |code: &Option<u16>| match code {
        None => "none".to_owned(),
        Some(0) => "other".to_owned(),
        Some(3000) => "3000-3999".to_owned(),
        Some(4000) => "4000-4999".to_owned(),
        Some(code) => code.to_string(),
    };
    let closes: Vec<(Draft, String, &str, u64)> = sums
        .iter()
        .flat_map(|(draft, sums)| {
            let closes = sums.closes.iter();
            closes.map(|((said, by), count)| (*draft, code(said), *by, *count))
        })
        .collect();
    out.put(
        &of::CLOSES,
        closes
            .iter()
            .map(|(draft, code, by, count)| (vec![draft.name(), code, by], *count as f64)),
    )?;
    let mut slow = [0; 4];
    for sums in sums.values() {
        let slower = sums.slow;
        slow[0] += slower.closed;
        slow[1] += slower.timed_out;
        slow[2] += slower.dropped_oldest;
        slow[3] += slower.dropped_newest;
    }
    let actions = ["closed", "timed-out", "dropped-oldest", "dropped-newest"];
    out.put(
        &of::SLOW_CONSUMER,
        actions
            .into_iter()
            .zip(slow)
            .map(|(action, count)| (vec![action], count as f64)),
    )
}

fn process(out: &mut Out<'_>) -> fmt::Result {
    let Process {
        cpu,
        open_files,
        most_files,
        memory,
        started,
    } = Process::now();
    for (family, value) in [
        (&of::CPU, cpu),
        (&of::OPEN_FDS, open_files.map(|count| count as f64)),
        (&of::MAX_FDS, most_files.map(|count| count as f64)),
        (&of::RSS, memory.map(|octets| octets as f64)),
        (&of::STARTED, Some(started)),
    ] {
        out.put(family, value.map(|value| (Vec::new(), value)))?;
    }
    Ok(())
}

fn plugin_name(plugin: Plugin) -> &'static str {
    match plugin {
        Plugin::Flash => "flash",
        Plugin::Silverlight => "silverlight",
    }
}

/// The values of a family's labels, and what is counted.
type Row<'a> = (Vec<&'a str>, f64);

/// Where metrics are written.
struct Out<'a>(DescriptorEncoder<'a>);

impl Out<'_> {
    fn one(&mut self, family: &Family, value: u64) -> fmt::Result {
        self.put(family, [(Vec::new(), value as f64)])
    }

    fn put<'a>(&mut self, family: &Family, rows: impl IntoIterator<Item = Row<'a>>) -> fmt::Result {
        let mut family_out = self.family(family)?;
        for (values, value) in rows {
            let labels = labels(family, &values);
            let out = match labels.is_empty() {
                true => None,
                false => Some(family_out.encode_family(&labels)?),
            };
            match (family.kind, out) {
                (kind, Some(mut out)) => tell(&mut out, kind, value)?,
                (kind, None) => tell(&mut family_out, kind, value)?,
            }
        }
        Ok(())
    }

    fn histograms<'a>(
        &mut self,
        family: &Family,
        rows: impl IntoIterator<Item = (Draft, &'a Histogram)>,
    ) -> fmt::Result {
        let mut out = self.family(family)?;
        for (draft, histogram) in rows {
            let labels = labels(family, &[draft.name()]);
            histogram.encode(out.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn family<'s>(&'s mut self, family: &'s Family) -> Result<MetricEncoder<'s>, fmt::Error> {
        let kind = family.kind.metric_type();
        self.0
            .encode_descriptor(family.name, family.help, None, kind)
    }
}

/// Whole numbers are written as such.
fn tell(out: &mut MetricEncoder<'_>, kind: Kind, value: f64) -> fmt::Result {
    const EXACT: f64 = 9e15;
    let whole = (value.fract() == 0.0 && (0.0..EXACT).contains(&value)).then_some(value as u64);
    match (kind, whole) {
        (Kind::Counter, Some(whole)) => out.encode_counter::<NoLabelSet, _, f64>(&whole, None),
        (Kind::Counter, None) => out.encode_counter::<NoLabelSet, _, f64>(&value, None),
        (_, Some(whole)) => out.encode_gauge(&whole),
        (_, None) => out.encode_gauge(&value),
    }
}

fn labels<'a>(family: &Family, values: &[&'a str]) -> Vec<(&'static str, &'a str)> {
    debug_assert_eq!(family.labels.len(), values.len(), "{}", family.name);
    let names = family.labels.iter().copied();
    names.zip(values.iter().copied()).collect()
}
