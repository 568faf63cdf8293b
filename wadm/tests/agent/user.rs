//! The user who deploys, and asks how it stands.

use std::{sync::Arc, time::Duration};

use wattle_claims::{DeploymentRecord, Record, RecordKey, Right, Signed, Timestamp};
use wattle_core::{
    Name,
    app::{AppRequest, ApplicationState, ApplicationStatus, ApplicationSummary},
    control::{Answer, Failure, Outcome},
    deployment::Deployment,
};
use wattle_lattice::{AppError, Lattice};
use wattle_testing::eventually;

use crate::site::Site;

/// How long one answer may take, and how long there may be nobody who gives one.
const ANSWER_MAX: Duration = Duration::from_secs(5);
const WADM_WAIT: Duration = Duration::from_secs(20);

/// A user of the account with a connection of their own.
pub(crate) struct User {
    site: Arc<Site>,
    mesh: Lattice,
}

impl User {
    pub(crate) async fn connect(site: &Arc<Site>) -> Self {
        Self { site: site.clone(), mesh: site.connect("user").await }
    }

    /// Signs a deployment and hands it to wadm.
    pub(crate) async fn deploy(&self, deployment: Deployment) {
        let application = deployment.application.clone();
        let key = RecordKey::Deployment { account: self.site.account(), application };
        let record: DeploymentRecord =
            Record { generation: 1, key: key.clone(), value: Some(deployment) };
        let signed = self.site.sign(&self.site.chain.user, key.to_string(), None, record);
        let put = AppRequest::Put { deployment: signed.text().to_owned() };
        let (outcome, _) = self.ask(put).await;
        assert!(matches!(outcome, Ok(Outcome::Done { .. })), "{outcome:?}");
    }

    /// How all applications stand, and the bytes of the answer.
    pub(crate) async fn list(&self) -> (Vec<ApplicationSummary>, usize) {
        match self.ask(AppRequest::List).await {
            (Ok(Outcome::Applications(all)), bytes) => (all, bytes),
            other => panic!("{other:?}"),
        }
    }

    /// How one stands, once wadm has seen that it is deployed.
    pub(crate) async fn status(&self, application: &Name) -> Option<ApplicationStatus> {
        let asked = AppRequest::Status { application: application.clone() };
        match self.ask(asked).await.0.ok()? {
            Outcome::Application(status) => Some(*status),
            other => panic!("{other:?}"),
        }
    }

    /// Waits until one has settled.
    pub(crate) async fn settled(&self, application: &Name, limit: Duration) {
        eventually(&format!("{application} settles"), limit, async || {
            let status = self.status(application).await?;
            (status.state == ApplicationState::Settled).then_some(())
        })
        .await;
    }

    /// Waits until it is written down that one is healthy, after which nothing more is to be written.
    pub(crate) async fn written_down(&self, application: &Name, limit: Duration) {
        eventually(&format!("{application} is healthy"), limit, async || {
            let asked = AppRequest::Get { application: application.clone() };
            match self.ask(asked).await.0.ok()? {
                Outcome::Deployment(deployment) => deployment.healthy.then_some(()),
                other => panic!("{other:?}"),
            }
        })
        .await;
    }

    /// What wadm answers, and the bytes of it.
    async fn ask(&self, request: AppRequest) -> (Result<Outcome, Failure>, usize) {
        let verb = request.verb();
        let user = &self.site.chain.user;
        let lasts = Some(WADM_WAIT + ANSWER_MAX);
        let signed = self.site.sign(user, verb.to_string(), lasts, request);
        let answer = eventually("wadm answers", WADM_WAIT, async || {
            match self.mesh.ask_wadm(&verb, signed.text(), ANSWER_MAX).await {
                Ok(answer) => Some(answer),
                Err(AppError::NoWadm | AppError::TimedOut(_)) => None,
                Err(error) => panic!("{verb}: {error}"),
            }
        })
        .await;
        let verified = Signed::<Answer>::parse(&answer)
            .and_then(|signed| signed.verify(&self.site.trust(), Timestamp::now()))
            .expect("wadm's answer holds");
        assert!(verified.issuer_rights().contains(&Right::Wadm), "wadm answers");
        (verified.body.outcome.clone(), answer.len())
    }
}
