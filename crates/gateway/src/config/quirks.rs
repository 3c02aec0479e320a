//! To whom a route applies which quirk.

use draftgate_core::Draft;
use toml::de::DeValue;

use super::{
    reader::{Table, Value, Wrong},
    shown::Shown,
    values,
};

/// What single programs need and others of their draft must not be given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quirk {
    /// No query in the Location of hixie-75.
    LocationWithoutQuery,
    /// A key of 15 octets in Version 8.
    ShortKey,
    /// Frames of hybi-04 under the connection's key itself.
    MaskOfConnection,
    /// Frames of a client without a mask, from hybi-07 on.
    Unmasked,
}

impl Quirk {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::LocationWithoutQuery,
        Self::ShortKey,
        Self::MaskOfConnection,
        Self::Unmasked,
    ];

    /// Its key in `quirks` of a route, which the log names it by.
    pub fn name(self) -> &'static str {
        match self {
            Self::LocationWithoutQuery => "location-without-query",
            Self::ShortKey => "short-key",
            Self::MaskOfConnection => "mask-of-connection",
            Self::Unmasked => "unmasked",
        }
    }

    /// Whether clients of `draft` can have it.
    pub fn is_of(self, draft: Draft) -> bool {
        match self {
            Self::LocationWithoutQuery => draft == draftgate_drafts::WITHOUT_KEYS,
            Self::ShortKey => draft == draftgate_drafts::VERSION_ALIASED,
            Self::MaskOfConnection => draftgate_drafts::masks_with_nonce(draft),
            Self::Unmasked => draftgate_drafts::has_mask_bit(draft),
        }
    }

    /// Whether it lowers security, so that it is for clients with a name alone.
    pub fn lowers_security(self) -> bool {
        self == Self::Unmasked
    }
}

/// To which clients a quirk is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum QuirkFor {
    /// To none.
    Nobody,
    /// To those that are known to have it.
    Recognised,
    /// To all of its drafts.
    All,
    /// To these families, as the census names them.
    Families(Vec<String>),
}

/// To whom a route applies each quirk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quirks([QuirkFor; 4]);

impl Default for Quirks {
    /// To nobody, if it is not what the draft says; else to those that are known to
    /// have it.
    fn default() -> Self {
        Self(Quirk::ALL.map(|quirk| match quirk {
            Quirk::LocationWithoutQuery => QuirkFor::Recognised,
            Quirk::ShortKey | Quirk::MaskOfConnection | Quirk::Unmasked => QuirkFor::Nobody,
        }))
    }
}

impl Quirks {
    /// To whom `quirk` is applied.
    pub fn of(&self, quirk: Quirk) -> &QuirkFor {
        &self.0[quirk as usize]
    }

    /// The same, to be changed.
    pub fn of_mut(&mut self, quirk: Quirk) -> &mut QuirkFor {
        &mut self.0[quirk as usize]
    }
}

impl Value for QuirkFor {
    fn read(value: &DeValue<'_>) -> Result<Self, Wrong> {
        const WHAT: &str = "\"off\", \"recognised\", \"all\" or a list of families";
        match value {
            DeValue::String(_) => values::word(
                value,
                &[
                    ("off", Self::Nobody),
                    ("recognised", Self::Recognised),
                    ("all", Self::All),
                ],
            )
            .map_err(|wrong| match wrong.help {
                None => wrong.help("families are a list: `[\"Arduino\"]`"),
                Some(_) => wrong,
            }),
            DeValue::Array(names) => {
                let name = |name: &DeValue<'_>| match name.as_str() {
                    Some(name) if !name.is_empty() => Ok(name.to_owned()),
                    _ => Err(Wrong::must_be("a list of families", name)),
                };
                let names = names.iter().map(|it| name(it.get_ref()));
                Ok(Self::Families(names.collect::<Result<_, _>>()?))
            }
            _ => Err(Wrong::must_be(WHAT, value)),
        }
    }

    fn show(&self) -> Shown {
        match self {
            Self::Nobody => Shown::text("off"),
            Self::Recognised => Shown::text("recognised"),
            Self::All => Shown::text("all"),
            Self::Families(names) => Shown::list(names),
        }
    }
}

/// Reads the table of a route.
pub(super) fn read(route: &mut Table<'_>, quirks: &mut Quirks) {
    let mut table = route.table("quirks", "routes.quirks");
    for quirk in Quirk::ALL {
        let said = table.said(quirk.name());
        table.set(quirk.name(), quirks.of_mut(quirk));
        let named = matches!(quirks.of(quirk), QuirkFor::Nobody | QuirkFor::Families(_));
        if let (Some(said), false) = (said, named || !quirk.lowers_security()) {
            let wrong = Wrong::new("must be \"off\" or a list of families")
                .help("it lowers security, so it is for clients with a name alone; `draftgate admin census` names those that came");
            table.wrong_value(quirk.name(), &said, wrong);
        }
    }
    table.finish();
}
