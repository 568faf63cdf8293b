//! Questions to wadm, and its answers: both signed.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tracing::debug;
use wattle_claims::{DeploymentRecord, RecordKey, Right, Signed, Verified};
use wattle_core::{
    Name,
    app::{AppRequest, ApplicationStatus, SignedDeployment},
    control::{Answer, CONTROL_TOKEN_LEN_MAX, Failure, FailureKind, Outcome},
    deployment::{Phase, VersionName},
};
use wattle_lattice::{ControlServer, RecordsError};

use super::{Identity, versions};

/// What may be told, as the last round saw it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) statuses: Vec<ApplicationStatus>,
    pub(super) deployments: BTreeMap<Name, SignedDeployment>,
}

impl Told {
    /// The version that runs of an application that is to run.
    fn runs(&self, application: &Name) -> Option<VersionName> {
        let mut statuses = self.statuses.iter();
        let status = statuses.find(|status| status.application == *application)?;
        (status.phase == Phase::Deployed).then(|| status.version.clone())
    }
}

type Shared = Arc<Mutex<Told>>;

/// Answers for as long as what it gives is held.
pub(super) fn serve(identity: &Identity, told: &Shared) -> ControlServer {
    let (identity, told) = (identity.clone(), told.clone());
    let lattice = identity.lattice.clone();
    lattice.serve_apps(move |token| {
        let (identity, told) = (identity.clone(), told.clone());
        async move { answer(&identity, &told, &token).await }
    })
}

/// Nothing is said to who is no user of the account: another account's wadm is asked on the same subject.
async fn answer(identity: &Identity, told: &Shared, token: &str) -> Option<String> {
    let request = Signed::<AppRequest>::parse(token)
        .and_then(|request| request.verify(&identity.trust(), identity.now()));
    let request = match request {
        Ok(request) if *request.account() == identity.account => request,
        Ok(_) => return None,
        Err(error) => {
            debug!(%error, "a request that does not hold");
            return None;
        }
    };
    let sign = |outcome: Result<Outcome, Failure>| {
        identity.sign(request.id.clone(), Answer { command: request.id.clone(), outcome })
    };
    let signed = match sign(outcome(identity, &request, told).await) {
        Ok(signed) if signed.len() <= CONTROL_TOKEN_LEN_MAX => Ok(signed),
        long => {
            let why =
                long.map_or_else(|error| error.to_string(), |it| format!("{} bytes", it.len()));
            let text = format!("the answer is more than may travel: {why}");
            sign(Err(Failure::new(FailureKind::Host, text)))
        }
    };
    signed.inspect_err(|error| debug!(%error, "no answer")).ok()
}

async fn outcome(
    identity: &Identity,
    request: &Verified<AppRequest>,
    told: &Shared,
) -> Result<Outcome, Failure> {
    let right = match &request.body {
        AppRequest::Put { .. } => Right::Control,
        AppRequest::List
        | AppRequest::Status { .. }
        | AppRequest::Get { .. }
        | AppRequest::History { .. }
        | AppRequest::Version { .. } => Right::Inspect,
    };
    if request.user().is_some_and(|user| !user.rights.contains(&right)) {
        let text = format!("user {} lacks the right {right:?}", request.issuer);
        return Err(Failure::new(FailureKind::Denied, text));
    }
    match &request.body {
        AppRequest::Put { deployment } => put(identity, deployment).await,
        AppRequest::List => {
            let summaries = told.lock().statuses.iter().map(ApplicationStatus::summary).collect();
            Ok(Outcome::Applications(summaries))
        }
        AppRequest::Status { application } => {
            let told = told.lock();
            let known = told.statuses.iter().find(|status| status.application == *application);
            let known = known.ok_or_else(|| missing(application))?;
            Ok(Outcome::Application(Box::new(known.clone())))
        }
        AppRequest::Get { application } => {
            let told = told.lock();
            let known = told.deployments.get(application).ok_or_else(|| missing(application))?;
            Ok(Outcome::Deployment(known.clone()))
        }
        AppRequest::History { application } => {
            let runs = told.lock().runs(application);
            versions::history(identity, application, runs).await
        }
        AppRequest::Version { application, version } => {
            versions::version(identity, application, version).await
        }
    }
}

fn missing(application: &Name) -> Failure {
    let text = format!("no application {application} is deployed");
    Failure::new(FailureKind::NotFound, text).with_next("wattle app list")
}

/// Puts a deployment into the lattice's store, where every host finds it, in the place of an older one.
async fn put(identity: &Identity, token: &str) -> Result<Outcome, Failure> {
    let claims = |text: String| Failure::new(FailureKind::Claims, text);
    let record = Signed::<DeploymentRecord>::parse(token)
        .and_then(|record| record.verify(&identity.trust(), identity.now()))
        .map_err(|error| claims(error.to_string()))?;
    if *record.account() != identity.account {
        return Err(claims(format!("it is account {}'s", record.account())));
    }
    let key = record.body.key.to_string();
    let store = |error: RecordsError| match error {
        RecordsError::Conflict { .. } => {
            Failure::new(FailureKind::Conflict, "somebody else deployed it meanwhile")
        }
        error => Failure::new(FailureKind::Host, error.to_string()),
    };
    let records = identity.lattice.records().await.map_err(store)?;
    let known = records.get(&key).await.map_err(store)?;
    let (text, revision) = known.unwrap_or_default();
    if text == token {
        return Ok(Outcome::Done { unchanged: true, detail: None });
    }
    // What is there is worth what its signatures are worth.
    let known = Signed::<DeploymentRecord>::parse(&text)
        .and_then(|known| known.verify(&identity.trust(), identity.now()));
    let highest = known.as_ref().map_or(0, |known| known.body.generation);
    // Who had no answer asks again, and by then it may have ended.
    let end = record.body.value.as_ref().and_then(|deployment| deployment.end.as_deref());
    if end.is_some_and(|end| end == text) {
        return Ok(Outcome::Done { unchanged: true, detail: None });
    }
    if record.body.generation <= highest {
        let found = record.body.generation;
        let text = format!("generation {found} is not newer than {highest}, which is there");
        return Err(Failure::new(FailureKind::Stale, text));
    }
    if let RecordKey::Deployment { application, .. } = &record.body.key {
        if known.is_ok_and(|known| known.body.value.is_none()) {
            versions::forget_all(identity, application).await?;
        }
        versions::keep(identity, application, &record).await?;
    }
    match records.put(&key, token, Some(revision)).await {
        // Who had no answer asks again, and the first time it may have worked.
        Err(conflict @ RecordsError::Conflict { .. }) => {
            let found = records.get(&key).await.map_err(store)?;
            match found.is_some_and(|(text, _)| text == token) {
                true => Ok(Outcome::Done { unchanged: true, detail: None }),
                false => Err(store(conflict)),
            }
        }
        put => {
            put.map_err(store)?;
            Ok(Outcome::Done { unchanged: false, detail: None })
        }
    }
}
