//! The admin listener: for operators and what watches the gateway, on an
//! address of its own, so that no rule for clients can open it by mistake.
//!
//! It is off unless it is asked for: several gateways may run on one machine,
//! and a port that nobody knows of is one more to guard.

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use super::{
    Config, Token,
    http::token,
    problem::Problem,
    reader::{Table, Value, Wrong},
    values::Many,
};

/// What operators are served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admin {
    /// Where. By default 127.0.0.1:8079: beside the gateway's own 8080, and
    /// for this machine alone.
    pub address: SocketAddr,
    /// What is shown as `Authorization: Bearer …`; `None` is for loopback
    /// alone.
    pub token: Option<Token>,
    /// The file in which it stands, where one was named.
    pub token_file: Option<PathBuf>,
    /// Whether `/metrics` is for everybody who reaches the address, as
    /// `/healthz` and `/readyz` are.
    pub open_metrics: bool,
    /// How many refused handshakes are remembered. 200: an afternoon's
    /// mistakes, in less than 1 MiB.
    pub handshakes: usize,
}

impl Default for Admin {
    fn default() -> Self {
        Self {
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 8079)),
            token: None,
            token_file: None,
            open_metrics: false,
            handshakes: 200,
        }
    }
}

/// More refused handshakes than anybody reads; each may hold some kilobytes.
const MOST_HANDSHAKES: u32 = 10_000;

/// The table `admin`, if it is there, or its address was said.
pub(super) fn read(top: &mut Table<'_>) -> Option<Admin> {
    let mut admin = Admin::default();
    let mut table = top.table("admin", "admin");
    let said = table.said("address");
    let wanted = table.is_there() || said.is_some();
    table.set("address", &mut admin.address);
    table.matters("address");
    let tells = table.said("token").or_else(|| table.said("token-file"));
    admin.token = token(&mut table);
    let file = table.said("token-file");
    let file = file.and_then(|said| said.value.as_str().map(PathBuf::from));
    admin.token_file = file.filter(|_| admin.token.is_some());
    table.set("open-metrics", &mut admin.open_metrics);
    if let Some(count) = table.said("handshakes")
        && let Some(wished) = table.value::<u32>("handshakes")
    {
        match wished <= MOST_HANDSHAKES {
            true => admin.handshakes = wished as usize,
            false => {
                let wrong = Wrong::new(format!("must be from 1 to {MOST_HANDSHAKES}"));
                table.wrong_value("handshakes", &count, wrong);
            }
        }
    }
    // A token that is said, but wrongly, has its own report.
    if wanted && tells.is_none() && !is_loopback(admin.address) {
        let place = said.map_or_else(|| table.place.clone(), |said| said.place);
        let problem = Problem::new(
            place,
            format!(
                "`admin` is reachable from elsewhere at {} and has no token",
                admin.address
            ),
        );
        table.wrong(problem.help("set `admin.token-file` (`openssl rand -hex 32` makes a token), or listen on 127.0.0.1: whoever reaches it can close every connection"));
    }
    table.unless_said("handshakes", Many(admin.handshakes).show());
    if !wanted {
        table.off();
    }
    table.finish();
    wanted.then_some(admin)
}

/// An admin listener that others reach has no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "{address} is reachable from elsewhere, and there is no token; set `admin.token-file` in the configuration, or listen on 127.0.0.1"
)]
pub struct NoAdminToken {
    /// Where it would listen.
    pub address: SocketAddr,
}

impl Config {
    /// `--admin`: serves operators at this address, otherwise as configured.
    ///
    /// # Errors
    /// Others reach it, and nothing says which token they are to show.
    pub fn with_admin(&mut self, address: SocketAddr) -> Result<(), NoAdminToken> {
        let admin = self.admin.get_or_insert_default();
        admin.address = address;
        match admin.token {
            None if !is_loopback(address) => Err(NoAdminToken { address }),
            _ => Ok(()),
        }
    }
}

/// Whether only this machine reaches `address`.
pub(super) fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::{super::Environment, *};

    fn parse(top: &str, variables: &[(&str, &str)]) -> Result<Option<Admin>, String> {
        let text =
            format!("drafts = \"all\"\n{top}\n[[routes]]\npath = \"/echo\"\nservice = \"echo\"\n");
        let environment = Environment::new(variables.iter().copied());
        let drafts: Vec<_> = draftgate_drafts::spoken().collect();
        let read = Config::parse(&text, "a.toml", &drafts, &environment);
        read.map(|config| config.admin)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn it_is_there_where_it_is_asked_for() {
        assert_eq!(parse("", &[]), Ok(None));
        let token = ("DRAFTGATE_ADMIN__TOKEN", "0123456789abcdef");
        assert_eq!(parse("", &[token]), Ok(None));
        assert_eq!(parse("[admin]", &[]), Ok(Some(Admin::default())));
        let address = ("DRAFTGATE_ADMIN__ADDRESS", "127.0.0.1:0");
        let admin = parse("", &[address, token]).unwrap().unwrap();
        assert_eq!(admin.address.port(), 0);
        assert_eq!(admin.token, Token::new("0123456789abcdef").ok());
    }

    #[cfg(unix)]
    #[test]
    fn a_token_that_everybody_may_read_is_warned_of() {
        use std::{fs, os::unix::fs::PermissionsExt};

        let file = std::env::temp_dir().join(format!("draftgate-admin-{}", std::process::id()));
        fs::write(&file, "0123456789abcdef\n").unwrap();
        for (mode, warned) in [(0o640, false), (0o600, false), (0o644, true)] {
            fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
            let admin = parse(&format!("[admin]\ntoken-file = {file:?}"), &[]).unwrap();
            let config = Config {
                admin,
                ..Config::default()
            };
            let told = config.validate(None);
            let warnings: Vec<_> = told.iter().map(ToString::to_string).collect();
            let found = warnings.iter().any(|it| it.contains("chmod o="));
            assert_eq!(found, warned, "{mode:o}: {warnings:?}");
        }
        fs::remove_file(file).unwrap();
    }

    #[test]
    fn whatever_others_reach_has_a_token() {
        for open in ["0.0.0.0:1", "[::]:1", "192.0.2.1:1"] {
            let said = format!("[admin]\naddress = \"{open}\"");
            let error = parse(&said, &[]).unwrap_err();
            assert!(error.contains("has no token"), "{error}");
            let said = format!("{said}\ntoken = \"0123456789abcdef\"");
            assert!(parse(&said, &[]).is_ok());
        }
        for own in ["127.0.0.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            let said = format!("[admin]\naddress = \"{own}\"");
            assert!(parse(&said, &[]).is_ok(), "{own}");
        }
    }
}
