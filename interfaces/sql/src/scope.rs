//! What a link lets its caller reach, from the link's constraints.

use std::collections::BTreeSet;

use wattle_core::Constraints;

use crate::{ACCESS, CONSTRAINTS, TABLES};

/// The most bytes of a table's name in a constraint: what PostgreSQL keeps of a name.
const TABLE_LEN_MAX: usize = 63;

/// A link's constraints, understood. Its provider enforces them inside the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Only these, in small letters, where the link names any.
    tables: Option<BTreeSet<String>>,
    access: Access,
}

/// How much a link's caller may do; each includes the ones ahead of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Access {
    /// Nothing: the constraint has no values.
    Nothing,
    /// Read rows.
    Read,
    /// Change rows.
    Write,
    /// Change the schema: make, alter and drop tables, indexes, views and the like.
    Schema,
}

/// Why a link's constraints cannot be held, so that the link must not hold either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The contract does not know it.
    #[error("constraint {0:?} is not known to wattle:sql, which has tables and access")]
    Unknown(String),
    /// Not a table's name.
    #[error(
        "tables: {0:?} is not a table's plain name (letters, digits and _, at most {TABLE_LEN_MAX}, no schema)"
    )]
    Table(String),
    /// Neither of the two.
    #[error("access: {0:?} is neither read nor write")]
    Access(String),
}

impl Default for Scope {
    fn default() -> Self {
        Self { tables: None, access: Access::Schema }
    }
}

impl Scope {
    /// What these constraints allow. One that is not known fails; one without values allows nothing.
    pub fn new(constraints: &Constraints) -> Result<Self, ScopeError> {
        if let Some(name) = constraints.keys().find(|name| !CONSTRAINTS.contains(&name.as_str())) {
            return Err(ScopeError::Unknown(name.clone()));
        }
        let access = constraints.get(ACCESS).map_or(Ok(Access::Schema), |names| access(names))?;
        let tables = constraints.get(TABLES).map(|names| names.iter().map(|name| table(name)));
        let tables = tables.map(Iterator::collect::<Result<_, _>>).transpose()?;
        // A view, a trigger or an altered table would lead to others.
        let access = if tables.is_some() { access.min(Access::Write) } else { access };
        Ok(Self { tables, access })
    }

    /// How much the link's caller may do.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The only tables that it may reach, in small letters; none where the link does not say.
    pub fn tables(&self) -> Option<&BTreeSet<String>> {
        self.tables.as_ref()
    }

    /// Whether it may reach this table, whose name may have large letters.
    pub fn allows_table(&self, name: &str) -> bool {
        self.tables.as_ref().is_none_or(|tables| {
            tables.contains(name) || tables.contains(&name.to_ascii_lowercase())
        })
    }
}

fn access(names: &[String]) -> Result<Access, ScopeError> {
    let each = names.iter().map(|name| match name.as_str() {
        "read" => Ok(Access::Read),
        "write" => Ok(Access::Write),
        _ => Err(ScopeError::Access(name.clone())),
    });
    each.collect::<Result<Vec<_>, _>>().map(|all| all.into_iter().max().unwrap_or(Access::Nothing))
}

fn table(name: &str) -> Result<String, ScopeError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let named = !name.is_empty() && name.len() <= TABLE_LEN_MAX;
    if !named || !name.chars().all(plain) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err(ScopeError::Table(name.to_owned()));
    }
    Ok(name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(pairs: &[(&str, &[&str])]) -> Result<Scope, ScopeError> {
        let values = |all: &[&str]| all.iter().map(|&value| value.to_owned()).collect();
        Scope::new(&pairs.iter().map(|(name, all)| (name.to_string(), values(all))).collect())
    }

    #[test]
    fn without_constraints_everything_is_within_reach() {
        assert_eq!(scope(&[]), Ok(Scope::default()));
        assert!(Scope::default().allows_table("any"));
        assert_eq!(Scope::default().access(), Access::Schema);
    }

    #[test]
    fn what_cannot_be_held_fails_the_link() {
        assert_eq!(scope(&[("columns", &[])]), Err(ScopeError::Unknown("columns".into())));
        assert_eq!(scope(&[("access", &["admin"])]), Err(ScopeError::Access("admin".into())));
        for bad in ["", "a.b", "a b", "1a", "\"a\"", "ä", &"t".repeat(64)] {
            assert_eq!(scope(&[("tables", &[bad])]), Err(ScopeError::Table(bad.into())));
        }
    }

    #[test]
    fn tables_are_the_same_in_large_letters_and_keep_the_schema() {
        let scope = scope(&[("tables", &["Carts", "items"])]).expect("known");
        assert!(scope.allows_table("carts") && scope.allows_table("ITEMS"));
        assert!(!scope.allows_table("cart") && !scope.allows_table(""));
        assert_eq!(scope.access(), Access::Write);
    }

    #[test]
    fn access_is_the_most_of_its_values_and_nothing_without() {
        for (values, access) in [
            (&[][..], Access::Nothing),
            (&["read"], Access::Read),
            (&["read", "write"], Access::Write),
            (&["write"], Access::Write),
        ] {
            assert_eq!(scope(&[("access", values)]).expect("known").access(), access);
        }
    }
}
