//! Questions to wadm, and its answers: both signed.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tracing::debug;
use wattle_claims::{Right, Signed, Verified};
use wattle_core::{
    Name,
    app::{AppRequest, ApplicationStatus, SignedDeployment},
    control::{Answer, Failure, FailureKind, Outcome},
};
use wattle_lattice::ControlServer;

use super::Identity;

/// What may be told, as the last round saw it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) statuses: Vec<ApplicationStatus>,
    pub(super) deployments: BTreeMap<Name, SignedDeployment>,
}

type Shared = Arc<Mutex<Told>>;

/// Answers for as long as what it gives is held.
pub(super) fn serve(identity: &Identity, told: &Shared) -> ControlServer {
    let (identity, told) = (identity.clone(), told.clone());
    let lattice = identity.lattice.clone();
    lattice.serve_apps(move |token| {
        let answer = answer(&identity, &told, &token);
        async move { answer }
    })
}

/// Nothing is said to who is no user of the account: another account's wadm is asked on the same subject.
fn answer(identity: &Identity, told: &Shared, token: &str) -> Option<String> {
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
    let outcome = outcome(&request, told);
    let body = Answer { command: request.id.clone(), outcome };
    let signed = identity.sign(request.id.clone(), body);
    signed.inspect_err(|error| debug!(%error, "no answer")).ok()
}

fn outcome(request: &Verified<AppRequest>, told: &Shared) -> Result<Outcome, Failure> {
    if request.user().is_some_and(|user| !user.rights.contains(&Right::Inspect)) {
        let text = format!("user {} lacks the right inspect", request.issuer);
        return Err(Failure::new(FailureKind::Denied, text));
    }
    let told = told.lock();
    let missing = |application: &Name| {
        let text = format!("no application {application} is deployed");
        Failure::new(FailureKind::NotFound, text).with_next("wattle app list")
    };
    match &request.body {
        AppRequest::List => Ok(Outcome::Applications(told.statuses.clone())),
        AppRequest::Status { application } => {
            let known = told.statuses.iter().find(|status| status.application == *application);
            Ok(Outcome::Applications(vec![known.ok_or_else(|| missing(application))?.clone()]))
        }
        AppRequest::Get { application } => {
            let known = told.deployments.get(application).ok_or_else(|| missing(application))?;
            Ok(Outcome::Deployment(known.clone()))
        }
    }
}
