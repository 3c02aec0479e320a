//! Asks a server about each opening, as nginx's `auth_request` does: a `GET`
//! with the opening's own fields, whose status decides.
//!
//! A redirection is no decision: a browser that opens a WebSocket follows none,
//! so one that leads to a page for signing in would be taken for a mistake of
//! the server's here, and is.

use std::borrow::Cow;

use bytes::{Bytes, BytesMut};
use draftgate_client::Tls;
use draftgate_drafts::opening::tokens;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use tokio::{sync::Semaphore, time::timeout};

use super::{Admitted, CHALLENGE, Question, cache, cache::Cache, grant, pool::Pool, read_as};
use crate::{Answered, Refused, config::AuthServer};

/// As much of what a refusal says goes to the client.
const TOLD: usize = 1 << 10;

/// As much of a body is read to keep the connection.
const READ: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Server {
    config: AuthServer,
    pool: Pool,
    turns: Semaphore,
    cache: Option<Cache>,
}

impl Server {
    pub(super) fn new(config: &AuthServer) -> Result<Self, String> {
        let tls = Tls {
            ca_files: config.ca.clone(),
            insecure: false,
        };
        Ok(Self {
            pool: Pool::new(config.url.place.clone(), tls, config.timeout)?,
            turns: Semaphore::new((config.at_once as usize).min(Semaphore::MAX_PERMITS)),
            cache: config.cache.map(Cache::new),
            config: config.clone(),
        })
    }

    pub(super) fn hands_on(&self) -> &[HeaderName] {
        &self.config.hand_on
    }

    /// What the server says to `question`.
    ///
    /// # Errors
    /// It refuses, or says nothing that could be understood.
    pub(super) async fn admit(&self, question: &Question<'_>) -> Result<Admitted, Refused> {
        let mut fields = self.fields(question);
        let key = self
            .cache
            .as_ref()
            .map(|cache| (cache, cache::key(&fields)));
        if let Some((cache, key)) = &key
            && let Some(admitted) = cache.get(key)
        {
            return Ok(admitted);
        }
        // It differs each time, and says nothing of who asks.
        put(&mut fields, "x-draftgate-id", question.id);
        // Given back when this future is dropped, as when the client goes.
        let turn = timeout(self.config.wait, self.turns.acquire()).await;
        let _turn = turn.map_err(|_| {
            let waited = self.config.wait;
            unavailable(&format!(
                "{} questions were under way for {waited:?}",
                self.config.at_once
            ))
        })?;
        let asked = timeout(self.config.timeout, self.exchange(&fields)).await;
        let silent = |_| unavailable(&format!("it did not answer in {:?}", self.config.timeout));
        let answer = asked.map_err(silent)?.map_err(|why| unavailable(&why))?;
        let admitted = self.judge(&answer)?;
        if let Some((cache, key)) = key
            && may_be_kept(&answer.fields)
        {
            cache.put(key, &admitted);
        }
        Ok(admitted)
    }

    async fn exchange(&self, fields: &HeaderMap) -> Result<Answer, String> {
        let request = || {
            let mut request = http::Request::new(Empty::<Bytes>::new());
            *request.uri_mut() = self.config.url.target.parse().unwrap_or_default();
            *request.headers_mut() = fields.clone();
            request
        };
        let (answer, connection) = self.pool.ask(request).await?;
        let (head, body) = answer.into_parts();
        let refuses = matches!(
            head.status,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN
        );
        let (told, whole) = read(body).await?;
        if whole {
            self.pool.keep(connection);
        }
        Ok(Answer {
            status: head.status,
            fields: head.headers,
            told: if refuses { told } else { Bytes::new() },
        })
    }

    fn judge(&self, answer: &Answer) -> Result<Admitted, Refused> {
        match answer.status {
            status if status.is_success() => self.admitted(&answer.fields),
            StatusCode::UNAUTHORIZED => Err(answer.refusal(Refused::auth_wrong())),
            StatusCode::FORBIDDEN => Err(answer.refusal(Refused::auth_forbidden())),
            status => Err(unavailable(&format!("it answered {status}"))),
        }
    }

