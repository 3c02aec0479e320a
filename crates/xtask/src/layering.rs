//! Arrows between our crates point down only: who may depend on whom, checked
//! against `cargo metadata`. The table is written out rather than derived from
//! the manifests, because the manifests are what it judges.

use crate::metadata::{Kind, Metadata, Package};

/// Where a crate stands. A normal or build dependency points to a lower row,
/// never to the same one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Place {
    /// Part of the gateway, in this row.
    Row(u8),
    /// A draft (row 2): it is made of `core` and `wire`, and only `drafts` knows it.
    Draft,
    /// For tests: it uses `core`, and crates name it in `[dev-dependencies]` only.
    Testkit,
    /// For measuring: it uses what a test may use, and none uses it.
    Bench,
    /// The workspace's own commands: it uses none of our crates and none uses it.
    Beside,
}

/// Every crate of the workspace.
const PLACES: [(&str, Place); 29] = [
    (CORE, Place::Row(0)),
    (WIRE, Place::Row(1)),
    ("draftgate-translate", Place::Row(1)),
    ("draftgate-bus", Place::Row(1)),
    ("draftgate-conn", Place::Row(1)),
    ("draftgate-vectors", Place::Row(1)),
    ("draftgate-census", Place::Row(1)),
    ("draftgate-hixie75", Place::Draft),
    ("draftgate-hixie76", Place::Draft),
    ("draftgate-hello00", Place::Draft),
    ("draftgate-hybi06", Place::Draft),
    ("draftgate-hybi07", Place::Draft),
    ("draftgate-hybi13", Place::Draft),
    ("draftgate-deflate", Place::Draft),
    (DRAFTS, Place::Row(3)),
    ("draftgate-client", Place::Row(4)),
    ("draftgate-explain", Place::Row(4)),
    ("draftgate-compare", Place::Row(5)),
    ("draftgate-load", Place::Row(5)),
    ("draftgate-probe", Place::Row(5)),
    ("draftgate-record", Place::Row(5)),
    ("draftgate-replay", Place::Row(5)),
    ("draftgate-upstream", Place::Row(5)),
    ("draftgate-pcap", Place::Row(6)),
    ("draftgate-gateway", Place::Row(6)),
    (CLI, Place::Row(7)),
    ("draftgate-testkit", Place::Testkit),
    (BENCH, Place::Bench),
    ("xtask", Place::Beside),
];
const CORE: &str = "draftgate-core";
const WIRE: &str = "draftgate-wire";
const DRAFTS: &str = "draftgate-drafts";
const BENCH: &str = "draftgate-bench";
/// crates/cli: the one package that is named after what it installs.
const CLI: &str = "draftgate";
const DRAFT_ROW: u8 = 2;

/// Tests below the gateway may want a real draft, which stands above most of
/// them; a test that wants the gateway itself belongs to the gateway.
const HIGHEST_ROW_OF_TESTS: u8 = 3;

/// What is measured stands below the gateway, which has its own program for that.
const HIGHEST_ROW_OF_BENCHES: u8 = 5;

/// Crates that hold no socket, no clock and no randomness, besides the drafts.
const SANS_IO: [&str; 3] = [CORE, WIRE, "draftgate-translate"];
const IO: [(&str, &str); 2] = [
    ("tokio", "sockets and clocks belong to conn and gateway"),
    ("rand", "randomness comes in through a KeySource"),
];

/// Everything wrong with the arrows of this workspace, one sentence each.
pub(crate) fn check(metadata: &Metadata) -> Vec<String> {
    let mut findings = Vec::new();
    for package in metadata.members() {
        let Some(place) = place(&package.name) else {
            findings.push(format!(
                "{} has no row: give it one in crates/xtask/src/layering.rs",
                package.name
            ));
            continue;
        };
        for dependency in &package.dependencies {
            let Some(other) = place_of_ours(metadata, &dependency.name) else {
                continue;
            };
            let reason = match dependency.kind {
                Kind::Dev => refuse_dev(place, other),
                Kind::Normal | Kind::Build => refuse(&package.name, place, &dependency.name, other),
            };
            if let Some(reason) = reason {
                findings.push(format!(
                    "{} uses {}: {reason}",
                    package.name, dependency.name
                ));
            }
        }
        if place == Place::Draft || SANS_IO.contains(&package.name.as_str()) {
            findings.extend(io_of(metadata, package));
        }
    }
    findings
}

fn place(name: &str) -> Option<Place> {
    PLACES
        .iter()
        .find_map(|(other, place)| (*other == name).then_some(*place))
}

/// The place of one of our own crates; `None` for a registry's, or for one that
/// has no place (which is reported where it stands itself).
fn place_of_ours(metadata: &Metadata, name: &str) -> Option<Place> {
    metadata.members().find(|member| member.name == name)?;
    place(name)
}

