//! Where the programs are that tests start.

use std::{
    env,
    path::{Path, PathBuf},
};

/// A binary of the workspace: it lies beside this test's folder.
///
/// # Panics
/// If it was not built: cargo builds binaries only of the package that is tested.
pub fn program(name: &str) -> PathBuf {
    let test = env::current_exe().expect("this test has a path");
    let folders = test.ancestors().skip(1).take(2);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| {
        panic!("{name} is not built: run `cargo xtask test`, or `cargo build --workspace` first")
    })
}

/// A program of the machine, or of the user's cache where `cargo xtask test` installs what is missing.
pub(crate) fn installed(name: &str) -> PathBuf {
    // Chosen where the one in the path is too old.
    let chosen = env::var_os("WATTLE_NATS_SERVER").filter(|_| name == "nats-server");
    if let Some(chosen) = chosen.filter(|path| !path.is_empty()) {
        return chosen.into();
    }
    let cache = env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| env::var_os("HOME").map(|home| Path::new(&home).join(".cache")))
        .map(|cache| cache.join("wattle/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let found =
        env::split_paths(&path).chain(cache).map(|dir| dir.join(name)).find(|file| file.is_file());
    found.unwrap_or_else(|| panic!("{name} is not installed: `cargo xtask test` does it"))
}
