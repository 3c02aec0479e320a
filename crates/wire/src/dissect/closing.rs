//! The body of a Close, field by field.

use draftgate_core::{BadUtf8, Close, Closing, Rule};

use super::{
    Kind, Stream,
    stream::{Found, Shown, repaired},
    values::{meaning, quoted},
};
use crate::{Breach, machine, utf8::repair};

impl Stream {
    /// RFC 6455 §5.5.1.
    pub(super) fn close(&self, found: &mut Found) {
        let at = found.fields.bit();
        let payload = found.payload.clone();
        let coded = self.dialect.closing == Closing::Coded;
        let Some((code, reason)) = payload.split_first_chunk().filter(|_| coded) else {
            self.payload(&mut found.fields, &payload, &Shown::Either);
            if coded && payload.len() == 1 && !found.cut_off {
                found.breach.get_or_insert((at, Rule::CloseBodyTooShort));
            }
            return;
        };
        let code = u16::from_be_bytes(*code);
        let draft = self.dialect.draft;
        let put = found
            .fields
            .put("status code", Kind::StatusCode, 16, code.to_string());
        if let Some(meaning) = meaning(code, draft) {
            put.noting(meaning);
        }
        if !reason.is_empty() {
            let bits = 8 * reason.len() as u64;
            let put = found
                .fields
                .put("reason", Kind::Reason, bits, quoted(reason));
            if let Err(e) = std::str::from_utf8(reason)
                && !found.cut_off
            {
                let most = (reason.len() + machine::REASON_GROWTH) as u64;
                match (self.dialect.bad_utf8, repair(reason, most)) {
                    (BadUtf8::Repair, Some((_, count))) => {
                        put.noting(repaired(count));
                        found.repaired = true;
                    }
                    _ => {
                        let bit = at + 16 + 8 * e.valid_up_to() as u64;
                        found.breach.get_or_insert((bit, Rule::CloseReasonNotUtf8));
                    }
                }
            }
        }
        if !Close::may_be_sent(code, draft) && !found.cut_off {
            match self.dialect.undefined_codes {
                Breach::Fails => drop(found.breach.get_or_insert((at, Rule::CloseCode))),
                Breach::Tolerated => {
                    found.tolerated.push(Rule::CloseCode);
                    if let Some(field) = found.fields.at(at) {
                        field.noting("not defined in this draft, which lets it pass");
                    }
                }
            }
        }
    }
}
