//! The folder of compiled code: what is of no use any more goes, and of the rest what was not used for the longest time.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use tracing::{debug, warn};

/// How a file is named that is not yet whole.
pub(super) const PARTIAL: &str = ".partial-";

/// Removes what other versions and settings of the engine made, and what a crash left half written. Nobody else writes there yet.
pub(super) fn clear(folder: &Path, is_usable: impl Fn(&str) -> bool) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_ours = entry.file_type()?.is_file();
        if is_ours && !entry.file_name().to_str().is_some_and(&is_usable) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Notes that a file was used.
pub(super) fn touch(file: &fs::File) {
    if let Err(error) = file.set_modified(SystemTime::now()) {
        debug!(%error, "the last use of compiled code is not noted");
    }
}

/// Removes the files that were not used for the longest time, but never `newest`. What is mapped stays until nobody uses it.
pub(super) fn make(folder: &Path, newest: &Path, bytes_max: u64) {
    if let Err(error) = try_make(folder, newest, bytes_max) {
        warn!(%error, "old compiled code cannot be removed");
    }
}

fn try_make(folder: &Path, newest: &Path, bytes_max: u64) -> io::Result<()> {
    let mut files: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_file() && !entry.file_name().to_string_lossy().starts_with(PARTIAL) {
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
    }
    let mut bytes: u64 = files.iter().map(|(_, len, _)| len).sum();
    files.sort();
    for (_, len, path) in files.iter().filter(|(.., path)| path != newest) {
        if bytes <= bytes_max {
            break;
        }
        fs::remove_file(path)?;
        bytes -= len;
    }
    Ok(())
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
        make(folder.path(), &path("new"), 40);
        assert_eq!(names(folder.path()), [".partial-x", "a", "b", "c", "new"]);
        touch(&fs::File::open(path("b")).expect("opened"));
        make(folder.path(), &path("new"), 25);
        assert_eq!(names(folder.path()), [".partial-x", "b", "new"]);
        make(folder.path(), &path("new"), 0);
        assert_eq!(names(folder.path()), [".partial-x", "new"]);
    }

    #[test]
    fn what_cannot_be_used_goes() {
        let folder = tempfile::tempdir().expect("a folder");
        for name in ["a-1", "a-2", ".partial-x"] {
            fs::write(folder.path().join(name), "").expect("written");
        }
        fs::create_dir(folder.path().join("folder")).expect("made");
        clear(folder.path(), |name| name.ends_with("-1")).expect("cleared");
        assert_eq!(names(folder.path()), ["a-1", "folder"]);
    }
}
