//! The generated parts of docs/performance.md, between marks that say so.

use std::fs;
use std::path::Path;

use crate::failure::{Failure, file};

/// Puts `part` between `<!-- name -->` and `<!-- /name -->`.
///
/// # Errors
/// The file cannot be read or written, or lacks the marks.
pub(crate) fn put(path: &Path, name: &str, part: &str) -> Result<(), Failure> {
    let text = fs::read_to_string(path).map_err(file(path))?;
    let (from, to) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let without = |mark: &str| Failure::NoMark(path.display().to_string(), mark.trim().to_owned());
    let (before, rest) = text.split_once(&from).ok_or_else(|| without(&from))?;
    let (_, after) = rest.split_once(&to).ok_or_else(|| without(&to))?;
    let text = format!("{before}{from}\n{}\n\n{to}{after}", part.trim());
    fs::write(path, text).map_err(file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_between_the_marks_is_replaced_and_nothing_else() {
        let path = std::env::temp_dir().join(format!("draftgate-document-{}", std::process::id()));
        fs::write(&path, "a\n<!-- t -->\nold\n<!-- /t -->\nb\n").unwrap();
        put(&path, "t", "new\n").unwrap();
        let text = fs::read_to_string(&path).unwrap();
        assert_eq!(text, "a\n<!-- t -->\n\nnew\n\n<!-- /t -->\nb\n");
        let error = put(&path, "other", "new").unwrap_err().to_string();
        assert!(error.ends_with("has no line `<!-- other -->`"), "{error}");
        fs::remove_file(&path).unwrap();
    }
}
