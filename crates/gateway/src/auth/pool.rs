//! Connections to a server that is asked, kept for the next question: a storm
//! of openings must not use up the ports of this machine.
//!
//! There are never more than questions at once, so nothing has to be counted
//! here. One that was kept may have been ended meanwhile: the question is then
//! asked again on a new one, which for a `GET` does no harm.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use draftgate_client::{Client, Options, Request, Tls, Url};
use http_body_util::Empty;
use hyper::{
    Response,
    body::Incoming,
    client::conn::http1::{Builder, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::time::Instant;
use tracing::debug;

/// The longest head of an answer.
const HEAD: usize = 64 << 10;

/// The most fields of one.
const FIELDS: usize = 200;

/// How long a connection is kept that nobody needs; servers end theirs after
/// 5 s to 75 s.
const KEPT: Duration = Duration::from_secs(60);

pub(super) type Sending = SendRequest<Empty<Bytes>>;

#[derive(Debug)]
pub(super) struct Pool {
    client: Client,
    place: Url,
    idle: Mutex<Vec<(Instant, Sending)>>,
}

impl Pool {
    /// Connections to `place`, each made within `timeout`.
    ///
    /// # Errors
    /// The certificates that it needs cannot be had.
    pub(super) fn new(place: Url, tls: Tls, timeout: Duration) -> Result<Self, String> {
        let client = Client::new(Options {
            connect_timeout: timeout,
            tls,
            ..Options::default()
        });
        if place.secure {
            client.prepare_tls().map_err(|error| error.to_string())?;
        }
        Ok(Self {
            client,
            place,
            idle: Mutex::default(),
        })
    }

    /// Asks for what `request` makes, and hands back what is answered with the
    /// connection, which is to be [kept](Self::keep) once the body is read.
    ///
    /// # Errors
    /// There is no answer.
    pub(super) async fn ask(
        &self,
        request: impl Fn() -> hyper::Request<Empty<Bytes>>,
    ) -> Result<(Response<Incoming>, Sending), String> {
        if let Some(mut kept) = self.kept().await {
            match kept.send_request(request()).await {
                Ok(answer) => return Ok((answer, kept)),
                Err(error) if error.is_parse() => return Err(said(&error)),
                Err(error) => debug!(%error, "asked again: the connection was ended meanwhile"),
            }
        }
        let mut fresh = self.connect().await?;
        match fresh.send_request(request()).await {
            Ok(answer) => Ok((answer, fresh)),
            Err(error) => Err(said(&error)),
        }
    }

    /// Keeps a connection for the next question.
    pub(super) fn keep(&self, connection: Sending) {
        if !connection.is_closed() {
            self.idle().push((Instant::now(), connection));
        }
    }

    /// The one that was used last and may be used again.
    async fn kept(&self) -> Option<Sending> {
        loop {
            let (since, mut connection) = self.idle().pop()?;
            if since.elapsed() > KEPT {
                // Those below it are older still.
                self.idle().retain(|(since, _)| since.elapsed() <= KEPT);
            } else if connection.ready().await.is_ok() {
                return Some(connection);
            }
        }
    }

    async fn connect(&self) -> Result<Sending, String> {
        let dialled = self
            .client
            .dial_with(&self.place, &Request::default())
            .await;
        let stream = dialled.map_err(|error| error.to_string())?;
        let mut http = Builder::new();
        http.max_buf_size(HEAD).max_headers(FIELDS);
        let shaken = http.handshake(TokioIo::new(stream)).await;
        let (sending, connection) = shaken.map_err(|error| said(&error))?;
        // It ends when nobody sends any more, or the server ends it.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                debug!(%error, "a connection to an authorization server ended");
            }
        });
        Ok(sending)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<(Instant, Sending)>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An error with its cause: hyper's own words alone say little.
fn said(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}
