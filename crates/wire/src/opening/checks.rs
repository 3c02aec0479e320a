//! How strictly a client judges an answer, and what it let pass.
//!
//! Strict is what the draft's own client demands. Lenient forgives fields that
//! only say again what the proof says already, or what no proof says and most
//! clients never looked at. A missing 101, a wrong proof, an extension or a
//! subprotocol that was not agreed on is forgiven by neither: behind them two
//! ends would speak past each other.

use super::{Answer, Refusal, RefusalKind};

/// How strictly an answer is judged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum AnswerChecks {
    /// As the draft's own client does.
    #[default]
    Strict,
    /// What other clients forgive is forgiven, and noted.
    Lenient,
}

/// The judgement of one answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Judge {
    /// How strict it is.
    pub checks: AnswerChecks,
    /// What would have been refused if it were strict, in the order found. The
    /// detail or the sentence of each names the field.
    pub forgiven: Vec<Refusal>,
}

impl Judge {
    /// What a check of lesser weight found: noted if the judge is lenient.
    ///
    /// # Errors
    /// The refusal, if the judge is strict.
    pub fn forgive(&mut self, checked: Result<(), Refusal>) -> Result<(), Refusal> {
        match (checked, self.checks) {
            (Err(refusal), AnswerChecks::Lenient) => {
                self.forgiven.push(refusal);
                Ok(())
            }
            (checked, _) => checked,
        }
    }

    /// hixie's subprotocol, which the field `name` must repeat if one was
    /// `asked` for. To say nothing of it can be forgiven, to choose another cannot.
    ///
    /// # Errors
    /// [`RefusalKind::AnswerField`] or [`RefusalKind::AnswerSubprotocol`].
    pub fn repeated_subprotocol(
        &mut self,
        answer: &Answer,
        name: &str,
        asked: Option<&str>,
    ) -> Result<Option<String>, Refusal> {
        let Some(asked) = asked else {
            return Ok(None);
        };
        let checked = answer.must_be_written(name, asked, RefusalKind::AnswerSubprotocol);
        if answer.named(name).next().is_none() {
            self.forgive(checked)?;
            return Ok(None);
        }
        checked.map(|()| Some(asked.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use bytes::BytesMut;

    use super::*;

    #[test]
    fn a_strict_judge_refuses_what_a_lenient_one_notes() {
        let wrong = || Err(Refusal::from(RefusalKind::AnswerOrigin));
        assert!(Judge::default().forgive(wrong()).is_err());
        let mut lenient = Judge {
            checks: AnswerChecks::Lenient,
            ..Judge::default()
        };
        lenient.forgive(Ok(())).unwrap();
        lenient.forgive(wrong()).unwrap();
        assert_eq!(lenient.forgiven, [wrong().unwrap_err()]);
    }

    #[test]
    fn another_subprotocol_is_never_forgiven() {
        for (field, strict, lenient) in [
            ("P: chat\r\n", true, true),
            ("", false, true),
            ("P: other\r\n", false, false),
            ("P: chat\r\nP: chat\r\n", false, false),
        ] {
            let octets = format!("HTTP/1.1 101 Ok\r\n{field}\r\n");
            let answer = Answer::read(&mut BytesMut::from(octets.as_bytes()));
            let answer = answer.unwrap().unwrap();
            for (checks, passes) in [
                (AnswerChecks::Strict, strict),
                (AnswerChecks::Lenient, lenient),
            ] {
                let mut judge = Judge {
                    checks,
                    ..Judge::default()
                };
                let found = judge.repeated_subprotocol(&answer, "p", Some("chat"));
                assert_eq!(found.is_ok(), passes, "{field}: {found:?}");
            }
        }
    }
}
