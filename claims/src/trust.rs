//! Whom a verifier trusts, and what was revoked since.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use wattle_core::{AccountKey, LatticeName, OperatorKey};

use crate::{ChainStep, Revocations, Timestamp, TokenError, TokenKind, Verified, error::shortened};

/// How far clocks may be apart.
pub const LEEWAY: Duration = Duration::from_secs(60);

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

impl Trust {
    /// Whether the chain holds here and now, given that its signatures do.
    pub(crate) fn check(
        &self,
        chain: &[ChainStep],
        account: Option<&AccountKey>,
        now: Timestamp,
    ) -> Result<(), TokenError> {
        self.anchor(chain)?;
        let operator = chain.first().map(|leaf| &leaf.audience.operator);
        // A list of revocations does not end: else what it took back would hold again under its issuer's renewed token.
        let ends = chain.first().is_some_and(|leaf| leaf.kind != TokenKind::Revocations);
        for step in chain {
            if !self.is_meant(step) || Some(&step.audience.operator) != operator {
                return Err(TokenError::Audience { found: step.audience.clone() });
            }
        }
        self.revocations.check(chain, account)?;
        // The leaf last: what is said of its time alone holds otherwise.
        for step in chain.iter().rev() {
            step.check_start(now)?;
            if ends {
                step.check_end(now)?;
            }
        }
        Ok(())
    }

    /// Whether the chain reaches a trusted key.
    pub(crate) fn anchor(&self, chain: &[ChainStep]) -> Result<(), TokenError> {
        let trusted = |issuer: &str| {
            issuer.parse().is_ok_and(|operator| self.operators.contains(&operator))
                || issuer.parse().is_ok_and(|account| self.accounts.contains(&account))
        };
        if chain.iter().any(|step| trusted(&step.issuer)) {
            return Ok(());
        }
        let issuer = chain.last().map(|last| shortened(&last.issuer)).unwrap_or_default();
        Err(TokenError::Untrusted { issuer })
    }

    /// Whether the token is meant for this lattice. What an operator signs is meant for its own lattices.
    fn is_meant(&self, step: &ChainStep) -> bool {
        let audience = &step.audience;
        let by_operator = step.issuer.starts_with(OperatorKey::PREFIX);
        audience.lattice.as_ref().is_none_or(|lattice| *lattice == self.lattice)
            && (self.operators.is_empty() || self.operators.contains(&audience.operator))
            && (!by_operator || step.issuer == audience.operator.as_str())
    }
}

impl ChainStep {
    /// Whether the token's time has come.
    fn check_start(&self, now: Timestamp) -> Result<(), TokenError> {
        // A token from the future would outlive its revocation.
        let starts = self.not_before.max(Some(self.issued_at));
        match starts.filter(|at| *at > now.plus(LEEWAY)) {
            Some(at) => Err(TokenError::NotYetValid { of: self.kind, at }),
            None => Ok(()),
        }
    }

    /// Whether its time is not over.
    fn check_end(&self, now: Timestamp) -> Result<(), TokenError> {
        match self.expires.filter(|at| at.plus(LEEWAY) <= now) {
            Some(at) => Err(TokenError::Expired { of: self.kind, at }),
            None => Ok(()),
        }
    }
}

/// What was revoked, by whom. It only grows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RevokedSet {
    lists: BTreeMap<String, Revocations>,
}

impl RevokedSet {
    /// Adds a list. What was revoked stays so, whatever the list leaves out; true if anything is new.
    pub fn insert(&mut self, list: &Verified<Revocations>) -> bool {
        let known = self.lists.entry(list.issuer.clone()).or_default();
        let before = known.clone();
        known.generation = known.generation.max(list.body.generation);
        for (what, at) in &list.body.revoked {
            let known = known.revoked.entry(what.clone()).or_insert(*at);
            *known = (*known).max(*at);
        }
        *known != before
    }

    /// Whether everything in a list is known to be revoked.
    pub fn has_all(&self, list: &Verified<Revocations>) -> bool {
        let Some(known) = self.lists.get(&list.issuer) else { return list.body.revoked.is_empty() };
        let mut revoked = list.body.revoked.iter();
        revoked.all(|(what, at)| known.revoked.get(what).is_some_and(|known| known >= at))
    }

    /// The newest generation known of this issuer's list.
    pub fn generation(&self, issuer: &str) -> Option<u64> {
        self.lists.get(issuer).map(|list| list.generation)
    }

    /// An account's list speaks of what hangs on the account, an operator's of its accounts. Neither speaks of lists: else
    /// an account could take back its own list.
    fn check(&self, chain: &[ChainStep], account: Option<&AccountKey>) -> Result<(), TokenError> {
        for step in chain.iter().filter(|step| step.kind != TokenKind::Revocations) {
            let (id, subject, issuer) =
                (step.id.as_str(), step.subject.as_str(), step.issuer.as_str());
            let operator = step.audience.operator.as_str();
            match step.kind {
                TokenKind::Operator => {}
                TokenKind::Account => self.look_up(operator, [id, subject], step)?,
                _ => {
                    if let Some(account) = account {
                        self.look_up(account.as_str(), [id, subject, issuer], step)?;
                    }
                }
            }
        }
        let of_account =
            chain.iter().filter(|step| account.is_some_and(|key| key.as_str() == step.issuer));
        for step in of_account {
            self.look_up(step.audience.operator.as_str(), [step.issuer.as_str()], step)?;
        }
        Ok(())
    }

    fn look_up<const N: usize>(
        &self,
        by: &str,
        names: [&str; N],
        step: &ChainStep,
    ) -> Result<(), TokenError> {
        let Some(list) = self.lists.get(by) else { return Ok(()) };
        for name in names {
            if let Some(at) = list.revoked.get(name).map(|at| Timestamp::from_secs(*at))
                && step.issued_at <= at
            {
                return Err(TokenError::Revoked { what: name.to_owned(), at, by: by.to_owned() });
            }
        }
        Ok(())
    }
}
