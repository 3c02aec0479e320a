//! Which subprotocol is answered: one of those the client asked for, never
//! one to a client that asked for none.
//!
//! Sets and phones of 2011 and 2012 close when they asked for one and none
//! comes back. So where a route names no subprotocols of its own, what the
//! client asked for is granted: echo and bus carry every payload alike.

use draftgate_translate::{BASE64, ENVELOPE};

use crate::config::{Route, Service};

/// The subprotocol to answer with on `route`, of those `asked` for.
pub(crate) fn choose(route: &Route, asked: &[&str]) -> Option<String> {
    let asks = |name: &str| asked.contains(&name);
    let known = route.subprotocols.iter().find(|name| asks(name));
    if let Some(known) = known {
        return Some(known.clone());
    }
    // The gateway's own two say how a bus puts its messages; a list of
    // nothing else leaves the client's payload free.
    let ours = |name: &String| name == ENVELOPE || name == BASE64;
    if !route.subprotocols.iter().all(ours) {
        return None;
    }
    if matches!(route.service, Service::Bus | Service::Clock)
        && route.subprotocols.is_empty()
        && asks(ENVELOPE)
    {
        return Some(ENVELOPE.to_owned());
    }
    asked.first().map(|&name| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use draftgate_core::Draft;

    fn route(service: Service, known: &[&str]) -> Route {
        let mut route = Route::new("/".parse().unwrap(), service, vec![Draft::Hybi13]);
        route.subprotocols = known.iter().map(|&name| name.to_owned()).collect();
        route
    }

    #[test]
    fn the_routes_preference_decides_among_those_asked_for() {
        let route = route(Service::Echo, &["b", "a"]);
        assert_eq!(choose(&route, &["a", "b"]).as_deref(), Some("b"));
        assert_eq!(choose(&route, &["a"]).as_deref(), Some("a"));
        assert_eq!(choose(&route, &["c"]), None);
        assert_eq!(choose(&route, &[]), None);
    }

    #[test]
    fn a_route_that_names_none_grants_the_first() {
        let echo = route(Service::Echo, &[]);
        assert_eq!(choose(&echo, &["a", "b"]).as_deref(), Some("a"));
        assert_eq!(choose(&echo, &[]), None);
    }

    #[test]
    fn a_bus_prefers_its_own_and_grants_others() {
        for known in [&[][..], &[ENVELOPE, BASE64]] {
            let bus = route(Service::Bus, known);
            assert_eq!(choose(&bus, &["a", ENVELOPE]).as_deref(), Some(ENVELOPE));
            assert_eq!(choose(&bus, &["a"]).as_deref(), Some("a"));
            assert_eq!(choose(&bus, &[BASE64]).as_deref(), Some(BASE64));
        }
    }
}
