//! What the log says that a client said of itself, for as long as its
//! connection lasts: texts in one piece of memory, one behind the other. A box
//! for each would cost an idle connection three times as much, since the
//! allocator rounds every one of them up.

use std::num::NonZeroU16;

/// A path, and what not every client says besides.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    /// The path, then each of the others that there is.
    all: Box<str>,
    /// Where the path ends.
    path: u16,
    /// Where origin and subprotocol end, if there are any.
    ends: [Option<NonZeroU16>; 2],
    /// What follows is who it is.
    has_user: bool,
}

impl Said {
    /// `path`, an origin and a subprotocol, which are cut like all that is
    /// [shown](crate::access::shown), and who it is.
    pub(crate) fn new(path: &str, others: [Option<&str>; 2], user: Option<&str>) -> Self {
        let mut all = path.to_owned();
        let end = |all: &str| u16::try_from(all.len()).unwrap_or(u16::MAX);
        let path = end(&all);
        let ends = others.map(|text| {
            all.push_str(text?);
            NonZeroU16::new(end(&all))
        });
        all.push_str(user.unwrap_or_default());
        Self {
            all: all.into_boxed_str(),
            path,
            ends,
            has_user: user.is_some(),
        }
    }

    pub(crate) fn path(&self) -> &str {
        self.all.get(..self.path.into()).unwrap_or_default()
    }

    pub(crate) fn origin(&self) -> Option<&str> {
        self.other(0)
    }

    pub(crate) fn subprotocol(&self) -> Option<&str> {
        self.other(1)
    }

    /// Who it is, where that was asked.
    pub(crate) fn user(&self) -> Option<&str> {
        self.all.get(self.begin(2)..).filter(|_| self.has_user)
    }

    fn other(&self, at: usize) -> Option<&str> {
        let end = self.ends[at]?.get();
        self.all.get(self.begin(at)..end.into())
    }

    /// Where the text of this number begins.
    fn begin(&self, at: usize) -> usize {
        let before = self.ends[..at].iter().rev().find_map(|end| *end);
        before.map_or(self.path, NonZeroU16::get).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_found_whichever_others_there_are() {
        for bits in 0..8 {
            let texts = ["http://a", "", "Ünal"];
            let at = |at: usize| (bits >> at & 1 == 1).then_some(texts[at]);
            let said = Said::new("/ö", [at(0), at(1)], at(2));
            let found = [said.origin(), said.subprotocol(), said.user()];
            assert_eq!((said.path(), found), ("/ö", [at(0), at(1), at(2)]));
        }
        let nothing = Said::new("", [None; 2], None);
        assert_eq!((nothing.path(), nothing.origin()), ("", None));
    }
}
