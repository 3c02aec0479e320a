//! A client whose offers of extensions stand among the fields that the test gives it.

use draftgate_core::Draft;
use draftgate_drafts::{
    compression::{Agreed, Offering, Offers, Settings},
    opening::{Judge, Refusal},
};

/// Offers nothing of its own, and judges what the server makes of the rest.
#[derive(Debug)]
pub(crate) struct Offered;

impl Offering for Offered {
    fn field(&self, _: Draft) -> Option<String> {
        None
    }

    fn agreed(
        &self,
        offered: &str,
        answered: &str,
        judge: &mut Judge,
    ) -> Result<Box<dyn Agreed>, Refusal> {
        let settings = Settings {
            least: 1,
            takeover: true,
            stream: true,
            ..Settings::default()
        };
        Offers { settings }.agreed(offered, answered, judge)
    }
}
