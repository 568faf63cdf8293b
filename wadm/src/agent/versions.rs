//! The versions that were deployed, each kept once and never changed, so that any of them can be gone back to.

use std::collections::VecDeque;

use wattle_claims::{DeploymentRecord, RecordKey, Signed, TokenError, Verified};
use wattle_core::{
    Name,
    app::{History, PastVersion},
    control::{Failure, FailureKind, Outcome},
    deployment::{Deployment, Version, VersionName},
};
use wattle_lattice::RecordsError;

use super::Identity;

/// How many versions one answer tells of.
const TOLD_MAX: usize = 1_000;

/// Keeps the version that a deployment asks for. One of that name that says something else is a conflict.
pub(super) async fn keep(
    identity: &Identity,
    application: &Name,
    record: &Verified<DeploymentRecord>,
) -> Result<(), Failure> {
    let Some(version) = record.body.value.as_ref().and_then(Deployment::version) else {
        return Ok(());
    };
    let key = key(identity, application, &version.name);
    let versions = identity.lattice.versions().await.map_err(failed)?;
    // Somebody may put the same in between.
    for _ in 0..2 {
        let (known, revision) = versions.get(&key).await.map_err(failed)?.unwrap_or_default();
        match read(identity, application, &version.name, &known) {
            Ok((_, known)) if known == *version => return Ok(()),
            Ok(_) => {
                let name = &version.name;
                let text =
                    format!("version {name} of {application} is there, and says something else");
                let next = "give the manifest another annotation version";
                return Err(Failure::new(FailureKind::Conflict, text).with_next(next));
            }
            // Nothing, or what holds no more, for being of a user who was revoked say: nobody can go back to it.
            Err(_) => {}
        }
        match versions.put(&key, record.text(), Some(revision)).await {
            Ok(_) => return Ok(()),
            Err(RecordsError::Conflict { .. }) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    let text = format!("somebody else deploys {application} at this moment");
    Err(Failure::new(FailureKind::Conflict, text))
}

/// The versions that are kept, the newest first.
pub(super) async fn history(
    identity: &Identity,
    application: &Name,
    runs: Option<VersionName>,
) -> Result<Outcome, Failure> {
    let prefix = prefix(identity, application);
    let (mut versions, mut older) = (VecDeque::new(), 0);
    let store = identity.lattice.versions().await.map_err(failed)?;
    let look = |key: &str, token: String| {
        let name = key.strip_prefix(&prefix).and_then(from_key);
        let Some(past) = name.and_then(|name| past(identity, application, name, &token)) else {
            return;
        };
        versions.push_front(past);
        if versions.len() > TOLD_MAX {
            versions.pop_back();
            older += 1;
        }
    };
    store.each(&prefix, look).await.map_err(failed)?;
    Ok(Outcome::History(History { versions: versions.into(), older, runs }))
}

/// One of them, as it was signed.
pub(super) async fn version(
    identity: &Identity,
    application: &Name,
    name: &VersionName,
) -> Result<Outcome, Failure> {
    let store = identity.lattice.versions().await.map_err(failed)?;
    let found = store.get(&key(identity, application, name)).await.map_err(failed)?;
    let Some((token, _)) = found else {
        let text = format!("no version {name} of {application} is kept");
        let next = format!("wattle app history {application}");
        return Err(Failure::new(FailureKind::NotFound, text).with_next(next));
    };
    match read(identity, application, name, &token) {
        Ok(_) => Ok(Outcome::Version(token)),
        Err(why) => {
            let text = format!("version {name} of {application} does not hold: {why}");
            let next = "deploy its manifest anew: wattle app deploy FILE";
            Err(Failure::new(FailureKind::Claims, text).with_next(next))
        }
    }
}

/// Forgets the versions of an application that has ended, up to a revision of their store: what came since is another one's.
pub(super) async fn forget(
    identity: &Identity,
    application: &Name,
    newest: u64,
) -> Result<(), RecordsError> {
    let versions = identity.lattice.versions().await?;
    versions.purge(&prefix(identity, application), newest).await
}

/// Forgets what is left of one that ended before it is deployed again: whoever ended it may not have come to it.
pub(super) async fn forget_all(identity: &Identity, application: &Name) -> Result<(), Failure> {
    let newest = async { identity.lattice.versions().await?.newest().await };
    let newest = newest.await.map_err(failed)?;
    forget(identity, application, newest).await.map_err(failed)
}

/// What is told of one; none of what its user never signed.
fn past(
    identity: &Identity,
    application: &Name,
    version: VersionName,
    token: &str,
) -> Option<PastVersion> {
    let peeked = Signed::<DeploymentRecord>::parse(token).ok()?.peek().ok()?;
    let signed_at = peeked.issued_at.to_string();
    match read(identity, application, &version, token) {
        Ok((record, _)) => {
            let name = record.user().map(|user| user.name.clone());
            let signed_by = name.unwrap_or(peeked.issuer);
            Some(PastVersion { version, signed_at, signed_by, denied: None })
        }
        // These were found only behind right signatures.
        Err(NotHeld::Claims(why @ (TokenError::Expired { .. } | TokenError::Revoked { .. }))) => {
            let denied = Some(why.to_string());
            Some(PastVersion { version, signed_at, signed_by: peeked.issuer, denied })
        }
        Err(NotHeld::Claims(_) | NotHeld::Other) => None,
    }
}

/// Why a text is not the version that its key says.
#[derive(Debug, thiserror::Error)]
enum NotHeld {
    #[error(transparent)]
    Claims(#[from] TokenError),
    #[error("it is another one's")]
    Other,
}

/// A version as the store has it, if it holds.
fn read(
    identity: &Identity,
    application: &Name,
    name: &VersionName,
    token: &str,
) -> Result<(Verified<DeploymentRecord>, Version), NotHeld> {
    let record = Signed::<DeploymentRecord>::parse(token)?;
    let record = record.verify(&identity.trust(), identity.now())?;
    let own = RecordKey::Deployment {
        account: identity.account.clone(),
        application: application.clone(),
    };
    let version = record.body.value.as_ref().and_then(Deployment::version);
    let version = version.filter(|version| record.body.key == own && version.name == *name);
    let version = version.ok_or(NotHeld::Other)?.clone();
    Ok((record, version))
}

fn prefix(identity: &Identity, application: &Name) -> String {
    format!("{}.{application}.", identity.account)
}

fn key(identity: &Identity, application: &Name, version: &VersionName) -> String {
    format!("{}{}", prefix(identity, application), to_key(version))
}

/// Keys have no `+`, and dots divide them; `=` and `/` are of no version's name.
fn to_key(version: &VersionName) -> String {
    version.as_str().replace('+', "=").replace('.', "/")
}

fn from_key(key: &str) -> Option<VersionName> {
    key.replace('=', "+").replace('/', ".").parse().ok()
}

fn failed(error: RecordsError) -> Failure {
    match error {
        RecordsError::Conflict { .. } => {
            Failure::new(FailureKind::Conflict, "somebody else deployed it meanwhile")
        }
        error => Failure::new(FailureKind::Host, error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_versions_key_is_its_own(name in "[a-zA-Z0-9._+-]{1,64}") {
            let version: VersionName = name.parse().expect("a name");
            let key = to_key(&version);
            prop_assert!(!key.contains(['.', '+']));
            prop_assert_eq!(from_key(&key), Some(version));
        }
    }
}
