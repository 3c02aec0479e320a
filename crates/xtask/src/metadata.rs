//! What cargo knows of the workspace, read from `cargo metadata`'s JSON. Only the
//! fields that a rule asks for are named; cargo may add others at any time. A
//! crate that wraps the format would bring more types than there are fields here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::Deserialize;

use crate::command::Command;
use crate::failure::Failure;
use crate::step::FEATURES;

/// The answer of `cargo metadata --format-version 1`.
#[derive(Debug, Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
    resolve: Resolve,
}

/// One package of the dependency graph: ours (no source) or a registry's.
#[derive(Debug, Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) source: Option<String>,
    pub(crate) license: Option<String>,
    pub(crate) manifest_path: String,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a manifest's dependency tables, of every platform.
#[derive(Debug, Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) kind: Kind,
}

/// The table in which a dependency stands; `cargo metadata` says `null` for
/// `[dependencies]`.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(from = "Option<String>")]
pub(crate) enum Kind {
    #[default]
    Normal,
    Build,
    Dev,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Debug, Deserialize)]
struct Edge {
    pkg: String,
    dep_kinds: Vec<EdgeKind>,
}

#[derive(Debug, Deserialize)]
struct EdgeKind {
    #[serde(default)]
    kind: Kind,
}

impl Metadata {
    /// Asks cargo about the workspace as it is built on this machine.
    ///
    /// # Errors
    /// When cargo fails (`Cargo.lock` out of date, a manifest that does not
    /// parse) or answers what is not understood.
    pub(crate) fn read() -> Result<Self, Failure> {
        let text = Command::cargo("metadata")
            .args(["--format-version", "1", "--locked"])
            .args(["--filter-platform", &host()?])
            .read_stdout()?;
        Self::parse(&text)
    }

    /// Reads what `cargo metadata` printed.
    ///
    /// # Errors
    /// When it is not the JSON of format version 1 with a resolved graph.
    pub(crate) fn parse(text: &str) -> Result<Self, Failure> {
        serde_json::from_str(text).map_err(Failure::Metadata)
    }

    /// The workspace's own packages, in cargo's order.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages
            .iter()
            .filter(|package| self.workspace_members.contains(&package.id))
    }

    /// The shortest way from a package to one called `name` along
    /// `[dependencies]` alone, both ends included: what its library drags in.
    pub(crate) fn way_to(&self, from: &Package, name: &str) -> Option<Vec<&str>> {
        let nodes: BTreeMap<&str, &Node> = self
            .resolve
            .nodes
            .iter()
            .map(|node| (node.id.as_str(), node))
            .collect();
        let names: BTreeMap<&str, &str> = self
            .packages
            .iter()
            .map(|package| (package.id.as_str(), package.name.as_str()))
            .collect();
        let mut seen = BTreeSet::from([from.id.as_str()]);
        let mut ways = VecDeque::from([vec![from.id.as_str()]]);
        while let Some(way) = ways.pop_front() {
            let end = way.last()?;
            if way.len() > 1 && names.get(end) == Some(&name) {
                return Some(way.iter().filter_map(|id| names.get(id).copied()).collect());
            }
            let edges = nodes.get(end).map_or(&[][..], |node| &node.deps);
            for edge in edges {
                let normal = edge.dep_kinds.iter().any(|k| k.kind == Kind::Normal);
                if normal && seen.insert(&edge.pkg) {
                    let mut longer = way.clone();
                    longer.push(&edge.pkg);
                    ways.push_back(longer);
                }
            }
        }
        None
    }
}

impl From<Option<String>> for Kind {
    fn from(kind: Option<String>) -> Self {
        match kind.as_deref() {
            Some("dev") => Self::Dev,
            Some("build") => Self::Build,
            _ => Self::Normal,
        }
    }
}

/// The packages that are compiled on this machine, tests included, as
/// `(name, version)`. The graph of `cargo metadata` holds a few more: it does not
/// know which optional dependencies stay switched off once features are resolved
/// for each target; `cargo tree` does.
///
/// # Errors
/// When cargo fails.
pub(crate) fn compiled() -> Result<BTreeSet<(String, String)>, Failure> {
    let text = Command::cargo("tree")
        .args(["--workspace", "--locked", "--edges", "normal,build,dev"])
        .args(FEATURES)
        .args(["--prefix", "none", "--format", "{p}"])
        .read_stdout()?;
    Ok(parse_tree(&text))
}

/// The packages that `cargo tree --prefix none --format {p}` printed.
pub(crate) fn parse_tree(text: &str) -> BTreeSet<(String, String)> {
    text.lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let name = words.next()?;
            let version = words.next()?.strip_prefix('v')?;
            Some((name.to_owned(), version.to_owned()))
        })
        .collect()
}

