//! Path patterns: literal segments, at most one `{channel}`, and `{rest}` for
//! whatever follows.
//!
//! Paths are compared octet by octet, as the client wrote them: nothing is
//! percent-decoded and no `..` is resolved, so that what the log shows is what
//! was matched.

use std::{fmt, str::FromStr};

/// A pattern such as `/bus/{channel}` or `/echo/{rest}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PathPattern {
    /// `None` is the placeholder.
    segments: Vec<Option<String>>,
    /// Whether any number of segments may follow.
    rest: bool,
}

impl PathPattern {
    /// The pattern `/`.
    pub(super) fn root() -> Self {
        Self {
            segments: vec![Some(String::new())],
            rest: false,
        }
    }

    /// Whether a path matches, and if so what stands in place of `{channel}`.
    /// The path comes without its query. An empty segment is no channel.
    pub fn matches<'p>(&self, path: &'p str) -> Option<Option<&'p str>> {
        let mut segments = path.strip_prefix('/')?.split('/');
        let mut channel = None;
        for pattern in &self.segments {
            let segment = segments.next()?;
            match pattern {
                Some(literal) if literal == segment => {}
                None if !segment.is_empty() => channel = Some(segment),
                _ => return None,
            }
        }
        // `/{rest}` alone takes `/` too, whose one segment is empty.
        (self.rest || segments.next().is_none()).then_some(channel)
    }

    /// Whether the pattern has the placeholder.
    pub fn has_channel(&self) -> bool {
        self.segments.contains(&None)
    }

    /// Whether every path that `other` matches is matched by this one too.
    pub fn covers(&self, other: &Self) -> bool {
        let fits = match self.rest {
            true => self.segments.len() <= other.segments.len(),
            false => !other.rest && self.segments.len() == other.segments.len(),
        };
        fits && self
            .segments
            .iter()
            .zip(&other.segments)
            .all(|(mine, theirs)| match mine {
                None => theirs.as_deref() != Some(""),
                literal => literal == theirs,
            })
    }
}

impl fmt::Display for PathPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for segment in &self.segments {
            write!(f, "/{}", segment.as_deref().unwrap_or("{channel}"))?;
        }
        f.write_str(if self.rest { "/{rest}" } else { "" })
    }
}

impl FromStr for PathPattern {
    type Err = NotAPattern;

    fn from_str(text: &str) -> Result<Self, NotAPattern> {
        let rest = text.strip_prefix('/').ok_or(NotAPattern::NoSlash)?;
        let (mut segments, mut rest_follows) = (Vec::new(), false);
        for segment in rest.split('/') {
            if rest_follows {
                return Err(NotAPattern::AfterRest);
            }
            if segment == "{rest}" {
                rest_follows = true;
                continue;
            }
            if segment == "{channel}" {
                if segments.contains(&None) {
                    return Err(NotAPattern::TwoChannels);
                }
                segments.push(None);
                continue;
            }
            if let Some(wrong) = segment.chars().find(|c| matches!(c, '{' | '}')) {
                return Err(NotAPattern::Brace(wrong));
            }
            // RFC 3986 §3.3: pchar, with percent-encoded octets left as they are.
            if let Some(wrong) = segment
                .chars()
                .find(|c| !(c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%".contains(*c)))
            {
                return Err(NotAPattern::Character(wrong));
            }
            segments.push(Some(segment.to_owned()));
        }
        Ok(Self {
            segments,
            rest: rest_follows,
        })
    }
}

/// A text that is no path pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAPattern {
    /// It does not begin with `/`.
    #[error("a path begins with `/`")]
    NoSlash,
    /// Something stands behind `{rest}`.
    #[error("`{{rest}}` is all that follows, so it stands last")]
    AfterRest,
    /// `{channel}` stands twice.
    #[error("`{{channel}}` may stand only once in a path")]
    TwoChannels,
    /// A brace that is not part of a segment `{channel}` or `{rest}`.
    #[error("`{0}` may stand only in `{{channel}}` or `{{rest}}`, which take whole segments")]
    Brace(char),
    /// A character that no path carries.
    #[error(
        "{0:?} cannot stand in a path; percent-encode it as the clients do, and leave the query out"
    )]
    Character(char),
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(text: &str) -> PathPattern {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_matches_segment_by_segment() {
        for (text, path, matched) in [
            ("/", "/", Some(None)),
            ("/", "/a", None),
            ("/echo", "/echo", Some(None)),
            ("/echo", "/echo/", None),
            ("/echo", "/Echo", None),
            ("/echo", "echo", None),
            ("/echo", "", None),
            ("/bus/{channel}", "/bus/chat", Some(Some("chat"))),
            ("/bus/{channel}", "/bus/", None),
            ("/bus/{channel}", "/bus", None),
            ("/bus/{channel}", "/bus/a/b", None),
            ("/{channel}/tv", "/one%20/tv", Some(Some("one%20"))),
            ("/a//b", "/a//b", Some(None)),
            ("/{rest}", "/", Some(None)),
            ("/{rest}", "/a/b/", Some(None)),
            ("/a/{rest}", "/a", Some(None)),
            ("/a/{rest}", "/a/b/c", Some(None)),
            ("/a/{rest}", "/b", None),
            ("/{channel}/{rest}", "/x/y/z", Some(Some("x"))),
            ("/{channel}/{rest}", "/", None),
        ] {
            assert_eq!(pattern(text).matches(path), matched, "{text} and {path}");
        }
    }

    #[test]
    fn a_pattern_covers_what_it_leaves_nothing_of() {
        for (one, other, covers) in [
            ("/a", "/a", true),
            ("/{channel}", "/a", true),
            ("/{channel}", "/", false),
            ("/{channel}", "/{channel}", true),
            ("/a", "/{channel}", false),
            ("/{channel}/b", "/a/{channel}", false),
            ("/{channel}", "/a/b", false),
            ("/{rest}", "/a/{channel}", true),
            ("/{rest}", "/", true),
            ("/a/{rest}", "/a", true),
            ("/a", "/a/{rest}", false),
            ("/a/{rest}", "/{channel}/{rest}", false),
        ] {
            assert_eq!(
                pattern(one).covers(&pattern(other)),
                covers,
                "{one} and {other}"
            );
        }
    }

    #[test]
    fn a_pattern_is_printed_as_it_was_written() {
        for text in [
            "/",
            "/bus/{channel}",
            "/a//b",
            "/a/",
            "/{rest}",
            "/a/{channel}/{rest}",
        ] {
            assert_eq!(pattern(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_pattern_is_refused() {
        for (text, why) in [
            ("", NotAPattern::NoSlash),
            ("bus", NotAPattern::NoSlash),
            ("/{channel}/{channel}", NotAPattern::TwoChannels),
            ("/{rest}/a", NotAPattern::AfterRest),
            ("/{room}", NotAPattern::Brace('{')),
            ("/tv-{channel}", NotAPattern::Brace('{')),
            ("/a?b", NotAPattern::Character('?')),
            ("/a b", NotAPattern::Character(' ')),
            ("/ü", NotAPattern::Character('ü')),
        ] {
            assert_eq!(text.parse::<PathPattern>(), Err(why), "{text}");
        }
    }
}
