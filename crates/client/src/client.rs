//! The client: what it asks for in a draft, one draft after the other, and what a
//! connection brings.

use std::sync::{Arc, OnceLock};

use bytes::{Bytes, BytesMut};
use draftgate_conn::Start;
use draftgate_core::{Codec, Draft, Role};
use draftgate_drafts::{
    RandomKeys,
    compression::Offers,
    opening::{Ask, Connected, Offer, Refusal, RefusalKind},
};
use http::{HeaderValue, header};
use tokio::time::sleep;
use tokio_rustls::rustls::ClientConfig;

use crate::{
    ConnectError, Drafts, Options, Request, Stream, TlsFailure, Url, answered, dial::Dial, http2,
    ladder::Ladder, opening,
};

/// Connects to servers, as it was told once.
#[derive(Debug)]
pub struct Client {
    options: Options,
    tls: OnceLock<Arc<ClientConfig>>,
}

/// A draft that was tried before the one that worked, and why it did not.
pub type Tried = (Draft, ConnectError);

/// An open connection that nobody drives yet.
#[derive(Debug)]
pub struct Connection {
    /// The octets.
    pub stream: Stream,
    /// What speaks from here on.
    pub codec: Box<dyn Codec>,
    /// What came behind the answer: it is the codec's.
    pub received: BytesMut,
    /// The request as it was sent, with what belongs to it behind its head. It
    /// holds what was sent for authentication.
    pub request: Bytes,
    /// The answer's head as it came.
    pub head: Bytes,
    /// The subprotocol the server chose.
    pub subprotocol: Option<String>,
    /// What lenient checks of the answer let pass; each names the field.
    pub forgiven: Vec<Refusal>,
    /// The drafts that were tried before, in order.
    pub tried: Vec<Tried>,
}

impl Connection {
    /// The draft that is spoken.
    pub fn draft(&self) -> Draft {
        self.codec.draft()
    }

    /// The fields of the answer, names and values in their order.
    pub fn fields(&self) -> Vec<(String, HeaderValue)> {
        answered::fields(&self.head)
    }

    /// What a driver needs: the stream, and where the protocol stands on it.
    pub fn start(self) -> (Stream, Start) {
        let start = Start {
            received: self.received,
            ..Start::new(self.codec)
        };
        (self.stream, start)
    }
}

impl Client {
    /// A client that does as `options` say.
    pub fn new(options: Options) -> Self {
        Self {
            options,
            tls: OnceLock::new(),
        }
    }

    /// Reads the certificates that TLS goes by, which else happens with the
    /// first connection that needs them.
    ///
    /// # Errors
    /// There are none, or a file is none.
    pub fn prepare_tls(&self) -> Result<(), TlsFailure> {
        self.tls().map(drop)
    }

    /// What it was told.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// Connects to `url`, in the first of its drafts that the server accepts;
    /// each draft has a connection of its own.
    ///
    /// A refusal that lists versions is followed to the highest that is among
    /// the drafts still to try, once; without a list, the next draft is tried
    /// where the refusal [may be the draft's](ConnectError::may_be_the_draft).
    ///
    /// # Errors
    /// Why there is no connection; [`ConnectError::NoDraft`] if more than one
    /// draft was tried.
    pub async fn connect(&self, url: &Url) -> Result<Connection, ConnectError> {
        self.connect_with(url, &Request::default()).await
    }

