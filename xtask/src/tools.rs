//! The programs that are not ours: found, or installed into the user's cache folder, saying so.

use std::path::PathBuf;

use anyhow::{Context as _, Result};

use crate::repository::{Repository, output, run, step};

/// The oldest nats-server that has all that Wattle uses.
const NATS_SERVER_VERSION: (u32, u32) = (2, 10);

/// Sees to it that there is a nats-server that is new enough.
pub(crate) fn nats_server(repository: &Repository) -> Result<()> {
    let given = std::env::var_os("WATTLE_NATS_SERVER").map(PathBuf::from);
    if let Some(path) = given.or_else(|| repository.which("nats-server")) {
        let said = output(repository.command(&path).arg("--version"))?;
        if version(&said).is_some_and(|found| found >= NATS_SERVER_VERSION) {
            return Ok(());
        }
        eprintln!("{} is too old ({}).", path.display(), said.trim());
    }
    step("installing nats-server into the user's cache (Debian's package, unpacked)");
    run(repository.command(repository.file("xtask/nats-server.sh")).stdout(std::io::stderr()))
        .context("installing nats-server")
}

/// `nats-server: v2.10.27` → (2, 10).
fn version(said: &str) -> Option<(u32, u32)> {
    let (_, numbers) = said.trim().rsplit_once('v')?;
    let mut parts = numbers.split('.').map_while(|part| part.parse().ok());
    Some((parts.next()?, parts.next()?))
}

/// Sees to it that each of these of Debian's packages' programs is there.
pub(crate) fn debian(repository: &Repository, programs: &[&str]) -> Result<()> {
    let missing: Vec<&str> =
        programs.iter().copied().filter(|name| repository.which(name).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    step(format_args!(
        "installing {} into {} (Debian's packages, unpacked)",
        missing.join(" and "),
        repository.cache().display()
    ));
    run(repository.command(repository.file("xtask/debian-programs.sh")).args(&missing))
        .with_context(|| format!("installing {}: install it yourself", missing.join(" and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_read_and_anything_else_is_none() {
        assert_eq!(version("nats-server: v2.10.27\n"), Some((2, 10)));
        assert_eq!(version("nats-server: v2.9"), Some((2, 9)));
        assert_eq!(version("what?"), None);
    }
}
