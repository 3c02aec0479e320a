//! Every client of the archive has the family that it is known to be of: the
//! tables are held to requests that were recorded.

#![allow(clippy::unwrap_used, reason = "in a test, a panic is the report")]

use std::{collections::BTreeMap, fs, path::Path};

use draftgate_census::Family;
use draftgate_core::Role;

const SNAPSHOT: &str = "tests/families.txt";

#[test]
fn each_recorded_client_has_its_family() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let archive = folder.join("../../interop-vectors");
    let mut families: BTreeMap<String, BTreeMap<String, usize>> = BTreeMap::new();
    for vector in draftgate_vectors::load_dir(archive).unwrap() {
        if vector.about.kind == draftgate_vectors::Kind::Constructed {
            continue;
        }
        let Some(head) = vector.head(Role::Client) else {
            continue;
        };
        let family = Family::of(head.octets());
        let mark = if family.known { "" } else { " (in no table)" };
        let client = format!("{}, {}", vector.about.draft, vector.about.client);
        let seen = families
            .entry(format!("{}{mark}", family.name))
            .or_default();
        *seen.entry(client).or_default() += 1;
    }
    let mut text = String::new();
    for (family, clients) in families {
        text += &format!("{family}\n");
        for client in clients.keys() {
            text += &format!("    {client}\n");
        }
    }
    let snapshot = folder.join(SNAPSHOT);
    if std::env::var_os("WRITE_SNAPSHOTS").is_some() {
        fs::write(&snapshot, &text).unwrap();
    }
    let expected = fs::read_to_string(&snapshot).unwrap();
    assert!(
        text == expected,
        "{SNAPSHOT} differs: look at what WRITE_SNAPSHOTS=1 makes of it\n{text}"
    );
}