    /// As [`connect`](Self::connect), with what `request` says.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_with(
        &self,
        url: &Url,
        request: &Request<'_>,
    ) -> Result<Connection, ConnectError> {
        let mut drafts = self.options.drafts.in_order();
        if self.options.http2 && self.options.drafts == Drafts::Auto {
            drafts.retain(|draft| *draft == draftgate_drafts::OVER_HTTP_2);
        }
        let mut ladder = Ladder::new(drafts);
        let mut tried: Vec<Tried> = Vec::new();
        let mut next = ladder.first();
        while let Some(draft) = next {
            if !tried.is_empty() {
                sleep(self.options.pause).await;
            }
            match self.connect_in_with(draft, url, request).await {
                Ok(connection) => {
                    return Ok(Connection {
                        tried,
                        ..connection
                    });
                }
                Err(error) => {
                    next = ladder.after(draft, &error);
                    tried.push((draft, error));
                }
            }
        }
        match tried.pop() {
            Some((_, error)) if tried.is_empty() => Err(error),
            Some(last) => {
                tried.push(last);
                Err(ConnectError::NoDraft(tried))
            }
            None => Err(ConnectError::NoDraftNamed),
        }
    }

    /// Connects to `url` in `draft` alone, whatever drafts it was told.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn connect_in(&self, draft: Draft, url: &Url) -> Result<Connection, ConnectError> {
        self.connect_in_with(draft, url, &Request::default()).await
    }

    /// As [`connect_in`](Self::connect_in), with what `request` says.
    ///
    /// # Errors
    /// As there.
    pub async fn connect_in_with(
        &self,
        draft: Draft,
        url: &Url,
        request: &Request<'_>,
    ) -> Result<Connection, ConnectError> {
        let offer = self.offer_with(draft, url, request);
        let offer = offer.map_err(|refusal| ConnectError::Unspeakable { refusal })?;
        if self.options.http2 && draft != draftgate_drafts::OVER_HTTP_2 {
            let detail = format!("{} over HTTP/2", draft.with_alias());
            return Err(ConnectError::Unspeakable {
                refusal: Refusal::with(RefusalKind::AskUnspeakable, detail),
            });
        }
        let mut stream = self.dial_with(url, request).await?;
        let within = self.options.opening_timeout;
        let seen = |from: Role, octets: &[u8]| {
            if let Some(witness) = &self.options.witness {
                witness.said(draft, from, octets);
            }
        };
        if self.options.http2 {
            let opened = http2::open(stream, url, offer, within, seen).await?;
            let carried = Carried {
                stream: opened.stream,
                request: opened.request,
                received: BytesMut::new(),
            };
            return Ok(connection(opened.connected, carried));
        }
        let request = offer.request.clone();
        // Answers of drafts without a version are no HTTP: 101 is all they know.
        let informed = draft.version().is_some();
        let opened = opening::open(&mut stream, &url.host, offer, within, informed, seen).await?;
        let (connected, received) = opened;
        let carried = Carried {
            stream,
            request,
            received,
        };
        Ok(connection(connected, carried))
    }

    /// The way to `url` alone, of which nothing has been asked yet: TCP, the
    /// proxy's tunnel and TLS, as the URL and the options have them.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn dial(&self, url: &Url) -> Result<Stream, ConnectError> {
        self.dial_with(url, &Request::default()).await
    }

    /// As [`dial`](Self::dial), with what `request` says: over its socket, from
    /// its sources, and after its preface.
    ///
    /// # Errors
    /// As there.
    pub async fn dial_with(
        &self,
        url: &Url,
        request: &Request<'_>,
    ) -> Result<Stream, ConnectError> {
        let dial = Dial::new(&self.options, url, request);
        dial.stream(|| self.tls()).await
    }

    /// The request for `url` in `draft`, and what waits for its answer, for
    /// who sends it over a stream of its own.
    ///
    /// # Errors
    /// The draft cannot ask for what the options say.
    pub fn offer(&self, draft: Draft, url: &Url) -> Result<Offer, Refusal> {
        self.offer_with(draft, url, &Request::default())
    }

    /// As [`offer`](Self::offer), with what `request` says.
    ///
    /// # Errors
    /// As there.
    pub fn offer_with(
        &self,
        draft: Draft,
        url: &Url,
        request: &Request<'_>,
    ) -> Result<Offer, Refusal> {
        let options = &self.options;
        let origin = request.origin.or(options.origin.as_deref());
        let origin = origin.map(str::to_owned).or_else(|| url.origin(draft));
        let mut subprotocols: Vec<&str> = match request.subprotocols {
            Some(several) => several.iter().map(String::as_str).collect(),
            None => options.subprotocols.iter().map(String::as_str).collect(),
        };
        if request.subprotocols.is_some() && draftgate_drafts::asks_for_one_subprotocol(draft) {
            subprotocols.truncate(1);
        }
        let fields = self.fields(url, request.fields)?;
        let fields: Vec<_> = fields
            .iter()
            .map(|(name, value)| (name.as_str(), value.clone()))
            .collect();
        let extensions = options.compression;
        let ask = Ask {
            secure: url.secure,
            host: request.host.unwrap_or(&url.host),
            resource: request.resource.unwrap_or(&url.resource),
            origin: origin.as_deref(),
            subprotocols: &subprotocols,
            fields: &fields,
            limits: options.limits,
            length_frames: options.length_frames,
            extensions: extensions.map(|settings| Arc::new(Offers { settings }) as _),
        };
        let mut offer = draftgate_drafts::offer(draft, &ask, &mut RandomKeys)?;
        offer.pending.judge(options.answer_checks);
        Ok(offer)
    }

    /// The fields besides the draft's own.
    fn fields(
        &self,
        url: &Url,
        more: &[(String, HeaderValue)],
    ) -> Result<Vec<(String, HeaderValue)>, Refusal> {
        let options = &self.options;
        let mut fields = [&options.fields, more].concat();
        if let Some((name, _)) = fields.iter().find(|(name, _)| is_the_drafts(name)) {
            let detail = format!("{name} is written by the draft itself");
            return Err(Refusal::with(RefusalKind::AskUnspeakable, detail));
        }
        if !options.cookies.is_empty() {
            let value = HeaderValue::from_str(&options.cookies.join("; ")).map_err(|_| {
                let detail = "a cookie holds a control character";
                Refusal::with(RefusalKind::AskUnspeakable, detail)
            })?;
            fields.push(("Cookie".to_owned(), value));
        }
        let authorized = fields
            .iter()
            .any(|(name, _)| name.eq_ignore_ascii_case(header::AUTHORIZATION.as_str()));
        let basic = url.credentials.as_ref().and_then(|c| c.basic());
        if let Some(value) = basic.filter(|_| !authorized) {
            fields.push(("Authorization".to_owned(), value));
        }
        Ok(fields)
    }

    /// What TLS goes by; the certificates are read once.
    fn tls(&self) -> Result<Arc<ClientConfig>, TlsFailure> {
        if let Some(config) = self.tls.get() {
            return Ok(Arc::clone(config));
        }
        let config = self.options.tls.config()?;
        Ok(Arc::clone(self.tls.get_or_init(|| config)))
    }
}

