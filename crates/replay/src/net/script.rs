//! What the recorded sides heard of each other, step by step: it says what
//! must have come before a step is played, in events and not in octets.

use bytes::BytesMut;
use draftgate_core::{Limits, Role};
use draftgate_drafts::{
    FixedKeys,
    opening::parts,
    recorded::{answer_within, resume},
};
use draftgate_vectors::{Content, Vector};

use crate::hear::{Heard, Hearing};

/// For each step what had been heard of the other side before it, and of its
/// own side with it.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) steps: Vec<(Heard, Heard)>,
    /// Whether the server's stream tells when the connection was open.
    pub(super) answered: bool,
}

impl Script {
    /// That of `vector` when `player` is played.
    pub(super) fn of(vector: &Vector, player: Role) -> Self {
        let heard = |side| heard(vector, side);
        let (own, other) = (heard(player), heard(player.peer()));
        let server = match player {
            Role::Server => &own,
            Role::Client => &other,
        };
        Self {
            answered: server.last().is_some_and(|heard| heard.opened),
            steps: other.into_iter().zip(own).collect(),
        }
    }
}

/// What had been heard of `side` when each step was done.
fn heard(vector: &Vector, side: Role) -> Vec<Heard> {
    let mut ear = Ear::default();
    let steps = vector.steps.iter();
    steps
        .map(|step| {
            if step.from == side
                && let Some(content) = step.content()
            {
                ear.hear(vector, side, content);
            }
            ear.so_far()
        })
        .collect()
}

/// The end that listens to a side.
#[derive(Debug, Default)]
struct Ear {
    octets: BytesMut,
    hearing: Option<Hearing>,
    deaf: bool,
}

impl Ear {
    fn hear(&mut self, vector: &Vector, side: Role, content: &Content) {
        if let Some(hearing) = &mut self.hearing {
            return hearing.hear(&content.octets);
        }
        self.octets.extend_from_slice(&content.octets);
        if !self.deaf {
            match side {
                Role::Client => self.answer(vector),
                Role::Server => self.resume(vector),
            }
        }
    }

    fn answer(&mut self, vector: &Vector) {
        let answered = vector.octets(Role::Server);
        match parts(&self.octets) {
            Ok(None) => {}
            Ok(Some((parts, head))) => match answer_within(Limits::default(), &parts, &answered) {
                Ok((_, accepted)) => {
                    self.hearing = Some(Hearing::new(accepted.codec, &self.octets[head..]));
                }
                Err(_) => self.deaf = true,
            },
            Err(_) => self.deaf = true,
        }
    }

    fn resume(&mut self, vector: &Vector) {
        let request = vector.octets(Role::Client);
        let keys = &mut FixedKeys::new([0]);
        let Ok(mut pending) = resume(vector.about.draft, &request, keys) else {
            self.deaf = true;
            return;
        };
        let mut input = self.octets.clone();
        match pending.answer(&mut input) {
            Ok(None) => {}
            Ok(Some(connected)) => self.hearing = Some(Hearing::new(connected.codec, &input)),
            Err(_) => self.deaf = true,
        }
    }

    fn so_far(&self) -> Heard {
        let heard = self.hearing.as_ref().map(|hearing| hearing.heard.clone());
        heard.unwrap_or_default()
    }
}
