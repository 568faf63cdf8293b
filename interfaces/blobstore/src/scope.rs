//! What a link lets its caller reach and do, from the link's constraints.

use wattle_core::{CallError, Constraints, ErrorKind};

use crate::{ACCESS, CONSTRAINTS, CONTAINERS, PREFIX, READ, WRITE, error::Failure};

/// A link's constraints, understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// Only these containers, where there are any.
    containers: Option<Vec<String>>,
    /// Every object's name starts with one of these, where there are any. They are in the order of their bytes, and none starts
    /// with another: so all names of the one come ahead of all of the next.
    prefixes: Option<Vec<String>>,
    read: bool,
    write: bool,
}

/// What a call does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// Why a link's constraints cannot be held, so that the link must not hold either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// The contract has no such constraint.
    #[error(
        "constraint {0:?} is not known to wasi:blobstore, which has containers, prefix and access"
    )]
    Unknown(String),
    /// Something else than reading or writing is asked for.
    #[error("constraint access knows read and write, not {0:?}")]
    Access(String),
}

impl Default for Scope {
    fn default() -> Self {
        Self { containers: None, prefixes: None, read: true, write: true }
    }
}

impl Scope {
    /// What these constraints allow. One that is not known fails; one without values allows nothing.
    pub fn new(constraints: &Constraints) -> Result<Self, ScopeError> {
        if let Some(name) = constraints.keys().find(|name| !CONSTRAINTS.contains(&name.as_str())) {
            return Err(ScopeError::Unknown(name.clone()));
        }
        let mut scope = Self {
            containers: constraints.get(CONTAINERS).cloned(),
            prefixes: constraints.get(PREFIX).map(|prefixes| apart(prefixes)),
            ..Self::default()
        };
        if let Some(access) = constraints.get(ACCESS) {
            if let Some(other) =
                access.iter().find(|value| ![READ, WRITE].contains(&value.as_str()))
            {
                return Err(ScopeError::Access(other.clone()));
            }
            scope.read = access.iter().any(|value| value == READ);
            scope.write = access.iter().any(|value| value == WRITE);
        }
        Ok(scope)
    }

    /// Whether the link's caller may do this with the container.
    pub(crate) fn check_container(&self, access: Access, name: &str) -> Result<(), Failure> {
        let may = match access {
            Access::Read => self.read,
            Access::Write => self.write,
        };
        if !may {
            return Err(denied(ACCESS, if access == Access::Read { READ } else { WRITE }));
        }
        let known = self.containers.as_ref().is_none_or(|all| all.iter().any(|one| one == name));
        if known { Ok(()) } else { Err(denied(CONTAINERS, name)) }
    }

    /// Whether the link's caller may reach this object.
    pub(crate) fn check_object(&self, name: &str) -> Result<(), Failure> {
        if self.allows_object(name) { Ok(()) } else { Err(denied(PREFIX, name)) }
    }

    /// Whether the link's caller may reach whatever lies in a container.
    pub(crate) fn check_all_objects(&self, container: &str) -> Result<(), Failure> {
        if self.reaches_all() { Ok(()) } else { Err(denied(PREFIX, container)) }
    }

    pub(crate) fn reaches_all(&self) -> bool {
        self.allows_object("")
    }

    pub(crate) fn allows_object(&self, name: &str) -> bool {
        self.prefixes.as_ref().is_none_or(|all| all.iter().any(|prefix| name.starts_with(prefix)))
    }

    /// What to list, one after the other, to come by all names within the scope in the order of their bytes, and by no others:
    /// not even a cursor may tell of those. Behind a cursor only some are left.
    pub(crate) fn prefixes_behind(&self, cursor: Option<&str>) -> Vec<&str> {
        let Some(prefixes) = &self.prefixes else { return vec![""] };
        let after = cursor.unwrap_or_default();
        let left = prefixes.iter().map(String::as_str);
        left.filter(|prefix| *prefix >= after || after.starts_with(prefix)).collect()
    }
}

/// Prefixes in the order of their bytes, without those that start with another.
fn apart(prefixes: &[String]) -> Vec<String> {
    let mut sorted = prefixes.to_vec();
    sorted.sort_unstable();
    sorted.dedup_by(|prefix, before| prefix.starts_with(&**before));
    sorted
}

fn denied(constraint: &str, what: &str) -> Failure {
    let text = format!("the link's constraint {constraint:?} does not allow {what:?}");
    Failure::Call(CallError::new(ErrorKind::Denied, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(name: &str, values: &[&str]) -> Scope {
        let values = values.iter().map(|&value| value.to_owned()).collect();
        Scope::new(&[(name.to_owned(), values)].into()).expect("a known constraint")
    }

    #[test]
    fn without_constraints_everything_is_within_reach() {
        let scope = Scope::default();
        assert_eq!(Scope::new(&Constraints::new()), Ok(scope.clone()));
        assert!(scope.reaches_all() && scope.check_container(Access::Write, "any").is_ok());
        assert_eq!(scope.prefixes_behind(None), [""]);
        assert_eq!(scope.prefixes_behind(Some("any")), [""]);
    }

    #[test]
    fn an_unknown_constraint_or_access_fails_the_link() {
        let constraints = [("tables".to_owned(), vec![])].into();
        assert_eq!(Scope::new(&constraints), Err(ScopeError::Unknown("tables".into())));
        let constraints = [(ACCESS.to_owned(), vec!["rw".to_owned()])].into();
        assert_eq!(Scope::new(&constraints), Err(ScopeError::Access("rw".into())));
    }

    #[test]
    fn a_constraint_without_values_allows_nothing() {
        assert!(!scope(PREFIX, &[]).allows_object("any"));
        assert!(scope(CONTAINERS, &[]).check_container(Access::Read, "any").is_err());
        assert!(scope(ACCESS, &[]).check_container(Access::Read, "any").is_err());
    }

    #[test]
    fn reading_is_not_writing() {
        let reader = scope(ACCESS, &[READ]);
        assert!(reader.check_container(Access::Read, "c").is_ok());
        assert!(reader.check_container(Access::Write, "c").is_err());
        let writer = scope(ACCESS, &[WRITE]);
        assert!(writer.check_container(Access::Read, "c").is_err());
        assert!(writer.check_container(Access::Write, "c").is_ok());
    }

    #[test]
    fn prefixes_are_listed_in_order_and_no_name_twice() {
        let listed = scope(PREFIX, &["shop/b", "shop/a", "shop/a1", "shop/b"]);
        assert_eq!(listed.prefixes_behind(None), ["shop/a", "shop/b"]);
        assert_eq!(listed.prefixes_behind(Some("shop/a")), ["shop/a", "shop/b"]);
        assert_eq!(listed.prefixes_behind(Some("shop/a/x")), ["shop/a", "shop/b"]);
        assert_eq!(listed.prefixes_behind(Some("shop/az")), ["shop/a", "shop/b"]);
        assert_eq!(listed.prefixes_behind(Some("shop/b1")), ["shop/b"]);
        assert_eq!(listed.prefixes_behind(Some("shop/c")), [""; 0]);
        assert_eq!(scope(PREFIX, &["a", ""]).prefixes_behind(None), [""]);
        assert_eq!(scope(PREFIX, &[]).prefixes_behind(None), [""; 0]);
    }
}
