//! Migrations: what brings a database's tables to what a link's caller expects, each applied once and in order.
//!
//! What was applied is recorded in the database with a hash, so that one that was changed afterwards is found out, where two
//! databases would otherwise have different tables of the same name. How a migration is applied is its provider's own; which is
//! next is the same everywhere.

mod source;

use std::collections::BTreeMap;

pub use source::{MIGRATIONS, Source, SourceError};

/// One migration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Migration {
    /// What its name begins with.
    pub number: u32,
    /// The name of its file.
    pub name: String,
    /// SHA-256 of its text without the white space at its end, in hex.
    pub hash: String,
    /// Its statements.
    pub text: String,
}

/// What a database says was applied: names and hashes, by number.
pub type Applied = BTreeMap<u32, (String, String)>;

/// Why a database's record and a link's migrations do not belong together.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderError {
    /// It is not what was applied.
    #[error("migration {0} was changed after it was applied: put it back, and write a new one")]
    Changed(String),
    /// It was applied, and is not there, while later ones are.
    #[error("migration {0} was applied to this database and is not among the link's")]
    Missing(String),
    /// A later one was applied already, perhaps on top of tables that this one would change.
    #[error("migration {0} comes ahead of {1}, which is applied: give it a later number")]
    TooLate(String, String),
}

/// What is to be applied next, if what was applied is what the link has. `migrations` are in the order of their numbers.
///
/// Migrations that are newer than the link's newest are left alone: that is an application rolled back to an earlier version.
pub fn next<'m>(
    migrations: &'m [Migration],
    applied: &Applied,
) -> Result<Option<&'m Migration>, OrderError> {
    let newest_here = migrations.last().map_or(0, |migration| migration.number);
    for (number, (name, hash)) in applied {
        match migrations.iter().find(|migration| migration.number == *number) {
            Some(here) if here.hash == *hash => {}
            Some(here) => return Err(OrderError::Changed(here.name.clone())),
            None if *number > newest_here => {}
            None => return Err(OrderError::Missing(name.clone())),
        }
    }
    let next = migrations.iter().find(|migration| !applied.contains_key(&migration.number));
    match (next, applied.last_key_value()) {
        (Some(next), Some((newest, (name, _)))) if next.number < *newest => {
            Err(OrderError::TooLate(next.name.clone(), name.clone()))
        }
        (next, _) => Ok(next),
    }
}

/// The line of a text in which its byte `place` is, from 1.
pub fn line_of(text: &str, place: usize) -> usize {
    let end = text.floor_char_boundary(place.min(text.len()));
    text[..end].bytes().filter(|byte| *byte == b'\n').count() + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn migration(number: u32, hash: &str) -> Migration {
        let name = format!("{number:04}_m.sql");
        Migration { number, name, hash: hash.to_owned(), text: String::new() }
    }

    fn applied(all: &[(u32, &str)]) -> Applied {
        let entry = |(number, hash): &(u32, &str)| {
            (*number, (format!("{number:04}_m.sql"), (*hash).to_owned()))
        };
        all.iter().map(entry).collect()
    }

    fn next_number(here: &[Migration], done: &[(u32, &str)]) -> Result<Option<u32>, OrderError> {
        Ok(next(here, &applied(done))?.map(|migration| migration.number))
    }

    #[test]
    fn the_first_that_is_new_comes_next_and_newer_ones_than_the_link_s_are_left_alone() {
        let here = [migration(1, "a"), migration(2, "b")];
        assert_eq!(next_number(&here, &[]).expect("they fit"), Some(1));
        assert_eq!(next_number(&here, &[(1, "a")]).expect("they fit"), Some(2));
        let ahead = [(1, "a"), (2, "b"), (3, "c")];
        assert_eq!(next_number(&here, &ahead).expect("they fit"), None);
    }

    #[test]
    fn what_does_not_fit_together_is_named() {
        let here = [migration(1, "a"), migration(3, "c")];
        assert!(matches!(next_number(&here, &[(1, "x")]), Err(OrderError::Changed(_))));
        let gone = next_number(&here, &[(1, "a"), (2, "b")]);
        assert!(matches!(gone, Err(OrderError::Missing(_))), "{gone:?}");
        let late = next_number(&here, &[(1, "a"), (4, "d")]);
        assert!(matches!(late, Err(OrderError::TooLate(_, _))), "{late:?}");
    }

    #[test]
    fn a_place_has_a_line() {
        for (place, line) in [(0, 1), (1, 1), (2, 2), (99, 3)] {
            assert_eq!(line_of("a\nb\nc", place), line, "{place}");
        }
    }
}
