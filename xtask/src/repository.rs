//! Where things are in this repository, and how its commands start processes.

use std::{
    env,
    ffi::{OsStr, OsString},
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};

/// The variable that tells `wattle` which nats-server to start.
pub(crate) const NATS_SERVER: &str = "WATTLE_NATS_SERVER";

/// The checkout, and the folder that cargo puts binaries into.
pub(crate) struct Repository {
    root: PathBuf,
    binaries: PathBuf,
    cache: PathBuf,
    path: OsString,
    nats_server: Option<PathBuf>,
}

impl Repository {
    /// The repository that this program was built from, with its own folder as the place of all other binaries.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize()?;
        let executable = env::current_exe().context("finding this program")?;
        let binaries = executable.parent().context("this program has no folder")?.to_path_buf();
        let cache = user_cache()?.join("wattle");
        let path = env::join_paths(
            env::split_paths(&env::var_os("PATH").unwrap_or_default()).chain([cache.join("bin")]),
        )?;
        Ok(Self { root, binaries, cache, path, nats_server: None })
    }

    /// A file of the checkout.
    pub(crate) fn file(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The project's part of the user's cache folder.
    pub(crate) fn cache(&self) -> &Path {
        &self.cache
    }

    /// A binary that the workspace builds.
    pub(crate) fn binary(&self, name: &str) -> Result<PathBuf> {
        let path = self.binaries.join(name);
        ensure!(path.is_file(), "{} is missing", path.display());
        Ok(path)
    }

    /// The same checkout with other binaries.
    #[cfg(test)]
    pub(crate) fn with_binaries(self, binaries: PathBuf) -> Self {
        Self { binaries, ..self }
    }

    /// Where the scratch folder of that name is ([`Scratch`](crate::scratch::Scratch) takes it).
    pub(crate) fn scratch(&self, name: &str) -> Result<PathBuf> {
        let target = self.binaries.parent().context("the binaries' folder has no parent")?;
        Ok(target.join("xtask").join(name))
    }

    /// Every later command starts this nats-server, whichever comes first in the path.
    pub(crate) fn use_nats_server(&mut self, server: PathBuf) {
        self.nats_server = Some(server);
    }

    /// A command that starts in the root and finds what was installed into the user's cache.
    pub(crate) fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("PATH", &self.path);
        command.envs(self.nats_server.iter().map(|server| (NATS_SERVER, server)));
        command
    }

    /// The cargo that runs us.
    pub(crate) fn cargo(&self) -> Command {
        let mut command =
            self.command(env::var_os("CARGO").unwrap_or_else(|| OsString::from("cargo")));
        // Set by `cargo run` for this package; build scripts of others would see it change and run again.
        for name in ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH"] {
            command.env_remove(name);
        }
        command
    }

    /// The first program of that name in the path or in our cache.
    pub(crate) fn which(&self, name: &str) -> Option<PathBuf> {
        self.all(name).next()
    }

    /// All programs of that name in the path and in our cache.
    pub(crate) fn all(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        env::split_paths(&self.path)
            .map(move |folder| folder.join(name))
            .filter(|path| path.is_file())
    }
}

fn user_cache() -> Result<PathBuf> {
    let from_xdg =
        env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
    let from_home = || env::var_os("HOME").map(|home| Path::new(&home).join(".cache"));
    from_xdg.or_else(from_home).context("neither XDG_CACHE_HOME nor HOME is set")
}

/// Says what is about to happen.
pub(crate) fn step(what: impl fmt::Display) {
    eprintln!("\n== {what}");
}

/// Runs `command` to its end, its output going where ours goes.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    let status = command.status().with_context(|| format!("starting {shown}"))?;
    ensure!(status.success(), "{shown}: {status}");
    Ok(())
}

/// Runs `command` to its end and gives what it printed; what it says on stderr is shown.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output =
        command.stderr(Stdio::inherit()).output().with_context(|| format!("starting {shown}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    ensure!(output.status.success(), "{shown}: {}\n{text}", output.status);
    Ok(text)
}

/// The command as one would type it.
pub(crate) fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    let quoted = |argument: &OsStr| {
        let text = argument.to_string_lossy().into_owned();
        if text.contains([' ', '"', '{', '*']) { format!("'{text}'") } else { text }
    };
    [name].into_iter().chain(command.get_args().map(quoted)).collect::<Vec<_>>().join(" ")
}

/// Looks again and again until `found` gives something; `bail`s after `limit`.
pub(crate) fn poll<T>(
    what: &str,
    limit: Duration,
    mut found: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    const INTERVAL: Duration = Duration::from_millis(20);
    let started = std::time::Instant::now();
    while started.elapsed() < limit {
        if let Some(value) = found()? {
            return Ok(value);
        }
        pause(INTERVAL);
    }
    bail!("{what}: not within {limit:?}")
}

/// Waits. There is no runtime here whose thread could be blocked.
#[allow(clippy::disallowed_methods, reason = "a program of one thread that waits for processes")]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
