//! Writes the index of `interop-vectors/README.md` anew from the vectors.

use std::{error::Error, fs, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../interop-vectors");
    let vectors = draftgate_vectors::load_dir(&archive)?;
    let readme = archive.join("README.md");
    let text = draftgate_vectors::with_index(&fs::read_to_string(&readme)?, &vectors)?;
    fs::write(readme, text)?;
    Ok(())
}
