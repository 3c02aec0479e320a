//! What is served over plain HTTP on bus routes: who may publish with it, and
//! how much a channel remembers for readers that come back.
//!
//! Who may read is not said here: it is who may open a WebSocket on the route.

use std::{fmt, time::Duration};

use subtle::ConstantTimeEq;

use super::{
    file::octets,
    reader::{Table, Value, Wrong},
    secret_file::read_secret,
    shown::Shown,
    values::{Many, OrOff, text},
};
use toml::de::DeValue;

/// The bus over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Http {
    /// What holds for a route that does not say otherwise.
    pub door: HttpDoor,
    /// How many of its last messages a channel with readers over HTTP keeps
    /// for those that come back. 100: a minute of an ordinary feed.
    pub history: usize,
    /// Most octets of them. 256 KiB: a reader that comes back is given that at
    /// once.
    pub history_octets: usize,
    /// Most octets that all channels keep. 64 MiB: whatever channels strangers
    /// can name, a small server bears it.
    pub history_total: usize,
    /// How many channels keep something at once; the one that was read least
    /// lately makes room for the next.
    pub history_channels: usize,
    /// How long a channel goes on keeping it when its last reader over HTTP has
    /// gone. A minute: readers come back after seconds.
    pub history_time: Duration,
    /// The longest that a poll waits, and how long it waits if it does not say.
    /// 30 s: below the minute after which proxies give up.
    pub poll: Duration,
    /// The silence after which a stream of events is sent a comment; `None`:
    /// never. 15 s, as the specification of event streams advises.
    pub keep_alive: Option<Duration>,
    /// After how long readers of events are to come back.
    pub retry: Duration,
}

/// Who may publish on a route over HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpDoor {
    /// Whether the route is served over HTTP at all.
    pub enabled: bool,
    /// What publishers show, as `Authorization: Bearer …`.
    pub token: Option<Token>,
    /// Whether programs of this machine may publish without it; `None`: where
    /// WebSocket clients may publish as well (see [`Self::trusts_loopback`]).
    pub trust_loopback: Option<bool>,
}

impl HttpDoor {
    /// Whether programs of this machine publish without the token on a channel
    /// on which `everybody` may over WebSocket, or not. Unless it was said they
    /// do not where others may not: a proxy that announces nobody would open
    /// the channel to everybody, which is more than they have otherwise.
    pub fn trusts_loopback(&self, everybody: bool) -> bool {
        self.trust_loopback.unwrap_or(everybody)
    }
}

impl Default for HttpDoor {
    fn default() -> Self {
        Self {
            enabled: true,
            token: None,
            trust_loopback: None,
        }
    }
}

impl Default for Http {
    fn default() -> Self {
        Self {
            door: HttpDoor::default(),
            history: 100,
            history_octets: 256 << 10,
            history_total: 64 << 20,
            history_channels: 1000,
            history_time: Duration::from_secs(60),
            poll: Duration::from_secs(30),
            keep_alive: Some(Duration::from_secs(15)),
            retry: Duration::from_secs(2),
        }
    }
}

/// A secret that is shown by who may publish. It is in no log and no report.
#[derive(Clone)]
pub struct Token(Box<str>);

/// The shortest secret: 128 bits in hexadecimal digits are 32, in base64 22.
const SHORTEST: usize = 16;

/// A text is no [`Token`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAToken {
    /// Too short to be hard to guess.
    #[error("it has {0} characters, and at least {SHORTEST} are needed")]
    TooShort(usize),
    /// It could not stand in the field of a request.
    #[error("it has characters that may not stand in `Authorization: Bearer`")]
    Characters,
}

impl Token {
    /// `text` as a token.
    ///
    /// # Errors
    /// It is too short, or has characters besides `A-Z a-z 0-9 - . _ ~ + / =`.
    pub fn new(text: &str) -> Result<Self, NotAToken> {
        // token68 of RFC 9110 §11.2.
        let stands = |octet: u8| octet.is_ascii_alphanumeric() || b"-._~+/=".contains(&octet);
        match text.len() {
            _ if !text.bytes().all(stands) => Err(NotAToken::Characters),
            short if short < SHORTEST => Err(NotAToken::TooShort(short)),
            _ => Ok(Self(text.into())),
        }
    }

    /// The secret itself, to be shown to who asks for it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether `shown` is this one, in a time that does not tell where they differ.
    pub fn is(&self, shown: &[u8]) -> bool {
        self.0.as_bytes().ct_eq(shown).into()
    }
}

impl PartialEq for Token {
    fn eq(&self, other: &Self) -> bool {
        self.is(other.0.as_bytes())
    }
}

impl Eq for Token {}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Value for Token {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        Self::new(text(value, "a string")?).map_err(no_token)
    }

    fn show(&self) -> Shown {
        Shown::Secret
    }
}

