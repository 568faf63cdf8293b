//! A Rust toolchain that can compile guests: the installed target, a sysroot that was built here before, the target from rustup,
//! or a sysroot built now.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

use super::TARGET;
use crate::{exit::Exit, output::Output, problem::Problem};

/// Builds a sysroot from the distribution's sources; kept as a script because all it does is to run other programs.
const SYSROOT_SCRIPT: &str = include_str!("sysroot.sh");

/// Where the standard library for guests comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Toolchain {
    /// The installed toolchain has the target.
    Installed,
    /// A sysroot beside it.
    Sysroot(PathBuf),
}

impl Toolchain {
    /// What is there already, without downloading anything. `folder` is where cargo will run: it may pin a toolchain.
    pub(crate) fn find(folder: &Path) -> anyhow::Result<Option<Self>> {
        if has_target(folder)? {
            return Ok(Some(Self::Installed));
        }
        let sysroot = sysroot()?;
        let fits = is_built_for(&sysroot, &rustc_release(folder)?);
        Ok(fits.then_some(Self::Sysroot(sysroot)))
    }

    /// What is there, or else what can be had: rustup's target first, then a sysroot of our own.
    pub(crate) fn find_or_make(folder: &Path, output: Output) -> anyhow::Result<Self> {
        if let Some(found) = Self::find(folder)? {
            return Ok(found);
        }
        if add_target(folder, output)? {
            return Ok(Self::Installed);
        }
        let sysroot = sysroot()?;
        build_sysroot(folder, &sysroot, output)?;
        Ok(Self::Sysroot(sysroot))
    }

    /// Tells cargo about it.
    pub(crate) fn apply(&self, cargo: &mut Command) {
        const FLAGS: &str = "CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS";
        if let Self::Sysroot(path) = self {
            let mut flags = std::env::var_os(FLAGS).unwrap_or_default();
            if !flags.is_empty() {
                flags.push(" ");
            }
            flags.push("--sysroot=");
            flags.push(path);
            cargo.env(FLAGS, flags);
        }
    }
}

impl std::fmt::Display for Toolchain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Installed => write!(f, "the installed toolchain has {TARGET}"),
            Self::Sysroot(path) => write!(f, "{TARGET} from {}", path.display()),
        }
    }
}

/// In the user's cache, shared by all projects.
fn sysroot() -> anyhow::Result<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .context("neither XDG_CACHE_HOME nor HOME is set")?;
    Ok(cache.join("wattle/wasm-sysroot"))
}

fn is_built_for(sysroot: &Path, release: &str) -> bool {
    let built = std::fs::read_to_string(sysroot.join(".version")).unwrap_or_default();
    built.trim() == release && has_std(&sysroot.join("lib/rustlib").join(TARGET).join("lib"))
}

fn has_target(folder: &Path) -> anyhow::Result<bool> {
    let printed = rustc(folder, &["--print", "target-libdir", "--target", TARGET])?;
    Ok(has_std(Path::new(printed.trim())))
}

fn has_std(libdir: &Path) -> bool {
    let Ok(entries) = std::fs::read_dir(libdir) else { return false };
    entries.flatten().any(|entry| {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        name.starts_with("libstd-") && name.ends_with(".rlib")
    })
}

fn rustc_release(folder: &Path) -> anyhow::Result<String> {
    let printed = rustc(folder, &["-vV"])?;
    let release = printed.lines().find_map(|line| line.strip_prefix("release: "));
    release.map(str::to_owned).context("rustc does not say its version")
}

fn rustc(folder: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let ran =
        Command::new(&rustc).args(arguments).current_dir(folder).output().map_err(|error| {
            Problem::new(
                Exit::NotFound,
                format!("guests are compiled with rustc, which does not run: {error}"),
            )
            .next("install Rust: https://rustup.rs")
        })?;
    anyhow::ensure!(
        ran.status.success(),
        "rustc {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&ran.stderr).trim()
    );
    String::from_utf8(ran.stdout).context("rustc's answer")
}

/// `rustup target add`, where there is a rustup and it can download.
fn add_target(folder: &Path, output: Output) -> anyhow::Result<bool> {
    let mut rustup = Command::new("rustup");
    rustup.args(["target", "add", TARGET]).current_dir(folder);
    rustup.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let step = output.step(&format!("rustup target add {TARGET}"));
    let added = rustup.status().is_ok_and(|status| status.success()) && has_target(folder)?;
    step.done(if added { "added" } else { "not available here" });
    Ok(added)
}

fn build_sysroot(folder: &Path, sysroot: &Path, output: Output) -> anyhow::Result<()> {
    output.note(&format!(
        "building Rust's standard library for {TARGET} into {} (once, about a minute)",
        sysroot.display()
    ));
    let mut bash = Command::new("bash");
    bash.args(["-c", SYSROOT_SCRIPT, "sysroot.sh"]).arg(sysroot).arg(TARGET);
    bash.current_dir(folder).stdin(Stdio::null()).stdout(Stdio::null());
    let built = bash.status().is_ok_and(|status| status.success());
    if built && is_built_for(sysroot, &rustc_release(folder)?) {
        return Ok(());
    }
    let what = format!("there is no Rust standard library for {TARGET}, and none could be built");
    Err(Problem::new(Exit::Failed, what)
        .next(format!("rustup target add {TARGET}, where it can download"))
        .into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sysroot_of_another_compiler_is_not_used() {
        let folder = tempfile::tempdir().expect("a folder");
        let lib = folder.path().join("lib/rustlib").join(TARGET).join("lib");
        std::fs::create_dir_all(&lib).expect("made");
        std::fs::write(lib.join("libstd-1.rlib"), "").expect("written");
        std::fs::write(folder.path().join(".version"), "1.2.3\n").expect("written");
        assert!(is_built_for(folder.path(), "1.2.3"));
        assert!(!is_built_for(folder.path(), "1.2.4"));
    }
}
