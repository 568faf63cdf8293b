//! What the agent does to the lattice: commands to hosts, and rollouts written down. Each in a task of its own, which says how it went.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use futures::future::join_all;
use tracing::debug;
use wattle_claims::{Record, RecordKey, Rollout, Signed};
use wattle_core::{
    HostKey, Name,
    control::{Answer, Command, Goal, Outcome, Reconcile},
    inventory::Inventory,
};
use wattle_lattice::RecordsError;

use super::{
    Identity, SignFailed, probes::Probed, questions::LinkCommands, versions, view::StoredRollout,
};
use crate::{plan, reconcile::COMMAND_MS};

/// How long a host may take to say what it runs, or to take a record.
const ASK_WAIT: Duration = Duration::from_secs(5);
/// Added to a command's expiry: it is obeyed until then, and waited for no longer.
const COMMAND_WAIT: Duration = Duration::from_millis(COMMAND_MS);

/// How something went.
pub(super) enum Done {
    /// A host was told to run or stop something.
    Told { command: plan::Command, sent_ms: u64, outcome: Result<(), String> },
    /// A host was told to probe what it runs.
    Probed { probed: Probed, outcome: Result<(), String> },
    /// A host was asked what it runs.
    Asked(Look),
    /// A rollout was written down, and these hosts were told of it, for the sake of these commands.
    Wrote {
        application: Name,
        commands: LinkCommands,
        outcome: Result<Box<StoredRollout>, String>,
        told: BTreeSet<HostKey>,
    },
    /// The end of a deployment was written down.
    Ended { application: Name, outcome: Result<(), String> },
    /// Hosts were told again of links that did not hold.
    Retried { application: Name, told: BTreeSet<HostKey> },
}

/// What a host said that it runs, and when it was asked.
pub(super) struct Look {
    pub(super) host: HostKey,
    pub(super) at: Instant,
    pub(super) inventory: Result<Box<Inventory>, String>,
}

/// Tells a host to run or stop something.
pub(super) async fn tell(
    identity: Identity,
    term: u64,
    deployment: String,
    command: plan::Command,
    sent_ms: u64,
) -> Done {
    let (host, id, goal) = match &command {
        plan::Command::Run { host, id, artifact: plan::Artifact::Digest(program), instances } => {
            let instances = u16::try_from(*instances).ok().and_then(|count| count.try_into().ok());
            match instances {
                Some(instances) => (host, id, Goal::Run { program: *program, instances }),
                None => return refused(command, sent_ms, "no host runs so many instances"),
            }
        }
        plan::Command::Stop { host, id } => (host, id, Goal::Stop),
        _ => return refused(command, sent_ms, "this is not for a host"),
    };
    let (host, id) = (host.clone(), id.clone());
    let asked = Command::Reconcile(Reconcile { term, deployment, id, goal });
    let outcome = ask(&identity, &host, asked, COMMAND_WAIT).await.map(drop);
    Done::Told { command, sent_ms, outcome }
}

/// Has a host probe what it runs.
pub(super) async fn probe(
    identity: Identity,
    term: u64,
    deployment: String,
    probed: Probed,
) -> Done {
    let goal = Goal::Probe { program: probed.program };
    let asked = Command::Reconcile(Reconcile { term, deployment, id: probed.id.clone(), goal });
    let outcome = ask(&identity, &probed.host, asked, COMMAND_WAIT).await.map(drop);
    Done::Probed { probed, outcome }
}

fn refused(command: plan::Command, sent_ms: u64, why: &str) -> Done {
    Done::Told { command, sent_ms, outcome: Err(why.to_owned()) }
}

/// Asks a host what it runs.
pub(super) async fn look(identity: Identity, host: HostKey) -> Done {
    let at = Instant::now();
    let inventory = match ask(&identity, &host, Command::GetInventory, ASK_WAIT).await {
        Ok(Outcome::Inventory(inventory)) if inventory.host == host => Ok(inventory),
        Ok(_) => Err("it answered with something else".to_owned()),
        Err(error) => Err(error),
    };
    Done::Asked(Look { host, at, inventory })
}

/// A rollout that is to be written in the place of what the store has.
pub(super) struct Write {
    pub(super) application: Name,
    pub(super) commands: LinkCommands,
    /// None where the deployment has ended.
    pub(super) rollout: Option<Rollout>,
    pub(super) generation: u64,
    /// What stood there the last time, and the store's revision of it; 0 where there was nothing.
    pub(super) known: String,
    pub(super) revision: u64,
    /// Whose providers and actors its links concern.
    pub(super) hosts: Vec<HostKey>,
}

