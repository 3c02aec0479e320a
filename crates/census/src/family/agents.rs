//! Families by what a client calls itself in `User-Agent`.
//!
//! Browsers claim to be each other, so that the order matters: the first name
//! that is found counts. Versions are kept where they tell a draft's age, and
//! left out where a browser has a new one every month.

/// How much of the version behind a name is kept.
#[derive(Clone, Copy)]
enum Version {
    None,
    Major,
    Minor,
}

use Version::{Major, Minor, None as No};

/// What to look for, what it is called, and how much of its version counts.
const AGENTS: [(&str, &str, Version); 42] = [
    ("PhantomJS/", "PhantomJS", Minor),
    ("stbapp", "MAG set-top box", No),
    ("NetCast", "LG TV (NetCast)", No),
    ("Web0S", "LG TV (webOS)", No),
    ("Maple", "Samsung TV (Maple)", No),
    ("SMART-TV", "Samsung TV", No),
    ("SmartTV", "Samsung TV", No),
    ("Tizen", "Tizen device", No),
    ("NETTV/", "Philips TV (NetTV)", No),
    ("BRAVIA", "Sony TV", No),
    ("CE-HTML", "CE-HTML device", No),
    ("PLAYSTATION", "PlayStation", No),
    ("PlayStation", "PlayStation", No),
    ("Nintendo", "Nintendo", No),
    ("Electron/", "Electron", No),
    ("OPR/", "Opera", No),
    ("Opera", "Opera (Presto)", No),
    ("Edg/", "Edge", No),
    ("Edge/", "Edge (EdgeHTML)", No),
    ("FxiOS/", "Firefox on iOS", No),
    ("CriOS/", "Chrome on iOS", No),
    ("Firefox/", "Firefox", Major),
    ("Chrome/", "Chrome", No),
    ("Android", "Android browser", No),
    ("iPhone OS ", "Safari on iOS", Major),
    ("CPU OS ", "Safari on iOS", Major),
    ("Trident/", "Internet Explorer", No),
    ("MSIE ", "Internet Explorer", Major),
    ("Version/", "Safari", Major),
    ("AppleWebKit/", "WebKit", Major),
    ("arduino", "Arduino", No),
    ("okhttp/", "OkHttp", No),
    ("websockets/", "websockets (Python)", No),
    ("Python", "Python", No),
    ("Jetty", "Jetty", No),
    ("Netty", "Netty", No),
    ("Java/", "Java", No),
    ("Go-http-client/", "Go", No),
    ("WebSocket++", "WebSocket++", No),
    ("node", "Node.js", No),
    ("curl/", "curl", No),
    ("draftgate", "draftgate", No),
];

/// The family of an agent that is one of the table.
pub(super) fn named(agent: &str) -> Option<String> {
    if let Some((_, behind)) = agent.split_once("HbbTV/") {
        return Some(hbbtv(behind));
    }
    let (name, behind, version) = AGENTS.iter().find_map(|(mark, name, version)| {
        let (_, behind) = agent.split_once(mark)?;
        Some((*name, behind, *version))
    })?;
    let numbers = numbers(behind, version);
    Some(match numbers.is_empty() {
        true => name.to_owned(),
        false => format!("{name} {numbers}"),
    })
}

/// `1.1.1 (;LGE;42LM670S;…)`: the version, and the vendor of the list in
/// brackets, as the standard orders it.
fn hbbtv(behind: &str) -> String {
    let list = behind.split_once('(').map_or("", |(_, list)| list);
    let vendor = list.split([';', ')']).nth(1).unwrap_or_default();
    let vendor: String = vendor.chars().filter(char::is_ascii_alphanumeric).collect();
    let known = [
        "LGE",
        "Samsung",
        "Philips",
        "Sony",
        "Panasonic",
        "Sharp",
        "Toshiba",
        "Loewe",
    ];
    let known = known
        .into_iter()
        .find(|name| name.eq_ignore_ascii_case(&vendor));
    format!(
        "HbbTV {} ({})",
        numbers(behind, Minor),
        known.unwrap_or("other")
    )
}

/// `4_2_1` and `4.2.1` as `4` or `4.2`; versions of more than three digits are
/// made up.
fn numbers(behind: &str, version: Version) -> String {
    let parts = match version {
        No => return String::new(),
        Major => 1,
        Minor => 2,
    };
    let digits =
        |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let end = behind.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_');
    let written = &behind[..end.unwrap_or(behind.len())];
    let kept: Vec<&str> = written
        .split(['.', '_'])
        .take_while(digits)
        .take(parts)
        .collect();
    kept.join(".")
}

/// The first word of an agent that is in no table.
pub(super) fn product(agent: &str) -> String {
    let word = agent
        .split(['/', ' ', '(', ';', '?'])
        .find(|word| !word.is_empty());
    let word = word.unwrap_or("without letters");
    let end = word.len().min(32);
    format!("agent {}", &word[..end])
}
