//! `wattle claims revoke`: one list per issuer, which only grows.

use std::{
    collections::BTreeMap,
    path::Path,
    time::{Duration, Instant},
};

use clap::Args;
use serde_json::json;
use wattle_claims::{Draft, RecordKey, Revocations, Signed, Timestamp};
use wattle_core::{
    AccountKey, ActorKey, HostKey, ProviderKey, UserKey,
    control::{Command, Failure, FailureKind},
};

use crate::{
    commands::{Context, inspect::bytes},
    describe::describe,
    exit::Exit,
    problem::Problem,
    project::{
        file,
        keys::{Role, Signer},
    },
    session::{
        Session,
        records::{Done, next_generation},
    },
};

/// What a host knows of another's list the store knows a moment later.
const AGAIN_AFTER: Duration = Duration::from_millis(200);

/// Take back what was signed, on the whole lattice
///
/// What was issued about a key, by it, or under a token's id up to now no longer holds, on any host that hears of it; what runs
/// on it is stopped. What is signed afterwards holds again. There is no way to undo it but to sign anew.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  wattle claims revoke build/counter.signed.wasm   # this one signature
  wattle claims revoke MB3…                        # every signature of this actor so far
  wattle claims revoke UC7…                        # a user, and all that the user signed
  wattle claims revoke AD2…                        # an account: needs the operator's key")]
pub(crate) struct RevokeArgs {
    /// A public key, a token's id, a link record's key (`wattle inspect` shows them), or a signed file
    #[arg(required = true, value_name = "WHAT")]
    what: Vec<String>,
}

pub(super) async fn run(context: &Context, args: RevokeArgs) -> anyhow::Result<Exit> {
    let mut revoked = Vec::new();
    for what in &args.what {
        revoked.push(meant(what)?);
    }
    let accounts = revoked.iter().filter(|what| what.parse::<AccountKey>().is_ok()).count();
    let role = match accounts {
        0 => Role::Account,
        all if all == revoked.len() => Role::Operator,
        _ => {
            let what = "accounts are revoked by the operator, all else by its account";
            return Err(Problem::new(Exit::Usage, what).next("revoke them in two commands").into());
        }
    };
    let session = context.session().await?;
    let signer = session.project.keys().signer(role)?;
    let host = session.host().await?;
    let done = revoke(&session, &signer, &host, &revoked).await?;
    context.output.answer(&json!({"revoked": revoked, "detail": done.detail}), || {
        format!("revoked as of now: {}", revoked.join(", "))
    });
    Ok(Exit::Ok)
}

/// Has the host take a list with these. One that leaves out what another command, of another project, had it take meanwhile it does not
/// take: then the list is made anew.
async fn revoke(
    session: &Session,
    signer: &Signer,
    host: &HostKey,
    what: &[String],
) -> anyhow::Result<Done> {
    let until = Instant::now() + session.timeout;
    let _lock = session.project.lock_revocations(session.timeout).await?;
    loop {
        let list = signed_list(session, signer, what).await?;
        let command = Command::PutRecord { token: list.text().to_owned() };
        match session.make_so(host, command).await {
            Ok(done) => {
                keep(session, signer, list.text())?;
                return Ok(done);
            }
            Err(error) if is_stale(&error) && Instant::now() + AGAIN_AFTER < until => {
                tokio::time::sleep(AGAIN_AFTER).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_stale(error: &anyhow::Error) -> bool {
    error.downcast_ref::<Failure>().is_some_and(|failure| failure.kind == FailureKind::Stale)
}

/// A key, an id or a record's key as it is; of a file the id of its token.
fn meant(what: &str) -> anyhow::Result<String> {
    let is_key = what.parse::<ActorKey>().is_ok()
        || what.parse::<ProviderKey>().is_ok()
        || what.parse::<HostKey>().is_ok()
        || what.parse::<UserKey>().is_ok()
        || what.parse::<AccountKey>().is_ok();
    if is_key || what.parse::<RecordKey>().is_ok() {
        return Ok(what.to_owned());
    }
    let Some(bytes) = bytes(what)? else { return id(what) };
    let token = describe(&bytes, None)?.token.ok_or_else(|| {
        Problem::new(Exit::Usage, format!("{what} is not signed: there is nothing to take back"))
    })?;
    Ok(token.id)
}

/// A token's id. A mistyped file's name must not pass for one and revoke nothing.
fn id(text: &str) -> anyhow::Result<String> {
    let fits = (16..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if fits && !Path::new(text).exists() {
        return Ok(text.to_owned());
    }
    let what = format!("{text:?} is no public key, token id, record key or signed file");
    Err(Problem::new(Exit::NotFound, what)
        .next("wattle inspect FILE shows a token's id and keys")
        .into())
}

/// The issuer's list so far, and these. The lattice's store and our own copy are asked; neither is believed unless it holds.
async fn signed_list(
    session: &Session,
    signer: &Signer,
    what: &[String],
) -> anyhow::Result<Signed<Revocations>> {
    let issuer = signer.key.public();
    let key = RecordKey::Revocations { issuer: issuer.clone() }.to_string();
    let stored = session.lattice.records().await?.get(&key).await?.map(|(token, _)| token);
    let kept = file::read_small(&path(session, &issuer))?;
    let now = Timestamp::now();
    let mut revoked = BTreeMap::new();
    let mut known = 0;
    for token in stored.iter().chain(&kept) {
        let Ok(list) =
            Signed::<Revocations>::parse(token).and_then(|list| list.verify(&session.trust, now))
        else {
            continue;
        };
        if list.issuer == issuer {
            known = known.max(list.body.generation);
            for (what, at) in &list.body.revoked {
                latest(&mut revoked, what, *at);
            }
        }
    }
    for what in what {
        latest(&mut revoked, what, now.as_secs());
    }
    let draft = Draft {
        subject: issuer,
        audience: session.audience.clone(),
        not_before: None,
        expires: None,
        body: Revocations { generation: next_generation(known), revoked },
    };
    Ok(draft.sign(signer.issuer(), now)?)
}

fn latest(revoked: &mut BTreeMap<String, u64>, what: &str, at: u64) {
    let entry = revoked.entry(what.to_owned()).or_insert(at);
    *entry = at.max(*entry);
}

fn keep(session: &Session, signer: &Signer, token: &str) -> anyhow::Result<()> {
    file::write_private(&path(session, &signer.key.public()), token.as_bytes())
}

fn path(session: &Session, issuer: &str) -> std::path::PathBuf {
    session.project.revocations().join(format!("{issuer}.jwt"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistyped_file_is_not_taken_for_a_tokens_id() {
        assert!(id("counter.signed.wasm").is_err());
        assert!(id("short").is_err());
        assert_eq!(id("0123456789abcdef0123").expect("an id"), "0123456789abcdef0123");
    }

    #[test]
    fn a_list_is_made_anew_where_the_host_knows_more_and_only_there() {
        let failed = |kind| anyhow::Error::from(Failure::new(kind, "x")).context("revoke");
        assert!(is_stale(&failed(FailureKind::Stale)));
        assert!(!is_stale(&failed(FailureKind::Denied)));
        assert!(!is_stale(&anyhow::anyhow!("stale")));
    }

    #[test]
    fn what_was_revoked_stays_revoked() {
        let mut revoked = BTreeMap::from([("x".to_owned(), 7)]);
        latest(&mut revoked, "x", 5);
        latest(&mut revoked, "y", 5);
        assert_eq!(revoked, BTreeMap::from([("x".to_owned(), 7), ("y".to_owned(), 5)]));
    }
}
