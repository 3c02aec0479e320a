//! Who may open a connection on a route: what `[routes.auth]` says.
//!
//! One of three asks: a server behind us (as nginx's `auth_request`), tokens
//! that stand here, or JSON Web Tokens. Keys are read with the file, so that
//! `draftgate check` says what is wrong with them.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

use http::{HeaderName, Uri};
use toml::de::DeValue;

use super::{
    Grant, Service, Token, TokenPlace,
    jwt::{self, Jwt},
    problem::Problem,
    reader::{Said, Table, Tables, Value, Wrong},
    rights,
    secret_file::{certificates, read_secret},
    shown::Shown,
    upstream::one_or_more,
    values::{OrOff, Pause, text},
};

/// Who may come in on a route.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// Who decides.
    pub by: AuthBy,
    /// Where a token may stand in a request; the first place that has one
    /// decides. Where a server is asked, which sees everything, it says what
    /// nobody else gets to see.
    pub from: Vec<TokenPlace>,
    /// Whether the service, and a server behind it, gets to see the token too.
    pub pass: bool,
}

/// Who decides who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AuthBy {
    /// A server, which is asked about each opening.
    Server(Box<AuthServer>),
    /// Whoever shows one of these.
    Tokens(Vec<NamedToken>),
    /// Whoever shows a JSON Web Token that is signed rightly.
    Jwt(Box<Jwt>),
}

/// The server that is asked about each opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthServer {
    /// What is asked for.
    pub url: AuthUrl,
    /// Fields of its answer that go to the upstream, `Set-Cookie` to the client.
    pub hand_on: Vec<HeaderName>,
    /// The field of its answer that says what the client may do, in JSON.
    pub rights_field: Option<HeaderName>,
    /// The field of its answer that says who the client is.
    pub user_field: Option<HeaderName>,
    /// How long an answer may take. 5 s: it is asked by a client that waits.
    pub timeout: Duration,
    /// How many may be asked about at once. 64: a storm of openings is passed
    /// on as no more than that.
    pub at_once: u32,
    /// How long an opening waits for its turn.
    pub wait: Duration,
    /// How long an answer that accepts is remembered for whoever asks with the
    /// very same fields.
    pub cache: Option<Duration>,
    /// Files with certificates (PEM) that are trusted besides the system's.
    pub ca: Vec<PathBuf>,
}

/// A token, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedToken {
    /// The secret.
    pub token: Token,
    /// What the log calls whoever shows it.
    pub name: Option<String>,
    /// What he may do.
    pub grant: Grant,
}

/// The URL of a server that is asked: `http://` or `https://`.
#[derive(Clone, PartialEq, Eq)]
pub struct AuthUrl {
    /// The same place for the client: `ws` for `http`, `wss` for `https`.
    pub(crate) place: draftgate_client::Url,
    /// Path and query.
    pub(crate) target: String,
    /// Host and port, as written.
    pub(crate) host: String,
    written: String,
}

/// A text is no [`AuthUrl`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotAnAuthUrl(String);

impl Auth {
    /// Who decides, in a few words, without secrets.
    pub(super) fn decides(&self) -> String {
        let what = match &self.by {
            AuthBy::Server(server) => {
                // A query may hold a key.
                let written = &server.url.written;
                let place = written.split('?').next().unwrap_or(written);
                return format!("the server {place}");
            }
            AuthBy::Tokens(_) => "a token",
            AuthBy::Jwt(_) => "a JSON Web Token",
        };
        let places: Vec<String> = self.from.iter().map(ToString::to_string).collect();
        format!("{what} in {}", places.join(" or in "))
    }

    /// Whether what lets in comes with a request by itself, as cookies do, so
    /// that a page of others can come in with it.
    pub(super) fn comes_by_itself(&self) -> bool {
        let cookie = |place: &TokenPlace| matches!(place, TokenPlace::Cookie(_));
        matches!(self.by, AuthBy::Server(_)) || self.from.iter().any(cookie)
    }
}

impl FromStr for AuthUrl {
    type Err = NotAnAuthUrl;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let not = |why: &str| NotAnAuthUrl(why.to_owned());
        const FORM: &str = "write it as http://host:port/path or https://host/path";
        let uri: Uri = text.parse().map_err(|_| not(FORM))?;
        let host = uri.authority().ok_or_else(|| not(FORM))?;
        let scheme = match uri.scheme_str() {
            Some("http") => "ws",
            Some("https") => "wss",
            _ => return Err(not(FORM)),
        };
        if host.as_str().contains('@') {
            return Err(not(
                "a name and password in it would be sent to nobody; leave them out",
            ));
        }
        let place = format!("{scheme}://{host}/");
        let place = place
            .parse()
            .map_err(|error: draftgate_client::NotAUrl| NotAnAuthUrl(error.to_string()))?;
        let target = uri.path_and_query().map_or("/", |it| it.as_str());
        Ok(Self {
            place,
            target: target.to_owned(),
            host: host.to_string(),
            written: text.to_owned(),
        })
    }
}