    fn admitted(&self, fields: &HeaderMap) -> Result<Admitted, Refused> {
        let grant = match only(fields, self.config.rights_field.as_ref())? {
            None => Default::default(),
            Some((name, said)) => {
                let read = serde_json::from_slice(said.as_bytes())
                    .map_err(|error| format!("is no JSON: {error}"))
                    .and_then(|said| grant::read(&said));
                read.map_err(|why| unavailable(&format!("the field {name} of its answer {why}")))?
            }
        };
        let user = only(fields, self.config.user_field.as_ref())?;
        let user = user
            .map(|(_, user)| user)
            .map(|user| String::from_utf8_lossy(user.as_bytes()));
        let mut admitted = Admitted {
            user: user
                .filter(|user| !user.is_empty())
                .map(|user| super::named(&user)),
            grant,
            ..Admitted::default()
        };
        for name in &self.config.hand_on {
            for value in fields.get_all(name) {
                match *name == header::SET_COOKIE {
                    true => admitted.cookies.push(value.clone()),
                    false => admitted.handed.push((name.clone(), value.clone())),
                }
            }
        }
        Ok(admitted)
    }

    /// What the server is told, but for what differs each time.
    fn fields(&self, question: &Question<'_>) -> HeaderMap {
        let headers = question.shown.headers;
        let mut fields = HeaderMap::new();
        if let Ok(host) = HeaderValue::from_str(&self.config.url.host) {
            fields.insert(header::HOST, host);
        }
        // Those are for us alone (RFC 9110 §7.6.1).
        let listed: Vec<&str> = tokens(headers, "connection").collect();
        for (name, value) in headers {
            let text = name.as_str();
            let for_us = listed
                .iter()
                .any(|listed| listed.eq_ignore_ascii_case(text));
            if !for_us && !self.is_ours(name) {
                fields.append(name.clone(), value.clone());
            }
        }
        let (scheme, rest) = question
            .url
            .split_once("://")
            .unwrap_or(("ws", question.url));
        let host = rest.split(['/', '?']).next().unwrap_or(rest);
        put(&mut fields, "x-original-uri", question.target);
        put(&mut fields, "x-original-method", question.method.as_str());
        put(
            &mut fields,
            "x-forwarded-for",
            &question.peer.client.ip().to_string(),
        );
        put(&mut fields, "x-forwarded-host", host);
        put(
            &mut fields,
            "x-forwarded-proto",
            if scheme == "wss" { "https" } else { "http" },
        );
        put(
            &mut fields,
            "x-draftgate-draft",
            question.draft.map_or("http", |draft| draft.name()),
        );
        if let Some(channel) = question.channel {
            put(&mut fields, "x-draftgate-channel", channel);
        }
        fields
    }

    /// Whether a field of the client's is nothing for the server: what is about
    /// one connection, about the opening itself, or ours to say.
    fn is_ours(&self, name: &HeaderName) -> bool {
        let text = &*read_as(name);
        let config = &self.config;
        let of_answers = config
            .hand_on
            .iter()
            .chain(&config.rights_field)
            .chain(&config.user_field);
        let is_of_answers = of_answers
            .filter(|it| **it != header::SET_COOKIE)
            .any(|it| read_as(it) == text);
        is_of_answers
            || LEFT_OUT.contains(&text)
            || text.starts_with("x-draftgate-")
            || text.starts_with("x-original-")
            || text.starts_with("if-")
            || (text.starts_with("sec-websocket-")
                && name != "sec-websocket-protocol"
                && name != "sec-websocket-origin")
    }
}

const LEFT_OUT: [&str; 21] = [
    "accept-encoding",
    "connection",
    "content-length",
    "content-type",
    "expect",
    "forwarded",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-real-ip",
];