/// Writes a rollout down and tells the hosts that it concerns, so that its links hold when this is done.
pub(super) async fn write(identity: Identity, write: Write) -> Done {
    let Write { application, commands, rollout, generation, known, revision, hosts } = write;
    let key =
        RecordKey::Rollout { account: identity.account.clone(), application: application.clone() };
    let body = Record { generation, key: key.clone(), value: rollout.clone() };
    let put = async {
        let text = identity.sign(key.to_string(), body).map_err(|error| error.to_string())?;
        let put = async {
            let (records, key) = (identity.lattice.records().await?, key.to_string());
            match records.put(&key, &text, Some(revision)).await {
                Err(conflict @ RecordsError::Conflict { .. }) => {
                    // A store that was emptied has other revisions, and what hosts put back, or nothing.
                    let (found, revision) = records.get(&key).await?.unwrap_or_default();
                    match found.is_empty() || found == known {
                        true => records.put(&key, &text, Some(revision)).await,
                        false => Err(conflict),
                    }
                }
                put => put,
            }
        };
        let revision = put.await.map_err(|error: RecordsError| error.to_string())?;
        Ok(Box::new(StoredRollout { generation, revision, rollout, text }))
    };
    let outcome: Result<Box<StoredRollout>, String> = put.await;
    let told = match &outcome {
        // What does not change a link, hosts read in the store in time.
        Ok(stored) if !commands.is_empty() => tell_of_record(&identity, hosts, &stored.text).await,
        _ => BTreeSet::new(),
    };
    Done::Wrote { application, commands, outcome, told }
}

/// Tells hosts of a record that some of its links did not hold by: they try them again.
pub(super) async fn retry(
    identity: Identity,
    application: Name,
    hosts: Vec<HostKey>,
    text: String,
) -> Done {
    let told = tell_of_record(&identity, hosts, &text).await;
    Done::Retried { application, told }
}

/// Gives those that took it. A host that does not answer now reads it in the store.
async fn tell_of_record(identity: &Identity, hosts: Vec<HostKey>, text: &str) -> BTreeSet<HostKey> {
    let told = hosts.into_iter().map(async |host| {
        let command = Command::PutRecord { token: text.to_owned() };
        let said = ask(identity, &host, command, ASK_WAIT).await;
        match said {
            Ok(_) => Some(host),
            Err(reason) => {
                debug!(%host, reason, "a host was not told of a rollout");
                None
            }
        }
    });
    join_all(told).await.into_iter().flatten().collect()
}

/// Writes down that a deployment has ended, by the tombstone that its user signed, unless there is another deployment by now.
pub(super) async fn end(
    identity: Identity,
    application: Name,
    known: String,
    tombstone: String,
) -> Done {
    let key = RecordKey::Deployment {
        account: identity.account.clone(),
        application: application.clone(),
    };
    let put = async {
        let records = identity.lattice.records().await?;
        let newest = identity.lattice.versions().await?.newest().await?;
        match records.get(&key.to_string()).await? {
            Some((text, revision)) if text == known => {
                records.put(&key.to_string(), &tombstone, Some(revision)).await?;
                versions::forget(&identity, &application, newest).await
            }
            _ => Ok(()),
        }
    };
    let outcome = put.await.map_err(|error: RecordsError| error.to_string());
    Done::Ended { application, outcome }
}

/// Sends a host a command and gives what it says, if it is this host that says it.
async fn ask(
    identity: &Identity,
    host: &HostKey,
    command: Command,
    wait: Duration,
) -> Result<Outcome, String> {
    let signed = identity.sign_for(host.to_string(), command, Some(wait));
    let signed = signed.map_err(|error: SignFailed| error.to_string())?;
    let id = Signed::<Command>::parse(&signed)
        .and_then(|signed| signed.peek())
        .map_err(|error| error.to_string())?
        .id;
    let answer = identity.lattice.command(host, &signed, wait).await;
    let answer = answer.map_err(|error| error.to_string())?;
    let (trust, now) = (identity.trust(), identity.now());
    let answer = Signed::<Answer>::parse(&answer)
        .and_then(|answer| answer.verify(&trust, now))
        .map_err(|error| format!("its answer does not hold: {error}"))?;
    if answer.issuer != host.as_str() || answer.body.command != id {
        return Err("somebody else answered".to_owned());
    }
    answer.body.outcome.clone().map_err(|failure| failure.message)
}
