//! Which draft is tried next: down the list, or where a server's own list of
//! versions leads. It knows the answers of servers, and opens nothing.

use draftgate_core::Draft;

use crate::ConnectError;

/// The drafts that are left to try.
#[derive(Debug)]
pub(crate) struct Ladder {
    left: Vec<Draft>,
    /// Whether a list of versions was followed: that is done once.
    followed: bool,
}

impl Ladder {
    pub(crate) fn new(mut drafts: Vec<Draft>) -> Self {
        drafts.reverse();
        Self {
            left: drafts,
            followed: false,
        }
    }

    pub(crate) fn first(&mut self) -> Option<Draft> {
        self.left.pop()
    }

    /// The draft to try after `draft` gave `error`.
    pub(crate) fn after(&mut self, draft: Draft, error: &ConnectError) -> Option<Draft> {
        if let (Some(_), ConnectError::OpeningTimeout { octets: 0, .. }) = (draft.version(), error)
        {
            // Whoever speaks a draft with a version answers any version. An old
            // server may wait for octets that only its own draft sends.
            self.left.retain(|draft| draft.version().is_none());
            return self.left.pop();
        }
        if !error.may_be_the_draft() {
            return None;
        }
        let versions = error.versions();
        if versions.is_empty() {
            return self.left.pop();
        }
        // It speaks this very version: what it refuses is something else.
        if draft.version().is_some_and(|own| versions.contains(&own)) {
            return None;
        }
        let common = self
            .left
            .iter()
            .filter(|draft| draft.version().is_some_and(|v| versions.contains(&v)))
            .max_by_key(|draft| draft.version())
            .copied();
        // The list is complete as to drafts that have a version.
        self.left.retain(|draft| draft.version().is_none());
        match common {
            Some(common) if !std::mem::replace(&mut self.followed, true) => Some(common),
            _ => self.left.pop(),
        }
    }
}

#[cfg(test)]
mod tests {
    use draftgate_drafts::opening::RefusalKind;

    use super::*;
    use crate::Drafts;

    fn refused(status: u16, versions: &[u8]) -> ConnectError {
        ConnectError::Refused {
            refusal: RefusalKind::AnswerStatus.into(),
            status: Some(status),
            versions: versions.to_vec(),
            body: String::new(),
            answer: None,
        }
    }

    /// The drafts that are tried in this order while these errors come.
    fn climbed(drafts: Drafts, errors: &[ConnectError]) -> Vec<Draft> {
        let mut ladder = Ladder::new(drafts.in_order());
        let mut tried: Vec<Draft> = ladder.first().into_iter().collect();
        for error in errors {
            match ladder.after(tried[tried.len() - 1], error) {
                Some(draft) => tried.push(draft),
                None => break,
            }
        }
        tried
    }

    use Draft::{Hixie75, Hixie76, Hybi05, Hybi06, Hybi07, Hybi08, Hybi13};

    #[test]
    fn without_a_list_the_drafts_are_tried_in_their_order() {
        let errors = || {
            [
                refused(400, &[]),
                ConnectError::Ended {
                    host: String::new(),
                    octets: 0,
                },
                refused(426, &[]),
                refused(400, &[]),
            ]
        };
        assert_eq!(
            climbed(Drafts::Auto, &errors()),
            [Hybi13, Hybi08, Hybi07, Hybi06, Hybi05]
        );
        let named = || Drafts::Named(vec![Hixie75, Hybi13, Hixie76]);
        assert_eq!(climbed(named(), &errors()), [Hixie75, Hybi13, Hixie76]);
    }

    #[test]
    fn a_list_is_followed_once_and_to_its_highest() {
        let auto = |errors: &[ConnectError]| climbed(Drafts::Auto, errors);
        let list = || refused(426, &[6, 7, 99]);
        assert_eq!(auto(&[list(), list(), list()]), [Hybi13, Hybi07]);
        assert_eq!(auto(&[refused(400, &[0, 99])]), [Hybi13]);
        assert_eq!(auto(&[refused(400, &[13, 8])]), [Hybi13]);
        let named = Drafts::Named(vec![Hybi13, Hixie76, Hybi08, Hybi07]);
        let errors = [list(), refused(400, &[8]), list()];
        assert_eq!(climbed(named, &errors), [Hybi13, Hybi07, Hixie76]);
    }

    #[test]
    fn silence_leads_to_drafts_without_a_version_alone() {
        let silence = |octets| ConnectError::OpeningTimeout {
            host: String::new(),
            after: std::time::Duration::ZERO,
            octets,
        };
        let climb = |drafts, octets| climbed(drafts, &[silence(octets), silence(octets)]);
        assert_eq!(climb(Drafts::Auto, 0), [Hybi13]);
        let named = || Drafts::Named(vec![Hybi13, Hybi08, Hixie76, Hixie75]);
        assert_eq!(climb(named(), 0), [Hybi13, Hixie76]);
        assert_eq!(climb(named(), 1), [Hybi13]);
    }

    #[test]
    fn what_means_this_request_in_any_draft_ends_it() {
        for status in [200, 301, 401, 403, 404, 500, 503] {
            assert_eq!(climbed(Drafts::Auto, &[refused(status, &[8])]), [Hybi13]);
        }
    }
}
