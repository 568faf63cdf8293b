//! Whose word counts: the wadm of each account that holds its lease, as the lattice's store says.
//!
//! A host that has not heard of a new lease would still obey the old leader, so it watches; and it believes a command of a lease that
//! it does not know only after it has looked for itself.

use std::collections::BTreeMap;

use parking_lot::Mutex;
use wattle_claims::{Lease, Signed, Timestamp, TokenError, Trust};
use wattle_core::{AccountKey, HostKey};

/// Accounts whose leases are known at once.
const ACCOUNTS_MAX: usize = 1_000;

/// The newest lease of each account.
#[derive(Debug, Default)]
pub(crate) struct Leases(Mutex<BTreeMap<AccountKey, Held>>);

/// A lease as it stands in the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Held {
    pub(crate) holder: HostKey,
    pub(crate) term: u64,
    revision: u64,
}

impl Leases {
    /// Takes what the store says of a key: the newest revision counts, whatever it says of itself.
    pub(crate) fn read(
        &self,
        key: &str,
        token: &str,
        revision: u64,
        trust: &Trust,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        let lease = Signed::<Lease>::parse(token)?.verify_held(trust, now)?;
        let account = lease.account();
        if Lease::key(account) != key {
            return Err(TokenError::Malformed(format!("a lease of {account} under another key")));
        }
        let (holder, term) = (lease.body.holder.clone(), lease.body.term_at(revision));
        let mut held = self.0.lock();
        let is_known = held.get(account);
        // An old one that somebody puts there again is none: terms only grow, as long as the store is the same.
        if is_known.is_some_and(|known| known.revision >= revision || known.term > term)
            || (is_known.is_none() && held.len() >= ACCOUNTS_MAX)
        {
            return Ok(());
        }
        held.insert(account.clone(), Held { holder, term, revision });
        Ok(())
    }

    /// The store begins anew: revisions of before say nothing about what it will say.
    pub(crate) fn forget(&self) {
        self.0.lock().clear();
    }

    /// Who holds the lease of an account, as far as this host knows.
    pub(crate) fn of(&self, account: &AccountKey) -> Option<Held> {
        self.0.lock().get(account).cloned()
    }
}
