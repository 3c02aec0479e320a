//! What may be compiled into this workspace: under which licences, from where,
//! and how often. `cargo deny` does the same and much more; these three rules are
//! small enough to need no further program on a fresh machine. What is allowed
//! stands in [`crate::allowed`].

use std::collections::{BTreeMap, BTreeSet};

use spdx::{Expression, LicenseItem, ParseMode};

use crate::allowed::{Duplicate, OUR_LICENSE, REGISTRY};
use crate::metadata::{Metadata, Package};

/// Everything wrong with the packages that are really compiled, given as
/// `(name, version)`; one sentence each.
pub(crate) fn check(
    metadata: &Metadata,
    compiled: &BTreeSet<(String, String)>,
    licenses: &[&str],
    duplicates: &[Duplicate],
) -> Vec<String> {
    let packages: Vec<&Package> = metadata
        .packages
        .iter()
        .filter(|p| compiled.contains(&(p.name.clone(), p.version.clone())))
        .collect();
    let mut findings = Vec::new();
    for package in &packages {
        let ours = metadata.workspace_members.contains(&package.id);
        findings.extend(source(package, ours));
        findings.extend(license(package, ours, licenses));
    }
    findings.extend(repeated(&packages, duplicates));
    findings
}

/// Every package comes from one registry; ours from the workspace.
fn source(package: &Package, ours: bool) -> Option<String> {
    match package.source.as_deref() {
        Some(REGISTRY) => None,
        Some(other) => Some(format!(
            "{} {} comes from {other}: only crates.io is allowed",
            package.name, package.version
        )),
        None if ours => None,
        None => Some(format!(
            "{} {} comes from a folder that is not part of the workspace ({})",
            package.name, package.version, package.manifest_path
        )),
    }
}

fn license(package: &Package, ours: bool, allowed: &[&str]) -> Option<String> {
    let id = format!("{} {}", package.name, package.version);
    let Some(text) = package.license.as_deref() else {
        return Some(format!(
            "{id} names no licence: add `license` to its manifest, or do without it"
        ));
    };
    if ours {
        return (text != OUR_LICENSE)
            .then(|| format!("{id} is under {text}; our crates are under {OUR_LICENSE}"));
    }
    // Lax: older manifests write `MIT/Apache-2.0` for OR.
    let expression = match Expression::parse_mode(text, ParseMode::LAX) {
        Ok(expression) => expression,
        Err(e) => return Some(format!("{id}: `{text}` is no SPDX expression: {e}")),
    };
    let passes = expression.evaluate(|wanted| {
        let LicenseItem::Spdx { id, .. } = &wanted.license else {
            return false; // `LicenseRef-…`: a text that nobody here has read
        };
        let name = match &wanted.addition {
            Some(addition) => format!("{} WITH {addition}", id.name),
            None => id.name.to_owned(),
        };
        allowed.contains(&name.as_str())
    });
    (!passes).then(|| {
        format!(
            "{id} is under `{text}`, which is not allowed: do without it, or add the licence to \
             crates/xtask/src/allowed.rs after reading it"
        )
    })
}

/// Incompatible versions of one crate, which are compiled and shipped twice.
fn repeated(packages: &[&Package], allowed: &[Duplicate]) -> Vec<String> {
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        versions
            .entry(&package.name)
            .or_default()
            .insert(compatible(&package.version));
    }
    versions.retain(|_, versions| versions.len() > 1);

    let mut findings = Vec::new();
    for (name, found) in &versions {
        let found: Vec<&str> = found.iter().copied().collect();
        match allowed.iter().find(|duplicate| duplicate.name == *name) {
            None => findings.push(format!(
                "{name} is compiled in {} incompatible versions ({}); `cargo tree --workspace \
                 --invert {name}@VERSION` shows why: agree on one, or name it with the reason in \
                 crates/xtask/src/allowed.rs",
                found.len(),
                found.join(", ")
            )),
            Some(duplicate) if duplicate.versions != found => findings.push(format!(
                "{name} is allowed in versions {}, but compiled in {}: correct it in \
                 crates/xtask/src/allowed.rs",
                duplicate.versions.join(", "),
                found.join(", ")
            )),
            Some(duplicate) if duplicate.reason.trim().is_empty() => findings.push(format!(
                "{name} is allowed twice without a reason: say it in crates/xtask/src/allowed.rs"
            )),
            Some(_) => {}
        }
    }
    for duplicate in allowed {
        if !versions.contains_key(duplicate.name) {
            findings.push(format!(
                "{} is no longer compiled twice: remove it from crates/xtask/src/allowed.rs",
                duplicate.name
            ));
        }
    }
    findings
}

