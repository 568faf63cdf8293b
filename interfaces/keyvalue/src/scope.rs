//! What a link lets its caller reach, from the link's constraints.

use wattle_core::Constraints;

use crate::{BUCKETS, CONSTRAINTS, Error, KEY_PREFIX, error::Failure};

/// A link's constraints, understood.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// Every key starts with one of these, where there are any.
    prefixes: Option<Vec<String>>,
    /// Only these buckets, where there are any.
    buckets: Option<Vec<String>>,
}

/// Why a link's constraints cannot be held, so that the link must not hold either.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("constraint {0:?} is not known to wasi:keyvalue, which has key-prefix and buckets")]
pub struct ScopeError(String);

impl Scope {
    /// What these constraints allow. One that is not known fails; one without values allows nothing.
    pub fn new(constraints: &Constraints) -> Result<Self, ScopeError> {
        match constraints.keys().find(|name| !CONSTRAINTS.contains(&name.as_str())) {
            Some(unknown) => Err(ScopeError(unknown.clone())),
            None => Ok(Self {
                prefixes: constraints.get(KEY_PREFIX).cloned(),
                buckets: constraints.get(BUCKETS).cloned(),
            }),
        }
    }

    /// Whether the link's caller may use this bucket.
    pub(crate) fn check_bucket(&self, bucket: &str) -> Result<(), Failure> {
        let allowed = self.buckets.as_ref().is_none_or(|names| names.iter().any(|n| n == bucket));
        if allowed { Ok(()) } else { Err(Error::AccessDenied.into()) }
    }

    /// Whether the link's caller may use this key.
    pub(crate) fn check_key(&self, key: &str) -> Result<(), Failure> {
        if self.allows_key(key) { Ok(()) } else { Err(Error::AccessDenied.into()) }
    }

    pub(crate) fn allows_key(&self, key: &str) -> bool {
        self.prefixes.as_ref().is_none_or(|all| all.iter().any(|prefix| key.starts_with(prefix)))
    }

    /// What all keys within the scope start with, so that a store need not look at the others.
    pub(crate) fn common_prefix(&self) -> &str {
        let Some((first, rest)) = self.prefixes.as_deref().and_then(<[String]>::split_first) else {
            return "";
        };
        rest.iter().fold(first, |common, prefix| {
            let same = common.bytes().zip(prefix.bytes()).take_while(|(a, b)| a == b).count();
            &common[..common.floor_char_boundary(same)]
        })
    }
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
        assert!(scope.allows_key("any") && scope.check_bucket("any").is_ok());
        assert_eq!(scope.common_prefix(), "");
    }

    #[test]
    fn an_unknown_constraint_fails_the_link() {
        let constraints = [("tables".to_owned(), vec![])].into();
        assert_eq!(Scope::new(&constraints), Err(ScopeError("tables".into())));
    }

    #[test]
    fn a_constraint_without_values_allows_nothing() {
        assert!(!scope(KEY_PREFIX, &[]).allows_key("any"));
        assert_eq!(scope(BUCKETS, &[]).check_bucket(""), Err(Error::AccessDenied.into()));
    }

    #[test]
    fn the_common_prefix_ends_between_characters() {
        assert_eq!(scope(KEY_PREFIX, &["shop/a", "shop/b"]).common_prefix(), "shop/");
        assert_eq!(scope(KEY_PREFIX, &["ä", "ö"]).common_prefix(), "");
        assert_eq!(scope(KEY_PREFIX, &["cart:"]).common_prefix(), "cart:");
    }
}
