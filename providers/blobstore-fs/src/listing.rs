//! Names of a container, a page at a time, in the order of their bytes.
//!
//! Of each folder only as many names are kept as the page has room for, the smallest ones; so a folder of millions takes no
//! more memory than one of a thousand, and is read once for each page. The cursor is the last name of the page before.

use std::collections::BTreeSet;

use rustix::{
    fd::{AsFd, OwnedFd},
    fs::{Dir, DirEntry, FileType},
    io::Errno,
};
use wattle_blobstore::{Page, name::check_object};

use crate::tree::{self, FOLDERS_MAX};

/// Up to `limit` names behind `after` that start with `prefix`.
pub(crate) fn list(
    container: &OwnedFd,
    prefix: &str,
    after: Option<&str>,
    limit: usize,
) -> Result<Page, Errno> {
    // One more than fits, which tells whether there are more.
    let mut walk = Walk { prefix, after, room: limit + 1, names: Vec::new() };
    walk.folder(container, "", 0)?;
    let mut names = walk.names;
    let cursor = (names.len() > limit).then(|| names[limit - 1].clone());
    names.truncate(limit);
    Ok(Page { names, cursor })
}

struct Walk<'a> {
    prefix: &'a str,
    after: Option<&'a str>,
    room: usize,
    names: Vec<String>,
}

impl Walk<'_> {
    /// Takes what a folder has, until there is no more room. `path` ends with a slash, or is empty.
    fn folder(&mut self, folder: impl AsFd, path: &str, depth: usize) -> Result<(), Errno> {
        let mut behind: Option<String> = None;
        while self.names.len() < self.room {
            let (entries, is_all) = self.smallest(&folder, path, behind.as_deref())?;
            for entry in &entries {
                self.entry(&folder, entry, path, depth)?;
            }
            match entries.into_iter().next_back() {
                Some(last) if !is_all => behind = Some(last),
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    fn entry(
        &mut self,
        folder: impl AsFd,
        entry: &str,
        path: &str,
        depth: usize,
    ) -> Result<(), Errno> {
        if self.names.len() == self.room {
            return Ok(());
        }
        let Some(name) = entry.strip_suffix('/') else {
            self.names.push(format!("{path}{entry}"));
            return Ok(());
        };
        // What was a folder a moment ago and is none now has nothing to list.
        match tree::found(tree::folder(folder, name))? {
            Some(inner) if depth < FOLDERS_MAX => {
                self.folder(inner, &format!("{path}{entry}"), depth + 1)
            }
            _ => Ok(()),
        }
    }

    /// The smallest entries of a folder behind `behind` that can have names for this page, as many as there is room for, and
    /// whether these are all. A folder's entry ends with a slash, which gives it its place among the others.
    fn smallest(
        &self,
        folder: impl AsFd,
        path: &str,
        behind: Option<&str>,
    ) -> Result<(BTreeSet<String>, bool), Errno> {
        let room = self.room - self.names.len();
        let mut smallest = BTreeSet::new();
        let mut is_all = true;
        for entry in Dir::read_from(&folder)? {
            let Some(entry) = self.candidate(&folder, &entry?, path)? else { continue };
            if behind.is_some_and(|behind| *entry <= *behind) {
                continue;
            }
            smallest.insert(entry);
            if smallest.len() > room {
                smallest.pop_last();
                is_all = false;
            }
        }
        Ok((smallest, is_all))
    }

    fn candidate(
        &self,
        folder: impl AsFd,
        entry: &DirEntry,
        path: &str,
    ) -> Result<Option<String>, Errno> {
        let Ok(name) = entry.file_name().to_str() else { return Ok(None) };
        if name == "." || name == ".." {
            return Ok(None);
        }
        let candidate = match entry.file_type() {
            FileType::RegularFile => name.to_owned(),
            FileType::Directory => format!("{name}/"),
            // Some file systems do not say.
            FileType::Unknown if tree::is_file(&folder, name)? => name.to_owned(),
            FileType::Unknown if tree::found(tree::folder(&folder, name))?.is_some() => {
                format!("{name}/")
            }
            _ => return Ok(None),
        };
        Ok(Some(candidate).filter(|candidate| self.has_names(&format!("{path}{candidate}"))))
    }

    /// Whether a file, or anything in a folder, is a name for this page.
    fn has_names(&self, full: &str) -> bool {
        let after = self.after.unwrap_or_default();
        match full.ends_with('/') {
            true => {
                (full > after || after.starts_with(full))
                    && (full.starts_with(self.prefix) || self.prefix.starts_with(full))
            }
            false => full > after && full.starts_with(self.prefix) && check_object(full).is_ok(),
        }
    }
}
