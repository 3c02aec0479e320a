//! The report as JUnit's XML, which most build servers show: a suite for each
//! draft and role, a case for each exchange. A known deviation is a skipped
//! case with its reason, for that is what it is to whoever watches a build.

use quick_junit::{
    NonSuccessKind, Report as Written, SerializeError, TestCase, TestCaseStatus, TestSuite,
};

use super::{Report, table::detail};
use crate::Outcome;

impl Report {
    /// The report as JUnit's XML.
    ///
    /// # Errors
    /// The library cannot write it, which no report brings about.
    pub fn junit(&self) -> Result<String, SerializeError> {
        let mut written = Written::new(format!("draftgate replay against {}", self.against()));
        written.set_time(self.took);
        for (draft, tested) in self.rows().into_keys() {
            let mut suite = TestSuite::new(format!("{draft} as {tested}"));
            let of_it = |one: &&crate::Judged| one.draft == draft && one.role.name() == tested;
            for one in self.judged.iter().filter(of_it) {
                let mut case = TestCase::new(&one.name, status(&one.outcome));
                case.set_classname(format!("{draft}.{tested}"));
                suite.add_test_case(case);
            }
            written.add_test_suite(suite);
        }
        written.to_string()
    }
}

fn status(outcome: &Outcome) -> TestCaseStatus {
    let (mut status, message, more) = match outcome {
        Outcome::Passed => return TestCaseStatus::success(),
        Outcome::UnexpectedlyFine(_) => return TestCaseStatus::success(),
        Outcome::Skipped(why) => (TestCaseStatus::skipped(), why.clone(), None),
        Outcome::Deviation { reason, mismatch } => (
            TestCaseStatus::skipped(),
            format!("known deviation: {reason}"),
            Some(mismatch),
        ),
        Outcome::Mismatch(mismatch) => (
            TestCaseStatus::non_success(NonSuccessKind::Failure),
            mismatch.what.clone(),
            Some(mismatch),
        ),
    };
    status.set_message(message);
    if let Some(mismatch) = more {
        status.set_description(detail(mismatch).trim_start_matches([':', ' ']));
    }
    status
}
