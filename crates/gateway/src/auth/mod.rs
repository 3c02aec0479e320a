//! Who may open a connection, and what he may do with it: asked once the
//! request is known to be sound, and before anything behind the gateway hears
//! of it. A page of another site, or a request that is no opening, does not
//! even cause a question.
//!
//! What lets in is looked for here and nowhere else, so that WebSocket and the
//! bus over HTTP cannot differ, and taken out of the request that a service
//! gets to see.

mod cache;
mod grant;
mod jwt;
mod place;
mod pool;
mod rate;
mod ring;
mod server;
mod tokens;

use std::{borrow::Cow, sync::Arc};

use draftgate_core::{Draft, Limits};
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use tokio::time::Instant;

use self::{jwt::Judge, server::Server};
pub(crate) use self::{
    place::Shown,
    rate::{Buckets, Paced, Told, Until, until},
};
use crate::{
    BindError, Refused,
    access::shown,
    config::{self, Auth, AuthBy, Config, Grant, Rate, Route, TokenPlace},
    peer::Peer,
};

/// Who guards a route.
#[derive(Debug)]
pub(crate) struct Guard {
    by: By,
    from: Vec<TokenPlace>,
    pass: bool,
}

#[derive(Debug)]
enum By {
    Server(Box<Server>),
    Tokens(Vec<config::NamedToken>),
    Jwt(Box<Judge>),
}

/// What is asked about.
#[derive(Debug)]
pub(crate) struct Question<'a> {
    pub(crate) id: &'a str,
    pub(crate) peer: Peer,
    pub(crate) method: &'a Method,
    /// Path and query as the client wrote them.
    pub(crate) target: &'a str,
    /// The URL by which it reached us.
    pub(crate) url: &'a str,
    pub(crate) shown: Shown<'a>,
    /// `None`: over plain HTTP.
    pub(crate) draft: Option<Draft>,
    pub(crate) channel: Option<&'a str>,
}

/// Somebody who was let in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Admitted {
    /// Who it is, as the log shows it.
    pub(crate) user: Option<Box<str>>,
    pub(crate) grant: Grant,
    /// When he is to go again.
    pub(crate) expires: Option<Instant>,
    /// What the upstream is told of him.
    pub(crate) handed: Vec<(HeaderName, HeaderValue)>,
    /// The cookies that his answer sets.
    pub(crate) cookies: Vec<HeaderValue>,
}

/// What somebody may do on the channel that he named.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Rights {
    pub(crate) subscribe: bool,
    pub(crate) publish: bool,
}

/// The guards of all routes, one place for each.
///
/// # Errors
/// What one needs cannot be had.
pub(crate) fn guards(config: &Config) -> Result<Vec<Option<Arc<Guard>>>, BindError> {
    let guard = |route: &Route| {
        let Some(auth) = &route.auth else {
            return Ok(None);
        };
        let guard = Guard::new(auth).map_err(|why| BindError::Auth {
            route: route.path.to_string(),
            why,
        })?;
        Ok(Some(Arc::new(guard)))
    };
    config.routes.iter().map(guard).collect()
}

impl Guard {
    fn new(auth: &Auth) -> Result<Self, String> {
        let by = match &auth.by {
            AuthBy::Server(server) => By::Server(Box::new(Server::new(server)?)),
            AuthBy::Tokens(tokens) => By::Tokens(tokens.clone()),
            AuthBy::Jwt(jwt) => By::Jwt(Box::new(Judge::new(jwt)?)),
        };
        Ok(Self {
            by,
            from: auth.from.clone(),
            pass: auth.pass,
        })
    }

    /// Whether who asks `question` may come in.
    ///
    /// # Errors
    /// Why not.
    pub(crate) async fn admit(&self, question: &Question<'_>) -> Result<Admitted, Refused> {
        if let By::Server(server) = &self.by {
            return server.admit(question).await;
        }
        let Some(found) = place::find(&self.from, &question.shown) else {
            return Err(Refused::auth_missing()
                .with(self.expected())
                .field("WWW-Authenticate", CHALLENGE));
        };
        let judged = match &self.by {
            By::Tokens(tokens) => tokens::judge(tokens, &found.token),
            By::Jwt(judge) => judge.judge(&found.token),
            By::Server(_) => return Err(Refused::auth_missing()),
        };
        judged.map_err(|refused| {
            let challenge = format!("{CHALLENGE}, error=\"invalid_token\"");
            let detail = match refused.detail.as_deref() {
                Some(detail) => format!("in {}: {detail}", found.place),
                None => format!("in {}", found.place),
            };
            refused.with(detail).field("WWW-Authenticate", challenge)
        })
    }

    fn expected(&self) -> String {
        let places: Vec<String> = self.from.iter().map(ToString::to_string).collect();
        format!("it is looked for in {}", places.join(", then in "))
    }

    /// Whether it judges what is shown itself, so that nobody comes in by
    /// being where he is.
    pub(crate) fn wants_token(&self) -> bool {
        !matches!(self.by, By::Server(_))
    }

    /// The names of the fields that only this guard writes.
    pub(crate) fn hands_on(&self) -> &[HeaderName] {
        match &self.by {
            By::Server(server) => server.hands_on(),
            By::Tokens(_) | By::Jwt(_) => &[],
        }
    }

