//! TLS of a listener: its certificates, whose clients it lets in, and how old
//! they may be.
//!
//! Nothing is chosen here that a library chooses well: no suites, no curves.
//! Certificates are named, not held: they are read when the gateway starts and
//! whenever they change. A configuration that is read from a file has them read
//! once before, so that what is wrong with them is told with its place.

use std::{path::PathBuf, time::Duration};

use toml::de::{DeTable, DeValue};

use super::{
    lists,
    problem::{Place, Problem},
    reader::{Said, Table, Wrong},
    shown::Shown,
    values::{OrOff, text},
};
use crate::tls::{self, BadFile, Of};

/// Whether this build speaks TLS 1.0 and 1.1.
const HAS_LEGACY: bool = cfg!(feature = "legacy-tls");

/// TLS of a listener.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tls {
    /// Its certificates. A client gets the one that is for the name it asks
    /// for; the first if it names none. Never empty.
    pub certificates: Vec<CertificateFiles>,
    /// Files with the authorities (PEM) that sign certificates of clients.
    pub client_ca: Vec<PathBuf>,
    /// Whether clients show a certificate.
    pub client_auth: ClientAuth,
    /// Which clients are served.
    pub profile: TlsProfile,
    /// How often the files are looked at, whether they changed; `None` never.
    /// 60 s: renewed weeks before they expire, they are not urgent.
    pub reload_check: Option<Duration>,
}

/// A certificate, and the key that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the server's own certificate, then those of the authorities
    /// between it and the root.
    pub certificate: PathBuf,
    /// PEM: its key. It may be the same file.
    pub key: PathBuf,
}

/// Whether clients show a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientAuth {
    /// They are not asked.
    Off,
    /// They are asked; one that is shown must be good.
    Optional,
    /// Without one there is no connection.
    Required,
}

/// Which clients a listener serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TlsProfile {
    /// Those of TLS 1.2 and 1.3.
    Modern,
    /// Those of TLS 1.0 and 1.1 too, by OpenSSL.
    Legacy10,
}

impl Tls {
    /// The defaults for `certificates`.
    pub fn new(certificates: Vec<CertificateFiles>) -> Self {
        Self {
            certificates,
            client_ca: Vec::new(),
            client_auth: ClientAuth::Off,
            profile: TlsProfile::Modern,
            reload_check: Some(Duration::from_secs(60)),
        }
    }
}

/// Where the files are named.
struct Places {
    pairs: Vec<(Place, Place)>,
    client_ca: Vec<Place>,
    table: Place,
}

/// The table `tls` of a listener, if it is there.
pub(super) fn read(listener: &mut Table<'_>) -> Option<Tls> {
    let mut table = listener.table("tls", "listeners.tls");
    let there = table.is_there();
    let mut places = Places {
        pairs: Vec::new(),
        client_ca: Vec::new(),
        table: table.place.clone(),
    };
    let before = table.problems();
    let mut tls = Tls::new(certificates(&mut table, &mut places));
    client_ca(&mut table, &mut tls, &mut places);
    profile(&mut table, &mut tls);
    table.set_as::<OrOff, _>("reload-check", &mut tls.reload_check);
    if there && table.problems() == before && table.folder().is_some() {
        // Whatever is wrong with the files has a place.
        if let Err(bad) = tls::Tls::new(&tls) {
            table.wrong(problem(&bad, &places));
        }
    }
    if !there {
        table.off();
    }
    table.finish();
    there.then_some(tls)
}

fn problem(bad: &BadFile, places: &Places) -> Problem {
    let place = match bad.of {
        Of::Certificate(index) => places.pairs.get(index).map(|(certificate, _)| certificate),
        Of::Key(index) => places.pairs.get(index).map(|(_, key)| key),
        Of::ClientCa(index) => places.client_ca.get(index),
    };
    let place = place.unwrap_or(&places.table).clone();
    Problem::new(place, bad.to_string())
}

