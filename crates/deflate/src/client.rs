//! The client's side of the negotiation.

use std::fmt::Write;

use draftgate_core::Draft;
use draftgate_wire::{
    Agreed, Offering,
    opening::{Judge, Refusal, RefusalKind},
};

use crate::{
    agreed::{Agreement, Way},
    field::{Element, elements},
    name::Name,
    parameters::{PerFrame, PerMessage},
    settings::{LARGEST, Settings},
};

/// What a client offers: in each draft the extension that goes with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offers {
    /// How it compresses, and what it asks the server for.
    pub settings: Settings,
}

impl Offering for Offers {
    fn field(&self, draft: Draft) -> Option<String> {
        // Per frame only where there is nothing newer.
        let blocks = [Name::PerMessage, Name::Frame];
        let block = blocks.into_iter().find(|name| name.goes_with(draft));
        let stream = self.settings.stream && Name::Stream.goes_with(draft);
        let offered: Vec<String> = block
            .into_iter()
            .chain(stream.then_some(Name::Stream))
            .map(|name| self.offer(name))
            .collect();
        (!offered.is_empty()).then(|| offered.join(", "))
    }

    fn agreed(
        &self,
        offered: &str,
        answered: &str,
        judge: &mut Judge,
    ) -> Result<Box<dyn Agreed>, Refusal> {
        let agreement = self.agreement(offered, answered, judge)?;
        Ok(Box::new(agreement))
    }
}

impl Offers {
    /// What is agreed on, as the client has it.
    pub(crate) fn agreement(
        &self,
        offered: &str,
        answered: &str,
        judge: &mut Judge,
    ) -> Result<Agreement, Refusal> {
        let wrong = || refusal(answered);
        let [element] = &elements(answered).ok_or_else(wrong)?[..] else {
            return Err(wrong());
        };
        let offered = elements(offered).unwrap_or_default();
        let mut offers = offered.iter().filter(|offer| offer.name == element.name);
        let offer = offers.next().ok_or_else(wrong)?;
        let name = Name::of(element.name).ok_or_else(wrong)?;
        let (ours, theirs) = match name {
            Name::PerMessage => self.per_message(offer, element, judge)?,
            Name::Frame | Name::WebKitFrame => self.per_frame(offer, element)?,
            Name::Stream if element.parameters.is_empty() => (Way::FREE, Way::FREE),
            Name::Stream => return Err(wrong()),
        };
        Ok(Agreement {
            name,
            field: answered.to_owned(),
            ours,
            theirs,
            settings: self.settings,
        })
    }

    fn offer(&self, name: Name) -> String {
        let (mut offer, window) = (name.token().to_owned(), self.settings.window());
        let (forget, limited) = (!self.settings.takeover, window < LARGEST);
        // Writing to a String cannot fail.
        match name {
            Name::PerMessage => {
                if forget {
                    offer += "; server_no_context_takeover; client_no_context_takeover";
                }
                if limited {
                    let _ = write!(offer, "; server_max_window_bits={window}");
                }
                offer += "; client_max_window_bits";
            }
            Name::Frame | Name::WebKitFrame => {
                if forget {
                    offer += "; no_context_takeover";
                }
                if limited {
                    let _ = write!(offer, "; max_window_bits={window}");
                }
            }
            Name::Stream => {}
        }
        offer
    }

    /// RFC 7692 §7.1. What the server may do beyond what it was asked for is
    /// forgiven where we can follow it all the same.
    fn per_message(
        &self,
        offer: &Element<'_>,
        answer: &Element<'_>,
        judge: &mut Judge,
    ) -> Result<(Way, Way), Refusal> {
        let asked = PerMessage::of(offer).unwrap_or_default();
        let told = PerMessage::of(answer);
        let told =
            told.ok_or_else(|| refusal("a parameter is unknown, repeated or out of range"))?;
        let judged = |good: bool, what: &str| match good {
            true => Ok(()),
            false => Err(refusal(what)),
        };
        judge.forgive(judged(
            told.server_no_context_takeover || !asked.server_no_context_takeover,
            "it does not take server_no_context_takeover up",
        ))?;
        let most = asked.server_max_window_bits.unwrap_or(LARGEST);
        let window = told.server_max_window_bits.unwrap_or(LARGEST);
        judge.forgive(judged(
            window <= most,
            "its window is larger than was asked",
        ))?;
        let bits = match told.client_max_window_bits {
            Some(None) => return Err(refusal("client_max_window_bits has no number")),
            Some(Some(bits)) => Some(bits),
            None => None,
        };
        let may = asked.client_max_window_bits;
        judge.forgive(judged(
            bits.is_none() || may.is_some_and(|most| bits <= Some(most.unwrap_or(LARGEST))),
            "client_max_window_bits was not offered like that",
        ))?;
        let ours = Way {
            window: self.settings.window().min(bits.unwrap_or(LARGEST)),
            takeover: self.settings.takeover && !told.client_no_context_takeover,
        };
        let theirs = Way {
            window,
            takeover: !told.server_no_context_takeover,
        };
        Ok((ours, theirs))
    }