/// What was answered.
struct Answer {
    status: StatusCode,
    fields: HeaderMap,
    /// What a refusal says.
    told: Bytes,
}

impl Answer {
    /// `refused`, in the server's own words, as far as it has any.
    fn refusal(&self, refused: Refused) -> Refused {
        let status = self.status;
        let refused = refused.with(format!("the authorization server answered {status}"));
        let mut fields: Vec<(HeaderName, HeaderValue)> = Vec::new();
        for value in self.fields.get_all(header::WWW_AUTHENTICATE) {
            fields.push((header::WWW_AUTHENTICATE, value.clone()));
        }
        if fields.is_empty() && status == StatusCode::UNAUTHORIZED {
            // RFC 9110 §15.5.2: there must be one.
            let ours = HeaderValue::from_static(CHALLENGE);
            fields.push((header::WWW_AUTHENTICATE, ours));
        }
        if self.told.is_empty() {
            let first = fields.first().and_then(|(_, value)| value.to_str().ok());
            return match first {
                Some(challenge) => refused.field("WWW-Authenticate", challenge),
                None => refused,
            };
        }
        let kind = self.fields.get(header::CONTENT_TYPE).cloned();
        let kind = kind.unwrap_or_else(|| HeaderValue::from_static("text/plain; charset=utf-8"));
        fields.push((header::CONTENT_TYPE, kind));
        let nosniff = HeaderValue::from_static("nosniff");
        fields.push((header::X_CONTENT_TYPE_OPTIONS, nosniff));
        Refused {
            answered: Some(Box::new(Answered {
                reason: status.canonical_reason().unwrap_or_default().to_owned(),
                fields,
                body: self.told.clone(),
            })),
            ..refused
        }
    }
}

/// The beginning of a body, and whether it came to its end.
async fn read(mut body: Incoming) -> Result<(Bytes, bool), String> {
    let mut told = BytesMut::new();
    let mut had = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| format!("its answer broke off: {error}"))?;
        let Ok(part) = frame.into_data() else {
            continue;
        };
        let room = TOLD.saturating_sub(told.len()).min(part.len());
        told.extend_from_slice(&part[..room]);
        had += part.len();
        if had > READ {
            return Ok((told.freeze(), false));
        }
    }
    Ok((told.freeze(), true))
}

/// The one field `name` of an answer. Where there are two, one of them would
/// have to be passed over, and it may be the one that forbids.
fn only<'f>(
    fields: &'f HeaderMap,
    name: Option<&'f HeaderName>,
) -> Result<Option<(&'f HeaderName, &'f HeaderValue)>, Refused> {
    let Some(name) = name else {
        return Ok(None);
    };
    let mut all = fields.get_all(name).iter();
    match (all.next(), all.next()) {
        (_, Some(_)) => Err(unavailable(&format!(
            "the field {name} stands in its answer more than once"
        ))),
        (first, None) => Ok(first.map(|value| (name, value))),
    }
}

fn may_be_kept(fields: &HeaderMap) -> bool {
    let said = fields.get_all(header::CACHE_CONTROL).iter();
    let said = said.map(|it| String::from_utf8_lossy(it.as_bytes()));
    let no_store = |it: Cow<'_, str>| it.to_ascii_lowercase().contains("no-store");
    !fields.contains_key(header::SET_COOKIE) && !said.into_iter().any(no_store)
}

fn put(fields: &mut HeaderMap, name: &'static str, value: &str) {
    // What a request's head had may stand in a head again.
    if let Ok(value) = HeaderValue::from_bytes(value.as_bytes()) {
        fields.insert(name, value);
    }
}

/// `why` names what is behind us, and is for the log alone.
fn unavailable(why: &str) -> Refused {
    let refused = Refused::auth_unavailable().field("Retry-After", "5");
    refused.with_private(crate::access::shown(why))
}