/// The table `http` at the top.
pub(super) fn read(top: &mut Table<'_>) -> Http {
    let mut http = Http::default();
    let mut table = top.table("http", "http");
    door(&mut table, &mut http.door);
    for (key, count) in [
        ("history", &mut http.history),
        ("history-channels", &mut http.history_channels),
    ] {
        table.set_as::<Many, _>(key, count);
    }
    octets(&mut table, "history-octets", &mut http.history_octets);
    octets(&mut table, "history-total", &mut http.history_total);
    table.set("history-time", &mut http.history_time);
    table.set("poll", &mut http.poll);
    table.set_as::<OrOff, _>("keep-alive", &mut http.keep_alive);
    table.set("retry", &mut http.retry);
    table.finish();
    http
}

/// The table `http` of a route, which stands above `shared`;
/// `everybody` says whether everybody may publish on the route.
pub(super) fn of_route(route: &mut Table<'_>, shared: &HttpDoor, everybody: bool) -> HttpDoor {
    let mut told = shared.clone();
    let mut table = route.table("http", "routes.http");
    door(&mut table, &mut told);
    let trusts = shared.trusts_loopback(everybody).into();
    let trusts = match shared.trust_loopback {
        Some(_) => Shown::Is(trusts),
        None => Shown::Follows(trusts),
    };
    table.unless_said("trust-loopback", trusts);
    table.finish();
    told
}

fn door(table: &mut Table<'_>, door: &mut HttpDoor) {
    table.set("enabled", &mut door.enabled);
    if let Some(said) = table.value("trust-loopback") {
        door.trust_loopback = Some(said);
    }
    if let Some(token) = token(table) {
        door.token = Some(token);
    }
}

/// What `token` or `token-file` of a table says.
pub(super) fn token(table: &mut Table<'_>) -> Option<Token> {
    let (said, file) = (table.said("token"), table.said("token-file"));
    if let (Some(_), Some(file)) = (&said, &file) {
        let wrong = Wrong::new("stands beside `token`").help("leave one of the two out");
        table.wrong_value("token-file", file, wrong);
        return None;
    }
    let written = table.value("token");
    let (Some(file), Some(name)) = (file, table.value::<String>("token-file")) else {
        return written;
    };
    let read = read_secret(&name)
        .map_err(|error| Wrong::new(format!("cannot be read: {error}")))
        .and_then(|text| Token::new(text.trim()).map_err(no_token));
    read.map_err(|wrong| table.wrong_value("token-file", &file, wrong))
        .ok()
}

pub(super) fn no_token(not: NotAToken) -> Wrong {
    Wrong::new(format!("is no token: {not}")).help("`openssl rand -hex 32` makes one")
}

#[cfg(test)]
mod tests {
    use draftgate_core::Draft;

    use super::{
        super::{Config, Environment},
        *,
    };

    #[test]
    fn a_token_is_itself_and_nothing_else() {
        let token = Token::new("0123456789abcdef").unwrap();
        assert!(token.is(b"0123456789abcdef"));
        for other in [
            &b""[..],
            b"0123456789abcde",
            b"0123456789abcdef0",
            b"0123456789abcdeF",
        ] {
            assert!(!token.is(other), "{other:?}");
        }
        assert_eq!(format!("{token:?}"), "Token(…)");
    }

    #[test]
    fn a_token_is_said_at_the_top_at_a_route_in_a_file_or_in_the_environment() {
        let folder = std::env::temp_dir();
        let file = folder.join(format!("draftgate-token-{}", std::process::id()));
        std::fs::write(&file, "  from-a-file-0123456789\n").unwrap();
        let route = "[[routes]]\npath = \"/b\"\nservice = \"bus\"\nchannel = \"b\"\n";
        let top = |said: &str| format!("drafts = \"all\"\n{said}\n{route}");
        let from_file = format!("http.token-file = {:?}", file.display().to_string());
        let at_route = format!(
            "{}http.token = \"at-a-route-0123456789\"\n",
            top("http.token = \"at-the-top-0123456789\"")
        );
        let variable = [("DRAFTGATE_HTTP__TOKEN", "in-a-variable-0123456789")];
        for (text, variables, token) in [
            (top(""), &variable[..0], None),
            (
                top("http.token = \"at-the-top-0123456789\""),
                &[],
                Some("at-the-top-0123456789"),
            ),
            (at_route, &[], Some("at-a-route-0123456789")),
            (top(&from_file), &[], Some("from-a-file-0123456789")),
            (top(""), &variable[..], Some("in-a-variable-0123456789")),
        ] {
            let environment = Environment::new(variables.iter().copied());
            let config = Config::parse(&text, "a.toml", &[Draft::Hybi13], &environment).unwrap();
            let expected = token.map(|token| Token::new(token).unwrap());
            assert_eq!(config.routes[0].http.token, expected, "{text}");
            assert!(!format!("{config:?}").contains("0123456789"));
        }
        std::fs::remove_file(file).unwrap();
    }

    #[test]
    fn what_is_short_or_could_not_be_shown_is_no_token() {
        assert_eq!(Token::new("0123456789abcde"), Err(NotAToken::TooShort(15)));
        for text in [
            "0123456789abcdef ",
            "0123456789äbcdef",
            "0123456789abc\ndef",
        ] {
            assert_eq!(Token::new(text), Err(NotAToken::Characters), "{text:?}");
        }
    }
}
