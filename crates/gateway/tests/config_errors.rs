//! What wrong configuration files are told, to the letter.
//!
//! Each `config_errors/NAME.toml` is a file with mistakes, and `NAME.txt` the
//! whole report that it must get. What files share lives here; rules of single
//! types are tested beside them.

use std::{collections::BTreeMap, fs, path::Path};

use draftgate_core::Draft;
use draftgate_gateway::config::{Config, ConfigError, Environment, Mistakes};

const SPOKEN: [Draft; 3] = [Draft::Hixie75, Draft::Hixie76, Draft::Hybi13];

fn mistakes(text: &str, name: &str, variables: &[(&str, &str)]) -> Mistakes {
    let environment = Environment::new(variables.iter().copied());
    match Config::parse(text, name, &SPOKEN, &environment) {
        Err(ConfigError::Mistakes(mistakes)) => mistakes,
        other => panic!("{name} should have mistakes, but: {other:?}"),
    }
}

#[test]
fn each_wrong_file_gets_its_report() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config_errors");
    let mut files: BTreeMap<String, [Option<String>; 2]> = BTreeMap::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let kind = match path.extension().and_then(|e| e.to_str()) {
            Some("toml") => 0,
            Some("txt") => 1,
            _ => panic!("{} is neither a file nor a report", path.display()),
        };
        files.entry(stem).or_default()[kind] = Some(fs::read_to_string(&path).unwrap());
    }
    assert!(files.len() >= 15, "only {} files", files.len());
    for (stem, [file, report]) in files {
        let file = file.unwrap_or_else(|| panic!("{stem}.toml is missing"));
        let report = report.unwrap_or_else(|| panic!("{stem}.txt is missing"));
        let got = mistakes(&file, &format!("{stem}.toml"), &[]).to_string();
        let fence = "~".repeat(60);
        assert!(
            got.trim_end() == report.trim_end(),
            "{stem}.toml\nexpected\n{fence}\n{report}\n{fence}\ngot\n{fence}\n{got}\n{fence}"
        );
    }
}

#[test]
fn a_file_cut_anywhere_is_read_or_reported() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/config_errors");
    let mut reports = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "toml") {
            continue;
        }
        let text = fs::read_to_string(path).unwrap();
        for (at, _) in text.char_indices() {
            for cut in [&text[..at], &text[at..]] {
                if let Err(error) = Config::parse(cut, "cut.toml", &SPOKEN, &Environment::default())
                {
                    assert!(error.to_string().starts_with("error: "), "{cut}");
                    reports += 1;
                }
            }
        }
    }
    assert!(reports > 3_000, "{reports}");
}

#[test]
fn variables_are_reported_with_their_names_and_values() {
    let wrong = |name: &str, value: &str| mistakes(FILE, "gate.toml", &[(name, value)]).to_string();
    assert_eq!(
        wrong("DRAFTGATE_LIMITS__MESSAGE", "16MB"),
        "\
error: `message` is no size: `MB` is no unit here: write one of `B`, `KiB`, `MiB`, `GiB`; did you mean `16MiB`?
 --> environment:1:27
  |
1 | DRAFTGATE_LIMITS__MESSAGE=16MB
  |                           ^^^^"
    );
    assert_eq!(
        wrong("DRAFTGATE_LIMIT__MESAGE", "1MiB"),
        "\
error: no setting is named `DRAFTGATE_LIMIT__MESAGE`
 --> environment:1:1
  |
1 | DRAFTGATE_LIMIT__MESAGE=1MiB
  | ^^^^^^^^^^^^^^^^^^^^^^^
  |
  = help: did you mean `DRAFTGATE_LIMITS__MESSAGE`?"
    );
    for name in [
        "DRAFTGATE_LISTENERS__ADDRESS",
        "DRAFTGATE_ROUTES",
        "DRAFTGATE_LIMITS",
    ] {
        let report = wrong(name, "1");
        assert!(report.contains("help: a variable sets one key"), "{report}");
    }
    let report = wrong("DRAFTGATE_WINDOW_COLOUR", "red");
    assert!(
        report.contains("help: variables set `DRAFTGATE_ADMIN__ADDRESS`,"),
        "{report}"
    );
}

