//! Folders that keep what can be had again: whole files or none, and of those that grow too large what was not used for the longest
//! time goes.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tracing::debug;

/// How a file is named that is not yet whole.
pub(crate) const PARTIAL: &str = ".partial-";

/// A whole file.
struct Kept {
    path: PathBuf,
    len: u64,
    used: SystemTime,
}

/// Removes the files of a folder that are of no use by their names. Nobody else writes there yet.
pub(crate) fn clear(folder: &Path, is_useless: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_file() && is_useless(&entry.file_name().to_string_lossy()) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Notes that a file was used.
pub(crate) fn touch(file: &fs::File) {
    if let Err(error) = file.set_modified(SystemTime::now()) {
        debug!(%error, "the last use of a file is not noted");
    }
}

/// Removes the files that were not used for the longest time, of those that `may_go`, until the folder is no larger than that.
pub(crate) fn make(
    folder: &Path,
    bytes_max: u64,
    may_go: impl Fn(&Path) -> bool,
) -> io::Result<()> {
    let mut files = files(folder)?;
    let mut bytes: u64 = files.iter().map(|file| file.len).sum();
    files.sort_by_key(|file| file.used);
    for file in files.iter().filter(|file| may_go(&file.path)) {
        if bytes <= bytes_max {
            break;
        }
        fs::remove_file(&file.path)?;
        bytes -= file.len;
    }
    Ok(())
}

fn files(folder: &Path) -> io::Result<Vec<Kept>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() && !entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            let (len, used) = (metadata.len(), metadata.modified()?);
            files.push(Kept { path: entry.path(), len, used });
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn names(folder: &Path) -> Vec<String> {
        let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry"));
        let mut names: Vec<String> =
            entries.map(|entry| entry.file_name().into_string().expect("text")).collect();
        names.sort();
        names
    }

    #[test]
    fn what_was_not_used_for_the_longest_time_makes_room() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name);
        for (age_s, name) in [(40, "b"), (30, "a"), (20, "c"), (50, ".partial-x"), (60, "new")] {
            fs::write(path(name), [0; 10]).expect("written");
            let used = SystemTime::now() - Duration::from_secs(age_s);
            let file = fs::File::options().write(true).open(path(name)).expect("opened");
            file.set_modified(used).expect("aged");
        }
        let make = |bytes_max| {
            make(folder.path(), bytes_max, |file| *file != path("new")).expect("room");
        };
        make(40);
        assert_eq!(names(folder.path()), [".partial-x", "a", "b", "c", "new"]);
        touch(&fs::File::open(path("b")).expect("opened"));
        make(25);
        assert_eq!(names(folder.path()), [".partial-x", "b", "new"]);
        make(0);
        assert_eq!(names(folder.path()), [".partial-x", "new"]);
    }

    #[test]
    fn what_cannot_be_used_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a-1", "a-2", ".partial-x"] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        fs::create_dir(folder.path().join("folder")).expect("made");
        clear(folder.path(), |name| !name.ends_with("-1")).expect("cleared");
        assert_eq!(names(folder.path()), ["a-1", "folder"]);
    }
}
