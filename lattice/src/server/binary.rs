//! Which nats-server, and what it can do.

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::ServerError;

/// The program's name in `PATH` and in the cache.
const PROGRAM: &str = "nats-server";

/// Where Debian and others put servers, which is not in everybody's `PATH`.
const SYSTEM_FOLDERS: &str = "/usr/local/sbin:/usr/sbin";

/// Where nats-server is: `WATTLE_NATS_SERVER`, then `PATH`, then `wattle/bin` in the user's cache folder, then the system's
/// folders for servers. What `WATTLE_NATS_SERVER` names is taken even if it is not there, so that the mistake is seen.
pub fn find_binary() -> Option<PathBuf> {
    if let Some(named) = env::var_os("WATTLE_NATS_SERVER").filter(|path| !path.is_empty()) {
        return Some(named.into());
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let cached = || Some(cache_folder()?.join("wattle/bin").join(PROGRAM)).filter(|p| p.is_file());
    in_path(&path, PROGRAM)
        .or_else(cached)
        .or_else(|| in_path(&OsString::from(SYSTEM_FOLDERS), PROGRAM))
}

/// The first file of that name in the folders of a `PATH`.
pub(super) fn in_path(path: &OsString, program: &str) -> Option<PathBuf> {
    env::split_paths(path).map(|folder| folder.join(program)).find(|file| file.is_file())
}

fn cache_folder() -> Option<PathBuf> {
    let named = |variable| env::var_os(variable).filter(|value| !value.is_empty());
    named("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| Some(PathBuf::from(named("HOME")?).join(".cache")))
}

/// A server's version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Version(String);

impl Version {
    pub(super) fn unknown() -> Self {
        Self(String::new())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether JetStream may be told to sync each write before it acknowledges it: since 2.10.
    pub(super) fn syncs_always(&self) -> bool {
        let mut parts = self.0.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next(), parts.next()) >= (Some(2), Some(10))
    }
}

/// Asks the binary for its version, which also says whether it runs here at all.
pub(super) async fn version_of(binary: &Path) -> Result<Version, ServerError> {
    let mut command = Command::new(binary);
    command.arg("--version").stdin(Stdio::null()).stderr(Stdio::null());
    let asked = tokio::task::spawn_blocking(move || command.output()).await;
    let output = asked
        .map_err(|error| ServerError::Failed { reason: error.to_string() })?
        .map_err(|source| ServerError::Io { path: binary.to_owned(), source })?;
    parse(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| ServerError::Failed {
        reason: format!("{} is not a nats-server", binary.display()),
    })
}

/// `nats-server: v2.10.27`.
fn parse(text: &str) -> Option<Version> {
    let version = text.trim().strip_prefix("nats-server: v")?;
    let known = version.starts_with(|first: char| first.is_ascii_digit());
    known.then(|| Version(version.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_server_that_knows_it_is_told_to_sync_always() {
        for (text, syncs) in [
            ("nats-server: v2.9.10\n", false),
            ("nats-server: v2.10.27\n", true),
            ("nats-server: v2.15.1\n", true),
            ("nats-server: v3.0.0-beta\n", true),
        ] {
            assert_eq!(parse(text).expect(text).syncs_always(), syncs, "{text}");
        }
    }

    #[test]
    fn another_program_is_no_server() {
        assert_eq!(parse("nats-server: vNext"), None);
        assert_eq!(parse("bash 5.2"), None);
    }
}
