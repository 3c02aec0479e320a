//! What flags of the command line change in a configuration that was read.
//! They come last and win over the environment and the file.

use std::net::SocketAddr;

use draftgate_core::Draft;

use super::{Config, Listener, Origins, Source, Warning};

impl Config {
    /// `--listen`: listens on this address alone, otherwise as the first
    /// listener does.
    ///
    /// On an address that is not loopback the embedded configuration's origins
    /// (pages of this machine) would be wrong: there they become pages of the
    /// same host and clients without `Origin`. The origins of a file stay.
    /// The warnings are to be shown.
    pub fn with_listen(&mut self, address: SocketAddr) -> Vec<Warning> {
        let first = self.listeners.drain(..).next().unwrap_or_default();
        self.listeners = vec![Listener { address, ..first }];
        if address.ip().to_canonical().is_loopback() || self.source != Source::Embedded {
            return Vec::new();
        }
        let mut changed = false;
        for route in &mut self.routes {
            // `--any-origin` and DRAFTGATE_ORIGINS are a person's own choice.
            if [Origins::local(), Origins::loopback()].contains(&route.origins) {
                route.origins = Origins::default();
                changed = true;
            }
        }
        match changed {
            true => vec![Warning::OriginsBecameSameHost { address }],
            false => Vec::new(),
        }
    }

    /// `--any-origin`: every route accepts every origin, and none.
    pub fn any_origin(&mut self) {
        for route in &mut self.routes {
            route.origins = Origins::any();
        }
    }

    /// `--drafts`: every route speaks these drafts. An empty list changes
    /// nothing: a route that speaks no draft is no route.
    pub fn with_drafts(&mut self, drafts: &[Draft]) {
        if drafts.is_empty() {
            return;
        }
        let mut drafts = drafts.to_vec();
        drafts.sort();
        drafts.dedup();
        for route in &mut self.routes {
            route.drafts.clone_from(&drafts);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listening(address: &str) -> (Config, Vec<Warning>) {
        let mut config = Config::default();
        let warnings = config.with_listen(address.parse().unwrap());
        (config, warnings)
    }

    #[test]
    fn loopback_keeps_the_embedded_origins() {
        for address in [
            "127.0.0.1:0",
            "127.0.0.9:80",
            "[::1]:9000",
            "[::ffff:127.0.0.1]:80",
        ] {
            let (config, warnings) = listening(address);
            assert_eq!(config.listeners[0].address, address.parse().unwrap());
            assert_eq!(config.routes, Config::default().routes);
            assert_eq!(warnings, []);
        }
    }

    #[test]
    fn another_address_makes_origins_same_host_and_warns() {
        for address in ["0.0.0.0:8080", "192.0.2.1:80", "[::]:80"] {
            let (config, warnings) = listening(address);
            assert!(
                config
                    .routes
                    .iter()
                    .all(|route| route.origins == Origins::default())
            );
            let [warning] = warnings.as_slice() else {
                panic!("{warnings:?}")
            };
            assert!(warning.to_string().contains("same host"), "{warning}");
            assert!(config.listeners[0].page, "the rest of the listener stays");
        }
    }

    #[test]
    fn any_origin_wins_whichever_flag_comes_first() {
        let (mut config, _) = listening("0.0.0.0:80");
        config.any_origin();
        let mut other = Config::default();
        other.any_origin();
        assert_eq!(other.with_listen("0.0.0.0:80".parse().unwrap()), []);
        assert_eq!(config, other);
        assert!(
            config
                .routes
                .iter()
                .all(|route| route.origins == Origins::any())
        );
    }

    #[test]
    fn a_files_origins_stay() {
        let mut config = Config {
            source: Source::File("a.toml".into()),
            ..Config::default()
        };
        assert_eq!(config.with_listen("0.0.0.0:80".parse().unwrap()), []);
        assert_eq!(config.routes, Config::default().routes);
    }

    #[test]
    fn drafts_are_put_in_order_and_never_empty() {
        let mut config = Config::default();
        config.with_drafts(&[]);
        assert_eq!(config, Config::default());
        config.with_drafts(&[Draft::Hybi13, Draft::Hixie76, Draft::Hybi13]);
        assert!(
            config
                .routes
                .iter()
                .all(|route| route.drafts == [Draft::Hixie76, Draft::Hybi13])
        );
    }
}
