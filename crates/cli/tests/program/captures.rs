//! `draftgate vectors export` and `import`: files in, files out, what is said
//! and the exit codes. What a capture holds is tried beside the library.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use draftgate_core::Role;
use draftgate_vectors::{Vector, load_dir};

use crate::child::{directory, draftgate};

fn archive() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors")
}

/// `draftgate vectors …` in `folder`.
fn vectors(folder: &Path, arguments: &[&str], input: &[u8]) -> crate::child::Ended {
    let arguments = ["vectors"].iter().chain(arguments).copied();
    draftgate(arguments).directory(folder).run_with(input)
}

/// A folder with `a.pcapng`, which is what `exchanges` are as a capture.
fn exported(exchanges: &str) -> PathBuf {
    let folder = directory();
    let from = archive().join(exchanges);
    let ended = vectors(
        &folder,
        &["export", from.to_str().unwrap(), "-o", "a.pcapng"],
        b"",
    );
    ended.expect(0, &[]);
    assert!(
        ended.stdout.contains("a connection each, in a.pcapng"),
        "{}",
        ended.stdout
    );
    folder
}

/// How often each pair of streams is there.
fn streams(exchanges: &[Vector]) -> BTreeMap<(Vec<u8>, Vec<u8>), usize> {
    let mut streams = BTreeMap::new();
    for it in exchanges {
        let both = [Role::Client, Role::Server].map(|side| it.octets(side).to_vec());
        *streams.entry(both.into()).or_default() += 1;
    }
    streams
}

#[test]
fn a_draft_of_the_archive_is_exported_and_imported() {
    for draft in draftgate_drafts::announced() {
        let folder = exported(draft.name());
        let ended = vectors(
            &folder,
            &[
                "import",
                "a.pcapng",
                "-o",
                "out",
                "--port",
                "80",
                "--draft",
                draft.name(),
                "--keep-secrets",
            ],
            b"",
        );
        let mut had = load_dir(archive().join(draft.name())).unwrap();
        // Of an exchange without octets there is nothing to capture.
        had.retain(|it| !it.octets(Role::Client).is_empty() || !it.octets(Role::Server).is_empty());
        ended.expect(0, &[]);
        let has = load_dir(folder.join("out")).unwrap();
        assert_eq!(streams(&has), streams(&had), "{draft}");
        let said = format!("{} exchanges, in out", had.len());
        assert!(ended.stdout.contains(&said), "{said}: {}", ended.stdout);
        // Two that differ in the archive by what is known about them are the same now.
        let checked = vectors(&folder, &["check", "out"], b"");
        let same = |line: &str| line.ends_with("remove one of the two");
        let fine = checked.code == Some(0) || checked.stdout.lines().all(same);
        assert!(fine, "{checked:?}");
    }
}

#[test]
fn a_capture_may_come_through_a_pipe_and_leave_through_one() {
    let folder = exported("hybi-13");
    let from = archive().join("hybi-13");
    let out = draftgate(["vectors", "export", from.to_str().unwrap(), "-o", "-"]);
    // Its output is no text, so only its end is looked at here.
    out.run_until_first_line(|| {});
    let capture = fs::read(folder.join("a.pcapng")).unwrap();
    vectors(&folder, &["import", "-", "-o", "out"], &capture).expect(0, &[]);
    assert!(!load_dir(folder.join("out")).unwrap().is_empty());
}

#[test]
fn what_is_left_out_is_said_with_its_reason() {
    let folder = exported("hybi-13");
    let ended = vectors(
        &folder,
        &[
            "import",
            "a.pcapng",
            "-o",
            "small",
            "--max-connection",
            "1500B",
        ],
        b"",
    );
    ended.expect(1, &["a bound left connections out"]);
    for said in [
        "larger than a connection may be",
        "198.51.100.1:491",
        "to 192.0.2.80:80",
    ] {
        assert!(ended.stdout.contains(said), "{said}: {}", ended.stdout);
    }
    assert!(
        !load_dir(folder.join("small")).unwrap().is_empty(),
        "the others are whole"
    );
}