fn certificates(table: &mut Table<'_>, places: &mut Places) -> Vec<CertificateFiles> {
    let many = table.said("certificates");
    let (one, key) = (table.said("certificate"), table.said("key"));
    let (file, key_file) = (
        table.value::<String>("certificate"),
        table.value::<String>("key"),
    );
    let Some(many) = many else {
        return match (one, file) {
            (Some(one), Some(file)) => {
                let key = key.zip(key_file).map(|(said, file)| (said.place, file));
                vec![pair(table, places, (one.place, file), key)]
            }
            (None, _) if table.is_there() => {
                table.wrong(lacking(table.place.clone()));
                Vec::new()
            }
            _ => Vec::new(),
        };
    };
    for (name, said) in [("certificate", one), ("key", key)] {
        if let Some(said) = said {
            let wrong = Wrong::new("stands beside `certificates`").help("leave one of the two out");
            table.wrong_value(name, &said, wrong);
        }
    }
    const WHAT: &str =
        "a list of tables such as { certificate = \"chain.pem\", key = \"key.pem\" }";
    let each = lists::each(table, "certificates", &many, WHAT, |item| {
        match item.value {
            DeValue::Table(entries) => named(entries),
            other => Err(Wrong::must_be(WHAT, other)),
        }
    });
    if many.value.as_array().is_some_and(|all| all.is_empty()) {
        table.wrong(lacking(many.place));
    }
    each.into_iter()
        .map(|((file, key), place)| {
            let key = key.map(|key| (place.clone(), key));
            pair(table, places, (place, file), key)
        })
        .collect()
}

/// `certificate` and `key` of one table of the list.
fn named(entries: &DeTable<'_>) -> Result<(String, Option<String>), Wrong> {
    let (mut certificate, mut key) = (None, None);
    for (name, value) in entries.iter() {
        let file = match name.get_ref().as_ref() {
            "certificate" => &mut certificate,
            "key" => &mut key,
            other => {
                let wrong = Wrong::new(format!("has the unknown key `{other}`"));
                return Err(wrong.help("known there are `certificate` and `key`"));
            }
        };
        *file = Some(text(value.get_ref(), "names of files")?.to_owned());
    }
    let lacks = || Wrong::new("has an entry without `certificate`");
    Ok((certificate.ok_or_else(lacks)?, key))
}

fn lacking(place: Place) -> Problem {
    Problem::new(place, "TLS lacks a certificate")
        .help("add `certificate = \"chain.pem\"` and `key = \"key.pem\"`")
}

/// The files by these names, whose places are kept.
fn pair(
    table: &Table<'_>,
    places: &mut Places,
    (place, certificate): (Place, String),
    key: Option<(Place, String)>,
) -> CertificateFiles {
    let (key_place, key) = key.unwrap_or_else(|| (place.clone(), certificate.clone()));
    places.pairs.push((place, key_place));
    CertificateFiles {
        certificate: table.path(&certificate),
        key: table.path(&key),
    }
}

fn client_ca(table: &mut Table<'_>, tls: &mut Tls, places: &mut Places) {
    const WHAT: &str = "a file or a list of files";
    const AUTHORITY: &str = "name the file with your authority's certificate, for example `client-ca = \"clients.pem\"`";
    table.unless_said("client-ca", Shown::nothing());
    let said = table.said("client-ca");
    if let Some(said) = &said {
        let named = match said.value {
            DeValue::String(name) => vec![(name.to_string(), said.place.clone())],
            _ => lists::each(table, "client-ca", said, WHAT, |item: &Said<'_>| {
                text(item.value, WHAT).map(str::to_owned)
            }),
        };
        for (name, place) in named {
            tls.client_ca.push(table.path(&name));
            places.client_ca.push(place);
        }
        if said.value.as_array().is_some_and(|all| all.is_empty()) {
            let wrong = Wrong::new("names no authority, so that no certificate could be good");
            let wrong = wrong.help(AUTHORITY);
            table.wrong_value("client-ca", said, wrong);
        }
        // Whoever names an authority wants its clients.
        tls.client_auth = ClientAuth::Required;
    }
    let auth = table.said("client-auth");
    table.set("client-auth", &mut tls.client_auth);
    if let (None, Some(auth)) = (&said, auth)
        && tls.client_auth != ClientAuth::Off
    {
        let wrong = Wrong::new(
            "asks clients for certificates, but `client-ca` names nobody who signs them",
        )
        .help(AUTHORITY);
        table.wrong_value("client-auth", &auth, wrong);
    }
}

