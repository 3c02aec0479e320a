//! `draftgate admin census`: asked of a gateway that runs, and of the file that
//! it leaves.

use std::{fs, path::Path, time::SystemTime};

use draftgate_census::{Census, Family, Served, Store};
use draftgate_core::Draft;

use crate::child::{Ended, directory, draftgate};

const FILE: &str = "\
drafts = \"all\"
[admin]
address = \"127.0.0.1:0\"
[census]
file = \"census.json\"
[[listeners]]
address = \"127.0.0.1:0\"
[[routes]]
path = \"/tv\"
service = \"echo\"
observe = [\"hixie-76\"]
";

const DAY: u64 = 86_400;

fn now() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.unwrap().as_secs()
}

fn census(directory: &Path, arguments: &[&str]) -> Ended {
    let all = ["admin", "census"].into_iter();
    let ended = draftgate(all.chain(arguments.iter().copied()))
        .directory(directory)
        .run();
    ended.expect(0, &[]);
    ended
}

#[test]
fn a_running_gateway_says_who_speaks_what_and_its_file_too() {
    let directory = directory();
    fs::write(directory.join("gate.toml"), FILE).unwrap();
    let mut process = draftgate(["serve", "-c", "gate.toml"])
        .directory(&directory)
        .start();
    let behind = |line: String, mark: &str| {
        let (_, rest) = line.split_once(mark).unwrap();
        rest.split(['/', ' ', '\n']).next().unwrap().to_owned()
    };
    let address = behind(process.stdout.line_with("ws://127.0.0.1:"), "ws://");
    let admin = behind(process.stdout.line_with("admin http://"), "admin http://");
    for draft in draftgate_drafts::announced() {
        let url = format!("ws://{address}/tv");
        draftgate([
            "connect",
            "--draft",
            draft.name(),
            "-x",
            "hello",
            "--count",
            "1",
            &url,
        ])
        .run()
        .expect(0, &[]);
    }
    let asked = census(&directory, &["--address", &admin]);
    for draft in draftgate_drafts::announced() {
        let sentence = format!("\n{draft} on /tv: ");
        assert!(
            asked.stdout.contains(&sentence),
            "{draft}: {}",
            asked.stdout
        );
    }
    let observed =
        "  Observed: switched off, it would have refused 1 connection of 1 family in 1 day";
    assert!(asked.stdout.contains(observed), "{}", asked.stdout);
    let one = census(
        &directory,
        &["--address", &admin, "--draft", "76", "--path", "/tv"],
    );
    assert_eq!(one.stdout.matches(" on /tv").count(), 1, "{}", one.stdout);
    let json = census(&directory, &["--address", &admin, "--format", "json"]);
    let report: serde_json::Value = serde_json::from_str(&json.stdout).unwrap();
    assert_eq!(report["places"][0]["opened"], 1);
    let unused = census(&directory, &["--address", &admin, "--unused", "1d"]);
    assert_eq!(
        unused.stdout,
        "Each draft was used within 1 day on its route.\n"
    );

    process.signal("TERM");
    process.finish().expect(0, &[]);
    let read = census(&directory, &["--file", "census.json"]);
    let sentence = "\nhixie-76 on /tv: 1 at most (";
    assert!(read.stdout.contains(sentence), "{}", read.stdout);
    assert!(read.stdout.contains("nothing can be said of 90 days"));
}

#[test]
fn a_draft_that_nobody_used_for_90_days_is_named() {
    let directory = directory();
    let began = now() - 100 * DAY;
    let mut census_then = Census::new(began);
    let served = [Draft::Hixie75, Draft::Hixie76, Draft::Hybi13];
    census_then.serves(served.map(|draft| Served::new(draft, "/tv")), began);
    let store = Store::new(directory.join("census.json"));
    let nothing = census_then.take_unsaved(began);
    store
        .save(&nothing, Some(census_then.served()), began)
        .unwrap();
    let family = Family::of(b"GET /tv HTTP/1.1\r\nUser-Agent: HbbTV/1.1.1 (;LGE;a)\r\n\r\n");
    for (draft, days) in [(Draft::Hixie76, 95), (Draft::Hybi13, 2)] {
        let at = now() - days * DAY;
        let opened = census_then.opened(draft, "/tv", &family, at);
        census_then.closed(&opened, at);
    }
    let unsaved = census_then.take_unsaved(now());
    let served = census_then.served();
    store.save(&unsaved, Some(served), now()).unwrap();
    let unused = census(&directory, &["--file", "census.json", "--unused", "90d"]);
    for sentence in [
        "\nNobody has used hixie-75 on /tv for 90 days.\n",
        "\nNobody has used hixie-76 on /tv for 90 days (last seen on 20",
    ] {
        assert!(unused.stdout.contains(sentence), "{}", unused.stdout);
    }
    assert!(!unused.stdout.contains("hybi-13"), "{}", unused.stdout);
    let all = census(&directory, &["--file", "census.json"]);
    let used = "last seen 2 days ago; 1 connection: HbbTV 1.1 (LGE) 1.\n";
    assert!(all.stdout.contains(used), "{}", all.stdout);
}

#[test]
fn what_is_no_census_is_said() {
    let directory = directory();
    fs::write(directory.join("no.json"), "{}").unwrap();
    for (file, said) in [
        ("no.json", "no.json is no census: "),
        ("nowhere.json", "there is no census in nowhere.json: "),
    ] {
        draftgate(["admin", "census", "--file", file])
            .directory(&directory)
            .run()
            .expect(1, &[said]);
    }
    draftgate(["admin", "census", "--unused", "91d"])
        .run()
        .expect(2, &["write a number of days from 1 to 90"]);
    assert!(
        directory.join("no.json").exists(),
        "reading changes nothing"
    );
}