/// The part of a version that cargo takes for incompatible when it differs: up to
/// and with the first number that is not 0.
fn compatible(version: &str) -> &str {
    let numbers = version.split(['-', '+']).next().unwrap_or(version);
    let mut end = 0;
    for number in numbers.split('.') {
        end += number.len();
        if number != "0" {
            break;
        }
        end += 1; // the dot
    }
    &numbers[..end.min(numbers.len())]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::tests::{Made, metadata};

    const LICENSES: [&str; 3] = ["MIT", "Unicode-3.0", "Apache-2.0 WITH LLVM-exception"];

    /// The findings when all of these packages are compiled.
    fn findings(made: &[Made], duplicates: &[Duplicate]) -> Vec<String> {
        let compiled = made
            .iter()
            .map(|p| (p.name.to_owned(), p.version.to_owned()))
            .collect();
        check(&metadata(made), &compiled, &LICENSES, duplicates)
    }

    fn licensed(license: Option<&'static str>) -> Vec<String> {
        let mut made = Made::crates_io("a", "1.0.0");
        made.license = license;
        findings(&[made], &[])
    }

    #[test]
    fn an_allowed_licence_passes() {
        for license in [
            "MIT",
            "MIT OR GPL-3.0-only",
            "GPL-3.0-only/MIT",
            "(MIT OR Apache-2.0) AND Unicode-3.0",
            "Apache-2.0 WITH LLVM-exception",
        ] {
            assert_eq!(licensed(Some(license)), Vec::<String>::new(), "{license}");
        }
    }

    #[test]
    fn a_licence_not_allowed_fails() {
        for license in [
            "GPL-3.0-only",
            "MIT AND GPL-3.0-only",
            "MIT AND (GPL-3.0-only OR Apache-2.0)",
            "Apache-2.0",
            "MIT WITH LLVM-exception",
            "GPL-2.0-or-later",
            "LicenseRef-own",
        ] {
            let found = licensed(Some(license));
            assert_eq!(found.len(), 1, "{license}");
            assert!(found[0].contains("not allowed"), "{found:?}");
        }
    }

    #[test]
    fn a_licence_that_is_no_expression_or_missing_fails() {
        assert!(licensed(Some("do what you want"))[0].contains("no SPDX expression"));
        assert!(licensed(None)[0].contains("names no licence"));
    }

    #[test]
    fn our_own_crates_carry_our_own_licence() {
        assert_eq!(findings(&[Made::member("a")], &[]), Vec::<String>::new());
        let mut made = Made::member("a");
        made.license = Some("MIT");
        assert!(findings(&[made], &[])[0].contains("our crates are under"));
    }

    #[test]
    fn another_registry_or_git_fails() {
        for other in [
            "registry+https://example.net/index",
            "git+https://example.net/a#0123456789abcdef",
        ] {
            let mut made = Made::crates_io("a", "1.0.0");
            made.source = Some(other);
            let found = findings(&[made], &[]);
            assert_eq!(found.len(), 1);
            assert!(found[0].contains(other), "{found:?}");
        }
    }

    #[test]
    fn a_folder_outside_the_workspace_fails() {
        let made = [Made::member("a")];
        let mut known = metadata(&made);
        known.workspace_members.clear();
        let compiled = BTreeSet::from([("a".to_owned(), "0.1.0".to_owned())]);
        let found = check(&known, &compiled, &["MIT"], &[]);
        assert!(found[0].contains("not part of the workspace"), "{found:?}");
    }

    #[test]
    fn incompatible_versions_fail_unless_named() {
        let made = || [Made::crates_io("a", "1.2.0"), Made::crates_io("a", "2.0.1")];
        assert!(findings(&made(), &[])[0].contains("2 incompatible versions (1, 2)"));
        let duplicate = |versions, reason| Duplicate {
            name: "a",
            versions,
            reason,
        };
        let named = findings(&made(), &[duplicate(&["1", "2"], "b is not there yet")]);
        assert_eq!(named, Vec::<String>::new());
        let without_reason = findings(&made(), &[duplicate(&["1", "2"], " ")]);
        assert!(without_reason[0].contains("without a reason"));
        let others = findings(&made(), &[duplicate(&["1", "3"], "b is not there yet")]);
        assert!(others[0].contains("versions 1, 3, but compiled in 1, 2"));
    }

    #[test]
    fn a_duplicate_that_is_gone_fails() {
        let duplicate = Duplicate {
            name: "a",
            versions: &["1", "2"],
            reason: "b is not there yet",
        };
        let found = findings(&[Made::crates_io("a", "2.0.0")], &[duplicate]);
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("no longer compiled twice"));
    }

    #[test]
    fn what_is_not_compiled_is_not_judged() {
        let mut made = Made::crates_io("a", "1.0.0");
        made.license = Some("GPL-3.0-only");
        let known = metadata(&[made]);
        let found = check(&known, &BTreeSet::new(), &LICENSES, &[]);
        assert_eq!(found, Vec::<String>::new());
    }

    #[test]
    fn the_first_number_not_zero_decides_what_is_compatible() {
        for (version, expected) in [
            ("1.2.3", "1"),
            ("0.2.3", "0.2"),
            ("0.0.3", "0.0.3"),
            ("0.0.0", "0.0.0"),
            ("12.0.0-rc.1", "12"),
            ("0.6.0+spec-1.1.0", "0.6"),
        ] {
            assert_eq!(compatible(version), expected, "{version}");
        }
    }
}
