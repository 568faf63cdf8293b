//! A crate before it is written: its folder, its name, where Wattle's own crates are, and its files.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::Context as _;
use wattle_core::Name;

use crate::{contract::is_keyword, exit::Exit, problem::Problem};

/// Files of a WIT, each of at most so many bytes.
const WIT_FILES_MAX: usize = 500;
const WIT_LEN_MAX: u64 = 1024 * 1024;

/// Names that are crates already, for whoever depends on them.
const CRATES: &[&str] = &[
    "alloc",
    "core",
    "proc-macro",
    "serde",
    "serde-bytes",
    "std",
    "test",
    "wattle",
    "wattle-sdk",
    "wit-bindgen",
];

/// A crate that is to be.
#[derive(Debug)]
pub(super) struct Crate {
    pub(super) folder: PathBuf,
    pub(super) name: Name,
    /// What is to be in it, by path.
    pub(super) files: BTreeMap<PathBuf, Vec<u8>>,
}

impl Crate {
    /// One in a folder that is not there yet, or empty, and whose name is the crate's.
    pub(super) fn new(folder: &Path) -> Result<Self, Problem> {
        let called = folder.file_name().unwrap_or_default().to_string_lossy();
        let name: Name = called.parse().map_err(|error| {
            Problem::new(Exit::Usage, format!("{called:?} cannot be its name: {error}"))
        })?;
        let bad = match name.as_str() {
            name if !name.starts_with(|c: char| c.is_ascii_lowercase()) => "begins with no letter",
            name if is_keyword(name) => "is a word of Rust's",
            name if CRATES.contains(&name) => "is a crate that it needs",
            _ => "",
        };
        if !bad.is_empty() {
            return Err(Problem::new(Exit::Usage, format!("{name} cannot be its name: it {bad}")));
        }
        let full = fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some());
        if full || folder.is_file() {
            let what = format!("{} is there already", folder.display());
            return Err(Problem::new(Exit::Conflict, what).next("choose another name"));
        }
        Ok(Self { folder: folder.to_owned(), name, files: BTreeMap::new() })
    }

    pub(super) fn add(&mut self, path: &str, text: impl Into<Vec<u8>>) {
        self.files.insert(path.into(), text.into());
    }

    /// Puts a WIT file, or a folder's with all below it, into `wit/`.
    pub(super) fn add_wit(&mut self, wit: &Path) -> anyhow::Result<()> {
        if wit.is_dir() {
            return self.add_folder(wit, Path::new("wit"));
        }
        let name = wit.file_name().unwrap_or_default();
        self.add_file(wit, Path::new("wit").join(name))
    }

    fn add_folder(&mut self, folder: &Path, to: &Path) -> anyhow::Result<()> {
        for entry in fs::read_dir(folder).with_context(|| folder.display().to_string())? {
            let path = entry.with_context(|| folder.display().to_string())?.path();
            let to = to.join(path.file_name().unwrap_or_default());
            if path.is_dir() {
                self.add_folder(&path, &to)?;
            } else if path.extension().is_some_and(|extension| extension == "wit") {
                self.add_file(&path, to)?;
            }
        }
        Ok(())
    }

    fn add_file(&mut self, from: &Path, to: PathBuf) -> anyhow::Result<()> {
        let what = || from.display().to_string();
        let len = fs::metadata(from).with_context(what)?.len();
        anyhow::ensure!(
            len <= WIT_LEN_MAX,
            "{} has {len} bytes, a WIT at most {WIT_LEN_MAX}",
            what()
        );
        anyhow::ensure!(self.files.len() < WIT_FILES_MAX, "more than {WIT_FILES_MAX} files of WIT");
        self.files.insert(to, fs::read(from).with_context(what)?);
        Ok(())
    }

    pub(super) fn write(&self) -> anyhow::Result<()> {
        for (path, content) in &self.files {
            let path = self.folder.join(path);
            let folder = path.parent().unwrap_or(&self.folder);
            fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
            fs::write(&path, content).with_context(|| format!("write {}", path.display()))?;
        }
        Ok(())
    }

    /// How its `Cargo.toml` refers to a folder of Wattle's.
    pub(super) fn path_to(&self, wattle: &Path, folder: &str) -> String {
        let own = std::path::absolute(&self.folder).unwrap_or_else(|_| self.folder.clone());
        match own.strip_prefix(wattle) {
            // It lies in the checkout: the two move together.
            Ok(below) => "../".repeat(below.components().count()) + folder,
            Err(_) => wattle.join(folder).display().to_string(),
        }
    }
}

/// A checkout of Wattle: the one that is said, else the one that the new crate lies in, else the one that this command was built in.
pub(super) fn checkout(said: Option<&Path>, folder: &Path) -> anyhow::Result<PathBuf> {
    const NEXT: &str = "--wattle PATH, where PATH is a clone of Wattle's repository";
    if let Some(said) = said {
        let path = std::path::absolute(said).with_context(|| said.display().to_string())?;
        if is_checkout(&path) {
            return Ok(path);
        }
        let what = format!("{} is no checkout of Wattle: it has no providers/sdk", said.display());
        return Err(Problem::new(Exit::NotFound, what).next(NEXT).into());
    }
    let own = std::env::current_exe().ok();
    let begins = [std::path::absolute(folder).ok(), own];
    let mut above = begins.iter().flatten().flat_map(|path| path.ancestors());
    above.find(|path| is_checkout(path)).map(Path::to_owned).ok_or_else(|| {
        let what = "the crate needs Wattle's own, which are not published yet, and no checkout of Wattle is around";
        Problem::new(Exit::NotFound, what).next(NEXT).into()
    })
}

fn is_checkout(path: &Path) -> bool {
    ["providers/sdk", "interfaces/rust"]
        .iter()
        .all(|part| path.join(part).join("Cargo.toml").is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_must_be_one_for_cargo_too() {
        for bad in ["7up", "type", "serde", "Printer", "a_b", ""] {
            let error = Crate::new(Path::new(bad)).expect_err(bad);
            assert!(error.to_string().contains("cannot be its name"), "{error}");
        }
        let made = Crate::new(Path::new("/nowhere/label-printer")).expect("a name");
        assert_eq!(made.name.as_str(), "label-printer");
    }

    #[test]
    fn within_a_checkout_paths_are_relative() {
        let made = Crate::new(Path::new("/src/wattle/examples/printer")).expect("a name");
        assert_eq!(made.path_to(Path::new("/src/wattle"), "providers/sdk"), "../../providers/sdk");
        assert_eq!(
            made.path_to(Path::new("/opt/wattle"), "interfaces/rust"),
            "/opt/wattle/interfaces/rust"
        );
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("printer");
        fs::create_dir(&path).expect("made");
        assert!(Crate::new(&path).is_ok());
        fs::write(path.join("notes"), "mine").expect("written");
        assert!(Crate::new(&path).expect_err("there").to_string().contains("there already"));
    }
}
