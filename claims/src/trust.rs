//! Whom a verifier trusts, and what was revoked since.

use std::collections::{BTreeMap, BTreeSet};

use wattle_core::{AccountKey, LatticeName, OperatorKey};

use crate::{Revocations, Verified};

/// Whom a verifier trusts, on which lattice.
#[derive(Clone, Debug)]
pub struct Trust {
    /// Trusted operators: whatever their accounts sign.
    pub operators: BTreeSet<OperatorKey>,
    /// Directly trusted accounts.
    pub accounts: BTreeSet<AccountKey>,
    /// The lattice that tokens must be meant for.
    pub lattice: LatticeName,
    /// What no longer holds.
    pub revocations: RevokedSet,
}

/// What was revoked, by whom. It only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedSet {
    lists: BTreeMap<String, Revocations>,
}

impl RevokedSet {
    /// Adds a list. What was revoked stays so, whatever the list leaves out; true if anything is new.
    pub fn insert(&mut self, _list: &Verified<Revocations>) -> bool {
        unimplemented!()
    }

    /// The newest generation known of this issuer's list.
    pub fn generation(&self, issuer: &str) -> Option<u64> {
        self.lists.get(issuer).map(|list| list.generation)
    }
}
