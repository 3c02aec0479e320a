//! Frames alone do not say their draft, nor who sent them: here is chosen, and
//! said what else there was to choose from.

use bytes::Bytes;
use draftgate_core::{Draft, Role};
use draftgate_drafts::{
    dissect::{Fit, Reading, readings},
    spoken,
};

use crate::exit::Failure;

/// How octets are read that do not say it.
pub(crate) struct Guess {
    pub(crate) draft: Draft,
    pub(crate) from: Role,
    /// What was chosen, for whoever reads on.
    pub(crate) said: String,
}

/// Chooses for `octets` what was not given.
///
/// # Errors
/// No draft reads them.
pub(crate) fn guess(
    draft: Option<Draft>,
    from: Option<Role>,
    extensions: Option<&str>,
    octets: &Bytes,
) -> Result<Guess, Failure> {
    let drafts = draft.map_or_else(|| spoken().collect(), |draft| vec![draft]);
    let sides = from.map_or_else(|| vec![Role::Server, Role::Client], |from| vec![from]);
    let all = readings(&drafts, &sides, extensions, octets);
    let Some(best) = all.first() else {
        return Err(Failure::usage("this build speaks no draft"));
    };
    // Odd octets fit many drafts by chance.
    if draft.is_none() && best.fit > Fit::CutOff {
        let names: Vec<String> = drafts.iter().map(|draft| draft.to_string()).collect();
        return Err(Failure::usage(format_args!(
            "no draft reads these octets as they are: say of which they are with --draft ({}), who sent them with --from, and with --extensions what they agreed on",
            names.join(", ")
        )));
    }
    let equals: Vec<&Reading> = all[1..].iter().filter(|r| r.fit == best.fit).collect();
    Ok(Guess {
        draft: best.draft,
        from: best.from,
        said: said(best, &equals, draft.is_some()),
    })
}

fn said(best: &Reading, equals: &[&Reading], draft_given: bool) -> String {
    let chosen = named(best);
    match (equals, draft_given) {
        ([], _) => format!("Read as {chosen}."),
        ([other, ..], true) => format!(
            "Read as {chosen}; --from {} reads them as the other side's.",
            other.from
        ),
        (_, false) => {
            let others: Vec<String> = equals.iter().map(|reading| named(reading)).collect();
            let others = others.join(", ");
            format!("Read as {chosen}; these fit as well, --draft and --from choose: {others}.")
        }
    }
}

fn named(reading: &Reading) -> String {
    format!("{} from the {}", reading.draft, reading.from)
}
