//! TLS 1.0 and 1.1, and what else rustls does not speak, by the system's
//! OpenSSL: for clients of 2009 to 2012 alone.
//!
//! OpenSSL refuses their versions and signatures unless its security level is
//! zero; RC4, 3DES and SSL 3.0 are not in it any more on any system of today.
//! What is sent is put together here before it is encrypted: OpenSSL makes one
//! record of each write, and wants a write that had to wait to be repeated to
//! the letter.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use openssl::{
    error::ErrorStack,
    pkey::PKey,
    ssl::{
        AlpnError, Ssl, SslContext, SslMethod, SslMode, SslOptions, SslRef, SslSessionCacheMode,
        SslVerifyMode, SslVersion, select_next_proto,
    },
    stack::Stack,
    x509::{X509, X509Name, store::X509StoreBuilder},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;
use tokio_rustls::rustls::server::danger::ClientCertVerifier;

use super::{
    files::{self, BadFile, Of, Pair, Why},
    hello::Hello,
    judged,
    modern::HTTP_1,
    replayed::Replayed,
};
use crate::{
    config::{ClientAuth, Tls},
    last_words::linger,
};

/// All suites that OpenSSL has, but those without certificate or encryption.
const SUITES: &str = "ALL:!aNULL:!eNULL:@SECLEVEL=0";

/// Sessions held for clients without tickets; some hundred octets each.
const SESSIONS: i32 = 1024;

/// Octets in one record, at most.
const RECORD: usize = 16 << 10;

/// What OpenSSL serves clients by that get the certificate `pair`, which
/// stands in place `index`.
/// Certificates of clients are judged by `verifier`.
pub(super) fn context(
    settings: &Tls,
    pair: &Pair,
    index: usize,
    verifier: Option<&Arc<dyn ClientCertVerifier>>,
) -> Result<SslContext, BadFile> {
    let authorities = authorities(settings)?;
    build(settings, pair, authorities, verifier).map_err(|error| BadFile {
        file: pair.about.file.clone(),
        of: Of::Certificate(index),
        why: Why::OpenSsl(error),
    })
}

fn build(
    settings: &Tls,
    pair: &Pair,
    authorities: Vec<X509>,
    verifier: Option<&Arc<dyn ClientCertVerifier>>,
) -> Result<SslContext, ErrorStack> {
    let mut builder = SslContext::builder(SslMethod::tls_server())?;
    builder.set_security_level(0);
    builder.clear_options(SslOptions::NO_TLSV1 | SslOptions::NO_TLSV1_1 | SslOptions::NO_TLSV1_3);
    builder.set_min_proto_version(Some(SslVersion::TLS1))?;
    builder.set_max_proto_version(None)?;
    builder.set_cipher_list(SUITES)?;
    // ALL: what old clients stumble over is left out; but not the empty records
    // of TLS 1.0, without which a client's neighbours could guess what it is
    // sent (BEAST). Most old clients end TCP without a word of TLS; that is an
    // end like any other.
    builder.set_options(
        SslOptions::ALL.difference(SslOptions::DONT_INSERT_EMPTY_FRAGMENTS)
            | SslOptions::NO_COMPRESSION
            | SslOptions::NO_RENEGOTIATION
            | SslOptions::CIPHER_SERVER_PREFERENCE
            | SslOptions::IGNORE_UNEXPECTED_EOF,
    );
    builder.set_mode(SslMode::RELEASE_BUFFERS);
    builder.set_session_cache_mode(SslSessionCacheMode::SERVER);
    builder.set_session_cache_size(SESSIONS);
    builder.set_session_id_context(b"draftgate")?;
    builder.set_alpn_select_callback(|_, offered| {
        select_next_proto(&application_protocols(), offered)
            .and_then(|_| own_protocol(offered))
            .ok_or(AlpnError::ALERT_FATAL)
    });

    let mut chain = pair.key.cert.iter();
    if let Some(own) = chain.next() {
        let own = X509::from_der(own)?;
        builder.set_certificate(&own)?;
    }
    for other in chain {
        builder.add_extra_chain_cert(X509::from_der(other)?)?;
    }
    let key = PKey::private_key_from_der(pair.private.secret_der())?;
    builder.set_private_key(&key)?;
    builder.check_private_key()?;

    let mut store = X509StoreBuilder::new()?;
    let mut wanted = Stack::new()?;
    for authority in authorities {
        wanted.push(X509Name::from_der(&authority.subject_name().to_der()?)?)?;
        store.add_cert(authority)?;
    }
    builder.set_cert_store(store.build());
    builder.set_client_ca_list(wanted);
    if let Some(verifier) = verifier {
        let mode = match settings.client_auth {
            ClientAuth::Required => SslVerifyMode::PEER | SslVerifyMode::FAIL_IF_NO_PEER_CERT,
            _ => SslVerifyMode::PEER,
        };
        judged::judge(&mut builder, mode, Arc::clone(verifier))?;
    }
    Ok(builder.build())
}