/// The URL without what its query says.
impl fmt::Display for AuthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&draftgate_upstream::masked(&self.written))
    }
}

impl fmt::Debug for AuthUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Reads the table `auth` of a route with `service`.
pub(super) fn read(route: &mut Table<'_>, service: Option<Service>) -> Option<Auth> {
    let mut table = route.table("auth", "routes.auth");
    let there = table.is_there();
    let has_channels = service.is_none_or(|it| matches!(it, Service::Bus | Service::Clock));
    let server = server(&mut table);
    let tokens = tokens(&mut table, has_channels);
    let jwt = jwt::read(&mut table);
    let mut from = vec![TokenPlace::Authorization];
    if let Some(said) = table.said("from") {
        from = one_or_more(
            &table,
            "from",
            &said,
            "a place or a list of places",
            |text| {
                let place = text.parse::<TokenPlace>();
                place.map_err(|not| Wrong::new(format!("has \"{text}\", but {not}")))
            },
        );
    } else if server.is_some() {
        from.clear();
    }
    let mut pass = false;
    table.set("pass", &mut pass);
    let place = table.place.clone();
    let said = [server.is_some(), tokens.is_some(), jwt.is_some()];
    if there && said.iter().filter(|it| **it).count() != 1 {
        let problem = Problem::new(
            place,
            "nothing in `auth` says who decides, or more than one thing does",
        );
        table.wrong(
            problem.help("write one of `url = \"http://…\"`, `token`, `tokens` and `jwt = { … }`"),
        );
    }
    if !there {
        table.off();
    }
    table.finish();
    let by = match (server, tokens, jwt) {
        (Some(server), None, None) => AuthBy::Server(Box::new(server)),
        (None, Some(tokens), None) => AuthBy::Tokens(tokens),
        (None, None, Some(jwt)) => AuthBy::Jwt(Box::new(jwt)),
        _ => return None,
    };
    Some(Auth { by, from, pass })
}

/// Keys that are the server's.
const OF_A_SERVER: [&str; 8] = [
    "hand-on",
    "rights-field",
    "user-field",
    "timeout",
    "at-once",
    "wait",
    "cache",
    "ca",
];

fn server(table: &mut Table<'_>) -> Option<AuthServer> {
    let said = table.said("url");
    for key in OF_A_SERVER {
        if let (Some(key_said), None) = (table.said(key), &said) {
            let wrong = Wrong::new("has no meaning without `url`");
            table.wrong_value(
                key,
                &key_said,
                wrong.help("it is about the server that is asked"),
            );
        }
    }
    said?;
    // A placeholder where it is wrong, so that the rest is looked at too.
    let unknown = || "http://127.0.0.1/".parse().expect("a constant URL");
    let mut server = AuthServer {
        url: table.value("url").unwrap_or_else(unknown),
        hand_on: Vec::new(),
        rights_field: table.value("rights-field").map(|Field(name)| name),
        user_field: table.value("user-field").map(|Field(name)| name),
        timeout: Duration::from_secs(5),
        at_once: 64,
        wait: Duration::from_secs(10),
        cache: None,
        ca: Vec::new(),
    };
    if let Some(said) = table.said("hand-on") {
        server.hand_on = rights::field_names(table, "hand-on", &said);
    }
    table.set("timeout", &mut server.timeout);
    table.set("at-once", &mut server.at_once);
    table.set_as::<Pause, _>("wait", &mut server.wait);
    table.set_as::<OrOff, _>("cache", &mut server.cache);
    if let Some(said) = table.said("ca") {
        const WHAT: &str = "a file or a list of files";
        server.ca = one_or_more(table, "ca", &said, WHAT, certificates);
    }
    Some(server)
}

/// The name of a field.
struct Field(HeaderName);

impl Value for Field {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        rights::field_name(text(value, "the name of a field")?).map(Self)
    }

    fn show(&self) -> Shown {
        Shown::text(&self.0)
    }
}

impl Value for AuthUrl {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        text(value, "a URL")?
            .parse()
            .map_err(|not: NotAnAuthUrl| Wrong::new("is no URL to ask").help(not.to_string()))
    }

    fn show(&self) -> Shown {
        Shown::text(self)
    }
}

/// A secret, or the file it stands in.
pub(super) struct Secret(pub(super) String);