/// Why a normal or build dependency is not allowed.
fn refuse(name: &str, place: Place, other_name: &str, other: Place) -> Option<String> {
    match (place, other) {
        (Place::Beside, _) | (_, Place::Beside) => Some("xtask stands beside the crates".into()),
        (_, Place::Bench) => Some("bench is for measuring alone".into()),
        (Place::Bench, Place::Testkit) => None,
        (_, Place::Testkit) => Some("testkit belongs in [dev-dependencies]".into()),
        (Place::Testkit, _) if other_name != CORE => Some("testkit uses only core".into()),
        (Place::Draft, Place::Row(_)) if ![CORE, WIRE].contains(&other_name) => {
            Some("a draft uses only core and wire".into())
        }
        (Place::Row(_) | Place::Bench, Place::Draft) if name != DRAFTS => {
            Some("only drafts knows the draft crates: go through it".into())
        }
        _ => {
            let (row, other_row) = (row(place)?, row(other)?);
            let direction = match other_row.cmp(&row) {
                std::cmp::Ordering::Less => return None,
                std::cmp::Ordering::Equal => "sideways",
                std::cmp::Ordering::Greater => "up",
            };
            Some(format!(
                "that points {direction}, from row {row} to row {other_row}"
            ))
        }
    }
}

/// Why a dev-dependency is not allowed.
fn refuse_dev(place: Place, other: Place) -> Option<String> {
    if place == Place::Beside || other == Place::Beside {
        return Some("xtask stands beside the crates".into());
    }
    if other == Place::Bench {
        return Some("bench is for measuring alone".into());
    }
    let (row, other_row) = (row(place).unwrap_or(0), row(other)?);
    (other_row > HIGHEST_ROW_OF_TESTS && other_row >= row).then(|| {
        format!("a test in row {row} may not reach row {other_row}; move the test up to that crate")
    })
}

/// The row to compare by; none for what stands outside the rows.
fn row(place: Place) -> Option<u8> {
    match place {
        Place::Row(row) => Some(row),
        Place::Draft => Some(DRAFT_ROW),
        Place::Testkit => Some(1),
        // It measures replays, too, which stand in row 5.
        Place::Bench => Some(HIGHEST_ROW_OF_BENCHES + 1),
        Place::Beside => None,
    }
}

