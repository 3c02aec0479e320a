//! The server's side of the negotiation.

use std::fmt::Write;

use draftgate_core::Draft;
use draftgate_wire::Agreed;

use crate::{
    agreed::{Agreement, Way},
    field::{Element, elements},
    name::Name,
    parameters::{PerFrame, PerMessage},
    settings::{LARGEST, SMALLEST, Settings},
};

/// Chooses among the `offers`, the values of a request's
/// `Sec-WebSocket-Extensions` fields in their order: the first one that can be
/// accepted, for the client names the best first (RFC 6455 §9.1). `None` if there
/// is none; then the field stays away from the answer. An offer that is broken
/// is declined like one that is not known (RFC 7692 §7.1).
pub fn agree<'a>(
    draft: Draft,
    offers: impl IntoIterator<Item = &'a str>,
    settings: &Settings,
) -> Option<Box<dyn Agreed>> {
    let mut offered = offers.into_iter().filter_map(elements).flatten();
    let agreement = offered.find_map(|element| accept(draft, &element, settings))?;
    Some(Box::new(agreement))
}

fn accept(draft: Draft, element: &Element<'_>, settings: &Settings) -> Option<Agreement> {
    let name = Name::of(element.name).filter(|name| name.goes_with(draft))?;
    let (ours, theirs, field) = match name {
        Name::PerMessage => per_message(element, settings)?,
        Name::Frame | Name::WebKitFrame => per_frame(name, element, settings)?,
        Name::Stream if settings.stream && element.parameters.is_empty() => {
            (Way::FREE, Way::FREE, name.token().to_owned())
        }
        Name::Stream => return None,
    };
    Some(Agreement {
        name,
        field,
        ours,
        theirs,
        settings: *settings,
    })
}

fn per_message(element: &Element<'_>, settings: &Settings) -> Option<(Way, Way, String)> {
    let offer = PerMessage::of(element)?;
    let window = settings.window();
    let ours = Way {
        window: window.min(offer.server_max_window_bits.unwrap_or(LARGEST)),
        takeover: settings.takeover && !offer.server_no_context_takeover,
    };
    if ours.window < SMALLEST {
        return None;
    }
    let theirs = Way {
        window: match offer.client_max_window_bits {
            Some(bits) => window.min(bits.unwrap_or(LARGEST)),
            // Who does not say that it can must not be asked to (§7.1.2.2).
            None => LARGEST,
        },
        takeover: settings.takeover && !offer.client_no_context_takeover,
    };
    let mut field = Name::PerMessage.token().to_owned();
    for (side, way) in [("server", ours), ("client", theirs)] {
        if !way.takeover {
            // Writing to a String cannot fail.
            let _ = write!(field, "; {side}_no_context_takeover");
        }
    }
    let said = offer.server_max_window_bits.is_some();
    for (side, way, said) in [("server", ours, said), ("client", theirs, false)] {
        if said || way.window < LARGEST {
            let _ = write!(field, "; {side}_max_window_bits={}", way.window);
        }
    }
    Some((ours, theirs, field))
}