fn host() -> Result<String, Failure> {
    let text = Command::cargo("--version").arg("--verbose").read_stdout()?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .ok_or(Failure::Host)
}

#[cfg(test)]
pub(crate) mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// A made-up package for made-up metadata.
    pub(crate) struct Made {
        pub(crate) name: &'static str,
        pub(crate) version: &'static str,
        pub(crate) license: Option<&'static str>,
        /// `None`: a member of the workspace.
        pub(crate) source: Option<&'static str>,
        pub(crate) uses: Vec<(&'static str, Kind)>,
    }

    impl Made {
        pub(crate) fn member(name: &'static str) -> Self {
            Self {
                name,
                version: "0.1.0",
                license: Some("MIT OR Apache-2.0"),
                source: None,
                uses: Vec::new(),
            }
        }

        pub(crate) fn crates_io(name: &'static str, version: &'static str) -> Self {
            Self {
                version,
                license: Some("MIT"),
                source: Some("registry+https://github.com/rust-lang/crates.io-index"),
                ..Self::member(name)
            }
        }

        pub(crate) fn uses(mut self, name: &'static str, kind: Kind) -> Self {
            self.uses.push((name, kind));
            self
        }

        fn id(&self) -> String {
            format!("{}@{}", self.name, self.version)
        }
    }

    /// The metadata of these packages, written as cargo writes it and read back.
    pub(crate) fn metadata(made: &[Made]) -> Metadata {
        let kind = |kind: Kind| match kind {
            Kind::Normal => Value::Null,
            Kind::Build => json!("build"),
            Kind::Dev => json!("dev"),
        };
        let packages: Vec<Value> = made
            .iter()
            .map(|p| {
                let dependencies: Vec<Value> = p
                    .uses
                    .iter()
                    .map(|(name, k)| json!({"name": name, "kind": kind(*k)}))
                    .collect();
                let role = p.name.strip_prefix("draftgate-").unwrap_or(p.name);
                json!({
                    "id": p.id(), "name": p.name, "version": p.version,
                    "source": p.source, "license": p.license,
                    "manifest_path": format!("/made/crates/{role}/Cargo.toml"),
                    "dependencies": dependencies,
                })
            })
            .collect();
        let nodes: Vec<Value> = made
            .iter()
            .map(|p| {
                let deps: Vec<Value> = p
                    .uses
                    .iter()
                    .filter_map(|(name, k)| {
                        let used = made.iter().find(|other| other.name == *name)?;
                        Some(json!({"pkg": used.id(), "dep_kinds": [{"kind": kind(*k)}]}))
                    })
                    .collect();
                json!({"id": p.id(), "deps": deps})
            })
            .collect();
        let members: Vec<String> = made
            .iter()
            .filter(|p| p.source.is_none())
            .map(Made::id)
            .collect();
        let text = json!({
            "packages": packages, "workspace_members": members, "resolve": {"nodes": nodes},
        });
        Metadata::parse(&text.to_string()).unwrap()
    }

    #[test]
    fn members_are_those_cargo_names() {
        let metadata = metadata(&[
            Made::member("draftgate-core").uses("bytes", Kind::Normal),
            Made::crates_io("bytes", "1.0.0"),
        ]);
        let names: Vec<&str> = metadata.members().map(|p| p.name.as_str()).collect();
        assert_eq!(names, ["draftgate-core"]);
    }

    #[test]
    fn a_way_follows_normal_dependencies_only() {
        let metadata = metadata(&[
            Made::member("a")
                .uses("b", Kind::Normal)
                .uses("d", Kind::Dev),
            Made::member("b").uses("c", Kind::Normal),
            Made::crates_io("c", "1.0.0"),
            Made::crates_io("d", "1.0.0"),
        ]);
        let a = &metadata.packages[0];
        assert_eq!(metadata.way_to(a, "c"), Some(vec!["a", "b", "c"]));
        assert_eq!(metadata.way_to(a, "d"), None);
        assert_eq!(metadata.way_to(a, "a"), None);
    }

    #[test]
    fn metadata_without_a_graph_is_refused() {
        let text = r#"{"packages": [], "workspace_members": []}"#;
        assert!(matches!(Metadata::parse(text), Err(Failure::Metadata(_))));
    }

    #[test]
    fn the_tree_gives_names_and_versions() {
        let text = "draftgate-core v0.1.0 (/a/b)\nbytes v1.2.3\nserde_derive v1.0.0 (proc-macro)\n\nbytes v1.2.3 (*)\n";
        let expected = [
            ("bytes", "1.2.3"),
            ("draftgate-core", "0.1.0"),
            ("serde_derive", "1.0.0"),
        ];
        let expected = expected.map(|(n, v)| (n.to_owned(), v.to_owned()));
        assert_eq!(parse_tree(text), BTreeSet::from(expected));
    }
}
