//! Answers that accepted, for a moment: whoever asks again with the very same
//! fields need not be asked about again.
//!
//! The key is a hash of everything that the server would be told, so that no
//! answer can be given to a question that differs in anything. Refusals are
//! not kept: who has just signed in must not be told that he has not.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http::HeaderMap;
use ring::digest::{Context, SHA256};
use tokio::time::Instant;

use super::Admitted;

/// As many answers are kept: some megabytes.
const MOST: usize = 10_000;

/// A question, hashed.
pub(super) type Key = [u8; 32];

#[derive(Debug)]
pub(super) struct Cache {
    time: Duration,
    kept: Mutex<HashMap<Key, (Instant, Admitted)>>,
}

impl Cache {
    pub(super) fn new(time: Duration) -> Self {
        Self {
            time,
            kept: Mutex::default(),
        }
    }

    pub(super) fn get(&self, key: &Key) -> Option<Admitted> {
        let kept = self.kept();
        let (until, admitted) = kept.get(key)?;
        (*until > Instant::now()).then(|| admitted.clone())
    }

    pub(super) fn put(&self, key: Key, admitted: &Admitted) {
        let now = Instant::now();
        let mut kept = self.kept();
        if kept.len() >= MOST {
            kept.retain(|_, (until, _)| *until > now);
        }
        if kept.len() < MOST {
            kept.insert(key, (now + self.time, admitted.clone()));
        }
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<Key, (Instant, Admitted)>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key of a question in which `fields` are told.
pub(super) fn key(fields: &HeaderMap) -> Key {
    let mut hash = Context::new(&SHA256);
    for (name, value) in fields {
        for part in [name.as_str().as_bytes(), value.as_bytes()] {
            hash.update(&(part.len() as u64).to_be_bytes());
            hash.update(part);
        }
    }
    let mut key = Key::default();
    key.copy_from_slice(hash.finish().as_ref());
    key
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(fields: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in fields {
            headers.append(*name, http::HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn questions_that_differ_in_anything_have_other_keys() {
        let all = [
            fields(&[("a", "b")]),
            fields(&[("a", "c")]),
            fields(&[("ab", "")]),
            fields(&[("a", "b"), ("c", "")]),
            fields(&[("a", "b"), ("a", "b")]),
            fields(&[]),
        ];
        for (at, one) in all.iter().enumerate() {
            assert_eq!(key(one), key(&one.clone()));
            assert!(all[at + 1..].iter().all(|other| key(other) != key(one)));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_kept_for_its_time_and_there_are_not_too_many() {
        let cache = Cache::new(Duration::from_secs(10));
        let user = Admitted {
            user: Some("me".into()),
            ..Admitted::default()
        };
        cache.put([1; 32], &user);
        assert_eq!(cache.get(&[1; 32]).unwrap().user, user.user);
        assert!(cache.get(&[2; 32]).is_none());
        tokio::time::advance(Duration::from_secs(10)).await;
        assert!(cache.get(&[1; 32]).is_none());
        for number in 0..=MOST as u64 + 5 {
            let mut key = [0; 32];
            key[..8].copy_from_slice(&number.to_be_bytes());
            cache.put(key, &user);
        }
        assert_eq!(cache.kept().len(), MOST);
        tokio::time::advance(Duration::from_secs(10)).await;
        cache.put([1; 32], &user);
        assert_eq!(cache.kept().len(), 1);
    }
}