/// What an opening went over.
struct Carried {
    stream: Stream,
    request: Bytes,
    received: BytesMut,
}

fn connection(connected: Connected, carried: Carried) -> Connection {
    Connection {
        stream: carried.stream,
        codec: connected.codec,
        received: carried.received,
        request: carried.request,
        head: connected.head,
        subprotocol: connected.subprotocol,
        forgiven: connected.forgiven,
        tried: Vec::new(),
    }
}

/// Whether a draft writes the field `name` itself, or it would make the request
/// another one than the draft's.
fn is_the_drafts(name: &str) -> bool {
    const OWN: [&str; 6] = [
        "host",
        "upgrade",
        "connection",
        "origin",
        "content-length",
        "transfer-encoding",
    ];
    let name = name.to_ascii_lowercase();
    OWN.contains(&name.as_str())
        || name.starts_with("sec-websocket-")
        || name.starts_with("websocket-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_that_a_draft_writes_are_refused_and_a_given_authorization_wins() {
        let url: Url = "ws://me:pw@a/".parse().unwrap();
        let with = |name: &str| {
            let value = HeaderValue::from_static("x");
            Client::new(Options {
                fields: vec![(name.to_owned(), value)],
                cookies: vec!["a=b".into(), "c=d".into()],
                ..Options::default()
            })
        };
        for name in ["Host", "ORIGIN", "Sec-WebSocket-Key1", "Transfer-Encoding"] {
            let refusal = with(name).fields(&url, &[]).unwrap_err();
            assert!(refusal.to_string().contains(name), "{refusal}");
        }
        let names = |name: &str| {
            let fields = with(name).fields(&url, &[]).unwrap();
            let names = fields.iter().map(|(name, _)| name.clone());
            names.collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names("X-Other"), "X-Other Cookie Authorization");
        assert_eq!(names("authorization"), "authorization Cookie");
    }
}