fn authorities(settings: &Tls) -> Result<Vec<X509>, BadFile> {
    let mut all = Vec::new();
    for (index, file) in settings.client_ca.iter().enumerate() {
        let bad = |why| BadFile {
            file: file.clone(),
            of: Of::ClientCa(index),
            why,
        };
        for certificate in files::certificates(file).map_err(bad)? {
            let read = X509::from_der(&certificate);
            all.push(read.map_err(|error| bad(Why::OpenSsl(error)))?);
        }
    }
    Ok(all)
}

/// What is spoken inside, as it stands on the wire.
fn application_protocols() -> Vec<u8> {
    let mut list = Vec::from_iter(u8::try_from(HTTP_1.len()));
    list.extend(HTTP_1);
    list
}

/// The protocol of ours that is in `offered`, out of it: old clients have no other.
fn own_protocol(offered: &[u8]) -> Option<&[u8]> {
    let mut rest = offered;
    while let [length, behind @ ..] = rest {
        let (name, next) = behind.split_at_checked(usize::from(*length))?;
        if name == HTTP_1 {
            return Some(name);
        }
        rest = next;
    }
    None
}

/// Speaks TLS with a client that said `hello`.
///
/// # Errors
/// A sentence that says why not; the client has been sent its alert.
pub(super) async fn accept(
    context: &SslContext,
    tcp: Replayed,
    hello: &Hello,
) -> Result<OpenSsl, String> {
    let stream = Ssl::new(context).and_then(|mut ssl| {
        judged::prepare(&mut ssl);
        SslStream::new(ssl, tcp)
    });
    let mut stream = stream.map_err(|error| format!("OpenSSL fails: {error}"))?;
    match Pin::new(&mut stream).accept().await {
        Ok(()) => Ok(OpenSsl {
            stream,
            waiting: Vec::new(),
            sent: 0,
        }),
        Err(error) => {
            // The client is to have the time to read its alert.
            linger(stream.get_mut(), 0).await;
            Err(failure(&error, stream.ssl(), hello))
        }
    }
}

fn failure(error: &openssl::ssl::Error, ssl: &SslRef, hello: &Hello) -> String {
    if let Some(error) = error.io_error() {
        return format!("the connection broke: {error}");
    }
    let Some(stack) = error.ssl_error() else {
        return "the client closed the connection during the handshake".to_owned();
    };
    let reason = stack
        .errors()
        .last()
        .and_then(openssl::error::Error::reason);
    let offered = hello.offered();
    match reason.unwrap_or("no reason") {
        "no shared cipher" => format!(
            "the client offers no cipher suite that OpenSSL still has (RC4, 3DES and export suites are gone): {offered}"
        ),
        "unsupported protocol" | "version too low" => {
            format!("the client offers no version from TLS 1.0 on: {offered}")
        }
        "unexpected eof while reading" => {
            "the client closed the connection during the handshake".to_owned()
        }
        "peer did not return a certificate" => {
            "the client shows no certificate, which `client-auth = \"required\"` asks for".to_owned()
        }
        "certificate verify failed" => {
            let why = judged::why(ssl).unwrap_or("OpenSSL does not say why");
            format!("the client's certificate is not accepted: {why}")
        }
        "inappropriate fallback" => {
            "the client came back with an older version than it can, as if somebody had cut its first attempt".to_owned()
        }
        reason if reason.contains("unknown ca") => format!(
            "the client ended the handshake ({reason}): it knows nobody who signed the certificate; is the chain complete, and its root one that the client has?"
        ),
        reason => format!("{reason} (it offered {offered})"),
    }
}

/// A client that is spoken to through OpenSSL.
#[derive(Debug)]
pub(crate) struct OpenSsl {
    stream: SslStream<Replayed>,
    /// One record's worth that is not encrypted yet; empty but while the
    /// socket is full.
    waiting: Vec<u8>,
    /// As much of it has gone.
    sent: usize,
}

impl OpenSsl {
    pub(super) fn replayed(&self) -> &Replayed {
        self.stream.get_ref()
    }

    /// The version that was agreed on, as numbers have it.
    pub(super) fn version(&self) -> &'static str {
        match self.stream.ssl().version2() {
            Some(SslVersion::TLS1) => "1.0",
            Some(SslVersion::TLS1_1) => "1.1",
            Some(SslVersion::TLS1_2) => "1.2",
            _ => "1.3",
        }
    }

    fn send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent < self.waiting.len() {
            let rest = &self.waiting[self.sent..];
            match ready!(Pin::new(&mut self.stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                count => self.sent += count,
            }
        }
        // A connection that waits holds no buffer.
        self.waiting = Vec::new();
        self.sent = 0;
        Poll::Ready(Ok(()))
    }
}

impl AsyncRead for OpenSsl {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for OpenSsl {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        octets: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(octets)])
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.send(cx))?;
        let whole: usize = parts.iter().map(|part| part.len()).sum();
        let this = &mut *self;
        this.waiting.reserve_exact(whole.min(RECORD));
        for part in parts {
            let room = RECORD - this.waiting.len();
            this.waiting
                .extend_from_slice(&part[..part.len().min(room)]);
        }
        let taken = this.waiting.len();
        // Whatever does not go now goes when it is flushed, or before the next.
        match this.send(cx) {
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            _ => Poll::Ready(Ok(taken)),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
