//! What is asked for, before anything is connected: when it ends, what it is
//! closed with, and what the drafts that are named cannot say. A draft that
//! lacks something is a mistake if no other is named; where others are named it
//! is told once it is known which one is spoken.

use std::time::Duration;

use draftgate_conn::Settings;
use draftgate_core::{Capabilities, Close, Closing, Draft, SendError};

use super::{
    flags::{Connect, Ping},
    form::Form,
    output::Print,
};
use crate::exit::Failure;

/// How long messages of `--execute` are waited for, as in wscat.
const EXECUTED: Duration = Duration::from_secs(2);

/// How long the server may take to end its side once we have ended ours.
pub(crate) const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// The most octets of a Close's reason: a control frame has 125.
const REASON: usize = 123;

/// What happens at the end of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stay {
    /// It ends.
    No,
    /// It ends after this time.
    For(Duration),
    /// Something else ends it.
    On,
}

impl Stay {
    /// Waits for the end.
    pub(crate) async fn over(self) {
        match self {
            Self::No => {}
            Self::For(time) => tokio::time::sleep(time).await,
            Self::On => std::future::pending().await,
        }
    }
}

/// What is asked for.
#[derive(Debug)]
pub(crate) struct Plan {
    /// What lines are.
    pub(crate) form: Form,
    pub(crate) print: Print,
    pub(crate) stay: Stay,
    /// What we close with.
    pub(crate) close: Close,
    ping: Option<Ping>,
    /// Whether something is sent as binary.
    binary: bool,
    raw: bool,
    /// Whether `close` was given.
    closes: bool,
}

impl Plan {
    /// What `args` ask for.
    ///
    /// # Errors
    /// It cannot be had, whatever the server says.
    pub(crate) fn new(args: &Connect) -> Result<Self, Failure> {
        let messages = &args.messages;
        let form = match () {
            () if messages.hex => Form::Hex,
            () if messages.base64 => Form::Base64,
            () if messages.binary || (messages.raw && !messages.text) => Form::Binary,
            () => Form::Text,
        };
        let end = &args.end;
        let stay = match end.wait {
            Some(wait) => Stay::For(wait),
            None if end.exit_on_close || end.count.is_some() => Stay::On,
            None if !messages.execute.is_empty() => Stay::For(EXECUTED),
            None => Stay::No,
        };
        let plan = Self {
            form,
            print: match messages.raw {
                true => Print::Octets,
                false => Print::Lines(form),
            },
            stay,
            close: close(&end.close)?,
            ping: args.ping,
            binary: form != Form::Text,
            raw: messages.raw,
            closes: !end.close.is_empty(),
        };
        plan.judge(&args.draft.in_order())?;
        Ok(plan)
    }

    /// How the connection is driven.
    pub(crate) fn settings(&self) -> Settings {
        let client = Settings::client();
        let (keep_alive, idle_timeout) = match self.ping {
            None => (client.keep_alive, client.idle_timeout),
            // Nothing asks the server whether it is there: it may be silent.
            Some(Ping::Off) => (None, None),
            Some(Ping::Every(every)) => {
                // Two pings are lost before it counts as gone.
                let lost = every.saturating_mul(3);
                (Some(every), client.idle_timeout.map(|idle| idle.max(lost)))
            }
        };
        Settings {
            keep_alive,
            idle_timeout,
            close_timeout: CLOSE_TIMEOUT,
            marker_timeout: CLOSE_TIMEOUT,
            ..client
        }
    }

    /// What of all this cannot be said in `draft`, and what will be done instead.
    pub(crate) fn lacks(&self, draft: Draft) -> Vec<String> {
        let instead = [
            "what is to be sent as binary is not sent",
            "the server is not pinged",
            "it is closed as the draft can",
        ];
        let lacks = self.needs(draft).into_iter().zip(instead);
        lacks
            .filter_map(|(lack, instead)| Some(format!("{}: {instead}", lack?)))
            .collect()
    }

    /// Refuses what none of `drafts` can say.
    fn judge(&self, drafts: &[Draft]) -> Result<(), Failure> {
        let instead = [
            if self.raw {
                "send text with --text, or name another draft"
            } else {
                "send text, or name another draft"
            },
            "leave --ping out, or name another draft",
            "leave --close out, or name another code or draft",
        ];
        for (at, instead) in instead.into_iter().enumerate() {
            let lacks: Option<Vec<_>> = drafts.iter().map(|draft| self.needs(*draft)[at]).collect();
            if let Some([first, ..]) = lacks.as_deref() {
                return Err(Failure::usage(format_args!("{first}; {instead}")));
            }
        }
        Ok(())
    }

    /// What `draft` lacks of binary, ping and close.
    fn needs(&self, draft: Draft) -> [Option<SendError>; 3] {
        let Some(able) = capabilities(draft) else {
            return [None; 3];
        };
        let pings = matches!(self.ping, Some(Ping::Every(_)));
        [
            (self.binary && !able.binary).then_some(SendError::NoBinary(draft)),
            (pings && !able.ping).then_some(SendError::NoPing(draft)),
            match self.closes {
                true => cannot_close(&self.close, draft),
                false => None,
            },
        ]
    }
}

/// Why `draft` cannot close with `close` as it is.
pub(crate) fn cannot_close(close: &Close, draft: Draft) -> Option<SendError> {
    let coded = capabilities(draft).is_some_and(|able| able.closing == Closing::Coded);
    if !coded {
        Some(SendError::NoCloseCode(draft))
    } else if !Close::may_be_sent(close.code, draft) {
        Some(SendError::CloseCode(close.code))
    } else if close.reason.len() > REASON {
        Some(SendError::ControlTooLong(2 + close.reason.len()))
    } else {
        None
    }
}

fn capabilities(draft: Draft) -> Option<Capabilities> {
    let mut all = draftgate_drafts::traits();
    Some(all.find(|it| it.draft == draft)?.capabilities)
}

/// Code and reason, 1000 if there are none.
fn close(given: &[String]) -> Result<Close, Failure> {
    let [code, reason] = given else {
        return Ok(Close::new(Close::NORMAL, ""));
    };
    match code.parse() {
        Ok(code) => Ok(Close::new(code, reason.clone())),
        Err(_) => Err(Failure::usage(format_args!(
            "`{code}` is no status code: write a number and a reason, which may be empty, for example --close 4000 done"
        ))),
    }
}
