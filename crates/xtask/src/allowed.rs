//! What [`crate::bans`] allows. Every entry is a decision of ours, so it is kept
//! apart from the rules and carries its reason.

/// The licence of every crate of the workspace.
pub(crate) const OUR_LICENSE: &str = "MIT OR Apache-2.0";

/// The one registry, as cargo writes it, sparse or not.
pub(crate) const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Licences that a dependency may have: permissive ones, which ask for no more
/// than to be named.
pub(crate) const LICENSES: [&str; 6] = [
    "Apache-2.0",
    "BSD-3-Clause",
    "ISC",
    "MIT",
    "Unicode-3.0", // the tables in unicode-ident
    "Zlib",        // zlib-rs; notices stay, changed versions say so
];

/// One crate that is compiled in several incompatible versions, and why.
#[derive(Debug)]
pub(crate) struct Duplicate {
    pub(crate) name: &'static str,
    /// The parts of the versions that differ (`1`, `0.2`), in the order of text.
    pub(crate) versions: &'static [&'static str],
    pub(crate) reason: &'static str,
}

/// The duplicates that cannot be helped today.
pub(crate) const DUPLICATES: &[Duplicate] = &[
    Duplicate {
        name: "base64",
        versions: &["0.22", "0.23"],
        reason: "jsonwebtoken and what reads its keys still build on 0.22; it is tables and loops",
    },
    Duplicate {
        name: "getrandom",
        versions: &["0.2", "0.4"],
        reason: "ring still builds on 0.2; it is a call to the system and little else",
    },
    Duplicate {
        name: "rand",
        versions: &["0.10", "0.8"],
        reason: "fastwebsockets still builds on rand 0.8; it is measured against and never shipped",
    },
    Duplicate {
        name: "rand_core",
        versions: &["0.10", "0.6"],
        reason: "fastwebsockets still builds on rand 0.8; it is measured against and never shipped",
    },
    Duplicate {
        name: "syn",
        versions: &["2", "3"],
        reason: "tracing-attributes still builds on 2, every other derive on 3; it runs in the \
                 compiler only",
    },
    Duplicate {
        name: "thiserror",
        versions: &["1", "2"],
        reason: "ppp and fastwebsockets still build on 1, everything else on 2; it is traits and a \
                 derive",
    },
    Duplicate {
        name: "thiserror-impl",
        versions: &["1", "2"],
        reason: "the derive of thiserror; it runs in the compiler only",
    },
];
