//! Where the admin listener of a running gateway is, for those who ask it.
//!
//! Of the configuration this reads the table `admin` and nothing else: one asks
//! a gateway just when its file is wrong, and as somebody who may not read its
//! keys. So mistakes elsewhere are no concern here, not even in the TOML.

use std::{fs, net::SocketAddr, path::Path};

use toml::de::DeTable;

use super::{
    Admin, ConfigError, Environment, Mistakes, Token, file::not_toml, http::token,
    problem::Problem, reader::Reader, shown::without_secrets,
};

/// What is to be found out, and what a configuration says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdminSought {
    /// Where it listens; by default where it does by default.
    pub address: SocketAddr,
    /// What it wants to be shown, if that was asked for.
    pub token: Option<Token>,
}

impl AdminSought {
    /// What the file `path` and `environment` say; without a file, the
    /// environment alone. The token is looked for `with_token`.
    ///
    /// # Errors
    /// The file cannot be read, or what it says of the admin listener cannot.
    pub fn load(
        path: Option<&Path>,
        environment: &Environment,
        with_token: bool,
    ) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(read("", "(built in)", environment, with_token)?);
        };
        let name = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Ok(read(&text, &name, environment, with_token)?),
            Err(source) => Err(ConfigError::Read { name, source }),
        }
    }
}

fn read(
    text: &str,
    name: &str,
    environment: &Environment,
    with_token: bool,
) -> Result<AdminSought, Mistakes> {
    let (tree, errors) = DeTable::parse_recoverable(text);
    let mut problems: Vec<Problem> = Vec::new();
    if !tree.get_ref().contains_key("admin") {
        // Whether it would be there cannot be known.
        problems.extend(errors.iter().map(not_toml));
    } else {
        problems.extend(errors.iter().filter(|it| is_ours(text, it)).map(not_toml));
    }
    let reader = Reader::new(environment);
    let mut top = reader.top(tree.get_ref());
    let mut address = Admin::default().address;
    let mut table = top.table("admin", "admin");
    table.set("address", &mut address);
    let token = match with_token {
        true => token(&mut table),
        false => None,
    };
    // The others are the gateway's alone, but must be known not to be slips.
    for key in ["token", "token-file", "open-metrics", "handshakes"] {
        table.said(key);
    }
    table.finish();
    problems.extend(reader.problems());
    match problems.is_empty() {
        true => Ok(AdminSought { address, token }),
        false => Err(Mistakes {
            name: name.to_owned(),
            text: without_secrets(text),
            problems: problems.into_iter().map(Problem::without_secrets).collect(),
        }),
    }
}

/// Whether a mistake in the TOML stands in what is said of the admin listener.
fn is_ours(text: &str, error: &toml::de::Error) -> bool {
    let Some(before) = error.span().and_then(|span| text.get(..span.start)) else {
        return true;
    };
    let line = before.matches('\n').count();
    let is_admin = |line: &str| {
        let name = line.trim_start_matches(['[', ' ', '\t']);
        let rest = name.strip_prefix("admin");
        rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
    };
    let mut lines: Vec<&str> = text.lines().take(line + 1).collect();
    let here = lines.pop().unwrap_or_default();
    let table = lines
        .iter()
        .rfind(|line| line.trim_start().starts_with('['));
    match here.trim_start().starts_with('[') {
        true => is_admin(here),
        false => is_admin(here) || table.is_some_and(|line| is_admin(line)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "[admin]\naddress = \"127.0.0.1:7\"\ntoken = \"0123456789abcdef\"\n";

    fn sought(text: &str, with_token: bool) -> Result<AdminSought, String> {
        let environment = Environment::new([("DRAFTGATE_NO_SUCH__KEY", "1")]);
        read(text, "a.toml", &environment, with_token).map_err(|mistakes| mistakes.to_string())
    }

    #[test]
    fn mistakes_elsewhere_are_no_concern() {
        for (before, behind) in [
            ("", ""),
            ("drafts = \"none such\"\nadress = 1\n", ""),
            ("", "[[routes]]\nservice = \"ecko\"\n"),
            ("", "[[listeners]]\ntls.certificate = \"/nowhere\"\n"),
            ("", "[log]\nlevel = \n[limits\n"),
            ("drafts = all\n", "[limits]\nqueue = [1\n"),
        ] {
            let found = sought(&format!("{before}{TABLE}handshakes = 0\n{behind}"), true);
            let found = found.unwrap();
            assert_eq!(found.address.port(), 7, "{before}{behind}");
            assert_eq!(found.token, Token::new("0123456789abcdef").ok());
        }
        let nothing = sought("drafts = 1\n", true).unwrap();
        assert_eq!(nothing.address, Admin::default().address);
        assert_eq!(nothing.token, None);
    }

    #[test]
    fn mistakes_in_what_is_needed_are_told() {
        for (text, said) in [
            ("[admin]\naddress = \"here\"\n", "address"),
            ("[admin]\nadress = \"127.0.0.1:7\"\n", "did you mean"),
            ("[admin]\naddress = \"127.0.0.1:7\n", "not TOML"),
            ("[admin]\naddress = 127.0.0.1:7\n", "not TOML"),
            (
                "admin.address = 127.0.0.1:7\nadmin.token = \"a\"",
                "not TOML",
            ),
            ("[admin\naddress = \"127.0.0.1:7\"\n", "not TOML"),
            ("[admin]\ntoken-file = \"/nowhere\"\n", "cannot be read"),
            ("admin = 3\n", "must be a table"),
        ] {
            let error = sought(text, true).unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }

    #[test]
    fn the_token_is_looked_at_only_if_it_is_needed() {
        let text = "[admin]\naddress = \"127.0.0.1:7\"\ntoken-file = \"/nowhere\"\n";
        assert_eq!(sought(text, false).unwrap().address.port(), 7);
        assert!(sought(text, true).is_err());
    }
}
