//! The `.wattle/` folder: keys, what runs here, and where its NATS is.
//!
//! ```text
//! .wattle/
//!   keys/operator.nk  operator.jwt  account.*  user.*   the development chain of trust (0600)
//!   keys/actors/NAME.nk   keys/providers/NAME.nk        one key per artifact
//!   lattice.json    the lattice's name, NATS, trust, and the processes that `wattle up` started
//!   artifacts/      signed artifacts of shipped providers
//!   nats/  host/    the data of the nats-server and of the first host
//!   hosts/NAME/     the data of each further host
//!   logs/host.log  logs/NAME.log   what detached hosts wrote
//! ```

pub(crate) mod file;
pub(crate) mod home;
pub(crate) mod keys;
pub(crate) mod lattice_file;
pub(crate) mod process;

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use tokio::{task::spawn_blocking, time::timeout};

use crate::{args::Global, exit::Exit, output::Output, problem::Problem};

use self::{keys::Keys, lattice_file::LatticeFile};

/// The folder's name, looked for from the working directory upwards.
const FOLDER: &str = ".wattle";

/// A project's folder.
#[derive(Clone, Debug)]
pub(crate) struct Project {
    dir: PathBuf,
}

impl Project {
    /// The folder that `--dir` names, or the one here or above, or the user's own.
    pub(crate) fn find(global: &Global) -> anyhow::Result<Option<Self>> {
        if let Some(dir) = &global.dir {
            // Absolute, because hosts in the background are told of it.
            return Ok(dir.canonicalize().ok().filter(|dir| dir.is_dir()).map(|dir| Self { dir }));
        }
        let here = std::env::current_dir().context("the working directory")?;
        let above = here.ancestors().map(|dir| dir.join(FOLDER));
        Ok(above.chain(user_context()).find(|dir| is_project(dir)).map(|dir| Self { dir }))
    }

    /// The same, for commands that can do nothing without one.
    pub(crate) fn require(global: &Global) -> anyhow::Result<Self> {
        Self::find(global)?.ok_or_else(|| {
            let problem = match &global.dir {
                Some(dir) => Problem::new(Exit::NotFound, format!("no folder {}", dir.display())),
                None => Problem::new(Exit::NotFound, "no .wattle folder here or above"),
            };
            problem.next("wattle up").into()
        })
    }

    /// The same, made here if there is none.
    pub(crate) fn find_or_create(global: &Global, output: Output) -> anyhow::Result<Self> {
        if let Some(found) = Self::find(global)? {
            return Ok(found);
        }
        let dir = global.dir.clone().unwrap_or_else(|| PathBuf::from(FOLDER));
        file::create_folder(&dir)?;
        let dir = dir.canonicalize().with_context(|| dir.display().to_string())?;
        // Seeds lie in it: it must never be committed, whatever the repository around it ignores.
        file::write_private(&dir.join(".gitignore"), b"*\n")?;
        output.note(&format!("made {} (keys and state; it ignores itself in git)", dir.display()));
        Ok(Self { dir })
    }

    /// The folder that a test made.
    #[cfg(test)]
    pub(crate) fn at(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the revocations are kept that this project has signed: a file for each issuer.
    pub(crate) fn revocations(&self) -> PathBuf {
        self.dir.join("revocations")
    }

    pub(crate) fn keys(&self) -> Keys {
        Keys::new(self.dir.join("keys"))
    }

    /// What the folder says about its lattice; the default if nothing was written yet.
    pub(crate) fn lattice(&self) -> anyhow::Result<LatticeFile> {
        LatticeFile::read(&self.lattice_path())
    }

    /// Changes what the folder says about its lattice, and returns what it says then. Several hosts do so, each for itself.
    pub(crate) fn change(
        &self,
        change: impl FnOnce(&mut LatticeFile),
    ) -> anyhow::Result<LatticeFile> {
        let _lock = file::Lock::wait(&self.dir.join("lattice.lock"))?;
        let mut lattice = self.lattice()?;
        change(&mut lattice);
        lattice.write(&self.lattice_path())?;
        Ok(lattice)
    }

    fn lattice_path(&self) -> PathBuf {
        self.dir.join("lattice.json")
    }

    pub(crate) fn nats_dir(&self) -> PathBuf {
        self.dir.join("nats")
    }

    /// Where an artifact is kept that was signed here: of a shipped provider, of a manifest's component.
    pub(crate) fn artifact(&self, file: &str) -> PathBuf {
        self.dir.join("artifacts").join(file)
    }

    /// Held while what was revoked is read, added to and kept: each of two commands at once would leave out what the other revokes.
    /// The second one waits for the first, but no longer than `wait`.
    pub(crate) async fn lock_revocations(&self, wait: Duration) -> anyhow::Result<file::Lock> {
        let path = self.dir.join("revocations.lock");
        let locked = timeout(wait, spawn_blocking(move || file::Lock::wait(&path))).await;
        let Ok(locked) = locked else {
            let what = format!("another command revokes in {} right now", self.dir.display());
            return Err(Problem::new(Exit::Conflict, what)
                .next("wait for it, then try again")
                .into());
        };
        locked.context("wait for the list of revocations")?
    }

    /// Held while processes are started or stopped, so that two commands do not do it at once.
    pub(crate) fn lock(&self) -> anyhow::Result<file::Lock> {
        file::Lock::take(&self.dir.join("lock"))?.ok_or_else(|| {
            let what = format!(
                "another command starts or stops the lattice of {} right now",
                self.dir.display()
            );
            Problem::new(Exit::Conflict, what).next("wait for it, then try again").into()
        })
    }
}

/// A folder of another purpose may have the same name: the cache in the home folder, say.
fn is_project(dir: &Path) -> bool {
    dir.join("keys").is_dir() || dir.join("lattice.json").is_file() || {
        dir.ends_with(FOLDER) && dir.join(".gitignore").is_file()
    }
}

/// The context that holds where no project is: a folder of the same layout in the user's configuration.
fn user_context() -> Option<PathBuf> {
    let config = std::env::var_os("XDG_CONFIG_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config")))?;
    Some(config.join("wattle"))
}
