//! Which certificate a client gets: the one that has the name it asks for.
//!
//! A client of 2010 names nobody and gets the first, or one for the same name. One that names a host of
//! which no certificate speaks gets the first as well: it will say what it
//! misses more clearly than an alert could.

use std::{collections::HashMap, fmt, sync::Arc};

use tokio_rustls::rustls::{
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::files::Pair;

/// The certificates of a listener, by name; never empty.
#[derive(Debug)]
pub(super) struct Names {
    pub(super) pairs: Vec<Pair>,
    by_name: HashMap<String, Vec<usize>>,
}

impl Names {
    pub(super) fn new(pairs: Vec<Pair>) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (index, pair) in pairs.iter().enumerate() {
            for name in &pair.about.names {
                by_name.entry(name.clone()).or_default().push(index);
            }
        }
        Self { pairs, by_name }
    }

    /// The places of those that are for `name`, of which one is at least: an exact name
    /// goes before a wildcard, which stands for one label (RFC 9525 §6.3). For
    /// nobody's name, the first and those that share its name.
    pub(super) fn of(&self, name: Option<&str>) -> &[usize] {
        let exact = name.and_then(|name| self.by_name.get(name));
        let found = exact.or_else(|| {
            let (_, parent) = name?.split_once('.')?;
            self.by_name.get(&format!("*.{parent}"))
        });
        let first = || {
            let name = self.pairs.first()?.about.names.first()?;
            self.by_name.get(name)
        };
        found.or_else(first).map_or(&[0], Vec::as_slice)
    }

    /// The place of the first for `name` that `serves`; else of the first for it.
    pub(super) fn choose(
        &self,
        name: Option<&str>,
        serves: impl Fn(&CertifiedKey) -> bool,
    ) -> usize {
        let of = self.of(name);
        let fits = of.iter().find(|index| serves(&self.pairs[**index].key));
        *fits.unwrap_or(&of[0])
    }
}

/// For rustls: what it asks is by the hello that it read itself.
#[derive(Clone)]
pub(super) struct Resolver(pub(super) Arc<Names>);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let schemes = hello.signature_schemes();
        let serves = |key: &CertifiedKey| key.key.choose_scheme(schemes).is_some();
        let index = self.0.choose(hello.server_name(), serves);
        Some(Arc::clone(&self.0.pairs[index].key))
    }
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = self.0.pairs.iter().map(|pair| pair.about.to_string());
        f.debug_list().entries(of).finish()
    }
}