/// A sans-I/O crate's ways to I/O: named in its manifest for whatever platform
/// and feature, or dragged in by one of its dependencies.
fn io_of(metadata: &Metadata, package: &Package) -> Vec<String> {
    let mut findings = Vec::new();
    for (name, why) in IO {
        let named = package
            .dependencies
            .iter()
            .any(|d| d.name == name && d.kind != Kind::Dev);
        let way = if named {
            Some(vec![package.name.as_str(), name])
        } else {
            metadata.way_to(package, name)
        };
        if let Some(way) = way {
            findings.push(format!(
                "{} is sans-I/O, but depends on {name} ({}): {why}",
                package.name,
                way.join(" → ")
            ));
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::{Made, metadata};

    /// The findings about one crate that depends on one other.
    fn arrow(from: &'static str, kind: Kind, to: &'static str) -> Vec<String> {
        check(&metadata(&[
            Made::member(from).uses(to, kind),
            Made::member(to),
        ]))
    }

    #[test]
    fn arrows_that_point_down_pass() {
        let all = [
            Made::member(CORE).uses("bytes", Kind::Normal),
            Made::member(WIRE).uses(CORE, Kind::Normal),
            Made::member("draftgate-hybi13")
                .uses(CORE, Kind::Normal)
                .uses(WIRE, Kind::Normal),
            Made::member(DRAFTS)
                .uses("draftgate-hybi13", Kind::Normal)
                .uses(WIRE, Kind::Normal),
            Made::member("draftgate-conn")
                .uses(CORE, Kind::Normal)
                .uses("tokio", Kind::Normal),
            Made::member("draftgate-gateway").uses(DRAFTS, Kind::Normal),
            Made::member(CLI).uses("draftgate-gateway", Kind::Normal),
            Made::member("draftgate-testkit").uses(CORE, Kind::Normal),
            Made::member("xtask").uses("clap", Kind::Normal),
            Made::crates_io("bytes", "1.0.0"),
            Made::crates_io("tokio", "1.0.0"),
            Made::crates_io("clap", "4.0.0"),
        ];
        assert_eq!(check(&metadata(&all)), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_up_fails() {
        let findings = arrow("draftgate-conn", Kind::Normal, DRAFTS);
        assert_eq!(
            findings,
            ["draftgate-conn uses draftgate-drafts: that points up, from row 1 to row 3"]
        );
    }

    #[test]
    fn an_arrow_sideways_fails() {
        let findings = arrow("draftgate-bus", Kind::Normal, "draftgate-conn");
        assert_eq!(findings.len(), 1);
        assert!(findings[0].contains("sideways"), "{findings:?}");
        let drafts = arrow("draftgate-hixie75", Kind::Normal, "draftgate-hixie76");
        assert!(drafts[0].contains("sideways"), "{drafts:?}");
    }

    #[test]
    fn a_build_dependency_counts_like_a_normal_one() {
        assert_eq!(arrow(WIRE, Kind::Build, DRAFTS).len(), 1);
    }

    #[test]
    fn a_draft_uses_only_core_and_wire() {
        let findings = arrow("draftgate-hixie76", Kind::Normal, "draftgate-translate");
        assert!(findings[0].contains("only core and wire"), "{findings:?}");
    }

    #[test]
    fn only_drafts_knows_the_draft_crates() {
        let findings = arrow("draftgate-gateway", Kind::Normal, "draftgate-hybi13");
        assert!(findings[0].contains("only drafts"), "{findings:?}");
    }

    #[test]
    fn tests_may_use_a_real_draft_and_their_neighbours() {
        for to in [
            DRAFTS,
            "draftgate-hixie75",
            "draftgate-testkit",
            "draftgate-bus",
        ] {
            assert_eq!(arrow("draftgate-conn", Kind::Dev, to), Vec::<String>::new());
        }
    }

    #[test]
    fn tests_below_the_gateway_may_not_use_it() {
        for to in ["draftgate-gateway", CLI] {
            assert_eq!(arrow(DRAFTS, Kind::Dev, to).len(), 1, "{to}");
        }
        let up = arrow("draftgate-gateway", Kind::Dev, CLI);
        assert_eq!(up.len(), 1);
        let down = arrow(CLI, Kind::Dev, "draftgate-gateway");
        assert_eq!(down, Vec::<String>::new());
    }

    #[test]
    fn testkit_is_for_tests_alone_and_uses_only_core() {
        let used = arrow("draftgate-gateway", Kind::Normal, "draftgate-testkit");
        assert!(used[0].contains("[dev-dependencies]"), "{used:?}");
        let uses = arrow("draftgate-testkit", Kind::Normal, WIRE);
        assert!(uses[0].contains("only core"), "{uses:?}");
    }

    #[test]
    fn bench_measures_what_is_below_the_gateway_and_nothing_uses_it() {
        let replay = "draftgate-replay";
        for to in [
            CORE,
            WIRE,
            "draftgate-bus",
            DRAFTS,
            replay,
            "draftgate-testkit",
        ] {
            assert_eq!(arrow(BENCH, Kind::Normal, to), Vec::<String>::new(), "{to}");
        }
        for to in ["draftgate-hybi13", "draftgate-gateway", CLI] {
            assert_eq!(arrow(BENCH, Kind::Normal, to).len(), 1, "{to}");
        }
        for kind in [Kind::Normal, Kind::Dev] {
            let used = arrow("draftgate-gateway", kind, BENCH);
            assert!(used[0].contains("measuring"), "{used:?}");
        }
    }

    #[test]
    fn xtask_stands_beside_the_crates() {
        assert_eq!(arrow("xtask", Kind::Normal, CORE).len(), 1);
        assert_eq!(arrow("xtask", Kind::Dev, CORE).len(), 1);
        assert_eq!(arrow(CORE, Kind::Dev, "xtask").len(), 1);
    }

    #[test]
    fn a_crate_without_a_row_fails() {
        let findings = check(&metadata(&[Made::member("draftgate-novel")]));
        assert!(findings[0].contains("no row"), "{findings:?}");
    }

    #[test]
    fn a_sans_io_crate_that_names_tokio_or_rand_fails() {
        for name in [CORE, WIRE, "draftgate-translate", "draftgate-hixie76"] {
            for io in ["tokio", "rand"] {
                let package = Made::member(name).uses(io, Kind::Normal);
                let findings = check(&metadata(&[package, Made::crates_io(io, "1.0.0")]));
                assert_eq!(findings.len(), 1, "{name} {io}: {findings:?}");
                let package = Made::member(name).uses(io, Kind::Dev);
                let findings = check(&metadata(&[package, Made::crates_io(io, "1.0.0")]));
                assert_eq!(findings, Vec::<String>::new());
            }
        }
    }

    #[test]
    fn a_sans_io_crate_that_drags_tokio_in_fails_and_the_way_is_shown() {
        let findings = check(&metadata(&[
            Made::member(CORE).uses("hyper", Kind::Normal),
            Made::crates_io("hyper", "1.0.0").uses("tokio", Kind::Normal),
            Made::crates_io("tokio", "1.0.0"),
        ]));
        assert_eq!(findings.len(), 1);
        assert!(
            findings[0].contains("draftgate-core → hyper → tokio"),
            "{findings:?}"
        );
    }
}