#[test]
fn the_environment_wins_over_the_file_and_the_file_over_the_default() {
    let config = |variables: &[(&str, &str)]| {
        let environment = Environment::new(variables.iter().copied());
        Config::parse(FILE, "gate.toml", &SPOKEN, &environment).unwrap_or_else(|e| panic!("{e}"))
    };
    let plain = config(&[
        ("PATH", "/bin"),
        ("DRAFTGATE_CONFIG", "x"),
        ("DRAFTGATE_FOREIGN", "y"),
    ]);
    assert_eq!(plain.routes[0].limits.message, 1 << 20, "the file");
    assert_eq!(plain.routes[0].limits.frame, 16 << 20, "the default");
    for value in ["2MiB", "\"2MiB\"", "2097152"] {
        let config = config(&[("DRAFTGATE_LIMITS__MESSAGE", value)]);
        assert_eq!(config.routes[0].limits.message, 2 << 20, "{value}");
        assert_eq!(
            config.routes[1].limits.message,
            3 << 20,
            "what a route says of itself stands"
        );
    }
    for (value, drafts) in [
        ("all", SPOKEN.to_vec()),
        ("13", vec![Draft::Hybi13]),
        ("rfc6455, hybi-00", vec![Draft::Hixie76, Draft::Hybi13]),
        ("[\"75\"]", vec![Draft::Hixie75]),
    ] {
        assert_eq!(
            config(&[("DRAFTGATE_DRAFTS", value)]).routes[0].drafts,
            drafts,
            "{value}"
        );
    }
    for (value, origins) in [
        ("missing", "missing"),
        (
            "https://example.com, missing",
            "https://example.com, missing",
        ),
        ("[\"null\", \"missing\"]", "null, missing"),
    ] {
        let config = config(&[("DRAFTGATE_ORIGINS", value)]);
        assert_eq!(config.routes[0].origins.to_string(), origins, "{value}");
    }
    let config = config(&[
        ("DRAFTGATE_LOG__ACCESS", "false"),
        ("DRAFTGATE_TIMEOUTS__IDLE", "off"),
        ("DRAFTGATE_ORIGINS", "any"),
    ]);
    assert!(!config.log.access);
    assert_eq!(config.listeners[0].timeouts.idle, None);
    assert_eq!(config.routes[0].origins.to_string(), "any");
}

#[test]
fn a_mistake_has_a_line_a_column_and_one_line_of_text() {
    let mistakes = mistakes(
        "drafts = \"all\"\n\"ü\" = 1\nroutes = [{ path = \"/\", servce = \"echo\" }]",
        "a.toml",
        &[],
    );
    let found: Vec<_> = mistakes
        .problems()
        .iter()
        .map(|problem| {
            (
                mistakes.line_and_column(problem),
                problem.message().to_owned(),
            )
        })
        .collect();
    let expected = [
        (Some((2, 1)), "unknown key `ü` at the top of the file"),
        (Some((3, 11)), "a route lacks `service`"),
        (Some((3, 25)), "unknown key `servce` in `[[routes]]`"),
    ];
    assert_eq!(
        found,
        expected.map(|(place, message)| (place, message.to_owned()))
    );
    assert!(
        mistakes.render(true).contains("\u{1b}["),
        "colours on a terminal"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Config::load(
        Path::new("/nowhere/gate.toml"),
        &SPOKEN,
        &Environment::default(),
    )
    .unwrap_err();
    let said = error.to_string();
    assert!(
        said.starts_with("cannot read the configuration file /nowhere/gate.toml: "),
        "{said}"
    );
}

const FILE: &str = "
drafts = \"all\"
limits.message = \"1MiB\"
[[routes]]
path = \"/echo\"
service = \"echo\"
[[routes]]
path = \"/bus/{channel}\"
service = \"bus\"
limits.message = \"3MiB\"
";