fn profile(table: &mut Table<'_>, tls: &mut Tls) {
    let said = table.said("profile");
    table.set("profile", &mut tls.profile);
    if let Some(said) = said
        && tls.profile == TlsProfile::Legacy10
        && !HAS_LEGACY
    {
        table.wrong_value("profile", &said, without_openssl());
    }
}

fn without_openssl() -> Wrong {
    Wrong::new("is \"legacy-1.0\", which needs OpenSSL, and this draftgate was built without it")
        .help("take draftgate's Debian package, which has it, or build it so: `cargo build --release --features legacy-tls` (needs libssl-dev and pkg-config)")
}

#[cfg(test)]
mod tests {
    use draftgate_core::Draft;

    use super::{
        super::{Config, Environment},
        *,
    };

    fn parse(tls: &str) -> Result<Tls, String> {
        let text = format!(
            "drafts = \"all\"\n[[listeners]]\naddress = \"127.0.0.1:8443\"\n{tls}\n[[routes]]\npath = \"/echo\"\nservice = \"echo\""
        );
        let config = Config::parse(&text, "a.toml", &[Draft::Hybi13], &Environment::default());
        let config = config.map_err(|error| error.to_string())?;
        Ok(config.listeners[0].tls.clone().expect("a table tls"))
    }

    fn files(certificate: &str, key: &str) -> CertificateFiles {
        CertificateFiles {
            certificate: certificate.into(),
            key: key.into(),
        }
    }

    #[test]
    fn one_certificate_or_several_and_the_key_may_lie_with_it() {
        for (said, read) in [
            (
                "tls = { certificate = \"a\", key = \"b\" }",
                vec![files("a", "b")],
            ),
            ("tls.certificate = \"a\"", vec![files("a", "a")]),
            (
                "tls.certificates = [{ certificate = \"a\", key = \"b\" }, { certificate = \"c\" }]",
                vec![files("a", "b"), files("c", "c")],
            ),
        ] {
            assert_eq!(parse(said).unwrap(), Tls::new(read), "{said}");
        }
    }

    #[test]
    fn whoever_names_an_authority_wants_its_clients() {
        let tls = parse("tls = { certificate = \"a\", client-ca = \"c\" }").unwrap();
        assert_eq!(tls.client_auth, ClientAuth::Required);
        assert_eq!(tls.client_ca, [PathBuf::from("c")]);
        let tls =
            "tls = { certificate = \"a\", client-ca = [\"c\", \"d\"], client-auth = \"optional\" }";
        assert_eq!(parse(tls).unwrap().client_auth, ClientAuth::Optional);
        let wrong = parse("tls = { certificate = \"a\", client-auth = \"required\" }");
        assert!(wrong.unwrap_err().contains("`client-ca` names nobody"));
    }

    #[test]
    fn old_clients_need_a_build_that_serves_them() {
        let said = parse("tls = { certificate = \"a\", profile = \"legacy-1.0\" }");
        match HAS_LEGACY {
            true => assert_eq!(said.unwrap().profile, TlsProfile::Legacy10),
            false => assert!(said.unwrap_err().contains("--features legacy-tls")),
        }
        // Nobody sees this one in a build that has it.
        assert!(without_openssl().help.unwrap().contains("Debian package"));
    }
}
