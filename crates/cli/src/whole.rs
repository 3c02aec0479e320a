//! Files that are whole under their names, or as they were: a program that is
//! stopped while it writes leaves no half of one to be taken for it.

use std::{
    ffi::OsString,
    fs::{self, File},
    io::{self, BufWriter, Write},
    path::Path,
    process,
};

/// Makes the file `path` hold what `fill` writes. Until that is all, it stands
/// under a hidden name beside it; a device or a link is written to as it is, for
/// a file in its place would be the end of it.
///
/// # Errors
/// Those of `fill` and of the file system; `path` is as it was then.
pub(crate) fn write(
    path: &Path,
    fill: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|found| !found.is_file()) {
        return filled(File::create(path)?, fill);
    }
    let mut hidden = OsString::from(".");
    hidden.push(path.file_name().ok_or(io::ErrorKind::InvalidInput)?);
    hidden.push(format!(".{}.part", process::id()));
    let hidden = path.with_file_name(hidden);
    let written = File::create(&hidden).and_then(|file| filled(file, fill));
    let done = written.and_then(|()| fs::rename(&hidden, path));
    if done.is_err() {
        let _ = fs::remove_file(&hidden);
    }
    done
}

fn filled(file: File, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    fill(&mut out)?;
    out.flush()
}

#[cfg(all(test, unix))]
mod tests {
    use std::{env, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn a_file_is_whole_or_as_it_was_and_a_link_stays_one() {
        let dir = env::temp_dir().join(format!("draftgate-whole-{}", process::id()));
        fs::create_dir_all(&dir).unwrap();
        let (file, link) = (dir.join("file"), dir.join("link"));
        write(&file, |out| out.write_all(b"one")).unwrap();
        symlink(&file, &link).unwrap();
        write(&link, |out| out.write_all(b"two")).unwrap();
        assert!(link.symlink_metadata().unwrap().is_symlink());
        let half = |out: &mut dyn Write| {
            out.write_all(b"half")?;
            Err(io::ErrorKind::Other.into())
        };
        write(&file, half).unwrap_err();
        assert_eq!(fs::read(&file).unwrap(), b"two");
        assert_eq!(fs::read_dir(&dir).unwrap().count(), 2);
        fs::remove_dir_all(&dir).unwrap();
    }
}
