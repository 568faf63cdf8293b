//! Questions to wadm: signed by the user, and only an answer that a wadm of the account signed counts.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use wattle_claims::{DeploymentRecord, Draft, RecordKey, Right, Signed, Timestamp};
use wattle_core::{
    Name,
    app::{AppRequest, ApplicationStatus, ApplicationSummary, History},
    control::{Answer, FailureKind, Outcome},
    deployment::{Deployment, Version, VersionName},
};
use wattle_lattice::AppError;

use super::{EXPIRY_MARGIN, Session, entities::unexpected};
use crate::{exit::Exit, problem::Problem};

/// How long a lattice that has just begun, or lost its wadm, may be without one.
const WADM_WAIT: Duration = Duration::from_secs(10);
/// How long the first answer may take before it is asked for again, by whoever is wadm by then; then twice as long each time.
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// Between two tries meanwhile.
const WADM_POLL: Duration = Duration::from_millis(200);

/// What is deployed of an application.
pub(crate) struct Deployed {
    pub(crate) record: DeploymentRecord,
    /// The version that is being run.
    pub(crate) version: Option<VersionName>,
    /// Whether that one has been healthy.
    pub(crate) healthy: bool,
}

impl Session {
    /// How all applications stand.
    pub(crate) async fn applications(&self) -> anyhow::Result<Vec<ApplicationSummary>> {
        match self.ask_wadm(AppRequest::List).await? {
            Outcome::Applications(all) => Ok(all),
            other => Err(unexpected(&other)),
        }
    }

    /// How one stands; none where it is not deployed.
    pub(crate) async fn application(
        &self,
        application: &Name,
    ) -> anyhow::Result<Option<ApplicationStatus>> {
        let application = application.clone();
        match found(self.ask_wadm(AppRequest::Status { application }).await)? {
            Some(Outcome::Application(status)) => Ok(Some(*status)),
            None => Ok(None),
            Some(other) => Err(unexpected(&other)),
        }
    }

    /// What is deployed under a name; none where nothing ever was.
    pub(crate) async fn deployed(&self, application: &Name) -> anyhow::Result<Option<Deployed>> {
        let application = application.clone();
        let signed = match found(self.ask_wadm(AppRequest::Get { application }).await)? {
            Some(Outcome::Deployment(signed)) => signed,
            None => return Ok(None),
            Some(other) => return Err(unexpected(&other)),
        };
        let token = Signed::<DeploymentRecord>::parse(&signed.token)?;
        let record = match token.verify(&self.trust, Timestamp::now()) {
            Ok(record) => {
                anyhow::ensure!(
                    *record.account() == self.account,
                    "wadm told of another account's"
                );
                record.body.clone()
            }
            // Its user may have been revoked since. Of what does not hold any more, only the generation counts.
            Err(_) => DeploymentRecord { value: None, ..token.peek()?.body },
        };
        Ok(Some(Deployed { record, version: signed.version, healthy: signed.healthy }))
    }

    /// The versions of an application that are kept.
    pub(crate) async fn history(&self, application: &Name) -> anyhow::Result<History> {
        let application = application.clone();
        match self.ask_wadm(AppRequest::History { application }).await? {
            Outcome::History(history) => Ok(history),
            other => Err(unexpected(&other)),
        }
    }

    /// One of them, as a user of the account signed it: wadm's word for it is not enough.
    pub(crate) async fn version(
        &self,
        application: &Name,
        name: &VersionName,
    ) -> anyhow::Result<Version> {
        let asked = AppRequest::Version { application: application.clone(), version: name.clone() };
        let token = match self.ask_wadm(asked).await? {
            Outcome::Version(token) => token,
            other => return Err(unexpected(&other)),
        };
        let record = Signed::<DeploymentRecord>::parse(&token)
            .and_then(|record| record.verify(&self.trust, Timestamp::now()))
            .with_context(|| format!("version {name} of {application}"))?;
        let own = RecordKey::Deployment {
            account: self.account.clone(),
            application: application.clone(),
        };
        let version = record.body.value.as_ref().and_then(Deployment::version);
        let version = version.filter(|version| record.body.key == own && version.name == *name);
        version.cloned().with_context(|| format!("wadm gave another version than {name}"))
    }

    /// Signs a deployment, or the end of one, and hands it to wadm.
    pub(crate) async fn put_deployment(&self, record: DeploymentRecord) -> anyhow::Result<()> {
        let deployment = self.sign_record(record)?.text().to_owned();
        match self.ask_wadm(AppRequest::Put { deployment }).await? {
            Outcome::Done { .. } => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// To ask twice is to ask once: a deployment that is there already is the one that was put.
    async fn ask_wadm(&self, request: AppRequest) -> anyhow::Result<Outcome> {
        let now = Timestamp::now();
        let verb = request.verb();
        let draft = Draft {
            subject: verb.to_string(),
            audience: self.audience.clone(),
            not_before: None,
            expires: Some(now.plus(self.timeout.max(WADM_WAIT) + EXPIRY_MARGIN)),
            body: request,
        };
        let signed = draft.sign(self.user.issuer(), now).context("sign the request")?;
        let id = signed.peek().context("the request")?.id;
        let (began, mut wait) = (Instant::now(), FIRST_WAIT);
        let answer = loop {
            let left = self.timeout.saturating_sub(began.elapsed());
            match self.lattice.ask_wadm(&verb, signed.text(), wait.min(left)).await {
                Ok(answer) => break answer,
                Err(AppError::NoWadm) if began.elapsed() < WADM_WAIT.min(self.timeout) => {
                    tokio::time::sleep(WADM_POLL).await;
                }
                // It may have been killed while it had the question.
                Err(AppError::TimedOut(_)) if wait < left => wait *= 2,
                Err(error) => {
                    let error = match error {
                        AppError::TimedOut(_) => AppError::TimedOut(self.timeout),
                        error => error,
                    };
                    let problem = Problem::new(Exit::Unreachable, error.to_string());
                    let next = "a host whose claims say wadm has to run: wattle up -d";
                    return Err(problem.next(next).into());
                }
            }
        };
        let answer = Signed::<Answer>::parse(&answer)
            .and_then(|signed| signed.verify(&self.trust, Timestamp::now()))
            .map_err(|error| Problem::new(Exit::Denied, format!("wadm's answer: {error}")))?;
        let is_wadm = answer.issuer_rights().contains(&Right::Wadm);
        if !is_wadm || *answer.account() != self.account || answer.body.command != id {
            let what = format!("{} answered, which is no wadm of the account", answer.issuer);
            return Err(Problem::new(Exit::Denied, what).into());
        }
        Ok(answer.body.outcome.clone()?)
    }
}

/// The answer, or none where there is no such thing.
fn found(answer: anyhow::Result<Outcome>) -> anyhow::Result<Option<Outcome>> {
    match answer {
        Ok(outcome) => Ok(Some(outcome)),
        Err(error) => {
            let failure = error.downcast_ref::<wattle_core::control::Failure>();
            let is_missing = failure.is_some_and(|it| it.kind == FailureKind::NotFound);
            if is_missing { Ok(None) } else { Err(error) }
        }
    }
}
