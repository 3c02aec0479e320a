//! Tables in documents that must be the ones the code makes.

use std::{env, fs, path::Path};

/// Compares what stands between `<!-- name -->` and `<!-- /name -->` in `file`,
/// a path from the top of the workspace, with `table`; writes it there instead
/// if `WRITE_DOCUMENTS` is set.
///
/// # Panics
/// If they differ, or the document or its marks are not there.
#[track_caller]
pub fn holds(file: &str, name: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(file);
    let document = fs::read_to_string(&path).expect("the document is there");
    let (open, close) = (format!("<!-- {name} -->\n"), format!("<!-- /{name} -->"));
    let start = document.find(&open).expect("the opening mark") + open.len();
    let end = document.find(&close).expect("the closing mark");
    if env::var_os("WRITE_DOCUMENTS").is_some() {
        let renewed = format!("{}{table}{}", &document[..start], &document[end..]);
        fs::write(&path, renewed).expect("the document can be written");
        return;
    }
    assert_eq!(
        &document[start..end],
        table,
        "{file} is out of date: run the test once with WRITE_DOCUMENTS=1 and -- --test-threads 1"
    );
}
