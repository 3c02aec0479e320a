//! The extensions' names, and which drafts they go with.

use draftgate_core::Draft;

/// One of the compression extensions, under one of its names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Name {
    PerMessage,
    /// `deflate-frame` as its drafts call it.
    Frame,
    /// The same as WebKit offered it, before it had a name of its own.
    WebKitFrame,
    Stream,
}

impl Name {
    const ALL: [Self; 4] = [
        Self::PerMessage,
        Self::Frame,
        Self::WebKitFrame,
        Self::Stream,
    ];

    pub(crate) fn of(token: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|name| name.token() == token)
    }

    pub(crate) fn token(self) -> &'static str {
        match self {
            Self::PerMessage => "permessage-deflate",
            Self::Frame => "deflate-frame",
            Self::WebKitFrame => "x-webkit-deflate-frame",
            Self::Stream => "deflate-stream",
        }
    }

    /// Whether it can be agreed on in `draft`: RFC 7692 extends RFC 6455 alone,
    /// `deflate-frame` was in use with Version 8 and 13, and `deflate-stream`
    /// stands in the drafts from hybi-04 to those of Version 8.
    pub(crate) fn goes_with(self, draft: Draft) -> bool {
        match self {
            Self::PerMessage => draft == Draft::Hybi13,
            Self::Frame | Self::WebKitFrame => matches!(draft, Draft::Hybi08 | Draft::Hybi13),
            Self::Stream => matches!(
                draft,
                Draft::Hybi04 | Draft::Hybi05 | Draft::Hybi06 | Draft::Hybi07 | Draft::Hybi08
            ),
        }
    }
}

/// What RSV1 of a data frame means in `draft`, where the extension that gives it
/// the meaning was agreed on; `None` if there is none.
pub fn meaning(draft: Draft) -> Option<String> {
    let of = |name: &Name| match name {
        Name::PerMessage => Some("the message is compressed"),
        Name::Frame => Some("the frame is compressed"),
        Name::WebKitFrame | Name::Stream => None,
    };
    let names = Name::ALL.iter().filter(|name| name.goes_with(draft));
    let all: Vec<_> = names
        .filter_map(|name| Some(format!("under {} {}", name.token(), of(name)?)))
        .collect();
    (!all.is_empty()).then(|| all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reserved_bit_means_something_where_an_extension_goes_with_the_draft() {
        assert_eq!(meaning(Draft::Hybi07), None);
        assert_eq!(
            meaning(Draft::Hybi08).as_deref(),
            Some("under deflate-frame the frame is compressed")
        );
        assert_eq!(
            meaning(Draft::Hybi13).as_deref(),
            Some(
                "under permessage-deflate the message is compressed, \
                 under deflate-frame the frame is compressed"
            )
        );
    }
}
