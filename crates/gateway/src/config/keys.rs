//! The table of all keys, as the documentation shows it. Tests hold it to what
//! is read and to the defaults.

/// All keys, their defaults, units and reasons, as a Markdown table.
pub const KEYS_TABLE: &str = include_str!("keys.md");

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use draftgate_core::Draft;

    use super::{
        super::{Config, EMBEDDED, Environment, environment, file},
        KEYS_TABLE,
    };

    const SPOKEN: [Draft; 11] = [
        Draft::Hixie75,
        Draft::Hixie76,
        Draft::Hybi01,
        Draft::Hybi02,
        Draft::Hybi03,
        Draft::Hybi04,
        Draft::Hybi05,
        Draft::Hybi06,
        Draft::Hybi07,
        Draft::Hybi08,
        Draft::Hybi13,
    ];

    /// Key and default of each row.
    fn rows() -> Vec<(&'static str, &'static str)> {
        let cells =
            |line: &'static str| -> Vec<&'static str> { line.split('|').map(str::trim).collect() };
        KEYS_TABLE
            .lines()
            .skip(2)
            .map(|line| (cells(line)[1].trim_matches('`'), cells(line)[2]))
            .collect()
    }

    /// The defaults that are values of TOML.
    fn literal_defaults() -> impl Iterator<Item = (&'static str, &'static str)> {
        let literal = |(key, default): (&'static str, &'static str)| {
            let value = default.strip_prefix('`')?.strip_suffix('`')?;
            (!value.starts_with("limits.")).then_some((key, value))
        };
        rows().into_iter().filter_map(literal)
    }

    const BUS: &str = "service = \"bus\"\npath = \"/bus/{channel}\"";
    const PROXY: &str = "service = \"proxy\"\npath = \"/{rest}\"\nupstream = \"ws://a\"";

    fn parse(top: &str, listener: &str, service: &str, route: &str) -> Config {
        let text = format!(
            "drafts = \"all\"\n{top}\n[[listeners]]\naddress = \"127.0.0.1:8080\"\n{listener}\n[[routes]]\n{service}\n{route}"
        );
        Config::parse(&text, "a.toml", &SPOKEN, &Environment::default())
            .unwrap_or_else(|e| panic!("{e}"))
    }

    #[test]
    fn the_table_lists_what_is_read_and_nothing_else() {
        let read = file::read(EMBEDDED, "embedded", &SPOKEN, &Environment::default()).unwrap();
        let known = read.known;
        // Tables themselves have no row but those of listeners and routes.
        let known: BTreeSet<&str> = known
            .iter()
            .map(String::as_str)
            .filter(|key| {
                ![
                    "admin", "census", "http", "limits", "timeouts", "log", "policy", "record",
                ]
                .contains(key)
            })
            .collect();
        let listed: BTreeSet<&str> = rows().into_iter().map(|(key, _)| key).collect();
        assert_eq!(listed, known);
        assert_eq!(listed.len(), rows().len(), "a key stands twice");
    }

    #[test]
    fn writing_a_default_out_changes_nothing() {
        let mut checked = 0;
        for (key, value) in literal_defaults() {
            let said = |key: &str| format!("{key} = {value}");
            let service = if key.contains("upstream") { PROXY } else { BUS };
            let written = match key.split_once('.') {
                Some(("listeners", key)) => parse("", &said(key), service, ""),
                Some(("routes", key)) => parse("", "", service, &said(key)),
                _ => parse(&said(key), "", service, ""),
            };
            assert_eq!(written, parse("", "", service, ""), "{key} = {value}");
            checked += 1;
        }
        assert!(
            checked >= 30,
            "only {checked} defaults were found in the table"
        );
    }

    #[test]
    fn the_embedded_configuration_is_the_default() {
        let served: Vec<_> = draftgate_drafts::spoken().collect();
        assert_eq!(
            Config::embedded(&served, &Environment::default()).unwrap(),
            Config::default()
        );
    }

    #[test]
    fn each_variable_name_leads_to_its_key() {
        for (key, _) in rows() {
            let name = environment::variable_name(key);
            let environment = Environment::new([(name.as_str(), "1")]);
            assert_eq!(environment.variables()[0].key, key);
        }
    }
}
