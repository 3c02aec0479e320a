//! Where the census is kept, and which drafts of a route are under
//! observation.

use std::path::PathBuf;

use super::{
    Route,
    lists::{self, names_of},
    reader::{Table, Wrong},
    shown::Shown,
};

/// What becomes of the counts of who speaks which draft.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CensusFile {
    /// The file that keeps them across restarts; `None`: they end with the
    /// process.
    pub file: Option<PathBuf>,
}

/// The table `census`.
pub(super) fn read(top: &mut Table<'_>) -> CensusFile {
    let mut table = top.table("census", "census");
    let file = table.value::<String>("file").map(PathBuf::from);
    table.finish();
    CensusFile { file }
}

/// The key `observe` of a route whose drafts are read.
pub(super) fn observe(table: &mut Table<'_>, route: &mut Route) {
    const WHAT: &str = "a list of drafts";
    table.unless_said("observe", Shown::nothing());
    let Some(said) = table.said("observe") else {
        return;
    };
    let spoken: Vec<_> = draftgate_drafts::spoken().collect();
    let drafts = &route.drafts;
    let mut observed: Vec<_> = lists::each(table, "observe", &said, WHAT, |item| {
        let name = item.value.as_str();
        let draft = name.ok_or_else(|| Wrong::must_be("a list of strings", item.value))?;
        let draft = lists::draft(draft, &spoken)?;
        // Drafts that are wrong have their own report.
        match drafts.is_empty() || drafts.contains(&draft) {
            true => Ok(draft),
            false => Err(Wrong::new(format!(
                "has `{}`, which the route does not speak",
                draft.name()
            ))
            .help(format!(
                "what is observed is served; the route speaks {}",
                names_of(drafts)
            ))),
        }
    })
    .into_iter()
    .map(|(draft, _)| draft)
    .collect();
    observed.sort();
    observed.dedup();
    table.shows("observe", Shown::list(observed.iter().map(|it| it.name())));
    route.observe = observed;
}