#[test]
fn what_is_there_already_stays_as_it_is() {
    let folder = exported("hybi-13");
    vectors(&folder, &["import", "a.pcapng", "-o", "out"], b"").expect(0, &[]);
    let before = streams(&load_dir(folder.join("out")).unwrap());
    let again = vectors(&folder, &["import", "a.pcapng", "-o", "out"], b"");
    again.expect(
        1,
        &[
            "is there already and stays as it is",
            "an exchange was not written",
        ],
    );
    assert_eq!(streams(&load_dir(folder.join("out")).unwrap()), before);
}

#[test]
fn a_file_that_is_broken_is_named_and_what_it_has_is_imported() {
    let folder = exported("hybi-13");
    let capture = fs::read(folder.join("a.pcapng")).unwrap();
    fs::write(folder.join("cut.pcapng"), &capture[..capture.len() - 3]).unwrap();
    let cut = vectors(&folder, &["import", "cut.pcapng", "-o", "cut"], b"");
    cut.expect(
        1,
        &[
            "cut.pcapng: it ends in the midst of a packet",
            "not be read to its end",
        ],
    );
    assert!(!load_dir(folder.join("cut")).unwrap().is_empty());

    fs::write(folder.join("text"), "no capture, but a line of text").unwrap();
    vectors(
        &folder,
        &["import", "text", "-o", "x", "--port", "http"],
        b"",
    )
    .expect(2, &["write a number from 1 to 65535"]);
    let text = vectors(&folder, &["import", "text", "-o", "none"], b"");
    text.expect(
        1,
        &[
            "text: it is neither pcap nor pcapng",
            "no WebSocket connection",
        ],
    );
    vectors(&folder, &["import", "missing", "-o", "none"], b"")
        .expect(1, &["missing: cannot be opened"]);
    vectors(&folder, &["import", "text"], b"").expect(2, &["--output"]);
    vectors(&folder, &["export", "missing", "-o", "b"], b"").expect(1, &["missing"]);
    let into = vectors(
        &folder,
        &[
            "export",
            archive().join("hybi-13").to_str().unwrap(),
            "-o",
            "no/such/b",
        ],
        b"",
    );
    into.expect(1, &["cannot write no/such/b"]);
}

#[test]
fn secrets_do_not_reach_the_files_unless_asked() {
    let folder = directory();
    let request = "GET / HTTP/1.1\\r\\nHost: h\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\nCookie: s3cret=1\\r\\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\\r\\nSec-WebSocket-Version: 13\\r\\n\\r\\n";
    let octets = request.replace("\\r\\n", "\r\n");
    let exchange = format!(
        "format = 1\n[about]\ndraft = \"hybi-13\"\nkind = \"captured\"\nrole = \"both\"\nscenario = \"s\"\n\
         client = \"c\"\nserver = \"s\"\nsource = \"a test\"\n[about.streams]\n\
         client = {{ octets = {}, sha256 = \"{}\" }}\nserver = {{ octets = 1, sha256 = \"{}\" }}\n\
         [[step]]\nfrom = \"client\"\ntext = \"{request}\"\n[[step]]\nfrom = \"server\"\ntext = \"x\"\n\
         [expect.server]\nunstated = \"a test\"\n[expect.client]\nunstated = \"a test\"\n",
        octets.len(),
        draftgate_vectors::Stream::of(octets.as_bytes()).sha256,
        draftgate_vectors::Stream::of(b"x").sha256,
    );
    fs::write(folder.join("a.toml"), exchange).unwrap();
    vectors(&folder, &["export", "a.toml", "-o", "a.pcapng"], b"").expect(0, &[]);
    for (arguments, kept) in [(&[][..], false), (&["--keep-secrets"], true)] {
        let out = format!("out-{kept}");
        let all = [&["import", "a.pcapng", "-o", &out], arguments].concat();
        vectors(&folder, &all, b"").expect(0, &[]);
        let [one] = &load_dir(folder.join(out)).unwrap()[..] else {
            panic!("not one exchange");
        };
        let cookie = one
            .head(Role::Client)
            .unwrap()
            .field("Cookie")
            .map(str::to_owned);
        assert_eq!(cookie.as_deref() == Some("s3cret=1"), kept, "{cookie:?}");
    }
}
