//! Which exchanges are replayed, by their draft, tags and names.

use draftgate_core::{Draft, Role};
use draftgate_vectors::Vector;
use globset::{GlobBuilder, GlobMatcher};

/// Which exchanges are replayed, and in which roles. Empty lists choose all.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// In one of these drafts.
    pub drafts: Vec<Draft>,
    /// As one of these roles.
    pub roles: Vec<Role>,
    /// With one of these tags.
    pub tags: Vec<String>,
    names: Vec<GlobMatcher>,
}

/// A pattern that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{pattern}` is no pattern of names: {why}; write for example `*netty*` or `hixie-76/*`")]
pub struct NoGlob {
    pattern: String,
    why: String,
}

impl Selection {
    /// Chooses the exchanges whose names match `pattern`, too: `*` and `?`
    /// stand for any octets, those of a folder's end included.
    ///
    /// # Errors
    /// It is no pattern.
    pub fn name(&mut self, pattern: &str) -> Result<(), NoGlob> {
        let glob = GlobBuilder::new(pattern).build().map_err(|error| NoGlob {
            pattern: pattern.to_owned(),
            why: error.kind().to_string(),
        })?;
        self.names.push(glob.compile_matcher());
        Ok(())
    }

    /// The roles in which `vector` is replayed; none if it is not chosen.
    pub fn roles(&self, vector: &Vector) -> Vec<Role> {
        let about = &vector.about;
        let chosen = (self.drafts.is_empty() || self.drafts.contains(&about.draft))
            && (self.tags.is_empty() || about.tags.iter().any(|tag| self.tags.contains(tag)))
            && (self.names.is_empty() || self.names.iter().any(|name| name.is_match(&vector.name)));
        let roles = about.roles.iter().copied();
        roles
            .filter(|role| chosen && (self.roles.is_empty() || self.roles.contains(role)))
            .collect()
    }
}