impl Value for Secret {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        const WHAT: &str = "a string or { file = \"…\" }";
        let DeValue::Table(table) = value else {
            return text(value, WHAT).map(|text| Self(text.to_owned()));
        };
        let file = table.get("file").filter(|_| table.len() == 1);
        let Some(file) = file.and_then(|file| file.get_ref().as_str()) else {
            return Err(Wrong::new(format!("must be {WHAT}"))
                .help("the table has one key, `file`, and its value is a string"));
        };
        match read_secret(file) {
            Ok(secret) => Ok(Self(secret.trim().to_owned())),
            Err(error) => Err(Wrong::new(format!("cannot be read from {file}: {error}"))),
        }
    }

    fn show(&self) -> Shown {
        Shown::Secret
    }
}

/// A token, or the file it stands in.
struct TokenOrFile(Token);

impl Value for TokenOrFile {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        let Secret(text) = Secret::read(value)?;
        Token::new(&text).map(Self).map_err(super::http::no_token)
    }

    fn show(&self) -> Shown {
        Shown::Secret
    }
}

/// The tokens, if any are said.
fn tokens(table: &mut Table<'_>, has_channels: bool) -> Option<Vec<NamedToken>> {
    let one = table.said("token");
    let mut tokens = Vec::new();
    if let Some(TokenOrFile(token)) = table.value("token") {
        tokens.push(NamedToken {
            token,
            name: None,
            grant: Grant::default(),
        });
    }
    names_its_file(table, one.as_ref());
    let many = table.tables_at("tokens", "routes.auth.tokens");
    let several = !matches!(many, Tables::Absent);
    match many {
        Tables::Absent => {
            // So that its keys are known where no file says any.
            let mut none = table.absent_at("tokens", "routes.auth.tokens");
            named(&mut none, has_channels);
            none.off();
            none.finish();
        }
        Tables::Wrong => {}
        Tables::These(many) if many.is_empty() => {
            let problem = Problem::new(table.place.clone(), "`tokens` is empty");
            table.wrong(
                problem.help("nobody could come in: add `[[routes.auth.tokens]]` with `token`"),
            );
        }
        Tables::These(many) => {
            for mut each in many {
                tokens.extend(named(&mut each, has_channels));
                each.finish();
            }
        }
    }
    (one.is_some() || several).then_some(tokens)
}

/// A file that holds the secret may be seen.
fn names_its_file(table: &mut Table<'_>, said: Option<&Said<'_>>) {
    if let Some(said) = said.filter(|said| said.value.as_str().is_none()) {
        table.shows("token", Shown::written("token", said.value));
    }
}

fn named(table: &mut Table<'_>, has_channels: bool) -> Option<NamedToken> {
    for key in ["subscribe", "publish"] {
        if let (Some(said), false) = (table.said(key), has_channels) {
            let wrong = Wrong::new("has no meaning on a route without channels");
            table.wrong_value(key, &said, wrong.help("it is for bus and clock routes"));
        }
    }
    let grant = Grant::read(table);
    let name = table.value("name");
    let said = table.said("token");
    if said.is_none() && table.is_there() {
        let problem = Problem::new(table.place.clone(), "one of `tokens` lacks `token`");
        table.wrong(problem.help(
            "write `token = \"…\"` or `token = { file = \"…\" }`; `openssl rand -hex 32` makes one",
        ));
    }
    let token = table.value("token");
    names_its_file(table, said.as_ref());
    let TokenOrFile(token) = token?;
    Some(NamedToken { token, name, grant })
}

/// A string or a list of strings.
pub(super) fn strings(table: &mut Table<'_>, key: &'static str) -> Vec<String> {
    match table.said(key) {
        Some(said) => one_or_more(table, key, &said, "a string or a list of strings", |text| {
            Ok(text.to_owned())
        }),
        None => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_asked_where_it_says() {
        for (text, place, target) in [
            (
                "http://127.0.0.1:9000/check",
                "ws://127.0.0.1:9000/",
                "/check",
            ),
            (
                "https://auth.example.com/a?b=c",
                "wss://auth.example.com/",
                "/a?b=c",
            ),
            ("http://[::1]:9000", "ws://[::1]:9000/", "/"),
        ] {
            let url: AuthUrl = text.parse().unwrap();
            assert_eq!(url.place, place.parse().unwrap(), "{text}");
            assert_eq!(url.target, target);
            let shown = text.replace("b=c", "b=***");
            assert_eq!(
                (url.to_string(), format!("{url:?}")),
                (shown.clone(), shown)
            );
        }
        for text in [
            "",
            "/check",
            "ws://a/",
            "http:///a",
            "http://a:b@c/",
            "http://a b/",
        ] {
            assert!(text.parse::<AuthUrl>().is_err(), "{text}");
        }
    }
}
