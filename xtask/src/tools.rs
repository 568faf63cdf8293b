//! The programs that are not ours: found, or installed into the user's cache folder, saying so.

use std::{
    env,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

use crate::repository::{NATS_SERVER, Repository, output, run, step};

/// The oldest nats-server that has all that Wattle uses.
const NATS_SERVER_VERSION: (u32, u32) = (2, 10);

/// Sees to it that there is a nats-server that is new enough, and that every later command starts that one.
pub(crate) fn nats_server(repository: &mut Repository) -> Result<()> {
    let given = env::var_os(NATS_SERVER).filter(|path| !path.is_empty());
    let found = match given {
        Some(path) => vec![path.into()],
        None => repository.all("nats-server").collect(),
    };
    let ask = |path: &Path| output(repository.command(path).arg("--version"));
    let server = match first_new_enough(found, ask)? {
        Some(server) => server,
        None => install_nats_server(repository)?,
    };
    repository.use_nats_server(server);
    Ok(())
}

/// The first of these whose version, as `ask` gives it, will do; says so of each before it.
fn first_new_enough(
    found: Vec<PathBuf>,
    ask: impl Fn(&Path) -> Result<String>,
) -> Result<Option<PathBuf>> {
    for path in found {
        let said = ask(&path)?;
        if version(&said).is_some_and(|found| found >= NATS_SERVER_VERSION) {
            return Ok(Some(path));
        }
        eprintln!("{} is too old ({}).", path.display(), said.trim());
    }
    Ok(None)
}

fn install_nats_server(repository: &Repository) -> Result<PathBuf> {
    step("installing nats-server into the user's cache (Debian's package, unpacked)");
    let folder = repository.cache().join("bin");
    let mut install = repository.command(repository.file("xtask/nats-server.sh"));
    run(install.arg(&folder).stdout(std::io::stderr())).context("installing nats-server")?;
    Ok(folder.join("nats-server"))
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

    #[test]
    fn an_old_server_in_the_path_is_passed_over_and_commands_are_told_of_the_newer_one() {
        let versions = [("/usr/bin/nats-server", "2.9.10"), ("/cache/nats-server", "2.10.27")];
        let ask = |path: &Path| {
            let known = versions.iter().find(|(server, _)| path == Path::new(server));
            Ok(format!("nats-server: v{}\n", known.context("an unknown server")?.1))
        };
        let found = versions.iter().map(|(server, _)| PathBuf::from(server)).collect();
        let server = first_new_enough(found, ask).expect("both answer").expect("one will do");
        assert_eq!(server, Path::new("/cache/nats-server"));
        let mut repository = Repository::find().expect("this is a checkout");
        repository.use_nats_server(server.clone());
        let cargo = repository.cargo();
        let told = cargo.get_envs().find(|(name, _)| *name == NATS_SERVER);
        assert_eq!(told.and_then(|(_, value)| value), Some(server.as_os_str()));
    }
}
