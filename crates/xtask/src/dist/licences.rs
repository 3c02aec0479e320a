//! The licences of what is linked into the binary, which most of them demand to be
//! handed on with it. Gathered from the sources that were compiled: each text once,
//! with the packages under it. A list kept by hand would be wrong after the next
//! update.

use std::collections::BTreeMap;
use std::path::Path;

use super::stage;
use crate::command::Command;
use crate::failure::Failure;
use crate::metadata::{Metadata, Package, parse_tree};

/// How the names of files begin that hold a licence or belong to one.
const NAMES: [&str; 5] = ["LICENSE", "LICENCE", "COPYING", "NOTICE", "COPYRIGHT"];

/// All of them, whichever features the binary has: a licence too many harms nobody.
///
/// # Errors
/// cargo fails, or a file cannot be read.
pub(super) fn all() -> Result<String, Failure> {
    let tree = Command::cargo("tree")
        .args(["--package", "draftgate", "--locked", "--edges", "normal"])
        .args(["--prefix", "none", "--format", "{p}", "--all-features"])
        .read_stdout()?;
    let linked = parse_tree(&tree);
    let metadata = Metadata::read()?;
    let foreign = metadata.packages.iter().filter(|package| {
        package.source.is_some()
            && linked.contains(&(package.name.clone(), package.version.clone()))
    });
    let mut text = "draftgate is linked with these packages:\n\n".to_owned();
    let mut texts: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for package in foreign {
        let name = format!("{} {}", package.name, package.version);
        let licence = package.license.as_deref().unwrap_or("see below");
        text += &format!("{name}: {licence}\n");
        for found in files(package)? {
            texts.entry(found).or_default().push(name.clone());
        }
    }
    for (licence, packages) in texts {
        let rule = "=".repeat(72);
        text += &format!("\n{rule}\n{}\n{rule}\n\n{licence}\n", packages.join(", "));
    }
    Ok(text)
}

/// What stands in the package's files about its licence.
fn files(package: &Package) -> Result<Vec<String>, Failure> {
    let folder = Path::new(&package.manifest_path)
        .parent()
        .unwrap_or_else(|| Path::new("/"));
    let paths = stage::entries(folder)?.into_iter().filter(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let name = name.to_uppercase();
        path.is_file() && NAMES.iter().any(|known| name.starts_with(known))
    });
    paths
        .map(|path| Ok(stage::read(&path)?.trim().to_owned()))
        .collect()
}