    /// What the answer says binds us, and what we offered the server.
    fn per_frame(&self, offer: &Element<'_>, answer: &Element<'_>) -> Result<(Way, Way), Refusal> {
        let asked = PerFrame::of(offer).unwrap_or_default();
        let told = PerFrame::of(answer).filter(|told| !told.unknown);
        let told =
            told.ok_or_else(|| refusal("a parameter is unknown, repeated or out of range"))?;
        let ours = Way {
            window: self
                .settings
                .window()
                .min(told.max_window_bits.unwrap_or(LARGEST)),
            takeover: self.settings.takeover && !told.no_context_takeover,
        };
        let theirs = Way {
            window: asked.max_window_bits.unwrap_or(LARGEST),
            takeover: !asked.no_context_takeover,
        };
        Ok((ours, theirs))
    }
}

fn refusal(detail: &str) -> Refusal {
    Refusal::with(RefusalKind::AnswerExtension, detail.to_owned())
}

#[cfg(test)]
mod tests {
    use draftgate_wire::opening::AnswerChecks;

    use super::*;

    fn offers(takeover: bool, window_bits: u8) -> Offers {
        Offers {
            settings: Settings {
                takeover,
                window_bits,
                stream: true,
                ..Settings::default()
            },
        }
    }

    #[test]
    fn each_draft_is_offered_its_own() {
        for (draft, want) in [
            (Draft::Hixie76, None),
            (Draft::Hybi06, Some("deflate-stream")),
            (Draft::Hybi08, Some("deflate-frame, deflate-stream")),
            (
                Draft::Hybi13,
                Some("permessage-deflate; client_max_window_bits"),
            ),
        ] {
            assert_eq!(offers(true, 15).field(draft).as_deref(), want, "{draft}");
        }
        assert_eq!(
            offers(false, 9).field(Draft::Hybi13).unwrap(),
            "permessage-deflate; server_no_context_takeover; client_no_context_takeover; \
             server_max_window_bits=9; client_max_window_bits"
        );
        assert_eq!(
            offers(false, 9).field(Draft::Hybi08).unwrap(),
            "deflate-frame; no_context_takeover; max_window_bits=9, deflate-stream"
        );
    }

    #[test]
    fn an_answer_must_be_one_of_the_offers_and_say_what_it_may() {
        let frame = "x-webkit-deflate-frame";
        let tight = "permessage-deflate; server_max_window_bits=10; server_no_context_takeover";
        let free = "permessage-deflate; client_max_window_bits=12";
        for (offered, answered, strict, lenient) in [
            (free, "permessage-deflate", true, true),
            (
                free,
                "permessage-deflate; client_max_window_bits=8",
                true,
                true,
            ),
            (
                free,
                "permessage-deflate; client_max_window_bits=13",
                false,
                true,
            ),
            (
                free,
                "permessage-deflate; client_max_window_bits",
                false,
                false,
            ),
            (
                free,
                "permessage-deflate; server_max_window_bits=8",
                true,
                true,
            ),
            (
                free,
                "permessage-deflate; server_max_window_bits=7",
                false,
                false,
            ),
            (
                free,
                "permessage-deflate; client_no_context_takeover",
                true,
                true,
            ),
            (free, "permessage-deflate; whatever", false, false),
            (free, "permessage-deflate, permessage-deflate", false, false),
            (free, "deflate-frame", false, false),
            (free, "permessage-deflate;", false, false),
            (tight, "permessage-deflate", false, true),
            (
                tight,
                "permessage-deflate; server_max_window_bits=9; server_no_context_takeover",
                true,
                true,
            ),
            (
                tight,
                "permessage-deflate; client_max_window_bits=9",
                false,
                true,
            ),
            (frame, "x-webkit-deflate-frame", true, true),
            (
                frame,
                "x-webkit-deflate-frame; no_context_takeover",
                true,
                true,
            ),
            (
                frame,
                "x-webkit-deflate-frame; max_window_bits=16",
                false,
                false,
            ),
            (frame, "x-webkit-deflate-frame; whatever", false, false),
            ("deflate-stream", "deflate-stream", true, true),
            ("deflate-stream", "deflate-stream; a", false, false),
            ("x-google-mux", "x-google-mux", false, false),
        ] {
            for (checks, passes) in [
                (AnswerChecks::Strict, strict),
                (AnswerChecks::Lenient, lenient),
            ] {
                let mut judge = Judge {
                    checks,
                    ..Judge::default()
                };
                let agreed = offers(true, 15).agreed(offered, answered, &mut judge);
                assert_eq!(agreed.is_ok(), passes, "{offered}: {answered}: {checks:?}");
                assert!(!judge.forgiven.is_empty() || agreed.is_err() || strict);
            }
        }
    }
}
