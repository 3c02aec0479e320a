//! What one connection asks for, and how it gets there, where that differs from
//! what the client was told for all of them: a proxy passes on what each of its
//! clients asked for, and reads certificates once.

use std::{net::IpAddr, path::Path};

use http::HeaderValue;

/// What one connection asks for; the default asks for what the URL and the
/// client's options say.
#[derive(Debug, Clone, Copy, Default)]
pub struct Request<'a> {
    /// Path and query, instead of the URL's.
    pub resource: Option<&'a str>,
    /// The field `Host`, instead of the URL's host. The server is looked up,
    /// and its certificate checked, by the URL's.
    pub host: Option<&'a str>,
    /// The origin, instead of the options'.
    pub origin: Option<&'a str>,
    /// Subprotocols in order of preference, instead of the options'. A draft
    /// that asks for one only asks for the first.
    pub subprotocols: Option<&'a [String]>,
    /// Fields besides the options'; those that the draft itself writes may not
    /// be among them.
    pub fields: &'a [(String, HeaderValue)],
    /// The Unix socket to connect to, instead of the URL's host and port. No
    /// proxy is asked then.
    pub socket: Option<&'a Path>,
    /// The addresses of this machine to connect from, in order of preference:
    /// the first that is of the server's family, the next where its ports are
    /// used up. The system's choice if there are none.
    pub sources: &'a [IpAddr],
    /// What is sent before everything else, TLS included: a header of the PROXY
    /// protocol. Through a proxy's tunnel it is sent behind the tunnel's opening.
    pub preface: &'a [u8],
}
