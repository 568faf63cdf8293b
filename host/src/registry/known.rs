//! Verified tokens as the facts that links are judged by.

use std::collections::BTreeMap;

use wattle_claims::{
    ActorClaims, Body, LEEWAY, ProviderClaims, Right, Timestamp, Trust, UnderAccount, UserClaims,
    Verified,
};
use wattle_core::{
    AccountKey, BuiltIn, EntityId, Link,
    entity::{CodeKey, Identity, Party},
};

use crate::{
    placement::{Placed, PlacedClaims},
    records::{Kept, RecordBook},
    router::{Granted, Known, Validity},
};

pub(crate) fn identity_of_actor(claims: &Verified<ActorClaims>) -> Identity {
    let key = claims.subject.parse().expect("verified actor tokens are about an actor's key");
    Identity { account: claims.account().clone(), key: CodeKey::Actor(key) }
}

pub(crate) fn identity_of_provider(claims: &Verified<ProviderClaims>) -> Identity {
    let key = claims.subject.parse().expect("verified provider tokens are about a provider's key");
    Identity { account: claims.account().clone(), key: CodeKey::Provider(key) }
}

pub(super) fn actor(
    id: &EntityId,
    claims: &Verified<ActorClaims>,
    broken: Option<String>,
) -> Known {
    Known {
        party: Party { id: id.clone(), identity: identity_of_actor(claims) },
        imports: claims.body.imports.clone(),
        exports: claims.body.exports.clone(),
        validity: validity(claims, broken),
    }
}

pub(super) fn provider(
    id: &EntityId,
    claims: &Verified<ProviderClaims>,
    broken: Option<String>,
) -> Known {
    Known {
        party: Party { id: id.clone(), identity: identity_of_provider(claims) },
        imports: claims.body.imports.clone(),
        exports: claims.body.exports.clone(),
        validity: validity(claims, broken),
    }
}

/// What is part of a host, by its claims or what it signed.
pub(super) fn built_in<B: UnderAccount>(
    built_in: BuiltIn,
    host: &Verified<B>,
    broken: Option<String>,
) -> Known {
    Known {
        party: built_in.party(host.account().clone()),
        imports: built_in.imports(),
        exports: built_in.exports(),
        validity: validity(host, broken),
    }
}

/// What another host runs.
pub(super) fn placed(placed: &Placed, broken: Option<String>) -> Known {
    match &placed.claims {
        PlacedClaims::Actor(claims) => actor(&placed.id, claims, broken),
        PlacedClaims::Provider(claims) => provider(&placed.id, claims, broken),
    }
}

/// From when to when a token and its whole chain hold, leeway included.
pub(super) fn validity<B: Body>(token: &Verified<B>, broken: Option<String>) -> Validity {
    let from = token.chain().iter().filter_map(|step| step.not_before).max();
    Validity {
        broken,
        from: from
            .map(|from| Timestamp::from_secs(from.as_secs().saturating_sub(LEEWAY.as_secs()))),
        until: token.valid_until().map(|until| until.plus(LEEWAY)),
    }
}

pub(super) fn granted<'a>(
    link: &'a Link,
    account: &'a AccountKey,
    validity: &'a Validity,
    signer: Option<&UserClaims>,
) -> Granted<'a> {
    let may_command = signer.is_none_or(|user| user.rights.contains(&Right::Control));
    Granted { link, account, validity, may_command }
}

/// Which of its entities an account lets which other account grant calls to.
pub(super) struct Shares(BTreeMap<(AccountKey, AccountKey), Vec<EntityId>>);

impl Shares {
    pub(super) fn collect(records: &RecordBook, trust: &Trust, now: Timestamp) -> Self {
        let mut shares: BTreeMap<_, Vec<EntityId>> = BTreeMap::new();
        for (_, entry) in records.iter() {
            let Kept::Share(record) = &entry.record else { continue };
            let Some(share) = &record.body.value else { continue };
            if record.standing(trust, now).is_ok() {
                let pair = (record.account().clone(), share.with.clone());
                shares.entry(pair).or_default().extend(share.ids.iter().cloned());
            }
        }
        Self(shares)
    }

    /// Whether the owner of `callee` lets `account` grant calls to it.
    pub(super) fn allow(&self, account: &AccountKey, callee: &Party) -> bool {
        let pair = (callee.identity.account.clone(), account.clone());
        self.0.get(&pair).is_some_and(|ids| ids.contains(&callee.id))
    }
}