/// Of parameters that it does not know, the extension's first server took no notice.
fn per_frame(name: Name, element: &Element<'_>, settings: &Settings) -> Option<(Way, Way, String)> {
    let offer = PerFrame::of(element)?;
    let window = settings.window();
    let ours = Way {
        window: window.min(offer.max_window_bits.unwrap_or(LARGEST)),
        takeover: settings.takeover && !offer.no_context_takeover,
    };
    if ours.window < SMALLEST {
        return None;
    }
    let mut field = name.token().to_owned();
    if name == Name::WebKitFrame {
        // WebKit is told nothing, so it goes on as it likes.
        return Some((ours, Way::FREE, field));
    }
    let theirs = Way {
        window,
        takeover: settings.takeover,
    };
    if !theirs.takeover {
        field.push_str("; no_context_takeover");
    }
    if theirs.window < LARGEST {
        let _ = write!(field, "; max_window_bits={window}");
    }
    Some((ours, theirs, field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Settings = Settings {
        level: 6,
        least: 1,
        window_bits: 15,
        takeover: true,
        stream: false,
    };

    fn answer(draft: Draft, offer: &str, settings: Settings) -> Option<String> {
        agree(draft, [offer], &settings).map(|agreed| agreed.field())
    }

    #[test]
    fn every_parameter_of_an_offer_is_answered() {
        let small = Settings {
            window_bits: 10,
            ..PLAIN
        };
        let forgetful = Settings {
            takeover: false,
            ..PLAIN
        };
        for (settings, offer, want) in [
            (PLAIN, "", ""),
            (
                PLAIN,
                "; server_no_context_takeover",
                "; server_no_context_takeover",
            ),
            (
                PLAIN,
                "; client_no_context_takeover",
                "; client_no_context_takeover",
            ),
            (PLAIN, "; client_max_window_bits", ""),
            (
                PLAIN,
                "; client_max_window_bits=8",
                "; client_max_window_bits=8",
            ),
            (
                PLAIN,
                "; server_max_window_bits=\"9\"",
                "; server_max_window_bits=9",
            ),
            (
                PLAIN,
                "; server_max_window_bits=15",
                "; server_max_window_bits=15",
            ),
            (small, "", "; server_max_window_bits=10"),
            (
                small,
                "; client_max_window_bits",
                "; server_max_window_bits=10; client_max_window_bits=10",
            ),
            (
                small,
                "; server_max_window_bits=9",
                "; server_max_window_bits=9",
            ),
            (
                forgetful,
                "",
                "; server_no_context_takeover; client_no_context_takeover",
            ),
        ] {
            let offer = format!("permessage-deflate{offer}");
            let want = format!("permessage-deflate{want}");
            assert_eq!(
                answer(Draft::Hybi13, &offer, settings),
                Some(want),
                "{offer}"
            );
        }
    }

    #[test]
    fn what_cannot_be_kept_is_declined_and_the_next_offer_taken() {
        for broken in [
            "server_max_window_bits=8",
            "server_max_window_bits",
            "server_max_window_bits=16",
            "server_max_window_bits=9; server_max_window_bits=9",
            "server_no_context_takeover=1",
            "client_no_context_takeover; client_no_context_takeover",
            "client_max_window_bits=08",
            "unknown",
        ] {
            let offer = format!("permessage-deflate; {broken}");
            assert_eq!(answer(Draft::Hybi13, &offer, PLAIN), None, "{broken}");
            let two = format!("{offer}, permessage-deflate");
            let want = Some("permessage-deflate".to_owned());
            assert_eq!(answer(Draft::Hybi13, &two, PLAIN), want, "{broken}");
        }
        assert_eq!(answer(Draft::Hybi13, "x-google-mux", PLAIN), None);
        assert_eq!(answer(Draft::Hybi13, "", PLAIN), None);
        assert_eq!(answer(Draft::Hybi13, "permessage-deflate; \"", PLAIN), None);
    }

    #[test]
    fn per_frame_is_answered_under_the_name_offered() {
        let tight = Settings {
            takeover: false,
            window_bits: 11,
            ..PLAIN
        };
        for (offer, want) in [
            ("x-webkit-deflate-frame", Some("x-webkit-deflate-frame")),
            (
                "deflate-frame; whatever",
                Some("deflate-frame; no_context_takeover; max_window_bits=11"),
            ),
            ("deflate-frame; max_window_bits=8", None),
            ("deflate-frame; no_context_takeover=1", None),
        ] {
            let want = want.map(str::to_owned);
            assert_eq!(answer(Draft::Hybi13, offer, tight), want, "{offer}");
            assert_eq!(answer(Draft::Hybi08, offer, tight), want, "{offer}");
            assert_eq!(answer(Draft::Hybi07, offer, tight), None, "{offer}");
        }
    }

    #[test]
    fn each_goes_with_its_own_drafts() {
        assert_eq!(answer(Draft::Hybi08, "permessage-deflate", PLAIN), None);
        let streams = Settings {
            stream: true,
            ..PLAIN
        };
        for (draft, agreed) in [
            (Draft::Hybi03, false),
            (Draft::Hybi04, true),
            (Draft::Hybi08, true),
            (Draft::Hybi13, false),
        ] {
            assert_eq!(answer(draft, "deflate-stream", streams).is_some(), agreed);
            assert_eq!(answer(draft, "deflate-stream", PLAIN), None);
        }
    }
}