    /// The fields of a request without what let in, with what was found out.
    fn fields(&self, headers: &HeaderMap, admitted: &Admitted) -> Option<HeaderMap> {
        let hides = !self.pass && !self.from.is_empty();
        if !hides && self.hands_on().is_empty() {
            return None;
        }
        let mut headers = headers.clone();
        if hides {
            place::without(&self.from, &mut headers);
        }
        let ours = self.hands_on().iter();
        let ours = ours.filter(|name| **name != header::SET_COOKIE);
        for ours in ours.map(read_as) {
            let alike: Vec<HeaderName> = headers
                .keys()
                .filter(|name| read_as(name) == ours)
                .cloned()
                .collect();
            for name in alike {
                headers.remove(name);
            }
        }
        for (name, value) in &admitted.handed {
            headers.append(name.clone(), value.clone());
        }
        Some(headers)
    }
}

/// A request as services get to see it.
#[derive(Debug)]
pub(crate) struct Seen<'a> {
    pub(crate) headers: Cow<'a, HeaderMap>,
    pub(crate) query: Option<Cow<'a, str>>,
    pub(crate) url: Cow<'a, str>,
    /// Those of which one may be chosen.
    pub(crate) subprotocols: Vec<&'a str>,
    /// What is answered where none is chosen: a browser that offered its token
    /// alone takes no answer without it.
    pub(crate) echoed: Option<&'a str>,
    pub(crate) handed: &'a [HeaderName],
}

impl<'a> Seen<'a> {
    /// What is left of what was `shown` at `url` when `guard` has let `admitted` in.
    pub(crate) fn new(
        guard: Option<&'a Guard>,
        shown: Shown<'a>,
        url: &'a str,
        admitted: &Admitted,
    ) -> Self {
        let asked = shown.subprotocols;
        let mut seen = Self {
            headers: Cow::Borrowed(shown.headers),
            query: shown.query.map(Cow::Borrowed),
            url: Cow::Borrowed(url),
            subprotocols: asked.to_vec(),
            echoed: None,
            handed: &[],
        };
        let Some(guard) = guard else {
            return seen;
        };
        if let Some(fields) = guard.fields(shown.headers, admitted) {
            seen.headers = Cow::Owned(fields);
        }
        seen.handed = guard.hands_on();
        seen.subprotocols = place::subprotocols_without(&guard.from, asked);
        if seen.subprotocols.is_empty() {
            seen.echoed = asked.first().copied();
        }
        if let (Some(query), false) = (shown.query, guard.pass) {
            seen.query = place::query_without(&guard.from, query).map(Cow::Owned);
            let before = url.split('?').next().unwrap_or(url);
            seen.url = match &seen.query {
                Some(query) => Cow::Owned(format!("{before}?{query}")),
                None => Cow::Borrowed(before),
            };
        }
        seen
    }
}

impl Admitted {
    /// What he may do on `channel` of `route`.
    ///
    /// # Errors
    /// Nothing at all.
    pub(crate) fn rights(&self, route: &Route, channel: Option<&str>) -> Result<Rights, Refused> {
        let (subscribe, publish) = match route.service {
            config::Service::Bus => (true, true),
            config::Service::Clock => (true, false),
            config::Service::Echo | config::Service::Proxy => {
                return Ok(Rights {
                    subscribe: true,
                    publish: true,
                });
            }
        };
        let channel = channel.unwrap_or(crate::service::CLOCK_CHANNEL);
        let may = |own: &Option<config::Allowed>, routes: &config::Allowed| {
            own.as_ref().unwrap_or(routes).covers(channel)
        };
        let rights = Rights {
            subscribe: subscribe && may(&self.grant.subscribe, &route.subscribe),
            publish: publish && may(&self.grant.publish, &route.publish),
        };
        match rights.subscribe || rights.publish {
            true => Ok(rights),
            false => Err(forbidden(
                "may be neither subscribed to nor published on",
                channel,
            )),
        }
    }

    /// How much he may say at once.
    pub(crate) fn limits(&self, route: &Route) -> Limits {
        self.grant.limits(route.limits)
    }

    /// How fast.
    pub(crate) fn rate(&self, route: &Route) -> Option<Rate> {
        self.grant.rate.over(route.rate).rate()
    }
}

/// What about `channel` is not allowed.
pub(crate) fn forbidden(what: &str, channel: &str) -> Refused {
    Refused::auth_forbidden().with(format!("the channel `{}` {what}", shown(channel)))
}

/// `name` as servers read it that make variables of fields (CGI, WSGI, PHP):
/// `X_User` and `X.User` are `X-User` to them, and which of them they see if
/// there are several is left to chance.
fn read_as(name: &HeaderName) -> Cow<'_, str> {
    let other = |c: char| !c.is_ascii_alphanumeric();
    match name.as_str() {
        text if text.contains(|c| c != '-' && other(c)) => text.replace(other, "-").into(),
        text => text.into(),
    }
}

/// A user's name as the log shows it.
fn named(user: &str) -> Box<str> {
    shown(user).into()
}

const CHALLENGE: &str = "Bearer realm=\"draftgate\"";
