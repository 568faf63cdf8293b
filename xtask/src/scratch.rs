//! A folder for what is made while a command runs: one command's at a time, and emptied only when nothing runs in it any more.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail};

use crate::{
    lattice::Lattice,
    repository::{Repository, step},
};

/// The folder, ours until this is dropped, which stops the lattices in it.
pub(crate) struct Scratch<'a> {
    repository: &'a Repository,
    folder: PathBuf,
    in_use: bool,
    /// Beside the folder, so that it outlives the emptying. The system unlocks it if we are killed.
    _lock: File,
}

impl<'a> Scratch<'a> {
    /// The folder of the command of that name, emptied; an error if another such command runs.
    pub(crate) fn take(repository: &'a Repository, name: &str) -> Result<Self> {
        Self::locked(repository, name, |_| {
            bail!(
                "another `cargo xtask {name}` runs: end it with Ctrl-C, then start this one again"
            )
        })
    }

    /// The same for a step that several commands have, and that is soon over: waits its turn.
    pub(crate) fn wait(repository: &'a Repository, name: &str) -> Result<Self> {
        Self::locked(repository, name, |lock| {
            step(format_args!("waiting until another command has made its {name}"));
            Ok(lock.lock()?)
        })
    }

    fn locked(
        repository: &'a Repository,
        name: &str,
        taken: impl FnOnce(&File) -> Result<()>,
    ) -> Result<Self> {
        let folder = repository.scratch(name)?;
        fs::create_dir_all(folder.parent().context("a scratch folder is in one")?)?;
        let path = folder.with_extension("lock");
        let lock = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let lock = lock.with_context(|| path.display().to_string())?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => taken(&lock)?,
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("locking {}", path.display()));
            }
        }
        let mut scratch = Self { repository, folder, in_use: false, _lock: lock };
        scratch.empty()?;
        scratch.in_use = true;
        Ok(scratch)
    }

    /// A command that was killed stopped nothing, and once its folder is gone nobody knows what runs.
    fn empty(&self) -> Result<()> {
        let folder = &self.folder;
        if folder.exists() {
            if !self.lattices()?.is_empty() {
                step(format_args!("stopping what may still run in {}", folder.display()));
            }
            let kept = || format!("{} stays until nothing runs in it", folder.display());
            self.stop().with_context(kept)?;
            fs::remove_dir_all(folder).with_context(|| format!("emptying {}", folder.display()))?;
        }
        fs::create_dir_all(folder).with_context(|| folder.display().to_string())
    }

    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Stops every lattice in it; one that does not stop keeps no other from it.
    pub(crate) fn stop(&self) -> Result<()> {
        let stopped: Vec<Result<()>> = self.lattices()?.iter().map(Lattice::down).collect();
        stopped.into_iter().collect()
    }

    /// Stops every lattice in it and removes it; it stays if one may still run.
    pub(crate) fn remove(mut self) -> Result<()> {
        self.in_use = false; // what does not stop now does not when we are dropped, a moment later
        self.stop()?;
        fs::remove_dir_all(&self.folder)
            .with_context(|| format!("removing {}", self.folder.display()))
    }

    /// Those in the folder, and in the folders in it.
    fn lattices(&self) -> Result<Vec<Lattice<'a>>> {
        let mut folders = vec![self.folder.clone()];
        let entries = fs::read_dir(&self.folder);
        for entry in entries.with_context(|| format!("reading {}", self.folder.display()))? {
            folders.push(entry?.path());
        }
        let lattices = folders.iter().map(|folder| Lattice::in_folder(self.repository, folder));
        Ok(lattices.filter(|lattice| lattice.folder().is_dir()).collect())
    }
}

impl Drop for Scratch<'_> {
    fn drop(&mut self) {
        if self.in_use
            && let Err(error) = self.stop()
        {
            eprintln!("{error:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    /// In place of `wattle`: stops nothing that is stuck, and succeeds only where no Ctrl-C of ours reaches it.
    const WATTLE: &str = "#!/bin/sh\n\
        test ! -e \"$WATTLE_DIR/stuck\" || exit 1\n\
        read -r pid name state parent group rest </proc/$$/stat\n\
        test \"$pid\" = \"$group\"\n";

    #[test]
    fn a_folder_is_one_commands_at_a_time() {
        let repository = Repository::find().expect("this is a checkout");
        let first = Scratch::take(&repository, "one-at-a-time").expect("nobody has it");
        let file = first.folder().join("of-the-first");
        fs::write(&file, "").expect("the folder is there");
        assert!(Scratch::take(&repository, "one-at-a-time").is_err());
        assert!(file.exists());
        first.remove().expect("nothing runs in it");
        let second = Scratch::take(&repository, "one-at-a-time").expect("nobody has it any more");
        second.remove().expect("nothing runs in it");
    }

    #[test]
    fn a_folder_stays_until_what_runs_in_it_was_stopped() {
        let here = Repository::find().expect("this is a checkout");
        let outer = Scratch::take(&here, "until-stopped").expect("nobody has it");
        let binaries = outer.folder().join("binaries");
        fs::create_dir(&binaries).expect("the folder is empty");
        let program = binaries.join("wattle");
        fs::write(&program, WATTLE).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("it is ours");
        let repository = Repository::find().expect("this is a checkout").with_binaries(binaries);

        let scratch = Scratch::take(&repository, "demo").expect("nobody has it");
        let project = scratch.folder().join("inner/.wattle");
        fs::create_dir_all(&project).expect("the folder is empty");
        fs::write(project.join("stuck"), "").expect("written");
        assert!(scratch.remove().is_err());
        assert!(Scratch::take(&repository, "demo").is_err());
        assert!(project.exists());

        fs::remove_file(project.join("stuck")).expect("it is there");
        let scratch = Scratch::take(&repository, "demo").expect("it can be stopped");
        assert!(!project.exists());
        scratch.remove().expect("nothing runs in it");
        outer.remove().expect("nothing runs in it");
    }
}
